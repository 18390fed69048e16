//! Spans as OpenTelemetry's protocol carries them, as MLflow's server reads them.

mod assemble;
mod infer;
mod value;

pub(super) use self::value::python_bytes;

use std::collections::HashMap;
use std::rc::Rc;

use prost::Message as _;

use self::value::{attributes, json_text, plain_map};
use super::flaw::Flaw;
use super::ids::hex;
use crate::model::{Event, Link, Span, SpanId, SpanKind, StatusCode, Trace};
use crate::otlp::{EventMessage, ExportTraceServiceRequest, LinkMessage, SpanMessage};

/// What a resource says of itself: keys with JSON texts.
pub(in crate::store) type Resource = Vec<(String, String)>;

/// A span of a trace whose other spans may stand elsewhere.
#[derive(Debug)]
pub(in crate::store) struct Part {
    pub(super) span: Span,
    pub(super) resource: Rc<Resource>,
}

/// A part of a document of spans.
#[derive(Debug)]
pub(in crate::store) enum Piece {
    Span(Part),
    /// A span that cannot be read.
    Odd {
        trace_id: Option<String>,
        flaw: Flaw,
    },
}

/// Spans put together by their traces.
#[derive(Default)]
pub(in crate::store) struct Collected {
    groups: Vec<Vec<Part>>,
    places: HashMap<String, usize>,
}

impl Collected {
    pub(in crate::store) fn add(&mut self, part: Part) {
        let next = self.groups.len();
        let at = *self.places.entry(part.trace_key()).or_insert(next);
        if at == next {
            self.groups.push(Vec::new());
        }
        self.groups[at].push(part);
    }

    /// The traces in the order in which their first spans came.
    pub(in crate::store) fn into_traces(self) -> impl Iterator<Item = Trace> {
        self.groups.into_iter().map(assemble::trace)
    }
}

impl Part {
    /// What the spans of a trace have in common.
    fn trace_key(&self) -> String {
        let own = self.resource.iter().find(|(key, _)| key == OWN_ID);
        own.map_or_else(|| self.span.trace_id.clone(), |(_, json)| json.clone())
    }
}

/// The resource attribute in which mlt writes the trace's own id.
const OWN_ID: &str = "mlflow.trace.id";

/// The spans of an archived trace, a `traces.pb`: a message `TracesData` in
/// protobuf, in which attributes are as MLflow stored them before.
///
/// # Errors
/// What is no such message, and the first span that cannot be read.
pub(in crate::store) fn spans_from_protobuf(bytes: &[u8]) -> Result<Vec<Span>, Flaw> {
    parts_from_protobuf(bytes)?
        .into_iter()
        .map(|piece| match piece {
            Piece::Span(part) => Ok(part.span),
            Piece::Odd { flaw, .. } => Err(flaw),
        })
        .collect()
}

/// The spans of a message in protobuf, `TracesData` or `ExportTraceServiceRequest`.
///
/// # Errors
/// What is no such message.
pub(in crate::store) fn parts_from_protobuf(bytes: &[u8]) -> Result<Vec<Piece>, Flaw> {
    let request = ExportTraceServiceRequest::decode(bytes)
        .map_err(|_| Flaw::new("it is not OpenTelemetry's TracesData in protobuf"))?;
    let mut pieces = Vec::new();
    for (r, group) in request.resource_spans.into_iter().enumerate() {
        let known = group.resource.unwrap_or_default().attributes;
        let texts = attributes(known).map(|(key, value)| (key, json_text(&value)));
        let resource = Rc::new(texts.collect());
        for (s, scope) in group.scope_spans.into_iter().enumerate() {
            for (at, message) in scope.spans.into_iter().enumerate() {
                let trace_id = id(&message.trace_id, 16).ok().flatten();
                pieces.push(match span(message) {
                    Ok(span) => Piece::Span(Part {
                        span,
                        resource: Rc::clone(&resource),
                    }),
                    Err(flaw) => Piece::Odd {
                        trace_id: trace_id.map(|hex| format!("tr-{hex}")),
                        flaw: flaw
                            .within_element("spans", at)
                            .within_element("scopeSpans", s)
                            .within_element("resourceSpans", r),
                    },
                });
            }
        }
    }
    Ok(pieces)
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
            .filter(|id| id.bytes().any(|b| b != b'0'))
            .map(SpanId::new),
        trace_id: required(id(&message.trace_id, 16), "traceId")?,
        name: message.name,
        kind: SpanKind::of_number(message.kind.into()),
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
    fn of(list: Vec<(String, String)>) -> Self {
        let places = list.iter().enumerate();
        Self {
            places: places.map(|(at, (key, _))| (key.clone(), at)).collect(),
            list,
        }
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.places.get(key).map(|at| self.list[*at].1.as_str())
    }

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
