//! Rows of `trace_info` and what hangs on them, read into the model as
//! MLflow's server reads them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, Statement};
use serde_json::Value;

use super::odd;
use super::workspace::Workspace;
use crate::filter::{record_members, write_float};
use crate::json::parse_value;
use crate::model::{
    Assessment, AssessmentKind, CATALOG_PREFIX, Source, Timestamp, TraceInfo, TraceState, metadata,
    tag, trace_id_digits,
};
use crate::store::sql::Schema;
use crate::store::{InfoParts, wire};

/// Metadata that newer schemas keep as columns of numbers.
const RECORDS: [&str; 2] = [metadata::TOKEN_USAGE, metadata::COST];

/// The table of traces.
const TRACES: &str = "trace_info";

/// The assessments of a trace.
const ASSESSMENTS: &str = "SELECT assessment_id, name, assessment_type, value, error, \
     created_timestamp, last_updated_timestamp, source_type, source_id, span_id, rationale, \
     overrides, valid, assessment_metadata FROM assessments WHERE trace_id = ?1 \
     ORDER BY created_timestamp, rowid";
/// Where the columns of these begin among [`columns`]; behind them is the number of spans.
const NUMBERS: usize = 10;

/// The columns of `trace_info`, named `t`, that [`Reader::info`] takes, for a `SELECT`.
///
/// Spans are counted only where that is wanted, as it takes a look at their index.
pub(super) fn columns(schema: &Schema, counts_spans: bool) -> String {
    let optional = [
        "client_request_id",
        "request_preview",
        "response_preview",
        "trace_name",
        "session_id",
    ];
    let mut list = String::from(
        "t.request_id, t.experiment_id, t.timestamp_ms, t.execution_time_ms, t.status",
    );
    let numbers = RECORDS.into_iter().flat_map(record_members);
    for column in optional.iter().copied().chain(numbers.copied()) {
        list.push_str(", ");
        if schema.has("trace_info", column) {
            list.push_str("t.");
            list.push_str(column);
        } else {
            list.push_str("NULL");
        }
    }
    list.push_str(if counts_spans && schema.has_spans() {
        ", (SELECT nullif(count(*), 0) FROM spans c WHERE c.trace_id = t.request_id)"
    } else {
        ", NULL"
    });
    list
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
                .then(|| connection.prepare_cached(ASSESSMENTS))
                .transpose()?,
        })
    }

    /// The trace of a row with [`columns`] in front.
    pub(super) fn info(&mut self, row: &Row<'_>) -> rusqlite::Result<TraceInfo> {
        let mut info = TraceInfo::new(odd::name(row, TRACES, 0)?);
        info.experiment_id = Some(odd::number(row, TRACES, 1)?.to_string());
        info.request_time = Some(Timestamp::from_millis(odd::number(row, TRACES, 2)?));
        info.execution_duration_ns = duration_ns(row, 3)?;
        info.state = TraceState::parse(&odd::name(row, TRACES, 4)?);
        info.client_request_id = text(row, TRACES, 5)?.filter(|id| !id.is_empty());
        info.request_preview = text(row, TRACES, 6)?;
        info.response_preview = text(row, TRACES, 7)?;
        let numbers: usize = RECORDS.iter().map(|key| record_members(key).len()).sum();
        let spans: Option<i64> = row.get(NUMBERS + numbers)?;
        info.counted_spans = spans.and_then(|count| usize::try_from(count).ok());
        info.tags = pairs(&mut self.tags, "trace_tags", &info.trace_id)?;
        info.metadata = pairs(&mut self.metadata, "trace_request_metadata", &info.trace_id)?;
        self.promoted(row, &mut info)?;
        if let Some(statement) = &mut self.assessments {
            info.assessments = statement
                .query_map([&info.trace_id], assessment)?
                .collect::<rusqlite::Result<_>>()?;
        }
        Ok(info)
    }

    /// What is kept in columns goes back to where clients look for it. Rows of
    /// the same keys are remainders that the server does not show either.
    fn promoted(&self, row: &Row<'_>, info: &mut TraceInfo) -> rusqlite::Result<()> {
        if self.schema.has_trace_column("trace_name") {
            info.tags.remove(tag::NAME);
            info.tags
                .extend(text(row, TRACES, 8)?.map(|name| (tag::NAME.to_owned(), name)));
        }
        if self.schema.has_trace_column("session_id") {
            info.metadata.remove(metadata::SESSION);
            info.metadata
                .extend(text(row, TRACES, 9)?.map(|id| (metadata::SESSION.to_owned(), id)));
            add_usage(row, NUMBERS, info)?;
        }
        Ok(())
    }
}

/// Reads ids, states, times and some parts of traces, and nothing else of them:
/// what [`Store::complete`](crate::store::Store::complete) takes for an id alone.
pub(super) struct PartReader<'c> {
    parts: InfoParts,
    assessments: Option<CachedStatement<'c>>,
}

impl<'c> PartReader<'c> {
    /// Whether parts can be read by themselves.
    pub(super) fn can_read(schema: &Schema, parts: InfoParts) -> bool {
        !parts.usage || schema.has_trace_column("session_id")
    }

