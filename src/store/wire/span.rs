//! Spans in the four shapes that MLflow has written: MLflow 2 (`context`, hex
//! ids), MLflow 3 as stored (base64 ids, attributes of JSON text), 3.5 (hex
//! ids, short status codes), and the typed attributes of the trace endpoints.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use regex::bytes::Regex;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::attributes::{Attributes, PlainAttributes};
use super::depth::{
    Brief, Depth, Eventful, Events, Timed, Whole, drop_hints, list_if, may_hint, may_measure,
};
use super::flaw::Flaw;
use super::time::{Nanos, Otherwise};
use super::{careful, ids, null_as_default};
use crate::model::{Event, Link, Span, SpanId, SpanKind, StatusCode};
use crate::store::Detail;

/// Reads `{"spans": […]}`.
///
/// # Errors
/// What is no JSON, and the first member that cannot be read.
pub(in crate::store) fn spans_from_slice(json: &[u8], detail: Detail) -> Result<Vec<Span>, Flaw> {
    fn read<D: Depth>(json: &[u8]) -> serde_json::Result<Vec<Span>> {
        serde_json::from_slice::<WireSpans<D>>(json).map(|wire| wire.spans.into_vec())
    }
    let quick = match detail {
        Detail::Times => read::<Timed>(json),
        Detail::Measures => read::<Brief>(json),
        Detail::Events => read::<Eventful>(json),
        Detail::Whole => read::<Whole>(json),
    };
    match quick {
        Ok(spans) if !spans.is_empty() => Ok(spans),
        _ => careful::spans(json, detail),
    }
}

/// Reads one span.
///
/// # Errors
/// Those of [`spans_from_slice`].
pub(in crate::store) fn span_from_slice(json: &[u8], detail: Detail) -> Result<Span, Flaw> {
    fn read<D: Depth>(json: &[u8]) -> Option<Span> {
        serde_json::from_slice::<WireSpan<D>>(json)
            .ok()?
            .into_span()
    }
    let quick = match detail {
        Detail::Times => read::<Timed>(json),
        Detail::Measures => read::<Brief>(json),
        Detail::Events => read::<Eventful>(json),
        Detail::Whole => read::<Whole>(json),
    };
    quick.map_or_else(|| careful::span(json, detail), Ok)
}

/// Whether the JSON text of a span, as a database has it, may say anything to this
/// depth besides ids, name, type, state and times.
pub(in crate::store) fn tells_more(json: &[u8], detail: Detail) -> bool {
    match detail {
        Detail::Times => false,
        Detail::Measures => may_measure(json),
        Detail::Events => may_measure(json) || !is_uneventful(json),
        Detail::Whole => true,
    }
}

/// Whether there are neither events nor a message, as MLflow writes it; within a
/// text, quotes would have a backslash before them.
fn is_uneventful(json: &[u8]) -> bool {
    static NO_EVENTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#""events": \[\], "status": \{"code": ""#).expect("a good pattern")
    });
    NO_EVENTS.find(json).is_some_and(|found| {
        let rest = &json[found.end()..];
        let code = rest.iter().position(|b| *b == b'"').unwrap_or(rest.len());
        rest[code..].starts_with(br#"", "message": ""}"#)
    })
}

/// An object with a list of spans; whatever else it holds is ignored.
#[derive(Deserialize)]
#[serde(bound = "D: Depth")]
pub(in crate::store) struct WireSpans<D> {
    #[serde(default, deserialize_with = "null_as_default")]
    pub(in crate::store) spans: SpanList<D>,
}

/// A list of spans, converted one by one so that the wire form of only one
/// exists at any time.
pub(in crate::store) struct SpanList<D>(Vec<Span>, PhantomData<D>);

impl<D> SpanList<D> {
    pub(in crate::store) fn into_vec(self) -> Vec<Span> {
        self.0
    }
}

impl<D> Default for SpanList<D> {
    fn default() -> Self {
        Self(Vec::new(), PhantomData)
    }
}

