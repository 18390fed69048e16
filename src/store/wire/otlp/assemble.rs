//! Traces put together from spans that came one by one, as an MLflow server shows
//! them. What mlt itself has written is put together as it was.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::infer::{infer, quoted};
use super::{Keys, Part, Resource};
use crate::filter::write_float;
use crate::json::parse_value;
use crate::model::{
    Cost, Span, StatusCode, Timestamp, TokenUsage, Trace, TraceInfo, TraceState, attribute,
    metadata,
};

/// The attributes of a resource in which mlt writes what it knows of a trace.
mod own {
    pub(super) const ID: &str = "mlflow.trace.id";
    pub(super) const STATE: &str = "mlflow.trace.state";
    pub(super) const EXPERIMENT: &str = "mlflow.trace.experiment_id";
    pub(super) const CLIENT_REQUEST: &str = "mlflow.trace.client_request_id";
    pub(super) const TAG: &str = "mlflow.trace.tag.";
    pub(super) const METADATA: &str = "mlflow.trace.metadata.";
}

const SERVICE: &str = "service.name";
const TRACE_TAG: &str = "mlflow.traceTag.";
/// Whole milliseconds, which is all that a server keeps of a trace's times.
const MS: i64 = 1_000_000;

/// The trace of these spans, of which there is at least one.
pub(super) fn trace(parts: Vec<Part>) -> Trace {
    let resource = parts
        .iter()
        .map(|part| &part.resource)
        .find(|resource| !resource.is_empty())
        .cloned()
        .unwrap_or_default();
    let known: HashMap<&str, String> = resource
        .iter()
        .filter(|(key, _)| key.starts_with("mlflow.trace."))
        .map(|(key, json)| (key.as_str(), plain(json)))
        .collect();
    let mut spans = last_of_each(parts);
    if let Some(id) = known.get(own::ID) {
        let info = own_info(id, &known, &resource, &spans);
        return Trace { info, spans };
    }
    spans.sort_by(|a, b| {
        let key = |span: &Span| (span.parent_id.is_some(), span.start_ns);
        key(a).cmp(&key(b)).then_with(|| a.span_id.cmp(&b.span_id))
    });
    let id = match spans[0].attribute_text(attribute::REQUEST_ID) {
        // A span in MLflow's form, which knows better.
        Some(id) if spans[0].attribute(attribute::REQUEST_ID) == Some(&quoted(&id)) => {
            id.into_owned()
        }
        _ => format!("tr-{}", spans[0].trace_id),
    };
    for span in &mut spans {
        let attributes = std::mem::take(&mut span.attributes).into_iter();
        let mut keys = Keys::of(
            attributes
                .map(|(key, json)| (key, said_once(json)))
                .collect(),
        );
        keys.set(attribute::REQUEST_ID.to_owned(), quoted(&id));
        infer(&mut keys);
        span.attributes = keys.list;
    }
    let info = server_info(id, &resource, &spans);
    Trace { info, spans }
}

/// A span that was sent again replaces the one before.
fn last_of_each(parts: Vec<Part>) -> Vec<Span> {
    let mut places = HashMap::new();
    let mut spans: Vec<Span> = Vec::with_capacity(parts.len());
    for Part { span, .. } in parts {
        if let Some(at) = places.get(&span.span_id) {
            spans[*at] = span;
        } else {
            places.insert(span.span_id.clone(), spans.len());
            spans.push(span);
        }
    }
    spans
}

/// What mlt knew of the trace when it wrote it.
fn own_info(
    id: &str,
    known: &HashMap<&str, String>,
    resource: &Resource,
    spans: &[Span],
) -> TraceInfo {
    let mut info = timed(id.to_owned(), spans);
    let root = spans.iter().find(|span| span.parent_id.is_none());
    if let Some(ns) = root.and_then(Span::raw_duration_ns) {
        info.execution_duration_ns = Some(ns.div_euclid(MS).saturating_mul(MS));
    }
    info.state = known
        .get(own::STATE)
        .map_or(TraceState::Unspecified, |state| TraceState::parse(state));
    info.experiment_id = known.get(own::EXPERIMENT).cloned();
    info.client_request_id = known.get(own::CLIENT_REQUEST).cloned();
    for (prefix, map) in [
        (own::TAG, &mut info.tags),
        (own::METADATA, &mut info.metadata),
    ] {
        let entries = known
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())));
        map.extend(entries);
    }
    // mlt's own name stands for no service.
    let service = resource.iter().find(|(key, _)| key == SERVICE);
    if let Some(service) = service
        .map(|(_, json)| plain(json))
        .filter(|s| s != "mlflow")
    {
        info.tags.insert(SERVICE.to_owned(), service);
    }
    info
}

