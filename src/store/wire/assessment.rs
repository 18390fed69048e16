//! Assessments as the V3 endpoints send them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Number, Value};

use super::time::{Otherwise, Rfc3339};
use super::{ids, null_as_default};
use crate::json::parse_value;
use crate::model::{Assessment, AssessmentError, AssessmentKind, Source};

/// An assessment as it travels.
#[derive(Deserialize)]
pub(in crate::store) struct WireAssessment {
    assessment_id: Option<String>,
    #[serde(default, alias = "name", deserialize_with = "null_as_default")]
    assessment_name: String,
    span_id: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    source: WireSource,
    create_time: Option<Rfc3339>,
    last_update_time: Option<Rfc3339>,
    feedback: Option<WireFeedback>,
    expectation: Option<WireExpectation>,
    issue: Option<WireIssue>,
    rationale: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    metadata: BTreeMap<String, Value>,
    overrides: Option<String>,
    valid: Option<bool>,
    #[serde(
        alias = "assessmentId",
        alias = "assessmentName",
        alias = "spanId",
        alias = "createTime",
        alias = "create_time_ms",
        alias = "lastUpdateTime",
        alias = "last_update_time_ms"
    )]
    #[allow(dead_code, reason = "where it is, the quick reader gives up")]
    otherwise: Option<Otherwise>,
}

#[derive(Deserialize, Default)]
struct WireSource {
    #[serde(default)]
    source_type: String,
    source_id: Option<String>,
}

#[derive(Deserialize)]
struct WireFeedback {
    #[serde(default)]
    value: Value,
    error: Option<WireError>,
}

#[derive(Deserialize, Default)]
struct WireError {
    error_code: Option<String>,
    error_message: Option<String>,
    stack_trace: Option<String>,
}

#[derive(Deserialize)]
struct WireIssue {
    #[serde(default)]
    issue_name: String,
}

#[derive(Deserialize)]
struct WireExpectation {
    value: Option<Value>,
    serialized_value: Option<Serialized>,
}

#[derive(Deserialize)]
struct Serialized {
    #[serde(default)]
    value: String,
}

impl From<WireError> for AssessmentError {
    fn from(wire: WireError) -> Self {
        Self {
            code: wire.error_code,
            message: wire.error_message,
            stack_trace: wire.stack_trace,
        }
    }
}

/// An assessment's error from its own JSON text; text of another kind is its message.
pub(in crate::store) fn assessment_error(json: &str) -> AssessmentError {
    let wire = serde_json::from_str(json).unwrap_or_else(|_| WireError {
        error_message: Some(json.to_owned()),
        ..WireError::default()
    });
    wire.into()
}

/// Values as texts: text as it is, anything else as JSON.
pub(in crate::store) fn texts(
    values: impl IntoIterator<Item = (String, Value)>,
) -> BTreeMap<String, String> {
    values
        .into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => (key, text),
            other => (key, other.to_string()),
        })
        .collect()
}

/// What a value becomes on its way through the server's `google.protobuf.Value`,
/// whose numbers are all floating-point. Whole ones that would lose digits keep them.
pub(in crate::store) fn as_protobuf_value(value: Value) -> Value {
    /// Up to here every whole number is a floating-point number.
    const EXACT: u64 = 1 << 53;
    let whole = |number: &Number| {
        let small = number.as_i64().map(i64::unsigned_abs);
        small.or_else(|| number.as_u64()).unwrap_or(0)
    };
    match value {
        Value::Number(number) if whole(&number) > EXACT => Value::Number(number),
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(as_protobuf_value).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, as_protobuf_value(value)))
            .collect(),
        other => other,
    }
}

impl WireAssessment {
    /// The model's form.
    pub(in crate::store) fn into_assessment(self) -> Assessment {
        let kind = match (self.feedback, self.expectation) {
            (None, None) => match self.issue {
                Some(WireIssue { issue_name: name }) => AssessmentKind::Issue { name },
                None => AssessmentKind::Other,
            },
            (Some(feedback), _) => AssessmentKind::Feedback {
                value: feedback.value,
                error: feedback.error.map(AssessmentError::from),
            },
            (None, Some(expectation)) => AssessmentKind::Expectation {
                value: match (expectation.value, expectation.serialized_value) {
                    (Some(value), _) => value,
                    (None, Some(text)) => {
                        parse_value(&text.value).unwrap_or(Value::String(text.value))
                    }
                    (None, None) => Value::Null,
                },
            },
        };
        let time = |time: Option<Rfc3339>| time.map(|Rfc3339(time)| time);
        Assessment {
            id: self.assessment_id,
            name: self.assessment_name,
            span_id: self.span_id.as_deref().and_then(ids::span_id),
            source: Source {
                kind: self.source.source_type,
                id: self.source.source_id,
            },
            create_time: time(self.create_time),
            last_update_time: time(self.last_update_time),
            kind,
            rationale: self.rationale,
            metadata: texts(self.metadata),
            overrides: self.overrides,
            valid: self.valid.unwrap_or(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_floating_point_as_long_as_they_lose_nothing() {
        let large = 9_007_199_254_740_993_u64;
        let value = as_protobuf_value(json!({"a": [1, -2, 0.5], "b": large, "c": "x"}));
        assert_eq!(value, json!({"a": [1.0, -2.0, 0.5], "b": large, "c": "x"}));
    }
}
