//! What a span says beyond its columns: the text of what went wrong, and the
//! values of attributes.

use std::borrow::Cow;

use serde_json::Value;

use crate::model::Span;

/// What went wrong in a span: its status message, then `type: message` of every
/// exception, one per line and none twice; `None` where nothing is said.
pub fn span_error(span: &Span) -> Option<String> {
    let mut lines: Vec<Cow<'_, str>> = Vec::new();
    if !span.status_message.is_empty() {
        lines.push(span.status_message.as_str().into());
    }
    for event in span.events.iter().filter(|event| event.name == "exception") {
        let text = |key: &str| {
            let text = event.attributes.get(key).and_then(Value::as_str);
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
            kind: None,
        }
    }

    #[test]
    fn the_error_is_told_once() {
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
        }
    }

    #[test]
    fn attributes_are_compared_without_their_quotes() {
        assert_eq!(decoded(r#""a \"b\"""#).as_deref(), Some("a \"b\""));
        assert_eq!(decoded("NaN").as_deref(), Some("NaN"));
        assert_eq!(decoded(r#"["a"]"#).as_deref(), Some(r#"["a"]"#));
        assert_eq!(decoded("null"), None);
    }
}
