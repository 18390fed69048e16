//! Traces by their ids, and what hangs on rows of `trace_info`.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, Statement};

use crate::model::{CATALOG_PREFIX, TraceInfo, trace_id_digits};
use crate::store::InfoParts;
use crate::store::sql::info::{ASSESSMENT, assessment, bare, columns, pair, part, promote};
use crate::store::sql::{Schema, Workspace};

/// The assessments of a trace.
fn assessments() -> String {
    format!("SELECT {ASSESSMENT} FROM assessments WHERE trace_id = ?1")
}

/// The trace with this id.
pub(super) fn find(
    connection: &Connection,
    schema: &Schema,
    workspace: &Workspace,
    trace_id: &str,
) -> rusqlite::Result<Option<TraceInfo>> {
    let sql = format!(
        "SELECT {} FROM trace_info t WHERE t.request_id = ?1 AND {}",
        columns(schema, false),
        workspace.of_experiment_id("t.experiment_id")
    );
    let mut reader = Reader::new(connection, schema)?;
    connection
        .prepare_cached(&sql)?
        .query_row([trace_id], |row| reader.info(row))
        .optional()
}

/// The trace of a Unity Catalog with the digits of an id, where there is one such trace.
pub(super) fn find_in_catalog(
    connection: &Connection,
    schema: &Schema,
    workspace: &Workspace,
    trace_id: &str,
) -> rusqlite::Result<Option<TraceInfo>> {
    let digits = trace_id_digits(trace_id).filter(|digits| digits.len() == 32);
    let Some(digits) = digits.filter(|_| !trace_id.starts_with(CATALOG_PREFIX)) else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(
        "SELECT request_id FROM trace_info WHERE request_id BETWEEN ?1 AND ?1 || '~' \
         AND request_id LIKE '%/' || ?2 LIMIT 2",
    )?;
    let ids = statement.query_map([CATALOG_PREFIX, digits], |row| row.get(0))?;
    match ids.collect::<rusqlite::Result<Vec<String>>>()?.as_slice() {
        [only] => find(connection, schema, workspace, only),
        _ => Ok(None),
    }
}

/// Reads whole traces but their spans, one row of `trace_info` at a time.
pub(super) struct Reader<'c> {
    schema: &'c Schema,
    tags: CachedStatement<'c>,
    metadata: CachedStatement<'c>,
    assessments: Option<CachedStatement<'c>>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(connection: &'c Connection, schema: &'c Schema) -> rusqlite::Result<Self> {
        let pairs = |table| {
            connection.prepare_cached(&format!(
                "SELECT key, value FROM {table} WHERE request_id = ?1"
            ))
        };
        Ok(Self {
            schema,
            tags: pairs("trace_tags")?,
            metadata: pairs("trace_request_metadata")?,
            assessments: schema
                .has_assessments()
                .then(|| connection.prepare_cached(&assessments()))
                .transpose()?,
        })
    }

    /// The trace of a row with [`columns`] in front.
    pub(super) fn info(&mut self, row: &Row<'_>) -> rusqlite::Result<TraceInfo> {
        let mut info = bare(row)?;
        info.tags = pairs(&mut self.tags, "trace_tags", &info.trace_id)?;
        info.metadata = pairs(&mut self.metadata, "trace_request_metadata", &info.trace_id)?;
        promote(self.schema, row, &mut info)?;
        if let Some(statement) = &mut self.assessments {
            info.assessments = statement
                .query_map([&info.trace_id], |row| assessment(row))?
                .collect::<rusqlite::Result<_>>()?;
            info.order_assessments();
        }
        Ok(info)
    }
}

/// Reads ids, states, times and some parts of traces, and nothing else of them:
/// what [`Store::complete`](crate::store::Store::complete) takes for an id alone.
pub(super) struct PartReader<'c> {
    parts: InfoParts,
    assessments: Option<CachedStatement<'c>>,
}

impl<'c> PartReader<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        schema: &Schema,
        parts: InfoParts,
    ) -> rusqlite::Result<Self> {
        let wanted = parts.assessments && schema.has_assessments();
        let any = || {
            connection.query_row("SELECT EXISTS (SELECT 1 FROM assessments)", [], |row| {
                row.get::<_, bool>(0)
            })
        };
        let assessments = if wanted && any()? {
            Some(connection.prepare_cached(&assessments())?)
        } else {
            None
        };
        Ok(Self { parts, assessments })
    }

    pub(super) fn info(&mut self, row: &Row<'_>) -> rusqlite::Result<TraceInfo> {
        let mut info = part(row, self.parts)?;
        if let Some(statement) = &mut self.assessments {
            info.assessments = statement
                .query_map([&info.trace_id], |row| assessment(row))?
                .collect::<rusqlite::Result<_>>()?;
            info.order_assessments();
        }
        Ok(info)
    }
}

fn pairs(
    statement: &mut Statement<'_>,
    table: &str,
    trace_id: &str,
) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut rows = statement.query([trace_id])?;
    let mut pairs = BTreeMap::new();
    while let Some(row) = rows.next()? {
        pairs.extend([pair(row, table, 0)?]);
    }
    Ok(pairs)
}