impl<'de, P: Depth> Deserialize<'de> for SpanList<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<P>(PhantomData<P>);

        impl<'de, P: Depth> Visitor<'de> for ListVisitor<P> {
            type Value = SpanList<P>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of spans")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SpanList<P>, A::Error> {
                let mut spans = Vec::new();
                while let Some(wire) = seq.next_element::<WireSpan<P>>()? {
                    let span = wire.into_span();
                    spans.push(span.ok_or_else(|| A::Error::missing_field("span_id"))?);
                }
                Ok(SpanList(spans, PhantomData))
            }
        }

        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

#[derive(Deserialize)]
#[serde(bound = "D: Depth")]
struct WireSpan<D> {
    #[serde(default, deserialize_with = "null_as_default")]
    name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    trace_id: String,
    #[serde(default, deserialize_with = "null_as_default")]
    span_id: String,
    #[serde(alias = "parent_id")]
    parent_span_id: Option<String>,
    context: Option<Context>,
    kind: Option<serde_json::Value>,
    #[serde(alias = "start_time")]
    start_time_unix_nano: Nanos,
    #[serde(alias = "end_time")]
    end_time_unix_nano: Option<Nanos>,
    status: Option<Status>,
    status_code: Option<Code>,
    status_message: Option<String>,
    #[serde(default)]
    attributes: Attributes<D>,
    #[serde(default, deserialize_with = "events::<D, _>")]
    events: Vec<WireEvent>,
    #[serde(default, deserialize_with = "links::<D, _>")]
    links: Vec<WireLink>,
    #[serde(
        alias = "traceId",
        alias = "spanId",
        alias = "parentSpanId",
        alias = "parentId",
        alias = "startTimeUnixNano",
        alias = "start_time_ns",
        alias = "startTimeNs",
        alias = "startTime",
        alias = "endTimeUnixNano",
        alias = "end_time_ns",
        alias = "endTimeNs",
        alias = "endTime",
        alias = "statusCode",
        alias = "statusMessage"
    )]
    #[allow(dead_code, reason = "where it is, the quick reader gives up")]
    otherwise: Option<Otherwise>,
}

fn events<'de, P: Depth, D: Deserializer<'de>>(from: D) -> Result<Vec<WireEvent>, D::Error> {
    match P::EVENTS {
        Events::All => list_if(true, from),
        Events::None => list_if(false, from),
        Events::OfTokens => Ok(Option::<Hints>::deserialize(from)?.unwrap_or_default().0),
    }
}

/// Those events of a list that are chunks of a stream and may tell of tokens. What is no
/// event is left to those who read them all.
#[derive(Default)]
struct Hints(Vec<WireEvent>);

impl<'de> Deserialize<'de> for Hints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HintsVisitor;

        impl<'de> Visitor<'de> for HintsVisitor {
            type Value = Hints;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Hints, A::Error> {
                let mut hints = Vec::new();
                while let Some(raw) = seq.next_element::<Box<RawValue>>()? {
                    if may_hint(raw.get().as_bytes()) {
                        let event: Option<WireEvent> = serde_json::from_str(raw.get()).ok();
                        hints.extend(event.filter(WireEvent::is_chunk));
                    }
                }
                Ok(Hints(hints))
            }
        }

        deserializer.deserialize_any(HintsVisitor)
    }
}

fn links<'de, P: Depth, D: Deserializer<'de>>(from: D) -> Result<Vec<WireLink>, D::Error> {
    list_if(P::WHOLE, from)
}

#[derive(Deserialize)]
struct Context {
    span_id: String,
    trace_id: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Status {
    code: Option<Code>,
    message: Option<String>,
}

/// A status code by name or by OpenTelemetry's number.
#[derive(Clone, Copy)]
struct Code(StatusCode);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CodeVisitor;

        impl Visitor<'_> for CodeVisitor {
            type Value = Code;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Code, E> {
                StatusCode::from_name(name)
                    .map(Code)
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(""), &self))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Code, E> {
                match number {
                    0 => Ok(Code(StatusCode::Unset)),
                    1 => Ok(Code(StatusCode::Ok)),
                    2 => Ok(Code(StatusCode::Error)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }
        }

        deserializer.deserialize_any(CodeVisitor)
    }
}

