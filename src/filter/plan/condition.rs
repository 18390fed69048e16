//! What the server can be asked for in the place of a single condition.

use super::super::terms::{Condition, Number, Value};
use super::super::value::parse_number;
use super::cover::{At, Cover, Planner};
use super::never;
use crate::field::{Comparator, Field};
use crate::model::metadata;

/// More `!=` on one key are more joins than they are worth.
const MAX_EXCLUDED: usize = 20;

impl Planner<'_> {
    pub(super) fn condition(&self, condition: &Condition, at: At) -> Cover {
        if condition.matches_nothing() {
            return Cover::of(never().into_iter().collect(), at);
        }
        if let Some(cover) = self.these(std::slice::from_ref(condition), at) {
            return cover;
        }
        let cover = match &condition.field {
            field if field.is_assessment() => self.assessment(condition, at),
            Field::Timestamp | Field::ExecutionTime | Field::EndTime => self.numbers(condition, at),
            Field::Name | Field::RunId | Field::Tag(_) | Field::Metadata(_) => {
                self.text(condition, at)
            }
            Field::Prompt | Field::IssueId => self.each(condition, at),
            Field::Tokens | Field::InputTokens | Field::OutputTokens => {
                self.recorded(condition, metadata::TOKEN_USAGE, at)
            }
            Field::Cost => self.recorded(condition, metadata::COST, at),
            Field::SpanAttribute(key) => self.attribute(condition, key, at),
            Field::SpanModel => self.attribute(condition, "model", at),
            Field::SpanError => self.error(condition, at),
            Field::ClientRequestId | Field::SpanType => self.there(condition, at),
            _ => None,
        };
        cover.unwrap_or_else(Cover::anything)
    }

    /// Conditions that the server knows, all of them.
    fn these(&self, conditions: &[Condition], at: At) -> Option<Cover> {
        let asked: Option<Vec<(Condition, bool)>> = conditions
            .iter()
            .map(|condition| self.asked(condition, at))
            .collect();
        let (conditions, exact): (Vec<Condition>, Vec<bool>) = asked?.into_iter().unzip();
        let cover = Cover::of(conditions, at);
        Some(if exact.into_iter().all(|exact| exact) {
            cover
        } else {
            cover.roughly()
        })
    }

    /// Any of some conditions that the server knows.
    fn any_of(&self, conditions: Vec<Condition>, at: At) -> Option<Cover> {
        let mut covers = Vec::new();
        for condition in conditions {
            covers.push(self.these(&[condition], at)?);
        }
        covers.into_iter().reduce(Cover::either)
    }

    /// A text equal to one of those of the list, each with its own search.
    fn each(&self, condition: &Condition, at: At) -> Option<Cover> {
        let Value::List(texts) = &condition.value else {
            return None;
        };
        let equal = texts.iter().map(|text| {
            Condition::text(condition.field.clone(), Comparator::Equal, text.clone())
                .ok()
                .filter(|made| made.comparator == Comparator::Equal)
        });
        self.any_of(equal.collect::<Option<_>>()?, at)
    }

    /// Numbers of the trace, of which it has at most one.
    fn numbers(&self, condition: &Condition, at: At) -> Option<Cover> {
        let Value::Range(low, high) = condition.value else {
            return None;
        };
        self.range(condition, low, high, at)
    }

    fn range(&self, condition: &Condition, low: Number, high: Number, at: At) -> Option<Cover> {
        let order = |comparator, number: Number| {
            Condition::number(condition.field.clone(), comparator, number).ok()
        };
        if condition.comparator.is_negated() {
            let outside = vec![
                order(Comparator::Less, low)?,
                order(Comparator::Greater, high)?,
            ];
            self.any_of(outside, at)
        } else {
            let inside = vec![
                order(Comparator::GreaterOrEqual, low)?,
                order(Comparator::LessOrEqual, high)?,
            ];
            self.these(&inside, at)
        }
    }

    /// A trace may have several assessments of one name, and what holds for some of
    /// them need not hold for one.
    fn assessment(&self, condition: &Condition, at: At) -> Option<Cover> {
        let field = || condition.field.clone();
        match (&condition.value, condition.comparator) {
            (Value::Range(low, high), comparator) => {
                let cover = self.range(condition, *low, *high, at)?;
                Some(if comparator.is_negated() {
                    cover
                } else {
                    cover.roughly()
                })
            }
            (Value::Number(number), Comparator::Equal) => {
                let same = Condition::range(field(), Comparator::Between, *number, *number).ok()?;
                Some(self.range(&same, *number, *number, at)?.roughly())
            }
            (Value::Number(number), Comparator::NotEqual) => {
                let other = Condition::range(field(), Comparator::NotBetween, *number, *number);
                self.range(&other.ok()?, *number, *number, at)
            }
            (Value::Text(text), Comparator::Equal) => self.same_value(&field(), text, at),
            (Value::List(texts), Comparator::In) => texts
                .iter()
                .map(|text| self.same_value(&field(), text, at))
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .reduce(Cover::either),
            _ => self.not_null(condition, at),
        }
    }

    /// The text of a value, or the number that the text is.
    fn same_value(&self, field: &Field, text: &str, at: At) -> Option<Cover> {
        let equal = Condition::text(field.clone(), Comparator::Equal, text).ok()?;
        if let Some(cover) = self.these(&[equal], at) {
            return Some(cover);
        }
        let number = parse_number(text.trim())?;
        let same = Condition::number(field.clone(), Comparator::Equal, number).ok()?;
        let numeric = self.assessment(&same, at)?;
        let quoted =
            Condition::text(field.clone(), Comparator::Like, format!("\"{text}\"")).ok()?;
        Some(self.these(&[quoted], at)?.either(numeric))
    }

    /// The value of a key that a trace has at most once.
    fn text(&self, condition: &Condition, at: At) -> Option<Cover> {
        let field = || condition.field.clone();
        match (&condition.value, condition.comparator) {
            // `=` finds linked runs, too, which no pattern does.
            (Value::List(texts), Comparator::In) if condition.field == Field::RunId => {
                if texts.iter().any(String::is_empty) {
                    return self.pattern(condition, texts, at);
                }
                self.each(condition, at)
            }
            (Value::List(texts), Comparator::In) => {
                if let [only] = texts.as_slice()
                    && let Ok(equal) = Condition::text(field(), Comparator::Equal, only.clone())
                    && let Some(cover) = self.these(&[equal], at)
                {
                    return Some(cover);
                }
                self.pattern(condition, texts, at)
                    .or_else(|| self.each(condition, at).filter(|each| self.fits(each)))
                    .or_else(|| self.not_null(condition, at))
            }
            (Value::List(texts), Comparator::NotIn) if texts.len() <= MAX_EXCLUDED => {
                let others = texts
                    .iter()
                    .map(|text| Condition::text(field(), Comparator::NotEqual, text.clone()).ok());
                self.these(&others.collect::<Option<Vec<_>>>()?, at)
                    .or_else(|| self.not_null(condition, at))
            }
            (_, Comparator::IsNull) => None,
            _ => self.not_null(condition, at),
        }
    }

    /// One of several texts, as a expression that the regular ones of Python and of databases agree on.
    fn pattern(&self, condition: &Condition, texts: &[String], at: At) -> Option<Cover> {
        let escaped: Vec<String> = texts.iter().map(|text| escape(text)).collect();
        let pattern = format!(r"^(?:{})\Z", escaped.join("|"));
        let matches = Condition::text(condition.field.clone(), Comparator::Rlike, pattern).ok()?;
        self.these(&[matches], at)
    }

    /// What needs a value to be there.
    fn not_null(&self, condition: &Condition, at: At) -> Option<Cover> {
        if condition.comparator == Comparator::IsNull {
            return None;
        }
        let there = Condition::null(condition.field.clone(), Comparator::IsNotNull).ok()?;
        Some(self.these(&[there], at)?.roughly())
    }

    /// What needs an entry of the metadata to be there.
    fn recorded(&self, condition: &Condition, key: &str, at: At) -> Option<Cover> {
        if condition.comparator == Comparator::IsNull {
            return None;
        }
        let field = Field::Metadata(key.to_owned());
        let there = Condition::null(field, Comparator::IsNotNull).ok()?;
        Some(self.these(&[there], at)?.roughly())
    }

    /// A column that need not be filled and has no `IS NULL`.
    fn there(&self, condition: &Condition, at: At) -> Option<Cover> {
        if condition.comparator == Comparator::IsNull {
            return None;
        }
        let there = Condition::text(condition.field.clone(), Comparator::Like, "%").ok()?;
        Some(self.these(&[there], at)?.roughly())
    }

    /// An attribute of a span, whose text is somewhere behind its key in the stored span.
    fn attribute(&self, condition: &Condition, key: &str, at: At) -> Option<Cover> {
        use Comparator::{Equal, Ilike, In, IsNull, Like};
        let is_model = condition.field == Field::SpanModel;
        // Negated patterns on attributes hold for spans without the attribute, too.
        let negated_pattern = matches!(
            condition.comparator,
            Comparator::NotLike | Comparator::NotIlike | Comparator::NotRlike
        );
        if condition.comparator == IsNull || (negated_pattern && !is_model) || !is_plain(key) {
            return None;
        }
        // Several attributes may name the model.
        let (field, there) = if is_model {
            (Field::SpanContent, "%model%")
        } else {
            (Field::SpanAttribute(key.to_owned()), "%")
        };
        let contains = |comparator, pattern: String| {
            let made = Condition::text(field.clone(), comparator, pattern).ok()?;
            Some(self.these(&[made], at)?.roughly())
        };
        // A number may be written in many ways.
        let is_text = |text: &str| is_model || parse_number(text.trim()).is_none();
        let holds = |text: &String| {
            if is_plain(text) && is_text(text) {
                contains(Like, format!("%{text}%"))
            } else {
                contains(Like, there.to_owned())
            }
        };
        match (&condition.value, condition.comparator) {
            (Value::Text(text), Equal) => holds(text),
            (Value::List(texts), In) => texts
                .iter()
                .map(holds)
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .reduce(Cover::either),
            (Value::Text(pattern), comparator @ (Like | Ilike)) if is_model => {
                if pattern
                    .chars()
                    .all(|c| matches!(c, '%' | '_') || is_plain_char(c))
                {
                    contains(comparator, format!("%{pattern}%"))
                } else {
                    contains(Like, there.to_owned())
                }
            }
            _ => contains(Like, there.to_owned()),
        }
    }

    /// What went wrong stands in the stored span, in pieces.
    fn error(&self, condition: &Condition, at: At) -> Option<Cover> {
        let (
            Value::Text(text),
            comparator @ (Comparator::Equal | Comparator::Like | Comparator::Ilike),
        ) = (&condition.value, condition.comparator)
        else {
            return None;
        };
        let wildcards = comparator != Comparator::Equal;
        let comparator = if comparator == Comparator::Ilike {
            Comparator::Ilike
        } else {
            Comparator::Like
        };
        // A type and its message are joined by a colon that is not in the span, and
        // what JSON escapes may look different there.
        let pieces = text.split(|c: char| {
            c == ':' || !is_plain_char(c) || (wildcards && matches!(c, '%' | '_'))
        });
        let conditions: Vec<Condition> = pieces
            .map(str::trim)
            .filter(|piece| !piece.is_empty())
            .take(4)
            .filter_map(|piece| {
                Condition::text(Field::SpanContent, comparator, format!("%{piece}%")).ok()
            })
            .collect();
        if conditions.is_empty() {
            return None;
        }
        Some(self.these(&conditions, at)?.roughly())
    }

    /// What a trace is like for which a condition does not hold.
    pub(super) fn trace_complement(&self, condition: &Condition, at: At) -> Cover {
        let field = &condition.field;
        let opposite = || Condition {
            comparator: condition.comparator.opposite(),
            ..condition.clone()
        };
        let is_null_test = matches!(
            condition.comparator,
            Comparator::IsNull | Comparator::IsNotNull
        );
        match field {
            _ if is_null_test && !field.is_span() => self.condition(&opposite(), at),
            // Always there.
            Field::Status | Field::RequestId | Field::Timestamp => self.condition(&opposite(), at),
            Field::EndTime if !matches!(condition.value, Value::Text(_)) => {
                self.condition(&opposite(), at)
            }
            // `=` finds more than the metadata says.
            Field::RunId
                if matches!(
                    condition.comparator,
                    Comparator::Equal | Comparator::NotEqual | Comparator::In | Comparator::NotIn
                ) =>
            {
                Cover::anything()
            }
            Field::Name | Field::RunId | Field::Tag(_) | Field::Metadata(_) => {
                match Condition::null(field.clone(), Comparator::IsNull) {
                    Ok(missing) => self
                        .condition(&missing, at)
                        .either(self.condition(&opposite(), at)),
                    Err(_) => Cover::anything(),
                }
            }
            _ => Cover::anything(),
        }
    }

    /// What a span is like for which a condition does not hold.
    pub(super) fn span_complement(&self, condition: &Condition, at: At) -> Cover {
        let opposite = Condition {
            comparator: condition.comparator.opposite(),
            ..condition.clone()
        };
        let patterns = matches!(
            condition.comparator,
            Comparator::Like
                | Comparator::NotLike
                | Comparator::Ilike
                | Comparator::NotIlike
                | Comparator::Rlike
                | Comparator::NotRlike
        );
        match &condition.field {
            Field::SpanName | Field::SpanStatus | Field::SpanContent => {
                self.condition(&opposite, at)
            }
            Field::SpanAttribute(_) if patterns => self.condition(&opposite, at),
            _ if matches!(
                condition.comparator,
                Comparator::IsNull | Comparator::IsNotNull
            ) =>
            {
                self.condition(&opposite, at)
            }
            _ => Cover::anything(),
        }
    }
}

/// Text that looks the same in JSON. What `LIKE` takes for a wildcard matches itself, too.
fn is_plain(text: &str) -> bool {
    text.chars().all(is_plain_char)
}

fn is_plain_char(c: char) -> bool {
    (' '..='~').contains(&c) && !matches!(c, '"' | '\\')
}

/// Text as a regular expression that matches just it, and that can stand in quotes.
fn escape(text: &str) -> String {
    regex::escape(text)
        .replace('\'', r"\u0027")
        .replace('"', r"\u0022")
}
