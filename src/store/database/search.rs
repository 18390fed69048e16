//! Searches: one statement for each, whose rows are fetched page by page, and what the
//! database does not decide is checked on them here.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use super::capability::Decides;
use super::infos::Infos;
use super::link::{Arg, Facts, Link};
use super::windows::Windows;
use super::{DatabaseStore, counted, links};
use crate::filter::{Filter, Plan};
use crate::model::{TraceInfo, metadata, tag};
use crate::store::judge::{self, Judge};
use crate::store::local::{Sessions, lock, plan_of};
use crate::store::sql::info::{can_read_parts, columns, part_columns, users_joined};
use crate::store::sql::{Compiler, Parameters, Probes, Schema, order};
use crate::store::{Explanation, FilterSource, InfoParts, MAX_PAGE, Page, Query, StoreError};

/// Pages whose rows are fetched at a time where little is asked of each trace.
const PAGES: usize = 4;
/// Traces whose spans are fetched at a time to check them.
const WITH_SPANS: usize = 64;

/// A search that is not over.
pub(super) struct Cursor {
    name: String,
    parts: Option<InfoParts>,
    check: Option<Check>,
    rest: Option<Rest>,
    /// Traces of the next pages that are there already.
    ready: VecDeque<TraceInfo>,
    /// Whether there are no more rows.
    is_over: bool,
}

/// What a search has yet to go through, where it goes by stretches of time.
struct Rest {
    search: Prepared,
    windows: Windows,
    /// As many rows as are wanted.
    rows: usize,
}

/// What is checked here.
struct Check {
    judge: Judge,
    needs_spans: bool,
    sessions: Sessions,
}

/// A search as SQL.
struct Prepared {
    sql: String,
    parameters: Parameters,
    parts: Option<InfoParts>,
    residual: Filter,
    facts: Facts,
    /// SQL for the experiments that are searched, as a list in parentheses.
    scope: String,
    /// Where among the values the stretch of time begins whose traces are searched.
    window: Option<usize>,
    /// As many rows as are wanted, where the database knows which.
    limit: Option<usize>,
    /// Whether all are wanted.
    all: bool,
}

/// The traces that are searched for, as SQL about `trace_info t`.
pub(super) struct Chosen {
    pub(super) conditions: Vec<String>,
    pub(super) parameters: Parameters,
    /// What the database does not decide.
    pub(super) residual: Filter,
    facts: Facts,
    /// SQL for the experiments that are searched, as a list in parentheses.
    scope: String,
    /// Whether an index leads to the few traces that can pass.
    finds_few: bool,
}

/// The first page of a search, and where the next ones come from.
pub(super) fn start<L: Link>(
    store: &DatabaseStore<L>,
    query: &Query,
    size: usize,
) -> Result<(Page, Option<Cursor>), StoreError> {
    let search = Prepared::new(store, query)?;
    let is_short = search.residual.is_empty() && query.limit.is_some_and(|limit| limit < size);
    if is_short && search.window.is_none() {
        let rows = store.ask(&search.sql, &search.values(None))?;
        let traces = readable(store, store.infos(&rows, search.parts)?)?;
        let page = Page {
            scanned: traces.len(),
            traces,
            ..Page::default()
        };
        return Ok((page, None));
    }
    let number = store.last_token.fetch_add(1, Relaxed);
    let name = format!("mlt_{number}");
    let mut windows = search.window.map(|_| {
        let floor = match &query.filter {
            FilterSource::Parsed(filter) => filter.span_time_floor_ms(),
            FilterSource::Raw(_) => None,
        };
        Windows::new(store, &search.scope, floor)
    });
    let window = match &mut windows {
        Some(windows) => windows.next(store)?,
        None => None,
    };
    search.open(store, &name, window)?;
    let check = if search.residual.is_empty() {
        None
    } else {
        let residual = search.residual.clone();
        let residual = links::resolved(store, residual, search.facts, &search.scope)?;
        Some(Check {
            judge: Judge::new(&residual),
            needs_spans: residual.needs_spans(),
            sessions: said_of_sessions(store, &search)?,
        })
    };
    let cursor = Cursor {
        name,
        parts: search.parts,
        check,
        ready: VecDeque::new(),
        is_over: false,
        rest: windows.map(|windows| Rest {
            rows: search.limit.unwrap_or(usize::MAX),
            search,
            windows,
        }),
    };
    cursor.page(store, size)
}

