//! One condition made ready: its pattern is compiled once, for any number of
//! values. Stores that look for traces in a database call it from there, so that
//! every store means the same by a condition.

use std::cell::OnceCell;
use std::cmp::Ordering;

use serde_json::Value as Json;

use super::content::stored_json;
use super::like::Like;
use super::python::{write_json, write_text};
use super::regex::PythonRegex;
use super::span_value::{decoded, span_error};
use super::terms::{Condition, Number, Value};
use super::usage;
use super::value::parse_number;
use crate::field::{Comparator, Field};
use crate::messages;
use crate::model::Span;

/// A condition made ready.
#[derive(Debug, Clone)]
pub struct Test {
    pub(super) field: Field,
    pub(super) comparator: Comparator,
    operand: Operand,
}

#[derive(Debug, Clone)]
enum Operand {
    None,
    Texts(Vec<Literal>),
    Number(Number),
    Range(Number, Number),
    Bool(bool),
    Like(Like),
    Regex(PythonRegex),
}

/// A text to be equal to, in the forms in which it may be found.
#[derive(Debug, Clone)]
struct Literal {
    text: String,
    /// As Python writes it in JSON, where that is asked for.
    json: String,
    /// The number that the text is, where numbers may be found.
    number: Option<Number>,
}

/// A span whose stored text is made at most once, and only when it is looked at.
pub(super) struct SpanView<'s> {
    span: &'s Span,
    content: OnceCell<String>,
    error: OnceCell<Option<String>>,
}

impl<'s> SpanView<'s> {
    pub(super) fn new(span: &'s Span) -> Self {
        Self {
            span,
            content: OnceCell::new(),
            error: OnceCell::new(),
        }
    }

    fn content(&self) -> &str {
        self.content.get_or_init(|| stored_json(self.span))
    }

    fn error(&self) -> Option<&str> {
        self.error.get_or_init(|| span_error(self.span)).as_deref()
    }
}

impl Literal {
    fn new(text: &str, field: &Field) -> Self {
        let mut json = String::new();
        if field.is_assessment() {
            write_text(&mut json, text, true);
        }
        let compares_numbers = field.takes_numbers() && !field.is_numeric();
        Self {
            text: text.to_owned(),
            json,
            number: if compares_numbers {
                parse_number(text.trim())
            } else {
                None
            },
        }
    }
}

impl Test {
    /// Makes a condition ready.
    pub fn new(condition: &Condition) -> Self {
        use Comparator::{Ilike, Like as Likes, NotIlike, NotLike, NotRlike, Rlike};
        let field = &condition.field;
        let operand = match (&condition.value, condition.comparator, field) {
            (Value::Text(pattern), Rlike | NotRlike, Field::SpanAttribute(key)) => {
                Operand::Regex(PythonRegex::new(&attribute_regex(key, pattern)))
            }
            (Value::Text(text), comparator @ (Likes | NotLike | Ilike | NotIlike), field) => {
                let ignore_case = matches!(comparator, Ilike | NotIlike);
                match field {
                    Field::SpanAttribute(key) => {
                        Operand::Like(Like::new(&format!("%\"{key}\"{text}%"), ignore_case))
                    }
                    _ => Operand::Like(Like::new(text, ignore_case)),
                }
            }
            (Value::Text(text), Rlike | NotRlike, _) => Operand::Regex(PythonRegex::new(text)),
            (Value::Text(text), ..) => Operand::Texts(vec![Literal::new(text, field)]),
            (Value::List(texts), ..) => {
                Operand::Texts(texts.iter().map(|text| Literal::new(text, field)).collect())
            }
            (Value::Number(number), _, Field::SpanDuration) => {
                Operand::Number(number.millis_to_nanos())
            }
            (Value::Range(low, high), _, Field::SpanDuration) => {
                Operand::Range(low.millis_to_nanos(), high.millis_to_nanos())
            }
            (Value::Number(number), ..) => Operand::Number(*number),
            (Value::Range(low, high), ..) => Operand::Range(*low, *high),
            (Value::Bool(value), ..) => Operand::Bool(*value),
            (Value::None, ..) => Operand::None,
        };
        Self {
            field: field.clone(),
            comparator: condition.comparator,
            operand,
        }
    }

    /// Whether only a server can decide: a regular expression that looks around or refers back.
    pub(super) fn needs_server(&self) -> bool {
        matches!(self.operand, Operand::Regex(PythonRegex::Unsupported))
    }

    /// Whether text is looked through.
    pub(super) fn is_pattern(&self) -> bool {
        matches!(self.operand, Operand::Like(_) | Operand::Regex(_))
    }

