//! Making and deleting assessments as MLflow does.

use rusqlite::OptionalExtension as _;

use super::Shared;
use super::row::Row;
use super::write::{self, Subject, Writer};
use crate::model::Assessment;
use crate::store::assess::restored;
use crate::store::sql::assessed;
use crate::store::{AssessmentPlan, StoreError};

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
    let all = assessed::row(trace_id, new, experiment, time);
    let mut row = Row::of(shared, assessed::TABLE);
    for (column, value) in &all {
        row.set(column, value);
    }
    row.insert(writer)
}
