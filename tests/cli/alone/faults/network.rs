//! Connections that are refused, break, or stay silent.

use std::time::Duration;

use insta::assert_snapshot;

use super::{assert_no_secret, fault, on, quick, with_password};
use crate::support::fake::{
    ARTIFACT, EXPERIMENT, EXPERIMENTS, Fake, Reply, SEARCH, artifact_reply, experiments, info_path,
    page, trace_id,
};

#[test]
fn a_refused_connection_is_a_network_error() {
    assert_snapshot!(fault(Fake::nobody, "search", 4), @"
    --- stderr
    error: cannot reach HOST: connection refused
    hint: check the tracking URI, and that the server runs
    --- exit 4
    ");
}

#[test]
fn an_unknown_host_is_a_network_error() {
    let outcome = with_password(quick()).run("-u http://no-such-host.invalid search --retries 0");
    let stderr = outcome.fails(4);
    assert!(
        stderr.starts_with("error: cannot reach no-such-host.invalid: "),
        "{stderr}"
    );
    assert_no_secret(&outcome);
}

#[test]
fn a_connection_closed_without_an_answer_is_a_network_error() {
    let make = || Fake::with_traces().on("POST", SEARCH, Reply::closed());
    assert_snapshot!(fault(make, "search", 4), @"
    --- stderr
    error: cannot reach HOST: connection closed before message completed
    hint: check the tracking URI, and that the server runs
    --- exit 4
    ");
}

#[test]
fn an_answer_that_breaks_off_half_way_is_a_network_error() {
    let make = || Fake::with_traces().on("POST", SEARCH, page(1..4, None).cut_after(100));
    assert_snapshot!(fault(make, "search", 4), @"
    --- stderr
    error: the answer of HOST broke off after 100 bytes: end of file before message length reached
    hint: try again
    --- exit 4
    ");
}

#[test]
fn spans_that_break_off_half_way_are_not_shown() {
    let make = || Fake::with_traces().on("GET", ARTIFACT, artifact_reply(1).cut_after(200));
    assert_snapshot!(fault(make, &format!("get {}", trace_id(1)), 4), @"
    --- stderr
    error: the answer of HOST broke off after 200 bytes: end of file before message length reached
    hint: try again
    --- exit 4
    ");
}

#[test]
fn an_export_fails_where_the_server_is_gone_before_it_tells_the_name_of_an_experiment() {
    let fake = Fake::with_traces().on("GET", EXPERIMENT, Reply::closed());
    let outcome = on(&fake).run("export -x 1 --all -o jsonl --retries 0");
    let said = outcome.fails(4);
    assert!(
        said.contains("broke off") || said.contains("closed"),
        "{said}"
    );
    assert!(!said.contains("wrote"), "{said}");
}

#[test]
fn an_answer_that_breaks_off_once_is_asked_for_again() {
    let fake = Fake::with_traces().on_each(
        "POST",
        SEARCH,
        vec![page(1..4, None).cut_after(100), page(1..4, None)],
    );
    let outcome = on(&fake).run("search -x 1 -o ids");
    assert_eq!(outcome.ok().lines().count(), 3);
    assert_eq!(fake.requests().len(), 2);
}

#[test]
fn a_server_that_stays_silent_runs_into_the_time_limit() {
    let make = || Fake::with_traces().on("POST", SEARCH, Reply::silence());
    assert_snapshot!(fault(make, "search --timeout 200ms", 4), @"
    --- stderr
    error: HOST did not answer within 0.2 s
    hint: wait longer with `--timeout 2m`
    --- exit 4
    ");
}

#[test]
fn a_database_that_stays_silent_runs_into_the_time_limit() {
    for (scheme, option) in [("postgresql", "?connect_timeout=60"), ("mysql", "")] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let uri = format!("{scheme}://ann@{place}/mlflow{option}");
        let outcome = crate::support::mlt().on(&uri).run("search --timeout 200ms");
        assert_eq!(
            outcome.fails(4),
            format!(
                "error: {place} did not answer within 0.2 s\n\
                 hint: wait longer with `--timeout 2m`\n"
            )
        );
    }
}

#[test]
fn the_time_limit_may_come_from_mlflows_variable() {
    let fake = Fake::start().on("POST", EXPERIMENTS, Reply::silence());
    let outcome = on(&fake)
        .env("MLFLOW_HTTP_REQUEST_TIMEOUT", "0.2")
        .run("search");
    assert!(
        outcome.fails(4).contains("did not answer within 0.2 s"),
        "{outcome}"
    );
}

#[test]
fn an_answer_that_stops_coming_runs_into_the_time_limit() {
    let drip = page(1..4, None).dripping(Duration::from_millis(600));
    let make = || Fake::with_traces().on("POST", SEARCH, drip.clone());
    assert_snapshot!(fault(make, "search --timeout 200ms", 4), @"
    --- stderr
    error: HOST did not answer within 0.2 s
    hint: wait longer with `--timeout 2m`
    --- exit 4
    ");
}

#[test]
fn a_slow_answer_is_waited_for_as_long_as_it_keeps_coming() {
    let reply = experiments(&[]).dripping(Duration::from_millis(100));
    let fake = Fake::start().on("POST", EXPERIMENTS, reply);
    let outcome = on(&fake).run("search --timeout 1s -o ids");
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

#[test]
fn a_late_answer_within_the_time_limit_is_fine() {
    let fake = Fake::with_traces().on(
        "POST",
        SEARCH,
        page(1..4, None).late(Duration::from_millis(300)),
    );
    assert_eq!(
        on(&fake)
            .run("search -o ids --timeout 20s")
            .ok()
            .lines()
            .count(),
        3
    );
}

#[test]
fn a_trace_is_not_shown_when_its_info_breaks_off() {
    let make = || Fake::with_traces().on("GET", &info_path(1), Reply::closed());
    assert_snapshot!(fault(make, &format!("latency {}", trace_id(1)), 4), @"
    --- stderr
    error: cannot reach HOST: connection closed before message completed
    hint: check the tracking URI, and that the server runs
    --- exit 4
    ");
}
