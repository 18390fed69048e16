//! The JSON text of a span as MLflow's tracking store keeps it, which is what
//! `trace.text`, `span.content` and `span.attributes.*` search.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::python::{write_json, write_object, write_text};
use crate::model::{Event, Link, Span};

/// The stored text of a span: Python's spacing, non-ASCII characters as they are.
pub fn stored_json(span: &Span) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("{\"trace_id\": ");
    write_id(&mut out, &span.trace_id, 32);
    out.push_str(", \"span_id\": ");
    write_id(&mut out, span.span_id.as_str(), 16);
    out.push_str(", \"parent_span_id\": ");
    match &span.parent_id {
        Some(parent) => write_id(&mut out, parent.as_str(), 16),
        None => out.push_str("null"),
    }
    out.push_str(", \"name\": ");
    write_text(&mut out, &span.name, false);
    // As since MLflow 3.18.
    if let Some(kind) = span.kind {
        out.push_str(", \"kind\": \"");
        out.push_str(kind.as_otel_str());
        out.push('"');
    }
    out.push_str(", \"start_time_unix_nano\": ");
    out.push_str(&span.start_ns.to_string());
    out.push_str(", \"end_time_unix_nano\": ");
    match span.end_ns {
        Some(end) => out.push_str(&end.to_string()),
        None => out.push_str("null"),
    }
    out.push_str(", \"events\": ");
    write_list(&mut out, &span.events, write_event);
    out.push_str(", \"status\": {\"code\": \"");
    out.push_str(span.status.as_otel_str());
    out.push_str("\", \"message\": ");
    write_text(&mut out, &span.status_message, false);
    out.push_str("}, \"attributes\": ");
    write_object(
        &mut out,
        span.attributes.iter().map(|(key, value)| (key, value)),
        |out, value| write_text(out, value, false),
        false,
    );
    out.push_str(", \"links\": ");
    write_list(&mut out, &span.links, write_link);
    out.push('}');
    out
}

fn write_event(out: &mut String, event: &Event) {
    out.push_str("{\"name\": ");
    write_text(out, &event.name, false);
    out.push_str(", \"time_unix_nano\": ");
    out.push_str(&event.time_ns.to_string());
    out.push_str(", \"attributes\": ");
    write_object(
        out,
        event.attributes.iter(),
        |out, value| write_json(out, value, false),
        false,
    );
    out.push('}');
}

fn write_link(out: &mut String, link: &Link) {
    out.push_str("{\"trace_id\": ");
    write_text(out, &link.trace_id, false);
    out.push_str(", \"span_id\": ");
    write_text(out, link.span_id.as_str(), false);
    out.push_str(", \"attributes\": ");
    if link.attributes.is_empty() {
        out.push_str("null");
    } else {
        write_object(
            out,
            link.attributes.iter(),
            |out, value| write_json(out, value, false),
            false,
        );
    }
    out.push('}');
}

fn write_list<T>(out: &mut String, items: &[T], mut write_item: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_item(out, item);
    }
    out.push(']');
}

/// Appends an id as base64 of its bytes; an id that is not hex stays as it is.
fn write_id(out: &mut String, hex: &str, digits: usize) {
    let padded = format!("{hex:0>digits$}");
    let bytes: Option<Vec<u8>> = padded
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect();
    match bytes {
        Some(bytes) if padded.len() == digits => {
            write_text(out, &STANDARD.encode(bytes), false);
        }
        _ => write_text(out, hex, false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{SpanId, StatusCode};

    #[test]
    fn a_span_is_written_as_the_tracking_store_writes_it() {
        let span = Span {
            span_id: SpanId::new("e0dcb8da840df7b4"),
            parent_id: Some(SpanId::new("e1aa252874b29112")),
            trace_id: "51a088e1d08df5c0638d48f2dcaad786".to_owned(),
            name: "llm é".to_owned(),
            start_ns: 1,
            end_ns: None,
            status: StatusCode::Error,
            status_message: "boom".to_owned(),
            attributes: vec![
                ("temperature".to_owned(), "0.5".to_owned()),
                ("q".to_owned(), "\"\\u00e9\"".to_owned()),
            ],
            events: vec![Event {
                name: "exception".to_owned(),
                time_ns: 2,
                attributes: json!({"n": 1e-7}).as_object().unwrap().clone(),
            }],
            links: Vec::new(),
            kind: None,
        };
        assert_eq!(
            stored_json(&span),
            r#"{"trace_id": "UaCI4dCN9cBjjUjy3KrXhg==", "span_id": "4Ny42oQN97Q=", "parent_span_id": "4aolKHSykRI=", "name": "llm é", "start_time_unix_nano": 1, "end_time_unix_nano": null, "events": [{"name": "exception", "time_unix_nano": 2, "attributes": {"n": 1e-07}}], "status": {"code": "STATUS_CODE_ERROR", "message": "boom"}, "attributes": {"temperature": "0.5", "q": "\"\\u00e9\""}, "links": []}"#
        );
    }

    #[test]
    fn ids_that_are_not_hex_stay_as_they_are() {
        let mut out = String::new();
        write_id(&mut out, "no hex", 16);
        write_id(&mut out, "1", 16);
        assert_eq!(out, r#""no hex""AAAAAAAAAAE=""#);
    }
}
