//! Proxies are used where the environment names one, and only there.

use insta::assert_snapshot;

use super::{BASIC, SECRET, assert_no_secret, on, quick, with_password};
use crate::support::fake::{ANY, EXPERIMENTS, Fake, Reply, experiments};

const SERVER: &str = "http://traces.test:8080/base";

fn proxy() -> Fake {
    Fake::start().on("POST", &format!("/base{EXPERIMENTS}"), experiments(&[]))
}

#[test]
fn a_proxy_passes_requests_on() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = proxy();
        let outcome = with_password(quick())
            .env(variable, &proxy.uri())
            .on(SERVER)
            .run("search -o ids");
        assert_eq!(outcome.code, Some(0), "{variable}: {outcome}");
        let request = proxy.only_request();
        assert_eq!(request.target, format!("{SERVER}{EXPERIMENTS}"));
        assert_eq!(request.header("host"), Some("traces.test:8080"));
        assert_eq!(request.header("authorization"), Some(BASIC));
    }
}

#[test]
fn a_host_in_no_proxy_is_asked_directly() {
    let (proxy, server) = (proxy(), Fake::with_traces());
    let outcome = on(&server)
        .env("HTTP_PROXY", &proxy.uri())
        .env("NO_PROXY", "example.test,127.0.0.1")
        .run("search -o ids");
    assert_eq!(outcome.ok().lines().count(), 3);
    assert_eq!(proxy.requests().len(), 0);
}

#[test]
fn a_proxy_that_is_not_there_is_a_network_error_without_its_password() {
    let outcome = quick()
        .env("HTTP_PROXY", &format!("http://ann:{SECRET}@127.0.0.1:1"))
        .on(SERVER)
        .run("search -v");
    assert_no_secret(&outcome);
    assert_eq!(outcome.code, Some(4), "{outcome}");
}

#[test]
fn a_proxy_gets_its_own_password_and_not_the_servers() {
    let proxy = proxy();
    let uri = proxy.uri().replace("//", "//eve:other@");
    let outcome = with_password(quick())
        .env("HTTP_PROXY", &uri)
        .on(SERVER)
        .run("search -o ids");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let request = proxy.only_request();
    assert_eq!(
        request.header("proxy-authorization"),
        Some("Basic ZXZlOm90aGVy")
    );
    assert_eq!(request.header("authorization"), Some(BASIC));
}

#[test]
fn a_proxy_that_wants_a_login_is_an_error() {
    let proxy = Fake::start().on(ANY, ANY, Reply::html(407));
    let outcome = quick()
        .env("HTTP_PROXY", &proxy.uri())
        .on(SERVER)
        .run("search");
    assert_snapshot!(outcome, @"
    --- stderr
    error: traces.test:8080 answered 407: an HTML page
    hint: the proxy wants a login; name it as http://user:password@host in HTTP_PROXY or HTTPS_PROXY
    --- exit 4
    ");
}
