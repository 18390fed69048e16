//! Attributes in any of their shapes: objects of JSON texts or of plain values, lists
//! of typed values, or the JSON text of any of these.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::super::flaw::Flaw;
use super::members::{Members, list, senseless, unexpected};
use super::scalar::truth;
use super::{Dialect, inner};
use crate::filter::{write_float, write_text};
use crate::json::{Kind, Node, parse_value};

/// A span's attributes, each value as JSON text; only those whose keys are kept.
pub(super) fn of_span(
    node: Node<'_>,
    dialect: Dialect,
    keeps: impl Fn(&str) -> bool,
) -> Result<Vec<(String, String)>, Flaw> {
    let mut keys = Keys::default();
    each(node, &mut |key, value| {
        if keeps(key) {
            keys.set(key, json_text(key, &value, dialect)?);
        }
        Ok(())
    })?;
    Ok(keys.list)
}

/// The attributes of an event or a link, as plain values.
pub(super) fn plain(node: Node<'_>) -> Result<Map<String, Value>, Flaw> {
    let mut map = Map::new();
    each(node, &mut |key, value| {
        let value = match value {
            Attribute::Plain(node) => node.to_value(),
            Attribute::Typed(node) => {
                let text = typed(node, Dialect::Mlflow)?;
                parse_value(&text).unwrap_or(Value::String(text))
            }
            Attribute::Missing => Value::Null,
        };
        map.insert(key.to_owned(), value);
        Ok(())
    })?;
    Ok(map)
}

/// What stands beside a key.
enum Attribute<'t> {
    Plain(Node<'t>),
    Typed(Node<'t>),
    Missing,
}

fn each(
    node: Node<'_>,
    take: &mut dyn FnMut(&str, Attribute<'_>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    match node.kind() {
        Kind::Null => Ok(()),
        Kind::Object => {
            for (key, value) in node.members() {
                take(&key, Attribute::Plain(value))?;
            }
            Ok(())
        }
        Kind::List => list(node, "attributes", |node| {
            let members = Members::of(node)?;
            let key = members.need(&["key"], |node| {
                node.text().ok_or_else(|| unexpected(node, "a key"))
            })?;
            let value = members.get("value");
            let attribute = match value {
                None => Attribute::Missing,
                Some(value) if value.kind() == Kind::Object => Attribute::Typed(value),
                Some(value) => Attribute::Plain(value),
            };
            take(&key, attribute).map_err(|flaw| flaw.within("value"))
        })
        .map(drop),
        Kind::Text => inner(node, "attributes", &mut |node| each(node, take)),
        _ => Err(unexpected(node, "attributes")),
    }
}

fn json_text(key: &str, value: &Attribute<'_>, dialect: Dialect) -> Result<String, Flaw> {
    let node = match value {
        Attribute::Missing => return Ok("null".to_owned()),
        Attribute::Typed(node) => return typed(*node, dialect),
        Attribute::Plain(node) => *node,
    };
    match node.text() {
        // MLflow's own attributes are JSON text to OpenTelemetry, too.
        Some(text) if dialect == Dialect::Mlflow || key.starts_with("mlflow.") => {
            Ok(text.into_owned())
        }
        Some(text) => {
            let mut json = String::new();
            write_text(&mut json, &text, false);
            Ok(json)
        }
        None => Ok(node.to_text()),
    }
}

/// A list or object of typed values whose end has not come.
struct Open<'t> {
    rest: Box<dyn Iterator<Item = Node<'t>> + 't>,
    end: char,
    is_first: bool,
}

/// The JSON text of a typed value, in Python's spelling where OpenTelemetry sent it.
fn typed(node: Node<'_>, dialect: Dialect) -> Result<String, Flaw> {
    let (comma, colon) = match dialect {
        Dialect::Mlflow => (",", ":"),
        Dialect::OpenTelemetry => (", ", ": "),
    };
    let mut out = String::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = Some(node);
    loop {
        if let Some(node) = next.take() {
            open.extend(begin(&mut out, node, dialect)?);
        }
        let Some(last) = open.last_mut() else {
            return Ok(out);
        };
        let Some(node) = last.rest.next() else {
            out.push(last.end);
            open.pop();
            continue;
        };
        if !std::mem::take(&mut last.is_first) {
            out.push_str(comma);
        }
        if last.end == ']' {
            next = Some(node);
            continue;
        }
        let members = Members::of(node)?;
        let key = members.need(&["key"], |node| {
            node.text().ok_or_else(|| unexpected(node, "a key"))
        })?;
        write_text(&mut out, &key, false);
        out.push_str(colon);
        next = members.get("value");
        if next.is_none() {
            out.push_str("null");
        }
    }
}

