//! Rows of `trace_info` and what hangs on them, read into the model as MLflow's server
//! reads them.

use std::fmt::Write as _;

use serde_json::Value;

use super::Schema;
use super::row::{self, Cell, Row, own_text};
use crate::filter::{record_members, write_float};
use crate::json::parse_value;
use crate::model::{
    Assessment, AssessmentKind, Experiment, Source, Timestamp, TraceInfo, TraceState, metadata, tag,
};
use crate::store::{InfoParts, wire};

/// Metadata that newer schemas keep as columns of numbers.
const RECORDS: [&str; 2] = [metadata::TOKEN_USAGE, metadata::COST];

/// The table of traces.
const TRACES: &str = "trace_info";

/// What [`assessment`] takes, for a `SELECT` from `assessments`.
pub(in crate::store) const ASSESSMENT: &str = "assessment_id, name, assessment_type, value, \
     error, created_timestamp, last_updated_timestamp, source_type, source_id, span_id, \
     rationale, overrides, valid, assessment_metadata";

/// What [`experiment`] takes, for a `SELECT` from `experiments`.
pub(in crate::store) const EXPERIMENT: &str = "experiment_id, name, lifecycle_stage";

/// The experiment of a row.
pub(in crate::store) fn experiment<R: Row>(row: &R) -> Result<Experiment, R::Error> {
    const TABLE: &str = "experiments";
    Ok(Experiment {
        id: row::number(row, TABLE, 0)?.to_string(),
        name: row::text(row, TABLE, 1)?.into_owned(),
        active: row::maybe_text(row, TABLE, 2)?.as_deref() == Some("active"),
    })
}

/// Where the columns of these begin among [`columns`]; behind them is the number of spans.
const NUMBERS: usize = 10;

/// The columns of `trace_info`, named `t`, that [`bare`] takes, for a `SELECT`.
///
/// Spans are counted only where that is wanted, as it takes a look at their index.
pub(in crate::store) fn columns(schema: &Schema, counts_spans: bool) -> String {
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

/// The trace of a row with [`columns`] in front, without its tags and metadata.
pub(in crate::store) fn bare<R: Row>(row: &R) -> Result<TraceInfo, R::Error> {
    let mut info = TraceInfo::new(row::name(row, TRACES, 0)?);
    info.experiment_id = Some(row::number(row, TRACES, 1)?.to_string());
    info.request_time = Some(Timestamp::from_millis(row::number(row, TRACES, 2)?));
    info.execution_duration_ns = duration_ns(row, 3)?;
    info.state = TraceState::parse(&row::name(row, TRACES, 4)?);
    info.client_request_id = own_text(row, TRACES, 5)?.filter(|id| !id.is_empty());
    info.request_preview = own_text(row, TRACES, 6)?;
    info.response_preview = own_text(row, TRACES, 7)?;
    let numbers: usize = RECORDS.iter().map(|key| record_members(key).len()).sum();
    let spans = row::maybe_number(row, TRACES, NUMBERS + numbers)?;
    info.counted_spans = spans.and_then(|count| usize::try_from(count).ok());
    Ok(info)
}

/// What is kept in columns goes back to where clients look for it, once the trace of the
/// row has its tags and metadata. Rows of the same keys are remainders that the server
/// does not show either.
pub(in crate::store) fn promote<R: Row>(
    schema: &Schema,
    row: &R,
    info: &mut TraceInfo,
) -> Result<(), R::Error> {
    if schema.has_trace_column("trace_name") {
        info.tags.remove(tag::NAME);
        info.tags
            .extend(own_text(row, TRACES, 8)?.map(|name| (tag::NAME.to_owned(), name)));
    }
    if schema.has_trace_column("session_id") {
        info.metadata.remove(metadata::SESSION);
        info.metadata
            .extend(own_text(row, TRACES, 9)?.map(|id| (metadata::SESSION.to_owned(), id)));
        add_usage(row, NUMBERS, info)?;
    }
    Ok(())
}

/// Whether parts can be read by themselves.
pub(in crate::store) fn can_read_parts(schema: &Schema, parts: InfoParts) -> bool {
    (!(parts.usage || parts.session) || schema.has_trace_column("session_id"))
        && (!parts.name || schema.has_trace_column("trace_name"))
}

/// The user of a trace, looked up for each.
pub(in crate::store) fn user_looked_up() -> String {
    looked_up(metadata::USER)
}

/// A metadata entry of a trace, looked up for each.
fn looked_up(key: &str) -> String {
    format!(
        "(SELECT m.value FROM trace_request_metadata m \
         WHERE m.request_id = t.request_id AND m.key = '{key}')"
    )
}

/// The users of traces as `u.value`, for a database that reads those of many at once.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(in crate::store) fn users_joined(parts: InfoParts) -> String {
    if !parts.session {
        return String::new();
    }
    format!(
        " LEFT JOIN trace_request_metadata u ON u.request_id = t.request_id AND u.key = '{}'",
        metadata::USER
    )
}

