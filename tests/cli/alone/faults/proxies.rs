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
    assert_snapshot!(super::without_port(&outcome, &proxy), @"
    --- stderr
    error: cannot use the proxy HOST: it wants a login
    hint: name it as http://user:password@host:port in HTTP_PROXY
    --- exit 4
    ");
}

#[test]
fn a_fault_of_a_proxy_is_told_as_such() {
    let nobody = Fake::nobody();
    let refuses = Fake::start().on(ANY, ANY, Reply::html(403));
    for (variable, proxy, server, said) in [
        ("HTTP_PROXY", &nobody, SERVER, "connection refused"),
        (
            "HTTPS_PROXY",
            &nobody,
            "https://traces.test",
            "connection refused",
        ),
        (
            "ALL_PROXY",
            &refuses,
            "https://traces.test",
            "it does not connect to the server",
        ),
    ] {
        let outcome = quick()
            .env(
                variable,
                &proxy.uri().replace("//", &format!("//ann:{SECRET}@")),
            )
            .on(server)
            .run("search --retries 0");
        assert_no_secret(&outcome);
        let expected = format!(
            "error: cannot use the proxy {}: {said}\n\
             hint: check {variable}, or list the server in NO_PROXY\n",
            proxy.host()
        );
        assert_eq!(outcome.fails(4), expected);
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_an_error_and_nothing_is_sent_past_it() {
    for value in [
        format!("socks5://ann:{SECRET}@127.0.0.1:1"),
        format!("http//ann:{SECRET}@127.0.0.1:1"),
        format!("http://ann:{SECRET}/x@127.0.0.1:1"),
        "http://".to_owned(),
    ] {
        let server = Fake::with_traces();
        let outcome = on(&server).env("HTTP_PROXY", &value).run("search");
        assert_no_secret(&outcome);
        let said = outcome.fails(2);
        assert!(
            said.starts_with("error: $HTTP_PROXY: expected a proxy as http://host:port, found"),
            "{outcome}"
        );
        assert_eq!(server.paths(), Vec::<String>::new());
    }
}

#[test]
fn what_a_proxy_repeats_of_a_login_is_hidden() {
    let proxy = Fake::start().on_call(ANY, ANY, |request, _| {
        let heard = request.header("proxy-authorization").unwrap_or_default();
        Reply::error(400, "BAD", &format!("no good: {heard}, {SECRET}"))
    });
    let outcome = quick()
        .env(
            "HTTP_PROXY",
            &proxy.uri().replace("//", &format!("//ann:{SECRET}@")),
        )
        .on(SERVER)
        .run("search");
    assert_no_secret(&outcome);
    let said = outcome.fails(4);
    assert!(
        said.contains("no good: Basic [hidden], [hidden]"),
        "{outcome}"
    );
}
