//! Deleting traces as MLflow deletes them: their rows in every table. What is archived of
//! one lies where only the tracking server gets to, so that such a trace stays.

use std::collections::HashMap;

use super::link::{Arg, Link};
use super::{DatabaseStore, Odd, change, rollups};
use crate::model::tag;
use crate::store::StoreError;
use crate::store::artifact::shown;
use crate::store::local::lock;
use crate::store::sql::{BELONGING, row};

/// Deletes traces; a result for each.
///
/// # Errors
/// Those of the database, which end the transaction.
pub(super) fn all<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    rollups::outdate(store, ids, &rollups::ALL)?;
    let known = change::locked(store, ids)?;
    let known: Vec<&str> = known.keys().map(String::as_str).collect();
    let archives = archives(store, &known)?;
    let gone: Vec<&str> = known
        .iter()
        .copied()
        .filter(|id| !archives.contains_key(*id))
        .collect();
    let delete = |table: &str, column: &str, more: &str| -> Result<(), StoreError> {
        let one_of = lock(&store.link).one_of(column, 1);
        let sql = format!("DELETE FROM {table} WHERE {one_of}{more}");
        store.run(&sql, &[Arg::Texts(gone.clone())]).map(drop)
    };
    if !gone.is_empty() {
        for (table, column, more) in BELONGING {
            if store.schema.has(table, column) {
                delete(table, column, more)?;
            }
        }
        delete("trace_info", "request_id", "")?;
    }
    let result = |id: &&str| match archives.get(*id) {
        Some(location) => Err(StoreError::ArchivedElsewhere {
            id: (*id).to_owned(),
            location: location.clone(),
            reason: "mlt deletes no files of a database server's",
        }),
        None if known.contains(id) => Ok(()),
        None => Err(store.unknown(id)),
    };
    Ok(ids.iter().map(result).collect())
}

/// Where the spans of traces are archived, by id.
fn archives<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
) -> Result<HashMap<String, String>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT p.request_id, a.value FROM trace_tags p \
         JOIN trace_tags a ON a.request_id = p.request_id AND a.key = '{}' \
         WHERE {} AND p.key = '{}' AND p.value = 'ARCHIVE_REPO' AND a.value IS NOT NULL",
        tag::ARCHIVE_LOCATION,
        lock(&store.link).one_of("p.request_id", 1),
        tag::SPANS_LOCATION,
    );
    let rows = store.ask(&sql, &[Arg::Texts(ids.to_vec())])?;
    let read = |row: &L::Row| {
        let text = |at| row::text(row, "trace_tags", at);
        Ok((text(0)?.into_owned(), shown(&text(1)?)))
    };
    let read = rows.iter().map(read).collect::<Result<_, Odd>>();
    read.map_err(|odd| odd.of_store(&store.name))
}
