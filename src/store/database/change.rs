//! Changing several traces in one transaction, as MLflow changes them: the rows of the
//! traces are locked in one order, so that nobody else changes the same traces meanwhile
//! and two that change many wait for each other and do not fail.

use std::collections::HashMap;

use super::infos::possible;
use super::link::{Arg, Link, Right};
use super::{DatabaseStore, Odd, assess, close, delete, tags};
use crate::store::assess::none_are_kept;
use crate::store::local::lock;
use crate::store::sql::{BELONGING, row};
use crate::store::{Change, DatabaseFault, StoreError, TraceRef};

/// Traces that are changed in one transaction, all of them or none.
pub(super) const BATCH: usize = 500;

/// How often a transaction is tried that others stand in the way of.
const ATTEMPTS: usize = 3;

/// A trace that is locked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) experiment: Option<i64>,
    pub(super) time_ms: Option<i64>,
}

/// Results for traces, in their order.
type Results = Vec<Result<(), StoreError>>;

/// # Errors
/// Where the user may not change traces in this way.
pub(super) fn can<L: Link>(store: &DatabaseStore<L>, change: &Change) -> Result<(), StoreError> {
    use Right::{Delete, Insert, Update};
    let mut wanted: Vec<(&str, &[Right])> = Vec::new();
    match change {
        Change::Tags(_) => wanted.push(("trace_tags", &[Insert, Update, Delete])),
        Change::Assess(_) if !store.schema.has_assessments() => {
            return Err(none_are_kept(store.name.clone()));
        }
        Change::Assess(_) => {
            wanted.push(("assessments", &[Insert, Update, Delete]));
            wanted.push(("trace_info", &[Update]));
        }
        Change::Close(_) => wanted.push(("trace_info", &[Update])),
        Change::Delete => {
            let tables = BELONGING.iter();
            let known = tables.filter(|(table, column, _)| store.schema.has(table, column));
            wanted.extend(known.map(|(table, _, _)| (*table, &[Delete][..])));
            wanted.push(("trace_info", &[Update, Delete]));
        }
    }
    let mut link = lock(&store.link);
    for (table, rights) in wanted {
        if !link.may_change(table, rights)? {
            return Err(only_reads(store));
        }
    }
    Ok(())
}

fn only_reads<L>(store: &DatabaseStore<L>) -> StoreError {
    StoreError::Database {
        store: store.name.clone(),
        reason: DatabaseFault::MayOnlyRead,
    }
}

/// Changes some traces in one transaction; a result for each.
///
/// # Errors
/// When nothing was changed at all.
pub(super) fn all<L: Link>(
    store: &DatabaseStore<L>,
    traces: &[TraceRef],
    change: &Change,
) -> Result<Results, StoreError> {
    let ids: Vec<&str> = traces.iter().map(|trace| trace.id.as_str()).collect();
    let mut attempt = 1;
    loop {
        let done = in_one(store, || match change {
            Change::Tags(changes) => tags::change(store, &ids, changes),
            Change::Assess(plan) => assess::change(store, &ids, plan),
            Change::Close(closing) => close::all(store, &ids, closing),
            Change::Delete => delete::all(store, &ids),
        });
        match done {
            Err(StoreError::Database {
                reason: DatabaseFault::Conflict,
                ..
            }) if attempt < ATTEMPTS => attempt += 1,
            Err(StoreError::Database {
                reason: DatabaseFault::MayNotRead,
                ..
            }) => return Err(only_reads(store)),
            done => return done,
        }
    }
}

/// Does something within a transaction: all of it or nothing.
fn in_one<L: Link, T>(
    store: &DatabaseStore<L>,
    change: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    lock(&store.cursors).clear();
    lock(&store.link).begin_change()?;
    let done = change().and_then(|done| {
        lock(&store.link).commit()?;
        Ok(done)
    });
    if done.is_err() {
        lock(&store.link).renew();
    }
    *lock(&store.facts) = None;
    *lock(&store.has_assessments) = None;
    done
}

/// Locks those of some traces that there are.
///
/// # Errors
/// Those of the database.
pub(super) fn locked<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
) -> Result<HashMap<String, Place>, StoreError> {
    let ids = possible(ids.iter().copied());
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT request_id, experiment_id, timestamp_ms FROM trace_info WHERE {} AND {} \
         ORDER BY request_id FOR UPDATE",
        lock(&store.link).one_of("request_id", 1),
        store.workspace.of_experiment_id("experiment_id"),
    );
    let rows = store.ask(&sql, &[Arg::Texts(ids)])?;
    let read = |row: &L::Row| {
        let place = Place {
            experiment: row::maybe_number(row, "trace_info", 1)?,
            time_ms: row::maybe_number(row, "trace_info", 2)?,
        };
        Ok((row::text(row, "trace_info", 0)?.into_owned(), place))
    };
    let read = rows.iter().map(read).collect::<Result<_, Odd>>();
    read.map_err(|odd| odd.of_store(&store.name))
}
