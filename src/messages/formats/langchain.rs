//! LangChain and LangGraph: dumps of message objects, results of models that MLflow
//! could not convert, and the updates of a graph's nodes.

use serde_json::Value;

use super::chat::{response_of, tool_call, tool_calls, tool_result};
use super::{Format, messages, parts};
use crate::messages::media;
use crate::messages::value::{Object, first_text, kind, list, object, some, text};
use crate::model::{Message, Part, Role, ToolCall};

pub(super) const FORMAT: Format = Format {
    part,
    message,
    request,
    response,
};

/// The standard blocks, and the calls that stand among the content of some vendors.
fn part(object: &Object) -> Option<Vec<Part>> {
    let one = match kind(object) {
        "image" | "audio" | "video" | "file" | "image_data"
            if ["base64", "url", "data", "source_type", "file_id"]
                .iter()
                .any(|key| object.contains_key(*key))
                && !object.contains_key("file")
                && !object.contains_key("modality") =>
        {
            let kind = kind(object);
            media::of_object(object, kind)?
        }
        "text-plain" => Part::Text(first_text(object, &["text", "data"])?.to_owned()),
        "reasoning" if object.contains_key("reasoning") => {
            Part::Reasoning(first_text(object, &["reasoning"]).map(str::to_owned))
        }
        "tool_call" | "tool_call_chunk" | "invalid_tool_call" if object.contains_key("args") => {
            tool_call(object)
        }
        "non_standard" => return Some(parts(object.get("value")?)),
        "function_call" | "tool_use" if object.contains_key("partial_json") => {
            Part::Call(ToolCall {
                id: first_text(object, &["id"]).map(str::to_owned),
                name: text(object, "name").unwrap_or_default().to_owned(),
                arguments: object.get("input").cloned().unwrap_or_default(),
            })
        }
        _ => return None,
    };
    Some(vec![one])
}

const TYPES: [&str; 16] = [
    "human",
    "ai",
    "system",
    "tool",
    "function",
    "developer",
    "HumanMessage",
    "AIMessage",
    "SystemMessage",
    "ToolMessage",
    "FunctionMessage",
    "HumanMessageChunk",
    "AIMessageChunk",
    "SystemMessageChunk",
    "ToolMessageChunk",
    "chat",
];

fn message(object: &Object) -> Option<Vec<Message>> {
    if let Some(inner) = constructed(object) {
        let class = list(object, "id")?.last()?.as_str()?;
        return Some(vec![dumped(class, inner)]);
    }
    // A dumped message in a list of generations.
    if let Some(inner) = self::object(object, "message")
        .filter(|inner| TYPES.contains(&kind(inner)) && inner.contains_key("content"))
    {
        return Some(vec![dumped(kind(inner), inner)]);
    }
    let class = kind(object);
    if TYPES.contains(&class) && object.contains_key("content") {
        return Some(vec![dumped(class, object)]);
    }
    // An update of a graph's node: `{"graph": …, "update": {"messages": […]}}`.
    if object.contains_key("graph") && object.contains_key("update") {
        return messages(
            list(self::object(object, "update")?, "messages")?,
            &Role::Assistant,
        );
    }
    None
}

/// The members of `{"lc": 1, "type": "constructor", "id": […], "kwargs": {…}}`.
fn constructed(object: &Object) -> Option<&Object> {
    (kind(object) == "constructor" && object.contains_key("lc"))
        .then(|| self::object(object, "kwargs"))?
        .filter(|kwargs| kwargs.contains_key("content"))
}

