//! The spans of a trace: from the table of spans, or where the trace says that
//! it keeps them.

use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _};

use super::Shared;
use super::connection::Sharing;
use crate::model::{Span, tag};
use crate::parallel;
use crate::store::sql::row;
use crate::store::sql::spans::{
    COLUMN_COUNT, COLUMNS, COLUMNS_AND_CONTENT, Place, all_columns, broken, sort, span,
    span_of_columns,
};
use crate::store::wire::{Flaw, otel_trace_id, span_from_slice, tells_more};
use crate::store::{Detail, StoreError};

/// Where the trace with this id says that its spans are.
///
/// # Errors
/// Those of SQLite.
pub(super) fn place_of(connection: &Connection, trace_id: &str) -> rusqlite::Result<Place> {
    let location = connection
        .prepare_cached("SELECT value FROM trace_tags WHERE key = ?1 AND request_id = ?2")?
        .query_row([tag::SPANS_LOCATION, trace_id], |row| {
            let location = row::maybe_text(row, "trace_tags", 0)?;
            Ok(Place::named(location.as_deref()))
        })
        .optional()?;
    Ok(location.unwrap_or(Place::Artifact))
}

/// Rows of a trace that one thread reads at a time.
const PART: usize = 512;
const MAX_THREADS: usize = 4;

/// What columns say of the spans of an archived trace, whose JSON is in the archive.
///
/// # Errors
/// Those of SQLite.
pub(super) fn in_columns(
    shared: &Shared,
    connection: &Connection,
    trace_id: &str,
) -> Result<Vec<Span>, StoreError> {
    if !shared.schema.has_spans() {
        return Ok(Vec::new());
    }
    let columns = all_columns(&shared.schema);
    let otel_id = otel_trace_id(trace_id);
    let read = || -> rusqlite::Result<Vec<Span>> {
        let mut statement = connection
            .prepare_cached(&format!("SELECT {columns} FROM spans WHERE trace_id = ?1"))?;
        let mut rows = statement.query([trace_id])?;
        let mut spans = Vec::new();
        while let Some(row) = rows.next()? {
            spans.push(span_of_columns(row, &otel_id)?);
        }
        Ok(spans)
    };
    let mut spans = read().map_err(|e| shared.row_error(&e, trace_id))?;
    sort(&mut spans);
    Ok(spans)
}

/// The spans in the table, as the server orders them: roots first, then by start.
///
/// # Errors
/// Those of SQLite, and a span that is not JSON.
pub(super) fn in_table(
    shared: &Shared,
    connection: &Connection,
    trace_id: &str,
    detail: Detail,
) -> Result<Vec<Span>, StoreError> {
    if !shared.schema.has_spans() {
        return Ok(Vec::new());
    }
    let rows = rows(connection, trace_id).map_err(|e| shared.database().error(&e))?;
    let parts: Vec<&[i64]> = rows.chunks(PART).collect();
    let most = match shared.database().sharing {
        Sharing::Journal => parallel::cores(),
        // All others are in use, or see what there is now.
        Sharing::Log | Sharing::Still(_) => 1,
    };
    let threads = most.min(MAX_THREADS).min(parts.len()).max(1);
    let next = AtomicUsize::new(0);
    let otel_id = otel_trace_id(trace_id);
    let read = |connection: &Connection| {
        let mut spans = Vec::with_capacity(rows.len());
        while let Some(rows) = parts.get(next.fetch_add(1, Relaxed)) {
            read_rows(connection, rows, &otel_id, detail, &mut spans)
                .map_err(|e| shared.row_error(&e, trace_id))?
                .map_err(|e| broken(&shared.name, trace_id, &e))?;
        }
        Ok(spans)
    };
    let mut spans = thread::scope(|scope| {
        let crew: Vec<_> = (1..threads)
            .map_while(|_| {
                let along = || shared.read_along(read);
                thread::Builder::new().spawn_scoped(scope, along).ok()
            })
            .collect();
        let mut spans = read(connection)?;
        for thread in crew {
            let read = thread.join();
            spans.extend(read.unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok::<_, StoreError>(spans)
    })?;
    sort(&mut spans);
    Ok(spans)
}

/// Where the trace's spans are in the table, from its start to its end, so that
/// no page is read twice.
fn rows(connection: &Connection, trace_id: &str) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached("SELECT rowid FROM spans WHERE trace_id = ?1")?;
    let rows = statement.query_map([trace_id], |row| row.get(0))?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<i64>>>()?;
    rows.sort_unstable();
    Ok(rows)
}

/// Reads the spans in some rows; those without JSON are none.
fn read_rows(
    connection: &Connection,
    rows: &[i64],
    otel_id: &str,
    detail: Detail,
    spans: &mut Vec<Span>,
) -> rusqlite::Result<Result<(), Flaw>> {
    let columns = match detail {
        Detail::Times => COLUMNS,
        _ => COLUMNS_AND_CONTENT,
    };
    // One statement, whose buffers SQLite keeps from row to row.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {columns} FROM rarray(?1) AS rows CROSS JOIN spans ON spans.rowid = rows.value \
         WHERE octet_length(content) > 0"
    ))?;
    let rows: Vec<Value> = rows.iter().map(|row| Value::from(*row)).collect();
    let mut found = statement.query([Rc::new(rows)])?;
    while let Some(row) = found.next()? {
        let content = match detail {
            Detail::Times => None,
            _ => Some(row.get_ref(COLUMN_COUNT - 1)?.as_bytes()?),
        };
        match content.filter(|content| tells_more(content, detail)) {
            None => spans.push(span(row, otel_id)?),
            Some(content) => match span_from_slice(content, detail) {
                Ok(span) => spans.push(span),
                Err(error) => return Ok(Err(error)),
            },
        }
    }
    Ok(Ok(()))
}
