//! Databases on servers in which MLflow keeps traces, read and changed directly. All that a
//! command asks is asked of one state of the database, bit by bit and over one connection,
//! and what comes back is read into the model while the next question is under way. What a
//! database cannot decide as this program does is decided here. Which kind of database it is, only
//! its [`Link`] knows.

mod assess;
mod capability;
mod change;
mod close;
mod delete;
mod infos;
mod link;
mod links;
mod metrics;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod rollups;
mod search;
mod spans;
mod tags;
mod tls;
mod windows;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use self::link::{Arg, Facts, Link, Odd};
use self::search::Cursor;
use super::artifact::Artifacts;
use super::fetch::{self, Batches, Ways};
use super::local::{Doubts, lock};
use super::sql::info::{EXPERIMENT, experiment};
use super::sql::{Schema, Workspace, row};
use super::{
    Change, DatabasePlace, Detail, Explain, Explanation, Logged, MetricAnswer, MetricQuestion,
    Notice, OnChange, OnTrace, Page, Pages, Query, RequestLog, Scope, Store, StoreError, TraceRef,
    Want,
};
use crate::model::{
    Experiment, ExperimentOverview, HIERARCHY, SessionLevels, Timestamp, Trace, TraceInfo,
    level_names, tag,
};
use crate::{parallel, units};

/// Traces in a database.
struct DatabaseStore<L> {
    name: String,
    link: Mutex<L>,
    schema: Schema,
    workspace: Workspace,
    artifacts: Artifacts,
    doubts: Doubts,
    facts: Mutex<Option<Facts>>,
    /// Whether there are any assessments, once that was asked.
    has_assessments: Mutex<Option<bool>>,
    /// Searches that are not over, by the token of their next page.
    cursors: Mutex<HashMap<String, Cursor>>,
    last_token: AtomicU64,
    /// Bytes of the spans of a trace, as they were lately; 0 before any were read.
    payload: AtomicUsize,
    log: RequestLog,
}

/// Opens a database of PostgreSQL.
///
/// # Errors
/// When it cannot be reached or read, or is not MLflow's, and a workspace that it does not
/// have.
#[cfg(feature = "postgres")]
pub(super) fn open_postgres(
    place: &DatabasePlace,
    artifacts: Artifacts,
    log: RequestLog,
) -> Result<Box<dyn Store>, StoreError> {
    let link = postgres::Postgres::connect(place)?;
    Ok(Box::new(DatabaseStore::new(place, link, artifacts, log)?))
}

/// Opens a database of MySQL or MariaDB.
///
/// # Errors
/// As for PostgreSQL.
#[cfg(feature = "mysql")]
pub(super) fn open_mysql(
    place: &DatabasePlace,
    artifacts: Artifacts,
    log: RequestLog,
) -> Result<Box<dyn Store>, StoreError> {
    let link = mysql::Mysql::connect(place)?;
    Ok(Box::new(DatabaseStore::new(place, link, artifacts, log)?))
}

/// What is known of a database of which nobody has asked yet.
const UNKNOWN: Facts = Facts {
    has_types: false,
    all_in_table: false,
};

impl<L: Link> DatabaseStore<L> {
    fn new(
        place: &DatabasePlace,
        mut link: L,
        artifacts: Artifacts,
        log: RequestLog,
    ) -> Result<Self, StoreError> {
        let name = place.name();
        let schema = link.schema()?;
        let wanted = place.workspace.as_deref();
        let workspace = Workspace::open(link.dialect(UNKNOWN), &name, &schema, wanted, |sql| {
            let rows = link.ask(sql, &[])?;
            let texts = rows.iter().map(|row| {
                let text = row::text(row, "workspaces", 0);
                text.map(std::borrow::Cow::into_owned)
            });
            texts
                .collect::<Result<_, Odd>>()
                .map_err(|odd| odd.of_store(&name))
        })?;
        Ok(Self {
            name,
            link: Mutex::new(link),
            schema,
            workspace,
            artifacts,
            doubts: Doubts::default(),
            facts: Mutex::default(),
            has_assessments: Mutex::default(),
            cursors: Mutex::default(),
            last_token: AtomicU64::new(0),
            payload: AtomicUsize::new(0),
            log,
        })
    }

