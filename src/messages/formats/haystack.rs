//! Haystack: messages whose pieces are told apart by their one member.

use serde_json::Value;

use super::chat::{tool_call, tool_result};
use super::{Format, message, parts};
use crate::messages::media;
use crate::messages::value::{Object, first_text, list, object, some};
use crate::model::{Message, Part, Role};

pub(super) const FORMAT: Format = Format {
    part,
    message: |_| None,
    request: |_| None,
    response,
};

fn part(from: &Object) -> Option<Vec<Part>> {
    if from.contains_key("type") {
        return None;
    }
    if let Some(call) = object(from, "tool_call") {
        return Some(vec![tool_call(call)]);
    }
    if let Some(result) = object(from, "tool_call_result") {
        let origin = object(result, "origin");
        let failed = result.get("error").and_then(Value::as_bool) == Some(true);
        return Some(vec![tool_result(
            origin.and_then(|origin| first_text(origin, &["id"])),
            origin.and_then(|origin| first_text(origin, &["tool_name"])),
            some(result, "result").cloned().unwrap_or_default(),
            failed.then_some(true),
        )]);
    }
    if let Some(thought) = object(from, "reasoning") {
        let text = first_text(thought, &["reasoning_text"]);
        return Some(vec![Part::Reasoning(text.map(str::to_owned))]);
    }
    for (key, kind) in [("image", "image"), ("file", "file")] {
        if let Some(inner) = object(from, key) {
            let data = first_text(inner, &["base64_image", "base64_data", "data"])?;
            let mime = first_text(inner, &["mime_type"]).unwrap_or(kind);
            return Some(vec![media::of_data(
                data,
                mime,
                first_text(inner, &["filename"]),
            )]);
        }
    }
    None
}

fn response(from: &Object) -> Option<Vec<Message>> {
    let replies = list(from, "replies")?;
    let read = replies.iter().map(|reply| match reply {
        Value::Object(reply) => message(reply),
        text => Some(vec![Message::new(Role::Assistant, parts(text))]),
    });
    let read: Option<Vec<Vec<Message>>> = read.collect();
    Some(read?.concat())
}
