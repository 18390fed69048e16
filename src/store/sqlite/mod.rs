//! MLflow's SQLite database as a store, read directly: no server, no Python.
//! Reading changes nothing and keeps nobody from writing; traces are changed in
//! transactions, exactly as MLflow changes them.

mod assess;
mod close;
mod connection;
mod delete;
mod dialect;
mod failure;
mod files;
mod info;
mod odd;
mod outside;
mod overview;
mod put;
mod readers;
mod row;
mod schema;
mod search;
mod spans;
mod statement;
mod stream;
mod sweep;
mod tags;
#[cfg(test)]
mod tests;
mod whole;
mod write;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, Params};

use self::connection::Database;
use self::dialect::Sqlite;
use self::readers::{Purpose, Reader, Readers};
use self::stream::{Cursor, Stream};
use super::artifact::Artifacts;
use super::assess::none_are_kept;
use super::fetch::{self, Batches, Ways};
use super::local::{Doubts, attach, lock};
use super::sql::info::{EXPERIMENT, experiment};
use super::sql::spans::Place;
use super::sql::{Schema, Workspace};
use super::{
    Change, Detail, Explain, Explanation, Notice, OnChange, OnPut, OnTrace, Page, Pages, PutMode,
    Query, Scope, Store, StoreError, TraceRef, Want,
};
use crate::model::{
    Experiment, ExperimentOverview, HIERARCHY, SessionLevels, Span, Trace, TraceInfo, Unreadable,
    level_names, tag,
};
use crate::parallel;

/// Traces in a database file.
pub(super) struct SqliteStore {
    shared: Arc<Shared>,
    /// Searches that are not over, by the token of their next page.
    cursors: Mutex<HashMap<String, Cursor>>,
    /// The threads of all searches.
    streams: Mutex<Vec<Stream>>,
    last_token: AtomicU64,
}

/// What searches in threads of their own need too.
struct Shared {
    name: String,
    readers: Readers,
    schema: Schema,
    workspace: Workspace,
    artifacts: Arc<Artifacts>,
    doubts: Arc<Doubts>,
}

impl Shared {
    fn database(&self) -> &Database {
        &self.readers.database
    }

    /// Asks something of the database, all within one transaction.
    fn read<T>(&self, ask: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.read_for(Purpose::Search, ask)
    }

    fn read_for<T>(
        &self,
        purpose: Purpose,
        ask: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let reader = self.readers.take(purpose)?;
        let answer = ask(&reader).and_then(|answer| {
            self.readers.check()?;
            Ok(answer)
        });
        self.readers.give_back(reader);
        answer
    }

