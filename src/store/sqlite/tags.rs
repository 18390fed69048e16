//! Changing tags as MLflow changes them, many traces in one transaction.

use rusqlite::{Connection, TransactionBehavior, params};

use super::Shared;
use crate::model::tag;
use crate::store::{Batches, StoreError, TagChanges};

/// Traces whose tags are changed in one transaction, all of them or none. More
/// writers than one would only wait for each other.
pub(super) const BATCHES: Batches = Batches {
    traces: 500,
    at_once: 1,
};

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
    let failed = |error: rusqlite::Error| shared.database.error(&error);
    let mut connection = shared.database.writer()?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let mut results = Vec::with_capacity(trace_ids.len());
    for trace_id in trace_ids {
        let known = one(shared, &transaction, trace_id, changes).map_err(failed)?;
        results.push(if known {
            Ok(())
        } else {
            Err(shared.unknown(trace_id))
        });
    }
    transaction.commit().map_err(failed)?;
    Ok(results)
}

/// Whether there is such a trace.
fn one(
    shared: &Shared,
    connection: &Connection,
    trace_id: &str,
    changes: &TagChanges,
) -> rusqlite::Result<bool> {
    let within = shared.workspace.of_experiment_id("experiment_id");
    let known = connection
        .prepare_cached(&format!(
            "SELECT 1 FROM trace_info WHERE request_id = ?1 AND {within}"
        ))?
        .exists([trace_id])?;
    if !known {
        return Ok(false);
    }
    let in_column = |key: &str| key == tag::NAME && shared.schema.has_trace_column("trace_name");
    for (key, value) in &changes.set {
        let value: String = value.chars().take(LONGEST_VALUE).collect();
        if in_column(key) {
            connection
                .prepare_cached("UPDATE trace_info SET trace_name = ?2 WHERE request_id = ?1")?
                .execute(params![trace_id, value])?;
        } else {
            connection
                .prepare_cached(
                    "INSERT INTO trace_tags (request_id, key, value) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (key, request_id) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![trace_id, key, value])?;
        }
    }
    for key in &changes.delete {
        if in_column(key) {
            connection
                .prepare_cached("UPDATE trace_info SET trace_name = NULL WHERE request_id = ?1")?
                .execute([trace_id])?;
        } else {
            connection
                .prepare_cached("DELETE FROM trace_tags WHERE request_id = ?1 AND key = ?2")?
                .execute([trace_id, key])?;
        }
    }
    Ok(true)
}
