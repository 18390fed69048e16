//! What a kind of database says in its own way, and what it is asked before a statement
//! is made. Everything else in this room is SQL that SQLite, PostgreSQL and MySQL take
//! alike: `IS NOT TRUE`, `coalesce`, `nullif`, `EXISTS`, `BETWEEN`, sums of integers
//! (all times are integers), and `x IS NULL` before `x` in an order.

use super::{Parameters, Schema};
use crate::filter::{Field, Filter};
use crate::model::Detail;

/// Tests and readings that only this program can make, where the database can call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Function {
    /// `(test, text)`: whether a text passes; text may be missing.
    Text,
    /// `(test, content)`: whether a span passes, given its JSON.
    Span,
    /// `(content)`: the type of a span, given as JSON, or null.
    Type,
    /// `(content)`: the model that a span called, likewise.
    Model,
    /// `(test, value)`: whether an assessment's value passes, given as JSON.
    Assessment,
    /// `(test, name, type, value, error, rationale, source, source type)`: whether an
    /// assessment passes a test of more than its value.
    Judged,
    /// `('input'|'output'|'total', json)`: a number of tokens, or null.
    Tokens,
    /// `(json)`: the whole cost in dollars, or null.
    Cost,
}

/// How a kind of database says things.
pub(in crate::store) trait Dialect: Sync {
    /// The place of the value with this number, from 1, which may come more than once.
    /// Where places have no numbers, the store puts the values in the order of the places.
    fn placeholder(&self, number: usize) -> String;

    /// What always or never holds.
    fn truth(&self, holds: bool) -> &'static str;

    /// A text that is compared as it is written: case and accents count, in `=`, in `IN`
    /// and in an order. The collation decides it where the columns' own does not.
    fn exact(&self, text: &str) -> String;

    /// That a text is this value, as it is written.
    fn equal(&self, text: &str, value: &str) -> String {
        format!("({} = {value})", self.exact(text))
    }

    /// That a text is one of these, as it is written.
    fn is_in(&self, text: &str, list: &str) -> String {
        format!("({} IN ({list}))", self.exact(text))
    }

    /// The same text in an order, where the collation decides that and not what is equal.
    fn in_order(&self, text: &str) -> String {
        self.exact(text)
    }

    /// A value as text.
    fn as_text(&self, value: &str) -> String;

    /// Whether a text is like a pattern, case and all; `None` where the database has no way
    /// to say it.
    fn like(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> Option<String>;

    /// The same whatever the case of ASCII letters.
    fn ilike(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> String;

    /// Whether that folds nothing but ASCII letters. Otherwise what is found is checked again.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code))]
    fn decides_ilike(&self) -> bool {
        true
    }

    /// Whether a text is in another one, case and all.
    fn contains(&self, text: &str, part: &str) -> String;

    /// Many texts in one place, as what stands in the parentheses of `IN`.
    fn many_texts(&self, json_list: String, parameters: &mut Parameters) -> String;

    /// A number compared with a text, which is equal to none and comes behind all.
    fn number_with_text(&self, number: &str, comparator: &str, text: &str) -> String;

    /// A column that the planner is not to take an index for; as it is where hints are no
    /// part of the statement.
    fn without_index(&self, column: &str) -> String {
        column.to_owned()
    }

    /// How a table is named whose rows are found by an index, where the planner can be told.
    fn by_index(&self, table: &str, _index: &str) -> String {
        table.to_owned()
    }

    /// How a table is named that is read from one end to the other.
    fn whole_table(&self, table: &str) -> String {
        table.to_owned()
    }

    /// The end of a statement that gives so many rows at most.
    fn limit(&self, rows: Option<usize>) -> String {
        rows.map_or(String::new(), |rows| format!("LIMIT {rows}"))
    }

    /// Whether it gives the first rows only when all are found and sorted, so that it is better
    /// asked for traces of some time after those of another.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code))]
    fn gives_all_at_once(&self) -> bool {
        false
    }

    /// A call of one of this program's functions. A database that cannot call them has
    /// none of their conditions put to it.
    fn call(&self, function: Function, _arguments: &[&str]) -> String {
        match function {
            Function::Text | Function::Span | Function::Assessment | Function::Judged => {
                self.truth(true).to_owned()
            }
            Function::Type | Function::Model | Function::Tokens | Function::Cost => {
                "NULL".to_owned()
            }
        }
    }

    /// Whether the database can call this program's functions. Where it cannot, calls stand
    /// for whatever they might say, and what is found is checked again.
    fn can_call(&self) -> bool {
        true
    }

    /// Whether every span has its type in its column, where calls cannot tell it.
    fn has_types(&self) -> bool {
        true
    }

    /// The spans of `trace_info t` that are not in the table of spans, as a table with its
    /// columns; where it cannot be called, they are never put into a statement.
    fn spans_outside(&self) -> String {
        "spans".to_owned()
    }

    /// How many these are.
    fn count_outside(&self) -> String {
        "0".to_owned()
    }

    /// Whether what a filter needs of them is to be had.
    fn outside_is_known(&self, _filter: &Filter) -> String {
        self.truth(true).to_owned()
    }

    /// Whether the table has nothing of the spans of `trace_info t` to decide a filter by.
    fn is_outside(&self, schema: &Schema, filter: &Filter) -> String {
        if !schema.has_spans() {
            return self.truth(true).to_owned();
        }
        // Of an archived span, times, names and the like stay in the table.
        let suffices = match needs(filter) {
            Needs::Columns => "",
            Needs::Types => " AND (octet_length(e.content) > 0 OR e.type IS NOT NULL)",
            Needs::Content => " AND octet_length(e.content) > 0",
        };
        format!("NOT EXISTS (SELECT 1 FROM spans e WHERE e.trace_id = t.request_id{suffices})")
    }
}

enum Needs {
    Columns,
    Types,
    Content,
}

fn needs(filter: &Filter) -> Needs {
    let mut needs = Needs::Columns;
    for condition in filter.conditions() {
        match condition.field() {
            Field::SpanType => needs = Needs::Types,
            field if field.detail() > Some(Detail::Times) => return Needs::Content,
            _ => {}
        }
    }
    needs
}

/// What a database is asked beforehand, to choose among ways to the same answer.
pub(in crate::store) trait Probes {
    /// What can go wrong.
    type Error;

    /// The number that a statement with some of the parameters gives.
    fn number(&self, sql: &str, parameters: &Parameters) -> Result<i64, Self::Error>;

    /// Whether all traces say that their spans are in the table.
    fn all_are_in_table(&self, schema: &Schema) -> Result<bool, Self::Error>;

    /// Whether most traces are searched, of enough of them.
    fn is_most(&self, scope: &str) -> Result<bool, Self::Error>;

    /// That a trace has a span that passes, where it is quicker to read all spans for it
    /// once than to look those of each trace up; it begins with [`super::AMONG`].
    fn among_all_spans(
        &self,
        alias: &str,
        condition: &str,
        parameters: &Parameters,
    ) -> Option<String>;
}
