//! The parts of a condition: what it looks at, how it compares, and with what.
//! The constructors in `condition` see to it that the parts go together.

use crate::field::{Comparator, Field, OLDEST_SERVER};

pub use crate::units::Number;

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
            comparator if comparator.is_order() && self.field.is_assessment() => (3, 15),
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
