//! What can be filtered by: the keys, what they are compared with, and how.

use super::terms::Comparator::{
    self, Between, Equal, Greater, GreaterOrEqual, Ilike, In, IsNotNull, IsNull, Less, LessOrEqual,
    Like, NotBetween, NotEqual, NotIlike, NotIn, NotLike, NotRlike, Rlike,
};
use super::terms::Field;
use crate::model::metadata;

/// A key as the documentation and the shell's completion show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key; what has to be filled in stands in angle brackets.
    pub key: &'static str,
    /// What it is, in a few words.
    pub description: &'static str,
    /// What it is compared with.
    pub values: ValueKind,
    /// The comparators that work.
    pub comparators: &'static [Comparator],
}

/// What a key is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Quoted text.
    Text,
    /// A time, or milliseconds since 1970.
    Time,
    /// A duration, or milliseconds.
    Duration,
    /// A number.
    Number,
    /// Whatever the value is: text, a number, true or false.
    Anything,
    /// One of a few quoted words.
    OneOf(&'static [&'static str]),
}

/// The states of a trace.
pub(super) const STATES: &[&str] = &["OK", "ERROR", "IN_PROGRESS"];
/// The status codes of a span.
pub(super) const SPAN_STATES: &[&str] = &["OK", "ERROR", "UNSET"];
/// The span types that MLflow defines.
pub const SPAN_TYPES: &[&str] = &[
    "LLM",
    "CHAIN",
    "AGENT",
    "TOOL",
    "CHAT_MODEL",
    "RETRIEVER",
    "PARSER",
    "EMBEDDING",
    "RERANKER",
    "MEMORY",
    "UNKNOWN",
    "WORKFLOW",
    "TASK",
    "GUARDRAIL",
    "EVALUATOR",
];

const LISTED: &[Comparator] = &[
    Equal, NotEqual, In, NotIn, Like, NotLike, Ilike, NotIlike, Rlike, NotRlike,
];
const NULLABLE: &[Comparator] = &[
    Equal, NotEqual, In, NotIn, Like, NotLike, Ilike, NotIlike, Rlike, NotRlike, IsNull, IsNotNull,
];
const NUMERIC: &[Comparator] = &[
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Between,
    NotBetween,
];
const OPTIONAL_NUMBER: &[Comparator] = &[
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Between,
    NotBetween,
    IsNull,
    IsNotNull,
];
const ANYTHING: &[Comparator] = &[
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Between,
    NotBetween,
    In,
    NotIn,
    Like,
    NotLike,
    Ilike,
    NotIlike,
    Rlike,
    NotRlike,
    IsNull,
    IsNotNull,
];
const PATTERN: &[Comparator] = &[Like, NotLike, Ilike, NotIlike];
const EXACT: &[Comparator] = &[Equal, In];
const RECORD: &[Comparator] = &[Equal, NotEqual, IsNull, IsNotNull];

/// The comparators that go with a field.
pub(super) fn comparators(field: &Field) -> &'static [Comparator] {
    match field {
        Field::Status
        | Field::RequestId
        | Field::Experiment
        | Field::SpanName
        | Field::SpanStatus => LISTED,
        Field::Timestamp | Field::ExecutionTime | Field::EndTime | Field::SpanCount => NUMERIC,
        Field::Tokens
        | Field::InputTokens
        | Field::OutputTokens
        | Field::Cost
        | Field::SpanDuration => OPTIONAL_NUMBER,
        Field::Metadata(key) if key == metadata::TOKEN_USAGE || key == metadata::COST => RECORD,
        Field::Name
        | Field::RunId
        | Field::ClientRequestId
        | Field::Tag(_)
        | Field::Metadata(_)
        | Field::SpanType
        | Field::SpanError
        | Field::SpanModel => NULLABLE,
        Field::Prompt | Field::IssueId => EXACT,
        Field::SpanContent => PATTERN,
        Field::SpanAttribute(_) | Field::Feedback(_) | Field::Expectation(_) => ANYTHING,
    }
}

