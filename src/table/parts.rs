//! Parts of traces and spans as JSON, wherever they are written: assessments, events and
//! links. An assessment has the shape of the REST API of MLflow, except that an
//! expectation's value is always plain JSON, never JSON in a string.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{Assessment, AssessmentKind, Event, Link, SpanId, TraceInfo};

#[derive(Serialize)]
pub(crate) struct AssessmentJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    assessment_id: Option<&'a str>,
    assessment_name: &'a str,
    trace_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<&'a str>,
    source: SourceJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<FeedbackJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expectation: Option<ExpectationJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issue: Option<IssueJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rationale: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overrides: Option<&'a str>,
    valid: bool,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    source_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<&'a str>,
}

#[derive(Serialize)]
struct FeedbackJson<'a> {
    value: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson<'a>>,
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack_trace: Option<&'a str>,
}

#[derive(Serialize)]
struct IssueJson<'a> {
    issue_name: &'a str,
}

#[derive(Serialize)]
struct ExpectationJson<'a> {
    value: &'a Value,
}

impl<'a> AssessmentJson<'a> {
    /// Those of a trace of which this is true.
    pub(crate) fn list(info: &'a TraceInfo, is_wanted: fn(&Assessment) -> bool) -> Vec<Self> {
        let wanted = info.assessments.iter().filter(|a| is_wanted(a));
        wanted.map(|a| Self::new(a, &info.trace_id)).collect()
    }

    pub(crate) fn new(assessment: &'a Assessment, trace_id: &'a str) -> Self {
        let (feedback, expectation, issue) = match &assessment.kind {
            AssessmentKind::Feedback { value, error } => {
                let error = error.as_ref().map(|e| ErrorJson {
                    error_code: e.code.as_deref(),
                    error_message: e.message.as_deref(),
                    stack_trace: e.stack_trace.as_deref(),
                });
                (Some(FeedbackJson { value, error }), None, None)
            }
            AssessmentKind::Expectation { value } => (None, Some(ExpectationJson { value }), None),
            AssessmentKind::Issue { name } => (None, None, Some(IssueJson { issue_name: name })),
            AssessmentKind::Other => (None, None, None),
        };
        Self {
            assessment_id: assessment.id.as_deref(),
            assessment_name: &assessment.name,
            trace_id,
            span_id: assessment.span_id.as_ref().map(SpanId::as_str),
            source: SourceJson {
                source_type: match assessment.source.kind.as_str() {
                    "" => "SOURCE_TYPE_UNSPECIFIED",
                    kind => kind,
                },
                source_id: assessment.source.id.as_deref(),
            },
            create_time: assessment.create_time.map(|t| t.to_string()),
            last_update_time: assessment.last_update_time.map(|t| t.to_string()),
            feedback,
            expectation,
            issue,
            rationale: assessment.rationale.as_deref(),
            metadata: &assessment.metadata,
            overrides: assessment.overrides.as_deref(),
            valid: assessment.valid,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct EventJson<'a> {
    name: &'a str,
    time_unix_nano: i64,
    attributes: &'a Map<String, Value>,
}

impl<'a> From<&'a Event> for EventJson<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            name: &event.name,
            time_unix_nano: event.time_ns,
            attributes: &event.attributes,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct LinkJson<'a> {
    trace_id: &'a str,
    span_id: &'a str,
    attributes: &'a Map<String, Value>,
}

impl<'a> From<&'a Link> for LinkJson<'a> {
    fn from(link: &'a Link) -> Self {
        Self {
            trace_id: &link.trace_id,
            span_id: link.span_id.as_str(),
            attributes: &link.attributes,
        }
    }
}

/// A list as JSON text; nothing for one without elements.
pub(crate) fn json_list<T: Serialize>(list: impl Iterator<Item = T>) -> Option<String> {
    let list: Vec<T> = list.collect();
    let text = (!list.is_empty()).then(|| serde_json::to_string(&list));
    text?.ok()
}

/// The start of a text that has more characters than that, with the number of those left
/// out.
pub(crate) fn shortened(text: &str, limit: usize) -> Option<String> {
    if text.len() <= limit {
        return None;
    }
    let (end, _) = text.char_indices().nth(limit)?;
    let left_out = text[end..].chars().count();
    Some(format!("{}… ({left_out} more characters)", &text[..end]))
}
