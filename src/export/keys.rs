//! Keys and their values as JSON and as delimited text, where each value of a key
//! is a line of its own.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Delimited;
use super::json::{JsonForm, write};
use crate::analysis::KeyCount;
use crate::table::delimited;
use crate::table::json::RowJson;
use crate::table::rows::keys::{self as rows, KeyRow, OF_KEYS};

/// Writes the keys, each with at most so many values.
pub fn write_json(
    out: &mut dyn Write,
    keys: &[KeyCount],
    most: usize,
    traces: usize,
    truncated: bool,
    form: JsonForm,
) -> io::Result<()> {
    let (columns, rows) = (&rows::keys().some(&OF_KEYS), rows::of(keys));
    let one = |row: &KeyRow<'_>| -> Value {
        let key = row.key;
        let values = key.values.iter().take(most);
        let mut one = json!(RowJson { columns, row });
        one["values"] = values
            .map(|(value, traces)| json!({"value": value, "traces": traces}))
            .collect();
        one["more_values"] = json!(key.more_values || key.values.len() > most);
        one
    };
    match form {
        JsonForm::Lines => rows.iter().try_for_each(|row| write(out, &one(row), form)),
        JsonForm::Pretty => {
            let document = json!({
                "traces": traces,
                "keys": rows.iter().map(one).collect::<Vec<_>>(),
                "truncated": truncated,
            });
            write(out, &document, form)
        }
    }
}

/// Writes a line for each value, and one for each key without any.
pub fn write_rows(
    out: &mut dyn Write,
    keys: &[KeyCount],
    most: usize,
    format: Delimited,
) -> io::Result<()> {
    let (columns, rows) = (rows::keys().plain().to_vec(), rows::of_values(keys, most));
    delimited::write(out, format, columns, &rows)
}
