//! Vercel's AI SDK: parts with hyphens in their types.

use serde_json::{Value, json};

use super::chat::tool_result;
use super::{Format, parts};
use crate::messages::media;
use crate::messages::value::{Object, decoded, first, first_text, kind, object, some, text};
use crate::model::{Message, Part, Role, ToolCall};

pub(super) const FORMAT: Format = Format {
    part,
    message: |_| None,
    request: |_| None,
    response,
};

fn call(from: &Object) -> Part {
    Part::Call(ToolCall {
        id: first_text(from, &["toolCallId"]).map(str::to_owned),
        name: text(from, "toolName").unwrap_or_default().to_owned(),
        arguments: first(from, &["input", "args"])
            .map(|given| decoded(given).into_owned())
            .unwrap_or_default(),
    })
}

fn part(from: &Object) -> Option<Vec<Part>> {
    let one = match kind(from) {
        "tool-call" => call(from),
        "tool-result" | "tool-error" => {
            let output = first(from, &["output", "result", "error"]).unwrap_or(&Value::Null);
            // `{"type": "text" | "json" | "error-text" | "error-json", "value": …}`
            let inner = output
                .as_object()
                .filter(|inner| inner.contains_key("value"));
            let response = inner.map_or(output, |inner| &inner["value"]).clone();
            let failed = inner.is_some_and(|inner| kind(inner).starts_with("error"))
                || kind(from) == "tool-error"
                || from.get("isError").and_then(Value::as_bool) == Some(true);
            tool_result(
                first_text(from, &["toolCallId"]),
                first_text(from, &["toolName"]),
                response,
                failed.then_some(true),
            )
        }
        kind @ ("image" | "file")
            if from.contains_key("mediaType") || from.contains_key("image") =>
        {
            let mime = first_text(from, &["mediaType", "mimeType"]).unwrap_or(kind);
            let data = first(from, &["data", "image", "url"])?;
            let name = first_text(from, &["filename"]);
            match data {
                Value::String(address) if address.starts_with("http") => {
                    media::of_address(address, mime, name)
                }
                Value::String(data) => media::of_data(data, mime, name),
                other => media::of_data(&other.to_string(), mime, name),
            }
        }
        _ => return None,
    };
    Some(vec![one])
}

fn response(from: &Object) -> Option<Vec<Message>> {
    let calls = some(from, "toolCalls");
    let is_ours = calls.is_some()
        || from.contains_key("text") && (from.len() == 1 || from.contains_key("finishReason"))
        || from.contains_key("object") && from.len() == 1;
    if !is_ours {
        return None;
    }
    let mut found = Message::new(Role::Assistant, Vec::new());
    if let Some(thought) = first_text(from, &["reasoning", "reasoningText"]) {
        found.parts.push(Part::Reasoning(Some(thought.to_owned())));
    }
    found
        .parts
        .extend(from.get("text").map(parts).unwrap_or_default());
    if let Some(made) = object(from, "object") {
        found.parts.push(Part::Text(json!(made).to_string()));
    }
    if let Some(calls) = calls {
        let calls = decoded(calls);
        let calls = calls.as_array().map(Vec::as_slice).unwrap_or_default();
        found
            .parts
            .extend(calls.iter().filter_map(Value::as_object).map(call));
    }
    found.finish_reason = first_text(from, &["finishReason"]).map(str::to_owned);
    Some(vec![found])
}
