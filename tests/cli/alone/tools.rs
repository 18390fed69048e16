//! `mlt get --tools`: which tools were offered, which were called, and how.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Mlt, mlt};

fn frameworks() -> Mlt {
    mlt().on("tests/fixtures/conversations/frameworks.jsonl")
}

fn rows(on: Mlt, words: &str) -> Vec<Value> {
    let document = on.run(&format!("{words} --tools -o json")).json();
    document["tools"].as_array().unwrap().clone()
}

#[test]
fn what_was_offered_stands_beside_what_was_called() {
    let page = mlt().on("demo:").run("get latest --tools");
    assert_snapshot!(page.ok(), @"
    support-agent  OK  1.94 s
    tr-3934c478c5bc2986bd6071d4c2c32e3e

    TOOL           OFFERED  CALLED  FAILED     TIME  ARGUMENTS                      NOTE
    lookup_order         2       1       0  83.8 ms  order_id: string               -
    create_return        2       1       0   214 ms  order_id: string, sku: string  -
    ");
    let csv = mlt().on("demo:").run("get latest --tools -o csv");
    let head = csv.ok().lines().next().unwrap().to_owned();
    assert_eq!(
        head,
        "trace_id,tool,offered,called,failed,duration_ns,arguments,note,description,parameters,calls"
    );
    assert_eq!(csv.ok().lines().count(), 3, "{csv}");
}

#[test]
fn every_run_of_a_tool_is_a_call_and_calls_say_their_span() {
    let all = rows(frameworks(), "get -n 200 --since 2020-01-01");
    assert!(all.len() > 20, "{}", all.len());
    let mut offered = 0;
    for row in &all {
        let calls = row["calls"].as_array().unwrap();
        assert_eq!(row["called"], json!(calls.len()), "{row}");
        assert!(
            row["called"] != json!(0) || row["note"] == json!("never called"),
            "{row}"
        );
        offered += row["offered"].as_u64().unwrap_or_default();
        // What is offered is known of all tools of a trace, or of none.
        let of_trace = all.iter().filter(|one| one["trace_id"] == row["trace_id"]);
        for one in of_trace {
            assert_eq!(one["offered"].is_null(), row["offered"].is_null(), "{row}");
        }
    }
    assert!(offered > 0);
    let never = all
        .iter()
        .filter(|row| row["note"] == "never called")
        .count();
    assert!(never > 0 && never < all.len(), "{never} of {}", all.len());
}

#[test]
fn a_trace_without_tools_says_so() {
    let page = mlt().on("demo:").run("get --name rag-answer -n 1 --tools");
    let said = "no tools were offered or called\n";
    assert!(page.ok().ends_with(said), "{page}");
    assert!(rows(mlt().on("demo:"), "get --name rag-answer -n 1").is_empty());
    let refused = mlt().on("demo:").run("get latest --tools --chat");
    assert!(
        refused.fails(2).contains("cannot be used with"),
        "{refused}"
    );
}
