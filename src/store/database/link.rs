//! What the store asks of a connection with a database server, whichever kind it is. All
//! questions of a command are asked of one state of the database.

use crate::model::Unreadable;
use crate::store::StoreError;
use crate::store::sql::{Dialect, Row, Schema, Value};

/// A value of a statement.
#[derive(Debug, Clone)]
pub(super) enum Arg<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    /// Several texts in one place.
    Texts(Vec<&'a str>),
}

impl<'a> From<&'a Value> for Arg<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Integer(number) => Self::Integer(*number),
            Value::Real(number) => Self::Real(*number),
            Value::Text(text) => Self::Text(text),
        }
    }
}

/// What is wrong with a row.
#[derive(Debug)]
pub(in crate::store) struct Odd {
    /// As in `spans.status`.
    pub(super) column: String,
    pub(super) message: &'static str,
}

impl Odd {
    /// The same of a trace.
    pub(super) fn of(self, store: &str, trace_id: &str) -> Unreadable {
        Unreadable {
            trace_id: Some(trace_id.to_owned()).filter(|id| !id.is_empty()),
            file: Some(store.to_owned()),
            line: None,
            member: Some(self.column),
            message: self.message.to_owned(),
        }
    }

    /// The same where no single trace is concerned.
    pub(super) fn of_store(self, store: &str) -> StoreError {
        StoreError::Data {
            path: store.to_owned(),
            reason: format!("`{}`: {}", self.column, self.message),
        }
    }
}

/// What there is to know before a filter is put to the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// Whether every span has its type in its column.
    pub(super) has_types: bool,
    /// Whether the spans of every trace are in the table.
    pub(super) all_in_table: bool,
}

/// Statements on the tags of a trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct TagStatements {
    /// Gives a row where there is such a trace.
    pub(super) find: &'static str,
    /// Sets the tag with a key to a value.
    pub(super) set: &'static str,
    /// Deletes the tag with a key.
    pub(super) delete: &'static str,
    /// Sets the name to a value.
    pub(super) set_name: &'static str,
}

/// What a user may do to the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    Insert,
    Update,
    Delete,
}

/// A connection.
pub(super) trait Link: Send {
    /// A row of an answer.
    type Row: Row<Error = Odd> + Send;

    /// The rows of a statement.
    fn ask(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<Vec<Self::Row>, StoreError>;

    /// Begins a statement whose rows are fetched bit by bit; `all` where all are wanted.
    fn open(
        &mut self,
        cursor: &str,
        sql: &str,
        values: &[Arg<'_>],
        all: bool,
    ) -> Result<(), StoreError>;

    /// The next rows of such a statement; fewer than that at its end.
    fn next(&mut self, cursor: &str, rows: usize) -> Result<Vec<Self::Row>, StoreError>;

    /// Ends such a statement.
    fn close(&mut self, cursor: &str);

    /// From here on, the state is seen that there is by then.
    fn renew(&mut self);

    /// Begins a transaction that changes rows, and sees what there is by each statement.
    /// What is asked until its end is asked within it; `renew` takes it back.
    fn begin_change(&mut self) -> Result<(), StoreError>;

    /// Ends such a transaction, with all that was changed.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Runs a statement within such a transaction; gives how many rows it changed.
    fn run(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<u64, StoreError>;

    /// Tables and columns.
    fn schema(&mut self) -> Result<Schema, StoreError>;

    /// How this database says things, and what it decides by itself.
    fn dialect(&self, facts: Facts) -> &'static dyn Dialect;

    /// That a column is one of the texts with this number.
    fn one_of(&self, column: &str, number: usize) -> String;

    /// Whether two keys of tags that differ are the same to it.
    fn same_key(&mut self, _one: &str, _other: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Whether the user may change the rows of a table in these ways.
    fn may_change(&mut self, table: &str, rights: &[Right]) -> Result<bool, StoreError>;

    /// How tags are changed; the id of the trace is always the first value.
    fn tag_statements(&self) -> TagStatements;

    /// Whether it computes aggregates as they are computed here.
    fn sums_up(&self) -> bool {
        false
    }

    /// How it goes about a statement.
    fn explain(&mut self, sql: &str, values: &[Arg<'_>]) -> Result<Vec<String>, StoreError>;
}