impl Cursor {
    /// The next page; the cursor comes back when there may be more.
    pub(super) fn page<L: Link>(
        mut self,
        store: &DatabaseStore<L>,
        size: usize,
    ) -> Result<(Page, Option<Self>), StoreError> {
        if self.ready.is_empty() && !self.is_over {
            let rows = match &self.check {
                None if self.parts.is_some() => size * PAGES,
                None => size,
                Some(check) if check.needs_spans => WITH_SPANS,
                Some(_) => MAX_PAGE,
            };
            let (found, is_last) = self.rows(store, rows)?;
            self.ready = readable(store, store.infos(&found, self.parts)?)?.into();
            self.is_over = is_last;
        }
        let count = match &self.check {
            None => size.min(self.ready.len()),
            Some(_) => self.ready.len(),
        };
        let traces: Vec<TraceInfo> = self.ready.drain(..count).collect();
        let scanned = traces.len();
        let traces = match &self.check {
            None => traces,
            Some(check) => check.select(store, traces)?,
        };
        let page = Page {
            traces,
            scanned,
            ..Page::default()
        };
        let goes_on = !self.is_over || !self.ready.is_empty();
        Ok((page, goes_on.then_some(self)))
    }

    /// So many rows, or fewer at the end, and whether it is that.
    fn rows<L: Link>(
        &mut self,
        store: &DatabaseStore<L>,
        rows: usize,
    ) -> Result<(Vec<L::Row>, bool), StoreError> {
        let left = self.rest.as_ref().map_or(usize::MAX, |rest| rest.rows);
        let rows = rows.min(left);
        let mut found = Vec::new();
        let mut is_last = rows == left;
        loop {
            let wanted = rows - found.len();
            let next = |link: &mut L| link.next(&self.name, wanted);
            let count = |rows: &Vec<L::Row>| counted(rows.len());
            let more = store.timed("the next rows", count, next)?;
            let is_end = more.len() < wanted;
            found.extend(more);
            if is_end || is_last {
                lock(&store.link).close(&self.name);
            }
            if !is_end {
                break;
            }
            let window = match &mut self.rest {
                Some(rest) => rest.windows.next(store)?,
                None => None,
            };
            if let (Some(rest), Some(window)) = (&self.rest, window) {
                rest.search.open(store, &self.name, Some(window))?;
            } else {
                is_last = true;
                break;
            }
        }
        if let Some(rest) = &mut self.rest {
            rest.rows -= found.len();
        }
        Ok((found, is_last))
    }
}

impl Check {
    /// Those that pass. Spans are fetched only where they decide.
    fn select<L: Link>(
        &self,
        store: &DatabaseStore<L>,
        traces: Vec<TraceInfo>,
    ) -> Result<Vec<TraceInfo>, StoreError> {
        let with_session = |info: TraceInfo| {
            let judged = self.sessions.judged(&info);
            (info, judged)
        };
        let candidates: Vec<_> = traces.into_iter().map(with_session).collect();
        let passing = judge::select(store, &store.doubts, candidates, |(info, judged)| {
            (judged.as_ref().unwrap_or(info), Some(&self.judge))
        })?;
        Ok(passing.into_iter().map(|(info, _)| info).collect())
    }
}

/// Those traces that can be read; the others are remembered.
fn readable<L: Link>(store: &DatabaseStore<L>, all: Infos) -> Result<Vec<TraceInfo>, StoreError> {
    let mut traces = Vec::with_capacity(all.len());
    for (_, info) in all {
        match info {
            Ok(info) => traces.push(info),
            Err(StoreError::Unreadable(one)) => store.doubts.add_unreadable(*one),
            Err(error) => return Err(error),
        }
    }
    Ok(traces)
}

/// What was said of whole sessions, where a check needs it.
fn said_of_sessions<L: Link>(
    store: &DatabaseStore<L>,
    search: &Prepared,
) -> Result<Sessions, StoreError> {
    let mut sessions = Sessions::default();
    if !search.residual.needs_assessments() || !store.schema.has_assessments() {
        return Ok(sessions);
    }
    let of_session = search.parameters.dialect.contains(
        "a.assessment_metadata",
        &format!("'\"{}\":'", metadata::SESSION),
    );
    let rows = store.ask(
        &format!(
            "SELECT DISTINCT a.trace_id FROM assessments a \
             JOIN trace_info o ON o.request_id = a.trace_id \
             WHERE o.experiment_id IN {} AND {of_session}",
            search.scope
        ),
        &[],
    )?;
    let ids: Vec<String> = rows
        .iter()
        .filter_map(|row| crate::store::sql::row::own_text(row, "assessments", 0).ok()?)
        .collect();
    for part in ids.chunks(MAX_PAGE) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        for (_, info) in store.infos_of(&part)? {
            // Where it is searched for itself, it is said what is wrong with it.
            if let Ok(info) = info {
                sessions.learn(&info);
            }
        }
    }
    Ok(sessions)
}

