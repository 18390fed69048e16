//! Which tables and columns a database has. MLflow has changed its schema with
//! almost every release, and a database may be newer than this program: what is
//! there counts, and not which version it claims to be.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::connection::Database;
use crate::store::StoreError;

/// What every database since MLflow 2.14 has.
const NEEDED: [(&str, &[&str]); 4] = [
    ("experiments", &["experiment_id", "name", "lifecycle_stage"]),
    (
        "trace_info",
        &[
            "request_id",
            "experiment_id",
            "timestamp_ms",
            "execution_time_ms",
            "status",
        ],
    ),
    ("trace_tags", &["request_id", "key", "value"]),
    ("trace_request_metadata", &["request_id", "key", "value"]),
];

/// What is used where it is there.
const OPTIONAL: [(&str, &[&str]); 4] = [
    ("workspaces", &["name"]),
    (
        "spans",
        &[
            "trace_id",
            "span_id",
            "parent_span_id",
            "name",
            "type",
            "status",
            "start_time_unix_nano",
            "end_time_unix_nano",
            "content",
        ],
    ),
    (
        "assessments",
        &[
            "assessment_id",
            "trace_id",
            "name",
            "assessment_type",
            "value",
            "error",
            "created_timestamp",
            "last_updated_timestamp",
            "source_type",
            "source_id",
            "span_id",
            "rationale",
            "overrides",
            "valid",
            "assessment_metadata",
        ],
    ),
    (
        "entity_associations",
        &[
            "source_type",
            "source_id",
            "destination_type",
            "destination_id",
        ],
    ),
];

/// Tables with their columns.
#[derive(Debug)]
pub(super) struct Schema {
    tables: HashMap<String, HashSet<String>>,
    /// Columns, with their tables, whose values are computed whenever they are read.
    computed: HashSet<(String, String)>,
    /// Indexes of `trace_info`.
    indexes: HashSet<String>,
}

/// The index that gives the traces of one experiment by time, and that of all.
const TIME_OF_ONE: &str = "index_trace_info_experiment_id_timestamp_ms";
const TIME_OF_ALL: &str = "index_trace_info_timestamp_ms_request_id";

impl Schema {
    /// Reads it from the database.
    ///
    /// # Errors
    /// When the database cannot be read, or lacks what is needed.
    pub(super) fn read(database: &Database, connection: &Connection) -> Result<Self, StoreError> {
        let lacks = |reason: String| StoreError::Data {
            path: database.path().display().to_string(),
            reason: format!("{reason}; expected the database of MLflow 2.14 or later"),
        };
        let mut schema = Self {
            tables: HashMap::new(),
            computed: HashSet::new(),
            indexes: Self::indexes(connection).map_err(|e| database.error(&e))?,
        };
        if let Some(odd) = Self::no_table(connection).map_err(|e| database.error(&e))? {
            return Err(lacks(odd));
        }
        schema
            .add_tables(connection)
            .map_err(|e| database.error(&e))?;
        for (table, columns) in NEEDED {
            if !schema.tables.contains_key(table) {
                return Err(lacks(format!("it has no table `{table}`")));
            }
            schema.check(table, columns).map_err(lacks)?;
        }
        for (table, columns) in OPTIONAL {
            if schema.tables.contains_key(table) {
                schema.check(table, columns).map_err(lacks)?;
            }
        }
        Ok(schema)
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
            let mut known = NEEDED.iter().chain(&OPTIONAL);
            if known.any(|(table, _)| *table == name) {
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

    fn add_tables(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        const COMPUTED: i64 = 2;
        let mut statement =
            connection.prepare("SELECT name, hidden FROM pragma_table_xinfo(?1)")?;
        for (table, _) in NEEDED.iter().chain(&OPTIONAL) {
            let mut columns = HashSet::new();
            let mut rows = statement.query([table])?;
            while let Some(row) = rows.next()? {
                let name: String = row.get(0)?;
                if row.get::<_, i64>(1)? == COMPUTED {
                    self.computed.insert(((*table).to_owned(), name));
                } else {
                    columns.insert(name);
                }
            }
            if !columns.is_empty() {
                self.tables.insert((*table).to_owned(), columns);
            }
        }
        Ok(())
    }

    fn indexes(connection: &Connection) -> rusqlite::Result<HashSet<String>> {
        connection
            .prepare("SELECT name FROM pragma_index_list('trace_info')")?
            .query_map([], |row| row.get(0))?
            .collect()
    }

    /// The index that gives traces in the order of their time.
    pub(super) fn time_index(&self, of_one_experiment: bool) -> Option<&'static str> {
        let name = if of_one_experiment {
            TIME_OF_ONE
        } else {
            TIME_OF_ALL
        };
        Some(name).filter(|name| self.indexes.contains(*name))
    }

    fn check(&self, table: &str, columns: &[&str]) -> Result<(), String> {
        match columns.iter().find(|column| !self.has(table, column)) {
            None => Ok(()),
            Some(column) if self.is_computed(table, column) => Err(format!(
                "the column `{column}` of its table `{table}` is computed and not stored"
            )),
            Some(missing) => Err(format!("its table `{table}` has no column `{missing}`")),
        }
    }

    fn is_computed(&self, table: &str, column: &str) -> bool {
        let name = (table.to_owned(), column.to_owned());
        self.computed.contains(&name)
    }

    /// Whether a table has a column of stored values.
    pub(super) fn has(&self, table: &str, column: &str) -> bool {
        self.tables
            .get(table)
            .is_some_and(|columns| columns.contains(column))
    }

    /// Whether there is a table for spans, as since MLflow 3.4.
    pub(super) fn has_spans(&self) -> bool {
        self.tables.contains_key("spans")
    }

    /// Whether there is a table for assessments, as since MLflow 3.2.
    pub(super) fn has_assessments(&self) -> bool {
        self.tables.contains_key("assessments")
    }

    /// Whether there are links from traces to runs and prompts.
    pub(super) fn has_links(&self) -> bool {
        self.tables.contains_key("entity_associations")
    }

    /// Whether traces have a column. Since MLflow 3.17 name, session, token usage
    /// and cost are columns, and no longer among the tags and metadata.
    pub(super) fn has_trace_column(&self, column: &str) -> bool {
        self.has("trace_info", column)
    }
}
