//! `get --chat`: what was said, in traces that the clients and frameworks themselves
//! made, each message once.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Mlt, mlt};

/// A trace of each way in which a conversation is stored; the tag `case` tells which.
const FRAMEWORKS: &str = "tests/fixtures/conversations/frameworks.jsonl";

fn frameworks() -> Mlt {
    mlt().on(FRAMEWORKS)
}

/// Ids of the traces with the way in which they are stored.
fn cases() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(FRAMEWORKS).unwrap();
    let lines = text.lines().map(|line| {
        let trace: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let info = &trace["info"];
        (text(&info["trace_id"]), text(&info["tags"]["case"]))
    });
    lines.collect()
}

fn id_of(case: &str) -> String {
    let all = cases();
    let found = all.iter().find(|(_, own)| own == case);
    found
        .unwrap_or_else(|| panic!("no trace of {case}"))
        .0
        .clone()
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn part(part: &Value) -> String {
    let kind = part["type"].as_str().unwrap();
    match kind {
        "text" | "json" | "refusal" => format!("{kind} {}", short(&part["content"])),
        "reasoning" => format!("reasoning {}", short(&part["content"])),
        "tool_call" => format!(
            "call {}({})",
            part["name"].as_str().unwrap(),
            short(&part["arguments"])
        ),
        "tool_call_response" => {
            let failed = if part["is_error"] == true {
                "failed "
            } else {
                ""
            };
            format!("result {failed}{}", short(&part["response"]))
        }
        media => format!("{media} {} {}", short(&part["mime_type"]), part["size"]),
    }
}

/// A line for each message, without what the application's own prompts repeat.
fn digest(transcript: &Value) -> String {
    let mut lines = Vec::new();
    for message in transcript["messages"].as_array().unwrap() {
        let parts: Vec<String> = message["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(part)
            .collect();
        let mut line = format!("  {}", message["role"].as_str().unwrap());
        for key in ["name", "agent", "model"] {
            if let Some(text) = message[key]
                .as_str()
                .filter(|_| message["role"] == "assistant")
            {
                line = format!("{line} {key}={text}");
            }
        }
        let usage = &message["usage"];
        if usage.is_object() {
            line = format!(
                "{line} {}/{}",
                usage["input_tokens"], usage["output_tokens"]
            );
        }
        if let Some(reason) = message["finish_reason"].as_str() {
            line = format!("{line} {reason}");
        }
        lines.push(format!("{line}: {}", parts.join(" | ")));
        if message["error"].is_string() {
            lines.push(format!("    error {}", short(&message["error"])));
        }
    }
    for lookup in transcript["lookups"].as_array().into_iter().flatten() {
        let what = match lookup["documents"].as_array() {
            Some(documents) => format!(
                "{} documents for {}",
                documents.len(),
                short(&lookup["query"])
            ),
            None => format!("{} × {}", lookup["vectors"], lookup["dimensions"]),
        };
        lines.push(format!("  lookup {what}"));
    }
    for failure in transcript["failures"].as_array().into_iter().flatten() {
        lines.push(format!("  failure {}", short(&failure["error"])));
    }
    lines.join("\n")
}

fn transcripts() -> Vec<Value> {
    let ids: Vec<String> = cases().into_iter().map(|(id, _)| id).collect();
    let outcome = frameworks()
        .args(["get", "--chat", "-o", "jsonl"])
        .args(&ids)
        .run("");
    let lines = outcome.ok().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_way_of_storing_a_conversation_is_read() {
    let cases = cases();
    let transcripts = transcripts();
    assert_eq!(transcripts.len(), cases.len());
    let digests = cases
        .iter()
        .zip(&transcripts)
        .map(|((id, case), transcript)| {
            assert_eq!(transcript["trace_id"], **id);
            format!("{case}\n{}\n", digest(transcript))
        });
    assert_snapshot!("conversations", digests.collect::<String>());
}

/// Applications may say the same twice; of these none does, but where two answers are
/// asked for, a thought is thought twice, or a tool is asked again.
#[test]
fn no_message_is_told_twice() {
    let may = [
        "lc parallel",
        "chat n=2",
        "resp tool loop, items echoed",
        "smol tool agent",
    ];
    for ((_, case), transcript) in cases().iter().zip(transcripts()) {
        let mut told = std::collections::HashSet::new();
        let may = may.contains(&case.as_str()) || case.starts_with("session");
        for message in transcript["messages"].as_array().unwrap() {
            for part in message["parts"].as_array().unwrap() {
                let mut part = part.clone();
                part.as_object_mut().unwrap().remove("id");
                let is_new = told.insert(format!("{} {part}", message["role"]));
                assert!(is_new || may, "{case}: {part}");
            }
        }
    }
}

#[test]
fn a_transcript_is_read_at_a_terminal() {
    let id = id_of("lg create_agent");
    let page = frameworks()
        .args(["get", "--chat", &id])
        .terminal(80)
        .run("--color never");
    assert_snapshot!(page.ok(), @r#"
    desk  OK  536 ms
    tr-96d478f6bdf15218781ce72978bef104  2026-11-26 22:43:50Z
    2 model calls   2 tool calls   112 tokens (73 in, 39 out)   $0.0000343

    SYSTEM
      You are the help desk of Radhaus, a bicycle shop in Graz. Answer briefly.

    USER
      And what does it cost with the trailer?

    ASSISTANT  gpt-4o-mini  +9.96 ms  57.7 ms  30 in, 25 out  $0.0000195
      1 check_stock(article="Nordwind 54")
      2 get_price(article="trailer T2")

    TOOL  1 check_stock  +200 ms  923 µs
      {"article": "Nordwind 54", "in_stock": 3, "shelf": "B7"}

    TOOL  2 get_price  +188 ms  987 µs
      {"article": "trailer T2", "eur": 249.0}

    ASSISTANT  gpt-4o-mini  +379 ms  50.9 ms  43 in, 14 out  $0.0000148
      The bike is 1,490 € and the trailer 249 €, so **1,739 €** together.

    3 repeated messages left out (get --io has them)
    "#);
    let id = id_of("lc rag");
    let page = frameworks()
        .args(["get", "--chat", &id])
        .terminal(80)
        .run("--color never");
    assert_snapshot!(page.ok(), @r#"
    RunnableSequence  OK  689 ms
    tr-3a1068ad37bfee229a82b8724447981d  2026-11-26 22:41:55Z
    1 model call   1 retrieval   55 tokens (43 in, 12 out)   $0.0000136

    RETRIEVED  3 documents  Ret  +37.9 ms  368 µs
      query  When are you open?
      #  SCORE  SOURCE                TEXT
      1   0.91  handbook/hours.md     Opening hours: Monday to Friday 9 to 18, Satu…
      2   0.74  handbook/workshop.md  The workshop needs two working days for a ser…
      3   0.38  handbook/gifts.md     Gift cards are valid for three years.

    USER
      Answer from:
      Opening hours: Monday to Friday 9 to 18, Saturday 9 to 13.

      The workshop needs two working days for a service.

      Gift cards are valid for three years.

      Question: When are you open?

    ASSISTANT  gpt-4o-mini  +487 ms  46.9 ms  43 in, 12 out  $0.0000136
      We open at nine and close at six; on Saturdays at one.
    "#);
}

#[test]
fn nothing_that_was_said_reaches_a_terminal_as_it_is() {
    let page = frameworks()
        .args(["get", "--chat", &id_of("man control chars")])
        .run("");
    assert!(
        page.ok().chars().all(|c| c == '\n' || !c.is_control()),
        "{}",
        page.ok()
    );
    assert!(page.ok().contains("\\x1b["), "{}", page.ok());
}

#[test]
fn one_trace_is_a_document_and_several_are_a_list() {
    let one = frameworks()
        .args(["get", "--chat", "-o", "json", &id_of("chat n=2")])
        .run("");
    let one: Value = serde_json::from_str(one.ok()).unwrap();
    assert_eq!(one["messages"][2]["alternative"], 1);
    assert_eq!(one["messages"][3]["alternative"], 2);
    let ids = [id_of("chat n=2"), id_of("chat refusal")];
    let two = frameworks()
        .args(["get", "--chat", "-o", "json"])
        .args(&ids)
        .run("");
    let two: Value = serde_json::from_str(two.ok()).unwrap();
    assert_eq!(two["traces"].as_array().unwrap().len(), 2);
    assert_eq!(two["truncated"], false);
}

#[test]
fn thoughts_are_a_line_unless_all_is_asked_for() {
    let id = id_of("bed reasoning cache");
    let page = frameworks()
        .args(["get", "--chat", &id])
        .terminal(40)
        .run("--color never");
    assert!(
        page.ok()
            .contains("\n  ~ The customer asks about stock, so I…\n"),
        "{}",
        page.ok()
    );
    let page = frameworks()
        .args(["get", "--chat", "--reasoning", &id])
        .terminal(40)
        .run("--color never");
    assert!(
        page.ok()
            .contains("\n  ~ The customer asks about stock, so I\n  should"),
        "{}",
        page.ok()
    );
}

#[test]
fn a_transcript_is_markdown_for_an_issue() {
    let run = |format: &str| {
        let tag = "case=bed reasoning cache";
        let args = ["get", "--tag", tag, "--chat", "-o", format];
        frameworks().args(args).run("")
    };
    assert_snapshot!(run("markdown").ok(), @r#"
    ## BedrockRuntime.converse

    `tr-544cac07bd3af086302d12e14de57ed3` · OK · 49.2 ms · 2026-11-26 22:47:41Z · 4,339 tokens · $0.0124

    **user**

    > When are you open? THINK CACHE CWRITE

    **assistant** · `anthropic.claude-sonnet-4-5-20250929-v1:0` · 49.2 ms

    <details><summary>reasoning</summary>

    > The customer asks about stock, so I should look at the shelf list first.

    </details>

    > We open at nine and close at six; on Saturdays at one.
    "#);
    let refused = run("csv");
    assert!(
        refused.stderr.contains("`mlt get --chat` has no `-o csv`"),
        "{refused}"
    );
    let tables = frameworks().run("get latest -o markdown");
    assert!(
        tables.stderr.contains("`mlt get` has no `-o markdown`"),
        "{tables}"
    );
}

#[test]
fn the_newest_that_match_are_shown() {
    let ids = |words: &str| -> Vec<String> {
        let found = frameworks().run(&format!("{words} -o jsonl"));
        let lines = found.ok().lines();
        let id = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
        lines
            .map(|line| {
                let trace = id(line);
                let id = trace["trace_id"]
                    .as_str()
                    .or(trace["info"]["trace_id"].as_str());
                id.unwrap().to_owned()
            })
            .collect()
    };
    let one = frameworks().run("get --status ERROR --chat");
    assert_eq!(
        one.stderr,
        "note: more traces match than the newest one: `-n N` shows more\n"
    );
    let failed = ids("search --status ERROR -n 3");
    assert_eq!(failed.len(), 3);
    assert_eq!(ids("get --status ERROR -n 3"), failed);
    assert_eq!(ids("get --status ERROR -q"), failed[..1]);
    let all = ids("search -n 3");
    assert_eq!(ids("get latest~2"), all[2..]);
    assert_eq!(ids("get -n 2 --chat"), all[..2]);
    // A single match is a document by itself, a number of them a list.
    let one: Value =
        serde_json::from_str(frameworks().run("get --status ERROR -q -o json").ok()).unwrap();
    assert_eq!(one["info"]["trace_id"], *failed[0]);
    let list: Value =
        serde_json::from_str(frameworks().run("get --status ERROR -n 1 -o json").ok()).unwrap();
    assert_eq!(list["traces"].as_array().unwrap().len(), 1);
    assert_eq!(list["truncated"], true);
}

#[test]
fn a_selection_is_ids_or_a_filter() {
    for (words, message) in [
        ("get", "expected trace ids or a filter, found neither"),
        (
            "get latest --status OK",
            "expected trace ids or a filter, found both",
        ),
        (
            "get latest~500",
            "there is no `latest~500` among 110 traces",
        ),
        ("get --session none", "no traces match"),
    ] {
        let outcome = frameworks().run(words);
        assert!(outcome.stderr.contains(message), "{words}: {outcome}");
        assert_ne!(outcome.code, Some(0), "{words}");
    }
}

/// A trace of one call of a model.
fn call(inputs: &str, outputs: &str) -> String {
    trace(&serde_json::json!({
        "status": {"code": "OK"},
        "attributes": {
            "mlflow.spanType": "\"LLM\"", "mlflow.spanInputs": inputs, "mlflow.spanOutputs": outputs,
        },
    }))
}

/// A trace of one span with these members.
fn trace(members: &Value) -> String {
    let mut span = serde_json::json!({
        "trace_id": "a".repeat(32), "span_id": "1".repeat(16), "name": "call",
        "start_time_unix_nano": 1, "end_time_unix_nano": 2,
    });
    let members = members.as_object().unwrap().clone();
    span.as_object_mut().unwrap().extend(members);
    let info = serde_json::json!({"trace_id": format!("tr-{}", "a".repeat(32)), "state": "OK"});
    serde_json::json!({"info": info, "data": {"spans": [span]}}).to_string()
}

#[test]
fn what_went_wrong_and_what_is_missing_stands_in_markdown_too() {
    let told = |trace: String| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        std::fs::write(&path, trace).unwrap();
        let run = mlt().on(path.to_str().unwrap());
        run.run("get latest --chat -o markdown").ok().to_owned()
    };
    let failed = trace(&serde_json::json!({
        "status": {"code": "ERROR", "message": "index offline"},
        "attributes": {"mlflow.spanType": "\"RETRIEVER\"", "mlflow.spanInputs": "\"When?\""},
    }));
    let failed = told(failed);
    assert!(
        failed.contains("**retrieved**") && failed.contains("index offline"),
        "{failed}"
    );
    let lost = told(call("\"When?\"", "\"<Stream object at 0x1>\""));
    assert!(
        lost.contains("(not recorded)") && lost.contains("1 answer not recorded"),
        "{lost}"
    );
    let own = told(call("\"When?\"", r#"{"verdict": {"open": true}}"#));
    assert!(
        own.contains("verdict") && own.contains("in no known format, shown as JSON"),
        "{own}"
    );
}

#[test]
fn odd_content_is_told_and_stops_nothing() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(30_000), close.repeat(30_000));
    let mut encoded = "\"x\"".to_owned();
    for _ in 0..12 {
        encoded = Value::from(format!("[{encoded}]")).to_string();
    }
    let lists = deep("[", "]");
    let objects = deep("{\"messages\":", "}").replace(":}", ":1}");
    let odd = r#"{"messages": [{"role": 5, "content": {"type": null}}, {"role": "user", "content":
        [{"type": "image_url", "image_url": 5}, {"type": "tool_use"}, {"type": "text"}, [[["x"]]]]}, 5, null]}"#;
    let answer = r#"{"choices": [{"message": null}, 5, {"message": {"role": null, "tool_calls":
        [5, {"function": null}, {"function": {"arguments": "{"}}]}}]}"#;
    for (inputs, outputs) in [
        (lists.as_str(), objects.as_str()),
        (&encoded, &encoded),
        (odd, answer),
        ("{", "}"),
        ("", "\"\""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        std::fs::write(&path, call(inputs, outputs)).unwrap();
        for format in ["table", "json", "markdown"] {
            let run = mlt().on(path.to_str().unwrap());
            let outcome = run.run(&format!("get latest --chat -o {format}"));
            assert_eq!(outcome.code, Some(0), "{format}: {}", outcome.stderr);
        }
    }
}
