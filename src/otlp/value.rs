//! From the JSON text of an attribute to OpenTelemetry's typed value.

use serde_json::{Map, Value};

use super::{AnyValue, ArrayValue, KeyValue, KeyValueList, Typed};
use crate::json::{Kind, Node, parse_at};

/// Objects and lists within one another. Readers of protobuf give up at 100
/// messages within one another, of which each level takes up to three; what
/// lies deeper is written as JSON text.
const MAX_DEPTH: usize = 24;

/// The typed value of JSON text. Text that is not JSON stays text, but for the
/// numbers that Python writes and JSON does not have.
pub(crate) fn of_json(json: &str) -> AnyValue {
    match json {
        "NaN" => return Typed::Double(f64::NAN).into(),
        "Infinity" => return Typed::Double(f64::INFINITY).into(),
        "-Infinity" => return Typed::Double(f64::NEG_INFINITY).into(),
        _ => {}
    }
    let is_integer = |text: &str| {
        let text = text.strip_prefix('-').unwrap_or(text);
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
    };
    match serde_json::from_str::<Value>(json) {
        // An integer of any size keeps its digits.
        Ok(Value::Number(n)) if !n.is_i64() && is_integer(json.trim()) => text(json.trim()),
        Ok(value) => of_value(value, MAX_DEPTH),
        Err(_) => of_python(json).unwrap_or_else(|| text(json)),
    }
}

/// The typed value of JSON text with numbers that only Python writes.
fn of_python(json: &str) -> Option<AnyValue> {
    let (tape, end) = parse_at(json.as_bytes(), 0).ok()?;
    let is_whole = json[end..].trim_ascii().is_empty();
    is_whole.then(|| of_node(tape.root(), MAX_DEPTH))
}

fn of_node(node: Node<'_>, depth: usize) -> AnyValue {
    match node.kind() {
        Kind::List | Kind::Object if depth == 0 => text(node.to_text()),
        Kind::List => Typed::Array(ArrayValue {
            values: node.elements().map(|n| of_node(n, depth - 1)).collect(),
        })
        .into(),
        Kind::Object => Typed::Object(KeyValueList {
            values: node
                .members()
                .map(|(key, node)| KeyValue {
                    key: key.into_owned(),
                    value: Some(of_node(node, depth - 1)),
                })
                .collect(),
        })
        .into(),
        Kind::Number => match node.number() {
            Some("NaN") => Typed::Double(f64::NAN).into(),
            Some("Infinity") => Typed::Double(f64::INFINITY).into(),
            Some("-Infinity") => Typed::Double(f64::NEG_INFINITY).into(),
            _ => of_value(node.to_value(), depth),
        },
        _ => of_value(node.to_value(), depth),
    }
}

/// Keys with typed values.
pub(crate) fn of_map(map: &Map<String, Value>) -> Vec<KeyValue> {
    let typed = |(key, value): (&String, &Value)| KeyValue {
        key: key.clone(),
        value: Some(of_value(value.clone(), MAX_DEPTH)),
    };
    map.iter().map(typed).collect()
}

/// Plain text.
pub(crate) fn text(text: impl Into<String>) -> AnyValue {
    Typed::Text(text.into()).into()
}

fn of_value(value: Value, depth: usize) -> AnyValue {
    match value {
        Value::Null => AnyValue { value: None },
        Value::Bool(truth) => Typed::Bool(truth).into(),
        Value::String(text) => Typed::Text(text).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Typed::Int(integer).into(),
            (None, Some(large)) => text(large.to_string()),
            (None, None) => Typed::Double(number.as_f64().unwrap_or(f64::NAN)).into(),
        },
        Value::Array(_) | Value::Object(_) if depth == 0 => text(value.to_string()),
        Value::Array(list) => Typed::Array(ArrayValue {
            values: list.into_iter().map(|v| of_value(v, depth - 1)).collect(),
        })
        .into(),
        Value::Object(map) => Typed::Object(KeyValueList {
            values: map
                .into_iter()
                .map(|(key, value)| KeyValue {
                    key,
                    value: Some(of_value(value, depth - 1)),
                })
                .collect(),
        })
        .into(),
    }
}

impl From<Typed> for AnyValue {
    fn from(typed: Typed) -> Self {
        Self { value: Some(typed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        serde_json::to_string(&of_json(text)).unwrap()
    }

    #[test]
    fn every_kind_of_json_has_a_type() {
        for (text, typed) in [
            ("\"a\\\"b\"", r#"{"stringValue":"a\"b"}"#),
            ("true", r#"{"boolValue":true}"#),
            ("7", r#"{"intValue":"7"}"#),
            (
                "-9223372036854775808",
                r#"{"intValue":"-9223372036854775808"}"#,
            ),
            ("9007199254740993", r#"{"intValue":"9007199254740993"}"#),
            (
                "18446744073709551617",
                r#"{"stringValue":"18446744073709551617"}"#,
            ),
            ("0.5", r#"{"doubleValue":0.5}"#),
            ("1.0", r#"{"doubleValue":1.0}"#),
            ("NaN", r#"{"doubleValue":"NaN"}"#),
            ("-Infinity", r#"{"doubleValue":"-Infinity"}"#),
            ("null", "{}"),
            ("[]", r#"{"arrayValue":{"values":[]}}"#),
            (
                r#"{"a": [1, null]}"#,
                r#"{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"},{}]}}}]}}"#,
            ),
            (
                r#"{"a": [NaN, 1]}"#,
                r#"{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"doubleValue":"NaN"},{"intValue":"1"}]}}}]}}"#,
            ),
            ("not json", r#"{"stringValue":"not json"}"#),
            ("", r#"{"stringValue":""}"#),
        ] {
            assert_eq!(json(text), typed, "{text}");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_for_readers_is_text() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!json(&nested(MAX_DEPTH)).contains("stringValue"));
        assert!(json(&nested(MAX_DEPTH + 2)).contains(r#"{"stringValue":"[[1]]"}"#));
        let deepest = json(&nested(100_000));
        assert!(deepest.contains(r#"{"stringValue":"[[["#), "not all of it");
    }
}
