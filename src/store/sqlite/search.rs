//! Searches: one SQL statement for each, whose rows are handed out in pages. A
//! search that needs more than a page runs in a thread of its own, so that all
//! pages come from one snapshot and memory does not grow with their number.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Row};

use super::Shared;
use super::expression::{Compiler, FEW_SPANS};
use super::fields::{metadata_value, tag_value};
use super::info::{PartReader, Reader, columns, text};
use super::outside;
use super::schema::Schema;
use super::statement::Parameters;
use crate::filter::OrderBy;
use crate::filter::order::OrderKey;
use crate::model::{TraceInfo, metadata, tag};
use crate::parallel;
use crate::store::local::filter_of;
use crate::store::{Explanation, InfoParts, Query, StoreError};

/// Pages that may wait for their reader.
const AHEAD: usize = 4;
/// The same where the system gives no thread, and every page has to wait.
const ALL_AHEAD: usize = 1 << 16;
/// How long a reader may stall before the database is let go, so that nobody who
/// wants to write waits for a pager.
const PATIENCE: Duration = Duration::from_secs(1);
/// A search that is not over: where its next pages come from.
pub(super) struct Cursor {
    pages: Receiver<Result<Batch, StoreError>>,
}

/// A page and whether there are more.
struct Batch {
    traces: Vec<TraceInfo>,
    /// How many rows before these are none that can be read.
    odd: usize,
    more: bool,
}

impl Cursor {
    /// The next page; the cursor comes back when there are more.
    pub(super) fn next(self) -> Result<(Vec<TraceInfo>, Option<Self>), StoreError> {
        // The thread ends without a word only when it panics.
        let batch = self.pages.recv().unwrap_or_else(|_| {
            Ok(Batch {
                traces: Vec::new(),
                odd: 0,
                more: false,
            })
        })?;
        Ok((batch.traces, batch.more.then_some(self)))
    }
}

/// Starts a search; gives its first page of `size` traces at most.
pub(super) fn start(
    shared: &Arc<Shared>,
    query: &Query,
    size: usize,
) -> Result<(Vec<TraceInfo>, Option<Cursor>), StoreError> {
    let connection = shared.readers.take(&shared.database)?;
    let search = Prepared::new(shared, &connection, query)?;
    if query.limit.is_some_and(|limit| limit < size) {
        let mut page = Vec::new();
        let done = search.run(shared, &connection, 0, size, |batch| {
            page = batch.traces;
            Ok(Flow::Stop)
        });
        done?;
        shared.readers.give_back(connection);
        return Ok((page, None));
    }
    let threads = parallel::has_threads();
    let (sender, pages) = sync_channel(if threads { AHEAD } else { ALL_AHEAD });
    let shared = Arc::clone(shared);
    let stream = move || search.stream(&shared, connection, size, &sender);
    if threads {
        thread::spawn(stream);
    } else {
        stream();
    }
    Cursor { pages }.next()
}

/// The SQL of a search, and how SQLite goes about it.
pub(super) fn explain(shared: &Shared, query: &Query) -> Result<Explanation, StoreError> {
    let connection = shared.readers.take(&shared.database)?;
    let search = Prepared::new(shared, &connection, query)?;
    let steps = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", search.sql))?;
        let values = search.parameters.values_of(&statement);
        let steps = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3))?;
        steps.collect()
    };
    let steps = steps().map_err(|e| shared.database.error(&e))?;
    let explanation = Explanation {
        sent: vec![search.parameters.filled_in(&search.sql)],
        here: None,
        cost: steps.join("; "),
    };
    shared.readers.give_back(connection);
    Ok(explanation)
}

/// Whether a search goes on.
enum Flow {
    Continue,
    /// Let go of the database; it may go on later.
    Stop,
}

/// A search as SQL.
struct Prepared {
    sql: String,
    parameters: Parameters,
    /// What of the traces is read, where not all is.
    parts: Option<InfoParts>,
}

