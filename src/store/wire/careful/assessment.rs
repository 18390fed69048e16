//! Assessments, of the REST API and of Python.

use serde_json::Value;

use super::super::flaw::Flaw;
use super::super::{ids, texts};
use super::inner;
use super::members::{self, Members, unexpected};
use super::scalar::{id, millis, text, truth};
use crate::json::{Kind, Node, parse_value};
use crate::model::{Assessment, AssessmentError, AssessmentKind, Source};

/// A list of assessments, or the JSON text of one.
pub(super) fn list(node: Node<'_>) -> Result<Vec<Assessment>, Flaw> {
    if node.kind() == Kind::Text {
        return inner(node, "a list of assessments", &mut list);
    }
    members::list(node, "a list of assessments", one)
}

pub(super) fn one(node: Node<'_>) -> Result<Assessment, Flaw> {
    let members = Members::of(node)?;
    let string = |names: &[&'static str]| members.read(names, |node| Ok(text(node)));
    let kind = match members.read(&["feedback"], feedback)? {
        None => members.read(&["expectation"], expectation)?,
        feedback => feedback,
    };
    let kind = match kind {
        None => members.read(&["issue"], issue)?,
        kind => kind,
    };
    let kind = kind.unwrap_or(AssessmentKind::Other);
    let metadata = members.read(&["metadata"], |node| match node.to_value() {
        Value::Object(map) => Ok(map),
        _ => Err(unexpected(node, "keys with values")),
    })?;
    Ok(Assessment {
        id: members.read(&["assessment_id", "assessmentId"], id)?,
        name: string(&["assessment_name", "assessmentName", "name"])?.unwrap_or_default(),
        span_id: members
            .read(&["span_id", "spanId"], id)?
            .as_deref()
            .and_then(ids::span_id),
        source: members.read(&["source"], source)?.unwrap_or_default(),
        create_time: members.read(&["create_time", "createTime", "create_time_ms"], millis)?,
        last_update_time: members.read(
            &["last_update_time", "lastUpdateTime", "last_update_time_ms"],
            millis,
        )?,
        kind,
        rationale: string(&["rationale"])?,
        metadata: texts(metadata.unwrap_or_default()),
        overrides: members.read(&["overrides"], id)?,
        valid: members.read(&["valid"], truth)?.unwrap_or(true),
    })
}

fn source(node: Node<'_>) -> Result<Source, Flaw> {
    let members = Members::of(node)?;
    let string = |names: &[&'static str]| members.read(names, |node| Ok(text(node)));
    Ok(Source {
        kind: string(&["source_type", "sourceType"])?.unwrap_or_default(),
        id: string(&["source_id", "sourceId"])?,
    })
}

fn feedback(node: Node<'_>) -> Result<AssessmentKind, Flaw> {
    let members = Members::of(node)?;
    let error = members.read(&["error"], |node| {
        if node.kind() == Kind::Text {
            return Ok(AssessmentError {
                code: None,
                message: Some(text(node)),
                stack_trace: None,
            });
        }
        let members = Members::of(node)?;
        let string = |names: &[&'static str]| members.read(names, |node| Ok(text(node)));
        Ok(AssessmentError {
            code: string(&["error_code", "errorCode"])?,
            message: string(&["error_message", "errorMessage"])?,
            stack_trace: string(&["stack_trace", "stackTrace"])?,
        })
    })?;
    Ok(AssessmentKind::Feedback {
        value: members.get("value").map_or(Value::Null, Node::to_value),
        error,
    })
}

fn expectation(node: Node<'_>) -> Result<AssessmentKind, Flaw> {
    let members = Members::of(node)?;
    if let Some(value) = members.get("value") {
        return Ok(AssessmentKind::Expectation {
            value: value.to_value(),
        });
    }
    let serialized = members.read(&["serialized_value", "serializedValue"], |node| {
        Members::of(node)?.read(&["value"], |node| Ok(text(node)))
    })?;
    let value = match serialized.flatten() {
        Some(text) => parse_value(&text).unwrap_or(Value::String(text)),
        None => Value::Null,
    };
    Ok(AssessmentKind::Expectation { value })
}

fn issue(node: Node<'_>) -> Result<AssessmentKind, Flaw> {
    let name = Members::of(node)?.read(&["issue_name", "issueName"], |node| Ok(text(node)))?;
    Ok(AssessmentKind::Issue {
        name: name.unwrap_or_default(),
    })
}
