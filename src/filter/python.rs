//! What MLflow does with Python: it reads lists as Python literals and writes
//! JSON with Python's spacing, escapes and numbers.

use std::fmt::Write as _;

use serde_json::Value;

use super::error::{ParseError, ParseErrorKind, quote};
use super::lexer::Token;

/// The text of a quoted list member, with Python's escapes undone.
pub(super) fn unescape(token: Token<'_>) -> Result<String, ParseError> {
    let raw = token.unquoted();
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['\\', '\'', '"']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if !rest.starts_with('\\') {
            let doubled = rest.starts_with(&token.text[..1]);
            if doubled {
                return Err(ParseError::new(
                    ParseErrorKind::BadListMember,
                    token.span(),
                    "a doubled quote in a list ends the text and begins another",
                )
                .found(quote(token.text))
                .hint("put text that holds a quote between quotes of the other kind"));
            }
            out.push_str(&rest[..1]);
            rest = &rest[1..];
            continue;
        }
        match escape_sequence(rest) {
            Some((decoded, len)) => {
                out.extend(decoded);
                rest = &rest[len..];
            }
            None => {
                return Err(ParseError::new(
                    ParseErrorKind::BadListMember,
                    token.span(),
                    "a backslash in a list begins an escape as in Python, and this one is not known",
                )
                .found(quote(token.text))
                .hint(r"write `\x5c` for the backslash itself"));
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// What the escape at the start of `rest` stands for, and its length.
fn escape_sequence(rest: &str) -> Option<(Option<char>, usize)> {
    let after = rest.get(1..)?;
    let first = after.chars().next()?;
    let simple = match first {
        '\\' | '\'' | '"' => Some(first),
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        _ => None,
    };
    if let Some(c) = simple {
        return Some((Some(c), 2));
    }
    let hex = |digits: usize| {
        let code = after.get(1..=digits)?;
        let valid = code.bytes().all(|b| b.is_ascii_hexdigit());
        let c = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
        valid.then_some((Some(c), digits + 2))
    };
    match first {
        '\n' => Some((None, 2)),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        '0'..='7' => {
            let len = after
                .bytes()
                .take(3)
                .take_while(|b| (b'0'..=b'7').contains(b))
                .count();
            let code = u32::from_str_radix(&after[..len], 8).ok()?;
            Some((Some(char::from_u32(code)?), len + 1))
        }
        'N' => None,
        // Python keeps the backslash of an escape that it does not know.
        _ => Some((Some('\\'), 1)),
    }
}

/// Appends a value as `json.dumps` writes it.
pub(crate) fn write_json(out: &mut String, value: &Value, ascii: bool) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => write_float(out, float),
            _ => {
                let _ = write!(out, "{number}");
            }
        },
        Value::String(text) => write_text(out, text, ascii),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_json(out, item, ascii);
            }
            out.push(']');
        }
        Value::Object(members) => write_object(
            out,
            members.iter(),
            |out, member| write_json(out, member, ascii),
            ascii,
        ),
    }
}

/// Appends an object with Python's spacing.
pub(super) fn write_object<'a, T>(
    out: &mut String,
    members: impl Iterator<Item = (&'a String, T)>,
    mut write_member: impl FnMut(&mut String, T),
    ascii: bool,
) {
    out.push('{');
    for (index, (key, member)) in members.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_text(out, key, ascii);
        out.push_str(": ");
        write_member(out, member);
    }
    out.push('}');
}

/// Appends text with Python's escapes; `ascii` escapes whatever is not ASCII.
pub(crate) fn write_text(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends a number as Python's `repr` writes it: the shortest digits that read back equal.
pub(crate) fn write_float(out: &mut String, value: f64) {
    let scientific = format!("{value:e}");
    let exponent = scientific
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        Some(exponent) if !(-4..16).contains(&exponent) => {
            let (digits, _) = scientific.split_once('e').unwrap_or((&scientific, ""));
            let sign = if exponent < 0 { '-' } else { '+' };
            let _ = write!(out, "{digits}e{sign}{:02}", exponent.abs());
        }
        _ => {
            let plain = format!("{value}");
            out.push_str(&plain);
            if value.is_finite() && !plain.contains('.') {
                out.push_str(".0");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn dumps(value: &Value) -> String {
        let mut out = String::new();
        write_json(&mut out, value, true);
        out
    }

    #[test]
    fn json_looks_like_pythons() {
        assert_eq!(
            dumps(&json!({"a": [1, 2.5, null, true]})),
            r#"{"a": [1, 2.5, null, true]}"#
        );
        assert_eq!(
            dumps(&json!("é\u{1F600}\u{7f}\n\u{1}")),
            "\"\\u00e9\\ud83d\\ude00\\u007f\\n\\u0001\""
        );
        for (value, text) in [
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5e300, "-2.5e+300"),
        ] {
            assert_eq!(dumps(&json!(value)), text);
        }
    }
}
