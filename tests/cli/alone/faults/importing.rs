//! Servers that take in some traces and not others, or go away meanwhile.

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::support::fake::{EXPERIMENT, Reply, artifact, info, info_path, trace_id};

const SPANS: &str = "/v1/traces";
const TRACE: &str = "/api/3.0/mlflow/traces";
const DELETE: &str = "/api/2.0/mlflow/traces/delete-traces";

/// The traces with these numbers, in a file.
fn lines(numbers: impl Iterator<Item = usize>) -> String {
    numbers
        .map(|n| json!({"info": info(n), "data": artifact(n)}).to_string() + "\n")
        .collect()
}

/// A server that takes in everything, and has nothing yet.
fn taking(count: usize) -> Fake {
    let default = json!({"experiment_id": "0", "name": "Default", "lifecycle_stage": "active"});
    let fake = Fake::start()
        .on("GET", "/version", Reply::text("text/plain", "3.17.2"))
        .on(
            "GET",
            EXPERIMENT,
            Reply::json(&json!({"experiment": default})),
        )
        .on("POST", SPANS, Reply::text("application/x-protobuf", ""))
        .on("POST", TRACE, Reply::json(&json!({})));
    let missing = Reply::error(404, "RESOURCE_DOES_NOT_EXIST", "Trace not found");
    (1..=count).fold(fake, |fake, n| {
        fake.on("GET", &info_path(n), missing.clone())
    })
}

#[test]
fn spans_go_first_and_what_they_do_not_tell_behind_them() {
    let fake = taking(1);
    let outcome = on(&fake).stdin(lines(1..2)).run("import -");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let asked = fake.paths();
    assert_eq!(
        asked[asked.len() - 3..],
        [
            format!("GET {}", info_path(1)),
            format!("POST {SPANS}"),
            format!("POST {TRACE}"),
        ]
    );
    let requests = fake.requests();
    let [spans, trace] = &requests[requests.len() - 2..] else {
        panic!("{asked:?}");
    };
    assert_eq!(spans.header("x-mlflow-experiment-id"), Some("0"));
    assert_eq!(spans.header("content-type"), Some("application/x-protobuf"));
    let sent = &trace.json()["trace"]["trace_info"];
    assert_eq!(sent["trace_id"], trace_id(1));
    assert_eq!(sent["execution_duration"], "0.288s");
    assert_eq!(
        sent["trace_location"]["mlflow_experiment"]["experiment_id"],
        "0"
    );
}

/// A trace with an assessment.
fn assessed() -> String {
    let mut info = info(1);
    info["assessments"] = json!([{
        "assessment_id": "a-1", "assessment_name": "helpful", "trace_id": trace_id(1),
        "source": {"source_type": "HUMAN", "source_id": "ann"},
        "create_time": "2026-11-22T20:56:36Z", "last_update_time": "2026-11-22T20:56:36Z",
        "feedback": {"value": true}, "valid": true,
    }]);
    json!({"info": info, "data": artifact(1)}).to_string() + "\n"
}

#[test]
fn assessments_are_made_when_they_stay_and_those_with_the_id_of_another_get_their_own() {
    let made = format!("POST {}/assessments", info_path(1));
    let [spans, trace] = [SPANS, TRACE].map(|path| format!("POST {path}"));
    for (release, order) in [
        ("3.17.2", [&spans, &made, &made, &trace]),
        // The rest of a trace takes them away again there.
        ("3.6.0", [&spans, &trace, &made, &made]),
    ] {
        let unique = "(builtins.Exception) UNIQUE constraint failed: assessments.assessment_id";
        let fake = taking(1)
            .on("GET", "/version", Reply::text("text/plain", release))
            .on_call(
                "POST",
                &format!("{}/assessments", info_path(1)),
                move |request, _| {
                    if request.json()["assessment"]["assessment_id"] == "a-1" {
                        Reply::error(500, "INTERNAL_ERROR", unique)
                    } else {
                        Reply::json(&json!({}))
                    }
                },
            );
        let outcome = on(&fake).stdin(assessed()).run("import -");
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let asked = fake.paths();
        assert_eq!(
            asked[asked.len() - 4..].iter().collect::<Vec<_>>(),
            order,
            "{release}"
        );
        let requests = fake.requests();
        let finished = requests.iter().find(|one| one.target == TRACE).unwrap();
        let sent = &finished.json()["trace"]["trace_info"]["assessments"];
        assert_eq!(*sent, json!([]), "it would take it from the other trace");
    }
}

#[test]
fn a_trace_that_is_refused_is_not_left_there_in_part() {
    let fake = taking(3)
        .on_call("POST", TRACE, |request, _| {
            if request.json()["trace"]["trace_info"]["trace_id"] == trace_id(2) {
                Reply::error(400, "INVALID_PARAMETER_VALUE", "no such state")
            } else {
                Reply::json(&json!({}))
            }
        })
        .on("POST", DELETE, Reply::json(&json!({"traces_deleted": 1})));
    let outcome = on(&fake).stdin(lines(1..4)).run("import - -q");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(outcome.lines().len(), 2, "{outcome}");
    assert!(
        outcome.stderr.contains("no such state")
            && outcome.stderr.contains("1 of 3 traces cannot be imported"),
        "{outcome}"
    );
    let requests = fake.requests();
    let deleted: Vec<_> = requests.iter().filter(|it| it.target == DELETE).collect();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].json()["request_ids"], json!([trace_id(2)]));
}

#[test]
fn a_server_that_goes_away_or_wants_a_login_is_asked_no_more() {
    let last = Reply::text("application/x-protobuf", "");
    for (reply, code) in [
        (Reply::closed(), 4),
        (Reply::error(401, "UNAUTHENTICATED", "log in"), 5),
    ] {
        let fake = taking(60).on_each("POST", SPANS, vec![last.clone(), reply]);
        let outcome = with_password(on(&fake))
            .stdin(lines(1..61))
            .run("import - --retries 0 -o jsonl");
        assert_eq!(outcome.code, Some(code), "{outcome}");
        assert!(!format!("{outcome}").contains(SECRET), "{outcome}");
        let told: HashSet<&str> = outcome.stdout.lines().collect();
        assert!(told.len() <= 1, "{outcome}");
        let sent = fake.paths();
        let sent = sent.iter().filter(|path| path.ends_with(SPANS)).count();
        assert!(sent < 30, "{sent}");
        assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{outcome}");
    }
}
