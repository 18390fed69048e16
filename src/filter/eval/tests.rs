//! What each condition and each form means, on one trace.

use crate::field::LINKED_PROMPTS;
use serde_json::{Value as Json, json};

use super::*;
use crate::filter::parse;
use crate::model::{
    AssessmentError, Event, Source, SpanId, StatusCode, TraceState, attribute, tag,
};

fn span(name: &str, kind: &str, attributes: &[(&str, &str)]) -> Span {
    let kind = (attribute::TYPE, format!("\"{kind}\""));
    Span {
        span_id: SpanId::new("00f067aa0ba902b7"),
        parent_id: None,
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        name: name.to_owned(),
        start_ns: 1_000_000_000_000_000,
        end_ns: Some(1_000_000_002_500_000),
        status: StatusCode::Ok,
        status_message: String::new(),
        attributes: std::iter::once((kind.0.to_owned(), kind.1))
            .chain(
                attributes
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
            )
            .collect(),
        events: Vec::new(),
        links: Vec::new(),
        kind: None,
    }
}

fn example() -> (TraceInfo, Vec<Span>) {
    let mut info = TraceInfo::new("tr-1");
    info.state = TraceState::Ok;
    info.request_time = Some(Timestamp::from_millis(1_000_000_000));
    info.execution_duration_ns = Some(2_500_000_000);
    for (key, value) in [
        (tag::NAME, "agent"),
        ("team", "search"),
        (LINKED_PROMPTS, r#"[{"name": "greeting", "version": "4"}]"#),
    ] {
        info.tags.insert(key.to_owned(), value.to_owned());
    }
    for (key, value) in [
        (metadata::SOURCE_RUN, "run-1"),
        (
            metadata::TOKEN_USAGE,
            r#"{"input_tokens": 10, "output_tokens": 5}"#,
        ),
    ] {
        info.metadata.insert(key.to_owned(), value.to_owned());
    }
    info.assessments = vec![
        Assessment::sample_feedback("score", json!(0.8)),
        Assessment::sample_feedback("count", json!(3.0)),
        Assessment::sample_feedback("good", json!(true)),
        Assessment::sample_feedback("words", json!("fine \"é\"")),
        Assessment::sample_feedback("failed", Json::Null),
        Assessment::sample("issue-9", AssessmentKind::Other),
        Assessment {
            valid: false,
            ..Assessment::sample_feedback("old", json!(1))
        },
    ];
    let mut spans = vec![
        span(
            "root",
            "AGENT",
            &[("mlflow.spanInputs", "{\"q\": \"Naïve\"}")],
        ),
        span(
            "llm",
            "CHAT_MODEL",
            &[
                ("model", "\"gpt-4o\""),
                ("temperature", "0.5"),
                ("stream", "true"),
                ("tools", "[\"a\"]"),
                ("nothing", "null"),
                (attribute::MODEL, "\"gpt-4o\""),
            ],
        ),
    ];
    spans[1].events.push(Event {
        name: "exception".to_owned(),
        time_ns: 0,
        attributes: json!({"exception.type": "E", "exception.message": "m"})
            .as_object()
            .unwrap()
            .clone(),
    });
    (info, spans)
}

#[track_caller]
fn check(expected: bool, filters: &[&str]) {
    let (info, spans) = example();
    for text in filters {
        let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.matches(&info, &spans), expected, "{text}");
    }
}

#[test]
fn conditions_hold_as_they_do_on_the_server() {
    check(
        true,
        &[
            "",
            "status = 'OK' AND name = 'agent'",
            "status NOT IN ('ERROR')",
            "name LIKE 'a%' AND name ILIKE 'A%' AND name RLIKE 'gen'",
            "timestamp >= 1000000000 AND timestamp < 1000000000.5",
            "execution_time = 2500 AND end_time = 1000002500",
            "execution_time > '12.5'",
            "end_time < '0'",
            "tags.team != 'x' AND tags.nope IS NULL AND metadata.nope IS NULL",
            "run_id = 'run-1' AND prompt = 'greeting/4' AND issue.id = 'issue-9'",
            "run_id = ''",
            "run_id = 'other' AND run_id = 'run-1'",
            "metadata.mlflow.trace.tokenUsage = '{\"input_tokens\": 10, \"output_tokens\": 5}'",
            "feedback.score = '0.8' AND feedback.score >= 0.8 AND feedback.good = 'true'",
            "feedback.words LIKE '\"fine%' AND feedback.words LIKE '%\\u00e9%'",
            "feedback.failed = 'null' AND feedback.old IS NULL",
            "span.name = 'llm' AND span.type = 'CHAT_MODEL' AND span.status = 'OK'",
            "span.attributes.model LIKE '%gpt%' AND span.attributes.model RLIKE '^gpt-4o$'",
            "span.attributes.temperature LIKE ': \"0.5%'",
            "trace.text LIKE '%Naïve%' AND tags.text ILIKE '%NAïVE%'",
        ],
    );
}

