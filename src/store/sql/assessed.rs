//! The row of an assessment that is made, as MLflow writes it, for any database.

use serde_json::{Value, json};

use crate::model::{Assessment, AssessmentError, AssessmentKind, SpanId, Timestamp};
use crate::store::assess::python_json;

/// The run that an assessment is of, in its metadata.
const SOURCE_RUN: &str = "mlflow.assessment.sourceRunId";

/// The table of assessments.
pub(in crate::store) const TABLE: &str = "assessments";

/// A value to put into a column.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Datum {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Truth(bool),
}

impl From<Option<i64>> for Datum {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Integer)
    }
}

impl From<Option<&str>> for Datum {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.to_owned()))
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The columns of an assessment that has an id, with their values. Its trace is in this
/// experiment and began at this time.
pub(in crate::store) fn row(
    trace_id: &str,
    new: &Assessment,
    experiment: Option<i64>,
    time_ms: Option<i64>,
) -> [(&'static str, Datum); 20] {
    let value = new.value();
    let (aggregate, is_numeric) = aggregate(value);
    let created = new.create_time.unwrap_or_else(Timestamp::now);
    let updated = new.last_update_time.unwrap_or(created);
    let error = match &new.kind {
        AssessmentKind::Feedback { error, .. } => error.as_ref().map(error_json),
        _ => None,
    };
    let metadata = (!new.metadata.is_empty()).then(|| python_json(&json!(new.metadata)));
    let run = new.metadata.get(SOURCE_RUN).map(String::as_str);
    [
        ("assessment_id", new.id.as_deref().into()),
        ("trace_id", trace_id.into()),
        ("name", new.name.as_str().into()),
        ("assessment_type", new.kind.as_str().into()),
        ("value", Datum::Text(python_json(value))),
        ("error", error.as_deref().into()),
        ("created_timestamp", Datum::Integer(created.millis())),
        ("last_updated_timestamp", Datum::Integer(updated.millis())),
        ("source_type", new.source.kind.as_str().into()),
        ("source_id", new.source.id.as_deref().into()),
        ("run_id", run.into()),
        ("span_id", new.span_id.as_ref().map(SpanId::as_str).into()),
        ("rationale", new.rationale.as_deref().into()),
        ("overrides", new.overrides.as_deref().into()),
        ("valid", Datum::Truth(new.valid)),
        ("assessment_metadata", metadata.as_deref().into()),
        ("experiment_id", experiment.into()),
        ("trace_timestamp_ms", time_ms.into()),
        (
            "aggregate_value",
            aggregate.map_or(Datum::Null, Datum::Real),
        ),
        ("is_numeric_value", Datum::Truth(is_numeric)),
    ]
}

fn error_json(error: &AssessmentError) -> String {
    python_json(&json!({
        "error_code": error.code,
        "error_message": error.message,
        "stack_trace": error.stack_trace,
    }))
}

/// What MLflow sums up of a value, and whether it is a number.
fn aggregate(value: &Value) -> (Option<f64>, bool) {
    match value {
        Value::Bool(value) => (Some(f64::from(u8::from(*value))), false),
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| number.is_finite());
            (number, number.is_some())
        }
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "yes" => (Some(1.0), false),
            "no" => (Some(0.0), false),
            _ => (None, false),
        },
        _ => (None, false),
    }
}
