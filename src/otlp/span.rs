//! Spans as OpenTelemetry's messages, but for what ids are there.

use super::value::of_map;
use super::{AnyValue, EventMessage, KeyValue, SpanMessage, Status};
use crate::model::{Event, Span, SpanKind, StatusCode};

impl SpanMessage {
    /// What a span says, with the values that `value` makes of the JSON of its attributes;
    /// ids and links are for those to add who know which ids there can be.
    pub(crate) fn of(span: &Span, value: impl Fn(&str) -> AnyValue) -> Self {
        let attribute = |(key, json): &(String, String)| KeyValue {
            key: key.clone(),
            value: Some(value(json)),
        };
        Self {
            trace_id: Vec::new(),
            span_id: Vec::new(),
            parent_span_id: Vec::new(),
            name: span.name.clone(),
            // OpenTelemetry's default, and the kind of all spans that MLflow makes.
            kind: span.kind.unwrap_or(SpanKind::Internal).number(),
            start_time_unix_nano: time(span.start_ns),
            end_time_unix_nano: span.end_ns.map_or(0, time),
            attributes: span.attributes.iter().map(attribute).collect(),
            events: span.events.iter().map(event).collect(),
            links: Vec::new(),
            status: Some(Status {
                message: span.status_message.clone(),
                code: match span.status {
                    StatusCode::Unset => 0,
                    StatusCode::Ok => 1,
                    StatusCode::Error => 2,
                },
            }),
        }
    }
}

fn event(event: &Event) -> EventMessage {
    EventMessage {
        time_unix_nano: time(event.time_ns),
        name: event.name.clone(),
        attributes: of_map(&event.attributes),
    }
}

/// There is no time before 1970 there.
fn time(ns: i64) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}

/// Exactly so many bytes, not all of them zero, which would mean that there is no id.
pub(crate) fn from_hex(text: &str, length: usize) -> Option<Vec<u8>> {
    if text.len() != length * 2 || !text.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let is_hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.filter(|bytes| is_hex && bytes.iter().any(|byte| *byte != 0))
}
