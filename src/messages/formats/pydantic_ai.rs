//! Pydantic AI: requests and responses made of parts with a `part_kind`.

use serde_json::Value;

use super::chat::{tool_call, tool_result};
use super::{Format, parts};
use crate::messages::media;
use crate::messages::value::{Object, first_text, list, some, text};
use crate::model::{Message, Part, Role};

pub(super) const FORMAT: Format = Format {
    part,
    message,
    request: |_| None,
    response: message,
};

/// What a user's prompt holds besides text.
fn part(object: &Object) -> Option<Vec<Part>> {
    let kind = text(object, "kind")?;
    let mime = first_text(object, &["media_type"]).unwrap_or_default();
    let one = match kind {
        "binary" => media::of_data(text(object, "data")?, mime, None),
        "image-url" | "audio-url" | "video-url" | "document-url" => {
            let of = if mime.is_empty() {
                kind.trim_end_matches("-url")
            } else {
                mime
            };
            media::of_address(text(object, "url")?, of, None)
        }
        "cache-point" => return Some(Vec::new()),
        _ => return None,
    };
    Some(vec![one])
}

fn message(object: &Object) -> Option<Vec<Message>> {
    let items = list(object, "parts")?;
    let is_ours = |item: &Value| {
        item.as_object()
            .is_some_and(|item| item.contains_key("part_kind"))
    };
    let has_kind = matches!(text(object, "kind"), Some("request" | "response"));
    if !has_kind && !items.iter().any(is_ours) {
        return None;
    }
    let instructions = first_text(object, &["instructions"]);
    let mut found: Vec<Message> = instructions
        .map(|text| Message::new(Role::System, vec![Part::Text(text.to_owned())]))
        .into_iter()
        .collect();
    for item in items {
        let (role, read) = match item.as_object() {
            Some(item) => self::item(item),
            None => (Role::User, parts(item)),
        };
        match found.last_mut() {
            Some(last) if last.role == role && role == Role::Assistant => last.parts.extend(read),
            _ => found.push(Message::new(role, read)),
        }
    }
    if let Some(last) = found.last_mut().filter(|last| last.role == Role::Assistant) {
        last.finish_reason = first_text(object, &["finish_reason"]).map(str::to_owned);
    }
    Some(found)
}

fn item(item: &Object) -> (Role, Vec<Part>) {
    let content = some(item, "content").unwrap_or(&Value::Null);
    let id = first_text(item, &["tool_call_id"]);
    let name = first_text(item, &["tool_name"]);
    match text(item, "part_kind").unwrap_or_default() {
        "system-prompt" => (Role::System, parts(content)),
        "user-prompt" => (Role::User, parts(content)),
        "text" | "file" => (Role::Assistant, parts(content)),
        "thinking" => {
            let thought = content.as_str().filter(|text| !text.is_empty());
            (
                Role::Assistant,
                vec![Part::Reasoning(thought.map(str::to_owned))],
            )
        }
        "tool-call" | "builtin-tool-call" => (Role::Assistant, vec![tool_call(item)]),
        "builtin-tool-return" => (
            Role::Assistant,
            vec![tool_result(id, name, content.clone(), None)],
        ),
        "tool-return" => {
            let failed = text(item, "outcome") == Some("failed");
            let result = tool_result(id, name, content.clone(), failed.then_some(true));
            (Role::Tool, vec![result])
        }
        // Without a tool it asks for another answer.
        "retry-prompt" if name.is_none() => (Role::User, parts(content)),
        "retry-prompt" => (
            Role::Tool,
            vec![tool_result(id, name, content.clone(), Some(true))],
        ),
        _ => (
            Role::Assistant,
            vec![Part::Json(Value::Object(item.clone()))],
        ),
    }
}