    /// Whether its pattern is none of Python's.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.operand, Operand::Regex(PythonRegex::Invalid))
    }

    /// What a value comes to, where `equal` says whether it is what is asked for.
    fn verdict(&self, equal: bool) -> bool {
        equal != self.comparator.is_negated()
    }

    /// Whether text passes; `None` is a missing value, which only `IS NULL` lets pass.
    pub fn matches_text(&self, actual: Option<&str>) -> bool {
        let Some(actual) = actual else {
            return self.comparator == Comparator::IsNull;
        };
        match &self.operand {
            Operand::None => self.comparator == Comparator::IsNotNull,
            Operand::Texts(texts) => {
                self.verdict(texts.iter().any(|literal| literal.text == actual))
            }
            Operand::Like(like) => self.verdict(like.matches(actual)),
            Operand::Regex(regex) => self.verdict(regex.is_match(actual)),
            Operand::Number(_) | Operand::Range(..) | Operand::Bool(_) => false,
        }
    }

    /// Whether a type of spans passes: a span without one has it as `UNKNOWN`, but for `IS NULL`.
    pub fn matches_type(&self, actual: Option<&str>) -> bool {
        match self.operand {
            Operand::None => self.matches_text(actual),
            _ => self.matches_text(Some(actual.unwrap_or(Span::NO_TYPE))),
        }
    }

    /// Whether a number passes: milliseconds, tokens, spans or, for the duration
    /// of a span, nanoseconds.
    pub fn matches_number(&self, actual: Option<i64>) -> bool {
        self.matches_measure(actual, |actual, number| Some(compare(actual, number)))
    }

    /// Whether a fraction passes, for example the cost.
    pub fn matches_fraction(&self, actual: Option<f64>) -> bool {
        self.matches_measure(actual, |actual, number| {
            actual.partial_cmp(&number.as_f64())
        })
    }

    fn matches_measure<T: Copy>(
        &self,
        actual: Option<T>,
        compare: impl Fn(T, Number) -> Option<Ordering>,
    ) -> bool {
        let Some(actual) = actual else {
            return self.comparator == Comparator::IsNull;
        };
        match &self.operand {
            Operand::None => self.comparator == Comparator::IsNotNull,
            Operand::Number(number) => {
                compare(actual, *number).is_some_and(|ordering| holds(self.comparator, ordering))
            }
            Operand::Range(low, high) => match (compare(actual, *low), compare(actual, *high)) {
                (Some(low), Some(high)) => self.verdict(low.is_ge() && high.is_le()),
                _ => false,
            },
            // SQLite sorts every number before any text.
            _ => holds(self.comparator, Ordering::Less),
        }
    }

    /// Token usage and cost are columns on the server, and compared as a whole.
    pub(super) fn matches_record(&self, key: &str, actual: Option<&String>) -> bool {
        let actual = actual.and_then(|text| usage::columns(key, text));
        match (&self.operand, actual) {
            (Operand::None, actual) => {
                actual.is_some() == (self.comparator == Comparator::IsNotNull)
            }
            (Operand::Texts(texts), Some(actual)) => self.verdict(texts.iter().any(|literal| {
                usage::canonical(key, &literal.text).is_some_and(|wanted| wanted == actual)
            })),
            _ => false,
        }
    }

    /// Whether the value of one assessment passes. For `IS NULL` and `IS NOT NULL`,
    /// the assessment is there.
    pub fn matches_assessment_value(&self, value: &Json) -> bool {
        match &self.operand {
            Operand::None => self.comparator == Comparator::IsNotNull,
            Operand::Number(_) | Operand::Range(..) => self.matches_json_number(value),
            Operand::Texts(texts) => {
                let mut stored = String::new();
                write_json(&mut stored, value, true);
                self.verdict(texts.iter().any(|literal| {
                    stored == literal.text || stored == literal.json || literal.equals_number(value)
                }))
            }
            Operand::Like(_) | Operand::Regex(_) | Operand::Bool(_) => {
                let mut stored = String::new();
                write_json(&mut stored, value, true);
                self.matches_text(Some(&stored))
            }
        }
    }

    fn matches_json_number(&self, value: &Json) -> bool {
        match value.as_i64() {
            Some(actual) => self.matches_number(Some(actual)),
            None => value
                .as_f64()
                .is_some_and(|actual| self.matches_fraction(Some(actual))),
        }
    }

    /// Whether the value of a span attribute passes, given as JSON text. This is for
    /// what compares the value; patterns search the whole span, see [`matches_span`](Self::matches_span).
    pub fn matches_attribute(&self, json: Option<&str>) -> bool {
        let Some(actual) = json.and_then(decoded) else {
            return self.comparator == Comparator::IsNull;
        };
        let value = || json.and_then(|json| serde_json::from_str::<Json>(json).ok());
        match &self.operand {
            Operand::Number(_) | Operand::Range(..) => {
                value().is_some_and(|value| self.matches_json_number(&value))
            }
            Operand::Bool(wanted) => {
                self.verdict(value().and_then(|v| v.as_bool()) == Some(*wanted))
            }
            Operand::Texts(texts) => {
                let by_text = texts.iter().any(|literal| literal.text == actual);
                let by_number = || {
                    texts.iter().any(|literal| literal.number.is_some())
                        && value().is_some_and(|value| {
                            texts.iter().any(|literal| literal.equals_number(&value))
                        })
                };
                self.verdict(by_text || by_number())
            }
            _ => self.matches_text(Some(&actual)),
        }
    }

    /// Whether one span passes a condition on spans.
    pub fn matches_span(&self, span: &Span) -> bool {
        self.matches_view(&SpanView::new(span))
    }

    pub(super) fn matches_view(&self, view: &SpanView<'_>) -> bool {
        let span = view.span;
        match &self.field {
            Field::SpanName => self.matches_text(Some(&span.name)),
            Field::SpanType => self.matches_type(span.own_type().as_deref()),
            Field::SpanModel => self.matches_text(span.model().as_deref()),
            Field::SpanStatus => self.matches_text(Some(span.status.as_str())),
            Field::SpanDuration => self.matches_number(span.raw_duration_ns()),
            Field::SpanTokens => {
                self.matches_number(messages::used(span).and_then(|usage| usage.total()))
            }
            Field::SpanCost => {
                self.matches_fraction(span.reported_cost().and_then(|cost| cost.total()))
            }
            Field::SpanError => self.matches_text(view.error()),
            Field::SpanAttribute(key) => match &self.operand {
                Operand::Like(_) | Operand::Regex(_) => self.matches_text(Some(view.content())),
                _ => self.matches_attribute(span.attribute(key)),
            },
            Field::SpanContent => self.matches_text(Some(view.content())),
            Field::Status
            | Field::RequestId
            | Field::ClientRequestId
            | Field::Timestamp
            | Field::ExecutionTime
            | Field::EndTime
            | Field::Name
            | Field::RunId
            | Field::Prompt
            | Field::Tag(_)
            | Field::Metadata(_)
            | Field::Feedback(_)
            | Field::Expectation(_)
            | Field::IssueId
            | Field::Experiment
            | Field::Tokens
            | Field::InputTokens
            | Field::OutputTokens
            | Field::Cost
            | Field::SpanCount
            | Field::Models
            | Field::Error
            | Field::Failed
            | Field::Request
            | Field::Response
            | Field::Assessments
            | Field::Assessment(_)
            | Field::OfAssessment(_) => false,
        }
    }
}

