//! From places to values and to text.

use serde_json::{Map, Number, Value};

use super::{Kind, Node};

/// Values within one another; `serde_json` gives up at 128 when it reads them again.
pub(super) const MAX_DEPTH: usize = 100;

/// A number of 64 bits, as it is written otherwise in all this program; `None` for
/// one that would lose digits.
fn number(digits: &str) -> Option<Number> {
    let number: Number = digits.parse().ok()?;
    let is_integer = !digits.contains(['.', 'e', 'E']);
    // The negative zero is a floating-point number.
    (!is_integer || !number.is_f64() || digits == "-0").then_some(number)
}

pub(super) fn value(node: Node<'_>, depth: usize) -> Value {
    match node.kind() {
        Kind::Null => Value::Null,
        Kind::True => Value::Bool(true),
        Kind::False => Value::Bool(false),
        Kind::Number => {
            let digits = node.number().unwrap_or_default();
            number(digits).map_or_else(|| Value::from(digits), Value::Number)
        }
        Kind::Text => Value::String(node.text().unwrap_or_default().into_owned()),
        Kind::List | Kind::Object if depth == 0 => Value::String(text(node)),
        Kind::List => node.elements().map(|node| value(node, depth - 1)).collect(),
        Kind::Object => Value::Object(
            node.members()
                .map(|(key, node)| (key.into_owned(), value(node, depth - 1)))
                .collect::<Map<_, _>>(),
        ),
    }
}

pub(super) fn text(node: Node<'_>) -> String {
    let mut out = String::new();
    // What is still to close: the item after the last of each, its bracket, and
    // whether the next item is a key.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let items = &node.tape.items;
    let end = items[node.at].next;
    let (mut at, mut is_first, mut is_key) = (node.at, true, false);
    while at < end || !open.is_empty() {
        if let Some((next, is_object)) = open.last().copied()
            && at == next
        {
            out.push(if is_object { '}' } else { ']' });
            open.pop();
            is_first = false;
            is_key = open.last().is_some_and(|(_, is_object)| *is_object);
            continue;
        }
        let in_object = open.last().is_some_and(|(_, is_object)| *is_object);
        if in_object && !is_key {
            out.push(':');
        } else if !is_first {
            out.push(',');
        }
        let node = Node { at, ..node };
        at += 1;
        is_first = false;
        match node.kind() {
            Kind::List | Kind::Object => {
                let begins_object = node.kind() == Kind::Object;
                out.push(if begins_object { '{' } else { '[' });
                open.push((node.item().next, begins_object));
                (is_first, is_key) = (true, begins_object);
                continue;
            }
            Kind::Number => {
                let digits = node.number().unwrap_or_default();
                match number(digits) {
                    Some(number) => out.push_str(&number.to_string()),
                    None => out.push_str(digits),
                }
            }
            Kind::Text => {
                out.push_str(&Value::from(node.text().unwrap_or_default()).to_string());
            }
            Kind::Null => out.push_str("null"),
            Kind::True => out.push_str("true"),
            Kind::False => out.push_str("false"),
        }
        is_key = in_object && !is_key;
    }
    out
}
