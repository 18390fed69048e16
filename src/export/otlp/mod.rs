//! Traces for OpenTelemetry: `ExportTraceServiceRequest`, the body of a request
//! to `/v1/traces` of any collector, in JSON or protobuf. Each trace is a
//! resource, whose attributes hold what MLflow knows of the trace as a whole.
//! Assessments have no place there.

use std::io::{self, Write};

use prost::Message as _;

use super::format::{Losses, Streamed};
use super::json;
use crate::model::{Event, Link, Span, SpanId, StatusCode, Trace, TraceInfo};
use crate::otlp::{
    EventMessage, ExportTraceServiceRequest, InstrumentationScope, KeyValue, LinkMessage, Resource,
    ResourceSpans, ScopeSpans, SpanMessage, Status, value,
};

/// Writes traces as one JSON document, as they come.
#[derive(Debug, Default)]
pub struct OtlpJson {
    any: bool,
    /// Spans that look as if they had ended at 0.
    without_end: usize,
}

impl Streamed for OtlpJson {
    fn push(&mut self, out: &mut dyn Write, trace: &Trace) -> io::Result<()> {
        let before: &[u8] = if self.any {
            b",\n"
        } else {
            b"{\"resourceSpans\":[\n"
        };
        self.any = true;
        self.without_end += in_progress(trace);
        out.write_all(before)?;
        json::write_compact(out, &resource_spans(trace))
    }

    fn finish(self, out: &mut dyn Write) -> io::Result<Losses> {
        let end: &[u8] = if self.any {
            b"\n]}\n"
        } else {
            b"{\"resourceSpans\":[]}\n"
        };
        out.write_all(end)?;
        Ok(losses(self.without_end))
    }
}

/// Writes traces as protobuf. Those that are written one after the other are one
/// message.
#[derive(Debug, Default)]
pub struct OtlpProto {
    without_end: usize,
}

impl Streamed for OtlpProto {
    fn push(&mut self, out: &mut dyn Write, trace: &Trace) -> io::Result<()> {
        self.without_end += in_progress(trace);
        let request = ExportTraceServiceRequest {
            resource_spans: vec![resource_spans(trace)],
        };
        out.write_all(&request.encode_to_vec())
    }

    fn finish(self, _: &mut dyn Write) -> io::Result<Losses> {
        Ok(losses(self.without_end))
    }
}

fn in_progress(trace: &Trace) -> usize {
    let running = trace.spans.iter().filter(|span| span.end_ns.is_none());
    running.count()
}

fn losses(without_end: usize) -> Losses {
    let what = "in progress: OpenTelemetry has no form for that, so they have no end there";
    Losses::of_spans(without_end, what)
}

fn resource_spans(trace: &Trace) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource {
            attributes: resource_attributes(&trace.info),
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "mlflow".to_owned(),
            }),
            spans: trace
                .spans
                .iter()
                .map(|span| span_message(span, &trace.info))
                .collect(),
        }],
    }
}

fn resource_attributes(info: &TraceInfo) -> Vec<KeyValue> {
    const SERVICE: &str = "service.name";
    let service = info.tags.get(SERVICE).map_or("mlflow", String::as_str);
    let mut attributes = vec![attribute(SERVICE, service)];
    let fields = [
        ("mlflow.trace.id", Some(info.trace_id.as_str())),
        ("mlflow.trace.name", info.name()),
        ("mlflow.trace.state", Some(info.state.as_str())),
        ("mlflow.trace.experiment_id", info.experiment_id.as_deref()),
        (
            "mlflow.trace.client_request_id",
            info.client_request_id.as_deref(),
        ),
    ];
    let fields = fields.into_iter();
    attributes.extend(fields.filter_map(|(key, value)| Some(attribute(key, value?))));
    for (kind, map) in [("tag", &info.tags), ("metadata", &info.metadata)] {
        let prefixed = map.iter().filter(|(key, _)| *key != SERVICE);
        attributes.extend(
            prefixed.map(|(key, value)| attribute(&format!("mlflow.trace.{kind}.{key}"), value)),
        );
    }
    attributes
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(value::text(value)),
    }
}

fn span_message(span: &Span, info: &TraceInfo) -> SpanMessage {
    /// OpenTelemetry's default, and the kind of all spans that MLflow makes.
    const INTERNAL: i32 = 1;
    let typed = |(key, json): &(String, String)| KeyValue {
        key: key.clone(),
        value: Some(value::of_json(json)),
    };
    SpanMessage {
        trace_id: trace_id(&info.trace_id, &span.trace_id),
        span_id: id_bytes(span.span_id.as_str(), 8),
        parent_span_id: span
            .parent_id
            .as_ref()
            .map_or(Vec::new(), |id: &SpanId| id_bytes(id.as_str(), 8)),
        name: span.name.clone(),
        kind: INTERNAL,
        start_time_unix_nano: u64::try_from(span.start_ns).unwrap_or(0),
        end_time_unix_nano: span.end_ns.map_or(0, |ns| u64::try_from(ns).unwrap_or(0)),
        attributes: span.attributes.iter().map(typed).collect(),
        events: span.events.iter().map(event_message).collect(),
        links: span.links.iter().map(link_message).collect(),
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

fn event_message(event: &Event) -> EventMessage {
    EventMessage {
        time_unix_nano: u64::try_from(event.time_ns).unwrap_or(0),
        name: event.name.clone(),
        attributes: value::of_map(&event.attributes),
    }
}

fn link_message(link: &Link) -> LinkMessage {
    LinkMessage {
        trace_id: trace_id(&link.trace_id, ""),
        span_id: id_bytes(link.span_id.as_str(), 8),
        attributes: value::of_map(&link.attributes),
    }
}

/// The trace's own id, so that all its spans belong together; that of
/// OpenTelemetry where the own one is not in hex.
fn trace_id(own: &str, otel: &str) -> Vec<u8> {
    let hex = own.strip_prefix("tr-").unwrap_or(own);
    from_hex(hex, 16)
        .or_else(|| from_hex(otel, 16))
        .unwrap_or_else(|| id_bytes(hex, 16))
}

/// An id in hex as bytes. Of other ids, which OpenTelemetry does not know, a
/// hash is made: the same for the same id, so that links and parents hold.
fn id_bytes(id: &str, length: usize) -> Vec<u8> {
    from_hex(id, length).unwrap_or_else(|| {
        let hash = super::hash::fnv1a_128(id.as_bytes()).to_be_bytes();
        hash[16 - length..].to_vec()
    })
}

/// Exactly so many bytes, not all of them zero, which would mean that there is no id.
fn from_hex(text: &str, length: usize) -> Option<Vec<u8>> {
    if text.len() != length * 2 || !text.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let is_hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.filter(|bytes| is_hex && bytes.iter().any(|byte| *byte != 0))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
