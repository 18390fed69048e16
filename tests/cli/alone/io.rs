//! `get --io` and `get --span`: payloads for reading, and as they are recorded.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::support::mlt;

const FRAMEWORKS: &str = "tests/fixtures/conversations/frameworks.jsonl";

fn traces() -> Vec<Value> {
    let text = std::fs::read_to_string(FRAMEWORKS).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What stands below the title of the table of spans of a case.
fn spans(case: &str, width: Option<usize>, flags: &str) -> String {
    let all = traces();
    let found = all
        .iter()
        .find(|trace| trace["info"]["tags"]["case"] == case);
    let id = found.unwrap()["info"]["trace_id"].as_str().unwrap();
    let mut command = mlt().on(FRAMEWORKS);
    if let Some(width) = width {
        command = command.terminal(width);
    }
    let outcome = command.run(&format!("get {id} --color never {flags}"));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let lines = outcome.stdout.lines();
    lines
        .skip_while(|line| !line.starts_with("SPAN") && !line.starts_with("INPUTS"))
        .fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        })
}

#[test]
fn payloads_are_laid_out_for_reading() {
    assert_snapshot!(spans("lc rag", Some(80), "--io --type CHAT_MODEL"), @r#"
    SPAN              TYPE         START  DURATION      %  TOKENS  TIMELINE
    RunnableSequence  CHAIN          0 s    689 ms  100.0       -  █████████████████
    │  inputs   "When are you open?"
    │  outputs  "We open at nine and close at six; on Saturdays at one."
    └─ ChatOpenAI     CHAT_MODEL  487 ms   46.9 ms    6.8      55              █▏
          inputs
            {
              "messages": [
                {
                  "role": "user",
                  "content":
                    Answer from:
                    Opening hours: Monday to Friday 9 to 18, Saturday 9 to 13.

                    The workshop needs two working days for a service.

                    Gift cards are valid for three years.

                    Question: When are you open?
                }
              ]
            }
            … 3 unset members (--raw has them)
          outputs
            {
              "choices": [
                {
                  "message": {
                    "role": "assistant",
                    "content": "We open at nine and close at six; on Saturdays at
                      one."
                  },
                  "finish_reason": null
                }
              ]
            }
            … 3 unset members (--raw has them)

    2 of 9 spans shown: the matching ones and what they are part of.
    "#);
    assert_snapshot!(spans("gem blocked", None, "--io --depth 1"), @r#"
    SPAN                     TYPE  STATUS  START  DURATION      %  TOKENS  SPAN ID           TIMELINE
    Models.generate_content  LLM   OK        0 s    112 ms  100.0      18  4e63ed92faa564f3  ████████████████████████
    │  inputs
    │    {
    │      "model": "gemini-2.5-flash",
    │      "contents": "How do I open a lock without its key? REFUSE"
    │    }
    │  outputs
    │    {
    │      "candidates": null,
    │      "create_time": null,
    │      "model_version": "gemini-2.5-flash",
    │      "prompt_feedback": {
    │        "block_reason": "SAFETY",
    │        "block_reason_message": null,
    │        "safety_ratings": [
    │          {
    │            "blocked": true,
    │            "category": "HARM_CATEGORY_DANGEROUS_CONTENT",
    │            "probability": "HIGH"
    │          }
    │        ]
    │      },
    │      "response_id": "r000326x",
    │      "usage_metadata": {"prompt_token_count": 18, "total_token_count": 18},
    │      "model_status": null,
    │      "automatic_function_calling_history": [],
    │      "parsed": null
    │    }
    │    … 13 unset members (--raw has them)
    └─ … 1 span below

    1 of 2 spans shown.
    "#);
}

#[test]
fn raw_payloads_are_whole() {
    let readable = spans("chat audio out", None, "--io");
    assert!(!readable.contains("Omit object"), "{readable}");
    let raw = spans("gem blocked", None, "--io --raw");
    let nulls = |text: &str| text.matches(": null").count();
    let kept = nulls(&spans("gem blocked", None, "--io"));
    assert_eq!(nulls(&raw), kept + 13 + 18, "{raw}");
    assert!(
        !raw.contains("unset member") && !raw.contains("(text)"),
        "{raw}"
    );
    let readable = spans("gem blocked", None, "--span Models.generate_content");
    let raw = spans("gem blocked", None, "--span Models.generate_content --raw");
    assert!(
        readable.contains("unset members (--raw has them)"),
        "{readable}"
    );
    assert!(raw.lines().count() > readable.lines().count(), "{raw}");
}

#[test]
fn payloads_stay_within_the_terminal() {
    let all: Vec<Value> = traces();
    for trace in all.iter().step_by(4) {
        let id = trace["info"]["trace_id"].as_str().unwrap();
        let drawn = mlt()
            .on(FRAMEWORKS)
            .terminal(80)
            .run(&format!("get {id} --io --color never"));
        let below = drawn
            .stdout
            .lines()
            .skip_while(|line| !line.starts_with("SPAN"));
        for line in below {
            assert!(line.width() <= 80, "{id}: {line}");
        }
    }
}

#[test]
fn raw_is_for_payloads_in_text() {
    for words in [
        "get latest --raw",
        "get latest --raw --chat",
        "get latest --raw --link",
        "get latest --raw --columns name",
        "get latest --io --raw --columns name",
    ] {
        let refused = mlt().on(FRAMEWORKS).run(words);
        assert_eq!(refused.code, Some(2), "{words}: {refused}");
    }
    let json = |flags: &str| {
        mlt()
            .on(FRAMEWORKS)
            .run(&format!("get latest -o json {flags}"))
            .stdout
    };
    assert_eq!(json("--io"), json("--io --raw"));
}
