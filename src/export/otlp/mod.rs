//! Traces for OpenTelemetry: `ExportTraceServiceRequest`, the body of a request
//! to `/v1/traces` of any collector, in JSON or protobuf. Each trace is a
//! resource, whose attributes hold what MLflow knows of the trace as a whole.
//! Assessments have no place there.

use std::io::{self, Write};

use prost::Message as _;

use super::format::{Losses, Streamed};
use super::json;
use crate::model::{Link, Span, SpanId, Trace, TraceInfo};
use crate::otlp::{
    ExportTraceServiceRequest, InstrumentationScope, KeyValue, LinkMessage, Resource,
    ResourceSpans, ScopeSpans, SpanMessage, from_hex, value,
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
    let id = |id: &SpanId| id_bytes(id.as_str(), 8);
    SpanMessage {
        trace_id: trace_id(&info.trace_id, &span.trace_id),
        span_id: id(&span.span_id),
        parent_span_id: span.parent_id.as_ref().map_or(Vec::new(), id),
        links: span.links.iter().map(link_message).collect(),
        ..SpanMessage::of(span, value::of_json)
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

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
