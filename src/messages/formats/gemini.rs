//! Google's Gemini, by its SDK, its REST API and the Agent Development Kit: parts
//! without a type, told apart by the member that is not null.

use serde_json::{Value, json};

use super::chat::tool_result;
use super::{Format, parts};
use crate::messages::media;
use crate::messages::value::{Object, first, first_text, list, object, some, text};
use crate::model::{Message, Part, Role, ToolCall};

pub(super) const FORMAT: Format = Format {
    part,
    message,
    request,
    response,
};

/// A member by its name in Python or in JSON.
fn either<'a>(object: &'a Object, keys: [&str; 2]) -> Option<&'a Object> {
    first(object, &keys)?.as_object()
}

fn part(object: &Object) -> Option<Vec<Part>> {
    if object.contains_key("type") {
        return None;
    }
    let id = |inner: &Object| first_text(inner, &["id"]).map(str::to_owned);
    if let Some(inner) = either(object, ["inline_data", "inlineData"]) {
        return Some(vec![media::of_object(inner, "")?]);
    }
    if let Some(inner) = either(object, ["file_data", "fileData"]) {
        return Some(vec![media::of_object(inner, "")?]);
    }
    if let Some(call) = either(object, ["function_call", "functionCall"]) {
        return Some(vec![Part::Call(ToolCall {
            id: id(call),
            name: text(call, "name").unwrap_or_default().to_owned(),
            arguments: first(call, &["args", "arguments"])
                .cloned()
                .unwrap_or_default(),
        })]);
    }
    if let Some(result) = either(object, ["function_response", "functionResponse"]) {
        let response = some(result, "response").cloned().unwrap_or_default();
        let is_error = response.get("error").is_some_and(|error| !error.is_null());
        return Some(vec![tool_result(
            first_text(result, &["id"]),
            first_text(result, &["name"]),
            response,
            is_error.then_some(true),
        )]);
    }
    if let Some(code) = either(object, ["executable_code", "executableCode"]) {
        return Some(vec![Part::Call(ToolCall {
            id: id(code),
            name: "code_execution".to_owned(),
            arguments: json!({"code": code.get("code"), "language": code.get("language")}),
        })]);
    }
    if let Some(result) = either(object, ["code_execution_result", "codeExecutionResult"]) {
        let is_error = text(result, "outcome").is_some_and(|outcome| !outcome.ends_with("_OK"));
        let output = some(result, "output").cloned().unwrap_or_default();
        return Some(vec![tool_result(
            None,
            Some("code_execution"),
            output,
            is_error.then_some(true),
        )]);
    }
    let said = text(object, "text")?;
    let known = ["text", "thought", "thought_signature", "thoughtSignature"];
    let is_plain = object
        .iter()
        .all(|(key, value)| known.contains(&key.as_str()) || value.is_null());
    if !is_plain {
        return None;
    }
    if object.get("thought").and_then(Value::as_bool) == Some(true) {
        return Some(vec![Part::Reasoning(
            (!said.is_empty()).then(|| said.to_owned()),
        )]);
    }
    Some(if said.is_empty() {
        Vec::new()
    } else {
        vec![Part::Text(said.to_owned())]
    })
}

fn message(object: &Object) -> Option<Vec<Message>> {
    let content = some(object, "parts")?;
    // Those of OpenTelemetry and Pydantic AI say of what type they are.
    let first_part = content
        .as_array()
        .and_then(|items| items.first()?.as_object());
    if first_part.is_some_and(|part| part.contains_key("type") || part.contains_key("part_kind"))
        || object.contains_key("kind")
    {
        return None;
    }
    let role = Role::parse(text(object, "role").unwrap_or("user"));
    Some(vec![Message::new(role, parts(content))])
}

/// Contents: a text, a list of texts and parts (one message of the user), or messages.
fn contents(value: &Value) -> Vec<Message> {
    let as_message = |value: &Value| {
        let object = value.as_object()?;
        message(object).or_else(|| super::message(object))
    };
    let Value::Array(items) = value else {
        return as_message(value).unwrap_or_else(|| vec![Message::new(Role::User, parts(value))]);
    };
    let mut found: Vec<Message> = Vec::new();
    let mut loose = Vec::new();
    for item in items {
        match as_message(item) {
            Some(read) => {
                found.extend(taken(&mut loose));
                found.extend(read);
            }
            None => loose.extend(parts(item)),
        }
    }
    found.extend(taken(&mut loose));
    found
}

fn taken(loose: &mut Vec<Part>) -> Option<Message> {
    let parts = std::mem::take(loose);
    (!parts.is_empty()).then(|| Message::new(Role::User, parts))
}

fn request(object: &Object) -> Option<Vec<Message>> {
    let given = some(object, "contents").or_else(|| {
        // The SDK's chat object.
        some(object, "message").filter(|_| object.len() <= 2 && !object.contains_key("session"))
    })?;
    let config = self::object(object, "config").unwrap_or(object);
    let system = first(config, &["system_instruction", "systemInstruction"])
        .or_else(|| first(object, &["system_instruction", "systemInstruction"]));
    let mut found = Vec::new();
    if let Some(system) = system {
        let system = match system.as_object().and_then(|system| some(system, "parts")) {
            Some(inner) => inner,
            None => system,
        };
        found.push(Message::new(Role::System, parts(system)));
    }
    found.extend(contents(given));
    Some(found)
}

fn response(object: &Object) -> Option<Vec<Message>> {
    if let Some(candidates) = list(object, "candidates") {
        return Some(
            candidates
                .iter()
                .filter_map(Value::as_object)
                .map(candidate)
                .collect(),
        );
    }
    let feedback = either(object, ["prompt_feedback", "promptFeedback"]);
    if let Some(feedback) = feedback {
        let mut blocked = Message::new(Role::Assistant, Vec::new());
        let reason = first_text(feedback, &["block_reason", "blockReason"]);
        blocked.finish_reason = reason.map(str::to_owned);
        return Some(vec![blocked]);
    }
    // The Agent Development Kit keeps the one candidate.
    let is_candidate =
        self::object(object, "content").is_some_and(|content| content.contains_key("parts"));
    is_candidate.then(|| vec![candidate(object)])
}

fn candidate(candidate: &Object) -> Message {
    let content = object(candidate, "content").and_then(|content| content.get("parts"));
    let mut found = Message::new(Role::Assistant, content.map(parts).unwrap_or_default());
    let reason = first_text(candidate, &["finish_reason", "finishReason"]);
    found.finish_reason = reason.map(str::to_owned);
    found
}
