//! Looking into JSON that nobody promised anything about: a member that is null is
//! not there, and a text may hold JSON once more.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::json::parse_value;
use crate::model::Span;

pub(super) type Object = Map<String, Value>;

/// A member that is there and not null.
pub(super) fn some<'a>(object: &'a Object, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// The first of these members that is there and not null.
pub(super) fn first<'a>(object: &'a Object, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().find_map(|key| some(object, key))
}

/// A member that is a text.
pub(super) fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

/// The first of these members that is a text and not empty.
pub(super) fn first_text<'a>(object: &'a Object, keys: &[&str]) -> Option<&'a str> {
    let mut texts = keys.iter().filter_map(|key| text(object, key));
    texts.find(|text| !text.is_empty())
}

/// A member that is an object.
pub(super) fn object<'a>(object: &'a Object, key: &str) -> Option<&'a Object> {
    object.get(key)?.as_object()
}

/// A member that is a list.
pub(super) fn list<'a>(object: &'a Object, key: &str) -> Option<&'a [Value]> {
    Some(object.get(key)?.as_array()?.as_slice())
}

/// The word for the kind of an object: `type` in most formats.
pub(super) fn kind(object: &Object) -> &str {
    text(object, "type").unwrap_or_default()
}

/// The object or list that a text holds; anything else as it is.
pub(super) fn decoded(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::String(text) => match structure(text) {
            Some(value) => Cow::Owned(value),
            None => Cow::Borrowed(value),
        },
        _ => Cow::Borrowed(value),
    }
}

/// The object or list that a text holds, unless it is nested more deeply than any
/// that somebody would write: what is within would be text in turn, and so on.
pub(super) fn structure(text: &str) -> Option<Value> {
    let text = text.trim();
    let wrapped = text.starts_with('{') && text.ends_with('}')
        || text.starts_with('[') && text.ends_with(']');
    (wrapped && is_shallow(text))
        .then(|| parse_value(text))
        .flatten()
}

/// Values within one another, in a text that is taken for JSON.
const DEEPEST: usize = 64;

fn is_shallow(text: &str) -> bool {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return false;
        }
    }
    true
}

/// An attribute of a span: the JSON in it, at most twice encoded, or its text.
pub(super) fn attribute(span: &Span, key: &str) -> Option<Value> {
    let raw = span.attribute(key)?;
    let value = parse_value(raw).unwrap_or_else(|| Value::String(raw.to_owned()));
    match value {
        Value::Null => None,
        Value::String(text) => Some(structure(&text).unwrap_or(Value::String(text))),
        value => Some(value),
    }
}

/// An attribute that is a text and not empty.
pub(super) fn attribute_text(span: &Span, key: &str) -> Option<String> {
    let text = span.attribute_text(key)?;
    (!text.is_empty() && text != "null").then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_hold_structures_of_some_depth() {
        assert!(structure(r#"{"a": "[[[", "b": [1]}"#).is_some());
        assert!(structure(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_some());
        for text in ["3", "\"{}\"", "{not json}", "[1, 2"] {
            assert_eq!(structure(text), None, "{text}");
        }
        assert_eq!(
            structure(&format!("{}{}", "[".repeat(9000), "]".repeat(9000))),
            None
        );
    }
}
