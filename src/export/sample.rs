//! Random traces for the laws of exports: damaged trees, names that mean
//! something to a format, and attributes of every kind.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};

use crate::analysis::properties::{any_spans, sequential_spans};
use crate::model::{Event, Link, Span, SpanId, StatusCode, Trace, TraceInfo, tag};

/// Blank, or else distinct in their first letters.
const NAMES: [&str; 9] = [
    "a",
    "b;c",
    "d\ne 12",
    "f \u{1b}[31m",
    "g\u{2028}\u{202e}",
    "h\"\\;",
    "日本",
    "",
    " \t",
];

/// What a span has beside its place and its times.
#[derive(Debug, Clone)]
struct Dress {
    name: &'static str,
    attributes: Vec<(String, Value)>,
    events: Vec<(i64, Map<String, Value>)>,
    links: Vec<(u128, u64, Map<String, Value>)>,
    message: &'static str,
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(NAMES.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            keyed(inner).prop_map(Value::from),
        ]
    })
}

fn keyed(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![Just("k"), Just("key.b"), Just("exception.type"), Just("")];
    let entry = (key.prop_map(str::to_owned), value);
    prop::collection::vec(entry, 0..3).prop_map(|entries| entries.into_iter().collect())
}

fn dress() -> impl Strategy<Value = Dress> {
    let events = (-5_000_000..5_000_000_i64, keyed(json()));
    let links = (1..u128::MAX, 1..u64::MAX, keyed(json()));
    (
        select(NAMES.to_vec()),
        keyed(json()),
        prop::collection::vec(events, 0..2),
        prop::collection::vec(links, 0..2),
        select(vec!["", "it failed: é\u{7}"]),
    )
        .prop_map(|(name, attributes, events, links, message)| Dress {
            name,
            attributes: attributes.into_iter().collect(),
            events,
            links,
            message,
        })
}

/// Sixteen hex digits for the ids of the samples, which end in a number.
fn hex_id(id: &SpanId) -> SpanId {
    let number: u64 = id.as_str().trim_start_matches('s').parse().unwrap();
    SpanId::new(format!("{:016x}", number ^ 0x00ab_cdef_0000_0000))
}

fn dressed(mut span: Span, trace: u128, dress: &Dress) -> Span {
    span.span_id = hex_id(&span.span_id);
    span.parent_id = span.parent_id.as_ref().map(hex_id);
    span.trace_id = format!("{trace:032x}");
    dress.name.clone_into(&mut span.name);
    let attributes = dress.attributes.iter();
    span.attributes
        .extend(attributes.map(|(key, value)| (key.clone(), value.to_string())));
    span.events = dress
        .events
        .iter()
        .map(|(offset, attributes)| Event {
            name: dress.name.to_owned(),
            time_ns: span.start_ns + offset,
            attributes: attributes.clone(),
        })
        .collect();
    let link = |(trace, id, attributes): &(u128, u64, Map<String, Value>)| Link {
        trace_id: format!("tr-{trace:032x}"),
        span_id: SpanId::new(format!("{id:016x}")),
        attributes: attributes.clone(),
    };
    span.links = dress.links.iter().map(link).collect();
    if span.status == StatusCode::Error {
        dress.message.clone_into(&mut span.status_message);
    }
    span
}

/// A trace whose ids are those of OpenTelemetry; some span ids may come twice.
pub(crate) fn any_trace() -> impl Strategy<Value = Trace> {
    let name = prop::option::of(select(NAMES.to_vec()));
    (
        prop_oneof![3 => any_spans(), 1 => sequential_spans()],
        prop::collection::vec(dress(), 1..6),
        1..u128::MAX,
        name,
        any::<Index>(),
    )
        .prop_map(|(spans, dresses, id, name, turn)| {
            let mut info = TraceInfo::new(format!("tr-{id:032x}"));
            if let Some(name) = name {
                info.tags.insert(tag::NAME.to_owned(), name.to_owned());
            }
            let turn = turn.index(dresses.len());
            let dresses = dresses.iter().cycle().skip(turn);
            let spans = spans.into_iter().zip(dresses);
            Trace {
                info,
                spans: spans.map(|(span, with)| dressed(span, id, with)).collect(),
            }
        })
}

/// Traces, each with an id of its own.
pub(super) fn any_traces() -> impl Strategy<Value = Vec<Trace>> {
    prop::collection::vec(any_trace(), 0..4)
}
