//! Servers that delete some of what they are asked to, or none of it, or go away.

use serde_json::json;

use super::*;
use crate::support::fake::{Reply, Request, SEARCH, info_path, info_reply, page, trace_id};

const DELETE: &str = "/api/2.0/mlflow/traces/delete-traces";

fn ids(request: &Request) -> Vec<String> {
    let ids = request.json()["request_ids"].as_array().unwrap().clone();
    ids.iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect()
}

fn missing() -> Reply {
    Reply::error(404, "RESOURCE_DOES_NOT_EXIST", "Trace not found")
}

#[test]
fn what_is_wrong_with_one_trace_keeps_no_other() {
    let fake = Fake::with_traces().on_call("POST", DELETE, |request, _| match ids(request) {
        several if several.len() > 1 => Reply::error(400, "INVALID_PARAMETER_VALUE", "bad id"),
        one if one[0] == trace_id(2) => Reply::error(400, "INVALID_PARAMETER_VALUE", "bad id"),
        _ => Reply::json(&json!({"traces_deleted": 1})),
    });
    let outcome = on(&fake).run("delete --name checkout --yes -q");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(outcome.lines().len(), 2, "{outcome}");
    assert!(
        outcome.stderr.contains(&format!("{}: ", trace_id(2))),
        "{outcome}"
    );
    assert!(
        outcome.stderr.contains("1 of 3 traces cannot be deleted"),
        "{outcome}"
    );
    let first = fake
        .requests()
        .into_iter()
        .find(|it| it.target == DELETE)
        .unwrap();
    assert_eq!(first.json()["experiment_id"], "1");
    assert_eq!(ids(&first).len(), 3);
}

#[test]
fn a_trace_that_is_there_afterwards_was_not_deleted() {
    let fake = Fake::with_traces()
        .on("POST", DELETE, Reply::json(&json!({"traces_deleted": 1})))
        .on("GET", &info_path(1), missing())
        .on("GET", &info_path(2), info_reply(2))
        .on("GET", &info_path(3), missing());
    let outcome = on(&fake).run("delete --name checkout --yes -o json -q");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let told: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let count = |key: &str| told[key].as_u64().unwrap();
    // One of the two that are gone was deleted by somebody else.
    assert_eq!(
        (count("deleted"), count("unchanged"), count("failed")),
        (1, 1, 1)
    );
    let failed = &told["results"][1];
    assert_eq!(failed["trace_id"], trace_id(2));
    let said = failed["error"].as_str().unwrap();
    assert!(
        said.ends_with(&format!("did not delete trace `{}`", trace_id(2))),
        "{said}"
    );
}

#[test]
fn a_server_that_goes_away_leaves_the_rest_and_says_how_many() {
    let fake = Fake::with_traces()
        .on("POST", SEARCH, page(1..251, None))
        .on_call("POST", DELETE, |request, _| match ids(request).len() {
            100 => Reply::json(&json!({"traces_deleted": 100})),
            _ => Reply::closed(),
        });
    let outcome = on(&fake).run("delete --name checkout --yes --retries 0 -o jsonl");
    assert_eq!(outcome.code, Some(4), "{outcome}");
    let with = |status: &str| {
        outcome
            .stdout
            .matches(&format!("\"status\":\"{status}\""))
            .count()
    };
    assert_eq!((with("deleted"), with("left")), (200, 50), "{outcome}");
    let said = "warning: 50 traces left; the same command again goes on\n";
    assert!(outcome.stderr.contains(said), "{outcome}");
    assert!(
        outcome.stderr.contains("note: deleted 200 traces\n"),
        "{outcome}"
    );
}

#[test]
fn nobody_is_let_in_by_asking_again() {
    for status in [401, 403] {
        let reply = Reply::error(status, "PERMISSION_DENIED", "not you");
        let fake = Fake::with_traces().on("POST", DELETE, reply);
        let outcome = on(&fake).run("delete --name checkout --yes -q");
        assert_eq!(outcome.code, Some(5), "{outcome}");
        let asked = fake
            .requests()
            .iter()
            .filter(|it| it.target == DELETE)
            .count();
        assert_eq!(asked, 1, "{outcome}");
    }
}
