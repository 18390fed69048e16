//! Changing many traces in one transaction, and nothing but what was asked for.

use rusqlite::{Connection, ErrorCode, ToSql, Transaction, TransactionBehavior};
use std::ops::RangeInclusive;

use super::Shared;
use crate::store::StoreError;

/// Traces that are changed in one transaction, all of them or none. More writers than one
/// would only wait for each other.
pub(super) const BATCH: usize = 500;

/// What is changed, for a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    /// `change tags`
    pub(super) to_do: &'static str,
    /// `the tags`
    pub(super) what: &'static str,
}

/// Changes rows of one trace after the other within a transaction, and counts them.
pub(super) struct Writer<'w> {
    shared: &'w Shared,
    transaction: Transaction<'w>,
    subject: Subject,
    rows: u64,
    /// Whether a rule of the database did not allow the last statement.
    is_refused: bool,
}

/// Changes each trace in one transaction; a result for each. Unknown traces do not keep
/// the others from being changed, nor does what `one` gives as the result of a trace.
///
/// # Errors
/// When nothing was changed at all.
pub(super) fn each<T: AsRef<str>>(
    shared: &Shared,
    traces: &[T],
    subject: Subject,
    mut one: impl FnMut(&mut Writer<'_>, &str) -> Result<Result<(), StoreError>, StoreError>,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    together(shared, traces, subject, |writer, trace| {
        let trace_id = trace.as_ref();
        let known = is_known(shared, &writer.transaction, trace_id);
        if known.map_err(|error| shared.database().error(&error))? {
            one(writer, trace_id)
        } else {
            Ok(Err(shared.unknown(trace_id)))
        }
    })
}

/// Does something for each item in one transaction; a result for each.
///
/// # Errors
/// When nothing was changed at all.
pub(super) fn together<T, R>(
    shared: &Shared,
    items: &[T],
    subject: Subject,
    mut one: impl FnMut(&mut Writer<'_>, &T) -> Result<R, StoreError>,
) -> Result<Vec<R>, StoreError> {
    let failed = |error: rusqlite::Error| shared.database().error(&error);
    shared.readers.see_later_state();
    let mut open = shared.database().writer()?;
    let transaction = open
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let before = transaction.total_changes();
    let mut writer = Writer {
        shared,
        transaction,
        subject,
        rows: 0,
        is_refused: false,
    };
    let mut results = Vec::with_capacity(items.len());
    for item in items {
        results.push(one(&mut writer, item)?);
    }
    // Rules of the schema may change more than what they are asked to.
    if writer.transaction.total_changes() - before != writer.rows {
        let other = format!("other rows than those of {}", subject.what);
        return Err(writer.unexpected(&other));
    }
    writer.transaction.commit().map_err(failed)?;
    shared.readers.see_later_state();
    Ok(results)
}

impl Writer<'_> {
    /// The connection, for questions.
    pub(super) fn connection(&self) -> &Connection {
        &self.transaction
    }

    /// Does all of something or nothing of it: what a rule of the database does not allow
    /// is undone, and everything before it stays.
    ///
    /// # Errors
    /// All other errors, which end the whole transaction.
    pub(super) fn attempt<T>(
        &mut self,
        what: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<Result<T, StoreError>, StoreError> {
        let run = |writer: &Self, sql: &str| {
            let done = writer.transaction.execute_batch(sql);
            done.map_err(|error| writer.shared.database().error(&error))
        };
        run(self, "SAVEPOINT one")?;
        self.is_refused = false;
        let outcome = what(self);
        match outcome {
            Ok(done) => {
                run(self, "RELEASE one")?;
                Ok(Ok(done))
            }
            Err(error) if self.is_refused => {
                run(self, "ROLLBACK TO one; RELEASE one")?;
                Ok(Err(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs a statement that changes so many rows.
    ///
    /// # Errors
    /// Those of SQLite, and that it changed more or fewer.
    pub(super) fn run(
        &mut self,
        sql: &str,
        values: &[&dyn ToSql],
        expected: RangeInclusive<usize>,
    ) -> Result<(), StoreError> {
        let count = self
            .transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|error| {
                self.is_refused = error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
                self.shared.database().error(&error)
            })?;
        if !expected.contains(&count) {
            return Err(self.unexpected(&format!("{count} rows where it should be one")));
        }
        self.rows += count as u64;
        Ok(())
    }

    fn unexpected(&self, what: &str) -> StoreError {
        StoreError::NotWritten {
            path: self.shared.database().path().display().to_string(),
            reason: format!(
                "its schema is not MLflow's: to {} would change {what}; nothing was changed",
                self.subject.to_do
            ),
        }
    }
}

fn is_known(shared: &Shared, connection: &Connection, trace_id: &str) -> rusqlite::Result<bool> {
    let within = shared.workspace.of_experiment_id("experiment_id");
    connection
        .prepare_cached(&format!(
            "SELECT 1 FROM trace_info WHERE request_id = ?1 AND {within}"
        ))?
        .exists([trace_id])
}