    /// What [`PartReader::info`] takes, for a `SELECT`.
    pub(super) fn columns(parts: InfoParts) -> String {
        let mut list = String::from("t.request_id, t.status, t.timestamp_ms, t.execution_time_ms");
        if parts.usage {
            for column in RECORDS.into_iter().flat_map(record_members) {
                list.push_str(", t.");
                list.push_str(column);
            }
        }
        list
    }

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
            Some(connection.prepare_cached(ASSESSMENTS)?)
        } else {
            None
        };
        Ok(Self { parts, assessments })
    }

    pub(super) fn info(&mut self, row: &Row<'_>) -> rusqlite::Result<TraceInfo> {
        let mut info = TraceInfo::new(odd::name(row, TRACES, 0)?);
        info.state = TraceState::parse(&odd::name(row, TRACES, 1)?);
        info.request_time = Some(Timestamp::from_millis(odd::number(row, TRACES, 2)?));
        info.execution_duration_ns = duration_ns(row, 3)?;
        if self.parts.usage {
            add_usage(row, 4, &mut info)?;
        }
        if let Some(statement) = &mut self.assessments {
            info.assessments = statement
                .query_map([&info.trace_id], assessment)?
                .collect::<rusqlite::Result<_>>()?;
        }
        Ok(info)
    }
}

fn duration_ns(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<i64>> {
    let ms = odd::maybe_number(row, TRACES, at)?;
    Ok(ms.map(|ms| ms.saturating_mul(1_000_000)))
}

/// Tokens and cost out of their columns, from one on.
fn add_usage(row: &Row<'_>, mut first: usize, info: &mut TraceInfo) -> rusqlite::Result<()> {
    for key in RECORDS {
        let members = record_members(key);
        info.metadata.remove(key);
        info.metadata
            .extend(json_object(row, TRACES, first, members)?.map(|json| (key.to_owned(), json)));
        first += members.len();
    }
    Ok(())
}

fn pairs(
    statement: &mut Statement<'_>,
    table: &str,
    trace_id: &str,
) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut rows = statement.query([trace_id])?;
    let mut pairs = BTreeMap::new();
    while let Some(row) = rows.next()? {
        // MLflow's schema lets a value be missing, and its server makes an empty one of that.
        let value = text(row, table, 1)?.unwrap_or_default();
        pairs.insert(odd::text(row, table, 0)?.into_owned(), value);
    }
    Ok(pairs)
}

/// Text that may be missing.
fn text(row: &Row<'_>, table: &str, at: usize) -> rusqlite::Result<Option<String>> {
    Ok(odd::maybe_text(row, table, at)?.map(Cow::into_owned))
}

/// Numbers in columns as the JSON text that Python writes; `None` when all are missing.
pub(super) fn json_object(
    row: &Row<'_>,
    table: &str,
    first: usize,
    members: &[&str],
) -> rusqlite::Result<Option<String>> {
    let mut json = String::new();
    for (at, member) in members.iter().enumerate() {
        let number = row.get_ref(first + at)?;
        if number == ValueRef::Null {
            continue;
        }
        json.push_str(if json.is_empty() { "{" } else { ", " });
        let _ = write!(json, "\"{member}\": ");
        match number {
            ValueRef::Real(number) => write_float(&mut json, number),
            _ => {
                let _ = write!(json, "{}", odd::number(row, table, first + at)?);
            }
        }
    }
    if !json.is_empty() {
        json.push('}');
    }
    Ok(Some(json).filter(|json| !json.is_empty()))
}

fn assessment(row: &Row<'_>) -> rusqlite::Result<Assessment> {
    const TABLE: &str = "assessments";
    let text = |at| text(row, TABLE, at);
    let time = |at| odd::number(row, TABLE, at).map(Timestamp::from_millis);
    let value = parse_python_json(&odd::text(row, TABLE, 3)?);
    let kind = match &*odd::name(row, TABLE, 2)? {
        "feedback" => AssessmentKind::Feedback {
            value: wire::as_protobuf_value(value),
            error: text(4)?.map(|json| wire::assessment_error(&json)),
        },
        "expectation" => AssessmentKind::Expectation {
            value: match value {
                // Lists and objects travel as JSON text, which keeps their numbers as they are.
                Value::Array(_) | Value::Object(_) => value,
                scalar => wire::as_protobuf_value(scalar),
            },
        },
        _ => AssessmentKind::Other,
    };
    let metadata = text(13)?
        .and_then(|json| match parse_value(&json)? {
            Value::Object(members) => Some(members),
            _ => None,
        })
        .unwrap_or_default();
    Ok(Assessment {
        id: Some(odd::name(row, TABLE, 0)?.into_owned()),
        name: odd::text(row, TABLE, 1)?.into_owned(),
        span_id: text(9)?.as_deref().and_then(wire::span_id),
        source: Source {
            kind: odd::text(row, TABLE, 7)?.into_owned(),
            id: text(8)?,
        },
        create_time: Some(time(5)?),
        last_update_time: Some(time(6)?),
        kind,
        rationale: text(10)?,
        metadata: wire::texts(metadata),
        overrides: text(11)?,
        valid: odd::number(row, TABLE, 12)? != 0,
    })
}

/// JSON as Python writes it, where numbers may be `NaN` or `Infinity`; those become text.
fn parse_python_json(json: &str) -> Value {
    parse_value(json).unwrap_or_else(|| Value::String(json.to_owned()))
}
