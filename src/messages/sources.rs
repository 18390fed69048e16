//! Where a span keeps what was said. MLflow's translation of OpenTelemetry's
//! attributes loses content, so the original attributes and events come first, then
//! the inputs and outputs.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::formats::{messages, parts, request, response};
use super::stream;
use super::value::{Object, attribute, decoded, first, first_text, structure};
use crate::model::attribute as attribute_key;
use crate::model::{Message, Part, Role, Span, is_repr};

/// What a call was given and gave back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    /// What the model was given, the whole history mostly, which the next call is given
    /// again: whoever reads many calls may share the messages between them.
    pub input: Vec<Arc<Message>>,
    /// What it gave back; more than one are alternatives.
    pub output: Vec<Message>,
    /// The attribute or events that the input comes from.
    pub input_source: Option<&'static str>,
    /// The same of the output.
    pub output_source: Option<&'static str>,
}

impl Content {
    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty() && self.output.is_empty()
    }
}

type Found = (Option<Vec<Message>>, Option<Vec<Message>>);

/// Reads what a span was given and gave back.
type Source = fn(&Span) -> Found;

/// In the order of preference.
const SOURCES: [(Names, Source); 8] = [
    (("llm.input_messages", "llm.output_messages"), openinference),
    (("gen_ai.prompt.N", "gen_ai.completion.N"), openllmetry),
    (
        ("gen_ai.input.messages", "gen_ai.output.messages"),
        conventions,
    ),
    (("gen_ai.*.message", "gen_ai.choice"), message_events),
    (
        ("gen_ai.content.prompt", "gen_ai.content.completion"),
        content_events,
    ),
    (("gen_ai.prompt", "gen_ai.completion"), whole_attributes),
    (
        ("mlflow.chat.messages", "mlflow.chat.messages"),
        chat_messages,
    ),
    (("attributes", "attributes"), vendors),
];

/// What the input and the output are read from.
type Names = (&'static str, &'static str);

const PAYLOADS: Names = (attribute_key::INPUTS, attribute_key::OUTPUTS);

/// What the first of the sources have that have anything.
fn of_sources(span: &Span) -> Content {
    let mut found = Content::default();
    for (names, source) in SOURCES {
        let (input, output) = source(span);
        take(&mut found, names, input, output);
        if !found.input.is_empty() && !found.output.is_empty() {
            break;
        }
    }
    found
}

/// Reads what was said in a call. What is in no known format is not there.
pub fn read(span: &Span) -> Content {
    let mut found = of_sources(span);
    let input = span.inputs().filter(|_| found.input.is_empty());
    let output = span.outputs().filter(|_| found.output.is_empty());
    let (input, output) = payloads(input, output);
    take(&mut found, PAYLOADS, input, output);
    let streamed = stream::messages(span);
    if stream::is_better(&streamed, &found.output) {
        found.output = streamed;
        found.output_source = Some("chunks");
    }
    drop_echo(&mut found);
    found
}

/// The messages in the inputs and outputs of a span that is no call, where these are
/// messages and not only texts.
pub fn read_lists(span: &Span) -> Content {
    let read = |payload: Option<&str>, reader: fn(&Value) -> Option<Vec<Message>>| {
        let value = crate::json::parse_value(payload?)?;
        if value.is_string()
            || value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string))
        {
            return None;
        }
        reader(&value)
    };
    let mut found = of_sources(span);
    let lists = (read(span.inputs(), request), read(span.outputs(), response));
    take(&mut found, PAYLOADS, lists.0, lists.1);
    drop_echo(&mut found);
    found
}

/// Whether the outputs are messages, be they an echo of the inputs.
pub fn reads_output(span: &Span) -> bool {
    let value = span.outputs().and_then(crate::json::parse_value);
    value.is_some_and(|value| value.as_object().is_some() && response(&value).is_some())
}

