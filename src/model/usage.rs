//! Token usage and cost, as spans and trace metadata carry them in JSON text.

use serde::{Deserialize, Serialize};

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

impl TokenUsage {
    /// Reads MLflow's JSON text; `None` when it is not an object of that kind.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
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
        serde_json::from_str(json).ok()
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