    /// Asks in this thread what another one goes on asking meanwhile, of a database
    /// without a write-ahead log: as long as one reads, nothing changes for others.
    /// Gives nothing where it cannot: a writer may be waiting for the other one.
    fn read_along<T: Default>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.database().reader_beside_another() {
            Ok(open) => ask(&open.connection),
            Err(_) => Ok(T::default()),
        }
    }

    fn info(&self, connection: &Connection, trace_id: &str) -> Result<TraceInfo, StoreError> {
        info::find(connection, &self.schema, &self.workspace, trace_id)
            .and_then(|found| match found {
                Some(info) => Ok(Some(info)),
                None => info::find_in_catalog(connection, &self.schema, &self.workspace, trace_id),
            })
            .map_err(|e| self.row_error(&e, trace_id))?
            .ok_or_else(|| self.unknown(trace_id))
    }

    /// Says that other workspaces were not looked at, where nobody chose one.
    fn doubt_of_workspace(&self) {
        if let Some(left_out) = self.workspace.left_out() {
            self.doubts.add(left_out);
        }
    }

    fn unknown(&self, trace_id: &str) -> StoreError {
        StoreError::UnknownTrace {
            id: trace_id.to_owned(),
            store: self.name.clone(),
        }
    }

    fn spans(
        &self,
        connection: &Connection,
        info: &TraceInfo,
        detail: Detail,
    ) -> Result<Vec<Span>, StoreError> {
        let here = spans::in_table(self, connection, &info.trace_id, detail)?;
        let columns = || spans::in_columns(self, connection, &info.trace_id);
        self.artifacts
            .spans_of(&self.doubts, info, detail, here, columns)
    }

    /// The spans of a trace that was found in some transaction before.
    fn complete_found(
        &self,
        reader: &Reader,
        info: TraceInfo,
        detail: Detail,
    ) -> Result<Trace, StoreError> {
        // Its spans may tell of a later moment than what was found of it.
        let info = if self.readers.is_later(reader) {
            self.info(reader, &info.trace_id)?
        } else {
            info
        };
        self.complete(reader, info, detail)
    }

    fn complete(
        &self,
        connection: &Connection,
        info: TraceInfo,
        detail: Detail,
    ) -> Result<Trace, StoreError> {
        // Nothing but the id is known of a trace without an experiment.
        if info.experiment_id.is_none() {
            let mut spans = spans::in_table(self, connection, &info.trace_id, detail)?;
            // Hardly a trace has none in the table, so only then is it asked where they are.
            if spans.is_empty() {
                let place = spans::place_of(connection, &info.trace_id);
                if place.map_err(|e| self.database().error(&e))? != Place::Table {
                    let known = self.info(connection, &info.trace_id)?;
                    spans = self.complete(connection, known, detail)?.spans;
                }
            }
            return Ok(Trace { info, spans });
        }
        let spans = self.spans(connection, &info, detail);
        let trace = attach(info, spans)?;
        // It may have been deleted since it was found.
        if trace.spans.is_empty() {
            self.info(connection, &trace.info.trace_id)?;
        }
        Ok(trace)
    }

    /// What a value says that is not of its column's kind: the trace cannot be read.
    fn row_error(&self, error: &rusqlite::Error, trace_id: &str) -> StoreError {
        match odd::told_by(error) {
            Some((member, message)) => Unreadable {
                trace_id: Some(trace_id.to_owned()).filter(|id| !id.is_empty()),
                file: Some(self.name.clone()),
                line: None,
                member,
                message,
            }
            .into(),
            None => self.database().error(error),
        }
    }
}

