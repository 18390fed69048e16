//! Searches: one SQL statement for each, all of whose rows come from one state of the
//! database.

use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::dialect::Sqlite;
use super::info::{PartReader, Reader as InfoReader};
use super::readers::{Purpose, Reader};
use super::stream::{self, Cursor, Stream};
use super::{Shared, outside, statement, whole};
use crate::model::TraceInfo;
use crate::store::local::plan_of;
use crate::store::sql::info::{can_read_parts, columns, part_columns, user_looked_up};
use crate::store::sql::{Compiler, Dialect as _, FEW_SPANS, Parameters, order, row};
use crate::store::{Explanation, InfoParts, Query, StoreError};

/// A page and whether there are more.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) traces: Vec<TraceInfo>,
    pub(super) more: bool,
}

/// The first page of a search, and where the next ones come from.
type Started = (Vec<TraceInfo>, Option<Cursor>, Option<Stream>);

/// Starts a search; gives its first page of `size` traces at most.
pub(super) fn start(
    shared: &Arc<Shared>,
    query: &Query,
    size: usize,
) -> Result<Started, StoreError> {
    let reader = shared.readers.take(Purpose::Search)?;
    if query.limit.is_some_and(|limit| limit < size) {
        let page = only_page(shared, &reader, query, size);
        shared.readers.give_back(reader);
        return Ok((page?, None, None));
    }
    let search = match Prepared::new(shared, &reader, query, Reach::Any) {
        Ok(search) => search,
        Err(error) => {
            shared.readers.give_back(reader);
            return Err(error);
        }
    };
    let (cursor, stream) = stream::start(shared, search, reader, size);
    let (traces, rest) = cursor.next()?;
    Ok((traces, rest, stream))
}

/// A search for no more traces than there are on one page. Where nothing but spans decides,
/// they are looked for among the newest traces first, and last by reading all spans.
fn only_page(
    shared: &Shared,
    reader: &Reader,
    query: &Query,
    size: usize,
) -> Result<Vec<TraceInfo>, StoreError> {
    let page = |search: &Prepared| {
        let mut page = Vec::new();
        search.run(shared, reader, size, &mut Vec::new(), |batch| {
            page = batch.traces;
            Flow::Stop
        })?;
        Ok(page)
    };
    let search = Prepared::new(shared, reader, query, Reach::Any)?;
    if !search.only_spans {
        return page(&search);
    }
    let steps = whole::steps(reader).map_err(|e| shared.database().error(&e))?;
    for count in steps {
        let newest = Prepared::new(shared, reader, query, Reach::Newest(count))?;
        let found = page(&newest)?;
        if found.len() == size {
            return Ok(found);
        }
    }
    page(&Prepared::new(shared, reader, query, Reach::All)?)
}

/// The SQL of a search, and how SQLite goes about it.
pub(super) fn explain(shared: &Shared, query: &Query) -> Result<Explanation, StoreError> {
    shared.read(|reader| {
        let search = Prepared::new(shared, reader, query, Reach::Any)?;
        let steps = || -> rusqlite::Result<Vec<String>> {
            let mut statement = reader.prepare(&format!("EXPLAIN QUERY PLAN {}", search.sql))?;
            let values = statement::values_of(&search.parameters, &statement);
            let steps =
                statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3))?;
            steps.collect()
        };
        let steps = steps().map_err(|e| shared.database().error(&e))?;
        Ok(Explanation {
            sent: vec![search.parameters.filled_in(&search.sql)],
            here: None,
            cost: steps.join("; "),
            requests: Vec::new(),
        })
    })
}

/// Whether a search goes on.
pub(super) enum Flow {
    Continue,
    /// Only the ids of the traces are read from here on.
    OnlyIds,
    Stop,
}

/// Among which traces those that are wanted are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Among all, until there are as many as are wanted.
    Any,
    /// Among so many of the newest.
    Newest(i64),
    /// Among all, and hardly one will be found.
    All,
}

/// A search as SQL.
pub(super) struct Prepared {
    sql: String,
    parameters: Parameters,
    /// What is selected of `trace_info t`.
    pub(super) columns: String,
    /// What of the traces is read, where not all is.
    pub(super) parts: Option<InfoParts>,
    /// Whether the newest come first, and nothing but spans decides.
    only_spans: bool,
}