#[test]
fn conditions_fail_as_they_do_on_the_server() {
    check(
        false,
        &[
            "status = 'ok'",
            "name LIKE 'A%'",
            "name RLIKE '('",
            "client_request_id != 'x'",
            "client_request_id NOT IN ('x')",
            "tags.nope != 'x'",
            "end_time > '0'",
            "prompt = 'greeting/3'",
            "metadata.mlflow.trace.tokenUsage = '{\"output_tokens\": 5, \"input_tokens\": 10}'",
            "metadata.mlflow.trace.cost IS NOT NULL",
            "feedback.good > 0",
            "feedback.words LIKE 'fine%'",
            "feedback.score IS NULL",
            "expectation.score IS NOT NULL",
            "span.name = 'llm' AND span.type = 'AGENT'",
            "span.name NOT IN ('root', 'llm')",
            "span.attributes.temperature RLIKE '0.5'",
            "trace.text LIKE 'Naïve'",
            "trace.text ILIKE '%NAÏVE%'",
            "timestamp > 999999 AND span.name = 'nope'",
        ],
    );
}

#[test]
fn spans_long_before_the_lower_bound_are_not_looked_at() {
    let (mut info, spans) = example();
    info.request_time = Some(Timestamp::from_millis(1_000_020_000));
    let matches = |text: &str| parse(text).unwrap().matches(&info, &spans);
    assert!(matches("timestamp > 1000010000 AND span.name = 'llm'"));
    assert!(!matches("timestamp > 1000010001 AND span.name = 'llm'"));
}

#[test]
fn what_only_filters_here_can_say_holds() {
    check(
        true,
        &[
            "status = 'ERROR' OR name = 'agent'",
            "NOT (status = 'ERROR' OR name = 'x')",
            "tags.team IN ('a', 'search') AND tags.team NOT IN ('a') AND name NOT LIKE 'x%'",
            "run_id IN ('run-1') AND prompt IN ('x/1', 'greeting/4') AND issue.id IN ('issue-9')",
            "NOT tags.nope = 'x' AND NOT tags.nope != 'x'",
            "duration BETWEEN 2500ms AND 2.5s AND duration NOT BETWEEN 1s AND 2s",
            "tokens = 15 AND input_tokens BETWEEN 10 AND 0.01k AND output_tokens < 6",
            "cost IS NULL AND NOT cost > 0 AND spans = 2",
            "feedback.score = 0.8 AND feedback.score IN (1, 0.8) AND feedback.score != 1",
            "feedback.score BETWEEN 0.8 AND 1 AND feedback.score NOT BETWEEN 0 AND 0.5",
            "feedback.good = true AND feedback.good = 'true' AND feedback.good IN (true)",
            "feedback.words NOT LIKE '\"good%'",
            "feedback.score = '0.80' AND feedback.count = '3' AND feedback.count = 3",
            "span.attributes.model = 'gpt-4o' AND span.attributes.model IN ('x', 'gpt-4o')",
            "span.attributes.temperature = 0.5 AND span.attributes.temperature = '0.50'",
            "span.attributes.temperature BETWEEN 0.5 AND 1 AND span.attributes.stream = true",
            "span.attributes.stream = 'true' AND span.attributes.stream != false",
            "span.attributes.tools = '[\"a\"]' AND span.attributes.nothing IS NULL",
            "span.attributes.model NOT LIKE '%claude%' AND span.attributes.model IS NOT NULL",
            "span.duration = 2.5 AND span.duration < 2500.1us AND span.duration > 2499999ns",
            "span.model = 'gpt-4o' AND error = 'E: m' AND error LIKE 'E%' AND error IS NOT NULL",
        ],
    );
    check(
        false,
        &[
            "tags.nope NOT IN ('a')",
            "tags.nope NOT LIKE 'a'",
            "feedback.good = 1",
            "feedback.score != 0.8",
            "feedback.words = 3",
            "span.attributes.temperature > 0.5",
            "span.attributes.model > 0",
            "span.attributes.model != 'gpt-4o'",
            "span.attributes.nothing != 'x'",
            "span.attributes.stream = 1",
            "span.model IS NULL AND span.type = 'CHAT_MODEL'",
            "duration BETWEEN 3s AND 2s",
            "experiment = '1'",
        ],
    );
}

