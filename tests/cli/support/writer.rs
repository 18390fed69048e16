//! Traces that are written into a database of MLflow's one by one, as fast as a test wants
//! them.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

/// The present, in milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A database that traces are written into, as MLflow writes them.
pub(crate) struct Writer(pub(crate) Connection);

/// A trace to write: its number, how long ago it began, how long it took, its state.
#[derive(Clone, Copy)]
pub(crate) struct New {
    pub(crate) number: usize,
    pub(crate) began: i64,
    pub(crate) took: i64,
    pub(crate) state: &'static str,
}

pub(crate) fn id(number: usize) -> String {
    format!("tr-{number:032x}")
}

impl Writer {
    pub(crate) fn open(dir: &Path) -> Self {
        let connection = Connection::open(dir.join("mlflow.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        Self(connection)
    }

    /// Writes some in one transaction.
    pub(crate) fn write(&mut self, traces: &[New]) {
        let transaction = self.0.transaction().unwrap();
        for new in traces {
            let experiment = i64::from(new.number % 2 == 1);
            let insert = "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, \
                          execution_time_ms, status, trace_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let name = format!("made-{}", new.number % 3);
            let values = (
                id(new.number),
                experiment,
                new.began,
                new.took,
                new.state,
                name,
            );
            transaction
                .prepare_cached(insert)
                .unwrap()
                .execute(values)
                .unwrap();
            let insert = "INSERT INTO trace_request_metadata (request_id, key, value) \
                          VALUES (?1, 'mlflow.trace.infoFinalized', 'true')";
            let mut insert = transaction.prepare_cached(insert).unwrap();
            insert.execute([id(new.number)]).unwrap();
        }
        transaction.commit().unwrap();
    }

    pub(crate) fn end(&mut self, number: usize, state: &str, took: i64) {
        let update = "UPDATE trace_info SET status = ?2, execution_time_ms = ?3 \
                      WHERE request_id = ?1";
        let changed = self.0.execute(update, (id(number), state, took)).unwrap();
        assert_eq!(changed, 1);
    }

    /// A second experiment.
    pub(crate) fn with_another_experiment(self) -> Self {
        self.0
            .execute_batch(
                "INSERT INTO experiments (experiment_id, name, artifact_location, \
                 lifecycle_stage, creation_time, last_update_time) \
                 SELECT 1, 'other', artifact_location, 'active', 0, 0 FROM experiments \
                 WHERE experiment_id = 0",
            )
            .unwrap();
        self
    }
}

/// Traces with a number each, which have finished just now.
pub(crate) fn just_now(numbers: impl IntoIterator<Item = usize>) -> Vec<New> {
    let numbers = numbers.into_iter();
    let new = |number| New {
        number,
        began: now_ms() - 20,
        took: 20,
        state: "OK",
    };
    numbers.map(new).collect()
}
