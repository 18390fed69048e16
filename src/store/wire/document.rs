//! Whole JSON documents with one trace or many, from any of the commands and
//! endpoints that write them: `mlflow traces get` and `search`, mlt itself, the
//! REST API, `traces.json` artifacts; as one value, a list, or JSON lines.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::info::WireInfo;
use super::span::{SpanList, WireSpans};
use crate::model::{Span, StatusCode, Timestamp, TraceInfo, TraceState};

/// A trace of a document; `spans` is `None` where the document leaves them out.
pub(in crate::store) struct DocumentTrace {
    pub(in crate::store) info: TraceInfo,
    pub(in crate::store) spans: Option<Vec<Span>>,
}

/// The traces of one or more JSON documents, in their order.
pub(in crate::store) type Documents = Vec<DocumentTrace>;

/// Reads JSON documents that follow each other, each with any number of traces.
///
/// # Errors
/// The first document that is not JSON or holds no trace, with line and column.
pub(in crate::store) fn read_documents(json: &[u8]) -> serde_json::Result<Documents> {
    let mut all = Vec::new();
    for document in serde_json::Deserializer::from_slice(json).into_iter::<Found>() {
        all.extend(document?.0);
    }
    Ok(all)
}

/// The traces that one JSON value holds.
struct Found(Documents);

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FoundVisitor;

        impl<'de> Visitor<'de> for FoundVisitor {
            type Value = Found;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a trace or a list of traces")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
                let mut all = Vec::new();
                while let Some(found) = seq.next_element::<Found>()? {
                    all.extend(found.0);
                }
                Ok(Found(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Found, A::Error> {
                Members::read(map)?.into_traces().map(Found)
            }
        }

        deserializer.deserialize_any(FoundVisitor)
    }
}

/// The members of an object that may be a trace or hold traces.
#[derive(Default)]
struct Members {
    info: Option<WireInfo>,
    spans: Option<Vec<Span>>,
    spans_included: Option<bool>,
    nested: Option<Documents>,
    others: Map<String, Value>,
}

impl Members {
    fn read<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut members = Self::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "info" | "trace_info" => members.info = map.next_value()?,
                "data" => {
                    members.spans = map.next_value::<Option<WireSpans>>()?.map(|w| w.spans.0);
                }
                "spans" => members.spans = map.next_value::<Option<SpanList>>()?.map(|l| l.0),
                "spans_included" => members.spans_included = map.next_value()?,
                "trace" | "traces" | "trace_infos" => {
                    members.nested = Some(map.next_value::<Found>()?.0);
                }
                "next_page_token" | "truncated" => {
                    members.nested.get_or_insert_default();
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    members.others.insert(key, map.next_value()?);
                }
            }
        }
        Ok(members)
    }

    fn into_traces<E: serde::de::Error>(self) -> Result<Documents, E> {
        if let Some(nested) = self.nested {
            return Ok(nested);
        }
        let spans = self.spans.filter(|_| self.spans_included != Some(false));
        let wire = match self.info {
            Some(info) => Some(info),
            None => serde_json::from_value(Value::Object(self.others)).map_err(E::custom)?,
        };
        let info = match (wire.and_then(WireInfo::into_info), &spans) {
            (Some(info), _) => info,
            (None, Some(spans)) if !spans.is_empty() => info_from_spans(spans),
            _ => {
                return Err(E::custom(
                    "no trace in this object; expected `info` and `data`, `traces`, `spans` or a trace info",
                ));
            }
        };
        Ok(vec![DocumentTrace { info, spans }])
    }
}

/// What the spans alone tell about their trace.
fn info_from_spans(spans: &[Span]) -> TraceInfo {
    let trace_id = spans
        .iter()
        .find_map(|s| s.attribute_text("mlflow.traceRequestId"))
        .map_or_else(
            || format!("tr-{}", spans[0].trace_id),
            std::borrow::Cow::into_owned,
        );
    let mut info = TraceInfo::new(trace_id);
    info.request_time = spans
        .iter()
        .map(|s| Timestamp::from_nanos(s.start_ns))
        .min();
    if let Some(root) = spans.iter().find(|s| s.parent_id.is_none()) {
        info.execution_duration_ns = root.raw_duration_ns();
        info.state = match (root.end_ns, root.status) {
            (None, _) => TraceState::InProgress,
            (Some(_), StatusCode::Error) => TraceState::Error,
            (Some(_), _) => TraceState::Ok,
        };
        info.tags
            .insert(crate::model::tag::NAME.to_owned(), root.name.clone());
        info.request_preview = root.inputs().map(str::to_owned);
        info.response_preview = root.outputs().map(str::to_owned);
    } else {
        info.state = TraceState::InProgress;
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = r#"{"trace_id":"tr-1","state":"OK"}"#;
    const SPAN: &str = r#"{"span_id":"3c438e312c0a7f2e","trace_id":"51a088e1d08df5c0638d48f2dcaad786","name":"a","start_time_unix_nano":5,"end_time_unix_nano":9}"#;

    fn ids(json: &str) -> Vec<(String, Option<usize>)> {
        read_documents(json.as_bytes())
            .unwrap()
            .into_iter()
            .map(|t| (t.info.trace_id, t.spans.map(|s| s.len())))
            .collect()
    }

    #[test]
    fn every_shape_that_holds_traces_is_read() {
        let one = vec![("tr-1".to_owned(), Some(1))];
        let bare = vec![("tr-1".to_owned(), None)];
        for (json, expected) in [
            (
                format!(r#"{{"info":{INFO},"data":{{"spans":[{SPAN}]}}}}"#),
                &one,
            ),
            (
                format!(r#"{{"data":{{"spans":[{SPAN}]}},"info":{INFO}}}"#),
                &one,
            ),
            (
                format!(r#"{{"trace":{{"trace_info":{INFO},"spans":[{SPAN}]}}}}"#),
                &one,
            ),
            (
                format!(r#"{{"traces":[{{"trace_info":{INFO},"spans":[{SPAN}]}}]}}"#),
                &one,
            ),
            (
                format!(r#"[{{"info":{INFO},"data":{{"spans":[{SPAN}]}}}}]"#),
                &one,
            ),
            (
                format!(r#"{{"traces":[{INFO}],"next_page_token":"x"}}"#),
                &bare,
            ),
            (format!(r#"{{"trace_infos":[{INFO}]}}"#), &bare),
            (format!(r#"{{"trace_info":{INFO}}}"#), &bare),
            (INFO.to_owned(), &bare),
            (
                format!(r#"{{"info":{INFO},"data":{{"spans":[]}},"spans_included":false}}"#),
                &bare,
            ),
        ] {
            assert_eq!(&ids(&json), expected, "{json}");
        }
        assert_eq!(ids(&format!("{INFO}\n{INFO}\n")).len(), 2);
        assert!(ids(r#"{"traces":[],"truncated":false}"#).is_empty());
        assert!(ids("").is_empty());
    }

    #[test]
    fn spans_alone_make_a_trace() {
        let traces = read_documents(format!(r#"{{"spans":[{SPAN}]}}"#).as_bytes()).unwrap();
        let info = &traces[0].info;
        assert_eq!(info.trace_id, "tr-51a088e1d08df5c0638d48f2dcaad786");
        assert_eq!(
            (info.name(), info.execution_duration_ns),
            (Some("a"), Some(4))
        );
    }

    #[test]
    fn an_object_without_a_trace_is_an_error_with_its_line() {
        let error = read_documents(format!("{INFO}\n{{\"a\":1}}").as_bytes())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("no trace in this object"), "{error}");
        assert!(error.contains("line 2"), "{error}");
    }
}