/// Opens a database, whose artifacts are read in these folders.
///
/// # Errors
/// When it cannot be read or is not MLflow's, and a workspace that it does not have.
pub(super) fn open(
    path: &Path,
    workspace: Option<&str>,
    artifacts: Artifacts,
) -> Result<SqliteStore, StoreError> {
    let doubts = Arc::default();
    let readers = Readers::open(path, Arc::clone(&doubts))?;
    let reader = readers.take(Purpose::Search)?;
    let schema = schema::read(&readers.database, &reader)?;
    let name = path.display().to_string();
    let workspace = Workspace::open(&Sqlite, &name, &schema, workspace, |sql| {
        let list = || -> rusqlite::Result<Vec<String>> {
            let mut statement = reader.prepare(sql)?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        list().map_err(|e| readers.database.error(&e))
    })?;
    readers.give_back(reader);
    Ok(SqliteStore {
        shared: Arc::new(Shared {
            name,
            readers,
            schema,
            workspace,
            artifacts: Arc::new(artifacts),
            doubts,
        }),
        cursors: Mutex::default(),
        streams: Mutex::default(),
        last_token: AtomicU64::new(0),
    })
}

impl SqliteStore {
    fn experiments_where(
        &self,
        condition: &str,
        order: &str,
    ) -> Result<Vec<Experiment>, StoreError> {
        self.list_experiments(condition, order, [])
    }

    /// One at most; where there is none, other workspaces may have it.
    fn experiment_where(
        &self,
        condition: &str,
        value: &str,
    ) -> Result<Vec<Experiment>, StoreError> {
        let found = self.list_experiments(condition, " LIMIT 1", [value])?;
        if found.is_empty() {
            self.shared.doubt_of_workspace();
        }
        Ok(found)
    }

    fn list_experiments(
        &self,
        condition: &str,
        rest: &str,
        values: impl Params,
    ) -> Result<Vec<Experiment>, StoreError> {
        let workspace = self.shared.workspace.of_experiment();
        let sql =
            format!("SELECT {EXPERIMENT} FROM experiments WHERE {condition} AND {workspace}{rest}");
        self.shared.read(|connection| {
            let list = || -> rusqlite::Result<Vec<Experiment>> {
                connection
                    .prepare(&sql)?
                    .query_map(values, |row| experiment(row))?
                    .collect()
            };
            list().map_err(|e| self.shared.database().error(&e))
        })
    }
}

/// The names of the levels of sessions, of every experiment that has some.
const LEVELS: &str = "SELECT CAST(experiment_id AS TEXT), CAST(value AS TEXT) \
                      FROM experiment_tags WHERE key = ?1";

/// The files of a write-ahead log go when its last reader is closed.
impl Drop for SqliteStore {
    fn drop(&mut self) {
        lock(&self.cursors).clear();
        for stream in lock(&self.streams).drain(..) {
            stream.end();
        }
    }
}

impl Ways for SqliteStore {
    fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        self.shared
            .read(|connection| self.shared.info(connection, trace_id))
    }

    fn trace(&self, trace_id: &str, detail: Detail) -> Result<Trace, StoreError> {
        self.shared.read(|connection| {
            connection::keep_few_pages(connection);
            let info = self.shared.info(connection, trace_id)?;
            self.shared.complete(connection, info, detail)
        })
    }

    fn complete(&self, info: TraceInfo, detail: Detail) -> Result<Trace, StoreError> {
        self.shared
            .read(|reader| self.shared.complete_found(reader, info, detail))
    }

    fn at_once(&self) -> usize {
        self.shared.readers.at_once()
    }

    fn batches(&self, detail: Detail) -> Batches {
        match detail {
            Detail::Times | Detail::Measures => Batches {
                traces: 256,
                at_once: self.at_once(),
            },
            // Payloads are of any size, and all of a batch are in memory at once.
            Detail::Events | Detail::Whole => Batches::of_one(self.at_once()),
        }
    }

    fn complete_all(&self, infos: &[TraceInfo], detail: Detail) -> Vec<Result<Trace, StoreError>> {
        let together = |reader: &Reader| {
            let complete =
                |info: &TraceInfo| self.shared.complete_found(reader, info.clone(), detail);
            Ok(infos.iter().map(complete).collect())
        };
        let all = self.shared.read_for(Purpose::Spans, together);
        // Without a transaction for all, each says for itself what is wrong.
        all.unwrap_or_else(|_| {
            let complete = |info: &TraceInfo| self.complete(info.clone(), detail);
            infos.iter().map(complete).collect()
        })
    }

    fn sweep_from(&self, detail: Detail) -> Option<usize> {
        let is_possible = detail == Detail::Times && self.shared.schema.has_spans();
        if !is_possible || !parallel::has_threads() {
            return None;
        }
        let least =
            |reader: &Reader| sweep::least(reader).map_err(|e| self.shared.database().error(&e));
        self.shared.read(least).ok()
    }

    fn sweep(
        &self,
        infos: Vec<TraceInfo>,
        _detail: Detail,
        each: OnTrace<'_>,
    ) -> Result<(), StoreError> {
        sweep::run(&self.shared, infos, each)
    }
}

impl Store for SqliteStore {
    fn describe(&self) -> String {
        self.shared.name.clone()
    }

    fn experiments(&self, scope: Scope<'_>) -> Result<Vec<Experiment>, StoreError> {
        match scope {
            Scope::Active => {
                self.experiments_where("lifecycle_stage = 'active'", " ORDER BY experiment_id")
            }
            Scope::Deleted => self.experiments_where("lifecycle_stage = 'deleted'", ""),
            Scope::Named(name) => self.experiment_where("name = ?1", name),
            // SQL would make a number of whatever begins with one.
            Scope::WithId(id) if id.parse::<i64>().is_err() => Ok(Vec::new()),
            Scope::WithId(id) => self.experiment_where("experiment_id = CAST(?1 AS INTEGER)", id),
        }
    }

