//! OpenAI's chat completions and everything that looks like them: Groq, Mistral,
//! LiteLLM, AG2, smolagents, MLflow's own gateway, spans made by hand. Also the
//! older completions of one text.

use serde_json::Value;

use super::{Format, messages, parts, request};
use crate::messages::media;
use crate::messages::value::{
    Object, decoded, first, first_text, kind, list, object, some, structure, text,
};
use crate::model::{Message, Part, Role, ToolCall, ToolResult};

pub(super) const FORMAT: Format = Format {
    part,
    message,
    request: of_request,
    response,
};

fn part(object: &Object) -> Option<Vec<Part>> {
    let name = first_text(object, &["filename", "name"]);
    let one = match kind(object) {
        "text" => Part::Text(
            first_text(object, &["text", "content"])
                .unwrap_or_default()
                .to_owned(),
        ),
        "refusal" => Part::Refusal(text(object, "refusal")?.to_owned()),
        "image_url" | "video_url" | "audio_url" => {
            let key = kind(object);
            let address = match some(object, key)? {
                Value::String(address) => address,
                Value::Object(inner) => text(inner, "url")?,
                _ => return None,
            };
            media::of_address(address, key.trim_end_matches("_url"), name)
        }
        "input_audio" => {
            let inner = object.get("input_audio").and_then(Value::as_object)?;
            let format = text(inner, "format").unwrap_or_default();
            let mime = media::widened(format, "audio");
            media::of_data(text(inner, "data")?, &mime, name)
        }
        "file" => {
            let inner = object.get("file").and_then(Value::as_object)?;
            media::of_object(inner, "file")?
        }
        // Ollama's and other clients' plain pieces.
        "" => {
            let text = text(object, "text").filter(|_| object.len() <= 2)?;
            Part::Text(text.to_owned())
        }
        _ => return None,
    };
    Some(vec![one])
}

/// The call of a tool in one of its shapes: `{id, function: {name, arguments}}`, or
/// the same members without `function`.
pub(super) fn tool_call(call: &Object) -> Part {
    let inner = object(call, "function").unwrap_or(call);
    let name = first_text(inner, &["name", "tool_name", "toolName"]);
    let arguments = first(
        inner,
        &["arguments", "args", "input", "parameters", "tool_kwargs"],
    );
    let id = first_text(call, &["id", "tool_call_id", "call_id", "toolCallId"]);
    match name {
        None if object(call, "function").is_none() => Part::Json(Value::Object(call.clone())),
        name => Part::Call(ToolCall {
            id: id.map(str::to_owned),
            name: name.unwrap_or_default().to_owned(),
            arguments: arguments.map_or(Value::Null, |given| decoded(given).into_owned()),
        }),
    }
}

/// The calls of a member such as `tool_calls`, which may be a list or JSON text.
pub(super) fn tool_calls(value: &Value) -> Vec<Part> {
    let value = decoded(value);
    let Some(calls) = value.as_array() else {
        return Vec::new();
    };
    calls
        .iter()
        .map(|call| match call {
            Value::Object(call) => tool_call(call),
            other => Part::Json(other.clone()),
        })
        .collect()
}

/// What a tool gave, from a message of the tool.
pub(super) fn tool_result(
    id: Option<&str>,
    name: Option<&str>,
    response: Value,
    is_error: Option<bool>,
) -> Part {
    Part::Result(ToolResult {
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        response,
        is_error,
    })
}

/// Content of a tool's message: pieces of text are one text, anything else stays.
pub(super) fn response_of(content: &Value) -> Value {
    let Value::Array(items) = content else {
        return content.clone();
    };
    let texts: Option<Vec<&str>> = items
        .iter()
        .map(|item| match item {
            Value::Object(object)
                if matches!(kind(object), "text" | "output_text" | "input_text" | "") =>
            {
                first_text(object, &["text", "content"]).filter(|_| {
                    object.keys().all(|key| {
                        matches!(
                            key.as_str(),
                            "type" | "text" | "content" | "annotations" | "block_type"
                        ) || object[key].is_null()
                    })
                })
            }
            _ => None,
        })
        .collect();
    match texts {
        Some(texts) if !texts.is_empty() => Value::from(texts.join("\n")),
        _ => content.clone(),
    }
}

