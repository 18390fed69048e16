//! The spans of a trace: from the table of spans, or where the trace says that
//! it keeps them.

use std::num::NonZero;
use std::thread;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::connection::Database;
use super::info::text;
use super::schema::Schema;
use crate::model::{Span, SpanId, StatusCode, TraceInfo, attribute, tag};
use crate::store::wire::{otel_trace_id, span_from_slice, span_id};
use crate::store::{Detail, StoreError};

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
        Self::named(info.tags.get(tag::SPANS_LOCATION).map(String::as_str))
    }

    /// Where the trace with this id says so.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn look_up(connection: &Connection, trace_id: &str) -> rusqlite::Result<Self> {
        let location = connection
            .prepare_cached("SELECT value FROM trace_tags WHERE key = ?1 AND request_id = ?2")?
            .query_row([tag::SPANS_LOCATION, trace_id], |row| text(row, 0))
            .optional()?;
        Ok(Self::named(location.flatten().as_deref()))
    }

    fn named(location: Option<&str>) -> Self {
        match location {
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
    detail: Detail,
) -> Result<Vec<Span>, StoreError> {
    if !schema.has_spans() {
        return Ok(Vec::new());
    }
    if detail == Detail::Times {
        let mut spans = columns(connection, trace_id).map_err(|e| database.error(&e))?;
        sort(&mut spans);
        return Ok(spans);
    }
    let texts = texts(connection, trace_id).map_err(|e| database.error(&e))?;
    let mut spans = parse(texts, detail).map_err(|error| StoreError::Data {
        path: database.path().display().to_string(),
        reason: format!("a span of trace {trace_id} is not what it should be: {error}"),
    })?;
    sort(&mut spans);
    Ok(spans)
}

/// Sorted here, since SQLite would carry every span's text through its sorter.
pub(super) fn sort(spans: &mut [Span]) {
    spans.sort_by_key(|span| (span.parent_id.is_some(), span.start_ns));
}

/// What [`span`] takes, for a `SELECT`. Most spans' JSON is not even read from
/// the file, where what is large lies on pages of its own.
pub(super) const COLUMNS: &str = "span_id, parent_span_id, name, type, status, \
     start_time_unix_nano, end_time_unix_nano, CASE WHEN type IS NULL THEN content END";
/// How many these are.
pub(super) const COLUMN_COUNT: usize = 8;

/// What columns say of each span, by span id.
fn columns(connection: &Connection, trace_id: &str) -> rusqlite::Result<Vec<Span>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM spans WHERE trace_id = ?1 AND octet_length(content) > 0 \
         ORDER BY span_id"
    ))?;
    let otel_id = otel_trace_id(trace_id);
    statement
        .query_map([trace_id], |row| span(row, &otel_id))?
        .collect()
}

/// The span of a row with [`COLUMNS`] in front, as far as they tell.
pub(super) fn span(row: &Row<'_>, otel_id: &str) -> rusqlite::Result<Span> {
    let id = |at| Ok::<_, rusqlite::Error>(text(row, at)?.as_deref().and_then(span_id));
    let kind = match text(row, 3)? {
        Some(kind) => Some(quoted(&kind)),
        // MLflow infers the type of OpenTelemetry's spans too late for the column.
        None => row
            .get_ref(7)?
            .as_bytes_or_null()?
            .and_then(|content| span_from_slice(content, Detail::Times).ok())
            .and_then(|span| span.attribute(attribute::TYPE).map(str::to_owned)),
    };
    let kind = kind.map(|json| (attribute::TYPE.to_owned(), json));
    Ok(Span {
        span_id: id(0)?.unwrap_or_else(|| SpanId::new("")),
        parent_id: id(1)?,
        trace_id: otel_id.to_owned(),
        name: text(row, 2)?.unwrap_or_default(),
        start_ns: row.get::<_, Option<i64>>(5)?.unwrap_or(0),
        // OpenTelemetry spans without an end are stored with an end of zero.
        end_ns: row.get::<_, Option<i64>>(6)?.filter(|end| *end > 0),
        status: StatusCode::parse(&text(row, 4)?.unwrap_or_default()),
        status_message: String::new(),
        attributes: kind.into_iter().collect(),
        events: Vec::new(),
        links: Vec::new(),
    })
}

/// A text as JSON; types hardly ever hold what has to be escaped.
fn quoted(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return ["\"", text, "\""].concat();
    }
    serde_json::Value::from(text).to_string()
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
fn parse(texts: Vec<Vec<u8>>, detail: Detail) -> serde_json::Result<Vec<Span>> {
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
            .map(|text| span_from_slice(&text, detail))
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
