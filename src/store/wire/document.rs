//! Whole JSON documents with one trace or many, from any of the commands and
//! endpoints that write them: `mlflow traces get` and `search`, mlt itself, the
//! REST API, `traces.json` artifacts; as one value, a list, or JSON lines.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::assessment::WireAssessment;
use super::careful;
use super::depth::{Brief, Timed, Whole};
use super::flaw::Flaw;
use super::info::WireInfo;
use super::span::{SpanList, WireSpans};
use super::time::Otherwise;
use crate::model::{Span, StatusCode, Timestamp, TraceInfo, TraceState};
use crate::store::Detail;

/// A trace of a document.
pub(in crate::store) struct DocumentTrace {
    pub(in crate::store) info: TraceInfo,
    pub(in crate::store) spans: DocumentSpans,
    /// It says that a part of it was left out when it was written.
    pub(in crate::store) is_truncated: bool,
}

/// The spans of a trace of a document.
pub(in crate::store) enum DocumentSpans {
    /// The document leaves them out.
    Missing,
    /// They are there, and nobody wanted them.
    Skipped,
    /// All of them.
    Read(Vec<Span>),
}

/// Whose spans to read; the others' are only checked for being JSON.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Want<'a> {
    /// Nobody's.
    Infos,
    /// Everybody's.
    Spans,
    /// Those of the trace with this id, in this detail.
    SpansOf(&'a str, Detail),
}

/// Reads JSON documents that follow each other, each with any number of traces.
///
/// # Errors
/// The first document that is not JSON or holds no trace, and the first member that
/// cannot be read.
pub(in crate::store) fn read_documents(
    json: &[u8],
    want: Want<'_>,
) -> Result<Vec<DocumentTrace>, Flaw> {
    quick(json, want).or_else(|_| careful::read_documents(json, want))
}

fn quick(json: &[u8], want: Want<'_>) -> serde_json::Result<Vec<DocumentTrace>> {
    let mut found = Vec::new();
    let mut documents = serde_json::Deserializer::from_slice(json);
    while documents.end().is_err() {
        let seed = Found {
            want,
            found: &mut found,
        };
        seed.deserialize(&mut documents)?;
    }
    Ok(found)
}

/// Puts the traces that one JSON value holds into a list.
struct Found<'a> {
    want: Want<'a>,
    found: &'a mut Vec<DocumentTrace>,
}

impl Found<'_> {
    fn again(&mut self) -> Found<'_> {
        Found {
            want: self.want,
            found: self.found,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Found<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Found<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trace or a list of traces")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.again())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let members = Members::read(map, &mut self)?;
        self.found.extend(members.into_trace()?);
        Ok(())
    }
}

/// The members of an object that may be a trace or hold traces.
#[derive(Default)]
struct Members {
    info: Option<WireInfo>,
    spans: Option<DocumentSpans>,
    spans_included: Option<bool>,
    holds_traces: bool,
    /// It says that more follows, as pages of traces do.
    is_page: bool,
    is_truncated: bool,
    /// The exact duration, which mlt writes beside the info.
    duration_ns: Option<i64>,
    /// Those that MLflow does not read, which mlt writes beside the info.
    assessments: Vec<WireAssessment>,
    others: Map<String, Value>,
}

