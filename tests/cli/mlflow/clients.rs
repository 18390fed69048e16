//! What the vendors' own clients and frameworks said and heard, as `mlt get --chat` tells
//! it, beside what a stand-in for the vendors got and gave.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::databases::{clients, opentelemetry_client};
use crate::support::mlflow::growing;
use crate::support::mlt;

/// A trace, what was said in it, and how each answer came to be, in order.
#[derive(Deserialize)]
struct Case {
    trace_id: String,
    messages: Vec<Value>,
    answers: Vec<Value>,
}

fn cases(all: Value) -> BTreeMap<String, Case> {
    serde_json::from_value(all).unwrap()
}

/// A text that is JSON counts as what it stands for.
fn decoded(value: &Value) -> Value {
    let text = value.as_str();
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| value.clone())
}

/// A message in the words of the stand-in. Vendors that have no ids of calls are told so
/// by `with_ids`.
fn said(message: &Value, with_ids: bool) -> Value {
    let parts = message["parts"].as_array().unwrap();
    let of_type = |kind: &str| -> Vec<&Value> {
        let parts = parts.iter();
        parts.filter(|part| part["type"] == kind).collect()
    };
    let id = |part: &Value| {
        if with_ids {
            part["id"].clone()
        } else {
            Value::Null
        }
    };
    let texts = of_type("text").into_iter();
    let text: String = texts.filter_map(|part| part["content"].as_str()).collect();
    let calls = of_type("tool_call");
    let results = of_type("tool_call_response");
    assert_eq!(
        parts.len(),
        of_type("text").len() + calls.len() + results.len(),
        "{message}"
    );
    let calls: Vec<Value> = calls
        .into_iter()
        .map(|call| json!({"id": id(call), "name": call["name"], "arguments": call["arguments"]}))
        .collect();
    let results: Vec<Value> = results
        .into_iter()
        .map(|result| json!({"id": id(result), "text": decoded(&result["response"])}))
        .collect();
    json!({"role": message["role"], "text": text, "calls": calls, "results": results})
}

/// A message of the stand-in, its results decoded.
fn wanted(message: &Value) -> Value {
    let mut message = message.clone();
    for result in message["results"].as_array_mut().unwrap() {
        result["text"] = decoded(&result["text"]);
    }
    message
}

/// How an answer came to be, in the words of the stand-in.
fn answer(message: &Value) -> Value {
    json!({
        "model": message["model"],
        "finish": message["finish_reason"],
        "input": message["usage"]["input_tokens"],
        "output": message["usage"]["output_tokens"],
    })
}

/// Compares the transcript of a trace with what the stand-in got and gave: the same
/// messages in the same order, and so none of them twice.
fn compare(uri: &str, name: &str, case: &Case) {
    let words = format!("get {} --chat -o json", case.trace_id);
    let outcome = mlt().on(uri).run(&words);
    assert_eq!(outcome.stderr, "", "{name}: {outcome}");
    let transcript = outcome.json();
    let messages = transcript["messages"].as_array().unwrap();
    let with_ids = !name.starts_with("gemini");
    let found: Vec<Value> = messages.iter().map(|one| said(one, with_ids)).collect();
    let expected: Vec<Value> = case.messages.iter().map(wanted).collect();
    assert_eq!(json!(found), json!(expected), "{name}: {outcome}");
    let answers = messages.iter().filter(|one| one["role"] == "assistant");
    let found: Vec<Value> = answers.map(answer).collect();
    assert_eq!(json!(found), json!(case.answers), "{name}: {outcome}");
}

#[test]
fn transcripts_are_what_the_vendors_got_and_gave() {
    let clients = clients();
    let cases = cases(clients.cases);
    let names: Vec<&str> = cases.keys().map(String::as_str).collect();
    assert_snapshot!(names.join(" "), @"anthropic_plain anthropic_tools gemini_plain gemini_tools langchain_chain langgraph_agent openai_plain openai_stream openai_stream_tools openai_tools");
    for (name, case) in &cases {
        compare(&clients.uri, name, case);
        let calls = if name.contains("tools") || name.contains("agent") {
            "calls"
        } else {
            "text"
        };
        let is_there = |one: &Value| !matches!(one[calls].as_array(), Some(all) if all.is_empty());
        assert!(case.messages.iter().any(is_there), "{name}");
    }
}

#[test]
fn what_opentelemetry_sends_to_a_server_is_read_likewise() {
    let uri = growing().uri();
    for (name, case) in &cases(opentelemetry_client(uri)) {
        compare(uri, name, case);
    }
}

#[test]
fn a_conversation_with_tools_reads_well_on_a_terminal() {
    let clients = clients();
    let cases = cases(clients.cases);
    let page = mlt()
        .on(&clients.uri)
        // With room for durations of any length.
        .terminal(90)
        .env("NO_COLOR", "1")
        .run(&format!("get {} --chat", cases["anthropic_tools"].trace_id));
    // What differs each time: ids, dates and durations.
    let changing = r"tr-[0-9a-f]{32}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ?|\+?[\d.]+ (s|ms|µs)\b";
    let shown = Regex::new(changing)
        .unwrap()
        .replace_all(page.ok(), "~")
        .into_owned();
    assert_snapshot!(shown, @r#"
    anthropic-tools  OK  ~
    ~  ~
    3 model calls   2 tool calls   591 tokens (520 in, 71 out)   $0.00263

    USER
      Where is my order A-1042?

    ASSISTANT  claude-sonnet-4-20250514  ~  ~  91 in, 19 out  $0.000558
      1 lookup_order(order_id="A-1042")

    TOOL  1 lookup_order  ~  ~
      {"status": "shipped", "tracking_no": "GLS-77120"}

    ASSISTANT  claude-sonnet-4-20250514  ~  ~  173 in, 21 out  $0.000834
      2 track_parcel(tracking_no="GLS-77120")

    TOOL  2 track_parcel  ~  ~
      {"state": "in delivery", "depot": "Leipzig"}

    ASSISTANT  claude-sonnet-4-20250514  ~  ~  256 in, 31 out  $0.00123
      Your order A-1042 left our Leipzig depot this morning. GLS expects to deliver it
      tomorrow between 9:00 and 13:00.

    6 repeated messages left out (get --io has them)
    "#);
}
