//! Stretches of time in which traces are searched one after the other, from the newest on: for
//! databases that would sort, or keep, all traces before they give the first one.

use super::DatabaseStore;
use super::link::{Arg, Link};
use crate::store::StoreError;

/// Traces of the first stretch; each one has some times more than the one before. One that
/// would have more than these has all that are left, which are read as they lie: each of
/// several such stretches would take as long.
const FIRST: usize = 1 << 10;
const TIMES: usize = 4;
const MOST: usize = 1 << 14;

/// What has not been searched yet.
pub(super) struct Windows {
    /// Whose times are counted, as a condition on `trace_info`.
    among: String,
    /// Traces that began before are not searched for.
    floor: f64,
    /// The last time of what is left; `None` once nothing is.
    last: Option<i64>,
    size: usize,
}

impl Windows {
    /// Of traces in these experiments, as a list in parentheses; `floor` where a filter has
    /// nothing that began before, in milliseconds.
    pub(super) fn new<L: Link>(store: &DatabaseStore<L>, scope: &str, floor: Option<f64>) -> Self {
        // Those of several experiments are in the order of no index.
        let among = if scope.contains(',') {
            store.truth(true).to_owned()
        } else {
            format!("experiment_id IN {scope}")
        };
        Self {
            among,
            floor: floor.unwrap_or(f64::NEG_INFINITY),
            last: Some(i64::MAX),
            size: FIRST,
        }
    }

    /// The first and the last time of the next stretch.
    ///
    /// # Errors
    /// Those of the database.
    #[allow(clippy::cast_precision_loss)] // Far less than what the floor is too low by.
    pub(super) fn next<L: Link>(
        &mut self,
        store: &DatabaseStore<L>,
    ) -> Result<Option<(i64, i64)>, StoreError> {
        let Some(last) = self.last else {
            return Ok(None);
        };
        if self.size > MOST {
            self.last = None;
            return Ok(Some((i64::MIN, last)));
        }
        let sql = format!(
            "SELECT timestamp_ms FROM trace_info WHERE {} AND timestamp_ms <= {} \
             ORDER BY timestamp_ms DESC LIMIT 1 OFFSET {}",
            self.among,
            store.place(1),
            self.size - 1,
        );
        let rows = store.ask(&sql, &[Arg::Integer(last)])?;
        let first = match rows.first() {
            Some(row) => crate::store::sql::row::maybe_number(row, "trace_info", 0)
                .map_err(|odd| odd.of_store(&store.name))?,
            None => None,
        };
        let first = first.filter(|first| *first as f64 > self.floor);
        self.last = first.and_then(|first| first.checked_sub(1));
        self.size *= TIMES;
        Ok(Some((first.unwrap_or(i64::MIN), last)))
    }
}