/// The comparators with which MLflow's server takes a field and means what filters mean.
pub(super) fn server_comparators(field: &Field) -> &'static [Comparator] {
    match field {
        Field::Status
        | Field::RequestId
        | Field::ClientRequestId
        | Field::SpanName
        | Field::SpanType
        | Field::SpanStatus => &[Equal, NotEqual, In, NotIn, Like, Ilike, Rlike],
        Field::Timestamp | Field::ExecutionTime | Field::EndTime => {
            &[Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual]
        }
        Field::Metadata(key) if key == metadata::TOKEN_USAGE || key == metadata::COST => RECORD,
        Field::Name | Field::RunId | Field::Tag(_) | Field::Metadata(_) => {
            &[Equal, NotEqual, Like, Ilike, Rlike, IsNull, IsNotNull]
        }
        Field::Prompt | Field::IssueId => &[Equal],
        Field::SpanContent => &[Like, Ilike],
        Field::SpanAttribute(_) => &[Like, Ilike, Rlike],
        Field::Feedback(_) | Field::Expectation(_) => &[
            Equal,
            NotEqual,
            Less,
            LessOrEqual,
            Greater,
            GreaterOrEqual,
            Like,
            Ilike,
            Rlike,
            IsNull,
            IsNotNull,
        ],
        Field::Experiment
        | Field::Tokens
        | Field::InputTokens
        | Field::OutputTokens
        | Field::Cost
        | Field::SpanCount
        | Field::SpanDuration
        | Field::SpanError
        | Field::SpanModel => &[],
    }
}

const fn key(
    key: &'static str,
    description: &'static str,
    values: ValueKind,
    comparators: &'static [Comparator],
) -> KeyInfo {
    KeyInfo {
        key,
        description,
        values,
        comparators,
    }
}

static KEYS: [KeyInfo; 31] = [
    key(
        "status",
        "state of the trace",
        ValueKind::OneOf(STATES),
        LISTED,
    ),
    key("name", "name of the trace", ValueKind::Text, NULLABLE),
    key("time", "when the request began", ValueKind::Time, NUMERIC),
    key(
        "duration",
        "how long the request took",
        ValueKind::Duration,
        NUMERIC,
    ),
    key(
        "end_time",
        "when the request ended",
        ValueKind::Time,
        NUMERIC,
    ),
    key(
        "experiment",
        "id or name of the experiment",
        ValueKind::Text,
        LISTED,
    ),
    key(
        "session",
        "conversation that the trace belongs to",
        ValueKind::Text,
        NULLABLE,
    ),
    key("user", "end user", ValueKind::Text, NULLABLE),
    key("tokens", "tokens used", ValueKind::Number, OPTIONAL_NUMBER),
    key(
        "input_tokens",
        "prompt tokens used",
        ValueKind::Number,
        OPTIONAL_NUMBER,
    ),
    key(
        "output_tokens",
        "completion tokens used",
        ValueKind::Number,
        OPTIONAL_NUMBER,
    ),
    key(
        "cost",
        "cost in US dollars",
        ValueKind::Number,
        OPTIONAL_NUMBER,
    ),
    key("spans", "number of spans", ValueKind::Number, NUMERIC),
    key("trace_id", "id of the trace", ValueKind::Text, LISTED),
    key(
        "client_request_id",
        "id that the application gave to the request",
        ValueKind::Text,
        NULLABLE,
    ),
    key(
        "run_id",
        "run that the trace was made in or is linked to",
        ValueKind::Text,
        NULLABLE,
    ),
    key(
        "prompt",
        "linked prompt version, as name/version",
        ValueKind::Text,
        EXACT,
    ),
    key(
        "trace.text",
        "anything in any span",
        ValueKind::Text,
        PATTERN,
    ),
    key("tags.<key>", "tag", ValueKind::Text, NULLABLE),
    key(
        "metadata.<key>",
        "metadata entry",
        ValueKind::Text,
        NULLABLE,
    ),
    key("span.name", "name of a span", ValueKind::Text, LISTED),
    key(
        "span.type",
        "type of a span",
        ValueKind::OneOf(SPAN_TYPES),
        NULLABLE,
    ),
    key(
        "span.status",
        "status of a span",
        ValueKind::OneOf(SPAN_STATES),
        LISTED,
    ),
    key(
        "span.duration",
        "how long a span took",
        ValueKind::Duration,
        OPTIONAL_NUMBER,
    ),
    key(
        "span.model",
        "model that a span called",
        ValueKind::Text,
        NULLABLE,
    ),
    key(
        "span.error",
        "what went wrong in a span",
        ValueKind::Text,
        NULLABLE,
    ),
    key(
        "span.content",
        "anything in one span",
        ValueKind::Text,
        PATTERN,
    ),
    key(
        "span.attributes.<key>",
        "attribute of a span",
        ValueKind::Anything,
        ANYTHING,
    ),
    key(
        "feedback.<name>",
        "value of feedback",
        ValueKind::Anything,
        ANYTHING,
    ),
    key(
        "expectation.<name>",
        "value of an expectation",
        ValueKind::Anything,
        ANYTHING,
    ),
    key("issue.id", "linked issue", ValueKind::Text, EXACT),
];

/// Every key that a filter may use.
pub fn keys() -> &'static [KeyInfo] {
    &KEYS
}
