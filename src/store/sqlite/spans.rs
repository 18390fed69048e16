//! The spans of a trace: from the table of spans, or where the trace says that
//! it keeps them.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::connection::Database;
use super::info::text;
use super::schema::Schema;
use crate::model::{Span, SpanId, StatusCode, TraceInfo, attribute, tag};
use crate::store::local::lock;
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

/// So much text is worth being read by another thread.
const CHUNK: usize = 400_000;
/// Chunks that may wait for a thread.
const AHEAD: usize = 4;
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
    let broken = |error: serde_json::Error| StoreError::Data {
        path: database.path().display().to_string(),
        reason: format!("a span of trace {trace_id} is not what it should be: {error}"),
    };
    let mut spans = contents(connection, trace_id, detail)
        .map_err(|e| database.error(&e))?
        .map_err(broken)?;
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

/// The JSON of some spans.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn read(&self, detail: Detail) -> serde_json::Result<Vec<Span>> {
        let mut start = 0;
        let one = |end: &usize| {
            let text = &self.bytes[std::mem::replace(&mut start, *end)..*end];
            span_from_slice(text, detail)
        };
        self.ends.iter().map(one).collect()
    }
}

/// What the JSON of each span says, by span id. Of a large trace it is read by
/// other threads, while this one fetches the next.
fn contents(
    connection: &Connection,
    trace_id: &str,
    detail: Detail,
) -> rusqlite::Result<serde_json::Result<Vec<Span>>> {
    let mut statement = connection.prepare_cached(
        "SELECT content FROM spans WHERE trace_id = ?1 AND content <> '' ORDER BY span_id",
    )?;
    let mut rows = statement.query([trace_id])?;
    let (sender, receiver) = sync_channel::<(usize, Texts)>(AHEAD);
    let receiver = Mutex::new(receiver);
    let work = || {
        let mut parts = Ok(Vec::new());
        loop {
            let next = lock(&receiver).recv();
            let Ok((at, texts)) = next else { break parts };
            // After an error the rest is still taken, or nobody would empty the channel.
            if let Ok(list) = &mut parts {
                match texts.read(detail) {
                    Ok(spans) => list.push((at, spans)),
                    Err(error) => parts = Err(error),
                }
            }
        }
    };
    thread::scope(|scope| {
        let mut crew = Vec::new();
        let (mut at, mut texts) = (0, Texts::default());
        while let Some(row) = rows.next()? {
            texts.push(row.get_ref(0)?.as_bytes()?);
            if texts.bytes.len() >= CHUNK {
                if crew.is_empty() {
                    let cores = thread::available_parallelism().map_or(1, NonZero::get);
                    crew.extend((0..cores.min(MAX_THREADS)).map(|_| scope.spawn(work)));
                }
                let _ = sender.send((at, std::mem::take(&mut texts)));
                at += 1;
            }
        }
        drop(sender);
        let mut parts = vec![(at, texts.read(detail))];
        for worker in crew {
            let done = worker.join();
            match done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
                Ok(list) => parts.extend(list.into_iter().map(|(at, spans)| (at, Ok(spans)))),
                Err(error) => parts.push((at, Err(error))),
            }
        }
        parts.sort_by_key(|(at, _)| *at);
        let spans: serde_json::Result<Vec<Vec<Span>>> =
            parts.into_iter().map(|(_, spans)| spans).collect();
        Ok(spans.map(|spans| spans.into_iter().flatten().collect()))
    })
}
