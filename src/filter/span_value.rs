//! What a span says beyond its columns: the text of what went wrong, and the
//! values of attributes. Both can be had from a span of the model, and from the
//! JSON text that MLflow's tracking store keeps.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::Span;

/// What went wrong in a span: its status message, then `type: message` of every
/// exception, one per line and none twice; `None` where nothing is said.
pub fn span_error(span: &Span) -> Option<String> {
    let exceptions = span
        .events
        .iter()
        .filter(|event| event.name == "exception")
        .map(|event| &event.attributes);
    join(&span.status_message, exceptions)
}

/// [`span_error`] of a span's stored JSON text; `None` for text that is no span, too.
pub fn stored_span_error(content: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Stored {
        #[serde(default)]
        status: Status,
        #[serde(default)]
        events: Vec<StoredEvent>,
    }
    #[derive(Default, Deserialize)]
    struct Status {
        #[serde(default)]
        message: Option<String>,
    }
    #[derive(Deserialize)]
    struct StoredEvent {
        #[serde(default)]
        name: String,
        #[serde(default)]
        attributes: Option<Map<String, Value>>,
    }
    let stored: Stored = serde_json::from_str(content).ok()?;
    let exceptions = stored
        .events
        .iter()
        .filter(|event| event.name == "exception")
        .filter_map(|event| event.attributes.as_ref());
    join(
        stored.status.message.as_deref().unwrap_or_default(),
        exceptions,
    )
}

fn join<'a>(
    message: &'a str,
    exceptions: impl Iterator<Item = &'a Map<String, Value>>,
) -> Option<String> {
    let mut lines: Vec<Cow<'_, str>> = Vec::new();
    if !message.is_empty() {
        lines.push(message.into());
    }
    for attributes in exceptions {
        let text = |key: &str| {
            let text = attributes.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        let line = match (text("exception.type"), text("exception.message")) {
            (Some(kind), Some(message)) => Cow::Owned(format!("{kind}: {message}")),
            (Some(one), None) | (None, Some(one)) => one.into(),
            (None, None) => continue,
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The JSON text of an attribute in a span's stored JSON text.
pub fn stored_span_attribute(content: &str, key: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Stored<'a> {
        #[serde(borrow)]
        attributes: std::collections::HashMap<Cow<'a, str>, &'a RawValue>,
    }
    let stored: Stored<'_> = serde_json::from_str(content).ok()?;
    let raw = stored.attributes.get(key)?.get();
    // A text holds the value's JSON text; anything else is the value itself.
    Some(serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned()))
}

/// What an attribute is compared as: text without its quotes, anything else as its
/// JSON text; `None` for JSON's null.
pub(super) fn decoded(json: &str) -> Option<Cow<'_, str>> {
    if json.trim() == "null" {
        return None;
    }
    if json.trim_start().starts_with('"')
        && let Ok(text) = serde_json::from_str::<String>(json)
    {
        return Some(Cow::Owned(text));
    }
    Some(Cow::Borrowed(json))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::content::stored_json;
    use super::*;
    use crate::model::{Event, SpanId, StatusCode};

    fn span(message: &str, exceptions: &[Value]) -> Span {
        Span {
            span_id: SpanId::new("00f067aa0ba902b7"),
            parent_id: None,
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            name: "s".to_owned(),
            start_ns: 1,
            end_ns: None,
            status: StatusCode::Error,
            status_message: message.to_owned(),
            attributes: vec![
                ("k".to_owned(), "\"v \\\"q\\\"\"".to_owned()),
                ("n".to_owned(), "1.5".to_owned()),
            ],
            events: exceptions
                .iter()
                .map(|attributes| Event {
                    name: "exception".to_owned(),
                    time_ns: 2,
                    attributes: attributes.as_object().unwrap().clone(),
                })
                .collect(),
            links: Vec::new(),
        }
    }

    #[test]
    fn the_error_is_told_once_from_either_form() {
        let both = json!({"exception.type": "ValueError", "exception.message": "boom"});
        for (message, exceptions, expected) in [
            ("", vec![], None),
            ("boom", vec![], Some("boom")),
            (
                "ValueError: boom",
                vec![both.clone()],
                Some("ValueError: boom"),
            ),
            (
                "boom",
                vec![both.clone(), both.clone()],
                Some("boom\nValueError: boom"),
            ),
            (
                "",
                vec![json!({"exception.type": "E", "exception.message": ""})],
                Some("E"),
            ),
            (
                "",
                vec![json!({"exception.message": "m"}), json!({"x": 1})],
                Some("m"),
            ),
        ] {
            let span = span(message, &exceptions);
            assert_eq!(span_error(&span).as_deref(), expected);
            assert_eq!(stored_span_error(&stored_json(&span)).as_deref(), expected);
        }
        assert_eq!(stored_span_error("no json"), None);
    }

    #[test]
    fn attributes_are_found_in_stored_text() {
        let content = stored_json(&span("", &[]));
        assert_eq!(
            stored_span_attribute(&content, "k").as_deref(),
            Some("\"v \\\"q\\\"\"")
        );
        assert_eq!(stored_span_attribute(&content, "n").as_deref(), Some("1.5"));
        assert_eq!(stored_span_attribute(&content, "x"), None);
        assert_eq!(
            stored_span_attribute(r#"{"attributes": {"k": 1}}"#, "k").as_deref(),
            Some("1")
        );
    }

    #[test]
    fn attributes_are_compared_without_their_quotes() {
        assert_eq!(decoded(r#""a \"b\"""#).as_deref(), Some("a \"b\""));
        assert_eq!(decoded("NaN").as_deref(), Some("NaN"));
        assert_eq!(decoded(r#"["a"]"#).as_deref(), Some(r#"["a"]"#));
        assert_eq!(decoded("null"), None);
    }
}
