//! What exports write of random traces, read again by the stores.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::export::sample::any_trace;
use crate::export::{Chosen, End, Order, What, registry};
use crate::model::{Span, SpanKind, Trace, attribute};
use crate::store::{self, Detail, Location};

fn exported(trace: &Trace, format: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let order = Order {
        what: What::Spans,
        columns: &Chosen::default(),
        of_one: true,
    };
    let begin = registry::named(format).unwrap().begin.unwrap();
    let mut document = begin(Box::new(&mut out), &order).unwrap();
    document.push(trace).unwrap();
    document.finish(&End::default()).unwrap();
    out
}

/// What the store of trace files makes of this text.
fn read(text: &[u8], trace_id: &str) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trace.json");
    std::fs::write(&file, text).unwrap();
    let store = store::open(&Location::File(file), None).unwrap();
    store.trace(trace_id, Detail::Whole).unwrap()
}

/// An end of 0 or before the epoch is none, in every source.
fn without_absurd_ends(trace: &Trace) -> Vec<Span> {
    let mut spans = trace.spans.clone();
    for span in &mut spans {
        span.end_ns = span.end_ns.filter(|end| *end > 0);
    }
    spans
}

/// Members as the server's trace endpoints name them, which have the messages of
/// OpenTelemetry in the spelling of Protobuf.
fn in_snake_case(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let renamed = map.into_iter().map(|(key, value)| {
                let mut name = String::new();
                for c in key.chars() {
                    if c.is_ascii_uppercase() {
                        name.push('_');
                    }
                    name.push(c.to_ascii_lowercase());
                }
                (name, in_snake_case(value))
            });
            Value::Object(renamed.collect::<Map<_, _>>())
        }
        Value::Array(list) => list.into_iter().map(in_snake_case).collect(),
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_is_read_as_the_trace_that_it_was_made_from(trace in any_trace()) {
        for form in ["json", "jsonl"] {
            let text = exported(&trace, form);
            let found = read(&text, &trace.info.trace_id);
            prop_assert_eq!(&found.info.tags, &trace.info.tags);
            let mut expected = without_absurd_ends(&trace);
            for span in &mut expected {
                // MLflow reads no span without it.
                if span.attribute(attribute::REQUEST_ID).is_none() {
                    let id = Value::from(trace.info.trace_id.as_str()).to_string();
                    span.attributes.push((attribute::REQUEST_ID.to_owned(), id));
                }
            }
            prop_assert_eq!(found.spans, expected);
        }
    }

    #[test]
    fn what_opentelemetry_gets_is_read_as_the_same_spans(trace in any_trace()) {
        let text = exported(&trace, "otlp");
        let document: Value = serde_json::from_slice(&text).unwrap();
        let spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"].clone();
        let info = json!({"trace_id": trace.info.trace_id});
        let typed = json!({"info": info, "data": {"spans": in_snake_case(spans)}});
        let found = read(typed.to_string().as_bytes(), &trace.info.trace_id);
        let mut expected = without_absurd_ends(&trace);
        for span in &mut expected {
            // OpenTelemetry's default.
            span.kind.get_or_insert(SpanKind::Internal);
        }
        prop_assert_eq!(found.spans, expected);
    }
}
