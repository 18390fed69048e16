//! Spans that are not in the table of spans, but in a file among the artifacts of
//! their trace or in an archive. SQL gets them from a function that fetches those
//! of one trace, as rows with the columns that the table has.

use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use serde_json::{Value, json};

use crate::filter::Filter;
use crate::filter::content::stored_json;
use crate::model::{Span, TraceInfo, TraceState, metadata, tag};
use crate::store::Detail;
use crate::store::artifact::Artifacts;
use crate::store::local::{Doubts, lock};
use crate::store::sql::Schema;

/// Gives the spans of a trace as a JSON list, or null where they are not to be had.
const SPANS_OF: &str = "mlt_spans_of";
/// Gives how many spans a trace's metadata count.
const COUNTED: &str = "mlt_counted";

/// Whether all traces say that their spans are in the table.
///
/// # Errors
/// Those of SQLite.
pub(super) fn is_empty(schema: &Schema, connection: &Connection) -> rusqlite::Result<bool> {
    if !schema.has_spans() {
        return Ok(false);
    }
    let key = tag::SPANS_LOCATION;
    connection.query_row(
        // An index counts the tags in no time, and reading the small table of tags from one
        // end to the other takes a fraction of looking each of them up.
        &format!(
            "SELECT (SELECT count(*) FROM trace_tags WHERE key = '{key}') \
             = (SELECT count(*) FROM trace_info) AND NOT EXISTS (SELECT 1 FROM trace_tags \
             NOT INDEXED WHERE key = '{key}' AND value IS NOT 'TRACKING_STORE')"
        ),
        [],
        |row| row.get(0),
    )
}

/// Whether what a filter needs of the spans outside is to be had.
pub(super) fn is_known(filter: &Filter) -> String {
    let counts_only = filter
        .conditions()
        .iter()
        .all(|condition| !condition.field().is_span());
    if counts_only {
        format!("{} IS NOT NULL", count())
    } else {
        format!("{} IS NOT NULL", list())
    }
}

/// The spans outside as a table with the columns that conditions look at.
pub(super) fn table() -> String {
    const COLUMNS: [&str; 8] = [
        "name",
        "type",
        "status",
        "start_time_unix_nano",
        "end_time_unix_nano",
        "duration_ns",
        "model_name",
        "content",
    ];
    let columns: Vec<String> = COLUMNS
        .iter()
        .enumerate()
        .map(|(at, name)| format!("value ->> {at} AS {name}"))
        .collect();
    format!("(SELECT {} FROM json_each({}))", columns.join(", "), list())
}

fn row(span: &Span) -> Value {
    json!([
        span.name,
        span.own_type(),
        span.status.as_str(),
        span.start_ns,
        span.end_ns,
        span.raw_duration_ns(),
        span.model(),
        stored_json(span),
    ])
}

/// How many spans there are outside: what the metadata count, else those that are there.
pub(super) fn count() -> String {
    let counted = metadata_entry(metadata::SIZE_STATS);
    format!(
        "coalesce({COUNTED}({counted}), json_array_length({}))",
        list()
    )
}

fn list() -> String {
    let arguments = [
        "t.request_id".to_owned(),
        "t.status".to_owned(),
        tag_value(tag::SPANS_LOCATION),
        tag_value(tag::ARTIFACT_LOCATION),
        tag_value(tag::ARCHIVE_LOCATION),
        metadata_entry(metadata::SIZE_STATS),
        metadata_entry(metadata::SCHEMA_VERSION),
    ];
    format!("{SPANS_OF}({})", arguments.join(", "))
}

fn tag_value(key: &str) -> String {
    format!(
        "(SELECT g.value FROM trace_tags g WHERE g.request_id = t.request_id AND g.key = '{key}')"
    )
}

fn metadata_entry(key: &str) -> String {
    format!(
        "(SELECT m.value FROM trace_request_metadata m \
         WHERE m.request_id = t.request_id AND m.key = '{key}')"
    )
}

/// Makes the spans outside callable on a connection.
///
/// # Errors
/// Those of SQLite.
pub(super) fn register(
    connection: &Connection,
    artifacts: &Arc<Artifacts>,
    doubts: &Arc<Doubts>,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let (artifacts, doubts) = (Arc::clone(artifacts), Arc::clone(doubts));
    // A filter may ask for the spans of a trace more than once.
    let last: Mutex<Option<(String, Option<String>)>> = Mutex::default();
    connection.create_scalar_function(SPANS_OF, 7, flags, move |context| {
        let info = info(context)?;
        let mut last = lock(&last);
        if let Some((id, json)) = last.as_ref()
            && *id == info.trace_id
        {
            return Ok(json.clone());
        }
        let spans = doubts.spans_to_judge(&info, artifacts.spans_outside(&info, Detail::Whole));
        let json = spans.map(|spans| Value::Array(spans.iter().map(row).collect()).to_string());
        *last = Some((info.trace_id, json.clone()));
        Ok(json)
    })?;
    connection.create_scalar_function(COUNTED, 1, flags, |context| {
        let mut info = TraceInfo::new("");
        let stats = context.get_raw(0).as_str_or_null()?;
        let stats = stats.map(|stats| (metadata::SIZE_STATS.to_owned(), stats.to_owned()));
        info.metadata.extend(stats);
        let count = info.declared_span_count();
        Ok(count.and_then(|count| i64::try_from(count).ok()))
    })
}

/// As much of a trace as says where its spans are, and whether there must be some.
fn info(context: &Context<'_>) -> rusqlite::Result<TraceInfo> {
    let text = |at: usize| -> rusqlite::Result<Option<String>> {
        let bytes = context.get_raw(at).as_bytes_or_null()?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    let mut info = TraceInfo::new(text(0)?.unwrap_or_default());
    info.state = TraceState::parse(&text(1)?.unwrap_or_default());
    for (at, key) in [
        (2, tag::SPANS_LOCATION),
        (3, tag::ARTIFACT_LOCATION),
        (4, tag::ARCHIVE_LOCATION),
    ] {
        info.tags
            .extend(text(at)?.map(|value| (key.to_owned(), value)));
    }
    for (at, key) in [(5, metadata::SIZE_STATS), (6, metadata::SCHEMA_VERSION)] {
        info.metadata
            .extend(text(at)?.map(|value| (key.to_owned(), value)));
    }
    Ok(info)
}
