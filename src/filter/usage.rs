//! Token usage and cost as the server keeps them: a few numbers, of which a
//! filter must name all that are there, in the server's own JSON text.

use serde_json::{Map, Value};

use super::python::{write_float, write_text};
use crate::model::metadata;

const TOKENS: [&str; 6] = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
];
const COSTS: [&str; 3] = ["input_cost", "output_cost", "total_cost"];

/// The members of token usage or cost, in the order in which the server writes
/// them. Its database has columns of the same names.
pub fn record_members(key: &str) -> &'static [&'static str] {
    if key == metadata::COST {
        &COSTS
    } else {
        &TOKENS
    }
}

/// The numbers in a metadata entry; `None` when there are none.
pub(super) fn columns(key: &str, text: &str) -> Option<Vec<Option<f64>>> {
    let members: Map<String, Value> = serde_json::from_str(text).ok()?;
    let columns: Vec<_> = record_members(key)
        .iter()
        .map(|name| members.get(*name).and_then(Value::as_f64))
        .collect();
    columns.iter().any(Option::is_some).then_some(columns)
}

/// The numbers in the text of a filter for token usage or cost, in the order of the
/// server's columns; `None` where it is not the JSON text that the server would write.
pub fn canonical(key: &str, text: &str) -> Option<Vec<Option<f64>>> {
    let columns = columns(key, text)?;
    let mut written = String::from("{");
    for (name, value) in record_members(key).iter().zip(&columns) {
        let Some(value) = value else { continue };
        if written.len() > 1 {
            written.push_str(", ");
        }
        write_text(&mut written, name, true);
        written.push_str(": ");
        if key == metadata::COST {
            write_float(&mut written, *value);
        } else {
            written.push_str(&value.to_string());
        }
    }
    written.push('}');
    (written == text).then_some(columns)
}
