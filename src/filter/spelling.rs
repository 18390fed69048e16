//! How people write keys and conditions, where that is not how servers like them:
//! short keys, times as text, durations with units. It parses to the same.

use super::ast::Expr;
use super::terms::{Condition, Number, Value};
use crate::field::Field;
use crate::model::Timestamp;

impl Field {
    fn number_spelling(&self, number: Number) -> String {
        match (self, number) {
            (Self::Timestamp | Self::EndTime, Number::Integer(ms)) => {
                format!("'{}'", Timestamp::from_millis(ms))
            }
            (Self::ExecutionTime | Self::SpanDuration, Number::Integer(ms)) if ms % 1000 == 0 => {
                format!("{}s", ms / 1000)
            }
            (Self::ExecutionTime | Self::SpanDuration, number) => format!("{number}ms"),
            (_, number) => number.to_string(),
        }
    }
}

impl Condition {
    /// As people write it.
    pub fn spelling(&self) -> String {
        let (field, comparator) = (self.field.spelling(), self.comparator);
        let number = |number: &Number| self.field.number_spelling(*number);
        match &self.value {
            Value::Number(value) => format!("{field} {comparator} {}", number(value)),
            Value::Range(low, high) => {
                let (low, high) = (number(low), number(high));
                format!("{field} {comparator} {low} AND {high}")
            }
            value => format!("{field} {comparator}{value}"),
        }
    }
}

impl Expr {
    /// As people write it, where it is one condition.
    pub fn spelling(&self) -> String {
        match self {
            Self::Condition(condition) => condition.spelling(),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::filter::parse;

    #[test]
    fn what_people_write_means_the_same() {
        for (text, expected) in [
            ("session = 'a'", "session = 'a'"),
            ("metadata.mlflow.trace.user IN ('a')", "user IN ('a')"),
            ("duration > 2s", "duration > 2s"),
            (
                "duration BETWEEN 1500 AND 2000",
                "duration BETWEEN 1500ms AND 2s",
            ),
            ("span.duration >= 0.5", "span.duration >= 0.5ms"),
            (
                "timestamp_ms >= 1764000000000",
                "time >= '2025-11-24T16:00:00Z'",
            ),
            ("tokens > 10", "tokens > 10"),
            ("tags.`a b` = 'x'", "tags.`a b` = 'x'"),
            ("text LIKE '%x%'", "trace.text LIKE '%x%'"),
            ("request_id = 'x'", "trace_id = 'x'"),
        ] {
            let filter = parse(text).unwrap();
            let spelled = filter.conjuncts()[0].spelling();
            assert_eq!(spelled, expected);
            assert_eq!(parse(&spelled).unwrap(), filter, "{spelled}");
        }
    }
}
