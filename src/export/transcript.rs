//! What was said in traces, as JSON: the documented form for programs and agents.
//! Parts are called as in OpenTelemetry's conventions for generative AI.

use serde_json::{Map, Value, json};

use crate::analysis::{Conversation, Found, Lookup, Said, Session, Turn, UsageReport};
use crate::messages::{CallUsage, Document};
use crate::model::{Assessment, Cost, Media, Part, Timestamp, TokenUsage, Trace};

/// An object of the members that are known.
fn known<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    let members = members.into_iter().filter(|(_, value)| !value.is_null());
    members
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A part, its bytes left out.
pub fn part(part: &Part) -> Value {
    let members = match part {
        Part::Text(text) => known([("type", json!("text")), ("content", json!(text))]),
        Part::Reasoning(text) => {
            let mut members = known([("type", json!("reasoning")), ("content", json!(text))]);
            if text.is_none() {
                members.insert("redacted".to_owned(), json!(true));
            }
            members
        }
        Part::Call(call) => known([
            ("type", json!("tool_call")),
            ("id", json!(call.id)),
            ("name", json!(call.name)),
            ("arguments", call.arguments.clone()),
        ]),
        Part::Result(result) => {
            let mut members = known([
                ("type", json!("tool_call_response")),
                ("id", json!(result.id)),
                ("name", json!(result.name)),
            ]);
            members.insert("response".to_owned(), result.response.clone());
            if let Some(is_error) = result.is_error {
                members.insert("is_error".to_owned(), json!(is_error));
            }
            members
        }
        Part::Media(media) => of_media(media),
        Part::Refusal(text) => known([("type", json!("refusal")), ("content", json!(text))]),
        Part::Json(value) => known([("type", json!("json")), ("content", value.clone())]),
    };
    Value::Object(members)
}

fn of_media(media: &Media) -> Map<String, Value> {
    known([
        ("type", json!(media.kind.as_str())),
        ("mime_type", json!(media.mime_type)),
        ("size", json!(media.size)),
        ("uri", json!(media.uri)),
        ("name", json!(media.name)),
        ("path", json!(media.path)),
    ])
}

fn usage(usage: &CallUsage) -> Value {
    let tokens = &usage.tokens;
    Value::Object(known([
        ("input_tokens", json!(tokens.input_tokens)),
        ("output_tokens", json!(tokens.output_tokens)),
        ("total_tokens", json!(tokens.total())),
        (
            "cache_read_input_tokens",
            json!(tokens.cache_read_input_tokens),
        ),
        (
            "cache_creation_input_tokens",
            json!(tokens.cache_creation_input_tokens),
        ),
        ("reasoning_tokens", json!(usage.reasoning_tokens)),
    ]))
}

fn message(said: &Said, trace: &Trace) -> Value {
    let message = &said.message;
    let mut members = known([
        ("role", json!(message.role.as_str())),
        ("name", json!(message.name)),
    ]);
    let parts: Vec<Value> = message.parts.iter().map(part).collect();
    members.insert("parts".to_owned(), Value::from(parts));
    let span = said.span.and_then(|at| trace.spans.get(at));
    members.extend(known([
        ("span_id", json!(span.map(|span| span.span_id.as_str()))),
        (
            "time",
            json!(said.time_ns.map(|ns| Timestamp::from_nanos(ns).to_string())),
        ),
        ("duration_ns", json!(said.duration_ns)),
        ("agent", json!(said.agent)),
        ("model", json!(said.model)),
        ("finish_reason", json!(message.finish_reason)),
        ("usage", json!(said.usage.as_ref().map(usage))),
        ("cost_usd", json!(said.cost_usd)),
        ("error", json!(said.error)),
        ("alternative", json!(said.alternative.map(|(at, _)| at))),
        ("source", json!(said.source)),
    ]));
    if said.is_unrecorded() {
        members.insert("recorded".to_owned(), json!(false));
    }
    if said.depth > 0 {
        members.insert("depth".to_owned(), json!(said.depth));
    }
    if said.parallel {
        members.insert("parallel".to_owned(), json!(true));
    }
    Value::Object(members)
}

fn document(document: &Document) -> Value {
    Value::Object(known([
        ("id", json!(document.id)),
        ("source", json!(document.source)),
        ("score", json!(document.score)),
        ("content", json!(document.text)),
    ]))
}