    fn overview(
        &self,
        experiments: Vec<Experiment>,
    ) -> Result<Vec<ExperimentOverview>, StoreError> {
        self.overview_of(experiments)
    }

    fn session_levels(&self) -> Result<SessionLevels, StoreError> {
        self.shared.read(|connection| {
            let list = || -> rusqlite::Result<SessionLevels> {
                let mut statement = connection.prepare(LEVELS)?;
                let names = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(String, Vec<String>)> {
                    let tag: Option<String> = row.get(1)?;
                    Ok((row.get(0)?, level_names(&tag.unwrap_or_default())))
                };
                statement.query_map([HIERARCHY], names)?.collect()
            };
            list().map_err(|e| self.shared.database().error(&e))
        })
    }

    fn refresh(&self) {
        self.shared.readers.see_present();
    }

    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let (traces, rest) = match token {
            None => {
                let (traces, rest, stream) = search::start(&self.shared, query, size)?;
                lock(&self.streams).extend(stream);
                (traces, rest)
            }
            Some(token) => match lock(&self.cursors).remove(token) {
                Some(cursor) => cursor.next()?,
                None => (Vec::new(), None),
            },
        };
        let next = rest.map(|cursor| {
            let token = self.last_token.fetch_add(1, Ordering::Relaxed).to_string();
            lock(&self.cursors).insert(token.clone(), cursor);
            token
        });
        Ok(Page {
            scanned: traces.len(),
            traces,
            next,
            unreadable: self.shared.doubts.take_unreadable(),
        })
    }

    fn fetch(&self, traces: Pages<'_>, want: Want, each: OnTrace<'_>) -> Result<(), StoreError> {
        fetch::in_rounds(self, traces, want, each)
    }

    fn attachment(&self, trace: &TraceInfo, id: &str) -> Result<Vec<u8>, StoreError> {
        let location = trace.tags.get(tag::ARTIFACT_LOCATION).map(String::as_str);
        self.shared.artifacts.attachment(None, location, id)
    }

    fn explain(&self, query: &Query, what: Explain) -> Result<Explanation, StoreError> {
        what.without_requests(&self.shared.name)?;
        search::explain(&self.shared, query)
    }

    fn change(
        &self,
        traces: &[TraceRef],
        change: &Change,
        each: OnChange<'_>,
    ) -> Result<(), StoreError> {
        for batch in traces.chunks(write::BATCH) {
            let results = match change {
                Change::Tags(changes) => tags::change(&self.shared, batch, changes),
                Change::Assess(plan) => assess::change(&self.shared, batch, plan),
                Change::Close(closing) => close::all(&self.shared, batch, closing),
                Change::Delete => delete::all(&self.shared, batch),
            }?;
            for (trace, result) in batch.iter().zip(results) {
                if each(&trace.id, result).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn can(&self, change: &Change) -> Result<(), StoreError> {
        if matches!(change, Change::Assess(_)) && !self.shared.schema.has_assessments() {
            return Err(none_are_kept(self.describe()));
        }
        self.shared.database().writer().map(drop)
    }

    fn put(&self, traces: &[Trace], mode: PutMode, each: OnPut<'_>) -> Result<(), StoreError> {
        for batch in traces.chunks(write::BATCH) {
            let results = put::all(&self.shared, batch, mode)?;
            for (trace, result) in batch.iter().zip(results) {
                if each(&trace.info.trace_id, result).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn can_put(&self) -> Result<(), StoreError> {
        put::check_schema(&self.shared)?;
        self.shared.database().writer().map(drop)
    }

    fn notices(&self) -> Vec<Notice> {
        self.shared.doubts.notices()
    }

    fn unjudged(&self) -> Vec<String> {
        self.shared.doubts.unjudged()
    }
}
