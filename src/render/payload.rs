//! Inputs, outputs and attribute values: JSON laid out for reading. The text is
//! laid out again, not parsed and printed, so keys keep their order and numbers
//! their digits. What is not JSON is shown as it is.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::{number, sanitize};

/// A list or object that is no longer than this stays on one line.
const SHORT: usize = 60;

/// A value laid out as lines, sanitised.
pub(crate) fn lines(json: &str) -> Vec<String> {
    let shown = match decoded_text(json) {
        Some(text) => Cow::Owned(text),
        None => pretty(json),
    };
    shown
        .split('\n')
        .map(|line| sanitize::block(line.strip_suffix('\r').unwrap_or(line)).into_owned())
        .collect()
}

/// The lines of a value up to `max_chars` characters, with a note of what was
/// left out; all of it where there is no limit.
pub(crate) fn limited_lines(json: &str, max_chars: Option<usize>) -> (Vec<String>, Option<String>) {
    limited(lines(json), max_chars)
}

/// The same for lines that are laid out already.
pub(crate) fn limited(
    mut lines: Vec<String>,
    max_chars: Option<usize>,
) -> (Vec<String>, Option<String>) {
    let Some(mut left) = max_chars else {
        return (lines, None);
    };
    for at in 0..lines.len() {
        let length = lines[at].chars().count();
        if length <= left {
            left -= length;
            continue;
        }
        let rest: usize = lines[at + 1..].iter().map(|l| l.chars().count()).sum();
        let cut: String = lines[at].chars().take(left).collect();
        lines[at] = cut;
        lines.truncate(at + 1);
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        let left_out = number::counted(length - left + rest, "more character");
        return (lines, Some(format!("… {left_out}")));
    }
    (lines, None)
}

/// Text of several lines is easier to read without the quotes and escapes.
fn decoded_text(json: &str) -> Option<String> {
    let is_text = json.starts_with('"') && json.contains("\\n");
    serde_json::from_str::<String>(json)
        .ok()
        .filter(|text| is_text && text.contains('\n'))
}

/// JSON text with line breaks and indentation; other text unchanged.
pub(crate) fn pretty(json: &str) -> Cow<'_, str> {
    if serde_json::from_str::<IgnoredAny>(json).is_err() {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + json.len() / 4);
    let mut depth = 0usize;
    // The depth at which a short list or object began, as long as it lasts.
    let mut inline: Option<usize> = None;
    let mut rest = json.trim();
    while let Some(first) = rest.chars().next() {
        let token = token(rest, first);
        match first {
            '{' | '[' => {
                out.push(first);
                depth += 1;
                if inline.is_none() && is_short(rest) {
                    inline = Some(depth);
                }
                let empty = rest[1..].trim_start().starts_with(['}', ']']);
                if inline.is_none() && !empty {
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                if inline.is_none() && !out.ends_with(['{', '[']) {
                    new_line(&mut out, depth - 1);
                }
                if inline == Some(depth) {
                    inline = None;
                }
                depth = depth.saturating_sub(1);
                out.push(first);
            }
            ',' => {
                out.push(',');
                match inline {
                    Some(_) => out.push(' '),
                    None => new_line(&mut out, depth),
                }
            }
            ':' => out.push_str(": "),
            _ if first.is_ascii_whitespace() => {}
            _ => out.push_str(token),
        }
        rest = &rest[token.len()..];
    }
    Cow::Owned(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// A string, a bracket, a space, or a number or word. The text is known to be JSON.
fn token(rest: &str, first: char) -> &str {
    let bytes = rest.as_bytes();
    let end = match first {
        '"' => string_end(bytes),
        '{' | '}' | '[' | ']' | ',' | ':' => 1,
        _ if first.is_ascii_whitespace() => 1,
        _ => bytes
            .iter()
            .position(|b| b"{}[],: \t\r\n".contains(b))
            .unwrap_or(bytes.len()),
    };
    &rest[..end]
}

fn string_end(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Whether the list or object that begins here ends soon.
fn is_short(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let (mut at, mut open) = (0, 0usize);
    while at < bytes.len().min(SHORT) {
        match bytes[at] {
            b'"' => {
                at += string_end(&bytes[at..]);
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            _ => {}
        }
        at += 1;
        if open == 0 {
            return at <= SHORT;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_is_laid_out_in_its_own_order() {
        let json = r#"{"z":1e400,"messages":[{"role":"user","content":"a long question, that does not fit on a line of this table"},{"role":"assistant"}],"empty":{},"a":[1,2 , 3]}"#;
        insta::assert_snapshot!(pretty(json), @r#"
        {
          "z": 1e400,
          "messages": [
            {
              "role": "user",
              "content": "a long question, that does not fit on a line of this table"
            },
            {"role": "assistant"}
          ],
          "empty": {},
          "a": [1, 2, 3]
        }
        "#);
    }

    #[test]
    fn what_is_not_json_stays() {
        assert_eq!(pretty("NaN"), "NaN");
        assert_eq!(pretty("{'a': 1}"), "{'a': 1}");
        assert_eq!(lines(r#""two\nlines""#), ["two", "lines"]);
        assert_eq!(lines(r#""one""#), [r#""one""#]);
        assert_eq!(lines("\x1b[2J"), ["\\x1b[2J"]);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let (lines, note) = limited_lines(r#""0123456789""#, Some(5));
        assert_eq!(
            (lines, note.as_deref()),
            (vec!["\"0123".to_owned()], Some("… 7 more characters"))
        );
        assert_eq!(limited_lines("\"x\"", Some(3)).1, None);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\{,\n日]{0,30}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z:\"]{0,9}", inner, 0..5)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn layout_changes_no_value(value in json(), spaced in any::<bool>()) {
            let text = if spaced { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let shown = pretty(&text.unwrap()).into_owned();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
