//! Keys of traces: a row for each, or one for each of its values.

use crate::analysis::KeyCount;
use crate::render::cell::Cell;
use crate::table::{Column, Columns, Datum, Kind, Rows};

/// Keys.
#[derive(Debug)]
pub enum Keys {}

/// A key, and perhaps one of its values with the number of traces that have it.
#[derive(Debug)]
pub struct KeyRow<'a> {
    /// The key.
    pub key: &'a KeyCount,
    value: Option<&'a (String, usize)>,
}

impl Rows for Keys {
    type Row<'a> = KeyRow<'a>;
}

/// A row for each key.
pub fn of(keys: &[KeyCount]) -> Vec<KeyRow<'_>> {
    keys.iter().map(|key| KeyRow { key, value: None }).collect()
}

/// A row for each value, at most so many of a key, and one for each key without any.
pub fn of_values(keys: &[KeyCount], most: usize) -> Vec<KeyRow<'_>> {
    let rows = keys.iter().flat_map(|key| {
        let none = key.values.is_empty().then_some(None);
        let values = key.values.iter().take(most).map(Some);
        none.into_iter()
            .chain(values)
            .map(move |value| KeyRow { key, value })
    });
    rows.collect()
}

/// What is told of a key itself.
pub const OF_KEYS: [&str; 2] = ["key", "traces"];

/// The columns of keys; of rows for their values, machines are told all in this order.
pub fn keys() -> Columns<Keys> {
    type C = Column<Keys>;
    Columns::new(vec![
        C::new("key", Kind::Text, |row| {
            Datum::Text(row.key.field.spelling().into())
        })
        .shown_as(|row, layout| Cell::new(layout.style.name(), row.key.field.spelling())),
        C::new("traces", Kind::Count, |row| Datum::count(row.key.traces))
            .shown_as(|row, layout| Cell::new(layout.style.text(), row.key.traces.to_string())),
        C::new("value", Kind::Text, |row| {
            Datum::maybe(row.value.map(|(value, _)| value.as_str()))
        }),
        C::new("value_traces", Kind::Count, |row| {
            Datum::some(Datum::count, row.value.map(|(_, traces)| *traces))
        }),
    ])
}
