use super::*;
use crate::analysis::sample::{SpanExt, span, trace};
use crate::model::{Span, attribute};

fn call(name: &str, parent: &str, from: i64, inputs: &str, outputs: &str) -> Span {
    span(name, parent, from, from + 10)
        .typed("CHAT_MODEL")
        .with(attribute::INPUTS, inputs)
        .with(attribute::OUTPUTS, outputs)
}

fn answer(text: &str) -> String {
    format!(r#"{{"choices": [{{"message": {{"role": "assistant", "content": "{text}"}}}}]}}"#)
}

fn history(messages: &[(&str, &str)]) -> String {
    let messages: Vec<String> = messages
        .iter()
        .map(|(role, text)| format!(r#"{{"role": "{role}", "content": "{text}"}}"#))
        .collect();
    format!(r#"{{"messages": [{}]}}"#, messages.join(", "))
}

fn told(spans: Vec<Span>) -> Vec<String> {
    let trace = trace(spans);
    let found = conversation(&trace, &SpanTree::build(&trace));
    found.said.iter().map(line).collect()
}

fn line(said: &Said) -> String {
    let parts: Vec<String> = said
        .message
        .parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Call(call) => format!("{}({})", call.name, call.arguments),
            Part::Result(result) => format!("= {}", result.response),
            other => format!("{other:?}"),
        })
        .collect();
    let error = said
        .error
        .as_deref()
        .map(|error| format!(" ! {error}"))
        .unwrap_or_default();
    format!(
        "{}: {}{error}",
        said.message.role.as_str(),
        parts.join(" | ")
    )
}

#[test]
fn a_growing_history_is_told_once() {
    let first = [("system", "Be brief."), ("user", "yes")];
    let second = [
        ("system", "Be brief."),
        ("user", "yes"),
        ("assistant", "Sure?"),
        ("user", "yes"),
    ];
    assert_eq!(
        told(vec![
            span("root", "", 0, 100).typed("AGENT"),
            call("one", "root", 0, &history(&first), &answer("Sure?")),
            call("two", "root", 20, &history(&second), &answer("Done.")),
        ]),
        [
            "system: Be brief.",
            "user: yes",
            "assistant: Sure?",
            "user: yes",
            "assistant: Done."
        ]
    );
}

#[test]
fn a_wrapper_tells_nothing_new() {
    let asked = history(&[("user", "When?")]);
    assert_eq!(
        told(vec![
            call("outer", "", 0, &asked, &answer("At nine.")),
            call("inner", "outer", 1, &asked, &answer("At nine.")),
        ]),
        ["user: When?", "assistant: At nine."]
    );
    // Of the inner call the answer was not recorded.
    let spans = vec![
        call("outer", "", 0, &asked, &answer("At nine.")),
        call("inner", "outer", 1, &asked, r#""<Stream object at 0x1>""#)
            .with(attribute::MODEL, "\"m-1\""),
    ];
    let trace = trace(spans);
    let found = conversation(&trace, &SpanTree::build(&trace));
    assert_eq!(found.said.len(), 2);
    assert_eq!(found.said[1].model.as_deref(), Some("m-1"));
    assert_eq!(found.calls, 1);
    assert!(!found.said.iter().any(Said::is_unrecorded));
}

#[test]
fn two_recordings_of_one_response_are_one() {
    let asked = history(&[("user", "When?")]);
    let id = ("gen_ai.response.id", "\"r-1\"");
    assert_eq!(
        told(vec![
            span("root", "", 0, 100),
            call("a", "root", 0, &asked, &answer("At nine.")).with(id.0, id.1),
            call("b", "root", 1, "null", "null").with(id.0, id.1),
        ]),
        ["user: When?", "assistant: At nine."]
    );
}

#[test]
fn a_tool_that_no_message_tells_of_is_told_at_its_time() {
    let asked = history(&[("user", "Stock?")]);
    let wants = r#"{"choices": [{"message": {"role": "assistant", "tool_calls": [
        {"id": "c1", "function": {"name": "stock", "arguments": "{\"a\": 1}"}}]}}]}"#;
    let tool = |name: &str, from: i64| {
        span(name, "root", from, from + 5)
            .typed("TOOL")
            .with(attribute::INPUTS, r#"{"a": 1}"#)
            .with(attribute::OUTPUTS, "3")
    };
    assert_eq!(
        told(vec![
            span("root", "", 0, 100),
            call("one", "root", 0, &asked, wants),
            tool("stock", 30),
            tool("other", 40).failed(),
        ]),
        [
            "user: Stock?",
            r#"assistant: stock({"a":1})"#,
            "tool: = 3",
            r#"tool: other({"a":1}) | = 3 ! failed"#,
        ]
    );
}

