//! Servers that have no way to end a trace from outside, and a trace that ends meanwhile.

use serde_json::json;

use super::*;
use crate::support::fake::{Reply, info, info_path, info_reply, trace_id};

fn in_progress(n: usize) -> Reply {
    let mut info = info(n);
    info["state"] = json!("IN_PROGRESS");
    Reply::json(&json!({"trace": {"trace_info": info}}))
}

fn end_path(n: usize) -> String {
    format!("/api/2.0/mlflow/traces/{}", trace_id(n))
}

#[test]
fn a_server_without_a_way_to_end_traces_is_told_of() {
    let fake = Fake::with_traces()
        .on("GET", &info_path(1), in_progress(1))
        .on("PATCH", &end_path(1), Reply::html(404));
    let outcome = on(&fake).run(&format!("close {}", trace_id(1)));
    let said = outcome.fails(2).replace(&fake.host(), "HOST");
    insta::assert_snapshot!(said, @"
    error: HOST has no way to end traces from outside
    hint: close them in the database itself, with `-u sqlite:///mlflow.db`
    ");
}

#[test]
fn a_trace_that_ends_meanwhile_is_left_alone() {
    let fake =
        Fake::with_traces().on_each("GET", &info_path(1), vec![in_progress(1), info_reply(1)]);
    let outcome = on(&fake).run(&format!("close {}", trace_id(1)));
    let expected = format!("{}  nothing to close: it is OK already\n", trace_id(1));
    assert_eq!(outcome.ok(), expected);
    assert!(
        !fake.paths().contains(&format!("PATCH {}", end_path(1))),
        "{:?}",
        fake.paths()
    );
}

#[test]
fn the_end_of_the_last_span_is_sent_and_nothing_else() {
    let fake = Fake::with_traces()
        .on("GET", &info_path(1), in_progress(1))
        .on(
            "PATCH",
            &end_path(1),
            Reply::json(&json!({"trace_info": {}})),
        );
    let outcome = on(&fake).run(&format!("close {} --state ok", trace_id(1)));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let sent = fake.requests();
    let sent = sent.iter().find(|request| request.method == "PATCH");
    let body = sent.unwrap().json();
    assert_eq!(
        (&body["status"], &body["request_metadata"], &body["tags"]),
        (&json!("OK"), &json!([]), &json!([]))
    );
    assert!(
        body["timestamp_ms"].as_i64().unwrap() > 1_790_000_000_000,
        "{body}"
    );
}
