//! Rows of SQLite, and values in them that are not what their columns should hold: SQLite
//! lets any value be in any column.

use std::fmt;

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Error, Row};

use crate::store::sql::{self, Cell};

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

impl sql::Row for Row<'_> {
    type Error = Error;

    fn cell(&self, at: usize) -> Result<Cell<'_>, Error> {
        Ok(match self.get_ref(at)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Integer(number),
            ValueRef::Real(number) => Cell::Real(number),
            ValueRef::Text(bytes) => Cell::Text(bytes),
            ValueRef::Blob(bytes) => Cell::Bytes(bytes),
        })
    }

    fn odd(&self, table: &str, at: usize, message: &'static str) -> Error {
        let column = self.as_ref().column_name(at).unwrap_or_default();
        let odd = Odd {
            column: format!("{table}.{column}"),
            message,
        };
        Error::FromSqlConversionFailure(at, Type::Null, Box::new(odd))
    }
}

/// The column and what is wrong with its value, where that is what an error says.
pub(super) fn told_by(error: &Error) -> Option<(Option<String>, String)> {
    match error {
        Error::FromSqlConversionFailure(_, _, inner) => Some(match inner.downcast_ref::<Odd>() {
            Some(odd) => (Some(odd.column.clone()), odd.message.to_owned()),
            None => (None, "a value is not of its column's kind".to_owned()),
        }),
        Error::InvalidColumnType(_, column, found) => {
            Some((Some(column.clone()), no_number(*found).to_owned()))
        }
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

fn no_number(found: Type) -> &'static str {
    match found {
        Type::Null => "expected a number, found nothing",
        Type::Integer | Type::Real => "expected a whole number, found another one",
        Type::Text => "expected a number, found a text",
        Type::Blob => "expected a number, found bytes",
    }
}
