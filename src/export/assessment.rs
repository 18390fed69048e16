//! An assessment in the shape of the REST API of MLflow, except that an expectation's
//! value is always plain JSON, never JSON in a string.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::model::{Assessment, AssessmentKind, SpanId, TraceInfo};

#[derive(Serialize)]
pub(super) struct AssessmentJson<'a> {
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
struct ExpectationJson<'a> {
    value: &'a Value,
}

impl<'a> AssessmentJson<'a> {
    /// Those of a trace of which this is true.
    pub(super) fn list(info: &'a TraceInfo, is_wanted: fn(&Assessment) -> bool) -> Vec<Self> {
        let wanted = info.assessments.iter().filter(|a| is_wanted(a));
        wanted.map(|a| Self::new(a, &info.trace_id)).collect()
    }

    pub(super) fn new(assessment: &'a Assessment, trace_id: &'a str) -> Self {
        let (feedback, expectation) = match &assessment.kind {
            AssessmentKind::Feedback { value, error } => {
                let error = error.as_ref().map(|e| ErrorJson {
                    error_code: e.code.as_deref(),
                    error_message: e.message.as_deref(),
                    stack_trace: e.stack_trace.as_deref(),
                });
                (Some(FeedbackJson { value, error }), None)
            }
            AssessmentKind::Expectation { value } => (None, Some(ExpectationJson { value })),
            AssessmentKind::Other => (None, None),
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
            rationale: assessment.rationale.as_deref(),
            metadata: &assessment.metadata,
            overrides: assessment.overrides.as_deref(),
            valid: assessment.valid,
        }
    }
}
