//! How the two sides of a condition are compared.

use std::fmt;

/// How the two sides of a condition are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `LIKE`: `%` stands for any text, `_` for one character.
    Like,
    /// `ILIKE`: `LIKE` that takes ASCII letters of both cases as the same.
    Ilike,
    /// `RLIKE`: a Python regular expression found anywhere in the text.
    Rlike,
    /// `IN`
    In,
    /// `NOT IN`
    NotIn,
    /// `IS NULL`
    IsNull,
    /// `IS NOT NULL`
    IsNotNull,
    /// `BETWEEN`, both ends included.
    Between,
    /// `NOT BETWEEN`
    NotBetween,
    /// `NOT LIKE`
    NotLike,
    /// `NOT ILIKE`
    NotIlike,
    /// `NOT RLIKE`
    NotRlike,
}

impl Comparator {
    /// The spelling in filters, which is the server's where it has the comparator.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Like => "LIKE",
            Self::Ilike => "ILIKE",
            Self::Rlike => "RLIKE",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
            Self::Between => "BETWEEN",
            Self::NotBetween => "NOT BETWEEN",
            Self::NotLike => "NOT LIKE",
            Self::NotIlike => "NOT ILIKE",
            Self::NotRlike => "NOT RLIKE",
        }
    }

    /// The comparator that holds of a value just when this one does not.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
            Self::Like => Self::NotLike,
            Self::Ilike => Self::NotIlike,
            Self::Rlike => Self::NotRlike,
            Self::In => Self::NotIn,
            Self::NotIn => Self::In,
            Self::IsNull => Self::IsNotNull,
            Self::IsNotNull => Self::IsNull,
            Self::Between => Self::NotBetween,
            Self::NotBetween => Self::Between,
            Self::NotLike => Self::Like,
            Self::NotIlike => Self::Ilike,
            Self::NotRlike => Self::Rlike,
        }
    }

    /// Whether it is `!=` or begins with `NOT`: it then needs a value that differs.
    pub const fn is_negated(self) -> bool {
        matches!(
            self,
            Self::NotEqual
                | Self::NotIn
                | Self::NotBetween
                | Self::NotLike
                | Self::NotIlike
                | Self::NotRlike
        )
    }

    /// Whether it is one of `<`, `<=`, `>` and `>=`.
    pub const fn is_order(self) -> bool {
        matches!(
            self,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }
}

impl fmt::Display for Comparator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
