//! OpenTelemetry's conventions for generative AI: messages of typed parts.

use serde_json::Value;

use super::chat::tool_result;
use super::{Format, parts};
use crate::messages::media;
use crate::messages::value::{Object, decoded, first, first_text, kind, list, some, text};
use crate::model::{Message, Part, Role, ToolCall};

pub(super) const FORMAT: Format = Format {
    part,
    message,
    request: |_| None,
    response: |_| None,
};

fn part(object: &Object) -> Option<Vec<Part>> {
    let mime = || first_text(object, &["mime_type", "modality"]).unwrap_or_default();
    let one = match kind(object) {
        "text" if !object.contains_key("text") => return Some(parts(object.get("content")?)),
        "reasoning" | "thinking"
            if object.contains_key("content") && !object.contains_key("summary") =>
        {
            Part::Reasoning(first_text(object, &["content"]).map(str::to_owned))
        }
        "tool_call" if object.contains_key("name") => Part::Call(ToolCall {
            id: first_text(object, &["id"]).map(str::to_owned),
            name: text(object, "name")?.to_owned(),
            arguments: first(object, &["arguments", "args"])
                .map(|given| decoded(given).into_owned())
                .unwrap_or_default(),
        }),
        "tool_call_response" => tool_result(
            first_text(object, &["id"]),
            first_text(object, &["name"]),
            first(object, &["response", "result", "content"])
                .cloned()
                .unwrap_or_default(),
            object.get("is_error").and_then(Value::as_bool),
        ),
        "blob" => media::of_data(first_text(object, &["content", "data"])?, mime(), None),
        "uri" => media::of_address(text(object, "uri")?, mime(), None),
        "file" if object.contains_key("file_id") => {
            media::of_file_id(text(object, "file_id")?, mime(), None)
        }
        "refusal" if object.contains_key("content") => {
            Part::Refusal(text(object, "content")?.to_owned())
        }
        _ => return None,
    };
    Some(vec![one])
}

fn message(object: &Object) -> Option<Vec<Message>> {
    let items = list(object, "parts")?;
    let role = Role::parse(text(object, "role")?);
    let is_typed = |item: &Value| {
        item.as_object()
            .is_some_and(|item| item.contains_key("type"))
    };
    if !items.iter().any(is_typed) {
        return None;
    }
    let mut found = Message::new(role, items.iter().flat_map(parts).collect());
    found.name = first_text(object, &["name"]).map(str::to_owned);
    found.finish_reason = some(object, "finish_reason")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Some(vec![found])
}
