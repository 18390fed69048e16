//! The only way to make a condition. Whatever passes here can be printed and
//! evaluated; the parser and the command line's shorthands both build their
//! conditions with it, so no filter text is ever glued together.

use thiserror::Error;

use super::terms::{Condition, Number, Value};
use super::value::parse_number;
use crate::field::{Comparator, Field};

/// Longer patterns are refused by SQLite; the attribute key counts too.
const MAX_PATTERN_BYTES: usize = 49_000;

/// Longer lists make the server give up on the filter.
pub(super) const MAX_LIST: usize = 2_500;

/// The last lower bound in milliseconds that the server can turn into nanoseconds.
const MAX_LOWER_BOUND_MS: i64 = i64::MAX / 1_000_000;

/// Keys that the server takes for something else, whatever stands before the dot.
const ALIASED_KEYS: [&str; 7] = [
    "name",
    "run_id",
    "prompt",
    "text",
    "timestamp",
    "execution_time",
    "end_time",
];

/// Why a condition cannot be made, or cannot be sent to a server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// The field does not go with the comparator.
    #[error("`{comparator}` does not work with {field}")]
    Comparator {
        /// The field, as the server spells it.
        field: String,
        /// The comparator.
        comparator: Comparator,
    },
    /// Text where a number is needed.
    #[error("{field} is compared with a number")]
    NeedsNumber {
        /// The field, as the server spells it.
        field: String,
    },
    /// A number where text is needed.
    #[error("{field} is compared with text")]
    NeedsText {
        /// The field, as the server spells it.
        field: String,
    },
    /// Infinite, or not a number.
    #[error("the number is out of range")]
    OutOfRange,
    /// The text cannot be put in quotes.
    #[error("text with both kinds of quotes cannot be written in a filter")]
    BothQuotes,
    /// The text cannot be put in quotes.
    #[error("text that ends with a backslash cannot be written in a filter")]
    TrailingBackslash,
    /// The text cannot be sent to a database.
    #[error("text with a NUL character cannot be searched for")]
    Nul,
    /// The pattern is longer than a database allows.
    #[error("the pattern is too long")]
    PatternTooLong,
    /// There is no key of no length.
    #[error("the key is empty")]
    EmptyKey,
    /// The key is taken for something else by the server.
    #[error(
        "the server reads the key `{key}` as {meaning}, so nothing else can be filtered by that name"
    )]
    AliasedKey {
        /// The key.
        key: String,
        /// What the server takes it for.
        meaning: &'static str,
    },
    /// The key cannot be put in quotes.
    #[error("the key `{key}` mixes quotes in a way that no filter can express")]
    UnquotableKey {
        /// The key.
        key: String,
    },
    /// A prompt without exactly one slash.
    #[error("a prompt is written as `name/version`")]
    PromptFormat,
    /// A list with nothing in it.
    #[error("the list is empty")]
    EmptyList,
    /// A list with too much in it.
    #[error("the list has more than {MAX_LIST} values")]
    LongList,
}

impl Condition {
    /// Compares a field with text. Where an order is asked for, the text is a number in quotes.
    ///
    /// `=` and `!=` become a list of one where the text could not be quoted otherwise.
    pub fn text(
        field: Field,
        comparator: Comparator,
        value: impl Into<String>,
    ) -> Result<Self, ConditionError> {
        let field = checked(field)?;
        let value = value.into();
        if matches!(
            comparator,
            Comparator::In
                | Comparator::NotIn
                | Comparator::IsNull
                | Comparator::IsNotNull
                | Comparator::Between
                | Comparator::NotBetween
        ) {
            return Err(unsupported(&field, comparator));
        }
        require(&field, comparator)?;
        let needs_number = || ConditionError::NeedsNumber {
            field: field.to_string(),
        };
        if field.is_numeric() {
            return Err(needs_number());
        }
        if comparator.is_order() {
            let number = parse_number(value.trim()).ok_or_else(needs_number)?;
            return Self::number(field, comparator, number);
        }
        if let Err(error) = quotable(&value) {
            let as_list = match comparator {
                Comparator::Equal => Comparator::In,
                Comparator::NotEqual => Comparator::NotIn,
                _ => return Err(error),
            };
            return Self::list(field, as_list, [value]).map_err(|_| error);
        }
        let key_len = match &field {
            Field::SpanAttribute(key) => key.len(),
            _ => 0,
        };
        if value.len() + key_len > MAX_PATTERN_BYTES {
            return Err(ConditionError::PatternTooLong);
        }
        check_prompt(&field, &value)?;
        Ok(Self {
            field,
            comparator,
            value: Value::Text(value),
            since_now: Vec::new(),
        })
    }

