//! Deleting traces as MLflow deletes them: their rows in every table, and what of theirs
//! is kept in files of the store's own. The rows go first and all at once, so that no
//! trace is ever seen that has lost its spans.

use rusqlite::OptionalExtension as _;

use super::Shared;
use super::write::{self, Subject, Writer};
use crate::model::tag;
use crate::store::StoreError;
use crate::store::artifact::Owned;
use crate::store::sql::BELONGING;

/// Deletes traces in one transaction; a result for each. One whose archive is not the
/// store's own stays.
///
/// # Errors
/// When nothing was deleted at all.
pub(super) fn all<T: AsRef<str>>(
    shared: &Shared,
    traces: &[T],
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let subject = Subject {
        to_do: "delete traces",
        what: "the traces",
    };
    let mut files = Vec::new();
    let results = write::each(shared, traces, subject, |writer, trace_id| {
        let own = match owned(shared, writer, trace_id)? {
            Ok(own) => own,
            Err(refused) => return Ok(Err(refused)),
        };
        for (table, column, more) in BELONGING {
            if shared.schema.has(table, column) {
                let sql = format!("DELETE FROM {table} WHERE {column} = ?1{more}");
                writer.run(&sql, &[&trace_id], 0..=usize::MAX)?;
            }
        }
        let delete = "DELETE FROM trace_info WHERE request_id = ?1";
        writer.run(delete, &[&trace_id], 1..=1)?;
        files.extend(own);
        Ok(Ok(()))
    })?;
    for file in files {
        if let Err(left) = file.delete() {
            shared.doubts.add(left);
        }
    }
    Ok(results)
}

/// The files that go with a trace.
fn owned(
    shared: &Shared,
    writer: &Writer<'_>,
    trace_id: &str,
) -> Result<Result<Vec<Owned>, StoreError>, StoreError> {
    let failed = |error: rusqlite::Error| shared.database().error(&error);
    let tag_of = |key: &str| -> Result<Option<String>, StoreError> {
        let sql = "SELECT CAST(value AS TEXT) FROM trace_tags WHERE request_id = ?1 AND key = ?2";
        let mut statement = writer.connection().prepare_cached(sql).map_err(failed)?;
        let value = statement.query_row([trace_id, key], |row| row.get::<_, Option<String>>(0));
        Ok(value.optional().map_err(failed)?.flatten())
    };
    let mut all = Vec::new();
    if tag_of(tag::SPANS_LOCATION)?.as_deref() == Some("ARCHIVE_REPO")
        && let Some(location) = tag_of(tag::ARCHIVE_LOCATION)?
    {
        match shared.artifacts.own_archive(trace_id, &location) {
            Ok(archive) => all.extend(archive),
            Err(refused) => return Ok(Err(refused)),
        }
    }
    if let Some(location) = tag_of(tag::ARTIFACT_LOCATION)? {
        all.extend(shared.artifacts.own_folders(trace_id, &location));
    }
    Ok(Ok(all))
}
