//! Anthropic's messages: blocks of content, with what tools gave back in messages of
//! the user.

use serde_json::Value;

use super::chat::{response_of, tool_result};
use super::{Format, messages, parts};
use crate::messages::media;
use crate::messages::value::{Object, first_text, kind, list, object, some, text};
use crate::model::{Message, Part, Role, ToolCall};

pub(super) const FORMAT: Format = Format {
    part,
    message: |_| None,
    request,
    response,
};

fn part(object: &Object) -> Option<Vec<Part>> {
    let id = first_text(object, &["tool_use_id", "id"]);
    let one = match kind(object) {
        "tool_use" | "server_tool_use" | "mcp_tool_use" => Part::Call(ToolCall {
            id: id.map(str::to_owned),
            name: text(object, "name")?.to_owned(),
            arguments: object.get("input").cloned().unwrap_or_default(),
        }),
        name if name == "tool_result" || name.ends_with("_tool_result") => {
            let content = object.get("content").unwrap_or(&Value::Null);
            let is_error = object.get("is_error").and_then(Value::as_bool).or_else(|| {
                let inner = content.as_object()?;
                kind(inner).ends_with("_error").then_some(true)
            });
            let tool = name.strip_suffix("_tool_result");
            tool_result(id, tool, response_of(content), is_error)
        }
        "thinking" => Part::Reasoning(thought(object.get("thinking")?)),
        "redacted_thinking" => Part::Reasoning(None),
        "image" | "document" | "video" | "audio" if object.contains_key("source") => {
            let source = self::object(object, "source")?;
            match kind(source) {
                // A document may be text, whole or in blocks.
                "text" => Part::Text(text(source, "data")?.to_owned()),
                "content" => return Some(parts(source.get("content")?)),
                _ => media::of_object(object, kind(object))?,
            }
        }
        _ => return None,
    };
    Some(vec![one])
}

/// A text, or a list of texts (Mistral).
fn thought(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let texts = items.iter().filter_map(|item| match item {
                Value::Object(item) => text(item, "text"),
                other => other.as_str(),
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The system prompt stands beside the messages, as in Bedrock's API.
fn request(object: &Object) -> Option<Vec<Message>> {
    let system = some(object, "system")?;
    let list = list(object, "messages")?;
    let mut found = vec![Message::new(Role::System, parts(system))];
    found.extend(messages(list, &Role::User).unwrap_or_default());
    Some(found)
}

fn response(object: &Object) -> Option<Vec<Message>> {
    if kind(object) != "message" || !object.contains_key("stop_reason") {
        return None;
    }
    let role = Role::parse(text(object, "role").unwrap_or("assistant"));
    let mut found = Message::new(role, object.get("content").map(parts).unwrap_or_default());
    found.finish_reason = first_text(object, &["stop_reason"]).map(str::to_owned);
    Some(vec![found])
}