    /// Compares a field with a number.
    pub fn number(
        field: Field,
        comparator: Comparator,
        value: impl Into<Number>,
    ) -> Result<Self, ConditionError> {
        let field = checked(field)?;
        require(&field, comparator)?;
        let compares =
            comparator.is_order() || matches!(comparator, Comparator::Equal | Comparator::NotEqual);
        if !(field.takes_numbers() && compares) {
            return Err(ConditionError::NeedsText {
                field: field.to_string(),
            });
        }
        let mut value = finite(value.into())?;
        // The server multiplies lower bounds to compare them with the start of
        // spans, and whole numbers overflow there.
        if let Number::Integer(bound) = value
            && field == Field::Timestamp
            && matches!(comparator, Comparator::Greater | Comparator::GreaterOrEqual)
            && !(-MAX_LOWER_BOUND_MS + 10_000..=MAX_LOWER_BOUND_MS).contains(&bound)
        {
            value = Number::Float(value.as_f64());
        }
        Ok(Self {
            field,
            comparator,
            value: Value::Number(value),
            since_now: Vec::new(),
        })
    }

    /// Asks whether a field lies between two numbers, both included; the comparator
    /// is `BETWEEN` or `NOT BETWEEN`.
    pub fn range(
        field: Field,
        comparator: Comparator,
        low: impl Into<Number>,
        high: impl Into<Number>,
    ) -> Result<Self, ConditionError> {
        let field = checked(field)?;
        if !matches!(comparator, Comparator::Between | Comparator::NotBetween) {
            return Err(unsupported(&field, comparator));
        }
        require(&field, comparator)?;
        Ok(Self {
            field,
            comparator,
            value: Value::Range(finite(low.into())?, finite(high.into())?),
            since_now: Vec::new(),
        })
    }

    /// Compares with `true` or `false`; assessments are compared with their text.
    pub fn boolean(
        field: Field,
        comparator: Comparator,
        value: bool,
    ) -> Result<Self, ConditionError> {
        if !matches!(field, Field::SpanAttribute(_)) {
            if !field.is_assessment() {
                return Err(ConditionError::NeedsText {
                    field: field.to_string(),
                });
            }
            return Self::text(field, comparator, value.to_string());
        }
        let field = checked(field)?;
        if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
            return Err(unsupported(&field, comparator));
        }
        Ok(Self {
            field,
            comparator,
            value: Value::Bool(value),
            since_now: Vec::new(),
        })
    }

    /// Compares a field with several texts; the comparator is `IN` or `NOT IN`.
    pub fn list<T: Into<String>>(
        field: Field,
        comparator: Comparator,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConditionError> {
        let field = checked(field)?;
        if !matches!(comparator, Comparator::In | Comparator::NotIn) {
            return Err(unsupported(&field, comparator));
        }
        require(&field, comparator)?;
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            return Err(ConditionError::EmptyList);
        }
        if values.len() > MAX_LIST {
            return Err(ConditionError::LongList);
        }
        if values.iter().any(|v| v.contains('\0')) {
            return Err(ConditionError::Nul);
        }
        for value in &values {
            check_prompt(&field, value)?;
        }
        Ok(Self {
            field,
            comparator,
            value: Value::List(values),
            since_now: Vec::new(),
        })
    }

    /// Asks whether a field has a value; the comparator is `IS NULL` or `IS NOT NULL`.
    pub fn null(field: Field, comparator: Comparator) -> Result<Self, ConditionError> {
        let field = checked(field)?;
        if !matches!(comparator, Comparator::IsNull | Comparator::IsNotNull) {
            return Err(unsupported(&field, comparator));
        }
        require(&field, comparator)?;
        Ok(Self {
            field,
            comparator,
            value: Value::None,
            since_now: Vec::new(),
        })
    }

    /// Compares the end time with quoted text, which servers accept and which never does what it says.
    pub(super) fn quoted_end_time(
        comparator: Comparator,
        value: &str,
    ) -> Result<Self, ConditionError> {
        require(&Field::EndTime, comparator)?;
        quotable(value)?;
        Ok(Self {
            field: Field::EndTime,
            comparator,
            value: Value::Text(value.to_owned()),
            since_now: Vec::new(),
        })
    }
}

fn finite(number: Number) -> Result<Number, ConditionError> {
    if number.as_f64().is_finite() {
        Ok(number)
    } else {
        Err(ConditionError::OutOfRange)
    }
}

fn check_prompt(field: &Field, value: &str) -> Result<(), ConditionError> {
    if *field == Field::Prompt && value.matches('/').count() != 1 {
        return Err(ConditionError::PromptFormat);
    }
    Ok(())
}

fn require(field: &Field, comparator: Comparator) -> Result<(), ConditionError> {
    if field.comparators().contains(&comparator) {
        Ok(())
    } else {
        Err(unsupported(field, comparator))
    }
}

fn unsupported(field: &Field, comparator: Comparator) -> ConditionError {
    ConditionError::Comparator {
        field: field.to_string(),
        comparator,
    }
}