impl Literal {
    fn equals_number(&self, value: &Json) -> bool {
        let Some(number) = self.number else {
            return false;
        };
        match value.as_i64() {
            Some(actual) => compare(actual, number).is_eq(),
            None => value.as_f64() == Some(number.as_f64()),
        }
    }
}

pub(super) fn holds(comparator: Comparator, ordering: Ordering) -> bool {
    match comparator {
        Comparator::Equal => ordering.is_eq(),
        Comparator::NotEqual => ordering.is_ne(),
        Comparator::Less => ordering.is_lt(),
        Comparator::LessOrEqual => ordering.is_le(),
        Comparator::Greater => ordering.is_gt(),
        Comparator::GreaterOrEqual => ordering.is_ge(),
        _ => false,
    }
}

/// Compares without losing digits of large whole numbers.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the float is known to be in range, and whole numbers below 2^53 are exact"
)]
pub(super) fn compare(actual: i64, number: Number) -> Ordering {
    match number {
        Number::Integer(wanted) => actual.cmp(&wanted),
        Number::Float(wanted) if wanted >= i64::MAX as f64 => Ordering::Less,
        Number::Float(wanted) if wanted < i64::MIN as f64 => Ordering::Greater,
        Number::Float(wanted) => {
            actual
                .cmp(&(wanted.floor() as i64))
                .then(if wanted.fract() == 0.0 {
                    Ordering::Equal
                } else {
                    Ordering::Less
                })
        }
    }
}

impl Number {
    /// Compares without losing digits of large whole numbers.
    #[must_use]
    pub fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(number), other) => compare(number, other),
            (Self::Float(_), Self::Integer(other)) => compare(other, self).reverse(),
            (Self::Float(number), Self::Float(other)) => {
                number.partial_cmp(&other).unwrap_or(Ordering::Equal)
            }
        }
    }
}

/// The expression that the server searches a span's text for: a string value after the key.
fn attribute_regex(key: &str, pattern: &str) -> String {
    let (prefix, pattern) = match pattern.strip_prefix('^') {
        Some(rest) => (r#""\\""#, rest),
        None => (r#""\\".*"#, pattern),
    };
    let (pattern, suffix) = match pattern.strip_suffix('$') {
        Some(rest) => (rest, r#"\\""#),
        None => (pattern, ""),
    };
    format!(r#""{key}": {prefix}{pattern}{suffix}"#)
}
