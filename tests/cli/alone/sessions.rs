//! `mlt sessions`: which conversations there are, and that their figures are those of
//! their traces.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Mlt, mlt};

fn frameworks() -> Mlt {
    mlt().on("tests/fixtures/conversations/frameworks.jsonl")
}

fn demo() -> Mlt {
    mlt().on("demo:")
}

fn rows(on: Mlt, words: &str) -> Vec<Value> {
    let document = on.run(&format!("{words} -o json")).json();
    document["sessions"].as_array().unwrap().clone()
}

#[test]
fn sessions_are_listed_with_the_latest_first() {
    assert_snapshot!(demo().run("sessions").ok(), @r"
    SESSION    USER         TURNS  LAST                  TOKENS        COST  ERRORS  STATE  WORST FEEDBACK
    gw-3d90    anonymous        3  2026-11-22 22:39:14Z     194  $0.0000367       1  ERROR  -
    chat-5f21  ann.kessler      3  2026-11-22 22:39:12Z   1,345    $0.00444       0  OK     csat=5
    chat-81c4  b.moreau         3  2026-11-22 22:39:11Z     270  $0.0000796       0  OK     relevance=0.79
    ");
    let ids = demo().run("sessions --sort tokens -o ids");
    assert_eq!(ids.ok(), "chat-5f21\nchat-81c4\ngw-3d90\n");
    let worst = demo().run("sessions --sort worst --columns id,worst_value,cost -o csv");
    assert!(
        worst
            .ok()
            .starts_with("session,worst_value,cost_usd\nchat-81c4,0.79,"),
        "{worst}"
    );
}

#[test]
fn figures_are_those_that_stats_tells_of_each_session() {
    for on in [demo, frameworks] {
        let sessions = rows(on(), "sessions --all");
        assert!(!sessions.is_empty());
        let [count, tokens, failed] = ["count()", "sum(tokens)", "count(where status = 'ERROR')"];
        let question = [count, tokens, failed].join(", ");
        for session in sessions {
            let id = session["session"].as_str().unwrap();
            let told = on()
                .args(["stats", question.as_str(), "--session", id, "-o", "json"])
                .run("");
            let told = told.json();
            let value = |aggregate: &str| told["rows"][0]["values"][aggregate]["value"].clone();
            assert_eq!(session["turns"], value(count), "{session} {told:?}");
            assert_eq!(session["total_tokens"], value(tokens), "{session} {told:?}");
            assert_eq!(session["errors"], value(failed), "{session} {told:?}");
            let turns = on().run(&format!("session {id} -o json")).json();
            let last = turns["turns"].as_array().unwrap().last().unwrap();
            assert_eq!(session["last_trace_id"], last["trace_id"], "{session}");
        }
    }
}

#[test]
fn filters_choose_turns_and_limits_choose_sessions() {
    let failed = rows(demo(), "sessions --status ERROR");
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0]["turns"], &failed[0]["errors"]),
        (&json!(1), &json!(1))
    );
    let first = demo().run("sessions -n 1 -o json");
    assert_eq!(first.json()["truncated"], true);
    let shown = demo().run("sessions -n 1");
    assert_eq!(
        shown.stderr,
        "note: showing 1 of 3 sessions; --all shows every one\n"
    );
    let lines = demo().run("sessions -o jsonl");
    assert_eq!(lines.ok().lines().count(), 3);
    let none = demo().run("sessions --name nothing");
    assert_eq!(none.code, Some(0), "{none}");
    assert!(
        none.stderr
            .starts_with("note: no traces with a session match\n"),
        "{none}"
    );
    for (words, said) in [
        ("sessions --columns nothing", "unknown column `nothing`"),
        ("sessions -o ids --columns id", "ids have no columns"),
        ("sessions --sort nothing", "invalid value 'nothing'"),
    ] {
        assert!(demo().run(words).fails(2).contains(said), "{words}");
    }
}