/// What [`part`] takes, for a `SELECT`, with what gives the user.
pub(in crate::store) fn part_columns(parts: InfoParts, user: &str) -> String {
    let mut list = String::from("t.request_id, t.status, t.timestamp_ms, t.execution_time_ms");
    if parts.usage {
        for column in RECORDS.into_iter().flat_map(record_members) {
            list.push_str(", t.");
            list.push_str(column);
        }
        let is_lacking = RECORDS.map(|key| {
            let members = record_members(key).iter();
            let members = members.map(|column| format!("coalesce(t.{column}, 0) = 0"));
            format!("({})", members.collect::<Vec<_>>().join(" AND "))
        });
        // Looked for only where it decides whether to look at the spans.
        let _ = write!(
            list,
            ", CASE WHEN {} THEN (SELECT max(m.key) FROM trace_request_metadata m \
             WHERE m.request_id = t.request_id AND m.key IN ('{}')) END",
            is_lacking.join(" OR "),
            metadata::OF_CLIENTS.join("', '")
        );
    }
    if parts.session {
        let _ = write!(list, ", t.experiment_id, t.session_id, {user}");
    }
    if parts.name {
        list.push_str(", t.trace_name");
    }
    if parts.span_count {
        let _ = write!(list, ", {}", looked_up(metadata::SIZE_STATS));
    }
    list
}

/// Id, state and times of a trace, and of the parts what is in its row.
pub(in crate::store) fn part<R: Row>(row: &R, parts: InfoParts) -> Result<TraceInfo, R::Error> {
    let mut info = TraceInfo::new(row::name(row, TRACES, 0)?);
    info.state = TraceState::parse(&row::name(row, TRACES, 1)?);
    info.request_time = Some(Timestamp::from_millis(row::number(row, TRACES, 2)?));
    info.execution_duration_ns = duration_ns(row, 3)?;
    let mut next = 4;
    if parts.usage {
        add_usage(row, next, &mut info)?;
        next += RECORDS
            .iter()
            .map(|key| record_members(key).len())
            .sum::<usize>();
        let of_client = own_text(row, TRACES, next)?;
        info.metadata
            .extend(of_client.map(|key| (key, String::new())));
        next += 1;
    }
    if parts.session {
        info.experiment_id = Some(row::number(row, TRACES, next)?.to_string());
        for (key, at) in [(metadata::SESSION, next + 1), (metadata::USER, next + 2)] {
            let value = own_text(row, TRACES, at)?;
            info.metadata
                .extend(value.map(|value| (key.to_owned(), value)));
        }
        next += 3;
    }
    if parts.name {
        let name = own_text(row, TRACES, next)?;
        info.tags
            .extend(name.map(|name| (tag::NAME.to_owned(), name)));
        next += 1;
    }
    if parts.span_count {
        let stats = own_text(row, TRACES, next)?;
        info.metadata
            .extend(stats.map(|stats| (metadata::SIZE_STATS.to_owned(), stats)));
    }
    Ok(info)
}

fn duration_ns<R: Row>(row: &R, at: usize) -> Result<Option<i64>, R::Error> {
    let ms = row::maybe_number(row, TRACES, at)?;
    Ok(ms.map(|ms| ms.saturating_mul(1_000_000)))
}

