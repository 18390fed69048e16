//! Taking traces in as MLflow writes them: a row for the trace, with what its release keeps
//! in columns, and rows for tags, metadata, spans and assessments.

use std::collections::HashMap;

use rusqlite::OptionalExtension as _;
use serde_json::{Map, Value};

use super::row::Row;
use super::write::{self, Subject, Writer};
use super::{Shared, assess};
use crate::filter::record_members;
use crate::json::parse_value;
use crate::model::{Assessment, Span, Trace, TraceInfo, attribute, metadata, tag, whole};
use crate::otlp::from_hex;
use crate::store::assess::{new_id, python_json};
use crate::store::put::{self, refused};
use crate::store::wire::{Ids, stored_span};
use crate::store::{Put, PutMode, StoreError};

/// MLflow's columns have room for so many characters of the name of a model.
const LONGEST_MODEL: usize = 500;
/// The name of a model and of its provider, which MLflow's releases keep beside a span.
const PROVIDER: &str = "mlflow.llm.provider";

/// `Err` when the database has no place for spans.
///
/// # Errors
/// Why not.
pub(super) fn check_schema(shared: &Shared) -> Result<(), StoreError> {
    if shared.schema.has_spans() && shared.schema.has_assessments() {
        return Ok(());
    }
    Err(StoreError::Unsupported {
        store: shared.name.clone(),
        what: "place for spans: it is of a release of MLflow before 3.4",
        instead: "`mlflow db upgrade sqlite:///PATH` of a newer release makes one",
    })
}

/// Takes traces in within one transaction; a result for each.
///
/// # Errors
/// When nothing was written at all.
pub(super) fn all(
    shared: &Shared,
    traces: &[Trace],
    mode: PutMode,
) -> Result<Vec<Result<Put, StoreError>>, StoreError> {
    let subject = Subject {
        to_do: "take in traces",
        what: "the traces",
    };
    let failed = |error: rusqlite::Error| shared.database().error(&error);
    if mode == PutMode::Try {
        return shared.read(|connection| {
            let one = |trace: &Trace| {
                put::check(trace)?;
                let there = is_there(connection, &trace.info.trace_id).map_err(failed)?;
                Ok(if there { Put::Known } else { Put::Taken })
            };
            Ok(traces.iter().map(one).collect())
        });
    }
    write::together(shared, traces, subject, |writer, trace| {
        if let Err(refused) = put::check(trace) {
            return Ok(Err(refused));
        }
        let id = &trace.info.trace_id;
        if is_there(writer.connection(), id).map_err(failed)? {
            return Ok(Ok(Put::Known));
        }
        let Some(location) = location(shared, writer, &trace.info)? else {
            let experiment = trace.info.experiment_id.as_deref().unwrap_or_default();
            return Ok(Err(refused(
                id,
                format!("there is no experiment `{experiment}`"),
            )));
        };
        let outcome = writer.attempt(|writer| insert(shared, writer, trace, &location))?;
        Ok(outcome.map(|()| Put::Taken))
    })
}

fn is_there(connection: &rusqlite::Connection, id: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM trace_info WHERE request_id = ?1")?
        .exists([id])
}

/// The folder for the artifacts of a trace, within that of its experiment: empty where that
/// has none, and `None` where there is no such experiment.
fn location(
    shared: &Shared,
    writer: &Writer<'_>,
    info: &TraceInfo,
) -> Result<Option<String>, StoreError> {
    let column = if shared.schema.has("experiments", "artifact_location") {
        "artifact_location"
    } else {
        "NULL"
    };
    let workspace = shared.workspace.of_experiment();
    let sql = format!(
        "SELECT {column} FROM experiments WHERE experiment_id = ?1 AND {workspace} \
         AND lifecycle_stage = 'active'"
    );
    let number = info.experiment_id.as_deref().unwrap_or_default();
    let Ok(number) = number.parse::<i64>() else {
        return Ok(None);
    };
    let found = writer
        .connection()
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            let location = |row: &rusqlite::Row<'_>| row.get::<_, Option<String>>(0);
            statement.query_row([number], location).optional()
        })
        .map_err(|error| shared.database().error(&error))?;
    let within = |root: String| {
        let (path, rest) = root.split_at(root.find(['?', '#']).unwrap_or(root.len()));
        let path = path.trim_end_matches('/');
        format!("{path}/traces/{}/artifacts{rest}", info.trace_id)
    };
    Ok(found.map(|root| root.map(within).unwrap_or_default()))
}