impl Prepared {
    fn new(
        shared: &Shared,
        connection: &Connection,
        query: &Query,
        reach: Reach,
    ) -> Result<Self, StoreError> {
        // Functions of this program decide what SQLite cannot, so that nothing is left.
        let plan = plan_of(query, &shared.name, &Sqlite)?;
        let filter = plan.exact().ok_or_else(|| StoreError::Unsupported {
            store: shared.name.clone(),
            what: "way to ask for this filter",
            instead: "leave out some of its conditions",
        })?;
        let error = |e: rusqlite::Error| shared.database().error(&e);
        let schema = &shared.schema;
        let experiments = scope(shared, connection, &query.experiments)?;
        let scope = format!("({})", experiments.join(", "));
        let mut parameters = Parameters::new(&Sqlite);
        let all = query.limit.is_none() || reach == Reach::All;
        let few = if all && filter.needs_spans() {
            count(connection).map_err(error)?.max(FEW_SPANS)
        } else {
            FEW_SPANS
        };
        let compiled = Compiler::new(schema, connection, &mut parameters, &scope, few, all)
            .filter(filter)
            .map_err(error)?
            .ok_or_else(|| StoreError::Unsupported {
                store: shared.name.clone(),
                what: "way to ask for so many conditions on spans within NOT and OR",
                instead: "leave out a NOT, or take parentheses apart",
            })?;
        let mut conditions = vec![if experiments.len() == 1 {
            format!("t.experiment_id = {}", experiments[0])
        } else {
            // Kept to the index on time, which gives the order.
            format!("{} IN {scope}", Sqlite.without_index("t.experiment_id"))
        }];
        let by_time = query.order_by.items().is_empty() && !compiled.finds_few;
        // Without conditions and order, the table is read from one end to the other.
        let sequential =
            query.any_order && by_time && query.limit.is_none() && compiled.conjuncts.is_empty();
        if let Reach::Newest(count) = reach {
            conditions.push(whole::newest(&scope, count));
        }
        conditions.extend(compiled.conjuncts);
        let parts = query
            .parts_that_do()
            .filter(|parts| can_read_parts(schema, *parts));
        let traces = match schema.time_index(experiments.len() == 1) {
            _ if sequential => Sqlite.whole_table("trace_info t"),
            Some(name) if by_time => Sqlite.by_index("trace_info t", name),
            _ => "trace_info t".to_owned(),
        };
        // The limit is no parameter, so that SQLite can plan with it.
        let limit = Sqlite.limit(query.limit.map(|limit| limit.saturating_add(1)));
        let columns = parts.map_or_else(
            || columns(schema, query.counts_spans),
            |parts| part_columns(parts, &user_looked_up()),
        );
        let sql = format!(
            "SELECT {columns} FROM {traces} WHERE {} ORDER BY {} {limit}",
            conditions.join(" AND "),
            if sequential {
                "t.rowid".to_owned()
            } else {
                order(schema, &query.order_by, &mut parameters)
            },
        );
        statement::register(&parameters, connection).map_err(error)?;
        if compiled.looks_outside {
            outside::register(connection, &shared.artifacts, &shared.doubts).map_err(error)?;
        }
        Ok(Self {
            sql,
            parameters,
            columns,
            parts,
            only_spans: compiled.only_spans && by_time,
        })
    }

    /// Reads all traces, page by page, or the ids of the `rest`.
    pub(super) fn run(
        &self,
        shared: &Shared,
        reader: &Reader,
        size: usize,
        rest: &mut Vec<Box<str>>,
        mut each: impl FnMut(Batch) -> Flow,
    ) -> Result<(), StoreError> {
        let error = |e: rusqlite::Error| shared.database().error(&e);
        shared.readers.is_later(reader);
        let mut statement = reader.prepare(&self.sql).map_err(error)?;
        let values = statement::values_of(&self.parameters, &statement);
        let mut rows = statement
            .query(rusqlite::params_from_iter(values))
            .map_err(error)?;
        let mut rows_of = RowReader::new(reader, shared, self.parts).map_err(error)?;
        let mut page = Vec::new();
        while let Some(row) = rows.next().map_err(error)? {
            let Some(info) = rows_of.read(shared, row)? else {
                continue;
            };
            if page.len() == size {
                shared.readers.check()?;
                let batch = Batch {
                    traces: std::mem::take(&mut page),
                    more: true,
                };
                match each(batch) {
                    Flow::Continue => {}
                    Flow::Stop => return Ok(()),
                    Flow::OnlyIds => {
                        rest.push(info.trace_id.into());
                        while let Some(row) = rows.next().map_err(error)? {
                            rest.extend(id(shared, row)?);
                        }
                        return shared.readers.check();
                    }
                }
            }
            page.push(info);
        }
        shared.readers.check()?;
        each(Batch {
            traces: page,
            more: false,
        });
        Ok(())
    }
}

/// Reads traces, all of them or some parts.
pub(super) enum RowReader<'c> {
    Whole(InfoReader<'c>),
    Parts(PartReader<'c>),
}

impl<'c> RowReader<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        shared: &'c Shared,
        parts: Option<InfoParts>,
    ) -> rusqlite::Result<Self> {
        Ok(match parts {
            None => Self::Whole(InfoReader::new(connection, &shared.schema)?),
            Some(parts) => Self::Parts(PartReader::new(connection, &shared.schema, parts)?),
        })
    }

    /// The trace of a row; `None` for one that cannot be read, which is remembered.
    pub(super) fn read(
        &mut self,
        shared: &Shared,
        row: &Row<'_>,
    ) -> Result<Option<TraceInfo>, StoreError> {
        let info = match self {
            Self::Whole(reader) => reader.info(row),
            Self::Parts(reader) => reader.info(row),
        };
        readable(shared, row, info)
    }
}

/// The id of a row alone.
fn id(shared: &Shared, row: &Row<'_>) -> Result<Option<Box<str>>, StoreError> {
    let id = row::name(row, "trace_info", 0).map(|id| Box::from(&*id));
    readable(shared, row, id)
}

fn readable<T>(
    shared: &Shared,
    row: &Row<'_>,
    read: rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let error = match read {
        Ok(read) => return Ok(Some(read)),
        Err(error) => error,
    };
    let id = row::maybe_text(row, "trace_info", 0).ok().flatten();
    match shared.row_error(&error, id.as_deref().unwrap_or_default()) {
        StoreError::Unreadable(one) => {
            shared.doubts.add_unreadable(*one);
            Ok(None)
        }
        error => Err(error),
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
    ids().map_err(|e| shared.database().error(&e))
}
