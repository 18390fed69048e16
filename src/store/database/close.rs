//! Finishing traces in progress as MLflow finishes them.

use std::collections::HashMap;

use super::link::{Arg, Link};
use super::rollups::{self, Family};
use super::{DatabaseStore, change, spans};
use crate::model::{Trace, TraceState};
use crate::store::close::{Closed, Closing};
use crate::store::{Detail, StoreError};

/// Finishes each trace; a result for each.
///
/// # Errors
/// Those of the database, which end the transaction.
pub(super) fn all<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
    closing: &Closing,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    rollups::outdate(store, ids, &[Family::Traces])?;
    change::locked(store, ids)?;
    let mut traces: HashMap<String, Result<Trace, StoreError>> = HashMap::new();
    let mut infos = Vec::new();
    for (id, info) in store.infos_of(ids)? {
        match info {
            Ok(info) => infos.push(info),
            Err(error) => drop(traces.insert(id, Err(error))),
        }
    }
    let complete = spans::complete(store, &infos, Detail::Times);
    traces.extend(infos.into_iter().map(|info| info.trace_id).zip(complete));
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        results.push(match traces.remove(*id) {
            None => Err(store.unknown(id)),
            Some(Ok(trace)) => one(store, &trace, closing)?,
            Some(Err(error)) if error.is_about_one_trace() => Err(error),
            Some(Err(error)) => return Err(error),
        });
    }
    Ok(results)
}

fn one<L: Link>(
    store: &DatabaseStore<L>,
    trace: &Trace,
    closing: &Closing,
) -> Result<Result<(), StoreError>, StoreError> {
    let id = &trace.info.trace_id;
    let took_ms = match closing.of(trace) {
        Closed::At { took_ms, .. } => took_ms,
        other => return Ok(Err(StoreError::not_closed(id, &other))),
    };
    // A trace in progress has no state of an end, whoever wrote it meanwhile.
    let sql = format!(
        "UPDATE trace_info SET status = {}, execution_time_ms = {} \
         WHERE request_id = {} AND status = {}",
        store.place(1),
        store.place(2),
        store.place(3),
        store.place(4),
    );
    let values = [
        Arg::Text(closing.state.as_str()),
        Arg::Integer(took_ms),
        Arg::Text(id),
        Arg::Text(TraceState::InProgress.as_str()),
    ];
    store.run(&sql, &values)?;
    Ok(Ok(()))
}