/// Tokens and cost out of their columns, from one on.
fn add_usage<R: Row>(row: &R, mut first: usize, info: &mut TraceInfo) -> Result<(), R::Error> {
    for key in RECORDS {
        let members = record_members(key);
        info.metadata.remove(key);
        info.metadata
            .extend(json_object(row, TRACES, first, members)?.map(|json| (key.to_owned(), json)));
        first += members.len();
    }
    Ok(())
}

/// The key and the value in two columns from one on of a row of tags or metadata.
pub(in crate::store) fn pair<R: Row>(
    row: &R,
    table: &str,
    first: usize,
) -> Result<(String, String), R::Error> {
    // MLflow's schema lets a value be missing, and its server makes an empty one of that.
    let value = own_text(row, table, first + 1)?.unwrap_or_default();
    Ok((row::text(row, table, first)?.into_owned(), value))
}

/// Numbers in columns as the JSON text that Python writes; `None` when all are missing.
pub(super) fn json_object<R: Row>(
    row: &R,
    table: &str,
    first: usize,
    members: &[&str],
) -> Result<Option<String>, R::Error> {
    let mut json = String::new();
    for (at, member) in members.iter().enumerate() {
        let number = row.cell(first + at)?;
        if number == Cell::Null {
            continue;
        }
        json.push_str(if json.is_empty() { "{" } else { ", " });
        let _ = write!(json, "\"{member}\": ");
        match number {
            Cell::Real(number) => write_float(&mut json, number),
            _ => {
                let _ = write!(json, "{}", row::number(row, table, first + at)?);
            }
        }
    }
    if !json.is_empty() {
        json.push('}');
    }
    Ok(Some(json).filter(|json| !json.is_empty()))
}

/// The assessment of a row with [`ASSESSMENT`] in front.
pub(in crate::store) fn assessment<R: Row>(row: &R) -> Result<Assessment, R::Error> {
    const TABLE: &str = "assessments";
    let text = |at| own_text(row, TABLE, at);
    let time = |at| row::number(row, TABLE, at).map(Timestamp::from_millis);
    let value = row::text(row, TABLE, 3)?;
    let kind = assessment_kind(&row::name(row, TABLE, 2)?, &value, text(4)?.as_deref());
    let metadata = text(13)?
        .and_then(|json| match parse_value(&json)? {
            Value::Object(members) => Some(members),
            _ => None,
        })
        .unwrap_or_default();
    Ok(Assessment {
        id: Some(row::name(row, TABLE, 0)?.into_owned()),
        name: row::text(row, TABLE, 1)?.into_owned(),
        span_id: text(9)?.as_deref().and_then(wire::span_id),
        source: Source {
            kind: row::text(row, TABLE, 7)?.into_owned(),
            id: text(8)?,
        },
        create_time: Some(time(5)?),
        last_update_time: Some(time(6)?),
        kind,
        rationale: text(10)?,
        metadata: wire::texts(metadata),
        overrides: text(11)?,
        valid: row::number(row, TABLE, 12)? != 0,
    })
}

/// What an assessment says, given its type, its value as JSON, and what went wrong.
pub(in crate::store) fn assessment_kind(
    kind: &str,
    value: &str,
    error: Option<&str>,
) -> AssessmentKind {
    let value = parse_python_json(value);
    match kind {
        "feedback" => AssessmentKind::Feedback {
            value: wire::as_protobuf_value(value),
            error: error.map(wire::assessment_error),
        },
        "expectation" => AssessmentKind::Expectation {
            value: match value {
                // Lists and objects travel as JSON text, which keeps their numbers as they are.
                Value::Array(_) | Value::Object(_) => value,
                scalar => wire::as_protobuf_value(scalar),
            },
        },
        "issue" => AssessmentKind::Issue {
            name: match value.get("issue_name") {
                Some(Value::String(name)) => name.clone(),
                _ => String::new(),
            },
        },
        _ => AssessmentKind::Other,
    }
}

/// JSON as Python writes it, where numbers may be `NaN` or `Infinity`; those become text.
fn parse_python_json(json: &str) -> Value {
    parse_value(json).unwrap_or_else(|| Value::String(json.to_owned()))
}
