//! Changing tags as MLflow changes them.

use super::DatabaseStore;
use super::link::{Arg, Link};
use crate::model::tag;
use crate::store::local::lock;
use crate::store::{StoreError, TagChanges};

/// Longer values are cut by MLflow, in characters.
const LONGEST_VALUE: usize = 8_000;

/// Changes the tags of each trace; a result for each.
///
/// # Errors
/// Those of the database, which end the transaction.
pub(super) fn change<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
    changes: &TagChanges,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let in_column = |key: &str| key == tag::NAME && store.schema.has_trace_column("trace_name");
    let within = store.workspace.of_experiment_id("experiment_id");
    let sql = lock(&store.link).tag_statements();
    let find = format!("{} AND {within}", sql.find);
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        let id_of = || Arg::Text(id);
        if id.contains('\0') || store.ask(&find, &[id_of()])?.is_empty() {
            results.push(Err(store.unknown(id)));
            continue;
        }
        for (key, value) in &changes.set {
            let value: String = value.chars().take(LONGEST_VALUE).collect();
            let value = Arg::Text(&value);
            if in_column(key) {
                store.run(sql.set_name, &[id_of(), value])?;
            } else {
                store.run(sql.set, &[id_of(), Arg::Text(key), value])?;
            }
        }
        for key in &changes.delete {
            if in_column(key) {
                store.run(sql.set_name, &[id_of(), Arg::Null])?;
            } else {
                store.run(sql.delete, &[id_of(), Arg::Text(key)])?;
            }
        }
        results.push(Ok(()));
    }
    Ok(results)
}