/// The SQL of a search, and how the database goes about it.
pub(super) fn explain<L: Link>(
    store: &DatabaseStore<L>,
    query: &Query,
) -> Result<Explanation, StoreError> {
    let search = Prepared::new(store, query)?;
    let values: Vec<Arg<'_>> = search.parameters.values().iter().map(Arg::from).collect();
    let steps = lock(&store.link).explain(&search.sql, &values)?;
    Ok(Explanation {
        sent: vec![search.parameters.filled_in(&search.sql)],
        here: (!search.residual.is_empty()).then(|| search.residual.readable().to_string()),
        cost: steps.join("; "),
        requests: Vec::new(),
    })
}

impl Chosen {
    /// # Errors
    /// Those of the database, and a filter that nothing here decides.
    pub(super) fn new<L: Link>(
        store: &DatabaseStore<L>,
        query: &Query,
    ) -> Result<Self, StoreError> {
        let needs_spans = match &query.filter {
            FilterSource::Parsed(filter) => filter.needs_spans(),
            FilterSource::Raw(_) => false,
        };
        let facts = if needs_spans {
            facts(store)?
        } else {
            super::UNKNOWN
        };
        let schema = &store.schema;
        let dialect = lock(&store.link).dialect(facts);
        let decides = Decides {
            schema,
            facts,
            ilike_is_exact: dialect.decides_ilike(),
        };
        let Plan {
            mut searches,
            residual,
            ..
        } = plan_of(query, &store.name, &decides)?;
        // Stores that take whole trees are asked one question.
        let filter = searches.pop().unwrap_or_default();
        let experiments = scope(store, &query.experiments)?;
        let scope = format!("({})", experiments.join(", "));
        let mut parameters = Parameters::new(dialect);
        let probes = Known { facts };
        let compiled = Compiler::new(schema, &probes, &mut parameters, &scope, 0, true)
            .filter(&filter)?
            .ok_or_else(|| StoreError::Unsupported {
                store: store.name.clone(),
                what: "way to ask for so many conditions on spans within NOT and OR",
                instead: "leave out a NOT, or take parentheses apart",
            })?;
        let mut conditions = vec![format!("t.experiment_id IN {scope}")];
        conditions.extend(compiled.conjuncts);
        Ok(Self {
            conditions,
            parameters,
            residual,
            facts,
            scope,
            finds_few: compiled.finds_few,
        })
    }
}

impl Prepared {
    fn new<L: Link>(store: &DatabaseStore<L>, query: &Query) -> Result<Self, StoreError> {
        let Chosen {
            mut conditions,
            mut parameters,
            residual,
            facts,
            scope,
            finds_few,
        } = Chosen::new(store, query)?;
        let schema = &store.schema;
        let dialect = parameters.dialect;
        let parts = query
            .parts_that_do()
            .filter(|parts| residual.is_empty() && can_read_parts(schema, *parts));
        let limit = query
            .limit
            .filter(|_| residual.is_empty())
            .map(|limit| limit.saturating_add(1));
        let is_unordered = query.any_order && query.order_by.items().is_empty();
        let order = if is_unordered && limit.is_none() {
            String::new()
        } else {
            let order = order(schema, &query.order_by, &mut parameters);
            format!(" ORDER BY {order}")
        };
        let is_first = query.limit.is_some() && query.order_by.items().is_empty();
        let by_time = is_first && !finds_few;
        let window = (by_time && dialect.gives_all_at_once()).then(|| {
            let at = parameters.values().len();
            let [first, last] = [i64::MIN, i64::MAX].map(|time| parameters.bind(time));
            conditions.push(format!("t.timestamp_ms BETWEEN {first} AND {last}"));
            at
        });
        let sql = format!(
            "SELECT {} FROM trace_info t{} WHERE {}{order} {}",
            parts.map_or_else(
                || columns(schema, query.counts_spans),
                |parts| part_columns(parts, "u.value")
            ),
            parts.map(users_joined).unwrap_or_default(),
            conditions.join(" AND "),
            dialect.limit(limit),
        );
        Ok(Self {
            sql,
            parameters,
            parts,
            residual,
            facts,
            scope,
            window,
            limit,
            all: query.limit.is_none(),
        })
    }

