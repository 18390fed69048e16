//! SQL as MySQL and MariaDB take it. Their collations take case, accents and trailing spaces
//! for nothing, so texts are compared as their bytes; beside that stands the comparison by the
//! collation, which is never narrower and has an index.

use super::statement;
use crate::store::database::link::Facts;
use crate::store::sql::{Dialect, Parameters};

/// MySQL's own way to say things.
pub(super) struct Mysql {
    has_types: bool,
    texts: Texts,
}

/// How texts are stored, from the least that their columns take to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Texts {
    /// Some in another encoding than UTF-8.
    Other,
    /// As UTF-8, some without characters beyond U+FFFF.
    Utf8,
    /// As UTF-8 with all characters.
    Full,
}

impl Texts {
    /// Those of columns with this character set.
    pub(super) fn of(charset: &str) -> Self {
        match charset {
            "utf8mb4" | "ascii" | "binary" => Self::Full,
            "utf8" | "utf8mb3" => Self::Utf8,
            _ => Self::Other,
        }
    }
}

/// The way of a database of which so much is known.
pub(super) fn of(facts: Facts, texts: Texts) -> &'static Mysql {
    const fn all(has_types: bool) -> [Mysql; 3] {
        [
            Mysql {
                has_types,
                texts: Texts::Other,
            },
            Mysql {
                has_types,
                texts: Texts::Utf8,
            },
            Mysql {
                has_types,
                texts: Texts::Full,
            },
        ]
    }
    static ALL: [[Mysql; 3]; 2] = [all(false), all(true)];
    &ALL[usize::from(facts.has_types)][texts as usize]
}

/// Escapes in a pattern, as what nobody expects to escape anything.
const ESCAPE: char = '|';

/// A pattern in which nothing is escaped, with a character that escapes.
fn escaped(pattern: &str) -> String {
    pattern.replace(ESCAPE, "||")
}

/// Whether this is the name of a column and nothing else.
fn is_column(text: &str) -> bool {
    let is_of_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    text.bytes().all(is_of_name)
}

impl Mysql {
    /// A text that is UTF-8.
    fn utf8(&self, text: &str) -> String {
        if self.texts >= Texts::Utf8 && is_column(text) {
            text.to_owned()
        } else {
            format!("CONVERT({text} USING utf8mb4)")
        }
    }

    /// That a column has a value, by its collation. What its character set has not, it has
    /// not either, and is no error.
    fn alike(&self, column: &str, value: &str) -> String {
        if self.texts == Texts::Utf8 && value.starts_with('?') {
            format!("{column} = CONVERT({value} USING utf8mb3)")
        } else {
            format!("{column} = {value}")
        }
    }
}

impl Dialect for Mysql {
    fn placeholder(&self, number: usize) -> String {
        statement::place(number)
    }

    fn truth(&self, holds: bool) -> &'static str {
        if holds { "TRUE" } else { "FALSE" }
    }

    fn exact(&self, text: &str) -> String {
        format!("CAST({} AS BINARY)", self.utf8(text))
    }

    fn equal(&self, text: &str, value: &str) -> String {
        let exact = format!("{} = {value}", self.exact(text));
        if is_column(text) && text != "NULL" {
            format!("({} AND {exact})", self.alike(text, value))
        } else {
            format!("({exact})")
        }
    }

    fn is_in(&self, text: &str, list: &str) -> String {
        let exact = format!("{} IN ({list})", self.exact(text));
        if is_column(text) && text != "NULL" {
            // Of several texts together, all have to be of the column's character set.
            let each = list.split(", ").map(|value| self.alike(text, value));
            let by_collation = each.collect::<Vec<_>>().join(" OR ");
            format!("(({by_collation}) AND {exact})")
        } else {
            format!("({exact})")
        }
    }

    fn as_text(&self, value: &str) -> String {
        format!("CAST({value} AS CHAR)")
    }

    fn like(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> Option<String> {
        let text = format!("CONVERT({text} USING utf8mb4) COLLATE utf8mb4_bin");
        let pattern = parameters.bind(escaped(pattern));
        Some(format!("({text} LIKE {pattern} ESCAPE '{ESCAPE}')"))
    }

    /// It folds more than ASCII letters, and each character to one in texts and patterns
    /// alike, so that nothing is missed.
    fn ilike(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> String {
        let text = format!("CONVERT({text} USING utf8mb4) COLLATE utf8mb4_bin");
        let pattern = parameters.bind(escaped(pattern));
        format!("(LOWER({text}) LIKE LOWER({pattern} COLLATE utf8mb4_bin) ESCAPE '{ESCAPE}')")
    }

    fn decides_ilike(&self) -> bool {
        false
    }

    fn contains(&self, text: &str, part: &str) -> String {
        format!("LOCATE({part}, {}) > 0", self.exact(text))
    }

    /// Each as its bytes: there is a limit for values, and lists in JSON are not known to
    /// every release.
    fn many_texts(&self, json_list: String, _parameters: &mut Parameters) -> String {
        let texts: Vec<String> = serde_json::from_str(&json_list).unwrap_or_default();
        let literals: Vec<String> = texts.iter().map(|text| literal(text)).collect();
        literals.join(", ")
    }

    fn number_with_text(&self, number: &str, comparator: &str, _text: &str) -> String {
        let holds = matches!(comparator, "<" | "<=" | "!=");
        format!("({number} IS NOT NULL AND {})", self.truth(holds))
    }

    /// Cursors are tables, and none is in an order for which there is an index: that of times
    /// goes one way, and ids the other.
    fn gives_all_at_once(&self) -> bool {
        true
    }

    fn can_call(&self) -> bool {
        false
    }

    fn has_types(&self) -> bool {
        self.has_types
    }
}

/// A text as its bytes, in which nothing has to be quoted.
fn literal(text: &str) -> String {
    use std::fmt::Write as _;
    let mut literal = String::from("x'");
    for byte in text.bytes() {
        let _ = write!(literal, "{byte:02x}");
    }
    literal.push('\'');
    literal
}
