//! A row to put into a table of whatever release of MLflow made the database.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::Shared;
use super::write::Writer;
use crate::store::StoreError;
use crate::store::sql::assessed::Datum;

/// A row in the making: columns that the database has, with their values.
pub(super) struct Row<'r> {
    shared: &'r Shared,
    table: &'static str,
    columns: Vec<(&'r str, &'r dyn ToSql)>,
}

impl<'r> Row<'r> {
    pub(super) fn of(shared: &'r Shared, table: &'static str) -> Self {
        Self {
            shared,
            table,
            columns: Vec::new(),
        }
    }

    /// Puts a value in, where there is such a column.
    pub(super) fn set(&mut self, column: &'r str, value: &'r dyn ToSql) {
        if self.shared.schema.has(self.table, column) {
            self.columns.push((column, value));
        }
    }

    /// Puts the row in.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn insert(self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; names.len()].join(", ");
        // `OR ABORT` keeps rules of the schema from replacing other rows.
        let sql = format!(
            "INSERT OR ABORT INTO {} ({}) VALUES ({marks})",
            self.table,
            names.join(", ")
        );
        let values: Vec<&dyn ToSql> = self.columns.iter().map(|(_, value)| *value).collect();
        writer.run(&sql, &values, 1..=1)
    }
}

impl ToSql for Datum {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Truth(holds) => ValueRef::Integer((*holds).into()),
        }))
    }
}