    /// Begins to search, where it goes by stretches of time in this one.
    fn open<L: Link>(
        &self,
        store: &DatabaseStore<L>,
        name: &str,
        window: Option<(i64, i64)>,
    ) -> Result<(), StoreError> {
        let values = self.values(window);
        let open = |link: &mut L| link.open(name, &self.sql, &values, self.all);
        store.timed(&self.sql, |()| "begun".to_owned(), open)
    }

    /// The values of the statement; with the first and last time of a stretch, where it is
    /// about one.
    fn values(&self, window: Option<(i64, i64)>) -> Vec<Arg<'_>> {
        let mut values: Vec<Arg<'_>> = self.parameters.values().iter().map(Arg::from).collect();
        if let (Some(at), Some((first, last))) = (self.window, window) {
            values[at] = Arg::Integer(first);
            values[at + 1] = Arg::Integer(last);
        }
        values
    }
}

/// What decides what the database is asked about spans.
///
/// # Errors
/// Those of the database.
pub(super) fn facts<L: Link>(store: &DatabaseStore<L>) -> Result<Facts, StoreError> {
    if let Some(facts) = *lock(&store.facts) {
        return Ok(facts);
    }
    let facts = if store.schema.has_spans() {
        let found = |sql: &str| Ok::<_, StoreError>(store.number(sql, &[])? != 0);
        let dialect = lock(&store.link).dialect(super::UNKNOWN);
        let is_key = dialect.equal("g.key", &format!("'{}'", tag::SPANS_LOCATION));
        let is_here = dialect.equal("g.value", "'TRACKING_STORE'");
        Facts {
            // By the index that begins with the experiment.
            has_types: !found(
                "SELECT CASE WHEN EXISTS (SELECT 1 FROM experiments e WHERE \
                 (SELECT s.experiment_id FROM spans s WHERE s.experiment_id = e.experiment_id \
                 AND s.type IS NULL LIMIT 1) IS NOT NULL \
                 OR (SELECT s.experiment_id FROM spans s WHERE s.experiment_id = e.experiment_id \
                 AND s.type = '' LIMIT 1) IS NOT NULL) THEN 1 ELSE 0 END",
            )?,
            all_in_table: found(&format!(
                "SELECT CASE WHEN (SELECT count(*) FROM trace_tags g WHERE {is_key} AND {is_here}) = (SELECT count(*) FROM trace_info) \
                 THEN 1 ELSE 0 END"
            ))?,
        }
    } else {
        super::UNKNOWN
    };
    *lock(&store.facts) = Some(facts);
    Ok(facts)
}

/// The ids of the experiments to search, as SQL takes them.
fn scope<L: Link>(
    store: &DatabaseStore<L>,
    experiments: &[String],
) -> Result<Vec<String>, StoreError> {
    // What is no such number is the id of no experiment here.
    let numbers: Vec<String> = experiments
        .iter()
        .filter_map(|id| Some(id.parse::<i32>().ok()?.to_string()))
        .collect();
    let wanted = if experiments.is_empty() {
        store.doubt_of_workspace();
        "lifecycle_stage = 'active'".to_owned()
    } else if numbers.is_empty() {
        return Ok(vec!["NULL".to_owned()]);
    } else if store.workspace.is_all() {
        return Ok(numbers);
    } else {
        format!("experiment_id IN ({})", numbers.join(", "))
    };
    let mut ids: Vec<String> = store
        .experiments_where(&wanted, "", &[])?
        .into_iter()
        .map(|experiment| experiment.id)
        .collect();
    if ids.is_empty() {
        ids.push("NULL".to_owned());
    }
    Ok(ids)
}

/// What is known already, and asked of the database no more.
pub(super) struct Known {
    pub(super) facts: Facts,
}

impl Probes for Known {
    type Error = StoreError;

    fn number(&self, _sql: &str, _parameters: &Parameters) -> Result<i64, StoreError> {
        Ok(0)
    }

    fn all_are_in_table(&self, _schema: &Schema) -> Result<bool, StoreError> {
        Ok(self.facts.all_in_table)
    }

    fn is_most(&self, _scope: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn among_all_spans(&self, _: &str, _: &str, _: &Parameters) -> Option<String> {
        None
    }
}
