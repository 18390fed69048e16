//! The parts of a condition: what it looks at, how it compares, and with what.
//! The constructors in `condition` see to it that the parts go together.

use std::fmt;

/// The first release with a trace search.
pub(super) const OLDEST_SERVER: (u32, u32) = (2, 14);

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
        let field = match &self.field {
            Field::SpanName | Field::SpanType | Field::SpanStatus | Field::SpanAttribute(_) => {
                (3, 4)
            }
            Field::ClientRequestId
            | Field::EndTime
            | Field::SpanContent
            | Field::Feedback(_)
            | Field::Expectation(_) => (3, 6),
            Field::Prompt => (3, 8),
            Field::IssueId => (3, 12),
            _ => OLDEST_SERVER,
        };
        let comparator = match self.comparator {
            Comparator::Like | Comparator::Ilike | Comparator::Rlike => (3, 6),
            Comparator::IsNull | Comparator::IsNotNull => (3, 12),
            _ => OLDEST_SERVER,
        };
        field.max(comparator)
    }
}

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// The state of the trace: `OK`, `ERROR` or `IN_PROGRESS`.
    Status,
    /// The trace id.
    RequestId,
    /// The id that the calling application gave.
    ClientRequestId,
    /// When the request began, in milliseconds since the Unix epoch.
    Timestamp,
    /// How long it took, in milliseconds.
    ExecutionTime,
    /// Begin plus duration, in milliseconds since the Unix epoch.
    EndTime,
    /// The trace's name.
    Name,
    /// The run that the trace was made in, or is linked to.
    RunId,
    /// A prompt version that the trace is linked to, as `name/version`.
    Prompt,
    /// A tag.
    Tag(String),
    /// A metadata entry.
    Metadata(String),
    /// The name of a span.
    SpanName,
    /// The type of a span.
    SpanType,
    /// The status of a span: `OK`, `ERROR` or `UNSET`.
    SpanStatus,
    /// The JSON text of a whole span.
    SpanContent,
    /// The JSON text of a span from an attribute on.
    SpanAttribute(String),
    /// The value of feedback with this name.
    Feedback(String),
    /// The value of an expectation with this name.
    Expectation(String),
    /// The id of an issue that the trace is linked to.
    IssueId,
    /// The experiment, by id; by id or name until the filter's experiments are resolved.
    Experiment,
    /// All tokens that the trace used.
    Tokens,
    /// Prompt tokens.
    InputTokens,
    /// Completion tokens.
    OutputTokens,
    /// What the trace cost, in US dollars.
    Cost,
    /// The number of spans.
    SpanCount,
    /// How long a span took, in milliseconds; spans that have not ended have no value.
    SpanDuration,
    /// What went wrong in a span, see [`span_error`](super::span_error).
    SpanError,
    /// The model that a span called.
    SpanModel,
}

impl Field {
    /// Whether the condition is about a span.
    pub fn is_span(&self) -> bool {
        matches!(
            self,
            Self::SpanName
                | Self::SpanType
                | Self::SpanStatus
                | Self::SpanContent
                | Self::SpanAttribute(_)
                | Self::SpanDuration
                | Self::SpanError
                | Self::SpanModel
        )
    }

    /// Whether the spans are needed to decide about it.
    pub fn needs_spans(&self) -> bool {
        self.is_span() || *self == Self::SpanCount
    }

    /// Whether the condition is about the value of an assessment.
    pub fn is_assessment(&self) -> bool {
        matches!(self, Self::Feedback(_) | Self::Expectation(_))
    }

    /// Whether the field is always a number.
    pub fn is_numeric(&self) -> bool {
        matches!(
            self,
            Self::Timestamp
                | Self::ExecutionTime
                | Self::EndTime
                | Self::Tokens
                | Self::InputTokens
                | Self::OutputTokens
                | Self::Cost
                | Self::SpanCount
                | Self::SpanDuration
        )
    }
}

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
