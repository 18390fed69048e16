//! Changing tags as MLflow changes them.

use rusqlite::types::Null;

use super::Shared;
use super::write::{self, Subject, Writer};
use crate::model::tag;
use crate::store::{StoreError, TagChanges};

/// Longer values are cut by MLflow, in characters.
const LONGEST_VALUE: usize = 8_000;

/// Changes the tags of each trace in one transaction; a result for each.
///
/// # Errors
/// When nothing was changed at all.
pub(super) fn change<T: AsRef<str>>(
    shared: &Shared,
    traces: &[T],
    changes: &TagChanges,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let subject = Subject {
        to_do: "change tags",
        what: "the tags",
    };
    write::each(shared, traces, subject, |writer, trace_id| {
        one(shared, writer, trace_id, changes).map(Ok)
    })
}

fn one(
    shared: &Shared,
    writer: &mut Writer<'_>,
    trace_id: &str,
    changes: &TagChanges,
) -> Result<(), StoreError> {
    // `OR ABORT` keeps rules of the schema from replacing other rows.
    const SET: &str = "INSERT OR ABORT INTO trace_tags (request_id, key, value) \
                       VALUES (?1, ?2, ?3) \
                       ON CONFLICT (key, request_id) DO UPDATE SET value = excluded.value";
    const SET_NAME: &str = "UPDATE OR ABORT trace_info SET trace_name = ?2 WHERE request_id = ?1";
    const DELETE: &str = "DELETE FROM trace_tags WHERE request_id = ?1 AND key = ?2";
    let in_column = |key: &str| key == tag::NAME && shared.schema.has_trace_column("trace_name");
    for (key, value) in &changes.set {
        let value: String = value.chars().take(LONGEST_VALUE).collect();
        if in_column(key) {
            writer.run(SET_NAME, &[&trace_id, &value], 1..=1)?;
        } else {
            writer.run(SET, &[&trace_id, key, &value], 1..=1)?;
        }
    }
    for key in &changes.delete {
        if in_column(key) {
            writer.run(SET_NAME, &[&trace_id, &Null], 1..=1)?;
        } else {
            writer.run(DELETE, &[&trace_id, key], 0..=1)?;
        }
    }
    Ok(())
}
