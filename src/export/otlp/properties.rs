//! That protobuf holds random traces as they are, and JSON what protobuf holds.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::export::sample::any_traces;
use crate::model::{Event, SpanKind, StatusCode};
use crate::otlp::{AnyValue, Typed};

fn hex(bytes: &[u8]) -> String {
    match <[u8; 8]>::try_from(bytes) {
        Ok(bytes) => format!("{:016x}", u64::from_be_bytes(bytes)),
        Err(_) => format!("{:032x}", u128::from_be_bytes(bytes.try_into().unwrap())),
    }
}

fn plain(value: &AnyValue) -> Value {
    match &value.value {
        None => Value::Null,
        Some(Typed::Text(text)) => text.clone().into(),
        Some(Typed::Bool(truth)) => (*truth).into(),
        Some(Typed::Int(number)) => (*number).into(),
        Some(Typed::Double(number)) => (*number).into(),
        Some(Typed::Array(list)) => list.values.iter().map(plain).collect(),
        Some(Typed::Object(list)) => map(&list.values).into(),
        Some(Typed::Bytes(_)) => panic!("no trace of ours has bytes"),
    }
}

fn map(list: &[KeyValue]) -> Map<String, Value> {
    let entry = |kv: &KeyValue| (kv.key.clone(), plain(kv.value.as_ref().unwrap()));
    list.iter().map(entry).collect()
}

/// The span that a message tells of, its attributes' text being canonical JSON.
fn span_of(message: &SpanMessage) -> Span {
    let status = message.status.as_ref().unwrap();
    let time = |ns: u64| i64::try_from(ns).unwrap();
    let id = |bytes: &[u8]| (!bytes.is_empty()).then(|| SpanId::new(hex(bytes)));
    Span {
        span_id: id(&message.span_id).unwrap(),
        parent_id: id(&message.parent_span_id),
        trace_id: hex(&message.trace_id),
        name: message.name.clone(),
        // Nothing more is known of a span that nobody said it of.
        kind: SpanKind::of_number(message.kind.into()).filter(|kind| *kind != SpanKind::Internal),
        start_ns: time(message.start_time_unix_nano),
        end_ns: Some(time(message.end_time_unix_nano)).filter(|end| *end > 0),
        status: [StatusCode::Unset, StatusCode::Ok, StatusCode::Error]
            [usize::try_from(status.code).unwrap()],
        status_message: status.message.clone(),
        attributes: message
            .attributes
            .iter()
            .map(|kv| {
                (
                    kv.key.clone(),
                    plain(kv.value.as_ref().unwrap()).to_string(),
                )
            })
            .collect(),
        events: message
            .events
            .iter()
            .map(|event| Event {
                name: event.name.clone(),
                time_ns: time(event.time_unix_nano),
                attributes: map(&event.attributes),
            })
            .collect(),
        links: message
            .links
            .iter()
            .map(|link| Link {
                trace_id: format!("tr-{}", hex(&link.trace_id)),
                span_id: id(&link.span_id).unwrap(),
                attributes: map(&link.attributes),
            })
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn protobuf_and_json_hold_the_spans_of_any_traces(traces in any_traces()) {
        let mut bytes = Vec::new();
        let mut json = Vec::new();
        let mut document = OtlpJson::default();
        for trace in &traces {
            OtlpProto::default().push(&mut bytes, trace).unwrap();
            document.push(&mut json, trace).unwrap();
        }
        document.finish(&mut json).unwrap();
        let request = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(request.resource_spans.len(), traces.len());
        for (resource, trace) in request.resource_spans.iter().zip(&traces) {
            let known = map(&resource.resource.as_ref().unwrap().attributes);
            prop_assert_eq!(&known["mlflow.trace.id"], &trace.info.trace_id);
            let name = known.get("mlflow.trace.name").and_then(Value::as_str);
            prop_assert_eq!(name, trace.info.name());
            let scopes = resource.scope_spans.iter();
            let found: Vec<Span> = scopes.flat_map(|scope| &scope.spans).map(span_of).collect();
            let mut expected = trace.spans.clone();
            for span in &mut expected {
                // The format has no time before the epoch, and no end is an end of 0.
                span.end_ns = span.end_ns.filter(|end| *end > 0);
            }
            prop_assert_eq!(found, expected);
        }
        let written: Value = serde_json::from_slice(&json).unwrap();
        let decoded = serde_json::to_value(&request.resource_spans).unwrap();
        prop_assert_eq!(&written["resourceSpans"], &decoded);
    }
}
