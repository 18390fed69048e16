//! OpenTelemetry's typed values as the JSON text that MLflow keeps of them, in
//! Python's spelling, and as plain values.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use crate::filter::{write_float, write_text};
use crate::otlp::{AnyValue, KeyValue, Typed};

/// Keys with values; a value that is not there is null.
pub(super) fn attributes(list: Vec<KeyValue>) -> impl Iterator<Item = (String, AnyValue)> {
    list.into_iter()
        .map(|kv| (kv.key, kv.value.unwrap_or_default()))
}

/// A value as MLflow keeps it: what Python's `json.dumps` makes of it, which has
/// `NaN` and `Infinity`.
pub(super) fn json_text(value: &AnyValue) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

fn write(out: &mut String, value: &AnyValue) {
    match &value.value {
        None => out.push_str("null"),
        Some(Typed::Text(text)) => write_text(out, text, false),
        Some(Typed::Bool(truth)) => {
            let _ = write!(out, "{truth}");
        }
        Some(Typed::Int(number)) => {
            let _ = write!(out, "{number}");
        }
        Some(Typed::Double(number)) => match name_of(*number) {
            Some(name) => out.push_str(name),
            None => write_float(out, *number),
        },
        Some(Typed::Bytes(bytes)) => write_text(out, &python_bytes(bytes), false),
        Some(Typed::Array(list)) => {
            out.push('[');
            for (at, item) in list.values.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write(out, item);
            }
            out.push(']');
        }
        Some(Typed::Object(members)) => {
            out.push('{');
            for (at, member) in members.values.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_text(out, &member.key, false);
                out.push_str(": ");
                match &member.value {
                    Some(value) => write(out, value),
                    None => out.push_str("null"),
                }
            }
            out.push('}');
        }
    }
}

/// Keys with plain values; of equal keys the last one stays.
pub(super) fn plain_map(list: Vec<KeyValue>) -> Map<String, Value> {
    attributes(list)
        .map(|(key, value)| (key, plain(value)))
        .collect()
}

fn plain(value: AnyValue) -> Value {
    match value.value {
        None => Value::Null,
        Some(Typed::Text(text)) => Value::String(text),
        Some(Typed::Bool(truth)) => Value::Bool(truth),
        Some(Typed::Int(number)) => Value::from(number),
        Some(Typed::Double(number)) => match Number::from_f64(number) {
            Some(number) => Value::Number(number),
            None => Value::from(name_of(number)),
        },
        Some(Typed::Bytes(bytes)) => Value::String(python_bytes(&bytes)),
        Some(Typed::Array(list)) => list.values.into_iter().map(plain).collect(),
        Some(Typed::Object(members)) => Value::Object(plain_map(members.values)),
    }
}

/// What Python calls a number that JSON does not have.
fn name_of(number: f64) -> Option<&'static str> {
    match number {
        n if n.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

/// Bytes as Python prints them, which is all that MLflow keeps of them.
pub(in crate::store::wire) fn python_bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        '"'
    } else {
        '\''
    };
    let mut text = format!("b{quote}");
    for byte in bytes {
        match *byte {
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            byte @ b' '..=b'~' if char::from(byte) == quote => {
                text.push('\\');
                text.push(quote);
            }
            byte @ b' '..=b'~' => text.push(char::from(byte)),
            byte => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text.push(quote);
    text
}