/// Writes a value, or the beginning of one with values in it.
fn begin<'t>(out: &mut String, node: Node<'t>, dialect: Dialect) -> Result<Option<Open<'t>>, Flaw> {
    let members = Members::of(node)?;
    let Some((kind, value)) = members.iter().find(|(_, node)| node.kind() != Kind::Null) else {
        out.push_str("null");
        return Ok(None);
    };
    match kind {
        "stringValue" | "string_value" => match value.text() {
            Some(text) => write_text(out, &text, false),
            None => return Err(unexpected(value, "a text")),
        },
        "boolValue" | "bool_value" => {
            out.push_str(if truth(value)? { "true" } else { "false" });
        }
        "intValue" | "int_value" => {
            let text = value.text();
            let digits = value.number().or(text.as_deref());
            let digits = digits.ok_or_else(|| unexpected(value, "an integer"))?;
            let unsigned = digits.strip_prefix('-').unwrap_or(digits);
            if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                return Err(senseless(value, "an integer"));
            }
            out.push_str(digits);
        }
        "doubleValue" | "double_value" => double(out, value, dialect)?,
        "bytesValue" | "bytes_value" => match value.text() {
            Some(text) => bytes(out, &text, dialect),
            None => return Err(unexpected(value, "a text")),
        },
        "arrayValue" | "array_value" => return values(out, value, '[', ']').map(Some),
        "kvlistValue" | "kvlist_value" => return values(out, value, '{', '}').map(Some),
        _ => return Err(senseless(node, "a typed value")),
    }
    Ok(None)
}

fn values<'t>(out: &mut String, node: Node<'t>, begin: char, end: char) -> Result<Open<'t>, Flaw> {
    let values = Members::of(node)?.get("values");
    if let Some(values) = values.filter(|values| values.kind() != Kind::List) {
        return Err(unexpected(values, "a list of values"));
    }
    out.push(begin);
    Ok(Open {
        rest: match values {
            Some(values) => Box::new(values.elements()),
            None => Box::new(std::iter::empty()),
        },
        end,
        is_first: true,
    })
}

fn double(out: &mut String, node: Node<'_>, dialect: Dialect) -> Result<(), Flaw> {
    let text = node.text();
    let Some(digits) = node.number().or(text.as_deref()) else {
        return Err(unexpected(node, "a number"));
    };
    let is_named = matches!(digits, "NaN" | "Infinity" | "-Infinity");
    match (digits.parse::<f64>(), dialect) {
        (Err(_), _) => return Err(senseless(node, "a number")),
        (Ok(number), _) if !number.is_finite() && !is_named && node.number().is_none() => {
            return Err(senseless(node, "a number"));
        }
        (Ok(number), Dialect::OpenTelemetry) if number.is_finite() => write_float(out, number),
        (Ok(number), Dialect::Mlflow) if number.is_finite() && node.kind() == Kind::Number => {
            out.push_str(&node.to_text());
        }
        (Ok(number), Dialect::Mlflow) if number.is_finite() => {
            out.push_str(&Value::from(number).to_string());
        }
        (Ok(_), Dialect::OpenTelemetry) => out.push_str(digits),
        (Ok(_), Dialect::Mlflow) => out.push_str(&Value::from(digits).to_string()),
    }
    Ok(())
}

fn bytes(out: &mut String, encoded: &str, dialect: Dialect) {
    let raw = STANDARD.decode(encoded).ok();
    let text = match (raw, dialect) {
        (Some(raw), Dialect::OpenTelemetry) => super::super::otlp::python_bytes(&raw),
        (Some(raw), Dialect::Mlflow) => {
            String::from_utf8(raw).unwrap_or_else(|_| encoded.to_owned())
        }
        (None, _) => encoded.to_owned(),
    };
    write_text(out, &text, false);
}

/// Keys with values in the order in which they came; of equal keys the last value counts.
#[derive(Default)]
struct Keys {
    list: Vec<(String, String)>,
    places: HashMap<String, usize>,
}

impl Keys {
    fn set(&mut self, key: &str, value: String) {
        if let Some(at) = self.places.get(key) {
            self.list[*at].1 = value;
        } else {
            self.places.insert(key.to_owned(), self.list.len());
            self.list.push((key.to_owned(), value));
        }
    }
}
