//! What the user said last and what the answer was, in previews of a request and a
//! response. Previews are the root span's inputs and outputs in the shape of the library
//! that was called, often cut in the middle; of a conversation only its last question tells
//! requests apart. What is not shaped like a chat has nothing to find, and stays as it is.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::formats;
use crate::model::{Message, Part, Role};

/// What holds a conversation, or a single turn of one.
const CONVERSATIONS: [&str; 3] = ["messages", "contents", "input"];
/// What single questions are called.
const QUESTIONS: [&str; 16] = [
    "question",
    "query",
    "q",
    "prompt",
    "user_prompt",
    "user_msg",
    "user_message",
    "user_input",
    "message",
    "new_message",
    "task",
    "text",
    "input_text",
    "str_or_query_bundle",
    "query_str",
    "content",
];
/// What single answers are called.
const ANSWERS: [&str; 6] = ["answer", "response", "output", "result", "text", "raw"];
/// What wraps the arguments of a call.
const WRAPPERS: [&str; 5] = ["inputs", "body", "args", "kwargs", "request"];
/// Deeper is no shape of a request.
const DEEPEST: usize = 8;

/// The last message of the user in a request; `None` where there is none to be found.
pub fn asked(request: &str) -> Option<Cow<'_, str>> {
    found(request, |value, _| said(value, DEEPEST))
}

/// The text of the answer in a response, or the tools that it calls; `None` where there is
/// neither, and where the answer may have been cut away.
pub fn answered(response: &str) -> Option<Cow<'_, str>> {
    found(response, |value, is_cut| answer(value, is_cut, DEEPEST))
}

/// What is found in a preview, with a mark where some of it was cut away.
fn found(preview: &str, find: impl Fn(&Value, bool) -> Option<String>) -> Option<Cow<'_, str>> {
    let preview = preview.trim();
    if !preview.starts_with(['{', '[', '"']) {
        return (!preview.is_empty() && preview != "null").then_some(Cow::Borrowed(preview));
    }
    let (value, cut) = match serde_json::from_str(preview) {
        Ok(value) => (value, false),
        Err(_) => (serde_json::from_str(&completed(preview)?).ok()?, true),
    };
    let text = find(&value, cut)?;
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    // What was cut away may have held a later message.
    let mark = if cut && !text.ends_with('…') {
        "…"
    } else {
        ""
    };
    Some(Cow::Owned(format!("{text}{mark}")))
}

fn answer(value: &Value, is_cut: bool, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    if let Value::String(text) = value {
        let inner = text.trim_start().starts_with(['{', '[']);
        let inner = inner.then(|| serde_json::from_str(text).ok()).flatten();
        return match inner {
            Some(inner) => answer(&inner, is_cut, depth),
            None => Some(text.clone()),
        };
    }
    if let Some(messages) = formats::response(value) {
        // Answers alone are alternatives; in a state of messages the last one is the answer.
        let mut answers = messages.iter().filter(|m| m.role == Role::Assistant);
        return if messages.iter().all(|m| m.role == Role::Assistant) {
            answers.find_map(spoken)
        } else {
            answers.rev().find_map(spoken).filter(|_| !is_cut)
        };
    }
    let object = value.as_object()?;
    let mut told = object.values().filter(|value| !value.is_null());
    match (told.next(), told.next()) {
        (Some(only), None) => answer(only, is_cut, depth),
        _ => ANSWERS
            .iter()
            .filter_map(|key| object.get(*key)?.as_str())
            .find(|text| !text.is_empty())
            .map(str::to_owned),
    }
}

/// What a message says, or which tools it calls.
fn spoken(message: &Message) -> Option<String> {
    let texts: Vec<&str> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) | Part::Refusal(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    if !texts.is_empty() {
        return Some(texts.join(" "));
    }
    let calls: Vec<String> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Call(call) => Some(format!("{}({})", call.shown_name(), call.arguments)),
            _ => None,
        })
        .collect();
    (!calls.is_empty()).then(|| calls.join(", "))
}

fn said(value: &Value, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => {
            // Some libraries keep the JSON of a request as text.
            if text.trim_start().starts_with(['{', '['])
                && let Ok(inner) = serde_json::from_str(text)
            {
                return said(&inner, depth);
            }
            Some(text.clone())
        }
        Value::Array(items) if items.iter().any(is_message) => items
            .iter()
            .rev()
            .filter(|item| is_users(item))
            .find_map(message_text),
        Value::Array(items) => {
            let text = parts_text(items);
            text.or_else(|| items.iter().rev().find_map(|item| said(item, depth)))
        }
        Value::Object(object) if is_message(value) => is_users(value)
            .then(|| message_text(value))
            .flatten()
            .or_else(|| in_object(object, depth)),
        Value::Object(object) => in_object(object, depth),
        _ => None,
    }
}

