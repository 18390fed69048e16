//! What is in each experiment, by one statement.

use std::collections::HashMap;

use super::SqliteStore;
use crate::model::{Experiment, ExperimentOverview, Timestamp};
use crate::store::StoreError;

impl SqliteStore {
    pub(super) fn overview_of(
        &self,
        experiments: Vec<Experiment>,
    ) -> Result<Vec<ExperimentOverview>, StoreError> {
        type Row = (i64, usize, Option<i64>, Option<i64>);
        let shared = &self.shared;
        let counts = shared.read(|connection| {
            let rows = || -> rusqlite::Result<Vec<Row>> {
                connection
                    .prepare(
                        // Times that are none are those of traces that cannot be read.
                        "SELECT experiment_id, COUNT(*), \
                         MIN(timestamp_ms) FILTER (WHERE typeof(timestamp_ms) = 'integer'), \
                         MAX(timestamp_ms) FILTER (WHERE typeof(timestamp_ms) = 'integer') \
                         FROM trace_info WHERE typeof(experiment_id) = 'integer' \
                         GROUP BY experiment_id",
                    )?
                    .query_map([], |row| {
                        let traces: i64 = row.get(1)?;
                        let traces = usize::try_from(traces).unwrap_or(0);
                        Ok((row.get(0)?, traces, row.get(2)?, row.get(3)?))
                    })?
                    .collect()
            };
            rows().map_err(|error| shared.database().error(&error))
        })?;
        let counts: HashMap<String, Row> = counts
            .into_iter()
            .map(|row| (row.0.to_string(), row))
            .collect();
        let overview = |experiment: Experiment| {
            let mut overview = ExperimentOverview::empty(experiment);
            if let Some((_, traces, first, last)) = counts.get(&overview.experiment.id) {
                overview.traces = *traces;
                overview.first = first.map(Timestamp::from_millis);
                overview.last = last.map(Timestamp::from_millis);
            }
            overview
        };
        Ok(experiments.into_iter().map(overview).collect())
    }
}
