//! SQL as PostgreSQL takes it.

use crate::store::database::link::Facts;
use crate::store::sql::{Dialect, Parameters};

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

    fn can_call(&self) -> bool {
        false
    }

    fn has_types(&self) -> bool {
        self.has_types
    }
}
