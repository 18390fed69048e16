//! Changing tags as MLflow changes them, several traces in one transaction.

use super::DatabaseStore;
use super::link::{Arg, Link};
use crate::model::tag;
use crate::store::local::lock;
use crate::store::{DatabaseFault, StoreError, TagChanges, TraceRef};

/// Traces that are changed in one transaction, all of them or none.
pub(super) const BATCH: usize = 500;

/// Longer values are cut by MLflow, in characters.
const LONGEST_VALUE: usize = 8_000;

/// # Errors
/// Where the user may not change tags.
pub(super) fn can<L: Link>(store: &DatabaseStore<L>) -> Result<(), StoreError> {
    if lock(&store.link).may_change("trace_tags")? {
        Ok(())
    } else {
        Err(StoreError::Database {
            store: store.name.clone(),
            reason: DatabaseFault::MayOnlyRead,
        })
    }
}

/// Changes the tags of each trace in one transaction; a result for each.
///
/// # Errors
/// When nothing was changed at all.
pub(super) fn change<L: Link>(
    store: &DatabaseStore<L>,
    traces: &[TraceRef],
    changes: &TagChanges,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    lock(&store.cursors).clear();
    let in_column = |key: &str| key == tag::NAME && store.schema.has_trace_column("trace_name");
    let within = store.workspace.of_experiment_id("experiment_id");
    let known = |id: &str| !id.contains('\0');
    let mut link = lock(&store.link);
    let done = link.change(|link| {
        let sql = link.tag_statements();
        let mut results = Vec::with_capacity(traces.len());
        for trace in traces {
            let id = Arg::Text(&trace.id);
            let is_known = known(&trace.id)
                && !link
                    .ask(
                        &format!("{} AND {within}", sql.find),
                        std::slice::from_ref(&id),
                    )?
                    .is_empty();
            if !is_known {
                results.push(Err(store.unknown(&trace.id)));
                continue;
            }
            for (key, value) in &changes.set {
                let value: String = value.chars().take(LONGEST_VALUE).collect();
                let (value, id) = (Arg::Text(&value), id.clone());
                if in_column(key) {
                    link.run(sql.set_name, &[id, value])?;
                } else {
                    link.run(sql.set, &[id, Arg::Text(key), value])?;
                }
            }
            for key in &changes.delete {
                if in_column(key) {
                    link.run(sql.set_name, &[id.clone(), Arg::Null])?;
                } else {
                    link.run(sql.delete, &[id.clone(), Arg::Text(key)])?;
                }
            }
            results.push(Ok(()));
        }
        Ok(results)
    });
    done.map_err(|error| match error {
        StoreError::Database {
            store,
            reason: DatabaseFault::MayNotRead,
        } => StoreError::Database {
            store,
            reason: DatabaseFault::MayOnlyRead,
        },
        other => other,
    })
}
