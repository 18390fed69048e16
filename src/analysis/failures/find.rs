//! The failures of one trace, the one first by which it is called failed.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::mask::template;
use super::{FailureKind, Occurred};
use crate::analysis::{Conversation, Said, SpanTree, conversation};
use crate::model::{
    Part, Role, Span, StatusCode, Timestamp, ToolCall, ToolResult, Trace, TraceState,
};

/// Failures of these kinds: errors before all others, and else in the order of time.
pub(super) fn failures(trace: &Trace, kinds: &BTreeSet<FailureKind>) -> Vec<Occurred> {
    let is_wanted = |kind: &FailureKind| kinds.contains(kind);
    let has_failed = |span: &Span| span.status == StatusCode::Error;
    let mut found = Vec::new();
    let only_errors = kinds.iter().all(|kind| *kind == FailureKind::Error);
    let is_failed = trace.info.state == TraceState::Error || trace.spans.iter().any(has_failed);
    if only_errors && !is_failed {
        return found;
    }
    let tree = SpanTree::build(trace);
    if is_wanted(&FailureKind::Error) && is_failed {
        errors(&mut found, trace, &tree);
    }
    let errors = found.len();
    if is_wanted(&FailureKind::Http) {
        statuses(&mut found, trace, &tree);
    }
    let said = [FailureKind::Tool, FailureKind::Refusal, FailureKind::Length];
    if said.iter().any(is_wanted) {
        let said = conversation(trace, &tree);
        tools(&mut found, trace, &said);
        endings(&mut found, trace, &said);
        found.retain(|failure| is_wanted(&failure.kind));
    }
    found[errors..].sort_by_key(|failure| failure.time);
    found
}

/// The spans in which failures began, the deepest and of these the first at the front.
fn errors(found: &mut Vec<Occurred>, trace: &Trace, tree: &SpanTree) {
    let origins = tree.failure_origins(trace);
    if origins.is_empty() {
        found.push(Occurred {
            kind: FailureKind::Error,
            class: None,
            message: String::new(),
            span: None,
            time: trace.info.request_time,
        });
    }
    let origins = origins.into_iter().map(|id| tree.span(id, trace));
    found.extend(origins.map(|span| error(trace, span)));
}

fn error(trace: &Trace, span: &Span) -> Occurred {
    let exception = span.exception();
    let text = |text: Option<&str>| {
        let text = text.filter(|text| !text.trim().is_empty());
        text.map(str::to_owned)
    };
    let class = text(exception.and_then(|exception| exception.kind));
    let message = text(exception.and_then(|exception| exception.message));
    let message = message.or_else(|| text(Some(&span.status_message)));
    let event = span
        .events
        .iter()
        .rev()
        .find(|event| event.name == "exception");
    let (class, message) = told(class, message.as_deref().unwrap_or_default());
    Occurred {
        kind: FailureKind::Error,
        class,
        message: template(&message),
        span: Some(span.name.clone()),
        time: event
            .map(|event| event.time_ns)
            .filter(|ns| *ns > 0)
            .map(Timestamp::from_nanos)
            .or_else(|| time(trace, span)),
    }
}

/// A type and a message, where the message begins with the type, or tells it alone.
fn told(class: Option<String>, message: &str) -> (Option<String>, String) {
    let message = message.trim_start();
    let parts = message.split_once(": ");
    match (class, parts) {
        (Some(class), Some((head, rest)))
            if head == class || class.rsplit('.').next() == Some(head) =>
        {
            (Some(class), rest.to_owned())
        }
        (None, Some((head, rest))) if is_class(head) => (Some(head.to_owned()), rest.to_owned()),
        (class, _) => (class, message.to_owned()),
    }
}

/// Whether a word looks like the name of a class of exceptions.
fn is_class(word: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let last = word.rsplit(['.', ':']).next().unwrap_or(word);
    if !word.replace("::", ".").split('.').all(is_name) || !last.starts_with(char::is_uppercase) {
        return false;
    }
    let ends = ["Error", "Exception", "Warning", "Interrupt", "Timeout"];
    let humps = last.as_bytes().windows(2);
    let humps = humps.filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    ends.iter().any(|end| last.ends_with(end)) || humps.count() > 0
}

/// When a span ended, or else began; of a span without times, when its trace did.
fn time(trace: &Trace, span: &Span) -> Option<Timestamp> {
    let known = [span.end_ns.unwrap_or_default(), span.start_ns];
    let known = known.into_iter().find(|ns| *ns > 0);
    known.map(Timestamp::from_nanos).or(trace.info.request_time)
}