fn message(object: &Object) -> Option<Vec<Message>> {
    let role = Role::parse(text(object, "role")?);
    let known = [
        "content",
        "parts",
        "blocks",
        "tool_calls",
        "refusal",
        "function_call",
        "tool_responses",
        "reasoning_content",
        "reasoning",
        "audio",
        "text",
    ];
    if !known.iter().any(|key| object.contains_key(*key)) {
        return None;
    }
    if let Some(results) = list(object, "tool_responses").filter(|results| !results.is_empty()) {
        let results = results
            .iter()
            .filter_map(Value::as_object)
            .map(result_message);
        return Some(results.collect());
    }
    if role == Role::Tool {
        return Some(tool_messages(object));
    }
    let mut found = Message::new(role, reasoning(object));
    found.name = first_text(object, &["name"]).map(str::to_owned);
    found.finish_reason = reason(object).map(str::to_owned);
    if let Some(content) = first(object, &["content", "parts", "blocks", "text"]) {
        found.parts.extend(parts(content));
    }
    if let Some(refusal) = first_text(object, &["refusal"]) {
        found.parts.push(Part::Refusal(refusal.to_owned()));
    }
    if let Some(audio) = object.get("audio").and_then(Value::as_object) {
        found.parts.extend(spoken(audio));
    }
    let has_call = found.parts.iter().any(|part| matches!(part, Part::Call(_)));
    let extra = self::object(object, "additional_kwargs");
    if !has_call {
        let calls = some(object, "tool_calls").or_else(|| some(extra?, "tool_calls"));
        found
            .parts
            .extend(calls.map(tool_calls).unwrap_or_default());
    }
    if let Some(call) = self::object(object, "function_call") {
        found.parts.push(tool_call(call));
    }
    Some(vec![found])
}

/// Why a model ended: in a message, in what is said about it, or in the raw answer that it was
/// made of.
fn reason(object: &Object) -> Option<&str> {
    const NAMES: [&str; 2] = ["finish_reason", "stop_reason"];
    first_text(object, &NAMES)
        .or_else(|| first_text(first(object, &["meta", "_meta"])?.as_object()?, &NAMES))
        .or_else(|| {
            let choices = list(self::object(object, "raw")?, "choices")?;
            first_text(choices.first()?.as_object()?, &NAMES)
        })
}

/// What an assistant thought, beside its content.
fn reasoning(object: &Object) -> Vec<Part> {
    if let Some(text) = first_text(object, &["reasoning_content", "reasoning", "thinking"]) {
        return vec![Part::Reasoning(Some(text.to_owned()))];
    }
    let blocks = object
        .get("thinking_blocks")
        .or_else(|| object.get("reasoning_details"));
    blocks.map(parts).unwrap_or_default()
}

/// Sound, with what is said in it.
fn spoken(audio: &Object) -> Vec<Part> {
    let mut found = Vec::new();
    if let Some(transcript) = first_text(audio, &["transcript"]) {
        found.push(Part::Text(transcript.to_owned()));
    }
    if let Some(data) = first_text(audio, &["data"]) {
        found.push(media::of_data(data, "audio", None));
    } else if let Some(id) = first_text(audio, &["id"])
        && found.is_empty()
    {
        found.push(media::of_file_id(id, "audio", None));
    }
    found
}

fn result_message(object: &Object) -> Message {
    let content = first(object, &["content", "output", "result"])
        .cloned()
        .unwrap_or_default();
    let id = first_text(object, &["tool_call_id", "id", "call_id"]);
    Message::new(
        Role::Tool,
        vec![tool_result(
            id,
            first_text(object, &["name", "tool_name"]),
            content,
            None,
        )],
    )
}

