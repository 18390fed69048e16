//! What a database file says of its tables.

use std::collections::HashSet;

use rusqlite::Connection;

use super::connection::Database;
use crate::store::StoreError;
use crate::store::sql::{Schema, TABLES, Tables};

/// Reads the schema from the database.
///
/// # Errors
/// When the database cannot be read, or lacks what is needed.
pub(super) fn read(database: &Database, connection: &Connection) -> Result<Schema, StoreError> {
    let failed = |error: rusqlite::Error| database.error(&error);
    let lacks = |reason: String| StoreError::Data {
        path: database.path().display().to_string(),
        reason: format!("{reason}; expected the database of MLflow 2.14 or later"),
    };
    let indexes = indexes(connection).map_err(failed)?;
    if let Some(odd) = no_table(connection).map_err(failed)? {
        return Err(lacks(odd));
    }
    let tables = tables(connection, indexes).map_err(failed)?;
    Schema::new(tables).map_err(lacks)
}

/// What is wrong with the first of the tables that is none: a view or a virtual table
/// runs whatever it is made of.
fn no_table(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare(
        "SELECT lower(name), type = 'view' FROM sqlite_schema \
         WHERE type = 'view' OR (type = 'table' AND rootpage = 0)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if TABLES.contains(&name.as_str()) {
            let kind = if row.get(1)? {
                "a view"
            } else {
                "a virtual table"
            };
            return Ok(Some(format!("its `{name}` is {kind} and not a table")));
        }
    }
    Ok(None)
}

fn tables(connection: &Connection, indexes: HashSet<String>) -> rusqlite::Result<Tables> {
    const COMPUTED: i64 = 2;
    let mut tables = Tables {
        indexes,
        ..Tables::default()
    };
    let mut statement = connection.prepare("SELECT name, hidden FROM pragma_table_xinfo(?1)")?;
    for table in TABLES {
        let mut columns = HashSet::new();
        let mut rows = statement.query([table])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            if row.get::<_, i64>(1)? == COMPUTED {
                tables.computed.insert((table.to_owned(), name));
            } else {
                columns.insert(name);
            }
        }
        if !columns.is_empty() {
            tables.stored.insert(table.to_owned(), columns);
        }
    }
    Ok(tables)
}

fn indexes(connection: &Connection) -> rusqlite::Result<HashSet<String>> {
    connection
        .prepare("SELECT name FROM pragma_index_list('trace_info')")?
        .query_map([], |row| row.get(0))?
        .collect()
}
