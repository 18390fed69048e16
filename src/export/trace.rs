//! A trace in the shape that `mlflow traces get` prints, with ids in hex, plus a
//! few keys of our own: durations in nanoseconds, the span's type, and inputs and
//! outputs as JSON instead of JSON in a string. MLflow's `Trace.from_json` reads it,
//! so that in an info, where it allows no other keys, there are none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::json::JsonForm;
use crate::model::{Assessment, Span, SpanKind, Trace, TraceInfo, attribute};
use crate::parallel;
use crate::table::parts::{AssessmentJson, EventJson, LinkJson, shortened};

/// A trace, and how much of it to write.
#[derive(Debug, Clone, Copy)]
pub struct TraceParts<'a> {
    info: &'a TraceInfo,
    spans: Option<&'a [Span]>,
    max_chars: Option<usize>,
    link: Option<&'a str>,
    is_part: bool,
}

impl<'a> TraceParts<'a> {
    /// With the address of its page.
    #[must_use]
    pub const fn with_link(mut self, link: Option<&'a str>) -> Self {
        self.link = link;
        self
    }

    /// The same where some of its spans were not asked for.
    #[must_use]
    pub const fn of_a_part(mut self, is_part: bool) -> Self {
        self.is_part = is_part;
        self
    }

    /// With all spans. Attributes, inputs and outputs longer than `max_chars`
    /// characters are cut to text of that length, and what was cut says so.
    pub fn whole(trace: &'a Trace, max_chars: Option<usize>) -> Self {
        Self {
            info: &trace.info,
            spans: Some(&trace.spans),
            max_chars,
            link: None,
            is_part: false,
        }
    }

    /// Without spans, which were not asked for.
    pub fn info_only(info: &'a TraceInfo) -> Self {
        Self {
            info,
            spans: None,
            max_chars: None,
            link: None,
            is_part: false,
        }
    }
}

/// Spans that are written together, by one of several threads.
const BLOCK: usize = 64;

/// Writes a trace where the formatter stands.
pub(super) fn write<F: Formatter + Clone + Sync>(
    out: &mut dyn Write,
    trace: &TraceParts<'_>,
    form: JsonForm,
    mut formatter: F,
) -> io::Result<()> {
    let (spans, cut) = (trace.spans.unwrap_or(&[]), Cut(trace.max_chars));
    formatter.begin_object(out)?;
    write_member(out, &mut formatter, true, "info", &InfoJson(trace.info))?;
    begin_member(out, &mut formatter, false, "data")?;
    formatter.begin_object(out)?;
    begin_member(out, &mut formatter, true, "spans")?;
    write_spans(out, &mut formatter, spans, |span| {
        SpanJson::new(span, &trace.info.trace_id, form, cut)
    })?;
    formatter.end_object_value(out)?;
    formatter.end_object(out)?;
    formatter.end_object_value(out)?;
    let included = trace.spans.is_some();
    write_member(out, &mut formatter, false, "spans_included", &included)?;
    if let Some(link) = trace.link {
        write_member(out, &mut formatter, false, "link", &link)?;
    }
    let duration = trace.info.duration_ns();
    write_member(out, &mut formatter, false, "duration_ns", &duration)?;
    let others = AssessmentJson::list(trace.info, |assessment| !is_for_mlflow(assessment));
    if !others.is_empty() {
        write_member(out, &mut formatter, false, "assessments", &others)?;
    }
    if trace.is_part || spans.iter().any(|span| cut.concerns(span)) {
        write_member(out, &mut formatter, false, "truncated", &true)?;
    }
    formatter.end_object(out)
}