#[test]
fn without_calls_the_request_and_the_response_are_told() {
    let whole = span("root", "", 0, 100)
        .with(attribute::INPUTS, r#"{"question": "When?"}"#)
        .with(attribute::OUTPUTS, r#"{"answer": "At nine."}"#);
    assert_eq!(told(vec![whole]), ["user: When?", "assistant: At nine."]);
    let own = span("root", "", 0, 100)
        .with(attribute::INPUTS, r#"{"goal": 1}"#)
        .with(attribute::OUTPUTS, "[1, 2]");
    let lines = told(vec![own]);
    assert!(
        lines[0].contains("Json") && lines[1].contains("Json"),
        "{lines:?}"
    );
}

#[test]
fn a_request_that_no_message_has_stands_first() {
    let root = span("root", "", 0, 100)
        .typed("AGENT")
        .with(attribute::INPUTS, r#"{"prompt": "Fix the test"}"#);
    let asked = history(&[("tool", "1 failed")]);
    let lines = told(vec![
        root,
        call("one", "root", 5, &asked, &answer("Fixed.")),
    ]);
    assert_eq!(lines[0], "user: Fix the test");
    assert_eq!(lines.last().unwrap(), "assistant: Fixed.");
}

#[test]
fn a_failure_that_no_message_tells_of_is_kept() {
    let mut broken = span("load", "root", 0, 10).failed();
    broken.status_message = "no such file".to_owned();
    let trace = trace([span("root", "", 0, 100), broken]);
    let found = conversation(&trace, &SpanTree::build(&trace));
    assert_eq!(found.failures, [1]);
    assert!(found.said.is_empty());
}

#[test]
fn a_session_tells_what_is_resent_once_and_what_is_said_again_again() {
    let turn = |messages: &[(&str, &str)], reply: &str| {
        trace([call("one", "", 0, &history(messages), &answer(reply))])
    };
    let lines = |turns: &[crate::model::Trace]| -> Vec<Vec<String>> {
        let mut session = Session::default();
        let tell = |trace: &crate::model::Trace| {
            let turn = session.turn(trace, &SpanTree::build(trace));
            turn.conversation.said.iter().map(line).collect()
        };
        turns.iter().map(tell).collect()
    };
    let growing = [
        turn(&[("system", "Be brief."), ("user", "yes")], "Sure?"),
        turn(
            &[
                ("system", "Be brief."),
                ("user", "yes"),
                ("assistant", "Sure?"),
                ("user", "yes"),
            ],
            "Done.",
        ),
    ];
    assert_eq!(lines(&growing)[1], ["user: yes", "assistant: Done."]);
    let stateless = [
        turn(&[("system", "Be brief."), ("user", "yes")], "Sure?"),
        turn(&[("system", "Be brief."), ("user", "yes")], "Done."),
    ];
    assert_eq!(lines(&stateless)[1], ["user: yes", "assistant: Done."]);
}

#[test]
fn what_cannot_be_read_is_told_beside_what_can() {
    let asked = history(&[("user", "When?")]);
    let own = r#"{"verdict": {"open": true}}"#;
    let spans = vec![
        span("root", "", 0, 100),
        call("one", "root", 0, &asked, &answer("At nine.")),
        call("two", "root", 20, r#"{"score": 1}"#, own),
        call("three", "root", 40, &history(&[("user", "Open?")]), own),
        call(
            "four",
            "root",
            60,
            &history(&[("user", "Sure?")]),
            r#""<Stream object at 0x1>""#,
        ),
    ];
    let trace = trace(spans);
    let found = conversation(&trace, &SpanTree::build(&trace));
    let lines: Vec<String> = found.said.iter().map(line).collect();
    let json = |text: &str| {
        lines
            .iter()
            .filter(|line| line.contains("Json") && line.contains(text))
            .count()
    };
    assert_eq!((json("score"), json("verdict")), (1, 2), "{lines:?}");
    assert_eq!(found.unread, [2, 3]);
    // Of the last one nothing was recorded, which is something else.
    assert_eq!(
        found
            .said
            .iter()
            .filter(|said| said.is_unrecorded())
            .count(),
        1
    );
}

#[test]
fn each_failure_that_nobody_tells_of_is_kept() {
    let broken = |name: &str, parent: &str, text: &str| {
        let mut span = span(name, parent, 0, 10).failed();
        span.status_message = text.to_owned();
        span
    };
    let looked = broken("find", "root", "index offline").typed("RETRIEVER");
    let trace = trace([
        broken("root", "", "index offline"),
        broken("load", "root", "no such file"),
        looked,
        broken("save", "root", "disk full"),
    ]);
    let found = conversation(&trace, &SpanTree::build(&trace));
    let names: Vec<&str> = found
        .failures
        .iter()
        .map(|at| trace.spans[*at].name.as_str())
        .collect();
    assert_eq!(names, ["load", "save"]);
}

#[test]
fn all_that_was_streamed_is_told() {
    let chunk = |at: usize, text: &str| {
        crate::model::Event {
        name: format!("mlflow.chunk.item.{at}"),
        time_ns: 0,
        attributes: serde_json::from_str(&format!(
            r#"{{"mlflow.chunk.value": {{"choices": [{{"index": {}, "delta": {{"content": "{text}"}}}}]}}}}"#,
            at % 2
        ))
        .unwrap(),
    }
    };
    let mut streamed = call("one", "", 0, &history(&[("user", "When?")]), "null");
    streamed.events = vec![
        chunk(0, "At "),
        chunk(1, "On "),
        chunk(2, "nine."),
        chunk(3, "Monday."),
    ];
    assert_eq!(
        told(vec![streamed]),
        [
            "user: When?",
            "assistant: At nine.",
            "assistant: On Monday."
        ]
    );
}

#[test]
fn an_odd_message_takes_no_other_along() {
    let odd = span("one", "", 0, 10)
        .typed("LLM")
        .with("gen_ai.prompt.0.role", "\"user\"")
        .with("gen_ai.prompt.0.content", "\"Hi\"")
        .with("gen_ai.prompt.1.role", "5")
        .with("gen_ai.prompt.1.content", "\"five\"")
        .with("gen_ai.prompt.2", "\"bare\"")
        .with("gen_ai.completion.0.role", "\"assistant\"")
        .with("gen_ai.completion.0.content", "\"Hello\"");
    let lines = told(vec![odd]);
    assert_eq!(
        (lines[0].as_str(), lines.last().map(String::as_str)),
        ("user: Hi", Some("assistant: Hello"))
    );
    assert!(
        lines.iter().any(|line| line.contains("five"))
            && lines.iter().any(|line| line.contains("bare")),
        "{lines:?}"
    );
}

#[test]
fn why_a_call_ended_is_also_told_behind_it_or_around_it() {
    let dumped = |text: &str| {
        format!(
            r#"{{"type": "ai", "content": "{text}", "response_metadata": {{"finish_reason": "length"}}}}"#
        )
    };
    let one = call(
        "model",
        "chain",
        1,
        &history(&[("user", "Hi")]),
        &answer("Hel"),
    );
    let behind =
        |text: &str| span("parser", "chain", 12, 13).with(attribute::INPUTS, &dumped(text));
    let chain = || span("chain", "", 0, 20);
    let around = |text: &str| {
        let outputs = format!(r#"{{"messages": [{}]}}"#, dumped(text));
        chain().with(attribute::OUTPUTS, &outputs)
    };
    for (spans, reason) in [
        (vec![chain(), one.clone(), behind("Hel")], Some("length")),
        (
            vec![around("Hel"), one.clone(), behind("else")],
            Some("length"),
        ),
        (vec![around("else"), one.clone(), behind("else")], None),
    ] {
        let trace = trace(spans);
        let found = conversation(&trace, &SpanTree::build(&trace));
        let last = &found.said.last().unwrap().message;
        assert_eq!(last.finish_reason.as_deref(), reason);
    }
}
