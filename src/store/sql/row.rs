//! Rows of a database as the readers of this room take them, and values in them that are
//! not what their columns should hold: this is where a row of a damaged database is told
//! from a sound one.

use std::borrow::Cow;

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::store) enum Cell<'r> {
    Null,
    Integer(i64),
    Real(f64),
    /// Text, which may be no UTF-8.
    Text(&'r [u8]),
    Bytes(&'r [u8]),
}

/// A row of an answer.
pub(in crate::store) trait Row {
    /// What can go wrong.
    type Error;

    /// The value in a column.
    ///
    /// # Errors
    /// That there is none, or none that can be read.
    fn cell(&self, at: usize) -> Result<Cell<'_>, Self::Error>;

    /// That a value is not what it should be.
    fn odd(&self, table: &str, at: usize, message: &'static str) -> Self::Error;
}

fn expected(wanted: &str, found: Cell<'_>) -> &'static str {
    match (wanted, found) {
        ("a text", Cell::Null) => "expected a text, found nothing",
        ("a text", Cell::Bytes(_)) => "expected a text, found bytes",
        ("a text", _) => "expected a text, found a number",
        (_, Cell::Null) => "expected a number, found nothing",
        (_, Cell::Integer(_) | Cell::Real(_)) => "expected a whole number, found another one",
        (_, Cell::Text(_)) => "expected a number, found a text",
        (_, Cell::Bytes(_)) => "expected a number, found bytes",
    }
}

/// A whole number that may be missing.
pub(in crate::store) fn maybe_number<R: Row>(
    row: &R,
    table: &str,
    at: usize,
) -> Result<Option<i64>, R::Error> {
    match row.cell(at)? {
        Cell::Null => Ok(None),
        Cell::Integer(number) => Ok(Some(number)),
        other => Err(row.odd(table, at, expected("a number", other))),
    }
}

/// A whole number.
pub(in crate::store) fn number<R: Row>(row: &R, table: &str, at: usize) -> Result<i64, R::Error> {
    let number = maybe_number(row, table, at)?;
    number.ok_or_else(|| row.odd(table, at, expected("a number", Cell::Null)))
}

/// Bytes of a text, or whatever bytes there are; they may be missing.
pub(in crate::store) fn maybe_bytes<'r, R: Row>(
    row: &'r R,
    table: &str,
    at: usize,
) -> Result<Option<&'r [u8]>, R::Error> {
    match row.cell(at)? {
        Cell::Null => Ok(None),
        Cell::Text(bytes) | Cell::Bytes(bytes) => Ok(Some(bytes)),
        other => Err(row.odd(table, at, expected("a text", other))),
    }
}

/// Text that may be missing; bytes that are no UTF-8 are replaced.
pub(in crate::store) fn maybe_text<'r, R: Row>(
    row: &'r R,
    table: &str,
    at: usize,
) -> Result<Option<Cow<'r, str>>, R::Error> {
    Ok(maybe_bytes(row, table, at)?.map(String::from_utf8_lossy))
}

/// The same as a text of its own.
pub(in crate::store) fn own_text<R: Row>(
    row: &R,
    table: &str,
    at: usize,
) -> Result<Option<String>, R::Error> {
    Ok(maybe_text(row, table, at)?.map(Cow::into_owned))
}

/// Text; bytes that are no UTF-8 are replaced.
pub(in crate::store) fn text<'r, R: Row>(
    row: &'r R,
    table: &str,
    at: usize,
) -> Result<Cow<'r, str>, R::Error> {
    let text = maybe_text(row, table, at)?;
    text.ok_or_else(|| row.odd(table, at, expected("a text", Cell::Null)))
}

/// Text that is not empty: an id or a key.
pub(in crate::store) fn name<'r, R: Row>(
    row: &'r R,
    table: &str,
    at: usize,
) -> Result<Cow<'r, str>, R::Error> {
    let name = text(row, table, at)?;
    if name.is_empty() {
        return Err(row.odd(table, at, "expected a text, found an empty one"));
    }
    Ok(name)
}
