//! What a streamed answer was, put together from the events of its chunks. MLflow's
//! own sum of a stream loses calls of tools and refusals, and of some clients
//! everything.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::formats::{parts, response};
use super::value::{Object, decoded, first_text, list, object, some, text};
use crate::model::{Event, Message, Part, Role, Span};

/// The answer that the chunks of a span hold; more than one are alternatives.
pub(super) fn messages(span: &Span) -> Vec<Message> {
    let chunks: Vec<Value> = chunks(span).collect();
    let objects: Vec<&Object> = chunks.iter().filter_map(Value::as_object).collect();
    if let Some(message) = completed(&objects) {
        return vec![message];
    }
    let alternatives: BTreeSet<i64> = objects
        .iter()
        .copied()
        .flat_map(choices)
        .map(index_of)
        .collect();
    if alternatives.is_empty() {
        return of_blocks(&objects).into_iter().collect();
    }
    let messages = alternatives
        .into_iter()
        .filter_map(|at| of_chat(&objects, at));
    messages.collect()
}

fn choices(chunk: &Object) -> impl Iterator<Item = &Object> {
    let choices = list(chunk, "choices").unwrap_or_default();
    choices.iter().filter_map(Value::as_object)
}

/// Which alternative a choice is of.
fn index_of(choice: &Object) -> i64 {
    choice.get("index").and_then(Value::as_i64).unwrap_or(0)
}

/// The JSON of the events of chunks, the event's name in `type` where it has none.
pub(super) fn chunks(span: &Span) -> impl Iterator<Item = Value> {
    span.events.iter().filter_map(|event| {
        let [of_mlflow, of_vendor] = Event::CHUNKS;
        let (key, name) = if event.name.starts_with("mlflow.chunk.item.") {
            (of_mlflow, None)
        } else {
            (of_vendor, Some(event.name.as_str()))
        };
        let value = event.attributes.get(key)?;
        let mut value = decoded(value).into_owned();
        if let (Some(name), Value::Object(object)) = (name, &mut value) {
            object.entry("type").or_insert_with(|| Value::from(name));
        }
        Some(value)
    })
}

/// Whether the chunks tell more than the recorded output.
pub(super) fn is_better(streamed: &[Message], recorded: &[Message]) -> bool {
    if streamed.len() != recorded.len() {
        return streamed.len() > recorded.len();
    }
    streamed
        .iter()
        .zip(recorded)
        .any(|(ours, theirs)| tells_more(ours, theirs))
}

fn tells_more(streamed: &Message, recorded: &Message) -> bool {
    let more = |of: fn(&Part) -> bool| {
        let count = |message: &Message| message.parts.iter().filter(|part| of(part)).count();
        count(streamed) > count(recorded)
    };
    recorded.parts.is_empty() && !streamed.parts.is_empty()
        || more(|part| matches!(part, Part::Call(_)))
        || more(|part| matches!(part, Part::Refusal(_)))
        || more(|part| matches!(part, Part::Reasoning(_)))
        || recorded.finish_reason != streamed.finish_reason
            && streamed.finish_reason.is_some()
            && streamed.parts == recorded.parts
}

/// OpenAI's Responses: the last event has the whole response.
fn completed(chunks: &[&Object]) -> Option<Message> {
    let last = chunks.iter().rev().find_map(|chunk| {
        text(chunk, "type")?
            .starts_with("response.")
            .then_some(())?;
        object(chunk, "response")
            .filter(|inner| list(inner, "output").is_some_and(|items| !items.is_empty()))
    })?;
    response(&Value::Object(last.clone()))?.pop()
}

/// Deltas of OpenAI's chat completions, of one of the alternatives.
fn of_chat(chunks: &[&Object], alternative: i64) -> Option<Message> {
    let mut text_so_far = String::new();
    let mut refusal = String::new();
    let mut thought = String::new();
    let mut calls: Vec<(i64, Map<String, Value>)> = Vec::new();
    let mut finish = None;
    let mut is_chat = false;
    let all = chunks.iter().copied().flat_map(choices);
    for choice in all.filter(|choice| index_of(choice) == alternative) {
        finish = first_text(choice, &["finish_reason"])
            .map(str::to_owned)
            .or(finish);
        let Some(delta) = object(choice, "delta") else {
            continue;
        };
        is_chat = true;
        text_so_far.push_str(text(delta, "content").unwrap_or_default());
        refusal.push_str(text(delta, "refusal").unwrap_or_default());
        let thoughts = ["reasoning_content", "reasoning"];
        thought.push_str(first_text(delta, &thoughts).unwrap_or_default());
        let deltas = list(delta, "tool_calls").unwrap_or_default();
        for call in deltas.iter().filter_map(Value::as_object) {
            add_call(&mut calls, call);
        }
    }
    if !is_chat {
        return None;
    }
    let message = json!({
        "role": "assistant",
        "content": text_so_far,
        "refusal": refusal,
        "reasoning_content": thought,
        "tool_calls": calls.into_iter().map(|(_, call)| Value::Object(call)).collect::<Vec<_>>(),
    });
    let choice = json!({"choices": [{"message": message, "finish_reason": finish}]});
    response(&choice)?.pop()
}

