//! The spans of a trace: from the table of spans, or where the trace says that
//! it keeps them.

use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::Shared;
use super::connection::Sharing;
use super::info::json_object;
use super::odd;
use crate::filter::record_members;
use crate::model::{Span, StatusCode, TraceInfo, Unreadable, attribute, metadata, tag};
use crate::parallel;
use crate::store::wire::{Flaw, otel_trace_id, span_from_slice, span_id, tells_more};
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
            .query_row([tag::SPANS_LOCATION, trace_id], |row| {
                let location = odd::maybe_text(row, "trace_tags", 0)?;
                Ok(Self::named(location.as_deref()))
            })
            .optional()?;
        Ok(location.unwrap_or(Self::Artifact))
    }

    fn named(location: Option<&str>) -> Self {
        match location {
            Some("TRACKING_STORE") => Self::Table,
            Some("ARCHIVE_REPO") => Self::Archive,
            _ => Self::Artifact,
        }
    }
}

/// The table of spans.
const TABLE: &str = "spans";
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
    let optional = |column| {
        if shared.schema.has("spans", column) {
            column
        } else {
            "NULL"
        }
    };
    let [model, input, output, total] =
        ["model_name", "input_cost", "output_cost", "total_cost"].map(optional);
    let otel_id = otel_trace_id(trace_id);
    let read = || -> rusqlite::Result<Vec<Span>> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS}, {model}, {input}, {output}, {total} FROM spans WHERE trace_id = ?1"
        ))?;
        let mut rows = statement.query([trace_id])?;
        let mut spans = Vec::new();
        while let Some(row) = rows.next()? {
            let mut span = span(row, &otel_id)?;
            if let Some(model) = odd::maybe_text(row, TABLE, COLUMN_COUNT)? {
                let model = (attribute::MODEL.to_owned(), quoted(&model));
                span.attributes.push(model);
            }
            let costs = record_members(metadata::COST);
            if let Some(cost) = json_object(row, TABLE, COLUMN_COUNT + 1, costs)? {
                span.attributes.push((attribute::COST.to_owned(), cost));
            }
            spans.push(span);
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
                .map_err(|e| broken(shared, trace_id, &e))?;
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

fn broken(shared: &Shared, trace_id: &str, flaw: &Flaw) -> StoreError {
    Unreadable {
        file: Some(shared.database().path().display().to_string()),
        member: Some(flaw.member.clone()).filter(|member| !member.is_empty()),
        ..Unreadable::trace(
            trace_id,
            format!("a span is not what it should be: {}", flaw.reason),
        )
    }
    .into()
}

/// Sorted here, since SQLite would carry every span's text through its sorter.
pub(super) fn sort(spans: &mut [Span]) {
    spans.sort_unstable_by(|a, b| {
        let key = |span: &Span| (span.parent_id.is_some(), span.start_ns);
        key(a).cmp(&key(b)).then_with(|| a.span_id.cmp(&b.span_id))
    });
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

macro_rules! columns {
    () => {
        "span_id, parent_span_id, name, type, status, start_time_unix_nano, end_time_unix_nano, "
    };
}

/// What [`span`] takes, for a `SELECT`. Most spans' JSON is not even read from
/// the file, where what is large lies on pages of its own.
pub(super) const COLUMNS: &str = concat!(columns!(), "CASE WHEN type IS NULL THEN content END");
/// The same, and the JSON in any case.
const COLUMNS_AND_CONTENT: &str = concat!(columns!(), "content");
/// How many these are.
pub(super) const COLUMN_COUNT: usize = 8;

/// The span of a row with [`COLUMNS`] in front, as far as they tell.
pub(super) fn span(row: &Row<'_>, otel_id: &str) -> rusqlite::Result<Span> {
    let kind = match odd::maybe_text(row, TABLE, 3)? {
        Some(kind) => Some(quoted(&kind)),
        // MLflow infers the type of OpenTelemetry's spans too late for the column.
        None => row
            .get_ref(7)?
            .as_bytes_or_null()?
            .and_then(|content| span_from_slice(content, Detail::Times).ok())
            .and_then(|span| span.attribute(attribute::TYPE).map(str::to_owned)),
    };
    let kind = kind.map(|json| (attribute::TYPE.to_owned(), json));
    let id = span_id(&odd::name(row, TABLE, 0)?);
    let status = StatusCode::from_name(&odd::text(row, TABLE, 4)?);
    Ok(Span {
        span_id: id.ok_or_else(|| odd::value(row, TABLE, 0, "expected the id of a span"))?,
        parent_id: odd::maybe_text(row, TABLE, 1)?.as_deref().and_then(span_id),
        trace_id: otel_id.to_owned(),
        // MLflow's schema lets it be missing.
        name: odd::maybe_text(row, TABLE, 2)?
            .unwrap_or_default()
            .into_owned(),
        start_ns: odd::number(row, TABLE, 5)?,
        // OpenTelemetry spans without an end are stored with an end of zero.
        end_ns: odd::maybe_number(row, TABLE, 6)?.filter(|end| *end > 0),
        status: status.ok_or_else(|| {
            odd::value(
                row,
                TABLE,
                4,
                "expected OK, ERROR or UNSET, found another text",
            )
        })?,
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
