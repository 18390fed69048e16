//! SQL as PostgreSQL takes it.

use crate::filter::Filter;
use crate::store::database::link::Facts;
use crate::store::sql::{Dialect, Function, Parameters};

/// PostgreSQL's own way to say things.
pub(super) struct Postgres {
    has_types: bool,
}

/// The way of a database of which so much is known.
pub(super) fn of(facts: Facts) -> &'static Postgres {
    static TYPED: Postgres = Postgres { has_types: true };
    static UNTYPED: Postgres = Postgres { has_types: false };
    if facts.has_types { &TYPED } else { &UNTYPED }
}

impl Dialect for Postgres {
    fn placeholder(&self, number: usize) -> String {
        format!("${number}")
    }

    fn truth(&self, holds: bool) -> &'static str {
        if holds { "TRUE" } else { "FALSE" }
    }

    /// Whatever the collation, texts are equal only where their bytes are.
    fn exact(&self, text: &str) -> String {
        text.to_owned()
    }

    fn in_order(&self, text: &str) -> String {
        format!("{text} COLLATE \"C\"")
    }

    fn as_text(&self, value: &str) -> String {
        format!("CAST({value} AS TEXT)")
    }

    fn like(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> Option<String> {
        let pattern = parameters.bind(pattern.to_owned());
        Some(format!("({text} LIKE {pattern} ESCAPE '')"))
    }

    /// With this collation, `lower` leaves alone what is no ASCII letter.
    fn ilike(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> String {
        let pattern = parameters.bind(pattern.to_ascii_lowercase());
        format!("(lower(({text}) COLLATE \"C\") LIKE {pattern} ESCAPE '')")
    }

    fn contains(&self, text: &str, part: &str) -> String {
        format!("strpos({text}, {part}) > 0")
    }

    fn many_texts(&self, json_list: String, parameters: &mut Parameters) -> String {
        let list = parameters.bind(json_list);
        format!("SELECT json_array_elements_text({list}::json)")
    }

    fn number_with_text(&self, number: &str, comparator: &str, _text: &str) -> String {
        let holds = matches!(comparator, "<" | "<=" | "!=");
        format!("({number} IS NOT NULL AND {})", self.truth(holds))
    }

    fn without_index(&self, column: &str) -> String {
        column.to_owned()
    }

    fn by_index(&self, table: &str, _index: &str) -> String {
        table.to_owned()
    }

    fn whole_table(&self, table: &str) -> String {
        table.to_owned()
    }

    fn limit(&self, rows: Option<usize>) -> String {
        rows.map_or(String::new(), |rows| format!("LIMIT {rows}"))
    }

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

    fn can_call(&self) -> bool {
        false
    }

    fn has_types(&self) -> bool {
        self.has_types
    }

    // What is outside of the table is never put into a statement.
    fn spans_outside(&self) -> String {
        "spans".to_owned()
    }

    fn count_outside(&self) -> String {
        "0".to_owned()
    }

    fn outside_is_known(&self, _filter: &Filter) -> String {
        self.truth(true).to_owned()
    }
}
