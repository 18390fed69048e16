//! SQL as SQLite takes it, and what is asked of a database before a search.

use rusqlite::Connection;

use super::{outside, statement, whole};
use crate::filter::{Capability, Condition, Filter, Support};
use crate::store::sql::{Dialect, Function, Parameters, Probes, Schema};

/// SQLite's own way to say things.
pub(super) struct Sqlite;

/// It calls functions of this program for what it has no word for.
impl Capability for Sqlite {
    fn support(&self, _condition: &Condition) -> Support {
        Support::Exact
    }
}

/// The longest pattern that SQLite takes, less some.
const MAX_PATTERN: usize = 49_000;

impl Dialect for Sqlite {
    fn placeholder(&self, number: usize) -> String {
        format!("?{number}")
    }

    fn truth(&self, holds: bool) -> &'static str {
        if holds { "1" } else { "0" }
    }

    fn exact(&self, text: &str) -> String {
        text.to_owned()
    }

    fn as_text(&self, value: &str) -> String {
        format!("CAST({value} AS TEXT)")
    }

    fn like(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> Option<String> {
        let glob = as_glob(pattern);
        // SQLite has a limit for patterns, which this one keeps only as it was written.
        (glob.len() <= MAX_PATTERN).then(|| format!("({text} GLOB {})", parameters.bind(glob)))
    }

    fn ilike(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> String {
        format!("({text} LIKE {})", parameters.bind(pattern.to_owned()))
    }

    fn contains(&self, text: &str, part: &str) -> String {
        format!("instr({text}, {part}) > 0")
    }

    fn many_texts(&self, json_list: String, parameters: &mut Parameters) -> String {
        format!(
            "SELECT value FROM json_each({})",
            parameters.bind(json_list)
        )
    }

    fn number_with_text(&self, number: &str, comparator: &str, text: &str) -> String {
        // The sum keeps SQLite from making a number of the text.
        format!("(({number}) + 0 {comparator} {text})")
    }

    fn without_index(&self, column: &str) -> String {
        format!("+{column}")
    }

    fn by_index(&self, table: &str, index: &str) -> String {
        format!("{table} INDEXED BY {index}")
    }

    fn whole_table(&self, table: &str) -> String {
        format!("{table} NOT INDEXED")
    }

    fn limit(&self, rows: Option<usize>) -> String {
        let rows = rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
        format!("LIMIT {}", rows.unwrap_or(-1))
    }

    fn call(&self, function: Function, arguments: &[&str]) -> String {
        format!("{}({})", statement::name(function), arguments.join(", "))
    }

    fn spans_outside(&self) -> String {
        outside::table()
    }

    fn count_outside(&self) -> String {
        outside::count()
    }

    fn outside_is_known(&self, filter: &Filter) -> String {
        outside::is_known(filter)
    }
}

/// A pattern of `LIKE` for `GLOB`, which tells case apart.
fn as_glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '*' | '?' | '[' => glob.extend(['[', c, ']']),
            plain => glob.push(plain),
        }
    }
    glob
}

impl Probes for Connection {
    type Error = rusqlite::Error;

    fn number(&self, sql: &str, parameters: &Parameters) -> rusqlite::Result<i64> {
        let mut statement = self.prepare(sql)?;
        let values = statement::values_of(parameters, &statement);
        statement.query_row(rusqlite::params_from_iter(values), |row| row.get(0))
    }

    fn all_are_in_table(&self, schema: &Schema) -> rusqlite::Result<bool> {
        outside::is_empty(schema, self)
    }

    fn is_most(&self, scope: &str) -> rusqlite::Result<bool> {
        whole::is_most(self, scope)
    }

    fn among_all_spans(
        &self,
        alias: &str,
        condition: &str,
        parameters: &Parameters,
    ) -> Option<String> {
        whole::among_all_spans(self, alias, condition, parameters)
    }
}