fn write_spans<'a, F: Formatter + Clone + Sync>(
    out: &mut dyn Write,
    formatter: &mut F,
    spans: &'a [Span],
    json: impl Fn(&'a Span) -> SpanJson<'a> + Sync,
) -> io::Result<()> {
    formatter.begin_array(out)?;
    let blocks: Vec<(usize, &[Span])> = spans.chunks(BLOCK).enumerate().collect();
    let in_array = formatter.clone();
    let write_block = |(number, spans): &(usize, &'a [Span])| -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            in_array
                .clone()
                .begin_array_value(&mut text, *number == 0 && at == 0)?;
            write_value(&mut text, &in_array, &json(span))?;
        }
        Ok(text)
    };
    parallel::map_in_order(&blocks, write_block, |text| out.write_all(&text?))?;
    if !spans.is_empty() {
        formatter.end_array_value(out)?;
    }
    formatter.end_array(out)
}

fn write_member<F: Formatter + Clone>(
    out: &mut dyn Write,
    formatter: &mut F,
    first: bool,
    key: &str,
    value: &impl Serialize,
) -> io::Result<()> {
    begin_member(out, formatter, first, key)?;
    write_value(out, formatter, value)?;
    formatter.end_object_value(out)
}

fn begin_member(
    out: &mut dyn Write,
    formatter: &mut impl Formatter,
    first: bool,
    key: &str,
) -> io::Result<()> {
    formatter.begin_object_key(out, first)?;
    write!(out, "\"{key}\"")?;
    formatter.end_object_key(out)?;
    formatter.begin_object_value(out)
}

fn write_value<F: Formatter + Clone>(
    out: &mut (impl Write + ?Sized),
    formatter: &F,
    value: &impl Serialize,
) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, formatter.clone());
    Ok(value.serialize(&mut serializer)?)
}

/// The number of characters that a value may have; `None` for any.
#[derive(Debug, Clone, Copy)]
struct Cut(Option<usize>);

impl Cut {
    fn concerns(self, span: &Span) -> bool {
        span.attributes
            .iter()
            .any(|(key, value)| key != attribute::REQUEST_ID && self.shortened(value).is_some())
    }

    /// The start of a value that is too long, with the number of characters left out.
    fn shortened(self, text: &str) -> Option<String> {
        shortened(text, self.0?)
    }
}

struct InfoJson<'a>(&'a TraceInfo);

impl Serialize for InfoJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Info<'a> {
            trace_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_request_id: Option<&'a str>,
            trace_location: Cow<'a, Value>,
            request_time: Option<String>,
            state: &'a str,
            trace_metadata: &'a BTreeMap<String, String>,
            tags: &'a BTreeMap<String, String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            request_preview: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            response_preview: Option<&'a str>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            assessments: Vec<AssessmentJson<'a>>,
            execution_duration_ms: Option<i64>,
        }

        let info = self.0;
        Info {
            trace_id: &info.trace_id,
            client_request_id: info.client_request_id.as_deref(),
            trace_location: match (&info.location, &info.experiment_id) {
                (Some(location), _) => Cow::Borrowed(location),
                (None, Some(id)) => {
                    let mut experiment = json!({"experiment_id": id});
                    if let Some(name) = &info.experiment_name {
                        experiment["experiment_name"] = json!(name);
                    }
                    Cow::Owned(json!({
                        "type": "MLFLOW_EXPERIMENT",
                        "mlflow_experiment": experiment,
                    }))
                }
                (None, None) => Cow::Owned(json!({"type": "TRACE_LOCATION_TYPE_UNSPECIFIED"})),
            },
            request_time: info.request_time.map(|time| time.to_string()),
            state: info.state.as_str(),
            trace_metadata: &info.metadata,
            tags: &info.tags,
            request_preview: info.request_preview.as_deref(),
            response_preview: info.response_preview.as_deref(),
            assessments: AssessmentJson::list(info, is_for_mlflow),
            execution_duration_ms: info
                .execution_duration_ns
                .map(|ns| ns.div_euclid(1_000_000)),
        }
        .serialize(serializer)
    }
}

