//! The spans of a trace: from the table of spans, or where the trace says that
//! it keeps them.

use std::num::NonZero;
use std::thread;

use rusqlite::Connection;

use super::schema::Schema;
use crate::model::{Span, TraceInfo, tag};
use crate::store::StoreError;
use crate::store::wire::span_from_slice;

use super::connection::Database;

/// Where a trace says that its spans are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the table of spans.
    Table,
    /// In a file named `traces.json`.
    Artifact,
    /// In an archive outside.
    Archive,
}

impl Place {
    pub(super) fn of(info: &TraceInfo) -> Self {
        match info.tags.get(tag::SPANS_LOCATION).map(String::as_str) {
            Some("TRACKING_STORE") => Self::Table,
            Some("ARCHIVE_REPO") => Self::Archive,
            _ => Self::Artifact,
        }
    }
}

/// So much text is worth a thread of its own.
const BYTES_FOR_A_THREAD: usize = 500_000;
const MAX_THREADS: usize = 4;

/// The spans in the table, as the server orders them: roots first, then by start.
///
/// # Errors
/// Those of SQLite, and a span that is not JSON.
pub(super) fn in_table(
    database: &Database,
    connection: &Connection,
    schema: &Schema,
    trace_id: &str,
) -> Result<Vec<Span>, StoreError> {
    if !schema.has_spans() {
        return Ok(Vec::new());
    }
    let texts = texts(connection, trace_id).map_err(|e| database.error(&e))?;
    let mut spans = parse(texts).map_err(|error| StoreError::Data {
        path: database.path().display().to_string(),
        reason: format!("a span of trace {trace_id} is not what it should be: {error}"),
    })?;
    // Sorted here, since SQLite would carry every span's text through its sorter.
    spans.sort_by_key(|span| (span.parent_id.is_some(), span.start_ns));
    Ok(spans)
}

/// The JSON of each span, by span id.
fn texts(connection: &Connection, trace_id: &str) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut statement = connection.prepare_cached(
        "SELECT content FROM spans WHERE trace_id = ?1 AND content <> '' ORDER BY span_id",
    )?;
    let mut rows = statement.query([trace_id])?;
    let mut texts = Vec::new();
    while let Some(row) = rows.next()? {
        texts.push(row.get_ref(0)?.as_bytes()?.to_vec());
    }
    Ok(texts)
}

/// Reads the spans, large traces in several threads.
fn parse(texts: Vec<Vec<u8>>) -> serde_json::Result<Vec<Span>> {
    let bytes: usize = texts.iter().map(Vec::len).sum();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (bytes / BYTES_FOR_A_THREAD).clamp(1, cores.min(MAX_THREADS));
    let size = texts.len().div_ceil(threads).max(1);
    let mut parts: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut rest = texts;
    while rest.len() > size {
        let tail = rest.split_off(size);
        parts.push(std::mem::replace(&mut rest, tail));
    }
    // Each text is let go as soon as it is read.
    let read = |part: Vec<Vec<u8>>| -> serde_json::Result<Vec<Span>> {
        part.into_iter()
            .map(|text| span_from_slice(&text))
            .collect()
    };
    thread::scope(|scope| {
        let others: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(move || read(part)))
            .collect();
        let last = read(rest)?;
        let mut spans = Vec::new();
        for other in others {
            let part = other.join();
            spans.extend(part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        spans.extend(last);
        Ok(spans)
    })
}