#[derive(Deserialize)]
struct WireEvent {
    #[serde(default)]
    name: String,
    #[serde(alias = "timestamp", alias = "time")]
    time_unix_nano: Nanos,
    #[serde(default)]
    attributes: PlainAttributes,
}

#[derive(Deserialize)]
struct WireLink {
    trace_id: String,
    span_id: String,
    #[serde(default)]
    attributes: PlainAttributes,
}

impl<D: Depth> WireSpan<D> {
    /// # Errors
    /// A span without an id.
    fn into_span(self) -> Option<Span> {
        let (span_id, trace_id) = match self.context {
            Some(context) => (context.span_id, context.trace_id),
            None => (self.span_id, self.trace_id),
        };
        let status = self.status.unwrap_or_default();
        let code = status.code.or(self.status_code);
        let mut span = Span {
            span_id: ids::span_id(&span_id)?,
            parent_id: self.parent_span_id.as_deref().and_then(ids::parent_id),
            trace_id: ids::otel_trace_id(&trace_id),
            name: self.name,
            kind: self.kind.as_ref().and_then(SpanKind::of_json),
            start_ns: self.start_time_unix_nano.0,
            // OpenTelemetry spans without an end are stored with an end of zero.
            end_ns: self
                .end_time_unix_nano
                .map(|Nanos(end)| end)
                .filter(|end| *end > 0),
            status: code.map_or(StatusCode::Unset, |Code(code)| code),
            status_message: status.message.or(self.status_message).unwrap_or_default(),
            attributes: self.attributes.into_vec(),
            events: self.events.into_iter().map(WireEvent::into_event).collect(),
            links: self.links.into_iter().map(WireLink::into_link).collect(),
        };
        if !D::WHOLE {
            drop_hints(&mut span, D::EVENTS);
        }
        Some(span)
    }
}

impl WireEvent {
    fn is_chunk(&self) -> bool {
        let keys = &self.attributes.0;
        Event::CHUNKS.iter().any(|key| keys.contains_key(*key))
    }

    fn into_event(self) -> Event {
        Event {
            name: self.name,
            time_ns: self.time_unix_nano.0,
            attributes: self.attributes.0,
        }
    }
}