impl Prepared {
    fn new(shared: &Shared, connection: &Connection, query: &Query) -> Result<Self, StoreError> {
        let filter = filter_of(query, &shared.name)?;
        let error = |e: rusqlite::Error| shared.database.error(&e);
        let schema = &shared.schema;
        let experiments = scope(shared, connection, &query.experiments)?;
        let scope = format!("({})", experiments.join(", "));
        let mut parameters = Parameters::default();
        let few = match query.limit {
            None if filter.needs_spans() => count(connection).map_err(error)?.max(FEW_SPANS),
            _ => FEW_SPANS,
        };
        let all = query.limit.is_none();
        let compiled = Compiler::new(schema, connection, &mut parameters, &scope, few, all)
            .filter(filter)
            .map_err(error)?;
        let mut conditions = vec![if experiments.len() == 1 {
            format!("t.experiment_id = {}", experiments[0])
        } else {
            // The plus keeps SQLite to the index on time, which gives the order.
            format!("+t.experiment_id IN {scope}")
        }];
        let by_time = query.order_by.items().is_empty() && !compiled.finds_few;
        // Without conditions and order, the table is read from one end to the other.
        let sequential =
            query.any_order && by_time && query.limit.is_none() && compiled.conjuncts.is_empty();
        conditions.extend(compiled.conjuncts);
        let parts = if query.ids_only {
            Some(InfoParts::NONE)
        } else {
            query.parts
        };
        let parts = parts.filter(|parts| PartReader::can_read(schema, *parts));
        let index = match schema.time_index(experiments.len() == 1) {
            _ if sequential => " NOT INDEXED".to_owned(),
            Some(name) if by_time => format!(" INDEXED BY {name}"),
            _ => String::new(),
        };
        // The limit is no parameter, so that SQLite can plan with it.
        let limit = match query.limit {
            Some(limit) => i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
            None => -1,
        };
        let sql = format!(
            "SELECT {} FROM trace_info t{index} WHERE {} ORDER BY {} LIMIT {limit}",
            parts.map_or_else(|| columns(schema, query.counts_spans), PartReader::columns),
            conditions.join(" AND "),
            if sequential {
                "t.rowid".to_owned()
            } else {
                order(schema, &query.order_by, &mut parameters)
            },
        );
        parameters.register(connection).map_err(error)?;
        if compiled.looks_outside {
            outside::register(connection, shared.artifacts(), &shared.doubts).map_err(error)?;
        }
        Ok(Self {
            sql,
            parameters,
            parts,
        })
    }

    /// Sends every page to a reader, for as long as there is one.
    fn stream(
        &self,
        shared: &Shared,
        connection: Connection,
        size: usize,
        sender: &SyncSender<Result<Batch, StoreError>>,
    ) {
        let mut delivered = 0;
        loop {
            let mut waiting = None;
            let done = self.run(shared, &connection, delivered, size, |batch| {
                delivered += batch.traces.len() + batch.odd;
                // With a write-ahead log, readers are in nobody's way.
                let patience = (!shared.database.wal).then_some(PATIENCE);
                match send(sender, batch, patience) {
                    Sent::Taken => Ok(Flow::Continue),
                    Sent::NobodyThere => Ok(Flow::Stop),
                    Sent::Waiting(batch) => {
                        waiting = Some(batch);
                        Ok(Flow::Stop)
                    }
                }
            });
            if let Err(error) = done {
                let _ = sender.send(Err(error));
                return;
            }
            // The database is free now, and the reader may take all the time it wants.
            let Some(batch) = waiting else { break };
            let more = batch.more;
            if sender.send(Ok(batch)).is_err() || !more {
                break;
            }
        }
        shared.readers.give_back(connection);
    }

    /// Reads from the `skip`th trace on, in one transaction, page by page.
    fn run(
        &self,
        shared: &Shared,
        connection: &Connection,
        skip: usize,
        size: usize,
        mut each: impl FnMut(Batch) -> Result<Flow, StoreError>,
    ) -> Result<(), StoreError> {
        let database = &shared.database;
        let transaction = connection
            .unchecked_transaction()
            .map_err(|e| database.error(&e))?;
        let sql = format!("{} OFFSET {skip}", self.sql);
        let mut statement = transaction.prepare(&sql).map_err(|e| database.error(&e))?;
        let values = self.parameters.values_of(&statement);
        let mut rows = statement
            .query(rusqlite::params_from_iter(values))
            .map_err(|e| database.error(&e))?;
        let mut reader =
            RowReader::new(&transaction, shared, self.parts).map_err(|e| database.error(&e))?;
        let mut page = Vec::new();
        let mut odd = 0;
        loop {
            let row = rows.next().map_err(|e| database.error(&e))?;
            let info = row.map(|row| reader.info(row));
            let info = match info.transpose() {
                Ok(info) => info,
                Err(error) => {
                    let id = row.and_then(|row| text(row, 0).ok().flatten());
                    let error = shared.row_error(&error, id.as_deref().unwrap_or_default());
                    let StoreError::Unreadable(one) = error else {
                        return Err(error);
                    };
                    shared.doubts.add_unreadable(*one);
                    odd += 1;
                    continue;
                }
            };
            let ended = info.is_none();
            if ended || page.len() == size {
                let batch = Batch {
                    traces: std::mem::take(&mut page),
                    odd: std::mem::take(&mut odd),
                    more: !ended,
                };
                match each(batch)? {
                    Flow::Continue => {}
                    Flow::Stop => return Ok(()),
                }
            }
            match info {
                Some(info) => page.push(info),
                None => return Ok(()),
            }
        }
    }
}

