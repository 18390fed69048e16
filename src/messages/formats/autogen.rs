//! AutoGen: a chat of participants, with events for the calls of tools.

use serde_json::Value;

use super::chat::{response_of, tool_call, tool_result};
use super::{Format, messages, parts};
use crate::messages::value::{Object, first_text, kind, list, object, text};
use crate::model::{Message, Part, Role};

pub(super) const FORMAT: Format = Format {
    part: |_| None,
    message,
    request: |_| None,
    response,
};

fn message(from: &Object) -> Option<Vec<Message>> {
    let source = text(from, "source")?;
    let content = from.get("content")?;
    let said = |role: Role, parts: Vec<Part>| {
        let mut message = Message::new(role, parts);
        message.name = Some(source.to_owned());
        Some(vec![message])
    };
    let is_user = source.eq_ignore_ascii_case("user") || source.ends_with("_user");
    let speaker = || if is_user { Role::User } else { Role::Assistant };
    match kind(from) {
        "ToolCallRequestEvent" => {
            let calls = content.as_array()?.iter().filter_map(Value::as_object);
            said(Role::Assistant, calls.map(tool_call).collect())
        }
        "ToolCallExecutionEvent" => {
            let results = content.as_array()?.iter().filter_map(Value::as_object);
            let results = results.map(|result| {
                let failed = result.get("is_error").and_then(Value::as_bool);
                tool_result(
                    first_text(result, &["call_id"]),
                    first_text(result, &["name"]),
                    response_of(result.get("content").unwrap_or(&Value::Null)),
                    failed.filter(|failed| *failed),
                )
            });
            said(Role::Tool, results.collect())
        }
        // It repeats the results of the tools.
        "ToolCallSummaryMessage" => Some(Vec::new()),
        "ThoughtEvent" => said(
            Role::Assistant,
            vec![Part::Reasoning(content.as_str().map(str::to_owned))],
        ),
        "SystemMessage" => said(Role::System, parts(content)),
        "UserMessage" => said(Role::User, parts(content)),
        "AssistantMessage" => said(Role::Assistant, parts(content)),
        "" => None,
        name if name.ends_with("Message") || name.ends_with("Event") => {
            said(speaker(), parts(content))
        }
        _ => None,
    }
}

fn response(from: &Object) -> Option<Vec<Message>> {
    let last = message(object(from, "chat_message")?)?;
    let inner = list(from, "inner_messages").unwrap_or_default();
    let mut found = messages(inner, &Role::Assistant).unwrap_or_default();
    found.extend(last);
    Some(found)
}
