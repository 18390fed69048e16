//! Where a text stands in a trace: the first span that has it, and the words around it.
//! Upper and lower case are alike, as in searches for a text.

use serde_json::Value;

use crate::json::parse_value;
use crate::model::{Span, Trace, attribute};

/// Characters on each side of what was found.
const AROUND: usize = 32;

/// The name of the first span with a text, and the words around it there.
pub fn excerpt(trace: &Trace, wanted: &str) -> Option<(String, String)> {
    let wanted: Vec<char> = wanted.chars().flat_map(char::to_lowercase).collect();
    if wanted.is_empty() {
        return None;
    }
    let mut spans: Vec<&Span> = trace.spans.iter().collect();
    spans.sort_by_key(|span| span.start_ns);
    spans.into_iter().find_map(|span| {
        let words = in_span(span, &wanted)?;
        Some((span.name.clone(), words))
    })
}

/// What people wrote and read comes before what programs keep beside it.
fn in_span(span: &Span, wanted: &[char]) -> Option<String> {
    let mut payloads = [span.inputs(), span.outputs()].into_iter().flatten();
    let found = payloads.find_map(|json| in_json(json, wanted));
    let of_others = || {
        let others = span.attributes.iter();
        let mut others =
            others.filter(|(key, _)| key != attribute::INPUTS && key != attribute::OUTPUTS);
        others.find_map(|(key, json)| in_json(json, wanted).or_else(|| around(key, wanted)))
    };
    let of_events = || {
        let mut events = span.events.iter();
        events.find_map(|event| {
            let mut values = event.attributes.values();
            let found = values.find_map(|value| in_value(value, wanted));
            found.or_else(|| around(&event.name, wanted))
        })
    };
    found
        .or_else(|| around(&span.status_message, wanted))
        .or_else(|| around(&span.name, wanted))
        .or_else(of_events)
        .or_else(of_others)
}

fn in_json(json: &str, wanted: &[char]) -> Option<String> {
    let value = parse_value(json);
    let found = value.as_ref().and_then(|value| in_value(value, wanted));
    found.or_else(|| around(json, wanted))
}

/// The words in the first text of a value that has them, keys after values.
fn in_value(value: &Value, wanted: &[char]) -> Option<String> {
    match value {
        Value::String(text) => around(text, wanted),
        Value::Array(items) => items.iter().find_map(|item| in_value(item, wanted)),
        Value::Object(members) => {
            let values = members.values().find_map(|value| in_value(value, wanted));
            values.or_else(|| members.keys().find_map(|key| around(key, wanted)))
        }
        Value::Number(number) => around(&number.to_string(), wanted),
        Value::Null | Value::Bool(_) => None,
    }
}

/// What was found with the words on both sides of it.
fn around(text: &str, wanted: &[char]) -> Option<String> {
    let lower: Vec<(usize, char)> = text
        .char_indices()
        .flat_map(|(at, c)| c.to_lowercase().map(move |c| (at, c)))
        .collect();
    let last = lower.len().checked_sub(wanted.len())?;
    let is_at = |at: &usize| {
        let here = lower[*at..].iter().map(|(_, c)| c);
        here.zip(wanted).all(|(here, wanted)| here == wanted)
    };
    let first = (0..=last).find(is_at)?;
    let start = lower[first].0;
    let end = lower
        .get(first + wanted.len())
        .map_or(text.len(), |(at, _)| *at);
    let from = text[..start]
        .char_indices()
        .rev()
        .take(AROUND)
        .last()
        .map_or(start, |(at, _)| at);
    let to = text[end..]
        .char_indices()
        .nth(AROUND)
        .map_or(text.len(), |(at, _)| end + at);
    let mut shown = String::new();
    if from > 0 {
        shown.push('…');
    }
    // Of broken lines the words count.
    let words: Vec<&str> = text[from..to].split_whitespace().collect();
    shown.push_str(&words.join(" "));
    if to < text.len() {
        shown.push('…');
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sample::{SpanExt, span, trace};

    fn words(text: &str, wanted: &str) -> Option<String> {
        let wanted: Vec<char> = wanted.chars().flat_map(char::to_lowercase).collect();
        around(text, &wanted)
    }

    #[test]
    fn words_around_a_text_are_shown_whatever_its_case() {
        assert_eq!(
            words("The Refund\nis on its way", "refund").as_deref(),
            Some("The Refund is on its way")
        );
        let long = format!("{} REFUND {}", "a".repeat(50), "b".repeat(50));
        assert_eq!(
            words(&long, "refund"),
            Some(format!("…{} REFUND {}…", "a".repeat(31), "b".repeat(31)))
        );
        assert_eq!(words("STRASSE İx", "i̇x").as_deref(), Some("STRASSE İx"));
        assert_eq!(words("ab", "abc"), None);
        assert_eq!(words("", "a"), None);
    }

    #[test]
    fn the_first_span_with_it_is_named() {
        let trace = trace([
            span("root", "", 0, 100).with(attribute::INPUTS, r#"{"q": "nothing"}"#),
            span("llm", "root", 10, 20).with(
                attribute::INPUTS,
                r#"{"messages": [{"content": "M\u00f6chte mein \"Geld\" zur\u00fcck"}]}"#,
            ),
            span("geld", "root", 5, 6),
        ]);
        let found = excerpt(&trace, "möchte");
        assert_eq!(
            found,
            Some(("llm".to_owned(), "Möchte mein \"Geld\" zurück".to_owned()))
        );
        // In the order of time.
        assert_eq!(excerpt(&trace, "Geld").unwrap().0, "geld");
        assert_eq!(
            excerpt(&trace, "messages").unwrap(),
            ("llm".to_owned(), "messages".to_owned())
        );
        assert_eq!(excerpt(&trace, "not there"), None);
    }
}