    fn ask(&self, sql: &str, values: &[Arg<'_>]) -> Result<Vec<L::Row>, StoreError> {
        let found = |rows: &Vec<L::Row>| counted(rows.len());
        self.timed(sql, found, |link| link.ask(sql, values))
    }

    /// Runs a statement within a transaction that changes rows.
    fn run(&self, sql: &str, values: &[Arg<'_>]) -> Result<u64, StoreError> {
        let changed = |rows: &u64| counted(usize::try_from(*rows).unwrap_or(usize::MAX));
        self.timed(sql, changed, |link| link.run(sql, values))
    }

    /// Does what a statement says, and logs it: what stands in it in the places of values is
    /// not told, since these may be secrets.
    fn timed<T>(
        &self,
        sql: &str,
        outcome: impl FnOnce(&T) -> String,
        work: impl FnOnce(&mut L) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begin = Instant::now();
        let done = work(&mut lock(&self.link));
        if let Some(log) = &self.log {
            let took = i64::try_from(begin.elapsed().as_nanos()).unwrap_or(i64::MAX);
            let outcome = match &done {
                Ok(done) => outcome(done),
                Err(_) => "failed".to_owned(),
            };
            let line = format!("{sql} -> {outcome} in {}", units::duration(took));
            log(Logged::Remark(&line));
        }
        done
    }

    /// One number, such as a count.
    fn number(&self, sql: &str, values: &[Arg<'_>]) -> Result<i64, StoreError> {
        let rows = self.ask(sql, values)?;
        let number = rows.first().map(|row| row::maybe_number(row, "", 0));
        match number.transpose() {
            Ok(number) => Ok(number.flatten().unwrap_or_default()),
            Err(odd) => Err(odd.of_store(&self.name)),
        }
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

    fn experiments_where(
        &self,
        condition: &str,
        rest: &str,
        values: &[Arg<'_>],
    ) -> Result<Vec<Experiment>, StoreError> {
        let workspace = self.workspace.of_experiment();
        let sql =
            format!("SELECT {EXPERIMENT} FROM experiments WHERE {condition} AND {workspace}{rest}");
        let rows = self.ask(&sql, values)?;
        let all = rows.iter().map(experiment).collect::<Result<_, Odd>>();
        all.map_err(|odd| odd.of_store(&self.name))
    }

    /// One at most; where there is none, other workspaces may have it.
    fn experiment_where(
        &self,
        condition: &str,
        value: Arg<'_>,
    ) -> Result<Vec<Experiment>, StoreError> {
        let found = self.experiments_where(condition, " LIMIT 1", &[value])?;
        if found.is_empty() {
            self.doubt_of_workspace();
        }
        Ok(found)
    }

    /// The place of the value with this number in a statement.
    fn place(&self, number: usize) -> String {
        lock(&self.link).dialect(UNKNOWN).placeholder(number)
    }

    /// What always or never holds.
    fn truth(&self, holds: bool) -> &'static str {
        lock(&self.link).dialect(UNKNOWN).truth(holds)
    }
}

/// Traces of one question whose payloads, of so many bytes each, are in memory at once.
fn batch(payload: usize) -> usize {
    const BYTES: usize = 1 << 20;
    const MOST: usize = 256;
    match payload {
        0 => 8,
        payload => (BYTES / payload).clamp(1, MOST),
    }
}

/// `5 rows`.
fn counted(rows: usize) -> String {
    units::counted(rows, "row")
}

impl<L: Link> Ways for DatabaseStore<L> {
    fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        self.find(trace_id)
    }

    fn trace(&self, trace_id: &str, detail: Detail) -> Result<Trace, StoreError> {
        let info = self.find(trace_id)?;
        self.complete(info, detail)
    }

    fn complete(&self, info: TraceInfo, detail: Detail) -> Result<Trace, StoreError> {
        let id = info.trace_id.clone();
        let only = self.complete_all(std::slice::from_ref(&info), detail);
        only.into_iter()
            .next()
            .unwrap_or_else(|| Err(self.unknown(&id)))
    }

    /// One question is under way while the answers of others are read.
    fn at_once(&self) -> usize {
        parallel::cores() + 1
    }

    fn batches(&self, detail: Detail) -> Batches {
        let traces = match detail {
            Detail::Times => 512,
            Detail::Measures | Detail::Events | Detail::Whole => batch(self.payload.load(Relaxed)),
        };
        Batches {
            traces,
            at_once: self.at_once(),
        }
    }

    fn complete_all(&self, infos: &[TraceInfo], detail: Detail) -> Vec<Result<Trace, StoreError>> {
        spans::complete(self, infos, detail)
    }
}

impl<L: Link> Store for DatabaseStore<L> {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn experiments(&self, scope: Scope<'_>) -> Result<Vec<Experiment>, StoreError> {
        let value = self.place(1);
        match scope {
            Scope::Active => {
                self.experiments_where("lifecycle_stage = 'active'", " ORDER BY experiment_id", &[])
            }
            Scope::Deleted => self.experiments_where("lifecycle_stage = 'deleted'", "", &[]),
            Scope::Named(name) if name.contains('\0') => Ok(Vec::new()),
            Scope::Named(name) => {
                let dialect = lock(&self.link).dialect(UNKNOWN);
                let named = format!("{} = {value}", dialect.exact("name"));
                self.experiment_where(&named, Arg::Text(name))
            }
            Scope::WithId(id) => match id.parse() {
                Ok(id) => {
                    self.experiment_where(&format!("experiment_id = {value}"), Arg::Integer(id))
                }
                Err(_) => Ok(Vec::new()),
            },
        }
    }

    fn session_levels(&self) -> Result<SessionLevels, StoreError> {
        const TABLE: &str = "experiment_tags";
        let place = self.place(1);
        let sql = format!("SELECT t.experiment_id, t.value FROM {TABLE} t WHERE t.key = {place}");
        let rows = self.ask(&sql, &[Arg::Text(HIERARCHY)])?;
        let names = rows.iter().map(|row| {
            let tag = row::maybe_text(row, TABLE, 1)?;
            let id = row::number(row, TABLE, 0)?.to_string();
            Ok((id, level_names(&tag.unwrap_or_default())))
        });
        let names = names.collect::<Result<_, Odd>>();
        names.map_err(|odd| odd.of_store(&self.name))
    }

    fn overview(
        &self,
        experiments: Vec<Experiment>,
    ) -> Result<Vec<ExperimentOverview>, StoreError> {
        let rows = self.ask(
            "SELECT experiment_id, count(*), min(timestamp_ms), max(timestamp_ms) \
             FROM trace_info GROUP BY experiment_id",
            &[],
        )?;
        let mut counts = HashMap::new();
        for row in &rows {
            let number = |at| row::maybe_number(row, "trace_info", at);
            let read = || Ok((number(0)?, number(1)?, number(2)?, number(3)?));
            let (id, count, first, last) = read().map_err(|odd: Odd| odd.of_store(&self.name))?;
            let count = usize::try_from(count.unwrap_or(0)).unwrap_or(0);
            counts.insert(id.unwrap_or(0).to_string(), (count, first, last));
        }
        let overview = |experiment: Experiment| {
            let mut overview = ExperimentOverview::empty(experiment);
            if let Some((traces, first, last)) = counts.get(&overview.experiment.id) {
                overview.traces = *traces;
                overview.first = first.map(Timestamp::from_millis);
                overview.last = last.map(Timestamp::from_millis);
            }
            overview
        };
        Ok(experiments.into_iter().map(overview).collect())
    }

    fn refresh(&self) {
        lock(&self.cursors).clear();
        *lock(&self.facts) = None;
        *lock(&self.has_assessments) = None;
        lock(&self.link).renew();
    }

    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let (mut page, rest) = match token {
            None => search::start(self, query, size)?,
            Some(token) => match lock(&self.cursors).remove(token) {
                Some(cursor) => cursor.page(self, size)?,
                None => (Page::default(), None),
            },
        };
        page.next = rest.map(|cursor| {
            let token = self.last_token.fetch_add(1, Relaxed).to_string();
            lock(&self.cursors).insert(token.clone(), cursor);
            token
        });
        page.unreadable = self.doubts.take_unreadable();
        Ok(page)
    }

    fn fetch(&self, traces: Pages<'_>, want: Want, each: OnTrace<'_>) -> Result<(), StoreError> {
        fetch::in_rounds(self, traces, want, each)
    }

    fn attachment(&self, trace: &TraceInfo, id: &str) -> Result<Vec<u8>, StoreError> {
        let location = trace.tags.get(tag::ARTIFACT_LOCATION).map(String::as_str);
        self.artifacts.attachment(None, location, id)
    }

    fn explain(&self, query: &Query, what: Explain) -> Result<Explanation, StoreError> {
        what.without_requests(&self.name)?;
        search::explain(self, query)
    }

    fn change(
        &self,
        traces: &[TraceRef],
        change: &Change,
        each: OnChange<'_>,
    ) -> Result<(), StoreError> {
        for batch in traces.chunks(change::BATCH) {
            let results = change::all(self, batch, change)?;
            for (trace, result) in batch.iter().zip(results) {
                if each(&trace.id, result).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn can(&self, change: &Change) -> Result<(), StoreError> {
        change::can(self, change)
    }

    fn can_put(&self) -> Result<(), StoreError> {
        Err(StoreError::Unsupported {
            store: self.name.clone(),
            what: "way to take in traces",
            instead: "name the tracking server over it with -u",
        })
    }

    fn metrics(&self, question: &MetricQuestion<'_>) -> Result<MetricAnswer, StoreError> {
        metrics::answer(self, question)
    }

    fn same_key(&self, one: &str, other: &str) -> bool {
        // Where it cannot say, it cannot change anything either.
        one == other || lock(&self.link).same_key(one, other).unwrap_or(false)
    }

    fn notices(&self) -> Vec<Notice> {
        self.doubts.notices()
    }

    fn unjudged(&self) -> Vec<String> {
        self.doubts.unjudged()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_as_many_payloads_as_fit() {
        let of = [0, 1, 3_000, 10_000, 1 << 20, usize::MAX].map(batch);
        assert_eq!(of, [8, 256, 256, 104, 1, 1]);
    }
}
