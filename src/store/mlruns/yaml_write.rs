//! JSON values as YAML that PyYAML reads as the same values. Texts are quoted and in ASCII,
//! so that none is taken for a number, a date or a truth value.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// A document in blocks, its keys in order, as PyYAML writes it.
pub(super) fn block(value: &Value) -> String {
    let mut out = String::new();
    put(&mut out, value, 0);
    out
}

/// A value behind a key or a dash, with the line's end.
fn put(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let next = |out: &mut String, value: &Value| {
        let is_block = match value {
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            _ => false,
        };
        out.push(if is_block { '\n' } else { ' ' });
        put(out, value, depth + 1);
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            for (key, value) in members {
                let is_plain =
                    depth == 0 && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                let key = if is_plain { key.clone() } else { quoted(key) };
                let _ = write!(out, "{indent}{key}:");
                next(out, value);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "{indent}-");
                next(out, item);
            }
        }
        Value::Object(_) => out.push_str("{}\n"),
        Value::Array(_) => out.push_str("[]\n"),
        Value::String(text) => {
            let _ = writeln!(out, "{}", quoted(text));
        }
        Value::Number(number) => {
            let _ = writeln!(out, "{}", plain_number(number));
        }
        other => {
            let _ = writeln!(out, "{other}");
        }
    }
}

/// To PyYAML a number with an exponent is one only with a point before it and a sign in it.
fn plain_number(number: &Number) -> String {
    let text = number.to_string();
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) {
        ""
    } else {
        "+"
    };
    format!("{digits}{point}e{sign}{exponent}")
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(c),
            c if u32::from(c) > 0xffff => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::yaml::parse;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let value = json!({
            "assessment_name": "yes", "valid": true, "feedback": {"value": 1.0},
            "list": [1, "1", [], {}, [["deep"], {"k y": null}], 1e20, 1e-9, 0.25, -3],
            "texts": {"a\"b\\": "é\u{1f6d2}\u{2028}\n\t\r\u{7f}\u{0}", "no": "~", "2026-01-01": ": # -"},
            "empty": ""
        });
        assert_eq!(parse(&block(&value)).unwrap(), value);
    }

    #[test]
    fn numbers_are_those_of_pyyaml() {
        for (number, text) in [
            (json!(1e20), "1.0e+20"),
            (json!(1.5e-9), "1.5e-9"),
            (json!(4.0), "4.0"),
        ] {
            assert_eq!(block(&number), format!("{text}\n"));
        }
    }
}