fn take(
    found: &mut Content,
    names: Names,
    input: Option<Vec<Message>>,
    output: Option<Vec<Message>>,
) {
    if found.input.is_empty()
        && let Some(input) = input
    {
        found.input_source = (!input.is_empty()).then_some(names.0);
        found.input = input.into_iter().map(Arc::new).collect();
    }
    if found.output.is_empty()
        && let Some(output) = output
    {
        found.output_source = (!output.is_empty()).then_some(names.1);
        found.output = output;
    }
}

/// Some clients give back the history with the answer.
fn drop_echo(found: &mut Content) {
    if found.input.is_empty() {
        return;
    }
    // A system prompt may have come in between.
    let same = |a: &Message, b: &Message| a.role == b.role && a.parts == b.parts;
    let mut given = found.input.iter().peekable();
    let mut end = 0;
    for (at, message) in found.output.iter().enumerate() {
        let Some(next) = given.peek() else { break };
        if same(next, message) {
            given.next();
            end = at + 1;
        }
    }
    if given.peek().is_none() {
        found.input = found.output.drain(..end).map(Arc::new).collect();
    }
}

/// The inputs and outputs, in whatever shape they are.
fn payloads(input: Option<&str>, output: Option<&str>) -> Found {
    let value =
        |raw: &str| crate::json::parse_value(raw).unwrap_or_else(|| Value::String(raw.to_owned()));
    let input = input
        .map(value)
        .and_then(|value| request(&value).or_else(|| plain_text(&value, Role::User)));
    let output = output
        .map(value)
        .and_then(|value| response(&value).or_else(|| plain_text(&value, Role::Assistant)));
    (input, output)
}

/// A text by itself is what somebody said, unless Python printed an object.
fn plain_text(value: &Value, role: Role) -> Option<Vec<Message>> {
    let text = value.as_str()?;
    let is_said = !text.is_empty() && !is_repr(text) && structure(text).is_none();
    is_said.then(|| vec![Message::new(role, parts(value))])
}

/// The objects that dotted keys draw, as a list: `prefix.0.role`, `prefix.1.role`.
pub(super) fn drawn(span: &Span, prefix: &str) -> Option<Vec<Value>> {
    let mut root = Map::new();
    for (key, raw) in &span.attributes {
        let Some(path) = key
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('.'))
        else {
            continue;
        };
        if !path.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let value = crate::json::parse_value(raw).unwrap_or_else(|| Value::String(raw.clone()));
        let steps: Vec<&str> = path.split('.').collect();
        if steps.len() <= DEEPEST {
            draw(&mut root, &steps, value);
        }
    }
    (!root.is_empty()).then(|| match listed(Value::Object(root)) {
        Value::Array(items) => items,
        other => vec![other],
    })
}

/// Steps of a dotted key; the conventions have at most 8.
const DEEPEST: usize = 16;

fn draw(object: &mut Object, steps: &[&str], value: Value) {
    match steps {
        [] => {}
        [last] => {
            object.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let inner = object
                .entry((*first).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                draw(inner, rest, value);
            }
        }
    }
}

/// Objects whose keys are all numbers become lists in the order of these.
fn listed(value: Value) -> Value {
    let Value::Object(object) = value else {
        return value;
    };
    let numbered = !object.is_empty() && object.keys().all(|key| key.parse::<u32>().is_ok());
    let inner = object.into_iter().map(|(key, value)| (key, listed(value)));
    if !numbered {
        return Value::Object(inner.collect());
    }
    let mut items: Vec<(u32, Value)> = inner
        .filter_map(|(key, value)| Some((key.parse().ok()?, value)))
        .collect();
    items.sort_by_key(|(at, _)| *at);
    items.into_iter().map(|(_, value)| value).collect()
}

fn openinference(span: &Span) -> Found {
    let read = |prefix: &str, role: Role| messages(&drawn(span, prefix)?, &role);
    (
        read("llm.input_messages", Role::User),
        read("llm.output_messages", Role::Assistant),
    )
}

