//! A trace on one line, in the form that the readers here take most quickly.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::model::{Span, SpanKind, Trace, TraceInfo};

/// Writes a trace that has no assessments, and a line feed.
pub(in crate::store) fn write_trace(out: &mut dyn Write, trace: &Trace) -> io::Result<()> {
    let spans: Vec<Value> = trace.spans.iter().map(span).collect();
    let document = json!({"info": info(&trace.info), "data": {"spans": spans}});
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn info(info: &TraceInfo) -> Value {
    let location = info.experiment_id.as_deref().map(|id| {
        json!({
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": id},
        })
    });
    json!({
        "trace_id": info.trace_id,
        "client_request_id": info.client_request_id,
        "trace_location": info.location.clone().or(location),
        "request_time": info.request_time.map(|time| time.to_string()),
        "duration_ns": info.execution_duration_ns,
        "state": info.state.as_str(),
        "trace_metadata": info.metadata,
        "tags": info.tags,
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
    })
}

fn span(span: &Span) -> Value {
    let attributes: Map<String, Value> = span
        .attributes
        .iter()
        .map(|(key, json)| (key.clone(), Value::from(json.as_str())))
        .collect();
    let events: Vec<Value> = span
        .events
        .iter()
        .map(|event| {
            json!({
                "name": event.name,
                "time_unix_nano": event.time_ns,
                "attributes": event.attributes,
            })
        })
        .collect();
    let links: Vec<Value> = span
        .links
        .iter()
        .map(|link| {
            json!({
                "trace_id": link.trace_id,
                "span_id": link.span_id.as_str(),
                "attributes": link.attributes,
            })
        })
        .collect();
    json!({
        "trace_id": span.trace_id,
        "span_id": span.span_id.as_str(),
        "parent_span_id": span.parent_id.as_ref().map(crate::model::SpanId::as_str),
        "name": span.name,
        "kind": span.kind.map(SpanKind::as_otel_str),
        "start_time_unix_nano": span.start_ns,
        "end_time_unix_nano": span.end_ns,
        "status": {"code": span.status.as_otel_str(), "message": span.status_message},
        "attributes": attributes,
        "events": events,
        "links": links,
    })
}
