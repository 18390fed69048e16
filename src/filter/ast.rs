//! What a filter says, once it is known to be right: conditions that must all
//! hold. Every condition in existence can be printed in the server's dialect;
//! the constructors in `condition` see to that.

use std::fmt;

use super::diagnostics::Warning;

/// Conditions that must all hold; an empty filter matches every trace.
///
/// Two filters are equal when they have the same conditions in the same order;
/// the warnings about the text that they were parsed from do not count.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub(super) conditions: Vec<Condition>,
    pub(super) warnings: Vec<Warning>,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.conditions == other.conditions
    }
}

impl From<Condition> for Filter {
    fn from(condition: Condition) -> Self {
        Self::from_iter([condition])
    }
}

impl FromIterator<Condition> for Filter {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Self {
        Self {
            conditions: conditions.into_iter().collect(),
            warnings: Vec::new(),
        }
    }
}

impl Filter {
    /// The conditions, in the order in which they were written.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether every trace matches.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Both filters at once.
    ///
    /// The result has no warnings, as these point into the text of one of the two:
    /// ask for them before. Nor is it checked that the server can take as many
    /// conditions, which is some 60 on tags, metadata and assessments.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.conditions.extend(other.conditions);
        self.warnings.clear();
        self
    }

    /// What was accepted but cannot do what it says, in the order of the text.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether the spans are needed to decide if a trace matches.
    pub fn needs_spans(&self) -> bool {
        self.conditions.iter().any(|c| c.field.is_span())
    }

    /// Whether the assessments are needed to decide if a trace matches.
    pub fn needs_assessments(&self) -> bool {
        self.conditions
            .iter()
            .any(|c| c.field.is_assessment() || c.field == Field::IssueId)
    }

    /// The first MLflow release, as major and minor number, whose server understands the filter.
    pub fn minimum_server(&self) -> (u32, u32) {
        self.conditions
            .iter()
            .map(Condition::minimum_server)
            .max()
            .unwrap_or(OLDEST_SERVER)
    }
}

/// The first release with a trace search.
const OLDEST_SERVER: (u32, u32) = (2, 14);

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub(super) field: Field,
    pub(super) comparator: Comparator,
    pub(super) value: Value,
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
}

impl Field {
    /// Whether the condition is about a span; all such conditions must hold for the same one.
    pub fn is_span(&self) -> bool {
        matches!(
            self,
            Self::SpanName
                | Self::SpanType
                | Self::SpanStatus
                | Self::SpanContent
                | Self::SpanAttribute(_)
        )
    }

    /// Whether the condition is about the value of an assessment.
    pub fn is_assessment(&self) -> bool {
        matches!(self, Self::Feedback(_) | Self::Expectation(_))
    }

    /// Whether the field is a number.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Timestamp | Self::ExecutionTime | Self::EndTime)
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
}

impl Comparator {
    /// The server's spelling.
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
        }
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
