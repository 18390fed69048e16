//! Rows of `trace_info` and what hangs on them, read into the model as
//! MLflow's server reads them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension as _, Row, Statement};
use serde_json::{Map, Value};

use super::schema::Schema;
use crate::filter::write_float;
use crate::model::{
    Assessment, AssessmentError, AssessmentKind, Source, Timestamp, TraceInfo, TraceState,
    metadata, tag,
};
use crate::store::wire;

/// Columns that hold what older schemas keep as JSON text in the metadata, in
/// the order of that text's members.
pub(super) const TOKENS: [&str; 6] = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
];
pub(super) const COSTS: [&str; 3] = ["input_cost", "output_cost", "total_cost"];

/// The columns of `trace_info`, named `t`, that [`Reader::info`] takes, for a `SELECT`.
pub(super) fn columns(schema: &Schema) -> String {
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
    for column in optional.into_iter().chain(TOKENS).chain(COSTS) {
        list.push_str(", ");
        if schema.has("trace_info", column) {
            list.push_str("t.");
            list.push_str(column);
        } else {
            list.push_str("NULL");
        }
    }
    list
}

/// The trace with this id.
pub(super) fn find(
    connection: &Connection,
    schema: &Schema,
    trace_id: &str,
) -> rusqlite::Result<Option<TraceInfo>> {
    let sql = format!(
        "SELECT {} FROM trace_info t WHERE t.request_id = ?1",
        columns(schema)
    );
    let mut reader = Reader::new(connection, schema)?;
    connection
        .prepare(&sql)?
        .query_row([trace_id], |row| reader.info(row))
        .optional()
}

/// Reads whole traces but their spans, one row of `trace_info` at a time.
pub(super) struct Reader<'c> {
    schema: &'c Schema,
    tags: Statement<'c>,
    metadata: Statement<'c>,
    assessments: Option<Statement<'c>>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(connection: &'c Connection, schema: &'c Schema) -> rusqlite::Result<Self> {
        let pairs = |table| {
            connection.prepare(&format!(
                "SELECT key, value FROM {table} WHERE request_id = ?1"
            ))
        };
        let assessments = "SELECT assessment_id, name, assessment_type, value, error, \
             created_timestamp, last_updated_timestamp, source_type, source_id, span_id, rationale, \
             overrides, valid, assessment_metadata FROM assessments WHERE trace_id = ?1 \
             ORDER BY created_timestamp, rowid";
        Ok(Self {
            schema,
            tags: pairs("trace_tags")?,
            metadata: pairs("trace_request_metadata")?,
            assessments: schema
                .has_assessments()
                .then(|| connection.prepare(assessments))
                .transpose()?,
        })
    }

    /// The trace of a row with [`columns`] in front.
    pub(super) fn info(&mut self, row: &Row<'_>) -> rusqlite::Result<TraceInfo> {
        let mut info = bare(row)?;
        info.experiment_id = Some(row.get::<_, i64>(1)?.to_string());
        info.request_time = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis);
        info.execution_duration_ns = row
            .get::<_, Option<i64>>(3)?
            .map(|ms| ms.saturating_mul(1_000_000));
        info.state = TraceState::parse(&text(row, 4)?.unwrap_or_default());
        info.client_request_id = text(row, 5)?.filter(|id| !id.is_empty());
        info.request_preview = text(row, 6)?;
        info.response_preview = text(row, 7)?;
        info.tags = pairs(&mut self.tags, &info.trace_id)?;
        info.metadata = pairs(&mut self.metadata, &info.trace_id)?;
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
        if self.schema.has_promoted("trace_name") {
            info.tags.remove(tag::NAME);
            info.tags
                .extend(text(row, 8)?.map(|name| (tag::NAME.to_owned(), name)));
        }
        if self.schema.has_promoted("session_id") {
            for key in [metadata::SESSION, metadata::TOKEN_USAGE, metadata::COST] {
                info.metadata.remove(key);
            }
            info.metadata
                .extend(text(row, 9)?.map(|id| (metadata::SESSION.to_owned(), id)));
            let tokens = json_object(row, 10, &TOKENS, |row, at| {
                Ok(row.get::<_, Option<i64>>(at)?.map(|n| n.to_string()))
            })?;
            info.metadata
                .extend(tokens.map(|json| (metadata::TOKEN_USAGE.to_owned(), json)));
            let cost = json_object(row, 10 + TOKENS.len(), &COSTS, |row, at| {
                Ok(row.get::<_, Option<f64>>(at)?.map(|dollars| {
                    let mut number = String::new();
                    write_float(&mut number, dollars);
                    number
                }))
            })?;
            info.metadata
                .extend(cost.map(|json| (metadata::COST.to_owned(), json)));
        }
        Ok(())
    }
}

