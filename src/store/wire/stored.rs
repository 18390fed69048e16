//! A span as MLflow keeps it in its table of spans: JSON in Python's spelling, with ids in
//! base64 and each attribute as JSON text in a string.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::filter::{write_json, write_text};
use crate::model::{Span, attribute};

/// The JSON of a span of the trace with this id; its own ids, in hex, are bytes by now.
pub(in crate::store) fn stored_span(trace_id: &str, ids: Ids<'_>, span: &Span) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "{{\"trace_id\": \"{}\", \"span_id\": \"{}\", \"parent_span_id\": ",
        STANDARD.encode(ids.trace),
        STANDARD.encode(ids.span)
    );
    match ids.parent {
        Some(id) => {
            let _ = write!(out, "\"{}\"", STANDARD.encode(id));
        }
        None => out.push_str("null"),
    }
    out.push_str(", \"name\": ");
    write_text(&mut out, &span.name, false);
    if let Some(kind) = span.kind {
        let _ = write!(out, ", \"kind\": \"{}\"", kind.as_otel_str());
    }
    let _ = write!(out, ", \"start_time_unix_nano\": {}", span.start_ns);
    match span.end_ns {
        Some(end) => {
            let _ = write!(out, ", \"end_time_unix_nano\": {end}");
        }
        None => out.push_str(", \"end_time_unix_nano\": null"),
    }
    out.push_str(", \"events\": ");
    list(&mut out, &span.events, |out, event| {
        out.push_str("{\"name\": ");
        write_text(out, &event.name, false);
        let _ = write!(out, ", \"time_unix_nano\": {}", event.time_ns);
        members(out, &event.attributes);
        out.push('}');
    });
    let code = span.status.as_otel_str();
    let _ = write!(out, ", \"status\": {{\"code\": \"{code}\", \"message\": ");
    write_text(&mut out, &span.status_message, false);
    out.push_str("}, \"attributes\": {");
    let own = Value::from(trace_id).to_string();
    let is_own = |key: &str| key == attribute::REQUEST_ID;
    let missing = !span.attributes.iter().any(|(key, _)| is_own(key));
    let first = missing.then_some((attribute::REQUEST_ID, own.as_str()));
    let others = span.attributes.iter().map(|(key, json)| {
        let json = if is_own(key) { &own } else { json };
        (key.as_str(), json.as_str())
    });
    for (at, (key, json)) in first.into_iter().chain(others).enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write_text(&mut out, key, false);
        out.push_str(": ");
        write_text(&mut out, json, false);
    }
    out.push_str("}, \"links\": ");
    list(&mut out, &span.links, |out, link| {
        out.push_str("{\"trace_id\": ");
        write_text(out, &link.trace_id, false);
        out.push_str(", \"span_id\": ");
        write_text(out, link.span_id.as_str(), false);
        members(out, &link.attributes);
        out.push('}');
    });
    out.push('}');
    out
}

/// The ids of a span as bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Ids<'i> {
    /// OpenTelemetry's of the trace.
    pub(in crate::store) trace: &'i [u8],
    pub(in crate::store) span: &'i [u8],
    pub(in crate::store) parent: Option<&'i [u8]>,
}

fn list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write(out, item);
    }
    out.push(']');
}

fn members(out: &mut String, attributes: &Map<String, Value>) {
    out.push_str(", \"attributes\": {");
    for (at, (key, value)) in attributes.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write_text(out, key, false);
        out.push_str(": ");
        write_json(out, value, false);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, Link, SpanId, SpanKind, StatusCode};
    use crate::store::Detail;
    use crate::store::wire::span_from_slice;
    use serde_json::json;

    #[test]
    fn a_span_is_kept_as_mlflow_keeps_it_and_read_as_it_was() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let span = Span {
            span_id: SpanId::new("b58fdba0d7f1b986"),
            parent_id: None,
            trace_id: "e4eff39252fc5bacc10898b094f7c755".to_owned(),
            name: "größe \"x\"".to_owned(),
            kind: Some(SpanKind::Server),
            start_ns: 1_795_742_279_936_146_122,
            end_ns: None,
            status: StatusCode::Error,
            status_message: "no\n".to_owned(),
            attributes: vec![
                ("a".to_owned(), "\"é\"".to_owned()),
                ("mlflow.traceRequestId".to_owned(), "\"other\"".to_owned()),
                ("n".to_owned(), "NaN".to_owned()),
            ],
            events: vec![Event {
                name: "e".to_owned(),
                time_ns: 7,
                attributes: map(json!({"k": [1, 1e20, null]})),
            }],
            links: vec![Link {
                trace_id: "tr-00000000000000000000000000000007".to_owned(),
                span_id: SpanId::new("0000000000000009"),
                attributes: map(json!({})),
            }],
        };
        let hex = |hex: &str, length| crate::otlp::from_hex(hex, length).unwrap();
        let (trace, own) = (hex(&span.trace_id, 16), hex(span.span_id.as_str(), 8));
        let ids = Ids {
            trace: &trace,
            span: &own,
            parent: None,
        };
        let json = stored_span("tr-1", ids, &span);
        assert_eq!(
            json,
            "{\"trace_id\": \"5O/zklL8W6zBCJiwlPfHVQ==\", \"span_id\": \"tY/boNfxuYY=\", \
             \"parent_span_id\": null, \"name\": \"größe \\\"x\\\"\", \
             \"kind\": \"SPAN_KIND_SERVER\", \"start_time_unix_nano\": 1795742279936146122, \"end_time_unix_nano\": null, \
             \"events\": [{\"name\": \"e\", \"time_unix_nano\": 7, \
             \"attributes\": {\"k\": [1, 1e+20, null]}}], \
             \"status\": {\"code\": \"STATUS_CODE_ERROR\", \"message\": \"no\\n\"}, \
             \"attributes\": {\"a\": \"\\\"é\\\"\", \"mlflow.traceRequestId\": \"\\\"tr-1\\\"\", \
             \"n\": \"NaN\"}, \
             \"links\": [{\"trace_id\": \"tr-00000000000000000000000000000007\", \
             \"span_id\": \"0000000000000009\", \"attributes\": {}}]}"
        );
        let mut expected = span;
        expected.attributes[1].1 = "\"tr-1\"".to_owned();
        let read = span_from_slice(json.as_bytes(), Detail::Whole).unwrap();
        assert_eq!(read, expected);
    }
}
