//! Redirects within the server are followed; none takes a secret to another one.

use insta::assert_snapshot;

use super::{BASIC, fault, on, quick, with_password};
use crate::support::fake::{ANY, EXPERIMENTS, Fake, Reply, SEARCH, page};

const MOVED: &str = "/moved/search";

#[test]
fn a_redirect_within_the_server_is_followed_with_everything() {
    for status in [301, 302, 307, 308] {
        let fake = Fake::start()
            .on("POST", SEARCH, Reply::redirect(status, MOVED))
            .on("POST", MOVED, page(1..4, None));
        let outcome = with_password(on(&fake))
            .env("MLFLOW_WORKSPACE", "team")
            .run("search -x 1 -o ids");
        assert_eq!(outcome.ok().lines().count(), 3);
        let requests = fake.requests();
        assert_eq!(
            fake.paths(),
            [format!("POST {SEARCH}"), format!("POST {MOVED}")]
        );
        assert_eq!(requests[0].body, requests[1].body);
        assert_eq!(requests[1].header("authorization"), Some(BASIC));
        assert_eq!(requests[1].header("x-mlflow-workspace"), Some("team"));
    }
}

#[test]
fn a_redirect_to_another_server_is_not_followed() {
    let elsewhere = Fake::start().on(ANY, ANY, page(1..4, None));
    let by_name = format!(
        "http://localhost:{}/x",
        elsewhere.uri().rsplit(':').next().unwrap()
    );
    let by_port = format!("{}/x", elsewhere.uri());
    let without_scheme = format!("//{}/x", elsewhere.host());
    let with_login = format!("http://{}@{}/x", "eve:trap", elsewhere.host());
    for target in [by_name, by_port, without_scheme, with_login] {
        let make = || Fake::start().on("POST", SEARCH, Reply::redirect(302, &target));
        let text = fault(make, "search -x 1", 4);
        assert!(text.contains("error: HOST redirects to http://"), "{text}");
        assert!(!text.contains("trap"), "{text}");
    }
    assert_eq!(elsewhere.paths(), Vec::<String>::new());
}

#[test]
fn a_redirect_to_another_host_says_what_to_do() {
    let make = || {
        Fake::start().on(
            "POST",
            SEARCH,
            Reply::redirect(302, "http://elsewhere.test/mlflow"),
        )
    };
    assert_snapshot!(fault(make, "search -x 1", 4), @"
    --- stderr
    error: HOST redirects to http://elsewhere.test
    hint: it is another host, which mlt does not follow; if you trust it, use http://elsewhere.test as the tracking URI
    --- exit 4
    ");
}

#[test]
fn a_redirect_to_another_port_says_what_to_do() {
    let make = || Fake::start().on("POST", SEARCH, Reply::redirect(302, "http://127.0.0.1:9/x"));
    assert_snapshot!(fault(make, "search -x 1", 4), @"
    --- stderr
    error: HOST redirects to http://127.0.0.1:9
    hint: it is another server on the same host, which mlt does not follow; if you trust it, use http://127.0.0.1:9 as the tracking URI
    --- exit 4
    ");
}

#[test]
fn a_redirect_in_circles_ends() {
    let make = || Fake::start().on("POST", SEARCH, Reply::redirect(302, SEARCH));
    assert_snapshot!(fault(make, "search -x 1", 4), @"
    --- stderr
    error: HOST redirects to http://HOST
    hint: it keeps redirecting; check the tracking URI
    --- exit 4
    ");
    let fake = make();
    on(&fake).run("search -x 1").fails(4);
    assert_eq!(fake.requests().len(), 6);
}

#[test]
fn a_redirect_to_nowhere_is_an_error() {
    let reply = Reply::text("text/plain", "").status(302);
    let make = || Fake::start().on("POST", SEARCH, reply.clone());
    assert_snapshot!(fault(make, "search -x 1", 4), @"
    --- stderr
    error: HOST answered 302: an empty body
    --- exit 4
    ");
}

#[test]
fn redirects_can_be_switched_off() {
    let fake = Fake::start()
        .on("POST", SEARCH, Reply::redirect(302, MOVED))
        .on("POST", MOVED, page(1..4, None));
    let outcome = on(&fake)
        .env("MLFLOW_ALLOW_HTTP_REDIRECTS", "false")
        .run("search -x 1");
    assert_snapshot!(super::without_port(&outcome, &fake), @"
    --- stderr
    error: HOST redirects to http://HOST
    hint: MLFLOW_ALLOW_HTTP_REDIRECTS switches redirects off
    --- exit 4
    ");
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn nobody_is_told_to_use_a_login_page_or_a_script() {
    for (target, shown) in [
        (
            "https://sso.example.com/oauth2/authorize?client_id=x",
            "https://sso.example.com",
        ),
        (
            "https://elsewhere.test/users/login",
            "https://elsewhere.test",
        ),
        ("javascript:alert(1)", "a `javascript:` address"),
        ("data:text/html,x", "a `data:` address"),
        ("file:///etc/passwd", "a `file:` address"),
    ] {
        let make = || Fake::start().on("POST", SEARCH, Reply::redirect(302, target));
        let text = fault(make, "search -x 1", 4);
        let said = format!("error: HOST redirects to {shown}\n");
        assert!(text.contains(&said), "{text}");
        assert!(!text.contains("as the tracking URI"), "{text}");
    }
}

#[test]
fn a_login_that_a_redirect_brings_along_is_dropped() {
    let fake = Fake::start();
    let target = format!("http://eve:trap@{}{MOVED}", fake.host());
    let fake =
        fake.on("POST", SEARCH, Reply::redirect(307, &target))
            .on("POST", MOVED, page(1..4, None));
    on(&fake).run("search -x 1 -o ids").ok();
    assert_eq!(fake.requests()[1].header("authorization"), None);
    with_password(on(&fake)).run("search -x 1 -o ids").ok();
    assert_eq!(fake.requests()[3].header("authorization"), Some(BASIC));
}

#[test]
fn a_redirect_from_the_port_of_http_to_that_of_https_is_followed() {
    let proxy = Fake::start().on(ANY, ANY, Reply::html(403)).on(
        "POST",
        EXPERIMENTS,
        Reply::redirect(308, &format!("https://traces.test{EXPERIMENTS}")),
    );
    let outcome = with_password(quick())
        .env("ALL_PROXY", &proxy.uri())
        .on("http://traces.test")
        .run("search --retries 0");
    assert_eq!(outcome.code, Some(4), "{outcome}");
    let requests = proxy.requests();
    assert_eq!(requests[1].method, "CONNECT");
    assert_eq!(requests[1].target, "traces.test:443");
    assert_eq!(requests[1].header("authorization"), None);
}

#[test]
fn the_place_that_failed_is_named() {
    let fake = Fake::start().on("POST", SEARCH, Reply::redirect(302, "/moved"));
    let other = fake.host();
    let fake = fake.on(
        "POST",
        "/moved",
        Reply::redirect(302, "http://elsewhere.test/x"),
    );
    let outcome = on(&fake).run("search -x 1");
    let said = outcome.fails(4);
    assert!(
        said.contains(&format!("{other} redirects to http://elsewhere.test")),
        "{said}"
    );
}
