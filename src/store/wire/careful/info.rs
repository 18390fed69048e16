//! Traces without their spans: of MLflow 3 and 2, of Python's data frames, and of
//! mlt, with old and new names.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::flaw::Flaw;
use super::assessment;
use super::members::{self, Members, senseless, unexpected};
use super::scalar::{duration, duration_ns, id, millis, text};
use crate::json::{Kind, Node};
use crate::model::{RolledUp, TraceInfo, TraceState};

pub(super) const TRACE_ID: [&str; 4] = ["trace_id", "traceId", "request_id", "requestId"];

/// The trace of these members.
pub(super) fn info(members: &Members<'_>) -> Result<TraceInfo, Flaw> {
    let location = members
        .read(&["trace_location", "traceLocation"], location)?
        .unwrap_or_default();
    let experiment_id = match location.experiment_id {
        Some(id) => Some(id),
        None => members.read(&["experiment_id", "experimentId"], id)?,
    };
    let preview = |names: &[&'static str]| members.read(names, |node| Ok(text(node)));
    let duration_of = match members.read(&["duration_ns"], duration_ns)? {
        Some(ns) => Some(ns),
        None => members.read(
            &[
                "execution_duration",
                "executionDuration",
                "execution_duration_ms",
                "executionDurationMs",
                "execution_time_ms",
                "executionTimeMs",
            ],
            duration,
        )?,
    };
    let mut info = TraceInfo {
        counted_spans: None,
        of_session: Vec::new(),
        trace_id: members.need(&TRACE_ID, |node| {
            let id = id(node)?;
            if id.is_empty() {
                return Err(Flaw::new("is empty"));
            }
            Ok(id)
        })?,
        client_request_id: members
            .read(&["client_request_id", "clientRequestId"], id)?
            .filter(|id| !id.is_empty()),
        experiment_id,
        experiment_name: location.experiment_name,
        location: location.other,
        request_time: members.read(
            &[
                "request_time",
                "requestTime",
                "timestamp_ms",
                "timestampMs",
                "request_time_ms",
            ],
            millis,
        )?,
        execution_duration_ns: duration_of,
        rolled_up: RolledUp::default(),
        state: members
            .read(&["state", "status"], state)?
            .unwrap_or(TraceState::Unspecified),
        metadata: members
            .read(
                &[
                    "trace_metadata",
                    "traceMetadata",
                    "request_metadata",
                    "requestMetadata",
                ],
                pairs,
            )?
            .unwrap_or_default(),
        tags: members.read(&["tags"], pairs)?.unwrap_or_default(),
        request_preview: preview(&["request_preview", "requestPreview", "request"])?,
        response_preview: preview(&["response_preview", "responsePreview", "response"])?,
        assessments: members
            .read(&["assessments"], assessment::list)?
            .unwrap_or_default(),
    };
    info.order_assessments();
    Ok(info)
}

#[derive(Default)]
struct Location {
    experiment_id: Option<String>,
    experiment_name: Option<String>,
    /// Any other place than an experiment, as it is.
    other: Option<Value>,
}

fn location(node: Node<'_>) -> Result<Location, Flaw> {
    let members = Members::of(node)?;
    let experiment = members.read(&["mlflow_experiment", "mlflowExperiment"], |node| {
        let members = Members::of(node)?;
        let name = members.read(&["experiment_name"], id)?;
        Ok((members.read(&["experiment_id", "experimentId"], id)?, name))
    })?;
    let (experiment_id, experiment_name) = experiment.unwrap_or_default();
    let is_other = members.iter().any(|(key, node)| {
        !matches!(key, "type" | "mlflow_experiment" | "mlflowExperiment")
            && node.kind() != Kind::Null
    });
    Ok(Location {
        experiment_id,
        experiment_name,
        other: is_other.then(|| node.to_value()),
    })
}

/// A state by its name, or by protobuf's number.
fn state(node: Node<'_>) -> Result<TraceState, Flaw> {
    match (node.text(), node.number()) {
        (Some(name), _) => Ok(TraceState::parse(&name)),
        (None, Some("0")) => Ok(TraceState::Unspecified),
        (None, Some("1")) => Ok(TraceState::Ok),
        (None, Some("2")) => Ok(TraceState::Error),
        (None, Some("3")) => Ok(TraceState::InProgress),
        (None, Some(_)) => Err(senseless(node, "a state")),
        (None, None) => Err(unexpected(node, "a state")),
    }
}

/// Texts by key: an object, or MLflow 2's list of `{"key", "value"}`.
fn pairs(node: Node<'_>) -> Result<BTreeMap<String, String>, Flaw> {
    const EXPECTED: &str = "keys with text values";
    match node.kind() {
        Kind::Object => Ok(node
            .members()
            .map(|(key, node)| (key.into_owned(), pair_value(node)))
            .collect()),
        Kind::List => members::list(node, EXPECTED, |node| {
            let members = Members::of(node)?;
            let key = members.need(&["key"], |node| {
                node.text().ok_or_else(|| unexpected(node, "a key"))
            })?;
            let value = members.get("value").map(pair_value).unwrap_or_default();
            Ok((key.into_owned(), value))
        })
        .map(|pairs| pairs.into_iter().collect()),
        _ => Err(unexpected(node, EXPECTED)),
    }
}

fn pair_value(node: Node<'_>) -> String {
    match node.kind() {
        Kind::Null => String::new(),
        _ => text(node),
    }
}