/// A trace of which only the id is read.
pub(super) fn bare(row: &Row<'_>) -> rusqlite::Result<TraceInfo> {
    Ok(TraceInfo::new(text(row, 0)?.unwrap_or_default()))
}

fn pairs(
    statement: &mut Statement<'_>,
    trace_id: &str,
) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut rows = statement.query([trace_id])?;
    let mut pairs = BTreeMap::new();
    while let Some(row) = rows.next()? {
        pairs.insert(
            text(row, 0)?.unwrap_or_default(),
            text(row, 1)?.unwrap_or_default(),
        );
    }
    Ok(pairs)
}

/// Text that may be missing; bytes that are no UTF-8 are replaced.
fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    Ok(row
        .get_ref(at)?
        .as_bytes_or_null()?
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

/// Numbers in columns as the JSON text that Python writes; `None` when all are missing.
fn json_object(
    row: &Row<'_>,
    first: usize,
    members: &[&str],
    number: impl Fn(&Row<'_>, usize) -> rusqlite::Result<Option<String>>,
) -> rusqlite::Result<Option<String>> {
    let mut json = String::new();
    for (at, member) in members.iter().enumerate() {
        if let Some(number) = number(row, first + at)? {
            json.push_str(if json.is_empty() { "{" } else { ", " });
            let _ = write!(json, "\"{member}\": {number}");
        }
    }
    if !json.is_empty() {
        json.push('}');
    }
    Ok(Some(json).filter(|json| !json.is_empty()))
}

fn assessment(row: &Row<'_>) -> rusqlite::Result<Assessment> {
    let name = text(row, 1)?.unwrap_or_default();
    let value = text(row, 3)?.map_or(Value::Null, |json| parse_python_json(&json));
    let kind = match text(row, 2)?.as_deref() {
        Some("feedback") => AssessmentKind::Feedback {
            value: as_protobuf_value(value),
            error: text(row, 4)?.map(|json| assessment_error(&json)),
        },
        Some("expectation") => AssessmentKind::Expectation {
            value: match value {
                // Lists and objects travel as JSON text, which keeps their numbers as they are.
                Value::Array(_) | Value::Object(_) => value,
                scalar => as_protobuf_value(scalar),
            },
        },
        _ => AssessmentKind::Other,
    };
    let metadata = text(row, 13)?
        .and_then(|json| serde_json::from_str::<Option<Map<String, Value>>>(&json).ok())
        .flatten()
        .unwrap_or_default();
    Ok(Assessment {
        id: text(row, 0)?,
        name,
        span_id: text(row, 9)?.as_deref().and_then(wire::span_id),
        source: Source {
            kind: text(row, 7)?.unwrap_or_default(),
            id: text(row, 8)?,
        },
        create_time: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        last_update_time: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        kind,
        rationale: text(row, 10)?,
        metadata: metadata
            .into_iter()
            .map(|(key, value)| match value {
                Value::String(text) => (key, text),
                other => (key, other.to_string()),
            })
            .collect(),
        overrides: text(row, 11)?,
        valid: row.get::<_, Option<bool>>(12)?.unwrap_or(true),
    })
}

fn assessment_error(json: &str) -> AssessmentError {
    let members: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let member = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    AssessmentError {
        code: member("error_code"),
        message: member("error_message"),
        stack_trace: member("stack_trace"),
    }
}

/// JSON as Python writes it, where numbers may be `NaN` or `Infinity`; those become text.
fn parse_python_json(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()))
}

/// What a value becomes on its way through the server's `google.protobuf.Value`,
/// whose numbers are all floating-point.
fn as_protobuf_value(value: Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(serde_json::Number::from_f64)
            .map_or(Value::Null, Value::Number),
        Value::Array(items) => items.into_iter().map(as_protobuf_value).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, as_protobuf_value(value)))
            .collect(),
        other => other,
    }
}