impl WireLink {
    fn into_link(self) -> Link {
        Link {
            trace_id: ids::link_trace_id(self.trace_id),
            span_id: ids::span_id(&self.span_id).unwrap_or_else(|| SpanId::new("")),
            attributes: self.attributes.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(json: &str) -> Span {
        spans_from_slice(json.as_bytes(), Detail::Whole)
            .unwrap()
            .remove(0)
    }

    #[test]
    fn the_stored_form_is_read() {
        let span = one(
            r#"{"spans":[{"trace_id":"UaCI4dCN9cBjjUjy3KrXhg==","span_id":"4Ny4o2QN7NA=","parent_span_id":"4aolKHtRkiQ=",
            "name":"llm","start_time_unix_nano":1795378201950404750,"end_time_unix_nano":1795378201950730214,
            "events":[{"name":"exception","time_unix_nano":1795378201971389184,"attributes":{"exception.type":"ValueError","exception.message":"boom"}}],
            "status":{"code":"STATUS_CODE_OK","message":""},
            "attributes":{"mlflow.spanType":"\"CHAT_MODEL\"","temperature":"0.5","nan":"NaN"},"links":[]}]}"#,
        );
        assert_eq!(span.trace_id, "51a088e1d08df5c0638d48f2dcaad786");
        assert_eq!(span.span_id.as_str(), "e0dcb8a3640decd0");
        assert_eq!(span.raw_duration_ns(), Some(325_464));
        assert_eq!(span.span_type(), "CHAT_MODEL");
        assert_eq!(span.attribute("nan"), Some("NaN"));
        assert_eq!(span.error_text().unwrap(), "ValueError: boom");
    }

    #[test]
    fn typed_attributes_become_json_text() {
        let span = one(
            r#"{"spans":[{"trace_id":"CvdlGRbNQ92ESOshHIAxnA==","span_id":"APBnqgupArc=","name":"root",
            "start_time_unix_nano":"1795378206000000000",
            "attributes":[{"key":"d","value":{"double_value":1.5}},{"key":"n","value":{"int_value":7}},{"key":"nan","value":{"double_value":"NaN"}},
            {"key":"arr","value":{"array_value":{"values":[{"string_value":"x"},{"int_value":2}]}}},{"key":"none","value":{}},
            {"key":"kv","value":{"kvlist_value":{"values":[{"key":"a","value":{"int_value":1}}]}}}],
            "events":[{"time_unix_nano":5,"name":"ev","attributes":[{"key":"e","value":{"string_value":"v"}}]}],
            "status":{"message":"bad","code":"STATUS_CODE_ERROR"}}]}"#,
        );
        let texts: Vec<&str> = span.attributes.iter().map(|(_, v)| v.as_str()).collect();
        assert_eq!(
            texts,
            ["1.5", "7", "\"NaN\"", "[\"x\",2]", "null", "{\"a\":1}"]
        );
        assert_eq!(span.events[0].attributes["e"], "v");
        assert_eq!(
            (span.start_ns, span.end_ns),
            (1_795_378_206_000_000_000, None)
        );
    }

    #[test]
    fn a_brief_reading_keeps_what_is_measured() {
        let rest =
            r#""events":[{"name":7}],"links":{"not":"read"},"status":{"code":"STATUS_CODE_OK"}"#;
        for attributes in [
            r#"{"mlflow.spanInputs":"{\"q\": 1}","mlflow.spanType":"\"LLM\"","n":[1,{"a":"]}"}],"mlflow.chat.tokenUsage":"{\"input_tokens\": 3}","gen_ai.request.model":"\"m\""}"#,
            r#"[{"key":"mlflow.spanInputs","value":{"kvlist_value":{"values":[]}}},{"key":"mlflow.spanType","value":{"string_value":"LLM"}},
                {"value":{"kvlist_value":{"values":[{"key":"input_tokens","value":{"int_value":3}}]}},"key":"mlflow.chat.tokenUsage"},
                {"key":"gen_ai.request.model","value":{"string_value":"m"}}]"#,
        ] {
            let json = format!(
                r#"{{"name":"a","span_id":"1","start_time_unix_nano":5,"end_time_unix_nano":9,"attributes":{attributes},{rest}}}"#
            );
            let span = span_from_slice(json.as_bytes(), Detail::Measures).unwrap();
            let keys: Vec<&str> = span
                .attributes
                .iter()
                .map(|(key, _)| key.as_str())
                .collect();
            let expected = [
                "mlflow.spanType",
                "mlflow.chat.tokenUsage",
                "gen_ai.request.model",
            ];
            assert_eq!(keys, expected);
            assert_eq!(
                (&*span.span_type(), span.model().as_deref()),
                ("LLM", Some("m"))
            );
            assert_eq!(span.usage().unwrap().input_tokens, Some(3));
            assert_eq!((span.end_ns, span.status), (Some(9), StatusCode::Ok));
            assert!(span.events.is_empty() && span.links.is_empty());
        }
    }

    #[test]
    fn tokens_in_the_words_of_a_vendor_are_kept_where_mlflow_has_none() {
        let outputs = r#""mlflow.spanOutputs":"{\"usage\": {\"prompt_tokens\": 3}}""#;
        let own = r#""mlflow.chat.tokenUsage":"{\"input_tokens\": 5}""#;
        let chunk = r#"{"name":"mlflow.chunk.item.0","time_unix_nano":6,"attributes":{"mlflow.chunk.value":"{\"usage\": {\"prompt_tokens\": 7}}"}}"#;
        let span = |kind: &str, rest: &str, events: &str| {
            format!(
                r#"{{"name":"a","span_id":"1","start_time_unix_nano":5,"links":{{"not":"read"}},"attributes":{{"mlflow.spanInputs":"1","mlflow.spanType":"\"{kind}\""{rest}}},"events":[{{"name":7}},{events}]}}"#
            )
        };
        for (json, input, left) in [
            (span("LLM", &format!(",{outputs}"), "3"), Some(3), (2, 0)),
            // Whatever comes first.
            (
                span("LLM", &format!(",{outputs},{own}"), chunk),
                Some(5),
                (2, 0),
            ),
            (
                span("LLM", &format!(",{own},{outputs}"), chunk),
                Some(5),
                (2, 0),
            ),
            (span("LLM", "", chunk), Some(7), (1, 1)),
            (
                span("LLM", r#","usage":{"input_tokens":9}"#, "3"),
                Some(9),
                (2, 0),
            ),
            (
                span("LLM", r#","mlflow.spanOutputs":"no count""#, "3"),
                None,
                (1, 0),
            ),
            (span("TOOL", &format!(",{outputs}"), chunk), None, (1, 0)),
        ] {
            let quick = span_from_slice(json.as_bytes(), Detail::Measures).unwrap();
            let careful = careful::span(json.as_bytes(), Detail::Measures).unwrap();
            for span in [quick, careful] {
                let used = crate::messages::used(&span).and_then(|usage| usage.input_tokens);
                assert_eq!(used, input, "{json}");
                assert_eq!((span.attributes.len(), span.events.len()), left, "{json}");
            }
        }
    }

    #[test]
    fn when_a_span_was_takes_none_of_what_it_says() {
        let json = r#"{"name":"a","span_id":"1","start_time_unix_nano":5,"end_time_unix_nano":9,"links":{"not":"read"},"events":{"not":"read"},
            "attributes":{"mlflow.spanType":"\"LLM\"","mlflow.spanOutputs":"{\"usage\": {\"prompt_tokens\": 3}}","mlflow.chat.tokenUsage":"{\"input_tokens\": 5}"}}"#;
        let quick = span_from_slice(json.as_bytes(), Detail::Times).unwrap();
        let careful = careful::span(json.as_bytes(), Detail::Times).unwrap();
        for span in [quick, careful] {
            assert_eq!((span.start_ns, span.end_ns), (5, Some(9)));
            assert_eq!((&*span.span_type(), span.attributes.len()), ("LLM", 1));
        }
    }

    #[test]
    fn events_come_with_what_is_measured() {
        let json = r#"{"name":"a","span_id":"1","start_time_unix_nano":5,"attributes":{"mlflow.spanInputs":"1","mlflow.spanType":"\"LLM\""},"links":{"not":"read"},
            "events":[{"name":"exception","time_unix_nano":6,"attributes":{"exception.message":"boom"}}]}"#;
        let span = span_from_slice(json.as_bytes(), Detail::Events).unwrap();
        assert_eq!((&*span.span_type(), span.inputs()), ("LLM", None));
        assert_eq!(span.error_text().as_deref(), Some("boom"));
    }

    #[test]
    fn mlflow_2_spans_are_read() {
        let span = one(
            r#"{"spans":[{"name":"a","context":{"span_id":"3c438e312c0a7f2e","trace_id":"f562334f1ccf7972ec11fe386971e36f"},
            "parent_id":null,"start_time":1795379489550595555,"end_time":1795379489551287073,"status_code":"ERROR","status_message":"no",
            "attributes":{"mlflow.spanType":"\"LLM\""},"events":[{"name":"e","timestamp":7,"attributes":{}}]}],"request":"{}"}"#,
        );
        assert_eq!(span.span_id.as_str(), "3c438e312c0a7f2e");
        assert_eq!(
            (span.status, span.status_message.as_str()),
            (StatusCode::Error, "no")
        );
        assert_eq!((span.parent_id, span.events[0].time_ns), (None, 7));
    }

    #[test]
    fn an_end_of_zero_is_no_end() {
        let span = one(
            r#"{"spans":[{"span_id":"3c438e312c0a7f2e","parent_span_id":"","name":"a","start_time_unix_nano":5,"end_time_unix_nano":0,"attributes":null}]}"#,
        );
        assert_eq!((span.end_ns, span.parent_id), (None, None));
    }
}
