//! The parts of a condition: what it looks at, how it compares, and with what.
//! The constructors in `condition` see to it that the parts go together.

use crate::field::{Comparator, Field, OLDEST_SERVER};

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub(super) field: Field,
    pub(super) comparator: Comparator,
    pub(super) value: Value,
    /// How times that count from the present were written, one for each bound of the
    /// value: `-1h`. Empty where there is none.
    pub(super) since_now: Vec<Option<String>>,
}

impl Condition {
    /// The left side.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// How the two sides are compared.
    pub fn comparator(&self) -> Comparator {
        self.comparator
    }

    /// The right side.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The first MLflow release whose server understands the condition.
    pub fn minimum_server(&self) -> (u32, u32) {
        let comparator = match self.comparator {
            Comparator::Like | Comparator::Ilike | Comparator::Rlike => (3, 6),
            Comparator::IsNull | Comparator::IsNotNull => (3, 12),
            _ => OLDEST_SERVER,
        };
        self.field.def().since.max(comparator)
    }
}

/// The right side of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, after `IS NULL` and `IS NOT NULL`.
    None,
    /// Text, as it is compared.
    Text(String),
    /// A number.
    Number(Number),
    /// Texts, after `IN` and `NOT IN`; never empty.
    List(Vec<String>),
    /// Both ends, after `BETWEEN` and `NOT BETWEEN`, included.
    Range(Number, Number),
    /// `true` or `false`, as a span attribute may be.
    Bool(bool),
}

/// A number, as precise as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// A finite number with a fraction or an exponent.
    Float(f64),
}

impl Number {
    /// The nearest floating-point number.
    #[allow(clippy::cast_precision_loss, reason = "the loss is the point")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// Milliseconds as nanoseconds: exact for whole ones that fit, else the nearest fraction.
    #[must_use]
    pub fn millis_to_nanos(self) -> Self {
        match self {
            Self::Integer(ms) => match ms.checked_mul(1_000_000) {
                Some(ns) => Self::Integer(ns),
                None => Self::Float(self.as_f64() * 1e6),
            },
            Self::Float(ms) => Self::Float(ms * 1e6),
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}
