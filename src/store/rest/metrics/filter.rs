//! A filter as the metrics API takes it: clauses with `=`, each by itself, and
//! bounds in time, both of which are included.

use super::Reason;
use crate::filter::{Comparator, Condition, Expr, Field, Number, Value};
use crate::model::{metadata, tag};
use crate::store::FilterSource;

/// What the filter comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) clauses: Vec<String>,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
    /// Whether a clause compares texts that people wrote.
    pub(super) compare_texts: bool,
    /// The same as a filter of the search.
    pub(super) search: String,
}

impl Bounds {
    /// # Errors
    /// That there is no way to say it.
    pub(super) fn of(filter: &FilterSource) -> Result<Self, Reason> {
        let beyond = || format!("the server does not take `{filter}` for this");
        let FilterSource::Parsed(parsed) = filter else {
            return Err(beyond());
        };
        if parsed.server_conditions().is_none() {
            return Err(beyond());
        }
        let mut bounds = Self {
            search: parsed.to_string(),
            ..Self::default()
        };
        for expr in parsed.conjuncts() {
            let Expr::Condition(condition) = expr else {
                return Err(beyond());
            };
            bounds.add(condition).ok_or_else(beyond)?;
        }
        Ok(bounds)
    }

    fn add(&mut self, condition: &Condition) -> Option<()> {
        if *condition.field() == Field::Timestamp {
            return self.narrow(condition);
        }
        let text = match (condition.comparator(), condition.value()) {
            (Comparator::Equal, Value::Text(text)) => text,
            (Comparator::In, Value::List(texts)) if texts.len() == 1 => &texts[0],
            _ => return None,
        };
        let left = match condition.field() {
            Field::Status => "trace.status".to_owned(),
            Field::Name => format!("trace.tag.{}", tag::NAME),
            Field::Tag(key) => format!("trace.tag.{}", plain(key)?),
            // Here the server also counts traces that were linked to the run afterwards.
            Field::Metadata(key) if key == metadata::SOURCE_RUN => return None,
            Field::Metadata(key) => format!("trace.metadata.{}", plain(key)?),
            _ => return None,
        };
        self.compare_texts |= *condition.field() != Field::Status;
        let quoted = !text.is_empty() && !text.contains(['\'', '"', '`', '\\', ';']);
        let printable = quoted && !text.contains(char::is_control) && text.trim() == text;
        printable.then(|| self.clauses.push(format!("{left} = \"{text}\"")))
    }

    fn narrow(&mut self, condition: &Condition) -> Option<()> {
        let Value::Number(Number::Integer(ms)) = *condition.value() else {
            return None;
        };
        let (start, end) = match condition.comparator() {
            Comparator::GreaterOrEqual => (Some(ms), None),
            Comparator::Greater => (Some(ms.checked_add(1)?), None),
            Comparator::LessOrEqual => (None, Some(ms)),
            Comparator::Less => (None, Some(ms.checked_sub(1)?)),
            _ => return None,
        };
        self.start_ms = self.start_ms.max(start);
        self.end_ms = match (self.end_ms, end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Some(())
    }
}

/// A key that needs no quotes.
fn plain(key: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    (!key.is_empty() && key.chars().all(allowed)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::parse;

    fn bounds(text: &str) -> Option<Bounds> {
        Bounds::of(&FilterSource::Parsed(parse(text).unwrap())).ok()
    }

    #[test]
    fn equalities_become_clauses_and_times_bounds() {
        let found = bounds(
            "status IN ('OK') AND name = 'a b' AND tags.env = 'x' AND metadata.`mlflow.trace.user` = 'u' \
             AND timestamp >= 5 AND timestamp > 5 AND timestamp < 20 AND timestamp <= 30",
        )
        .unwrap();
        assert_eq!(
            found.clauses,
            [
                "trace.status = \"OK\"",
                "trace.tag.mlflow.traceName = \"a b\"",
                "trace.tag.env = \"x\"",
                "trace.metadata.mlflow.trace.user = \"u\"",
            ]
        );
        assert_eq!((found.start_ms, found.end_ms), (Some(6), Some(19)));
    }

    #[test]
    fn what_cannot_be_said_is_not_sent() {
        for text in [
            "status != 'OK'",
            "status IN ('OK', 'ERROR')",
            "status = 'OK' OR name = 'x'",
            "name LIKE 'a%'",
            "tags.`a b` = 'x'",
            "tags.a = \"it's\"",
            "span.name = 'x'",
            "duration > 5",
            "metadata.`mlflow.sourceRun` = 'x'",
        ] {
            assert_eq!(bounds(text), None, "{text}");
        }
    }
}