impl Members {
    fn read<'de, A: MapAccess<'de>>(mut map: A, found: &mut Found<'_>) -> Result<Self, A::Error> {
        let mut members = Self::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "info" | "trace_info" => members.info = map.next_value()?,
                "data" | "spans" if members.may_skip(found.want) => {
                    members.spans = map
                        .next_value::<Option<IgnoredAny>>()?
                        .map(|_| DocumentSpans::Skipped);
                }
                "data" => {
                    let spans = match members.detail(found.want) {
                        Detail::Events | Detail::Whole => map
                            .next_value::<Option<WireSpans<Whole>>>()?
                            .map(|wire| wire.spans.into_vec()),
                        Detail::Measures => map
                            .next_value::<Option<WireSpans<Brief>>>()?
                            .map(|wire| wire.spans.into_vec()),
                        Detail::Times => map
                            .next_value::<Option<WireSpans<Timed>>>()?
                            .map(|wire| wire.spans.into_vec()),
                    };
                    members.spans = spans.map(DocumentSpans::Read);
                }
                "spans" => {
                    let spans = match members.detail(found.want) {
                        Detail::Events | Detail::Whole => map
                            .next_value::<Option<SpanList<Whole>>>()?
                            .map(SpanList::into_vec),
                        Detail::Measures => map
                            .next_value::<Option<SpanList<Brief>>>()?
                            .map(SpanList::into_vec),
                        Detail::Times => map
                            .next_value::<Option<SpanList<Timed>>>()?
                            .map(SpanList::into_vec),
                    };
                    members.spans = spans.map(DocumentSpans::Read);
                }
                "spans_included" => members.spans_included = map.next_value()?,
                "trace" | "traces" | "trace_infos" => {
                    members.holds_traces = true;
                    map.next_value_seed(found.again())?;
                }
                "next_page_token" => {
                    members.is_page = true;
                    map.next_value::<IgnoredAny>()?;
                }
                "truncated" => {
                    members.is_page = true;
                    members.is_truncated = map.next_value::<Value>()? == true;
                }
                "duration_ns" => members.duration_ns = map.next_value()?,
                "assessments" if members.info.is_some() => {
                    members.assessments = map.next_value()?;
                }
                "traceInfo" | "traceInfos" => {
                    map.next_value::<Otherwise>()?;
                }
                _ => {
                    members.others.insert(key, map.next_value()?);
                }
            }
        }
        Ok(members)
    }

    /// Without an info before them, the spans may be all that tells of their trace.
    fn may_skip(&self, want: Want<'_>) -> bool {
        let Some(id) = self.info.as_ref().and_then(WireInfo::trace_id) else {
            return false;
        };
        match want {
            Want::Infos => true,
            Want::Spans => false,
            Want::SpansOf(wanted, _) => id != wanted,
        }
    }

    /// How much of the spans to read: all, where they may be all that tells of their trace.
    fn detail(&self, want: Want<'_>) -> Detail {
        match want {
            Want::SpansOf(_, detail) if self.info.is_some() => detail,
            _ => Detail::Whole,
        }
    }

    fn into_trace<E: serde::de::Error>(self) -> Result<Option<DocumentTrace>, E> {
        let is_bare = self.info.is_none() && self.spans.is_none();
        if is_bare && (self.holds_traces || (self.is_page && self.others.is_empty())) {
            return Ok(None);
        }
        if self.holds_traces {
            return Err(E::custom("a trace among traces"));
        }
        let spans = self.spans.filter(|_| self.spans_included != Some(false));
        // What the careful reader can make more of.
        let is_odd = match &self.info {
            Some(info) => info.trace_id().is_none(),
            None => spans.is_some() && !self.others.is_empty(),
        };
        if is_odd {
            return Err(E::custom("to be read with care"));
        }
        let wire = match self.info {
            Some(info) => Some(info),
            None => serde_json::from_value(Value::Object(self.others)).map_err(E::custom)?,
        };
        let info = match (wire.and_then(WireInfo::into_info), &spans) {
            (Some(mut info), _) => {
                info.be_exact_about_duration(self.duration_ns);
                let others = self.assessments.into_iter();
                info.assessments
                    .extend(others.map(WireAssessment::into_assessment));
                info.order_assessments();
                info
            }
            (None, Some(DocumentSpans::Read(spans))) if !spans.is_empty() => info_from_spans(spans),
            _ => {
                return Err(E::custom(
                    "no trace in this object; expected `info` and `data`, `traces`, `spans` or a trace info",
                ));
            }
        };
        Ok(Some(DocumentTrace {
            info,
            spans: spans.unwrap_or(DocumentSpans::Missing),
            is_truncated: self.is_truncated,
        }))
    }
}

/// What the spans alone tell about their trace.
pub(super) fn info_from_spans(spans: &[Span]) -> TraceInfo {
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
        info.execution_duration_ns = root.raw_duration_ns().map(|ns| ns.max(0));
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

    fn read(json: &str) -> Vec<DocumentTrace> {
        read_documents(json.as_bytes(), Want::Spans).unwrap()
    }

    fn ids(json: &str) -> Vec<(String, Option<usize>)> {
        read(json)
            .into_iter()
            .map(|trace| {
                let spans = match trace.spans {
                    DocumentSpans::Read(spans) => Some(spans.len()),
                    DocumentSpans::Missing => None,
                    DocumentSpans::Skipped => panic!("spans were wanted"),
                };
                (trace.info.trace_id, spans)
            })
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
        let traces = read(&format!(r#"{{"spans":[{SPAN}]}}"#));
        let info = &traces[0].info;
        assert_eq!(info.trace_id, "tr-51a088e1d08df5c0638d48f2dcaad786");
        assert_eq!(
            (info.name(), info.execution_duration_ns),
            (Some("a"), Some(4))
        );
    }

    #[test]
    fn an_object_without_a_trace_is_an_error_with_its_line() {
        let text = format!("{INFO}\n{{\"a\":1}}");
        let flaw = read_documents(text.as_bytes(), Want::Spans).err().unwrap();
        assert!(flaw.reason.contains("no trace in this object"), "{flaw}");
        assert_eq!(flaw.place_in(text.as_bytes()), (1, 1));
    }

    #[test]
    fn spans_are_read_for_those_who_want_them() {
        let whole =
            |id: &str| format!(r#"{{"info":{{"trace_id":"{id}"}},"data":{{"spans":[{SPAN}]}}}}"#);
        let json = format!(
            r#"[{},{},{{"data":{{"spans":[{SPAN}]}},"info":{INFO}}},{INFO}]"#,
            whole("tr-a"),
            whole("tr-b")
        );
        let kinds = |want: Want<'_>| -> String {
            read_documents(json.as_bytes(), want)
                .unwrap()
                .iter()
                .map(|trace| match trace.spans {
                    DocumentSpans::Missing => '-',
                    DocumentSpans::Skipped => 's',
                    DocumentSpans::Read(_) => 'r',
                })
                .collect()
        };
        assert_eq!(kinds(Want::Spans), "rrr-");
        assert_eq!(kinds(Want::SpansOf("tr-b", Detail::Whole)), "srr-");
        assert_eq!(kinds(Want::Infos), "ssr-");
    }
}