/// A delta of a call: its name comes once, its arguments bit by bit.
fn add_call(calls: &mut Vec<(i64, Map<String, Value>)>, delta: &Object) {
    let next = i64::try_from(calls.len()).unwrap_or(i64::MAX);
    let index = delta.get("index").and_then(Value::as_i64).unwrap_or(next);
    let known = calls.iter().position(|(known, _)| *known == index);
    let at = known.unwrap_or_else(|| {
        calls.push((index, Map::new()));
        calls.len() - 1
    });
    let call = &mut calls[at].1;
    if let Some(id) = first_text(delta, &["id"]) {
        call.insert("id".to_owned(), Value::from(id));
    }
    let function = object(delta, "function").unwrap_or(delta);
    for key in ["name", "arguments"] {
        let so_far = text(call, key).unwrap_or_default().to_owned();
        let more = text(function, key).unwrap_or_default();
        call.insert(key.to_owned(), Value::from(so_far + more));
    }
}

/// Blocks that start, grow and stop: Anthropic's, and Bedrock's with their own names.
fn of_blocks(chunks: &[&Object]) -> Option<Message> {
    let mut blocks: Vec<(i64, Block)> = Vec::new();
    let mut finish = None;
    for chunk in chunks {
        let kind = text(chunk, "type").unwrap_or_default();
        // Bedrock's have the name as the one member in some releases.
        let inner = object(chunk, kind).unwrap_or(chunk);
        let index = first_index(inner);
        match kind {
            "content_block_start" | "contentBlockStart" => {
                let start = object(inner, "content_block").or_else(|| object(inner, "start"));
                block(&mut blocks, index).start = start.cloned().unwrap_or_default();
            }
            "content_block_delta" | "contentBlockDelta" => {
                if let Some(delta) = object(inner, "delta") {
                    block(&mut blocks, index).grow(delta);
                }
            }
            "message_delta" => {
                let delta = object(inner, "delta");
                finish = delta
                    .and_then(|delta| first_text(delta, &["stop_reason"]))
                    .map(str::to_owned)
                    .or(finish);
            }
            "messageStop" => finish = first_text(inner, &["stopReason"]).map(str::to_owned),
            _ => {}
        }
    }
    if blocks.is_empty() {
        return None;
    }
    let content: Vec<Value> = blocks.into_iter().map(|(_, block)| block.whole()).collect();
    let mut found = Message::new(Role::Assistant, parts(&Value::from(content)));
    found.finish_reason = finish;
    Some(found)
}

fn first_index(object: &Object) -> i64 {
    let index = some(object, "index").or_else(|| some(object, "contentBlockIndex"));
    index.and_then(Value::as_i64).unwrap_or(0)
}

fn block(blocks: &mut Vec<(i64, Block)>, index: i64) -> &mut Block {
    let known = blocks.iter().position(|(known, _)| *known == index);
    let at = known.unwrap_or_else(|| {
        blocks.push((index, Block::default()));
        blocks.len() - 1
    });
    &mut blocks[at].1
}

#[derive(Debug, Default)]
struct Block {
    start: Object,
    text: String,
    input: String,
    thought: String,
}

impl Block {
    fn grow(&mut self, delta: &Object) {
        let push = |to: &mut String, key: &str| {
            to.push_str(text(delta, key).unwrap_or_default());
        };
        push(&mut self.text, "text");
        push(&mut self.input, "partial_json");
        push(&mut self.thought, "thinking");
        if let Some(call) = object(delta, "toolUse") {
            self.input.push_str(text(call, "input").unwrap_or_default());
        }
        if let Some(thought) = object(delta, "reasoningContent") {
            self.thought
                .push_str(text(thought, "text").unwrap_or_default());
        }
    }

    fn whole(mut self) -> Value {
        let input = if self.input.is_empty() {
            json!({})
        } else {
            crate::json::parse_value(&self.input).unwrap_or_else(|| Value::from(self.input.clone()))
        };
        if let Some(Value::Object(call)) = self.start.get_mut("toolUse") {
            call.insert("input".to_owned(), input);
            return Value::Object(self.start);
        }
        if text(&self.start, "type").is_some_and(|kind| kind.ends_with("tool_use")) {
            self.start.insert("input".to_owned(), input);
            return Value::Object(self.start);
        }
        if !self.thought.is_empty() {
            return json!({"type": "thinking", "thinking": self.thought});
        }
        if text(&self.start, "type").is_some_and(|kind| kind != "text") {
            return Value::Object(self.start);
        }
        let start = text(&self.start, "text").unwrap_or_default();
        json!({"type": "text", "text": format!("{start}{}", self.text)})
    }
}