fn in_object(object: &Map<String, Value>, depth: usize) -> Option<String> {
    let known = CONVERSATIONS.iter().chain(&QUESTIONS).chain(&WRAPPERS);
    let known = known.filter_map(|key| object.get(*key));
    if let Some(found) = known.into_iter().find_map(|value| said(value, depth)) {
        return Some(found);
    }
    // Pipelines have the arguments of each component under its name.
    let nested = object.values().filter(|value| value.is_object());
    nested.into_iter().find_map(|value| said(value, depth))
}

fn word<'a>(message: &'a Value, key: &str) -> Option<&'a str> {
    message.get(key)?.as_str()
}

/// Whether it is a turn of a conversation, whoever spoke.
fn is_message(value: &Value) -> bool {
    let has = |key| value.get(key).is_some();
    let content = has("content") || has("parts") || has("blocks");
    let speaker = has("role")
        || word(value, "kind").is_some_and(|kind| matches!(kind, "request" | "response"))
        || word(value, "type").is_some_and(|kind| {
            matches!(
                kind,
                "human" | "ai" | "system" | "tool" | "AIMessageChunk" | "chat"
            )
        });
    content && speaker
}

fn is_users(message: &Value) -> bool {
    match word(message, "role").or_else(|| word(message, "type")) {
        Some(role) => matches!(role, "user" | "human"),
        None => word(message, "kind") == Some("request"),
    }
}

fn message_text(message: &Value) -> Option<String> {
    ["content", "parts", "blocks"]
        .iter()
        .filter_map(|key| message.get(*key))
        .find_map(|content| match content {
            Value::String(text) => Some(text.clone()),
            Value::Array(parts) => parts_text(parts),
            part => part_text(part).map(str::to_owned),
        })
}

