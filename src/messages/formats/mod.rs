//! The formats in which clients and frameworks keep conversations, one file each.
//! A format reads pieces of content, messages, whole requests and whole responses,
//! and says nothing of what it does not know. Real traces mix formats, so each
//! object goes to the first format that reads it, whatever the span says of itself.

mod anthropic;
mod autogen;
mod bedrock;
mod chat;
mod crewai;
mod gemini;
mod haystack;
mod langchain;
mod llamaindex;
mod openinference;
mod pydantic_ai;
mod responses;
mod semconv;
mod vercel;

use serde_json::Value;

use super::media;
use super::value::{Object, structure};
use crate::json::parse_value;
use crate::model::{Message, Part, Role};

/// Reads messages from an object.
type Reader = fn(&Object) -> Option<Vec<Message>>;

/// What a format can read. Each gives `None` for an object that is of another format.
pub(super) struct Format {
    /// A piece of a message's content.
    part: fn(&Object) -> Option<Vec<Part>>,
    /// An element of a list of messages.
    message: Reader,
    /// What a call was given.
    request: Reader,
    /// What a call gave back.
    response: Reader,
}

/// Those with the clearest marks first, the plain ones at the end.
const FORMATS: [&Format; 14] = [
    &openinference::FORMAT,
    &responses::FORMAT,
    &pydantic_ai::FORMAT,
    &autogen::FORMAT,
    &langchain::FORMAT,
    &llamaindex::FORMAT,
    &crewai::FORMAT,
    &vercel::FORMAT,
    &semconv::FORMAT,
    &gemini::FORMAT,
    &anthropic::FORMAT,
    &bedrock::FORMAT,
    &haystack::FORMAT,
    &chat::FORMAT,
];

/// The pieces of a content: a text, an object, or a list of both.
pub(super) fn parts(content: &Value) -> Vec<Part> {
    match content {
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => {
            vec![media::in_text(text).unwrap_or_else(|| Part::Text(text.clone()))]
        }
        Value::Array(items) => items.iter().flat_map(parts).collect(),
        Value::Object(object) => part(object),
        other => vec![Part::Text(other.to_string())],
    }
}

fn part(object: &Object) -> Vec<Part> {
    let known = FORMATS.iter().find_map(|format| (format.part)(object));
    let mut found = known.unwrap_or_else(|| vec![Part::Json(Value::Object(object.clone()))]);
    // An empty text says nothing.
    found.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    found
}

/// Whether some format knows an object as a piece of content.
fn is_part(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|object| FORMATS.iter().any(|format| (format.part)(object).is_some()))
}

/// The messages of one object; `None` where it is none.
fn message(object: &Object) -> Option<Vec<Message>> {
    FORMATS.iter().find_map(|format| (format.message)(object))
}

/// The messages of a list, nested lists among them. What is no message between
/// messages is kept as JSON; a list without any message is none of messages.
pub(super) fn messages(items: &[Value], role: &Role) -> Option<Vec<Message>> {
    let mut found = Vec::new();
    let mut is_of_messages = false;
    for item in items {
        let read = match item {
            Value::Object(object) => message(object),
            Value::Array(items) => messages(items, role),
            _ => None,
        };
        match (read, item) {
            (Some(read), _) => {
                is_of_messages = true;
                found.extend(read);
            }
            // MLflow dumps some messages as JSON texts.
            (None, Value::String(text)) => match structure(text)
                .as_ref()
                .and_then(Value::as_object)
                .and_then(message)
            {
                Some(read) => {
                    is_of_messages = true;
                    found.extend(read);
                }
                None => found.push(Message::new(role.clone(), parts(item))),
            },
            (None, Value::Null) => {}
            (None, other) => found.push(Message::new(role.clone(), parts(other))),
        }
    }
    is_of_messages.then_some(found)
}

/// The messages in JSON text, however deep, that say why they ended.
pub fn ended(json: &str) -> Vec<Message> {
    let mut found = Vec::new();
    if json.contains("\"response_metadata\"")
        && let Some(value) = parse_value(json)
    {
        langchain::ended(&value, &mut found);
    }
    found
}

/// What a call was given, in whatever format.
pub(super) fn request(value: &Value) -> Option<Vec<Message>> {
    let read = |value: &Value| given(value, &Role::User, |format| format.request);
    read(value).or_else(|| {
        let object = value.as_object()?;
        WRAPPERS
            .iter()
            .find_map(|key| read(object.get(*key).filter(|inner| inner.is_object())?))
    })
}

/// Names of arguments that hold the whole request.
const WRAPPERS: [&str; 6] = ["request", "kwargs", "params", "body", "payload", "inputs"];

/// What a call gave back, in whatever format.
pub(super) fn response(value: &Value) -> Option<Vec<Message>> {
    given(value, &Role::Assistant, |format| format.response)
}

fn given(value: &Value, role: &Role, reader: fn(&Format) -> Reader) -> Option<Vec<Message>> {
    match value {
        Value::String(text) => match structure(text) {
            Some(inner) => given(&inner, role, reader),
            None => None,
        },
        // Texts alone are an answer each, or a prompt each.
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            let texts = items
                .iter()
                .map(|item| Message::new(role.clone(), parts(item)));
            messages(items, role).or_else(|| Some(texts.collect()))
        }
        Value::Array(items) => {
            let found = messages(items, role);
            // A message may also be given as its pieces alone.
            found.or_else(|| {
                (!items.is_empty() && items.iter().all(is_part))
                    .then(|| vec![Message::new(role.clone(), parts(value))])
            })
        }
        Value::Object(object) => {
            let whole = FORMATS.iter().find_map(|format| reader(format)(object));
            whole.or_else(|| message(object))
        }
        _ => None,
    }
}