/// What a server learns from the spans and their resource.
fn server_info(id: String, resource: &Resource, spans: &[Span]) -> TraceInfo {
    let mut info = timed(id, spans);
    let root = spans.iter().find(|span| span.parent_id.is_none());
    info.state = match root {
        None => TraceState::InProgress,
        Some(root) if root.end_ns.is_none() => TraceState::InProgress,
        Some(root) if root.status == StatusCode::Error => TraceState::Error,
        Some(_) => TraceState::Ok,
    };
    for (key, json) in resource {
        if !key.starts_with("telemetry.sdk.") && !key.starts_with("mlflow.") {
            info.tags.insert(key.clone(), plain(json));
        }
    }
    let root_attributes = root.map(|root| root.attributes.as_slice());
    for (key, json) in root_attributes.unwrap_or_default() {
        if let Some(name) = key.strip_prefix(TRACE_TAG) {
            info.tags.insert(name.to_owned(), plain(json));
        }
    }
    for (name, keys) in [
        (
            metadata::SESSION,
            &["session.id", "gen_ai.conversation.id"][..],
        ),
        (metadata::USER, &["user.id"][..]),
    ] {
        let said = spans.iter().find_map(|span| {
            keys.iter()
                .find_map(|key| span.attribute(key))
                .map(plain)
                .filter(|text| !text.is_empty())
        });
        info.metadata
            .extend(said.map(|text| (name.to_owned(), text)));
    }
    info.metadata
        .extend(usage(spans).map(|json| (metadata::TOKEN_USAGE.to_owned(), json)));
    info.metadata
        .extend(cost(spans).map(|json| (metadata::COST.to_owned(), json)));
    info.request_preview = root.and_then(Span::inputs).map(str::to_owned);
    info.response_preview = root.and_then(Span::outputs).map(str::to_owned);
    info
}

/// A trace with the times that a server gives it: from its first start to its last end.
fn timed(id: String, spans: &[Span]) -> TraceInfo {
    let mut info = TraceInfo::new(id);
    let start = spans.iter().map(|span| span.start_ns.div_euclid(MS)).min();
    let end = spans
        .iter()
        .filter_map(|span| Some(span.end_ns?.div_euclid(MS)))
        .max();
    info.request_time = start.map(Timestamp::from_millis);
    info.execution_duration_ns = start
        .zip(end)
        .map(|(start, end)| (end - start).saturating_mul(MS));
    info
}

/// JSON text in a text is taken for what the sender had made into text before.
fn said_once(json: String) -> String {
    match parse_value(&json) {
        Some(Value::String(inner))
            if matches!(
                parse_value(&inner),
                Some(Value::String(_) | Value::Array(_) | Value::Object(_))
            ) =>
        {
            inner
        }
        _ => json,
    }
}

/// A text without its quotes; anything else as JSON.
fn plain(json: &str) -> String {
    match parse_value(json) {
        Some(Value::String(text)) => text,
        _ => json.to_owned(),
    }
}

/// The spans of which no ancestor reports what they report.
fn topmost<T>(spans: &[Span], reported: impl Fn(&Span) -> Option<T>) -> Vec<T> {
    let mut children: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let ids: HashSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    let mut open: Vec<usize> = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        match &span.parent_id {
            Some(parent) if ids.contains(parent.as_str()) => {
                children.entry(parent.as_str()).or_default().push(at);
            }
            _ => open.push(at),
        }
    }
    let mut found = Vec::new();
    while let Some(at) = open.pop() {
        let span = &spans[at];
        match reported(span) {
            Some(value) => found.push(value),
            None => open.extend(children.remove(span.span_id.as_str()).unwrap_or_default()),
        }
    }
    found
}

fn usage(spans: &[Span]) -> Option<String> {
    let total = topmost(spans, Span::usage)
        .into_iter()
        .reduce(|a: TokenUsage, b| a.plus(&b))?;
    let mut members: Vec<String> = [
        ("input_tokens", total.input_tokens),
        ("output_tokens", total.output_tokens),
        ("total_tokens", total.total_tokens),
    ]
    .into_iter()
    .map(|(name, count)| format!("\"{name}\": {}", count.unwrap_or(0)))
    .collect();
    for (name, count) in [
        ("cache_read_input_tokens", total.cache_read_input_tokens),
        (
            "cache_creation_input_tokens",
            total.cache_creation_input_tokens,
        ),
    ] {
        members.extend(count.map(|count| format!("\"{name}\": {count}")));
    }
    Some(format!("{{{}}}", members.join(", ")))
}

fn cost(spans: &[Span]) -> Option<String> {
    let total = topmost(spans, Span::cost)
        .into_iter()
        .reduce(|a: Cost, b| a.plus(&b))?;
    let members: Vec<String> = [
        ("input_cost", total.input_cost),
        ("output_cost", total.output_cost),
        ("total_cost", total.total_cost),
    ]
    .into_iter()
    .map(|(name, dollars)| {
        let mut json = format!("\"{name}\": ");
        write_float(&mut json, dollars.unwrap_or(0.0));
        json
    })
    .collect();
    Some(format!("{{{}}}", members.join(", ")))
}
