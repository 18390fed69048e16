//! Traces that cannot be read, as JSON beside those that can.

use serde::Serialize;

use super::JsonForm;
use crate::model::Unreadable;

/// The name of their list in a document.
pub const KEY: &str = "unreadable";

/// One of them.
#[derive(Debug, Serialize)]
pub struct UnreadableJson<'a> {
    trace_id: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<usize>,
    member: Option<&'a str>,
    message: &'a str,
}

/// Their list, where there are any and the form has a place for it: JSON lines are
/// traces or rows, and nothing else.
pub fn list(unreadable: &[Unreadable], form: JsonForm) -> Option<Vec<UnreadableJson<'_>>> {
    if unreadable.is_empty() || form == JsonForm::Lines {
        return None;
    }
    let elements = unreadable.iter().map(|one| UnreadableJson {
        trace_id: one.trace_id.as_deref(),
        file: one.file.as_deref(),
        line: one.line,
        member: one.member.as_deref(),
        message: &one.message,
    });
    Some(elements.collect())
}

/// Adds the list to a document that is an object.
pub fn add_to(document: &mut serde_json::Value, unreadable: &[Unreadable], form: JsonForm) {
    if let Some(list) = list(unreadable, form)
        && let Ok(list) = serde_json::to_value(list)
    {
        document[KEY] = list;
    }
}
