//! Spans as OpenTelemetry's protocol carries them, as MLflow's server reads them.

mod value;

use std::collections::HashMap;

use prost::Message as _;

use self::value::{attributes, json_text, plain_map};
use super::flaw::Flaw;
use super::ids::hex;
use crate::model::{Event, Link, Span, SpanId, StatusCode};
use crate::otlp::{EventMessage, ExportTraceServiceRequest, LinkMessage, SpanMessage};

/// The spans of an archived trace, a `traces.pb`: a message `TracesData` in
/// protobuf, in which attributes are as MLflow stored them before.
///
/// # Errors
/// What is no such message, and the first span that cannot be read.
pub(in crate::store) fn spans_from_protobuf(bytes: &[u8]) -> Result<Vec<Span>, Flaw> {
    let request = ExportTraceServiceRequest::decode(bytes)
        .map_err(|_| Flaw::new("it is not OpenTelemetry's TracesData in protobuf"))?;
    let mut spans = Vec::new();
    for (r, resource) in request.resource_spans.into_iter().enumerate() {
        for (s, scope) in resource.scope_spans.into_iter().enumerate() {
            for (at, message) in scope.spans.into_iter().enumerate() {
                spans.push(span(message).map_err(|flaw| {
                    flaw.within_element("spans", at)
                        .within_element("scopeSpans", s)
                        .within_element("resourceSpans", r)
                })?);
            }
        }
    }
    Ok(spans)
}

/// The span of a message.
fn span(message: SpanMessage) -> Result<Span, Flaw> {
    let status = message.status.unwrap_or_default();
    let mut keys = Keys::default();
    for (key, value) in attributes(message.attributes) {
        keys.set(key, json_text(&value));
    }
    Ok(Span {
        span_id: SpanId::new(required(id(&message.span_id, 8), "spanId")?),
        parent_id: id(&message.parent_span_id, 8)
            .map_err(|flaw| flaw.within("parentSpanId"))?
            .map(SpanId::new),
        trace_id: required(id(&message.trace_id, 16), "traceId")?,
        name: message.name,
        start_ns: required(time(message.start_time_unix_nano), "startTimeUnixNano")?,
        end_ns: time(message.end_time_unix_nano).map_err(|flaw| flaw.within("endTimeUnixNano"))?,
        status: match status.code {
            0 => StatusCode::Unset,
            1 => StatusCode::Ok,
            2 => StatusCode::Error,
            _ => {
                return Err(Flaw::new("expected 0, 1 or 2").within("status.code"));
            }
        },
        status_message: status.message,
        attributes: keys.list,
        events: list("events", message.events, event)?,
        links: list("links", message.links, link)?,
    })
}

fn event(message: EventMessage) -> Result<Event, Flaw> {
    Ok(Event {
        name: message.name,
        time_ns: required(time(message.time_unix_nano), "timeUnixNano")?,
        attributes: plain_map(message.attributes),
    })
}

fn link(message: LinkMessage) -> Result<Link, Flaw> {
    Ok(Link {
        trace_id: format!("tr-{}", required(id(&message.trace_id, 16), "traceId")?),
        span_id: SpanId::new(required(id(&message.span_id, 8), "spanId")?),
        attributes: plain_map(message.attributes),
    })
}

/// A member that has to be there.
fn required<T>(value: Result<Option<T>, Flaw>, member: &str) -> Result<T, Flaw> {
    value
        .and_then(|value| value.ok_or_else(|| Flaw::new("is missing")))
        .map_err(|flaw| flaw.within(member))
}

fn list<M, T>(
    name: &str,
    messages: Vec<M>,
    read: fn(M) -> Result<T, Flaw>,
) -> Result<Vec<T>, Flaw> {
    messages
        .into_iter()
        .enumerate()
        .map(|(at, message)| read(message).map_err(|flaw| flaw.within_element(name, at)))
        .collect()
}

/// Nanoseconds; the protocol writes no time as zero.
fn time(ns: u64) -> Result<Option<i64>, Flaw> {
    match i64::try_from(ns) {
        Ok(0) => Ok(None),
        Ok(ns) => Ok(Some(ns)),
        Err(_) => Err(Flaw::new("is a time beyond the year 2262")),
    }
}

/// An id of so many bytes in hex, shorter ones with zeros in front; none, where there is none.
fn id(raw: &[u8], bytes: usize) -> Result<Option<String>, Flaw> {
    match raw.len() {
        0 => Ok(None),
        n if n > bytes => Err(Flaw::new(format!(
            "is an id of {n} bytes; expected {bytes}"
        ))),
        _ => Ok(Some(format!("{:0>width$}", hex(raw), width = 2 * bytes))),
    }
}

/// Keys with values in the order in which they came; of equal keys the last value counts.
#[derive(Default)]
struct Keys {
    list: Vec<(String, String)>,
    places: HashMap<String, usize>,
}

impl Keys {
    fn set(&mut self, key: String, value: String) {
        if let Some(at) = self.places.get(&key) {
            self.list[*at].1 = value;
        } else {
            self.places.insert(key.clone(), self.list.len());
            self.list.push((key, value));
        }
    }
}

#[cfg(test)]
mod tests;
