//! `mlt session`: the turns of a conversation as one transcript.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Mlt, mlt};

fn frameworks() -> Mlt {
    mlt().on("tests/fixtures/conversations/frameworks.jsonl")
}

#[test]
fn a_history_that_is_resent_is_told_once() {
    let page = frameworks().run("session chat-openai-1");
    assert_snapshot!(page.ok(), @r#"
    chat-openai-1   anna   3 turns   from 2026-11-26 22:33:20Z, 919 ms
    338 tokens (270 in, 68 out)   $0.0000813   median 246 ms a turn

    ── 1  OK  254 ms  87 tokens  $0.0000225  tr-78e4ab240296889b9614827071e61065 ──

    SYSTEM
      You are the help desk of Radhaus, a bicycle shop in Graz. Answer briefly.

    USER
      Is the touring bike Nordwind in stock?

    ASSISTANT  gpt-4o-mini-2024-07-18  +886 µs  46.0 ms  29 in, 13 out  $0.0000122
      1 check_stock(article="Nordwind 54")

    TOOL  1 check_stock
      {"article": "Nordwind 54", "in_stock": 3, "shelf": "B7"}

    ASSISTANT  gpt-4o-mini-2024-07-18  +135 ms  55.0 ms  37 in, 8 out  $0.0000103
      Yes: three Nordwind 54 are on shelf B7.

    3 repeated messages left out (get --io has them)

    ── 2  OK  246 ms  158 tokens  $0.0000412  tr-1442d79062fe741f803784119fe28728 ─

    USER
      And what does it cost with the trailer?

    ASSISTANT  gpt-4o-mini-2024-07-18  +948 µs  53.9 ms  53 in, 25 out  $0.0000229
      1 check_stock(article="Nordwind 54")
      2 get_price(article="trailer T2")

    TOOL  1 check_stock
      {"article": "Nordwind 54", "in_stock": 3, "shelf": "B7"}

    TOOL  2 get_price
      {"article": "trailer T2", "eur": 249.0}

    ASSISTANT  gpt-4o-mini-2024-07-18  +116 ms  60.7 ms  66 in, 14 out  $0.0000183
      The bike is 1,490 € and the trailer 249 €, so **1,739 €** together.

    12 repeated messages left out (get --io has them)

    ── 3  OK  132 ms  93 tokens  $0.0000175  tr-d0218a930c5ca0fe974078f30b2776a3 ──

    USER
      Please reserve one for Friday.

    ASSISTANT  gpt-4o-mini-2024-07-18  +897 µs  51.3 ms  85 in, 8 out  $0.0000175
      Reserved until Friday, 18:00. Your number is R-4711.

    10 repeated messages left out (get --io has them)
    "#);
}

#[test]
fn a_session_is_a_document_of_its_turns() {
    let read =
        |words: &str| -> Value { serde_json::from_str(frameworks().run(words).ok()).unwrap() };
    let whole = read("session chat-openai-1 -o json");
    assert_eq!(whole["session_id"], "chat-openai-1");
    assert_eq!(whole["turn_count"], 3);
    assert_eq!(whole["truncated"], false);
    let turns = whole["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 3);
    let tokens = |value: &Value| value["total_tokens"].as_i64().unwrap();
    assert_eq!(turns.iter().map(tokens).sum::<i64>(), tokens(&whole));
    let roles = |turn: &Value| -> Vec<String> {
        let messages = turn["messages"].as_array().unwrap().iter();
        messages
            .map(|message| message["role"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        roles(&turns[0]),
        ["system", "user", "assistant", "tool", "assistant"]
    );
    assert_eq!(roles(&turns[2]), ["user", "assistant"]);
    let last = read("session chat-openai-1 --last 1 -o jsonl");
    assert_eq!(last["turns"].as_array().unwrap()[0], turns[2]);
    let second = read("session chat-openai-1 --turn 2 -o json");
    assert_eq!(second["turns"].as_array().unwrap()[0], turns[1]);
}

#[test]
fn the_session_of_the_newest_trace_is_found() {
    let newest = mlt().on("demo:").run("session --latest -o json");
    let newest: Value = serde_json::from_str(newest.ok()).unwrap();
    let first = mlt()
        .on("demo:")
        .args(["search", "-f", "session IS NOT NULL", "-n", "1"])
        .run("--columns session -o json");
    let first: Value = serde_json::from_str(first.ok()).unwrap();
    assert_eq!(newest["session_id"], first["traces"][0]["session"]);
    let page = mlt().on("demo:").run("session --latest -o markdown");
    assert!(
        page.ok()
            .starts_with(&format!("# {}\n", newest["session_id"].as_str().unwrap())),
        "{page}"
    );
}

#[test]
fn what_is_not_there_is_said() {
    for (words, message) in [
        ("session nope", "no traces of session `nope`"),
        (
            "session chat-openai-1 --turn 4",
            "there is no turn 4: the session has 3 turns",
        ),
        (
            "session chat-openai-1 --user nobody",
            "no traces of session `chat-openai-1`",
        ),
        (
            "session chat-openai-1 -o csv",
            "`mlt session` has no `-o csv`",
        ),
    ] {
        let outcome = frameworks().run(words);
        assert!(outcome.stderr.contains(message), "{words}: {outcome}");
        assert_ne!(outcome.code, Some(0), "{words}");
    }
}