#[test]
fn conditions_on_spans_speak_of_one_span_in_each_region() {
    check(
        true,
        &[
            "any(span.name = 'llm') AND any(span.name = 'root')",
            "span.name = 'llm' AND any(span.type = 'AGENT')",
            "span.name = 'llm' AND NOT span.name = 'nope'",
            "span.name = 'llm' AND (span.type = 'AGENT' OR span.type = 'CHAT_MODEL')",
            "span.name = 'nope' OR status = 'OK'",
            "NOT (span.name = 'llm' AND span.type = 'AGENT')",
            "NOT NOT span.name = 'llm'",
            "all(span.status = 'OK')",
            "count(span.status = 'OK') = 2 AND count(span.name = 'nope') < 1",
            "any(NOT span.name = 'llm') AND any(span.name != 'llm')",
            "any(span.name = 'llm' AND NOT (span.type = 'AGENT' OR span.type = 'TOOL'))",
        ],
    );
    check(
        false,
        &[
            "span.name = 'llm' AND (span.type = 'AGENT' OR span.type = 'TOOL')",
            "(span.name = 'llm' OR status = 'ERROR') AND span.type = 'AGENT'",
            "any(span.name = 'llm' AND span.type = 'AGENT')",
            "NOT span.name = 'llm'",
            "all(span.name = 'llm')",
            "count(span.name = 'llm') > 1",
        ],
    );
    let empty = TraceInfo::new("tr-1");
    let matches = |text: &str| parse(text).unwrap().matches(&empty, &[]);
    assert!(matches("all(span.name = 'x')"));
    assert!(matches(
        "NOT any(span.name = 'x') AND count(span.name = 'x') = 0"
    ));
    assert!(!matches("any(NOT span.name = 'x')"));
    assert!(!matches("span.name NOT LIKE 'x'"));
}

#[test]
fn quantifiers_mind_the_bound_on_the_time_where_it_must_hold() {
    let (mut info, spans) = example();
    info.request_time = Some(Timestamp::from_millis(1_000_020_000));
    let matches = |text: &str| parse(text).unwrap().matches(&info, &spans);
    assert!(matches("time > 1000010000 AND any(span.name = 'llm')"));
    assert!(!matches("time > 1000010001 AND any(span.name = 'llm')"));
    assert!(!matches(
        "time BETWEEN 1000010001 AND 2000000000 AND span.name = 'llm'"
    ));
    assert!(matches(
        "(time > 1000010001 OR status = 'x') AND span.name = 'llm'"
    ));
}

#[test]
fn what_is_missing_satisfies_only_is_null() {
    let info = TraceInfo::new("tr-1");
    for (text, expected) in [
        ("name IS NULL", true),
        ("name != 'x'", false),
        ("execution_time >= 0", false),
        ("execution_time < 0", false),
        ("run_id IS NULL", true),
        ("span.name != 'x'", false),
    ] {
        assert_eq!(parse(text).unwrap().matches(&info, &[]), expected, "{text}");
    }
}

#[test]
fn a_test_of_assessments_is_about_one_that_was_not_replaced() {
    let failed = AssessmentKind::Feedback {
        value: Json::Null,
        error: Some(AssessmentError {
            code: Some("RATE_LIMIT".to_owned()),
            message: Some("429 after 3 tries".to_owned()),
            stack_trace: None,
        }),
    };
    let mut info = TraceInfo::new("tr-1");
    info.assessments = vec![
        Assessment {
            rationale: Some("No source.".to_owned()),
            source: Source {
                kind: "HUMAN".to_owned(),
                id: Some("ann".to_owned()),
            },
            ..Assessment::sample_feedback("correct", json!(false))
        },
        Assessment::sample_feedback("score", json!(0.8)),
        Assessment::sample_feedback("tone", json!("fine \"é\"")),
        Assessment::sample("judge", failed),
        Assessment::sample(
            "answer",
            AssessmentKind::Expectation {
                value: json!({"days": 30}),
            },
        ),
        Assessment {
            valid: false,
            ..Assessment::sample_feedback("old", json!(0.1))
        },
    ];
    for (expected, filter) in [
        (true, "any_feedback(value = false OR value < 0.5)"),
        (true, "any_feedback(error IS NOT NULL)"),
        (
            true,
            "any_feedback(error = 'RATE_LIMIT: 429 after 3 tries')",
        ),
        (true, "any_feedback(name = 'judge' AND value IS NULL)"),
        (
            true,
            "any_feedback(source = 'ann' AND source_type = 'HUMAN' AND rationale LIKE 'No %')",
        ),
        (
            true,
            "any_feedback(value = 'fine \"é\"') AND any_feedback(value RLIKE '^fine')",
        ),
        (true, "any_feedback(value BETWEEN 0.7 AND 0.9)"),
        (true, "any_feedback(NOT value != 'x' AND name = 'judge')"),
        (
            true,
            "any_expectation(name = 'answer') AND NOT any_expectation(name = 'score')",
        ),
        (true, "any_expectation(value = '{\"days\": 30}')"),
        (true, "NOT any_feedback(name = 'answer')"),
        (
            true,
            "NOT (any_feedback(name = 'x') OR any_expectation(value IS NULL))",
        ),
        (false, "any_feedback(value < 0.5)"),
        (false, "any_feedback(name = 'score' AND value = false)"),
        (false, "any_feedback(name = 'judge' AND value != 'x')"),
        (false, "any_feedback(name = 'old')"),
        (false, "any_feedback(source IS NULL AND name = 'correct')"),
        (false, "any_feedback(value LIKE '\"fine%')"),
        (false, "any_expectation(error IS NOT NULL)"),
    ] {
        let filter_read = parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(filter_read.matches(&info, &[]), expected, "{filter}");
        assert!(
            filter_read.needs_assessments() && !filter_read.needs_spans(),
            "{filter}"
        );
        assert_eq!(parse(&filter_read.to_string()).unwrap(), filter_read);
    }
}
