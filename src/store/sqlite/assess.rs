//! Making and deleting assessments as MLflow does.

use rusqlite::{OptionalExtension as _, ToSql};
use serde_json::{Value, json};

use super::Shared;
use super::row::Row;
use super::write::{self, Subject, Writer};
use crate::model::{Assessment, AssessmentError, AssessmentKind, SpanId, Timestamp};
use crate::store::assess::{python_json, restored};
use crate::store::{AssessmentPlan, StoreError};

/// The run that an assessment is of, in its metadata.
const SOURCE_RUN: &str = "mlflow.assessment.sourceRunId";

/// Changes the assessments of each trace in one transaction; a result for each.
///
/// # Errors
/// When nothing was changed at all.
pub(super) fn change<T: AsRef<str>>(
    shared: &Shared,
    traces: &[T],
    plan: &AssessmentPlan,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let subject = Subject {
        to_do: "change assessments",
        what: "the assessments",
    };
    write::each(shared, traces, subject, |writer, trace_id| {
        let changes = plan.of(trace_id);
        let now = shared.info(writer.connection(), trace_id)?.assessments;
        let doomed = changes.doomed(&now);
        for old in &doomed {
            let delete = "DELETE FROM assessments WHERE trace_id = ?1 AND assessment_id = ?2";
            writer.run(delete, &[&trace_id, &old.id], 0..=1)?;
        }
        for id in restored(&doomed) {
            set_valid(writer, trace_id, &id, true)?;
        }
        for new in changes.made(&now) {
            if let Some(id) = &new.overrides {
                set_valid(writer, trace_id, id, false)?;
            }
            insert(shared, writer, trace_id, &new)?;
        }
        Ok(Ok(()))
    })
}

fn set_valid(
    writer: &mut Writer<'_>,
    trace_id: &str,
    id: &str,
    valid: bool,
) -> Result<(), StoreError> {
    let set = "UPDATE OR ABORT assessments SET valid = ?3 \
               WHERE trace_id = ?1 AND assessment_id = ?2";
    writer.run(set, &[&trace_id, &id, &valid], 0..=1)
}

/// Adds an assessment that has an id to a trace that is there.
///
/// # Errors
/// Those of SQLite.
pub(super) fn insert(
    shared: &Shared,
    writer: &mut Writer<'_>,
    trace_id: &str,
    new: &Assessment,
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| shared.database().error(&error);
    let place = "SELECT experiment_id, timestamp_ms FROM trace_info WHERE request_id = ?1";
    let place: Option<(Option<i64>, Option<i64>)> = writer
        .connection()
        .query_row(place, [trace_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(failed)?;
    let (experiment, time) = place.unwrap_or_default();
    let (kind, value) = (new.kind.as_str(), new.value());
    let (aggregate, is_numeric) = aggregate(value);
    let created = new.create_time.unwrap_or_else(Timestamp::now);
    let updated = new.last_update_time.unwrap_or(created).millis();
    let created = created.millis();
    let error = match &new.kind {
        AssessmentKind::Feedback { error, .. } => error.as_ref().map(error_json),
        _ => None,
    };
    let metadata = (!new.metadata.is_empty()).then(|| python_json(&json!(new.metadata)));
    let value = python_json(value);
    let span = new.span_id.as_ref().map(SpanId::as_str);
    let run = new.metadata.get(SOURCE_RUN);
    let mut row = Row::of(shared, "assessments");
    let all: [(&str, &dyn ToSql); 20] = [
        ("assessment_id", &new.id),
        ("trace_id", &trace_id),
        ("name", &new.name),
        ("assessment_type", &kind),
        ("value", &value),
        ("error", &error),
        ("created_timestamp", &created),
        ("last_updated_timestamp", &updated),
        ("source_type", &new.source.kind),
        ("source_id", &new.source.id),
        ("run_id", &run),
        ("span_id", &span),
        ("rationale", &new.rationale),
        ("overrides", &new.overrides),
        ("valid", &new.valid),
        ("assessment_metadata", &metadata),
        ("experiment_id", &experiment),
        ("trace_timestamp_ms", &time),
        ("aggregate_value", &aggregate),
        ("is_numeric_value", &is_numeric),
    ];
    for (column, value) in all {
        row.set(column, value);
    }
    row.insert(writer)
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
