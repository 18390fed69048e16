//! Sums by the day that MLflow 3.17 keeps where its server is told to. Whoever changes what
//! they are of says so in a queue, as MLflow does, and before the traces are locked: then
//! they are computed anew. Most databases have none.

use std::collections::{BTreeMap, BTreeSet};

use super::infos::possible;
use super::link::{Arg, Link};
use super::{DatabaseStore, Odd};
use crate::model::Timestamp;
use crate::store::StoreError;
use crate::store::local::lock;
use crate::store::sql::{ROLLUP_QUEUE, row};

/// What is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Traces,
    Costs,
    Assessments,
}

/// All of them.
pub(super) const ALL: [Family; 3] = [Family::Traces, Family::Costs, Family::Assessments];

impl Family {
    /// Its name in the queue, and the table of its sums.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Traces => ("trace_metric", "sql_trace_metric_daily_rollups"),
            Self::Costs => ("span_cost", "sql_span_cost_daily_rollups"),
            Self::Assessments => ("assessment", "sql_assessment_daily_rollups"),
        }
    }

    /// For each of some traces the experiment, and between which times what they have of it
    /// was, in nanoseconds.
    fn times(self, one_of: &dyn Fn(&str) -> String) -> String {
        match self {
            Self::Traces | Self::Assessments => format!(
                "SELECT experiment_id, timestamp_ms * 1000000, timestamp_ms * 1000000 \
                 FROM trace_info WHERE {}",
                one_of("request_id")
            ),
            Self::Costs => format!(
                "SELECT experiment_id, min(start_time_unix_nano), max(start_time_unix_nano) \
                 FROM spans WHERE {} GROUP BY trace_id, experiment_id",
                one_of("trace_id")
            ),
        }
    }
}

/// Says of the sums of these kinds that traces are in that they are out of date.
///
/// # Errors
/// Those of the database.
pub(super) fn outdate<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
    families: &[Family],
) -> Result<(), StoreError> {
    let ids = possible(ids.iter().copied());
    if ids.is_empty() || !store.schema.has(ROLLUP_QUEUE, "rollup_family") {
        return Ok(());
    }
    for family in families {
        let (name, table) = family.names();
        let any = format!("SELECT 1 FROM {table} LIMIT 1");
        if !store.schema.has(table, "rollup_day") || store.ask(&any, &[])?.is_empty() {
            continue;
        }
        for (experiment, days) in days(store, &ids, *family)? {
            let days: Vec<String> = days
                .iter()
                .map(|(first, last)| format!("r.rollup_day BETWEEN '{first}' AND '{last}'"))
                .collect();
            let of = format!("r.experiment_id = {experiment} AND ({})", days.join(" OR "));
            let say = format!(
                "INSERT INTO {ROLLUP_QUEUE} (experiment_id, rollup_day, rollup_family) \
                 SELECT DISTINCT r.experiment_id, r.rollup_day, '{name}' FROM {table} r \
                 WHERE {of} AND NOT EXISTS (SELECT 1 FROM {ROLLUP_QUEUE} q \
                 WHERE q.experiment_id = r.experiment_id AND q.rollup_day = r.rollup_day \
                 AND q.rollup_family = '{name}')"
            );
            store.run(&say, &[])?;
            // Whoever computes them anew holds their rows until that is done, and then they
            // are gone.
            let wait = format!(
                "SELECT 1 FROM {ROLLUP_QUEUE} r WHERE {of} AND r.rollup_family = '{name}' \
                 FOR UPDATE"
            );
            store.ask(&wait, &[])?;
            store.run(&say, &[])?;
        }
    }
    Ok(())
}

/// First and last days, by experiment.
type Days = BTreeMap<i64, BTreeSet<(String, String)>>;

fn days<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
    family: Family,
) -> Result<Days, StoreError> {
    let sql = family.times(&|column| lock(&store.link).one_of(column, 1));
    let day = |ns: i64| Timestamp::from_nanos(ns).to_utc().date_naive().to_string();
    let mut all = Days::new();
    for row in &store.ask(&sql, &[Arg::Texts(ids.to_vec())])? {
        let number = |at| row::maybe_number(row, "spans", at);
        let read = || Ok((number(0)?, number(1)?, number(2)?));
        let read = read().map_err(|odd: Odd| odd.of_store(&store.name))?;
        if let (Some(experiment), Some(first), Some(last)) = read {
            let days = all.entry(experiment).or_default();
            days.insert((day(first), day(last)));
        }
    }
    Ok(all)
}