/// Whether text can stand between quotes; the server undoes no escape there.
fn quotable(value: &str) -> Result<(), ConditionError> {
    if value.contains('\0') {
        Err(ConditionError::Nul)
    } else if value.contains('\'') && value.contains('"') {
        Err(ConditionError::BothQuotes)
    } else if value.ends_with('\\') {
        Err(ConditionError::TrailingBackslash)
    } else {
        Ok(())
    }
}

/// The field under its own name, if the server can be asked for it.
fn checked(field: Field) -> Result<Field, ConditionError> {
    let (Field::Tag(key)
    | Field::Metadata(key)
    | Field::Feedback(key)
    | Field::Expectation(key)
    | Field::SpanAttribute(key)) = &field
    else {
        return Ok(field);
    };
    if key.is_empty() {
        return Err(ConditionError::EmptyKey);
    }
    if key.contains('\0') {
        return Err(ConditionError::Nul);
    }
    if crate::field::quoted_key(key).is_none() {
        return Err(ConditionError::UnquotableKey { key: key.clone() });
    }
    if matches!(field, Field::SpanAttribute(_)) {
        return Ok(field);
    }
    let own = field.clone().by_its_own_name();
    if own != field {
        return Ok(own);
    }
    match alias(key) {
        Some(meaning) => Err(ConditionError::AliasedKey {
            key: key.clone(),
            meaning,
        }),
        None => Ok(field),
    }
}

/// What the server takes a key for, whatever stands before the dot.
fn alias(key: &str) -> Option<&'static str> {
    let lower = key.to_lowercase();
    if !ALIASED_KEYS.contains(&lower.as_str()) {
        return None;
    }
    Some(match lower.as_str() {
        "name" => "the trace's name",
        "run_id" => "the run id",
        "prompt" => "a linked prompt",
        "text" => "the text of the spans",
        "timestamp" => "`timestamp_ms`",
        "execution_time" => "`execution_time_ms`",
        _ => "`end_time_ms`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comparator::{Between, Equal, Greater, In, IsNull, Like, NotEqual};

    #[test]
    fn any_tag_can_be_asked_for_or_the_reason_is_said() {
        let tag = |key: &str, value: &str| {
            Condition::text(Field::Tag(key.into()), Equal, value)
                .map(|c| c.to_string())
                .map_err(|e| e.to_string())
        };
        assert_eq!(tag("team", "search").unwrap(), "tags.team = 'search'");
        assert_eq!(
            tag("team name", "it's").unwrap(),
            "tags.`team name` = \"it's\""
        );
        assert_eq!(tag("a`b", "x").unwrap(), "tags.\"a`b\" = 'x'");
        assert_eq!(tag("mlflow.traceName", "x").unwrap(), "name = 'x'");
        assert_eq!(tag("", "x").unwrap_err(), "the key is empty");
        assert!(tag("Name", "x").unwrap_err().contains("the trace's name"));
        assert_eq!(tag("k", "'\"").unwrap(), r#"tags.k IN ("'\x22")"#);
        assert_eq!(tag("k", "C:\\").unwrap(), r"tags.k IN ('C:\x5c')");
        let like = |value: &str| Condition::text(Field::Name, Like, value).unwrap_err();
        assert!(like("'\"").to_string().contains("both kinds of quotes"));
        assert!(like("C:\\").to_string().contains("backslash"));
    }

    #[test]
    fn text_that_cannot_be_quoted_becomes_a_list_where_lists_work() {
        let condition = Condition::text(Field::SpanName, NotEqual, "a'\"\\").unwrap();
        assert_eq!(condition.to_string(), r#"span.name NOT IN ("a'\x22\x5c")"#);
    }

    #[test]
    fn what_has_no_meaning_cannot_be_built() {
        assert!(Condition::list(Field::Timestamp, In, ["1"]).is_err());
        assert!(Condition::list(Field::Status, In, Vec::<String>::new()).is_err());
        assert!(Condition::text(Field::Prompt, Equal, "greeting").is_err());
        assert!(Condition::list(Field::Prompt, In, ["a/1", "greeting"]).is_err());
        assert!(Condition::text(Field::Feedback("x".into()), Greater, "good").is_err());
        assert!(Condition::number(Field::Name, Equal, 1).is_err());
        assert!(Condition::number(Field::ExecutionTime, Greater, f64::INFINITY).is_err());
        assert!(Condition::range(Field::ExecutionTime, Equal, 1, 2).is_err());
        assert!(Condition::range(Field::Name, Between, 1, 2).is_err());
        assert!(Condition::boolean(Field::Name, Equal, true).is_err());
        assert!(Condition::null(Field::Status, IsNull).is_err());
        assert!(Condition::text(Field::Metadata("mlflow.trace.cost".into()), Like, "%").is_err());
    }
}