/// A tool's message, one for each result in it.
fn tool_messages(object: &Object) -> Vec<Message> {
    let content = first(object, &["content", "parts", "blocks"]).unwrap_or(&Value::Null);
    let read = if content.is_string() {
        Vec::new()
    } else {
        parts(content)
    };
    if read.iter().any(|part| matches!(part, Part::Result(_))) {
        return vec![Message::new(Role::Tool, read)];
    }
    let extra = self::object(object, "additional_kwargs").or_else(|| self::object(object, "meta"));
    let id = first_text(object, &["tool_call_id", "id", "call_id"])
        .or_else(|| first_text(extra?, &["tool_call_id"]));
    let name = first_text(object, &["name", "tool_name"]).or_else(|| first_text(extra?, &["name"]));
    let is_error = match object.get("is_error") {
        Some(Value::Bool(is_error)) => Some(*is_error),
        _ => (text(object, "status") == Some("error")).then_some(true),
    };
    vec![Message::new(
        Role::Tool,
        vec![tool_result(id, name, response_of(content), is_error)],
    )]
}

fn of_request(object: &Object) -> Option<Vec<Message>> {
    for key in [
        "messages",
        "chat_history",
        "history",
        "prompts",
        "prompt",
        "chat_prompt",
        "new_messages",
        "message_log",
        "items",
    ] {
        let Some(value) = some(object, key) else {
            continue;
        };
        let found = match value {
            Value::Array(items) => messages(items, &Role::User),
            Value::Object(_) => request(value),
            Value::String(given) => match structure(given) {
                Some(inner) => request(&inner),
                None if key == "prompt" && !given.is_empty() => {
                    Some(vec![Message::new(Role::User, parts(value))])
                }
                None => None,
            },
            _ => None,
        };
        if let Some(mut found) = found.filter(|found| !found.is_empty()) {
            if key == "history" || key == "chat_history" {
                found.extend(latest(object));
            }
            return Some(found);
        }
    }
    // A list of texts for the older completions; smolagents' and other wrappers of arguments.
    if let Some(prompts) =
        list(object, "prompt").filter(|prompts| prompts.iter().all(Value::is_string))
    {
        let prompts = prompts
            .iter()
            .map(|prompt| Message::new(Role::User, parts(prompt)));
        return Some(prompts.collect());
    }
    match list(object, "args")? {
        [prompt @ Value::String(text)] if structure(text).is_none() => {
            Some(vec![Message::new(Role::User, parts(prompt))])
        }
        args => args.iter().find_map(request),
    }
}

/// The newest message, where it is given beside the history.
fn latest(object: &Object) -> Option<Message> {
    let newest = first(object, &["message", "input", "question", "user_msg"])?;
    Some(Message::new(Role::User, parts(newest))).filter(|message| !message.parts.is_empty())
}

fn response(object: &Object) -> Option<Vec<Message>> {
    if let Some(choices) = list(object, "choices") {
        return Some(
            choices
                .iter()
                .filter_map(Value::as_object)
                .map(choice)
                .collect(),
        );
    }
    ["messages", "prompt", "chat_history"]
        .iter()
        .find_map(|key| messages(list(object, key)?, &Role::Assistant))
}

fn choice(choice: &Object) -> Message {
    let inner = first(choice, &["message", "delta"]).and_then(Value::as_object);
    let mut found = match inner {
        Some(inner) => {
            let mut inner = inner.clone();
            inner.entry("role").or_insert_with(|| "assistant".into());
            if inner["role"].is_null() {
                inner["role"] = "assistant".into();
            }
            inner.entry("content").or_insert(Value::Null);
            message(&inner).and_then(|found| found.into_iter().next())
        }
        None => None,
    }
    .unwrap_or_else(|| {
        Message::new(
            Role::Assistant,
            choice.get("text").map(parts).unwrap_or_default(),
        )
    });
    found.finish_reason = first_text(choice, &["finish_reason"])
        .map(str::to_owned)
        .or(found.finish_reason);
    found
}