/// Statuses of HTTP that say that something failed; a span above that one passes it on.
fn statuses(found: &mut Vec<Occurred>, trace: &Trace, tree: &SpanTree) {
    let has_failed = |span: &Span| span.status == StatusCode::Error || status(span).is_some();
    let spans = tree
        .lowest(|id| has_failed(tree.span(id, trace)))
        .into_iter();
    let spans = spans.map(|id| tree.span(id, trace));
    for span in spans.filter(|span| span.status != StatusCode::Error) {
        let Some(status) = status(span) else { continue };
        let first = |keys: [&str; 2]| keys.iter().find_map(|key| span.attribute_text(key));
        let method = first(["http.request.method", "http.method"]);
        let route = first(["http.route", "url.template"]);
        let words: Vec<_> = method.into_iter().chain(route).collect();
        found.push(Occurred {
            kind: FailureKind::Http,
            class: Some(format!("HTTP {status}")),
            // A route is a template already.
            message: words.join(" "),
            span: Some(span.name.clone()),
            time: time(trace, span),
        });
    }
}

fn status(span: &Span) -> Option<u16> {
    let keys = ["http.response.status_code", "http.status_code"];
    let texts = keys.iter().filter_map(|key| span.attribute_text(key));
    let mut statuses = texts.filter_map(|text| text.trim().parse().ok());
    statuses.find(|status| (400..600).contains(status))
}

/// Results that say that the tool failed, of tools that the trace ran or asked for: what
/// is in the history only, another trace has.
fn tools(found: &mut Vec<Occurred>, trace: &Trace, said: &Conversation) {
    let mut asked: Vec<&ToolCall> = Vec::new();
    for said in &said.said {
        let span = said.span.and_then(|at| trace.spans.get(at));
        let has_failed = span.is_some_and(|span| span.status == StatusCode::Error);
        for part in &said.message.parts {
            match part {
                Part::Call(call) if span.is_some() => asked.push(call),
                Part::Result(result)
                    if result.is_error == Some(true)
                        && !has_failed
                        && (span.is_some() || asked.iter().any(|call| is_of(result, call))) =>
                {
                    found.push(tool(trace, said, result));
                }
                _ => {}
            }
        }
    }
}

fn is_of(result: &ToolResult, call: &ToolCall) -> bool {
    match (&result.id, &call.id) {
        (Some(id), Some(own)) => id == own,
        _ => result.name.as_ref() == Some(&call.name),
    }
}

fn tool(trace: &Trace, said: &Said, result: &ToolResult) -> Occurred {
    let span = said.span.and_then(|at| trace.spans.get(at));
    let text = plain(&result.response);
    let (class, message) = told(None, &text);
    Occurred {
        kind: FailureKind::Tool,
        class,
        message: template(&message),
        span: result.name.clone().or_else(|| Some(span?.name.clone())),
        time: span.map_or(trace.info.request_time, |span| time(trace, span)),
    }
}

/// What a tool says of its failure: text, or the text in an object or in a list of one.
fn plain(response: &Value) -> String {
    let inner = match response {
        Value::String(text) => return text.clone(),
        Value::Array(items) if items.len() == 1 => items.first(),
        Value::Object(object) => {
            let keys = ["message", "error", "text", "content", "detail"];
            keys.iter().find_map(|key| object.get(*key))
        }
        _ => None,
    };
    match inner {
        Some(Value::String(text)) => text.clone(),
        _ => response.to_string(),
    }
}

/// Answers that models declined, or did not come to the end of.
fn endings(found: &mut Vec<Occurred>, trace: &Trace, said: &Conversation) {
    let mut told = HashSet::new();
    for said in said
        .said
        .iter()
        .filter(|said| said.message.role == Role::Assistant)
    {
        let Some(span) = said.span.and_then(|at| trace.spans.get(at)) else {
            continue;
        };
        if span.status == StatusCode::Error {
            continue;
        }
        let refusal = said.message.parts.iter().find_map(|part| match part {
            Part::Refusal(text) => Some(text.as_str()),
            _ => None,
        });
        let reason = said.message.finish_reason.as_deref();
        let kind = match (refusal, reason.and_then(ending)) {
            (Some(_), _) => FailureKind::Refusal,
            (None, Some(kind)) => kind,
            (None, None) => continue,
        };
        // What was said in one answer is told in pieces.
        if !told.insert((said.span, said.alternative, kind)) {
            continue;
        }
        found.push(Occurred {
            kind,
            class: match refusal {
                Some(_) => Some(kind.as_str().to_owned()),
                None => reason.map(str::to_owned),
            },
            message: refusal.map(template).unwrap_or_default(),
            span: Some(span.name.clone()),
            time: time(trace, span),
        });
    }
}

/// What a reason to end tells of, where that is a failure.
fn ending(reason: &str) -> Option<FailureKind> {
    let reason = reason.rsplit('.').next().unwrap_or(reason);
    match reason.to_ascii_lowercase().replace('-', "_").as_str() {
        "refusal" | "content_filter" | "content_filtered" | "safety" | "guardrail_intervened" => {
            Some(FailureKind::Refusal)
        }
        "length" | "max_tokens" | "max_output_tokens" => Some(FailureKind::Length),
        _ => None,
    }
}
