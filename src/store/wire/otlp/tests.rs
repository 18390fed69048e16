//! Messages in protobuf, as they come and as MLflow would keep them.

use super::*;
use crate::otlp::{
    AnyValue, ArrayValue, KeyValue, KeyValueList, ResourceSpans, ScopeSpans, Status, Typed,
};

fn kv(key: &str, value: impl Into<Option<Typed>>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: value.into(),
        }),
    }
}

fn message() -> SpanMessage {
    SpanMessage {
        trace_id: vec![7; 16],
        span_id: vec![1, 2],
        name: "a".to_owned(),
        start_time_unix_nano: 5,
        end_time_unix_nano: 9,
        status: Some(Status {
            message: "no".to_owned(),
            code: 2,
        }),
        ..SpanMessage::default()
    }
}

fn read(message: SpanMessage) -> Result<Span, Flaw> {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: None,
            scope_spans: vec![ScopeSpans {
                scope: None,
                spans: vec![message],
            }],
        }],
    };
    spans_from_protobuf(&request.encode_to_vec()).map(|mut spans| spans.remove(0))
}

#[test]
fn values_become_the_json_text_that_python_writes() {
    let inner = KeyValueList {
        values: vec![kv("é\"", Typed::Int(-7)), kv("none", None)],
    };
    let list = ArrayValue {
        values: [Typed::Double(1.0), Typed::Double(f64::NAN)]
            .map(|typed| AnyValue { value: Some(typed) })
            .to_vec(),
    };
    let span = read(SpanMessage {
        attributes: vec![
            kv("o", Typed::Object(inner)),
            kv("l", Typed::Array(list)),
            kv("b", Typed::Bytes(b"\x00'a".to_vec())),
            kv("t", Typed::Text("first".to_owned())),
            kv("t", Typed::Bool(true)),
        ],
        ..message()
    })
    .unwrap();
    let texts: Vec<(&str, &str)> = span
        .attributes
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            ("o", r#"{"é\"": -7, "none": null}"#),
            ("l", "[1.0, NaN]"),
            ("b", r#""b\"\\x00'a\"""#),
            ("t", "true"),
        ]
    );
    assert_eq!(span.span_id.as_str(), "0000000000000102");
    assert_eq!(
        (span.start_ns, span.end_ns, span.status),
        (5, Some(9), StatusCode::Error)
    );
}

#[test]
fn what_cannot_be_read_is_named_with_its_member() {
    let spans = "resourceSpans[0].scopeSpans[0].spans[0]";
    for (message, member) in [
        (
            SpanMessage {
                start_time_unix_nano: 0,
                ..message()
            },
            "startTimeUnixNano",
        ),
        (
            SpanMessage {
                end_time_unix_nano: u64::MAX,
                ..message()
            },
            "endTimeUnixNano",
        ),
        (
            SpanMessage {
                span_id: Vec::new(),
                ..message()
            },
            "spanId",
        ),
        (
            SpanMessage {
                trace_id: vec![1; 17],
                ..message()
            },
            "traceId",
        ),
        (
            SpanMessage {
                status: Some(Status {
                    code: 7,
                    ..Status::default()
                }),
                ..message()
            },
            "status.code",
        ),
    ] {
        assert_eq!(
            read(message).unwrap_err().member,
            format!("{spans}.{member}")
        );
    }
    assert_eq!(
        spans_from_protobuf(b"no protobuf").unwrap_err().to_string(),
        "it is not OpenTelemetry's TracesData in protobuf"
    );
}