fn lookup(lookup: &Lookup, trace: &Trace) -> Value {
    let span = trace.spans.get(lookup.span);
    let mut members = known([
        ("span_id", json!(span.map(|span| span.span_id.as_str()))),
        ("name", json!(span.map(|span| &span.name))),
        (
            "time",
            json!(Timestamp::from_nanos(lookup.time_ns).to_string()),
        ),
        ("duration_ns", json!(lookup.duration_ns)),
        ("error", json!(lookup.error)),
    ]);
    match &lookup.found {
        Found::Documents(retrieval) => {
            let documents =
                |all: &[Document]| Value::from(all.iter().map(document).collect::<Vec<_>>());
            members.extend(known([("query", json!(retrieval.query))]));
            members.insert("documents".to_owned(), documents(&retrieval.documents));
            if let Some(before) = &retrieval.before {
                members.insert("documents_before".to_owned(), documents(before));
            }
        }
        Found::Vectors(size) => {
            members.insert("vectors".to_owned(), json!(size.count));
            members.insert("dimensions".to_owned(), json!(size.dimensions));
        }
    }
    Value::Object(members)
}

/// The transcript of one trace, with the trace's own figures.
pub fn transcript(trace: &Trace, conversation: &Conversation, usage: &UsageReport) -> Value {
    let messages: Vec<Value> = conversation
        .said
        .iter()
        .map(|said| message(said, trace))
        .collect();
    let mut members = known([
        ("trace_id", json!(trace.info.trace_id)),
        ("name", json!(trace.info.name())),
        ("state", json!(trace.info.state.as_str())),
        (
            "request_time",
            json!(trace.info.request_time.map(|time| time.to_string())),
        ),
        ("duration_ns", json!(trace.info.duration_ns())),
        (
            "total_tokens",
            json!(usage.tokens.value().and_then(TokenUsage::total)),
        ),
        ("cost_usd", json!(usage.cost.value().and_then(Cost::total))),
    ]);
    members.insert("messages".to_owned(), Value::from(messages));
    let lookups: Vec<Value> = conversation
        .lookups
        .iter()
        .map(|one| lookup(one, trace))
        .collect();
    if !lookups.is_empty() {
        members.insert("lookups".to_owned(), Value::from(lookups));
    }
    let failures = conversation.failures.iter().map(|at| {
        let span = &trace.spans[*at];
        Value::Object(known([
            ("span_id", json!(span.span_id.as_str())),
            ("name", json!(span.name)),
            ("error", json!(span.failure())),
        ]))
    });
    let failures: Vec<Value> = failures.collect();
    if !failures.is_empty() {
        members.insert("failures".to_owned(), Value::from(failures));
    }
    if !conversation.unread.is_empty() {
        let spans = conversation
            .unread
            .iter()
            .filter_map(|at| trace.spans.get(*at));
        let ids: Vec<&str> = spans.map(|span| span.span_id.as_str()).collect();
        members.insert("unread_span_ids".to_owned(), json!(ids));
    }
    Value::Object(members)
}

/// A turn of a session: a transcript with its number.
pub fn turn(trace: &Trace, turn: &Turn) -> Value {
    let mut members = known([("turn", json!(turn.number))]);
    members.extend(assessments(&turn.assessments));
    if let Value::Object(said) = transcript(trace, &turn.conversation, &turn.usage) {
        members.extend(said);
    }
    Value::Object(members)
}

/// A session with its turns.
pub fn session(id: &str, session: &Session, turns: Vec<Value>, truncated: bool) -> Value {
    let mut members = known([
        ("session_id", json!(id)),
        ("users", json!(session.users)),
        ("turn_count", json!(session.turns)),
        ("failed_turns", json!(session.failed)),
        (
            "total_tokens",
            json!(session.usage.as_ref().and_then(TokenUsage::total)),
        ),
        (
            "cost_usd",
            json!(session.cost.as_ref().and_then(Cost::total)),
        ),
    ]);
    members.extend(assessments(&session.assessments));
    members.insert("turns".to_owned(), Value::from(turns));
    members.insert("truncated".to_owned(), json!(truncated));
    Value::Object(members)
}

/// What was judged, where anything was.
fn assessments(all: &[Assessment]) -> Option<(String, Value)> {
    let one = |one: &Assessment| {
        Value::Object(known([
            ("name", json!(one.name)),
            ("value", one.value().clone()),
            ("source_type", json!(one.source.kind)),
            ("source_id", json!(one.source.id)),
            ("rationale", json!(one.rationale)),
            ("valid", json!(one.valid)),
        ]))
    };
    (!all.is_empty()).then(|| ("assessments".to_owned(), all.iter().map(one).collect()))
}