/// OpenLLMetry up to 0.49: contents may be JSON texts of lists of parts.
fn openllmetry(span: &Span) -> Found {
    let read = |prefix: &str, role: &str| {
        let mut found: Vec<Message> = Vec::new();
        for item in drawn(span, prefix)? {
            let Value::Object(mut item) = item else {
                found.extend(one(&item, role));
                continue;
            };
            let thought = first_text(&item, &["role"]) == Some("thinking");
            if thought || !item.contains_key("role") {
                item.insert("role".to_owned(), Value::from(role));
            }
            let content = item
                .get("content")
                .map(|content| decoded(content).into_owned());
            let content = content
                .filter(Value::is_array)
                .or_else(|| item.remove("content"));
            item.insert("content".to_owned(), content.unwrap_or_default());
            if let Some(reasoning) = item.remove("reasoning") {
                item.insert("reasoning_content".to_owned(), reasoning);
            }
            let item = Value::Object(item);
            let mut read = one(&item, role);
            if thought {
                for part in read.iter_mut().flat_map(|message| &mut message.parts) {
                    if let Part::Text(text) = part {
                        *part = Part::Reasoning(Some(std::mem::take(text)));
                    }
                }
            }
            // What the model thought stands before what it said in the same answer.
            match found.last_mut() {
                Some(last) if is_thought_alone(last) && read.len() == 1 => {
                    let said = read.remove(0);
                    last.parts.extend(said.parts);
                    last.finish_reason = said.finish_reason;
                }
                _ => found.extend(read),
            }
        }
        Some(found)
    };
    (
        read("gen_ai.prompt", "user"),
        read("gen_ai.completion", "assistant"),
    )
}

/// A message, whatever it is: what is none is said by whom it would be.
fn one(item: &Value, role: &str) -> Vec<Message> {
    let role = Role::parse(role);
    messages(std::slice::from_ref(item), &role)
        .unwrap_or_else(|| vec![Message::new(role, parts(item))])
}

fn is_thought_alone(message: &Message) -> bool {
    message.role == Role::Assistant
        && !message.parts.is_empty()
        && message
            .parts
            .iter()
            .all(|part| matches!(part, Part::Reasoning(_)))
}

/// The attributes of OpenTelemetry's conventions, or the event that holds the same.
fn conventions(span: &Span) -> Found {
    let event = span.events.iter().find(|event| {
        event.attributes.contains_key("gen_ai.input.messages")
            || event.attributes.contains_key("gen_ai.output.messages")
    });
    let value = |key: &str| {
        attribute(span, key).or_else(|| {
            let value = event?.attributes.get(key)?;
            Some(decoded(value).into_owned())
        })
    };
    let system = value("gen_ai.system_instructions")
        .map(|system| Message::new(Role::System, parts(&system)))
        .filter(|system| !system.parts.is_empty());
    let read = |key: &str, role: Role| match value(key)? {
        Value::Array(items) => messages(&items, &role),
        // A text that was cut is no JSON any more.
        text @ Value::String(_) => Some(vec![Message::new(role, parts(&text))]),
        other => request(&other),
    };
    let mut input = read("gen_ai.input.messages", Role::User);
    if let Some(system) = system {
        input.get_or_insert_default().insert(0, system);
    }
    (input, read("gen_ai.output.messages", Role::Assistant))
}