/// Whether MLflow reads such an assessment; others stand beside the info.
fn is_for_mlflow(assessment: &Assessment) -> bool {
    const SOURCES: [&str; 6] = [
        "",
        "SOURCE_TYPE_UNSPECIFIED",
        "HUMAN",
        "LLM_JUDGE",
        "AI_JUDGE",
        "CODE",
    ];
    assessment.is_judgement()
        && SOURCES.contains(&assessment.source.kind.as_str())
        && assessment.create_time.is_some()
        && assessment.last_update_time.is_some()
}

#[derive(Serialize)]
struct SpanJson<'a> {
    trace_id: String,
    span_id: &'a str,
    parent_span_id: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    start_time_unix_nano: i64,
    end_time_unix_nano: Option<i64>,
    events: Vec<EventJson<'a>>,
    status: StatusJson<'a>,
    attributes: Attributes<'a>,
    links: Vec<LinkJson<'a>>,
    duration_ns: Option<i64>,
    #[serde(rename = "type")]
    span_type: Cow<'a, str>,
    inputs: Option<Payload<'a>>,
    outputs: Option<Payload<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl<'a> SpanJson<'a> {
    fn new(span: &'a Span, trace_id: &'a str, form: JsonForm, cut: Cut) -> Self {
        Self {
            // With this beginning MLflow takes this and the span's ids for hex.
            trace_id: format!("tr-{}", span.trace_id),
            span_id: span.span_id.as_str(),
            parent_span_id: span.parent_id.as_ref().map(crate::model::SpanId::as_str),
            name: &span.name,
            kind: span.kind.map(SpanKind::as_otel_str),
            start_time_unix_nano: span.start_ns,
            end_time_unix_nano: span.end_ns,
            events: span.events.iter().map(EventJson::from).collect(),
            status: StatusJson {
                code: span.status.as_otel_str(),
                message: &span.status_message,
            },
            attributes: Attributes {
                list: &span.attributes,
                trace_id,
                cut,
            },
            links: span.links.iter().map(LinkJson::from).collect(),
            // As everywhere, a span that ends before it starts took no time.
            duration_ns: span.raw_duration_ns().map(|ns| ns.max(0)),
            span_type: span.span_type(),
            inputs: span.inputs().map(|json| Payload::new(json, form, cut)),
            outputs: span.outputs().map(|json| Payload::new(json, form, cut)),
            truncated: cut.concerns(span),
        }
    }
}

#[derive(Serialize)]
struct StatusJson<'a> {
    code: &'static str,
    message: &'a str,
}

/// Attributes in the order of the source, each value as JSON text in a string, and at
/// last the trace's id, without which MLflow reads no span.
struct Attributes<'a> {
    list: &'a [(String, String)],
    trace_id: &'a str,
    cut: Cut,
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut has_id = false;
        for (key, value) in self.list {
            let is_id = key == attribute::REQUEST_ID;
            has_id |= is_id;
            match self.cut.shortened(value).filter(|_| !is_id) {
                Some(start) => map.serialize_entry(key, &start)?,
                None => map.serialize_entry(key, value)?,
            }
        }
        if !has_id {
            let id = Value::from(self.trace_id).to_string();
            map.serialize_entry(attribute::REQUEST_ID, &id)?;
        }
        map.end()
    }
}

/// An input or output: embedded as it is where it is JSON, else as a string.
#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    Json(&'a RawValue),
    Compacted(Box<RawValue>),
    Text(&'a str),
    Shortened(String),
}

impl<'a> Payload<'a> {
    fn new(json: &'a str, form: JsonForm, cut: Cut) -> Self {
        if let Some(start) = cut.shortened(json) {
            return Self::Shortened(start);
        }
        match serde_json::from_str::<&RawValue>(json) {
            // In JSON text a line feed can only stand between values; JSON lines cannot have it there.
            Ok(raw) if form == JsonForm::Lines && raw.get().contains(['\n', '\r']) => {
                RawValue::from_string(raw.get().replace(['\n', '\r'], " "))
                    .map_or(Self::Text(json), Self::Compacted)
            }
            Ok(raw) => Self::Json(raw),
            Err(_) => Self::Text(json),
        }
    }
}