/// The texts among the parts of a message; results of tools and media are none.
fn parts_text(parts: &[Value]) -> Option<String> {
    let texts: Vec<&str> = parts.iter().filter_map(part_text).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

fn part_text(part: &Value) -> Option<&str> {
    if let Value::String(text) = part {
        return Some(text);
    }
    let kind = word(part, "part_kind").or_else(|| word(part, "type"));
    match kind.or_else(|| word(part, "block_type")) {
        Some("text" | "input_text") | None => {
            word(part, "text").or_else(|| kind.and_then(|_| word(part, "content")))
        }
        Some("user-prompt") => word(part, "content"),
        Some(_) => None,
    }
}

/// A JSON text of which the end was cut off, with what is open closed again and
/// without what was only begun.
fn completed(text: &str) -> Option<String> {
    let text = text
        .strip_suffix("...")
        .or(text.strip_suffix('…'))
        .unwrap_or(text);
    // The closing brackets that are due, and where the last complete value ends.
    let (mut due, mut end) = (Vec::new(), 0);
    // Where a string began that has not ended, and whether it is a value.
    let mut string: Option<bool> = None;
    let (mut escaped, mut last) = (false, ' ');
    let mut escape_at = None;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(is_value) = string {
            match byte {
                _ if escaped => {
                    escaped = false;
                    if byte == b'u' {
                        escape_at = Some(at - 1);
                    }
                }
                b'\\' => escaped = true,
                b'"' => {
                    string = None;
                    last = '"';
                    if is_value {
                        end = at + 1;
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => string = Some(last == ':' || (due.last() == Some(&']'))),
            b'{' | b'[' => {
                due.push(if byte == b'{' { '}' } else { ']' });
                end = at + 1;
            }
            b'}' | b']' => {
                due.pop()?;
                end = at + 1;
            }
            b',' => end = at,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            last = char::from(byte);
        }
    }
    let closing: String = due.iter().rev().collect();
    if string == Some(true) {
        // An escape may be cut, too.
        let mut cut = text.len() - usize::from(escaped);
        if let Some(at) = escape_at.filter(|at| cut - at < 6) {
            cut = at;
        }
        return Some(format!("{}\"{closing}", &text[..cut]));
    }
    Some(format!("{}{closing}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_question_is_found_in_every_shape() {
        for request in [
            "Why?",
            r#""Why?""#,
            r#"{"question": "Why?", "history": []}"#,
            r#"{"model": "m", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What?"},
                {"role": "assistant", "content": "That."}, {"role": "user", "content": "Why?"}], "temperature": 0}"#,
            r#"{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "Why?"}]}]}"#,
            r#"{"system": "s", "messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": [{"type": "tool_use", "name": "t", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "3"}]}]}"#,
            r#"{"model": "gemini", "contents": "Why?"}"#,
            r#"{"contents": [{"role": "user", "parts": [{"text": "Why?", "thought": null}]}, {"role": "model", "parts": [{"function_call": {"name": "t"}}]},
                {"role": "user", "parts": [{"function_response": {"name": "t", "response": {"result": "3"}}}]}]}"#,
            r#"{"contents": [{"inline_data": {"data": "x"}}, "Why?"]}"#,
            r#"[[{"type": "system", "content": "s"}, {"type": "human", "content": "Why?"}]]"#,
            r#"{"history": [{"type": "human", "content": "What?"}], "q": "Why?"}"#,
            r#"{"instructions": "i", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Why?"}]}, {"type": "function_call", "name": "t"}]}"#,
            r#"{"input": "Why?", "previous_response_id": "r"}"#,
            r#"[{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}]"#,
            r#""[{\"role\": \"user\", \"parts\": [{\"type\": \"text\", \"content\": \"Why?\"}]}]""#,
            r#"{"messages": [{"role": "user", "blocks": [{"block_type": "text", "text": "Why?"}]}]}"#,
            r#"{"messages": [{"kind": "request", "parts": [{"part_kind": "system-prompt", "content": "s"}, {"part_kind": "user-prompt", "content": "Why?"}]}]}"#,
            r#"{"llm": {"messages": [{"role": "user", "meta": {}, "content": [{"text": "Why?"}]}], "tools": null}}"#,
            r#"{"args": [[{"role": "user", "content": [{"type": "text", "text": "Why?"}]}]]}"#,
            r#"{"modelId": "a", "body": "{\"max_tokens\": 5, \"messages\": [{\"role\": \"user\", \"content\": \"Why?\"}]}"}"#,
            r#"{"recipient": "desk", "cache": null, "message": "Why?", "kwargs": {}}"#,
            r#"{"user_prompt": ["Why?", {"url": "https://example.org/x.png", "kind": "image-url"}]}"#,
        ] {
            assert_eq!(asked(request).as_deref(), Some("Why?"), "{request}");
        }
    }

    #[test]
    fn the_answer_is_found_in_every_shape() {
        for response in [
            "Because.",
            r#""Because.""#,
            r#"{"answer": "Because.", "sources": [1]}"#,
            r#"{"choices": [{"message": {"role": "assistant", "content": "Because."}}, {"message": {"role": "assistant", "content": "Ask."}}]}"#,
            r#"{"id": "m", "type": "message", "role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Because."}]}"#,
            r#"{"candidates": [{"content": {"parts": [{"text": "Because.", "thought": null}], "role": "model"}}], "model_version": "g"}"#,
            r#"{"messages": [{"type": "human", "content": "Why?"}, {"type": "ai", "content": ""}, {"type": "ai", "content": "Because."}]}"#,
            r#"{"agent": {"messages": [{"role": "user", "content": [{"text": "Why?"}]}, {"role": "assistant", "content": [{"text": "Because."}]}]}}"#,
            r#"{"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Because."}]}]}"#,
        ] {
            assert_eq!(
                answered(response).as_deref(),
                Some("Because."),
                "{response}"
            );
        }
        assert_eq!(
            answered(r#"{"choices": [{"message": {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{\"a\": 1}"}}]}}]}"#).as_deref(),
            Some(r#"look({"a":1})"#)
        );
        assert_eq!(
            answered(r#"{"choices": [{"message": {"role": "assistant", "content": "Beca..."#)
                .as_deref(),
            Some("Beca…")
        );
        // Of a state that was cut the answer may not be there.
        let cut = r#"{"messages": [{"type": "human", "content": "Why?"}, {"type": "ai", "content": "Let me see."}, {"type": "ai", "cont..."#;
        assert_eq!(answered(cut), None);
        for response in [
            "",
            "[1, 2]",
            r#"{"order": 17, "reviews": ["a"]}"#,
            "{broken}",
            "null",
        ] {
            assert_eq!(answered(response), None, "{response}");
        }
    }

    #[test]
    fn what_is_no_chat_stays_as_it_is() {
        for request in [
            "",
            r#"{"order": 17, "reviews": ["a", "b"]}"#,
            "[1, 2]",
            r#"{"messages": []}"#,
            r#"{"messages": [{"role": "assistant", "content": "Hello"}]}"#,
            r#"{"prompt": null}"#,
            "{broken}",
            "[",
            r#""""#,
        ] {
            assert_eq!(asked(request), None, "{request}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(asked(&deep), None);
    }

    #[test]
    fn a_request_that_was_cut_keeps_what_there_is() {
        let whole = r#"{"messages": [{"role": "system", "content": "Be \u00e4 brief."}, {"role": "user", "content": "Why \u00e4?"}], "stop": [1, 2]}"#;
        for end in (1..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            for mark in ["", "..."] {
                let cut = format!("{}{mark}", &whole[..end]);
                let text = asked(&cut);
                let begun = text.as_deref().unwrap_or("…");
                assert!(
                    begun.ends_with('…')
                        && "Why ä?".starts_with(begun[..begun.len() - '…'.len_utf8()].trim_end()),
                    "{cut}: {begun}"
                );
            }
        }
        assert_eq!(
            asked(r#"{"messages": [{"role": "user", "content": "Wh..."#).as_deref(),
            Some("Wh…")
        );
    }
}