fn dumped(class: &str, object: &Object) -> Message {
    let role = match (class, text(object, "role")) {
        ("chat", Some(role)) => Role::parse(role),
        _ => Role::parse(class.trim_end_matches("Chunk")),
    };
    let content = object.get("content").unwrap_or(&Value::Null);
    if role == Role::Tool {
        let is_error = text(object, "status") == Some("error");
        let result = tool_result(
            first_text(object, &["tool_call_id"]),
            first_text(object, &["name"]),
            response_of(content),
            is_error.then_some(true),
        );
        return Message::new(role, vec![result]);
    }
    let extra = self::object(object, "additional_kwargs");
    let about = self::object(object, "response_metadata");
    let mut found = Message::new(role, Vec::new());
    if let Some(thought) = extra.and_then(|extra| first_text(extra, &["reasoning_content"])) {
        found.parts.push(Part::Reasoning(Some(thought.to_owned())));
    }
    found.parts.extend(parts(content));
    if let Some(refusal) = extra.and_then(|extra| first_text(extra, &["refusal"])) {
        found.parts.push(Part::Refusal(refusal.to_owned()));
    }
    // Blocks of the content may be the same calls.
    let has_call = found.parts.iter().any(|part| matches!(part, Part::Call(_)));
    if !has_call {
        let calls = some(object, "tool_calls")
            .filter(|calls| calls.as_array().is_some_and(|calls| !calls.is_empty()));
        let calls = calls.or_else(|| some(extra?, "tool_calls"));
        found
            .parts
            .extend(calls.map(tool_calls).unwrap_or_default());
        found.parts.extend(
            some(object, "invalid_tool_calls")
                .map(tool_calls)
                .unwrap_or_default(),
        );
    }
    found.name = first_text(object, &["name"]).map(str::to_owned);
    found.finish_reason = about
        .and_then(|about| {
            first_text(
                about,
                &[
                    "finish_reason",
                    "stop_reason",
                    "stopReason",
                    "done_reason",
                    "status",
                ],
            )
        })
        .map(str::to_owned);
    found
}

/// Dumped messages, however deep, that say why they ended.
pub(super) fn ended(value: &Value, found: &mut Vec<Message>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| ended(item, found)),
        Value::Object(object)
            if object.contains_key("response_metadata") && object.contains_key("content") =>
        {
            let message = dumped("ai", object);
            if message.finish_reason.is_some() {
                found.push(message);
            }
        }
        Value::Object(object) => object.values().for_each(|value| ended(value, found)),
        _ => {}
    }
}

fn request(object: &Object) -> Option<Vec<Message>> {
    // A prompt's value: `{"messages": […]}` dumped with its class.
    let inner = constructed(object).unwrap_or(object);
    let items = list(inner, "messages")?;
    let is_dump = |item: &Value| {
        let dumped = item.as_object().is_some_and(|item| message(item).is_some());
        dumped
            || item.as_array().is_some_and(|items| {
                items
                    .iter()
                    .any(|item| item.as_object().is_some_and(|item| message(item).is_some()))
            })
    };
    items
        .iter()
        .any(is_dump)
        .then(|| messages(items, &Role::User))?
}

fn response(object: &Object) -> Option<Vec<Message>> {
    if let Some(batches) = list(object, "generations") {
        let alternatives = batches.iter().flat_map(|batch| {
            batch
                .as_array()
                .map_or_else(|| std::slice::from_ref(batch), Vec::as_slice)
        });
        return Some(
            alternatives
                .filter_map(Value::as_object)
                .map(generation)
                .collect(),
        );
    }
    request(object).or_else(|| constructed(object).and_then(|_| message(object)))
}

fn generation(generation: &Object) -> Message {
    let info = object(generation, "generation_info");
    let reason = info.and_then(|info| first_text(info, &["finish_reason"]));
    let mut found = match object(generation, "message") {
        Some(inner) => constructed(inner)
            .map_or_else(|| dumped(kind(inner), inner), |kwargs| dumped("ai", kwargs)),
        None => Message::new(
            Role::Assistant,
            generation.get("text").map(parts).unwrap_or_default(),
        ),
    };
    if !matches!(found.role, Role::Assistant) {
        found.role = Role::Assistant;
    }
    found.finish_reason = found.finish_reason.or_else(|| reason.map(str::to_owned));
    found
}
