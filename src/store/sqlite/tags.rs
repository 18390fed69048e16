//! Changing tags as MLflow changes them, many traces in one transaction.

use std::ops::RangeInclusive;

use rusqlite::types::Null;
use rusqlite::{Connection, ToSql, TransactionBehavior};

use super::Shared;
use crate::model::tag;
use crate::store::{StoreError, TagChanges};

/// Traces whose tags are changed in one transaction, all of them or none. More
/// writers than one would only wait for each other.
pub(super) const BATCH: usize = 500;

/// Longer values are cut by MLflow, in characters.
const LONGEST_VALUE: usize = 8_000;

/// Changes the tags of each trace in one transaction; a result for each. Unknown
/// traces do not keep the others from being changed.
///
/// # Errors
/// When nothing was changed at all.
pub(super) fn change(
    shared: &Shared,
    trace_ids: &[String],
    changes: &TagChanges,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let failed = |error: rusqlite::Error| shared.database().error(&error);
    shared.readers.see_later_state();
    let mut open = shared.database().writer()?;
    let transaction = open
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let mut results = Vec::with_capacity(trace_ids.len());
    let before = transaction.total_changes();
    let mut rows = 0;
    for trace_id in trace_ids {
        results.push(
            if is_known(shared, &transaction, trace_id).map_err(failed)? {
                rows += one(shared, &transaction, trace_id, changes)?;
                Ok(())
            } else {
                Err(shared.unknown(trace_id))
            },
        );
    }
    // Rules of the schema may change more than what they are asked to.
    if transaction.total_changes() - before != rows {
        return Err(unexpected(shared, "other rows than those of the tags"));
    }
    transaction.commit().map_err(failed)?;
    shared.readers.see_later_state();
    Ok(results)
}

fn unexpected(shared: &Shared, what: &str) -> StoreError {
    StoreError::NotWritten {
        path: shared.database().path().display().to_string(),
        reason: format!(
            "its schema is not MLflow's: to change tags would change {what}; nothing was changed"
        ),
    }
}

fn is_known(shared: &Shared, connection: &Connection, trace_id: &str) -> rusqlite::Result<bool> {
    let within = shared.workspace.of_experiment_id("experiment_id");
    connection
        .prepare_cached(&format!(
            "SELECT 1 FROM trace_info WHERE request_id = ?1 AND {within}"
        ))?
        .exists([trace_id])
}

/// Changes the tags of one trace; gives how many rows were changed.
fn one(
    shared: &Shared,
    connection: &Connection,
    trace_id: &str,
    changes: &TagChanges,
) -> Result<u64, StoreError> {
    // `OR ABORT` keeps rules of the schema from replacing other rows.
    const SET: &str = "INSERT OR ABORT INTO trace_tags (request_id, key, value) \
                       VALUES (?1, ?2, ?3) \
                       ON CONFLICT (key, request_id) DO UPDATE SET value = excluded.value";
    const SET_NAME: &str = "UPDATE OR ABORT trace_info SET trace_name = ?2 WHERE request_id = ?1";
    const DELETE: &str = "DELETE FROM trace_tags WHERE request_id = ?1 AND key = ?2";
    let run = |sql: &str, values: &[&dyn ToSql], expected: RangeInclusive<usize>| {
        let count = connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|error| shared.database().error(&error))?;
        if expected.contains(&count) {
            Ok(count as u64)
        } else {
            Err(unexpected(
                shared,
                &format!("{count} rows where it should be one"),
            ))
        }
    };
    let in_column = |key: &str| key == tag::NAME && shared.schema.has_trace_column("trace_name");
    let mut rows = 0;
    for (key, value) in &changes.set {
        let value: String = value.chars().take(LONGEST_VALUE).collect();
        rows += if in_column(key) {
            run(SET_NAME, &[&trace_id, &value], 1..=1)?
        } else {
            run(SET, &[&trace_id, key, &value], 1..=1)?
        };
    }
    for key in &changes.delete {
        rows += if in_column(key) {
            run(SET_NAME, &[&trace_id, &Null], 1..=1)?
        } else {
            run(DELETE, &[&trace_id, key], 0..=1)?
        };
    }
    Ok(rows)
}