/// An event for each message, as the conventions of 2024 have it.
fn message_events(span: &Span) -> Found {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    for event in &span.events {
        let role = match event.name.as_str() {
            "gen_ai.system.message" => "system",
            "gen_ai.user.message" => "user",
            "gen_ai.assistant.message" | "gen_ai.choice" => "assistant",
            "gen_ai.tool.message" => "tool",
            _ => continue,
        };
        let mut from = event.attributes.clone();
        if let Some(inner) = from.get("message").map(|inner| decoded(inner).into_owned()) {
            match inner {
                Value::Object(inner) => from.extend(inner),
                other => {
                    from.insert("content".to_owned(), other);
                }
            }
        }
        let content = from
            .get("content")
            .map(|content| match decoded(content).into_owned() {
                list @ Value::Array(_) => list,
                _ => content.clone(),
            });
        from.insert("content".to_owned(), content.unwrap_or_default());
        if !from.get("role").is_some_and(Value::is_string) {
            from.insert("role".to_owned(), Value::from(role));
        }
        let read = one(&Value::Object(from), role);
        if event.name == "gen_ai.choice" {
            output.extend(read);
        } else {
            input.extend(read);
        }
    }
    (some(input), some(output))
}

fn some(messages: Vec<Message>) -> Option<Vec<Message>> {
    (!messages.is_empty()).then_some(messages)
}

/// Two events, of the prompt and of the completion.
fn content_events(span: &Span) -> Found {
    let read = |name: &str, key: &str, role: Role| {
        let event = span.events.iter().find(|event| event.name == name)?;
        whole(first(&event.attributes, &[key])?, &role)
    };
    (
        read("gen_ai.content.prompt", "gen_ai.prompt", Role::User),
        read(
            "gen_ai.content.completion",
            "gen_ai.completion",
            Role::Assistant,
        ),
    )
}

fn whole_attributes(span: &Span) -> Found {
    let read = |key: &str, role: Role| whole(&attribute(span, key)?, &role);
    (
        read("gen_ai.prompt", Role::User),
        read("gen_ai.completion", Role::Assistant),
    )
}

/// Messages as JSON or as a text.
fn whole(value: &Value, role: &Role) -> Option<Vec<Message>> {
    let value = decoded(value).into_owned();
    let read = if *role == Role::User {
        request(&value)
    } else {
        response(&value)
    };
    read.or_else(|| plain_text(&value, role.clone()))
}

/// The whole conversation, the model's last message being its answer.
fn chat_messages(span: &Span) -> Found {
    const KEYS: [&str; 3] = [
        "mlflow.chat.messages",
        "pydantic_ai.all_messages",
        "all_messages_events",
    ];
    let Some(Value::Array(items)) = KEYS.iter().find_map(|key| attribute(span, key)) else {
        return (None, None);
    };
    let Some(mut all) = messages(&items, &Role::User) else {
        return (None, None);
    };
    let answered = all.last().is_some_and(|last| last.role == Role::Assistant);
    let answer = if answered { all.pop() } else { None };
    (Some(all), answer.map(|answer| vec![answer]))
}

/// What single tools keep in attributes of their own.
fn vendors(span: &Span) -> Found {
    let texts = |keys: &[&str]| keys.iter().find_map(|key| attribute(span, key));
    let input = texts(&[
        "ai.prompt.messages",
        "ai.prompt",
        "gcp.vertex.agent.llm_request",
        "new_context",
        "user_prompt",
    ]);
    let input = input.and_then(|value| request(&value).or_else(|| plain_text(&value, Role::User)));
    let output = texts(&["gcp.vertex.agent.llm_response", "response.model_output"])
        .and_then(|value| response(&value).or_else(|| plain_text(&value, Role::Assistant)))
        .or_else(|| vercel_answer(span));
    (input, output)
}

fn vercel_answer(span: &Span) -> Option<Vec<Message>> {
    let mut object = Map::new();
    for (key, member) in [
        ("ai.response.text", "text"),
        ("ai.response.toolCalls", "toolCalls"),
        ("ai.response.object", "object"),
        ("ai.response.reasoning", "reasoning"),
        ("ai.response.finishReason", "finishReason"),
    ] {
        if let Some(value) = attribute(span, key) {
            object.insert(member.to_owned(), value);
        }
    }
    object
        .keys()
        .any(|key| key != "finishReason")
        .then(|| response(&Value::Object(object)))?
}
