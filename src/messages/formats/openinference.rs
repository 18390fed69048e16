//! OpenInference: attributes such as `llm.input_messages.0.message.content`, which
//! come here as the objects that their dots draw.

use serde_json::Value;

use super::{Format, message, part};
use crate::messages::media;
use crate::messages::value::{Object, first_text, kind, list, object, text};
use crate::model::{Message, Part, Role};

pub(super) const FORMAT: Format = Format {
    part: of_part,
    message: of_message,
    request: |_| None,
    response: |_| None,
};

fn of_part(from: &Object) -> Option<Vec<Part>> {
    let inner = object(from, "message_content")?;
    if let Some(image) = object(inner, "image") {
        let image = object(image, "image").unwrap_or(image);
        return Some(vec![media::of_address(
            first_text(image, &["url"])?,
            "image",
            None,
        )]);
    }
    if let Some(audio) = object(inner, "audio") {
        let audio = object(audio, "audio").unwrap_or(audio);
        return Some(vec![media::of_address(
            first_text(audio, &["url"])?,
            "audio",
            None,
        )]);
    }
    if matches!(kind(inner), "reasoning" | "thinking") {
        let thought = first_text(inner, &["text", "content"]);
        return Some(vec![Part::Reasoning(thought.map(str::to_owned))]);
    }
    // The calls of tools stand beside the contents.
    if inner.len() == 1 && inner.contains_key("type") {
        return Some(Vec::new());
    }
    Some(part(inner))
}

fn of_message(from: &Object) -> Option<Vec<Message>> {
    let inner = object(from, "message")?;
    let role = Role::parse(text(inner, "role").filter(|_| from.len() == 1)?);
    // Its members are those of a plain message, but for their names.
    let mut plain = inner.clone();
    if let Some(contents) = list(inner, "contents") {
        let mut all: Vec<Value> = contents.to_vec();
        if let Some(text) = first_text(inner, &["content"]) {
            all.insert(0, Value::from(text));
        }
        plain.insert("content".to_owned(), Value::from(all));
    }
    if let Some(calls) = list(inner, "tool_calls") {
        let calls = calls
            .iter()
            .map(|call| call.get("tool_call").unwrap_or(call).clone());
        plain.insert("tool_calls".to_owned(), calls.collect());
    }
    if let Some(name) = first_text(inner, &["function_call_name"]) {
        let arguments = first_text(inner, &["function_call_arguments_json"]).unwrap_or("{}");
        plain.insert(
            "function_call".to_owned(),
            serde_json::json!({"name": name, "arguments": arguments}),
        );
    }
    plain.entry("content").or_insert(Value::Null);
    let read = message(&plain)?;
    Some(if read.is_empty() {
        vec![Message::new(role, Vec::new())]
    } else {
        read
    })
}
