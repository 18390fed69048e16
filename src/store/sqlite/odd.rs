//! Values in rows that are not what their columns should hold. SQLite lets any value be
//! in any column, so this is where a row of a damaged database is told from a sound one.

use std::borrow::Cow;
use std::fmt;

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Error, Row};

/// What is wrong with a value, and where it is.
#[derive(Debug)]
struct Odd {
    /// As in `spans.status`.
    column: String,
    message: &'static str,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.column, self.message)
    }
}

impl std::error::Error for Odd {}

/// That a value of a row is not what it should be.
pub(super) fn value(row: &Row<'_>, table: &str, at: usize, message: &'static str) -> Error {
    let column = row.as_ref().column_name(at).unwrap_or_default();
    let odd = Odd {
        column: format!("{table}.{column}"),
        message,
    };
    Error::FromSqlConversionFailure(at, Type::Null, Box::new(odd))
}

/// The column and what is wrong with its value, where that is what an error says.
pub(super) fn told_by(error: &Error) -> Option<(Option<String>, String)> {
    match error {
        Error::FromSqlConversionFailure(_, _, inner) => Some(match inner.downcast_ref::<Odd>() {
            Some(odd) => (Some(odd.column.clone()), odd.message.to_owned()),
            None => (None, "a value is not of its column's kind".to_owned()),
        }),
        Error::InvalidColumnType(_, column, found) => Some((
            Some(column.clone()),
            expected("a number", *found).to_owned(),
        )),
        Error::IntegralValueOutOfRange(..) => Some((None, "a number is out of range".to_owned())),
        Error::Utf8Error(..) => Some((None, "a value is not of its column's kind".to_owned())),
        _ => None,
    }
}

/// The same as a sentence, for rows of no trace.
pub(super) fn sentence(error: &Error) -> String {
    match told_by(error) {
        Some((Some(column), message)) => format!("`{column}`: {message}"),
        Some((None, message)) => message,
        None => "SQLite does not take the question".to_owned(),
    }
}

fn expected(wanted: &str, found: Type) -> &'static str {
    match (wanted, found) {
        ("a text", Type::Null) => "expected a text, found nothing",
        ("a text", Type::Blob) => "expected a text, found bytes",
        ("a text", _) => "expected a text, found a number",
        (_, Type::Null) => "expected a number, found nothing",
        (_, Type::Integer | Type::Real) => "expected a whole number, found another one",
        (_, Type::Text) => "expected a number, found a text",
        (_, Type::Blob) => "expected a number, found bytes",
    }
}

/// A whole number that may be missing.
pub(super) fn maybe_number(row: &Row<'_>, table: &str, at: usize) -> rusqlite::Result<Option<i64>> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(number)),
        other => Err(value(
            row,
            table,
            at,
            expected("a number", other.data_type()),
        )),
    }
}

/// A whole number.
pub(super) fn number(row: &Row<'_>, table: &str, at: usize) -> rusqlite::Result<i64> {
    let number = maybe_number(row, table, at)?;
    number.ok_or_else(|| value(row, table, at, expected("a number", Type::Null)))
}

/// Text that may be missing; bytes that are no UTF-8 are replaced.
pub(super) fn maybe_text<'r>(
    row: &'r Row<'_>,
    table: &str,
    at: usize,
) -> rusqlite::Result<Option<Cow<'r, str>>> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(String::from_utf8_lossy(bytes))),
        other => Err(value(row, table, at, expected("a text", other.data_type()))),
    }
}

/// Text; bytes that are no UTF-8 are replaced.
pub(super) fn text<'r>(row: &'r Row<'_>, table: &str, at: usize) -> rusqlite::Result<Cow<'r, str>> {
    let text = maybe_text(row, table, at)?;
    text.ok_or_else(|| value(row, table, at, expected("a text", Type::Null)))
}

/// Text that is not empty: an id or a key.
pub(super) fn name<'r>(row: &'r Row<'_>, table: &str, at: usize) -> rusqlite::Result<Cow<'r, str>> {
    let name = text(row, table, at)?;
    if name.is_empty() {
        return Err(value(row, table, at, "expected a text, found an empty one"));
    }
    Ok(name)
}
