//! Token usage and cost, as spans and trace metadata carry them in JSON text.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::parse_value;

use super::DecimalSum;

/// Tokens that model calls used. A member the source did not report is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Prompt tokens, cached ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<i64>,
    /// Completion tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<i64>,
    /// The source's own total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i64>,
    /// Prompt tokens that were read from a provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_input_tokens: Option<i64>,
    /// Prompt tokens that were written to a provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_creation_input_tokens: Option<i64>,
}

/// A list would do for the parser, its elements being taken for members in their order.
fn read_object<'j, T: Deserialize<'j>>(json: &'j str) -> Option<T> {
    let is_object = json.trim_start().starts_with('{');
    is_object.then(|| serde_json::from_str(json).ok()).flatten()
}

impl TokenUsage {
    /// Reads MLflow's JSON text; `None` when it is not an object of that kind.
    pub fn parse(json: &str) -> Option<Self> {
        read_object(json).or_else(|| Self::parse_loosely(json))
    }

    /// Counts that are written as floating-point numbers or as texts count, too; what is
    /// no count is not reported.
    fn parse_loosely(json: &str) -> Option<Self> {
        let value = parse_value(json)?;
        let members = value.as_object()?;
        let count = |name: &str| match members.get(name)? {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Value::String(digits) => digits.trim().parse().ok(),
            _ => None,
        };
        Some(Self {
            input_tokens: count("input_tokens"),
            output_tokens: count("output_tokens"),
            total_tokens: count("total_tokens"),
            cache_read_input_tokens: count("cache_read_input_tokens"),
            cache_creation_input_tokens: count("cache_creation_input_tokens"),
        })
    }

    /// Whether anything was counted: clients that were told no counts write zeros.
    pub fn is_reported(&self) -> bool {
        [self.input_tokens, self.output_tokens, self.total_tokens]
            .iter()
            .any(|count| count.is_some_and(|count| count != 0))
    }

    /// The reported total, else input plus output; `None` when nothing was reported.
    pub fn total(&self) -> Option<i64> {
        self.total_tokens
            .or(match (self.input_tokens, self.output_tokens) {
                (None, None) => None,
                (input, output) => Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
            })
    }

    /// Member-wise sum; a member is `None` only where both are.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let add = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        Self {
            input_tokens: add(self.input_tokens, other.input_tokens),
            output_tokens: add(self.output_tokens, other.output_tokens),
            total_tokens: add(self.total(), other.total()),
            cache_read_input_tokens: add(
                self.cache_read_input_tokens,
                other.cache_read_input_tokens,
            ),
            cache_creation_input_tokens: add(
                self.cache_creation_input_tokens,
                other.cache_creation_input_tokens,
            ),
        }
    }
}

/// Cost in US dollars. A member the source did not report is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Dollars for prompt tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_cost: Option<f64>,
    /// Dollars for completion tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_cost: Option<f64>,
    /// The source's own total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<f64>,
}

impl Cost {
    /// Reads MLflow's JSON text; `None` when it is not an object of that kind.
    pub fn parse(json: &str) -> Option<Self> {
        read_object(json).or_else(|| Self::parse_loosely(json))
    }

    /// Dollars that are written as texts count, too; what is no number is not reported.
    fn parse_loosely(json: &str) -> Option<Self> {
        let value = parse_value(json)?;
        let members = value.as_object()?;
        let dollars = |name: &str| {
            let number = match members.get(name)? {
                Value::Number(number) => number.as_f64(),
                Value::String(digits) => digits.trim().parse().ok(),
                _ => None,
            };
            number.filter(|dollars: &f64| dollars.is_finite())
        };
        Some(Self {
            input_cost: dollars("input_cost"),
            output_cost: dollars("output_cost"),
            total_cost: dollars("total_cost"),
        })
    }

    /// The reported total, else input plus output; `None` when nothing was reported.
    pub fn total(&self) -> Option<f64> {
        self.total_cost
            .or(match (self.input_cost, self.output_cost) {
                (None, None) => None,
                (input, output) => Some(added(input, output)),
            })
    }

    /// Member-wise sum; a member is `None` only where both are.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let add = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(added(a, b)),
        };
        Self {
            input_cost: add(self.input_cost, other.input_cost),
            output_cost: add(self.output_cost, other.output_cost),
            total_cost: add(self.total(), other.total()),
        }
    }
}

/// The sum of two amounts of money, as decimals.
fn added(a: Option<f64>, b: Option<f64>) -> f64 {
    a.into_iter().chain(b).collect::<DecimalSum>().total()
}

/// A floating-point number that is an integer.
pub(crate) fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "it is an integer below 2^53"
    )]
    is_whole.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_dollars_are_read_however_they_are_spelt() {
        let usage = TokenUsage::parse(
            r#"{"input_tokens": 10.0, "output_tokens": "5", "total_tokens": NaN}"#,
        );
        let usage = usage.unwrap();
        assert_eq!(
            (usage.input_tokens, usage.output_tokens, usage.total_tokens),
            (Some(10), Some(5), None)
        );
        assert_eq!(usage.total(), Some(15));
        let cost = Cost::parse(r#"{"input_cost": "0.5", "output_cost": NaN}"#).unwrap();
        assert_eq!((cost.input_cost, cost.output_cost), (Some(0.5), None));
        assert_eq!(TokenUsage::parse("[]"), None);
        assert_eq!(Cost::parse("no"), None);
    }
}
