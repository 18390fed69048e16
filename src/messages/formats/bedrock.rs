//! Amazon Bedrock: `converse` with its own parts, and `invoke_model`, which holds a
//! request of the model's own API. Strands uses the same parts.

use serde_json::Value;

use super::chat::{response_of, tool_result};
use super::{Format, message, request, response};
use crate::messages::media;
use crate::messages::value::{Object, decoded, first_text, list, object, some, text};
use crate::model::{Message, Part, Role, ToolCall};

pub(super) const FORMAT: Format = Format {
    part,
    message: |_| None,
    request: of_request,
    response: of_response,
};

fn part(from: &Object) -> Option<Vec<Part>> {
    if from.contains_key("type") {
        return None;
    }
    let id = |inner: &Object| first_text(inner, &["toolUseId"]).map(str::to_owned);
    if let Some(call) = object(from, "toolUse") {
        return Some(vec![Part::Call(ToolCall {
            id: id(call),
            name: text(call, "name").unwrap_or_default().to_owned(),
            arguments: decoded(some(call, "input").unwrap_or(&Value::Null)).into_owned(),
        })]);
    }
    if let Some(result) = object(from, "toolResult") {
        let content = list(result, "content").unwrap_or_default();
        let response = match content {
            [Value::Object(one)] if one.contains_key("json") => one["json"].clone(),
            _ => response_of(&Value::from(content.to_vec())),
        };
        let is_error = text(result, "status") == Some("error");
        let id = id(result);
        return Some(vec![tool_result(
            id.as_deref(),
            None,
            response,
            is_error.then_some(true),
        )]);
    }
    for kind in ["image", "document", "video", "audio"] {
        if let Some(inner) = object(from, kind).filter(|inner| inner.contains_key("source")) {
            let mime = media::widened(text(inner, "format").unwrap_or_default(), kind);
            let mime = if mime.is_empty() { kind } else { &mime };
            return Some(vec![media::of_object(inner, mime)?]);
        }
    }
    if let Some(thought) = object(from, "reasoningContent") {
        let text = object(thought, "reasoningText").and_then(|inner| first_text(inner, &["text"]));
        return Some(vec![Part::Reasoning(text.map(str::to_owned))]);
    }
    if let Some(guarded) = object(from, "guardContent") {
        let text = object(guarded, "text").and_then(|inner| first_text(inner, &["text"]))?;
        return Some(vec![Part::Text(text.to_owned())]);
    }
    // Where a cache may begin is nothing that is said.
    from.contains_key("cachePoint").then(Vec::new)
}

fn of_request(object: &Object) -> Option<Vec<Message>> {
    text(object, "modelId")?;
    let body = decoded(some(object, "body")?);
    request(&body).or_else(|| {
        let inner = body.as_object()?;
        let prompt = first_text(inner, &["prompt", "inputText"])?;
        Some(vec![Message::new(
            Role::User,
            vec![Part::Text(prompt.to_owned())],
        )])
    })
}

fn of_response(from: &Object) -> Option<Vec<Message>> {
    if let Some(output) = object(from, "output") {
        let mut found = message(object(output, "message")?)?;
        if let Some(last) = found.last_mut() {
            last.finish_reason = first_text(from, &["stopReason"]).map(str::to_owned);
        }
        return Some(found);
    }
    from.contains_key("ResponseMetadata")
        .then(|| response(&decoded(some(from, "body")?)))?
}