fn insert(
    shared: &Shared,
    writer: &mut Writer<'_>,
    trace: &Trace,
    location: &str,
) -> Result<(), StoreError> {
    let info = &trace.info;
    let spans = put::spans(trace);
    insert_info(shared, writer, trace)?;
    let mut tags: Vec<(&str, String)> = put::tags(info).collect();
    if shared.schema.has_trace_column("trace_name") {
        tags.retain(|(key, _)| *key != tag::NAME);
    }
    if !location.is_empty() {
        tags.push((tag::ARTIFACT_LOCATION, location.to_owned()));
    }
    if !spans.is_empty() {
        tags.push((tag::SPANS_LOCATION, "TRACKING_STORE".to_owned()));
    }
    insert_pairs(writer, "trace_tags", &info.trace_id, tags)?;
    let promoted = [metadata::SESSION, metadata::TOKEN_USAGE, metadata::COST];
    let in_columns = shared.schema.has_trace_column("session_id");
    let entries = info.metadata.iter();
    let entries = entries.filter(|(key, _)| !in_columns || !promoted.contains(&key.as_str()));
    let entries = entries.map(|(key, value)| (key.as_str(), put::value_of(value)));
    insert_pairs(writer, "trace_request_metadata", &info.trace_id, entries)?;
    if !in_columns {
        insert_metrics(shared, writer, info)?;
    }
    for span in spans {
        insert_span(shared, writer, info, span)?;
    }
    insert_assessments(shared, writer, info)
}

/// An assessment whose id is another one's already gets a new one, as in a copy of a trace that
/// is there, too.
fn insert_assessments(
    shared: &Shared,
    writer: &mut Writer<'_>,
    info: &TraceInfo,
) -> Result<(), StoreError> {
    let is_taken = |writer: &Writer<'_>, id: &str| {
        let sql = "SELECT 1 FROM assessments WHERE assessment_id = ?1";
        let found = writer.connection().prepare_cached(sql);
        let found = found.and_then(|mut statement| statement.exists([id]));
        found.map_err(|error| shared.database().error(&error))
    };
    let mut all: Vec<Assessment> = Vec::new();
    let mut renamed: HashMap<String, String> = HashMap::new();
    for one in put::assessments(info) {
        let mut one = one.clone();
        if let Some(id) = one.id.take() {
            let is_twice = all.iter().any(|other| other.id.as_deref() == Some(&*id));
            if is_twice || is_taken(writer, &id)? {
                renamed.insert(id, one.id.insert(new_id()).clone());
            } else {
                one.id = Some(id);
            }
        }
        one.id.get_or_insert_with(new_id);
        all.push(one);
    }
    for one in &mut all {
        if let Some(new) = one.overrides.as_ref().and_then(|id| renamed.get(id)) {
            one.overrides = Some(new.clone());
        }
        assess::insert(shared, writer, &info.trace_id, one)?;
    }
    Ok(())
}

fn insert_info(shared: &Shared, writer: &mut Writer<'_>, trace: &Trace) -> Result<(), StoreError> {
    let info = &trace.info;
    let experiment: Option<i64> = info.experiment_id.as_deref().and_then(|id| id.parse().ok());
    let time = put::request_time(trace).map(crate::model::Timestamp::millis);
    let duration = info
        .execution_duration_ns
        .map(|ns| ns.div_euclid(1_000_000));
    let state = info.state.as_str();
    let previews = [&info.request_preview, &info.response_preview]
        .map(|preview| put::preview(preview.as_deref()));
    let (name, session) = (info.name(), info.session());
    let usage = record(info, metadata::TOKEN_USAGE, &count);
    let cost = record(info, metadata::COST, &amount);
    let mut row = Row::of(shared, "trace_info");
    row.set("request_id", &info.trace_id);
    row.set("experiment_id", &experiment);
    row.set("timestamp_ms", &time);
    row.set("execution_time_ms", &duration);
    row.set("status", &state);
    row.set("client_request_id", &info.client_request_id);
    row.set("request_preview", &previews[0]);
    row.set("response_preview", &previews[1]);
    row.set("trace_name", &name);
    row.set("session_id", &session);
    for (column, value) in &usage {
        row.set(column, value);
    }
    for (column, value) in &cost {
        row.set(column, value);
    }
    row.insert(writer)
}

