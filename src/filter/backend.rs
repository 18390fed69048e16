//! What keeps the traces behind a server, and where it means something else by a
//! condition than `SQLite` does, which decides as this program does: other databases
//! have other escapes in `LIKE`, other regular expressions, fold case and accents by
//! collations of their own, and MySQL compares keys that way, and some texts byte by byte.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::plan::Support;
use super::portable::portable;
use super::terms::{Condition, Value};
use crate::field::{Comparator, Field};

/// What keeps a server's traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// `SQLite`, by which all others are measured.
    Sqlite,
    /// `PostgreSQL`.
    Postgres,
    /// `MySQL` or `MariaDB`.
    Mysql,
    /// Another database, folders of files, or nobody knows what.
    Other,
    /// One that refused a filter, nobody knows for which of its conditions.
    Refusing,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "the server's PostgreSQL",
            Self::Mysql => "the server's MySQL",
            Self::Other | Self::Refusing => "the server's store",
        })
    }
}

impl Backend {
    /// Whether it sorts texts by their characters' numbers, as is done here, and not by a
    /// collation.
    pub fn sorts_texts(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// Whether texts that are not the same are different groups to it.
    pub fn groups_texts(self) -> bool {
        matches!(self, Self::Sqlite | Self::Postgres)
    }

    /// Whether keys whose letters are the same, as [`folded`] has them, are to it.
    pub fn folds_keys(self) -> bool {
        matches!(self, Self::Mysql)
    }

    /// Whether its percentiles are those that are computed here.
    pub fn has_percentiles(self) -> bool {
        matches!(self, Self::Sqlite | Self::Postgres)
    }

    /// What it makes of a condition that MLflow's server puts to it.
    pub(super) fn support(self, condition: &Condition) -> Support {
        match self {
            Self::Sqlite => Support::Exact,
            Self::Postgres | Self::Mysql => self.of_database(condition),
            Self::Other => other(condition),
            Self::Refusing => Support::Unsupported,
        }
    }

    fn of_database(self, condition: &Condition) -> Support {
        use Comparator::{Ilike, IsNotNull, IsNull, Like, Rlike};
        let is_mysql = self == Self::Mysql;
        let field = &condition.field;
        // Names of assessments and issues are compared by the collation.
        let by_collation = is_mysql && (field.is_assessment() || *field == Field::IssueId);
        let checked_again = |support| match support {
            Support::Exact => Support::Inexact(condition.clone()),
            Support::As(other) => Support::Inexact(other),
            other => other,
        };
        let is_number = matches!(
            field,
            Field::Timestamp | Field::ExecutionTime | Field::EndTime
        );
        let support = match (condition.comparator, &condition.value) {
            // To SQLite texts are greater than numbers; others look for the number in them.
            (_, Value::Text(_)) if is_number => Support::Unsupported,
            (Like, Value::Text(pattern)) => self.like(condition, pattern),
            (Ilike, Value::Text(pattern)) => self.ilike(condition, pattern),
            (Rlike, Value::Text(pattern)) => self.rlike(condition, pattern),
            (IsNull, _) if by_collation || (is_mysql && is_foreign_key(field)) => {
                Support::Unsupported
            }
            (IsNotNull, _) if is_mysql && is_foreign_key(field) => {
                Support::Inexact(condition.clone())
            }
            _ => Support::Exact,
        };
        if by_collation {
            checked_again(support)
        } else {
            support
        }
    }

    /// A backslash escapes what follows it, and MySQL's `_` is a byte.
    fn like(self, condition: &Condition, pattern: &str) -> Support {
        if self == Self::Postgres {
            let doubled = |c| (c == '\\').then_some(r"\\");
            return replaced(condition, pattern, doubled, Support::As);
        }
        // It may have been told not to know escapes.
        let anything = |c| matches!(c, '\\' | '_').then_some("%");
        replaced(condition, pattern, anything, Support::Inexact)
    }

    /// Both fold letters beyond ASCII, MySQL even accents. What folds to several characters,
    /// or not at all in the language of the collation, matches anything.
    fn ilike(self, condition: &Condition, pattern: &str) -> Support {
        let odd = |c: char| !c.is_ascii() || matches!(c, '\\' | '_' | 'i' | 'I');
        // Beyond ASCII, only what looks like these becomes a letter of ASCII.
        let is_exact = self == Self::Postgres && !pattern.contains(['k', 'K']);
        if !pattern.contains(odd) && is_exact {
            return Support::Exact;
        }
        let with = |c: char| odd(c).then_some("%");
        match replaced(condition, pattern, with, Support::Inexact) {
            Support::Exact => Support::Inexact(condition.clone()),
            other => other,
        }
    }

    /// Few regular expressions mean the same everywhere.
    fn rlike(self, condition: &Condition, pattern: &str) -> Support {
        let plain_key = |key: &str| {
            key.chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '))
        };
        let (start, inner, end) = match &condition.field {
            // The server itself takes the anchors off a pattern for attributes.
            Field::SpanAttribute(key) if plain_key(key) => {
                let (start, rest) = match pattern.strip_prefix('^') {
                    Some(rest) => ("^", rest),
                    None => ("", pattern),
                };
                match rest.strip_suffix('$') {
                    Some(inner) => (start, inner, "$"),
                    None => (start, rest, ""),
                }
            }
            Field::SpanAttribute(_) => return Support::Unsupported,
            _ => ("", pattern, ""),
        };
        match portable(inner, self) {
            Some(same) if same == inner => Support::Exact,
            Some(same) => with_text(condition, format!("{start}{same}{end}"))
                .map_or(Support::Unsupported, Support::As),
            None => Support::Unsupported,
        }
    }
}

/// Whether a key is any but those of MLflow's own, which nobody else writes otherwise.
fn is_foreign_key(field: &Field) -> bool {
    match field {
        Field::Tag(key) | Field::Metadata(key) => !key.starts_with("mlflow."),
        _ => false,
    }
}

/// The condition with what `with` gives in the place of characters of the pattern.
fn replaced(
    condition: &Condition,
    pattern: &str,
    with: impl Fn(char) -> Option<&'static str>,
    support: impl Fn(Condition) -> Support,
) -> Support {
    if !pattern.contains(|c| with(c).is_some()) {
        return Support::Exact;
    }
    let mut wider = String::with_capacity(pattern.len() + 8);
    for c in pattern.chars() {
        match with(c) {
            Some("%") if wider.ends_with('%') => {}
            Some(other) => wider.push_str(other),
            None => wider.push(c),
        }
    }
    with_text(condition, wider).map_or(Support::Unsupported, support)
}

/// The same comparison with another text, where that can be written.
fn with_text(condition: &Condition, text: String) -> Option<Condition> {
    Condition::text(condition.field.clone(), condition.comparator, text).ok()
}

/// Where nothing is known, equality may be too wide, and nothing else is
/// taken for what it says but numbers.
fn other(condition: &Condition) -> Support {
    use Comparator::{Equal, In};
    match (&condition.field, condition.comparator, &condition.value) {
        (Field::Timestamp | Field::ExecutionTime, _, Value::Number(_))
        | (Field::Status, Equal | In, _) => Support::Exact,
        (Field::RequestId | Field::Name | Field::Tag(_) | Field::Metadata(_), Equal | In, _) => {
            Support::Inexact(condition.clone())
        }
        _ => Support::Unsupported,
    }
}

/// A text as the collations that MySQL has unless told otherwise compare it: without case,
/// accents and spaces at its end.
pub fn folded(text: &str) -> String {
    let letters = text.trim_end_matches(' ').nfkd();
    let bare = letters.filter(|c| !is_combining_mark(*c));
    bare.collect::<String>().to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::plan::Server;
    use super::*;

    #[track_caller]
    fn planned(text: &str, postgres: &str, mysql: &str) {
        for (backend, expected) in [(Backend::Postgres, postgres), (Backend::Mysql, mysql)] {
            let server = Server {
                version: (3, 17),
                backend,
                max_searches: 8,
            };
            let filter = parse(text).unwrap();
            let plan = filter.plan(&server).unwrap();
            assert_eq!(plan.to_string(), expected, "{text} on {backend:?}");
        }
    }

    #[test]
    fn what_means_the_same_everywhere_is_sent_as_it_is() {
        for text in [
            "name = 'checkout '",
            "tags.k != 'É'",
            "status IN ('OK', 'ERROR')",
            "name LIKE 'check%'",
            "name RLIKE '^check|tie'",
            "name IS NULL",
            "metadata.`mlflow.trace.session` IS NOT NULL",
            "execution_time_ms >= 250.5",
            "span.name IN ('a', 'b') AND span.type != 'LLM'",
            "span.content LIKE '%Timeout%'",
            "span.attributes.model RLIKE '^gpt-4o$'",
        ] {
            let filter = parse(text).unwrap();
            let server = Server {
                version: (3, 17),
                backend: Backend::Sqlite,
                max_searches: 8,
            };
            assert!(!filter.depends_on_backend(&server), "{text}");
        }
    }

    #[test]
    fn other_dialects_are_widened_and_checked_here() {
        planned(
            r"name LIKE 'a\_b'",
            r"server: name LIKE 'a\\_b'",
            "server: name LIKE 'a%b'\nhere: name LIKE 'a\\_b'",
        );
        planned(
            "name LIKE 'a_b'",
            "server: name LIKE 'a_b'",
            "server: name LIKE 'a%b'\nhere: name LIKE 'a_b'",
        );
        planned(
            "name ILIKE '%error%'",
            "server: name ILIKE '%error%'",
            "server: name ILIKE '%error%'\nhere: name ILIKE '%error%'",
        );
        planned(
            "name ILIKE 'ÉlaniK'",
            "server: name ILIKE '%lan%K'\nhere: name ILIKE 'ÉlaniK'",
            "server: name ILIKE '%lan%K'\nhere: name ILIKE 'ÉlaniK'",
        );
        planned(
            r"name RLIKE '\d'",
            "server: name IS NOT NULL\nhere: name RLIKE '\\d'",
            "server: name IS NOT NULL\nhere: name RLIKE '\\d'",
        );
        planned(
            "end_time_ms <= '5'",
            "server: every trace\nhere: end_time_ms <= '5'",
            "server: every trace\nhere: end_time_ms <= '5'",
        );
        planned(
            "tags.k IS NULL",
            "server: tags.k IS NULL",
            "server: every trace\nhere: tags.k IS NULL",
        );
        planned(
            "tags.k IS NOT NULL",
            "server: tags.k IS NOT NULL",
            "server: tags.k IS NOT NULL\nhere: tags.k IS NOT NULL",
        );
        planned(
            "NOT tags.k = 'v'",
            "server: tags.k IS NULL\nserver: tags.k != 'v'",
            "server: every trace\nhere: NOT tags.k = 'v'",
        );
        planned(
            "name = 'a.b' OR name = 'é'",
            r"server: name RLIKE '^(?:a\.b|é)\Z'",
            r"server: name RLIKE '^(?:a\.b|é)\z'",
        );
        planned(
            "feedback.q = 'good'",
            "server: feedback.q = 'good'",
            "server: feedback.q = 'good'\nhere: feedback.q = 'good'",
        );
        planned(
            "feedback.q IS NULL",
            "server: feedback.q IS NULL",
            "server: every trace\nhere: feedback.q IS NULL",
        );
        planned(
            "span.attributes.m RLIKE '^gpt.4'",
            r"server: span.attributes.m RLIKE '^gpt[^\n]4'",
            "server: span.attributes.m LIKE '%'\nhere: span.attributes.m RLIKE '^gpt.4'",
        );
    }

    #[test]
    fn patterns_that_are_none_are_never_sent() {
        for backend in [Backend::Sqlite, Backend::Postgres, Backend::Mysql] {
            let server = Server {
                version: (3, 17),
                backend,
                max_searches: 8,
            };
            let plan = parse("name RLIKE '('").unwrap().plan(&server).unwrap();
            assert_eq!(plan.to_string(), "server: request_id = ''");
        }
    }
}