/// Reads traces, all of them or some parts.
enum RowReader<'c> {
    Whole(Reader<'c>),
    Parts(PartReader<'c>),
}

impl<'c> RowReader<'c> {
    fn new(
        connection: &'c Connection,
        shared: &'c Shared,
        parts: Option<InfoParts>,
    ) -> rusqlite::Result<Self> {
        Ok(match parts {
            None => Self::Whole(Reader::new(connection, &shared.schema)?),
            Some(parts) => Self::Parts(PartReader::new(connection, &shared.schema, parts)?),
        })
    }

    fn info(&mut self, row: &Row<'_>) -> rusqlite::Result<TraceInfo> {
        match self {
            Self::Whole(reader) => reader.info(row),
            Self::Parts(reader) => reader.info(row),
        }
    }
}

enum Sent {
    Taken,
    NobodyThere,
    /// The reader did not take it in time.
    Waiting(Batch),
}

fn send(
    sender: &SyncSender<Result<Batch, StoreError>>,
    batch: Batch,
    patience: Option<Duration>,
) -> Sent {
    let Some(patience) = patience else {
        return match sender.send(Ok(batch)) {
            Ok(()) => Sent::Taken,
            Err(_) => Sent::NobodyThere,
        };
    };
    let start = Instant::now();
    let mut unsent = Ok(batch);
    loop {
        match sender.try_send(unsent) {
            Ok(()) => return Sent::Taken,
            Err(TrySendError::Disconnected(_)) => return Sent::NobodyThere,
            Err(TrySendError::Full(back)) => match back {
                Ok(batch) if start.elapsed() > patience => return Sent::Waiting(batch),
                back => unsent = back,
            },
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// How many traces there are.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM trace_info", [], |row| row.get(0))
}

/// The ids of the experiments to search, as SQL takes them.
fn scope(
    shared: &Shared,
    connection: &Connection,
    experiments: &[String],
) -> Result<Vec<String>, StoreError> {
    // What is no number is the id of no experiment here.
    let numbers: Vec<String> = experiments
        .iter()
        .filter_map(|id| Some(id.parse::<i64>().ok()?.to_string()))
        .collect();
    let wanted = if experiments.is_empty() {
        shared.doubt_of_workspace();
        "lifecycle_stage = 'active'".to_owned()
    } else if shared.workspace.is_all() {
        return Ok(numbers);
    } else {
        format!("experiment_id IN ({})", numbers.join(", "))
    };
    let ids = || -> rusqlite::Result<Vec<String>> {
        connection
            .prepare_cached(&format!(
                "SELECT CAST(experiment_id AS TEXT) FROM experiments WHERE {wanted} AND {}",
                shared.workspace.of_experiment()
            ))?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    ids().map_err(|e| shared.database.error(&e))
}

/// The server's order: missing values last in both directions, ties by time and id.
fn order(schema: &Schema, order_by: &OrderBy, parameters: &mut Parameters) -> String {
    let mut terms = Vec::new();
    for item in order_by.items() {
        let direction = if item.descending { " DESC" } else { "" };
        let (sql, may_be_missing) = match &item.key {
            OrderKey::Timestamp => ("t.timestamp_ms".to_owned(), false),
            OrderKey::ExecutionTime => ("t.execution_time_ms".to_owned(), true),
            OrderKey::Status => ("t.status".to_owned(), false),
            OrderKey::RequestId => ("t.request_id".to_owned(), false),
            OrderKey::ExperimentId => ("t.experiment_id".to_owned(), false),
            OrderKey::Name => (tag_value(schema, parameters, tag::NAME), true),
            OrderKey::Tag(key) => (tag_value(schema, parameters, key), true),
            OrderKey::RunId => (
                metadata_value(schema, parameters, "t", metadata::SOURCE_RUN),
                true,
            ),
            OrderKey::Metadata(key) => (metadata_value(schema, parameters, "t", key), true),
        };
        if may_be_missing {
            terms.push(format!("{sql} IS NULL"));
        }
        terms.push(format!("{sql}{direction}"));
    }
    for (key, term) in [
        (OrderKey::Timestamp, "t.timestamp_ms DESC"),
        (OrderKey::RequestId, "t.request_id"),
    ] {
        if order_by.items().iter().all(|item| item.key != key) {
            terms.push(term.to_owned());
        }
    }
    terms.join(", ")
}
