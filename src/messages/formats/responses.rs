//! OpenAI's Responses API, and the Agents SDK that is built on it: lists of items
//! of many kinds.

use serde_json::{Value, json};

use super::chat::{response_of, tool_result};
use super::{Format, messages, parts};
use crate::messages::media;
use crate::messages::value::{Object, decoded, first, first_text, kind, list, object, some, text};
use crate::model::{Message, Part, Role, ToolCall};

pub(super) const FORMAT: Format = Format {
    part,
    message,
    request,
    response,
};

fn part(object: &Object) -> Option<Vec<Part>> {
    let name = first_text(object, &["filename"]);
    let one = match kind(object) {
        "input_text" | "output_text" | "summary_text" | "reasoning_text" => {
            Part::Text(text(object, "text")?.to_owned())
        }
        "input_image" => media_of(object, "image_url", "image", name)?,
        "input_file" => {
            let key = if some(object, "file_data").is_some() {
                "file_data"
            } else {
                "file_url"
            };
            media_of(object, key, "file", name)?
        }
        // Items may stand among the content of other formats.
        _ => return item(object).map(|(_, parts)| parts),
    };
    Some(vec![one])
}

fn media_of(object: &Object, key: &str, kind: &str, name: Option<&str>) -> Option<Part> {
    if let Some(address) = first_text(object, &[key]) {
        return Some(if key == "file_data" {
            media::of_data(address, kind, name)
        } else {
            media::of_address(address, kind, name)
        });
    }
    first_text(object, &["file_id"]).map(|id| media::of_file_id(id, kind, name))
}

fn reasoning(object: &Object) -> Part {
    let texts = |key: &str| -> Vec<&str> {
        let items = list(object, key).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| item.as_str().or_else(|| text(item.as_object()?, "text")))
            .filter(|text| !text.is_empty())
            .collect()
    };
    let summary = texts("summary");
    let shown = if summary.is_empty() {
        texts("content")
    } else {
        summary
    };
    Part::Reasoning((!shown.is_empty()).then(|| shown.join("\n\n")))
}

fn call(object: &Object, name: &str, arguments: &Value) -> Part {
    Part::Call(ToolCall {
        id: first_text(object, &["call_id", "id"]).map(str::to_owned),
        name: name.to_owned(),
        arguments: decoded(arguments).into_owned(),
    })
}

fn result(object: &Object, name: Option<&str>, response: Value, is_error: Option<bool>) -> Part {
    tool_result(
        first_text(object, &["call_id", "id"]),
        name,
        response,
        is_error,
    )
}

/// The parts of an item that is no message, and who says it.
fn item(object: &Object) -> Option<(Role, Vec<Part>)> {
    let null = Value::Null;
    let member = |keys: &[&str]| first(object, keys).unwrap_or(&null);
    let of_model = |parts: Vec<Part>| Some((Role::Assistant, parts));
    match kind(object) {
        "function_call" | "custom_tool_call" if object.contains_key("name") => {
            let name = text(object, "name").unwrap_or_default();
            of_model(vec![call(object, name, member(&["arguments", "input"]))])
        }
        "function_call_output"
        | "custom_tool_call_output"
        | "local_shell_call_output"
        | "computer_call_output"
        | "shell_call_output"
        | "apply_patch_call_output" => {
            let output = response_of(member(&["output"]));
            Some((Role::Tool, vec![result(object, None, output, None)]))
        }
        "reasoning"
            if object.contains_key("summary") || object.contains_key("encrypted_content") =>
        {
            of_model(vec![reasoning(object)])
        }
        "web_search_call" => of_model(vec![call(object, "web_search", member(&["action"]))]),
        "file_search_call" => {
            let queries = json!({"queries": member(&["queries"])});
            let mut found = vec![call(object, "file_search", &queries)];
            if let Some(results) = some(object, "results") {
                found.push(result(object, Some("file_search"), results.clone(), None));
            }
            of_model(found)
        }
        "code_interpreter_call" => {
            let code = json!({"code": member(&["code"])});
            let mut found = vec![call(object, "code_interpreter", &code)];
            if let Some(outputs) = some(object, "outputs") {
                found.push(result(
                    object,
                    Some("code_interpreter"),
                    outputs.clone(),
                    None,
                ));
            }
            of_model(found)
        }
        "image_generation_call" => {
            let prompt = json!({"prompt": member(&["revised_prompt"])});
            let mut found = vec![call(object, "image_generation", &prompt)];
            if let Some(image) = first_text(object, &["result"]) {
                found.push(media::of_data(image, "image/png", None));
            }
            of_model(found)
        }
        "mcp_call" => {
            let name = text(object, "name").unwrap_or_default();
            let mut found = vec![call(object, name, member(&["arguments"]))];
            if let Some(error) = some(object, "error") {
                found.push(result(object, Some(name), error.clone(), Some(true)));
            } else if let Some(output) = some(object, "output") {
                found.push(result(object, Some(name), output.clone(), None));
            }
            of_model(found)
        }
        "computer_call" | "local_shell_call" | "shell_call" | "apply_patch_call" => {
            let name = kind(object).trim_end_matches("_call");
            of_model(vec![call(object, name, member(&["action", "operation"]))])
        }
        _ => None,
    }
}

fn message(object: &Object) -> Option<Vec<Message>> {
    if let Some((role, parts)) = item(object) {
        return Some(vec![Message::new(role, parts)]);
    }
    (kind(object) == "message" && object.contains_key("role")).then(|| {
        let role = Role::parse(text(object, "role").unwrap_or_default());
        let content = object.get("content").map(parts).unwrap_or_default();
        vec![Message::new(role, content)]
    })
}

/// Neighbouring items of the model are one message.
fn merged(items: Vec<Message>) -> Vec<Message> {
    let mut found: Vec<Message> = Vec::new();
    for item in items {
        match found.last_mut() {
            Some(last) if last.role == Role::Assistant && item.role == Role::Assistant => {
                last.parts.extend(item.parts);
            }
            _ => found.push(item),
        }
    }
    found
}

fn request(object: &Object) -> Option<Vec<Message>> {
    let input = some(object, "input")?;
    // Members that are no call's are those of a function called with `input`.
    let is_call = [
        "model",
        "instructions",
        "previous_response_id",
        "tools",
        "stream",
    ]
    .iter()
    .any(|key| object.contains_key(*key));
    let mut found: Vec<Message> = first_text(object, &["instructions"])
        .map(|text| Message::new(Role::System, vec![Part::Text(text.to_owned())]))
        .into_iter()
        .collect();
    match input {
        Value::Array(items) => found.extend(merged(messages(items, &Role::User)?)),
        Value::String(_) if is_call => found.push(Message::new(Role::User, parts(input))),
        _ => return None,
    }
    Some(found)
}

fn response(object: &Object) -> Option<Vec<Message>> {
    let items = list(object, "output")?;
    let mut found = match messages(items, &Role::Assistant) {
        Some(found) => merged(found),
        None if items.is_empty() && text(object, "object") == Some("response") => {
            vec![Message::new(Role::Assistant, Vec::new())]
        }
        None => return None,
    };
    let reason = self::object(object, "incomplete_details")
        .and_then(|details| text(details, "reason"))
        .or_else(|| text(object, "status"));
    if let Some(last) = found.last_mut() {
        last.finish_reason = reason.map(str::to_owned);
    }
    Some(found)
}
