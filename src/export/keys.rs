//! Keys and their values as JSON and as delimited text, where each value of a key
//! is a line of its own.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Delimited;
use super::delimited::{RowWriter, number};
use super::json::{JsonForm, write};
use crate::analysis::KeyCount;

/// Writes the keys, each with at most so many values.
pub fn write_json(
    out: &mut dyn Write,
    keys: &[KeyCount],
    most: usize,
    traces: usize,
    truncated: bool,
    form: JsonForm,
) -> io::Result<()> {
    let one = |key: &KeyCount| -> Value {
        let values = key.values.iter().take(most);
        json!({
            "key": key.field.spelling(),
            "traces": key.traces,
            "values": values
                .map(|(value, traces)| json!({"value": value, "traces": traces}))
                .collect::<Vec<_>>(),
            "more_values": key.more_values || key.values.len() > most,
        })
    };
    match form {
        JsonForm::Lines => keys.iter().try_for_each(|key| write(out, &one(key), form)),
        JsonForm::Pretty => {
            let document = json!({
                "traces": traces,
                "keys": keys.iter().map(one).collect::<Vec<_>>(),
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
    let mut writer = RowWriter::new(out, format);
    writer.row(["key", "traces", "value", "value_traces"].map(Cow::Borrowed))?;
    for key in keys {
        let name = key.field.spelling();
        let mut row = |value: &str, traces: Option<usize>| {
            writer.row([
                Cow::Borrowed(name.as_str()),
                number(key.traces),
                Cow::Borrowed(value),
                traces.map_or(Cow::Borrowed(""), number),
            ])
        };
        if key.values.is_empty() {
            row("", None)?;
        }
        for (value, traces) in key.values.iter().take(most) {
            row(value, Some(*traces))?;
        }
    }
    writer.finish()
}