fn insert_pairs<'p>(
    writer: &mut Writer<'_>,
    table: &str,
    trace_id: &str,
    pairs: impl IntoIterator<Item = (&'p str, String)>,
) -> Result<(), StoreError> {
    let sql = format!("INSERT OR ABORT INTO {table} (request_id, key, value) VALUES (?1, ?2, ?3)");
    for (key, value) in pairs {
        writer.run(&sql, &[&trace_id, &key, &value], 1..=1)?;
    }
    Ok(())
}

/// Releases before the columns of tokens, and since 3.10, keep them in rows, too.
fn insert_metrics(
    shared: &Shared,
    writer: &mut Writer<'_>,
    info: &TraceInfo,
) -> Result<(), StoreError> {
    if !["request_id", "key", "value"]
        .iter()
        .all(|column| shared.schema.has("trace_metrics", column))
    {
        return Ok(());
    }
    let sql = "INSERT OR ABORT INTO trace_metrics (request_id, key, value) VALUES (?1, ?2, ?3)";
    for (key, value) in record(info, metadata::TOKEN_USAGE, &amount) {
        if value.is_some() {
            writer.run(sql, &[&info.trace_id, &key, &value], 1..=1)?;
        }
    }
    Ok(())
}

fn insert_span(
    shared: &Shared,
    writer: &mut Writer<'_>,
    info: &TraceInfo,
    span: &Span,
) -> Result<(), StoreError> {
    let experiment: Option<i64> = info.experiment_id.as_deref().and_then(|id| id.parse().ok());
    // Of traces of MLflow 2, OpenTelemetry's id is another one.
    let trace = from_hex(&span.trace_id, 16);
    let own = from_hex(span.span_id.as_str(), 8).unwrap_or_default();
    let parent = span.parent_id.as_ref().map(crate::model::SpanId::as_str);
    let parent_bytes = parent.and_then(|id| from_hex(id, 8));
    let ids = Ids {
        trace: trace.as_deref().unwrap_or(&[0; 16]),
        span: &own,
        parent: parent_bytes.as_deref(),
    };
    let content = stored_span(&info.trace_id, ids, span);
    let (id, kind, status) = (span.span_id.as_str(), span.own_type(), span.status.as_str());
    let cost = members(span.attribute(attribute::COST), metadata::COST, &amount);
    let [model, provider] = [attribute::MODEL, PROVIDER].map(|key| {
        let Some(Value::String(name)) = span.attribute(key).and_then(parse_value) else {
            return None;
        };
        Some(name.chars().take(LONGEST_MODEL).collect::<String>())
    });
    let mut dimensions = Map::new();
    for (key, name) in [(attribute::MODEL, &model), (PROVIDER, &provider)] {
        dimensions.extend(name.clone().map(|name| (key.to_owned(), name.into())));
    }
    let dimensions = if dimensions.is_empty() {
        Value::Null
    } else {
        Value::Object(dimensions)
    };
    let dimensions = python_json(&dimensions);
    let mut row = Row::of(shared, "spans");
    row.set("trace_id", &info.trace_id);
    row.set("experiment_id", &experiment);
    row.set("span_id", &id);
    row.set("parent_span_id", &parent);
    row.set("name", &span.name);
    row.set("type", &kind);
    row.set("status", &status);
    row.set("start_time_unix_nano", &span.start_ns);
    row.set("end_time_unix_nano", &span.end_ns);
    row.set("content", &content);
    for (column, value) in &cost {
        row.set(column, value);
    }
    row.set("model_name", &model);
    row.set("model_provider", &provider);
    row.set("dimension_attributes", &dimensions);
    row.insert(writer)
}

/// The members of a metadata entry with what is made of their values.
fn record<T>(
    info: &TraceInfo,
    key: &str,
    read: &dyn Fn(&Value) -> Option<T>,
) -> Vec<(&'static str, Option<T>)> {
    members(info.metadata.get(key).map(String::as_str), key, read)
}

fn members<T>(
    json: Option<&str>,
    key: &str,
    read: &dyn Fn(&Value) -> Option<T>,
) -> Vec<(&'static str, Option<T>)> {
    let Some(Value::Object(members)) = json.and_then(parse_value) else {
        return Vec::new();
    };
    let known = record_members(key).iter();
    known
        .map(|name| (*name, members.get(*name).and_then(read)))
        .collect()
}

/// A whole number, however it is written, as MLflow's server takes it.
fn count(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| whole(amount(value)?))
}

/// A number that is none of Python's that JSON does not have.
fn amount(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}
