//! Everything about every field but its value, one definition each.

use super::Comparator::{
    self, Between, Equal, Greater, GreaterOrEqual, Ilike, In, IsNotNull, IsNull, Less, LessOrEqual,
    Like, NotBetween, NotEqual, NotIlike, NotIn, NotLike, NotRlike, Rlike,
};
use super::{AssessmentPart, Field, FieldDef, Subject, Unit, Uses};

/// The states of a trace.
pub const STATES: &[&str] = &["OK", "ERROR", "IN_PROGRESS"];
/// The status codes of a span.
pub const SPAN_STATES: &[&str] = &["OK", "ERROR", "UNSET"];
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

/// The kinds of judges that MLflow defines.
pub const SOURCE_TYPES: &[&str] = &["HUMAN", "LLM_JUDGE", "CODE"];

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
/// Those of token usage and cost as the metadata holds them.
pub(super) const RECORD: &[Comparator] = &[Equal, NotEqual, IsNull, IsNotNull];

const LISTED_BY_SERVER: &[Comparator] = &[Equal, NotEqual, In, NotIn, Like, Ilike, Rlike];
const TEXT_BY_SERVER: &[Comparator] = &[Equal, NotEqual, Like, Ilike, Rlike, IsNull, IsNotNull];
const NUMBERS_BY_SERVER: &[Comparator] =
    &[Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual];
const ASSESSMENT_BY_SERVER: &[Comparator] = &[
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
];

/// The first release with a trace search.
pub const OLDEST_SERVER: (u32, u32) = (2, 14);

/// What most fields of traces have in common.
const TRACE: FieldDef = FieldDef {
    name: "",
    aliases: &[],
    foreign: &[],
    make: |_| Field::Name,
    of: Subject::Trace,
    unit: Unit::Text,
    comparators: &[],
    server: &[],
    since: OLDEST_SERVER,
    server_name: "",
    order: "",
    uses: Uses::ALL,
    machine: "",
    title: "",
    help: "",
    missing: "",
};
/// What most fields of spans have in common.
const SPAN: FieldDef = FieldDef {
    of: Subject::Span,
    uses: Uses::FILTER,
    ..TRACE
};
/// What all pieces of single assessments have in common.
const ASSESSMENT: FieldDef = FieldDef {
    of: Subject::Assessment,
    comparators: NULLABLE,
    uses: Uses::OF_ASSESSMENT,
    ..TRACE
};

/// Every field.
pub static DEFS: [FieldDef; 47] = [
    FieldDef {
        name: "status",
        aliases: &["state"],
        make: |_| Field::Status,
        unit: Unit::OneOf(STATES),
        comparators: LISTED,
        server: LISTED_BY_SERVER,
        server_name: "status",
        machine: "state",
        title: "STATE",
        help: "state of the trace",
        missing: "(no status)",
        order: "status",
        ..TRACE
    },
    FieldDef {
        name: "name",
        foreign: &["trace_name", "tracename"],
        make: |_| Field::Name,
        comparators: NULLABLE,
        server: TEXT_BY_SERVER,
        server_name: "name",
        machine: "name",
        title: "NAME",
        help: "name of the trace",
        missing: "(no name)",
        order: "name",
        ..TRACE
    },
    FieldDef {
        name: "time",
        aliases: &["timestamp_ms", "timestamp"],
        foreign: &[
            "request_time",
            "start_time",
            "start_time_ms",
            "date",
            "created",
            "created_at",
        ],
        make: |_| Field::Timestamp,
        unit: Unit::Time,
        comparators: NUMERIC,
        server: NUMBERS_BY_SERVER,
        server_name: "timestamp_ms",
        machine: "request_time",
        title: "TIME",
        help: "when the request began",
        missing: "(no time)",
        order: "timestamp_ms",
        ..TRACE
    },
    FieldDef {
        name: "duration",
        aliases: &["latency", "execution_time_ms", "execution_time"],
        foreign: &[
            "latency_ms",
            "duration_ms",
            "duration_ns",
            "execution_duration",
            "execution_duration_ms",
            "elapsed",
        ],
        make: |_| Field::ExecutionTime,
        unit: Unit::Duration,
        comparators: NUMERIC,
        server: NUMBERS_BY_SERVER,
        server_name: "execution_time_ms",
        uses: Uses::ALL.and(Uses::MEASURE),
        machine: "duration_ns",
        title: "DURATION",
        help: "how long the request took",
        missing: "(no duration)",
        order: "execution_time_ms",
        ..TRACE
    },
    FieldDef {
        name: "end_time",
        aliases: &["end_time_ms"],
        foreign: &["finish_time"],
        make: |_| Field::EndTime,
        unit: Unit::Time,
        comparators: NUMERIC,
        server: NUMBERS_BY_SERVER,
        since: (3, 6),
        server_name: "end_time_ms",
        machine: "end_time",
        title: "END TIME",
        help: "when the request ended",
        missing: "(no end)",
        ..TRACE
    },
    FieldDef {
        name: "experiment",
        aliases: &["experiment_id"],
        foreign: &["experiment_name"],
        make: |_| Field::Experiment,
        comparators: LISTED,
        server_name: "experiment",
        machine: "experiment_id",
        title: "EXPERIMENT",
        help: "id or name of the experiment",
        missing: "(no experiment)",
        order: "experiment_id",
        ..TRACE
    },
    FieldDef {
        name: "session",
        foreign: &["session_id", "thread_id", "conversation_id"],
        make: |_| Field::session(),
        comparators: NULLABLE,
        server: TEXT_BY_SERVER,
        machine: "session",
        title: "SESSION",
        help: "conversation that the trace belongs to",
        missing: "(no session)",
        order: "metadata",
        ..TRACE
    },
    FieldDef {
        name: "user",
        foreign: &["user_id"],
        make: |_| Field::user(),
        comparators: NULLABLE,
        server: TEXT_BY_SERVER,
        machine: "user",
        title: "USER",
        help: "end user",
        missing: "(no user)",
        order: "metadata",
        ..TRACE
    },
    FieldDef {
        name: "tokens",
        foreign: &["total_tokens", "token_count"],
        make: |_| Field::Tokens,
        unit: Unit::Count,
        comparators: OPTIONAL_NUMBER,
        server_name: "tokens",
        uses: Uses::ALL.and(Uses::MEASURE),
        machine: "total_tokens",
        title: "TOKENS",
        help: "tokens used",
        missing: "(no tokens)",
        ..TRACE
    },
    FieldDef {
        name: "input_tokens",
        foreign: &["prompt_tokens"],
        make: |_| Field::InputTokens,
        unit: Unit::Count,
        comparators: OPTIONAL_NUMBER,
        server_name: "input_tokens",
        uses: Uses::ALL.and(Uses::MEASURE),
        machine: "input_tokens",
        title: "INPUT",
        help: "prompt tokens used",
        missing: "(no tokens)",
        ..TRACE
    },
    FieldDef {
        name: "output_tokens",
        foreign: &["completion_tokens"],
        make: |_| Field::OutputTokens,
        unit: Unit::Count,
        comparators: OPTIONAL_NUMBER,
        server_name: "output_tokens",
        uses: Uses::ALL.and(Uses::MEASURE),
        machine: "output_tokens",
        title: "OUTPUT",
        help: "completion tokens used",
        missing: "(no tokens)",
        ..TRACE
    },
    FieldDef {
        name: "cost",
        foreign: &["total_cost", "cost_usd", "price"],
        make: |_| Field::Cost,
        unit: Unit::Money,
        comparators: OPTIONAL_NUMBER,
        server_name: "cost",
        uses: Uses::ALL.and(Uses::MEASURE),
        machine: "cost_usd",
        title: "COST",
        help: "cost in US dollars",
        missing: "(no cost)",
        ..TRACE
    },
    FieldDef {
        name: "spans",
        foreign: &["count", "span_count", "num_spans"],
        make: |_| Field::SpanCount,
        unit: Unit::Count,
        comparators: NUMERIC,
        server_name: "spans",
        uses: Uses::ALL.and(Uses::MEASURE),
        machine: "spans",
        title: "SPANS",
        help: "number of spans",
        missing: "(no spans)",
        ..TRACE
    },
    FieldDef {
        name: "trace_id",
        aliases: &["request_id"],
        foreign: &["id", "traceid"],
        make: |_| Field::RequestId,
        comparators: LISTED,
        server: LISTED_BY_SERVER,
        server_name: "request_id",
        machine: "trace_id",
        title: "TRACE ID",
        help: "id of the trace",
        missing: "(no id)",
        order: "request_id",
        unit: Unit::Id,
        ..TRACE
    },
    FieldDef {
        name: "client_request_id",
        make: |_| Field::ClientRequestId,
        comparators: NULLABLE,
        server: LISTED_BY_SERVER,
        since: (3, 6),
        server_name: "client_request_id",
        machine: "client_request_id",
        title: "CLIENT REQUEST ID",
        help: "id that the application gave to the request",
        missing: "(no client request id)",
        unit: Unit::Id,
        ..TRACE
    },
    FieldDef {
        name: "run_id",
        foreign: &["run", "source_run"],
        make: |_| Field::RunId,
        comparators: NULLABLE,
        server: TEXT_BY_SERVER,
        server_name: "run_id",
        machine: "run_id",
        title: "RUN ID",
        help: "run that the trace was made in or is linked to",
        missing: "(no run)",
        order: "run_id",
        unit: Unit::Id,
        ..TRACE
    },
    FieldDef {
        name: "model_id",
        foreign: &["logged_model", "logged_model_id"],
        make: |_| Field::model_id(),
        comparators: NULLABLE,
        server: TEXT_BY_SERVER,
        machine: "model_id",
        title: "MODEL ID",
        help: "logged model that the trace belongs to",
        missing: "(no logged model)",
        order: "metadata",
        unit: Unit::Id,
        ..TRACE
    },
    FieldDef {
        name: "model",
        aliases: &["models"],
        make: |_| Field::Models,
        server_name: "model",
        uses: Uses::SHOWN,
        machine: "model",
        title: "MODEL",
        help: "models that the spans called",
        missing: "(no model)",
        ..TRACE
    },
    FieldDef {
        name: "error",
        make: |_| Field::Error,
        server_name: "error",
        uses: Uses::SHOWN,
        machine: "error",
        title: "ERROR",
        help: "what went wrong, where it began",
        missing: "(no error)",
        ..TRACE
    },
    FieldDef {
        name: "failed",
        aliases: &["failed_span"],
        make: |_| Field::Failed,
        server_name: "failed",
        uses: Uses::SHOWN,
        machine: "failed",
        title: "FAILED",
        help: "span in which a failure began",
        missing: "(none failed)",
        ..TRACE
    },
    FieldDef {
        name: "request",
        foreign: &["request_preview"],
        make: |_| Field::Request,
        server_name: "request",
        uses: Uses::SHOWN,
        machine: "request",
        title: "REQUEST",
        help: "start of the request",
        missing: "(no request)",
        ..TRACE
    },
    FieldDef {
        name: "response",
        foreign: &["response_preview"],
        make: |_| Field::Response,
        server_name: "response",
        uses: Uses::SHOWN,
        machine: "response",
        title: "RESPONSE",
        help: "start of the response",
        missing: "(no response)",
        ..TRACE
    },
    FieldDef {
        name: "prompt",
        make: |_| Field::Prompt,
        comparators: EXACT,
        server: &[Equal],
        since: (3, 8),
        server_name: "prompt",
        machine: "prompt",
        title: "PROMPT",
        help: "linked prompt version, as name/version",
        missing: "(no prompt)",
        ..TRACE
    },
    FieldDef {
        name: "trace.text",
        aliases: &["text"],
        foreign: &[
            "content", "request", "response", "input", "inputs", "output", "outputs", "message",
        ],
        make: |_| Field::SpanContent,
        comparators: PATTERN,
        server: &[Like, Ilike],
        since: (3, 6),
        server_name: "span.content",
        help: "anything in any span",
        ..SPAN
    },
    FieldDef {
        name: "tags.<key>",
        make: Field::Tag,
        comparators: NULLABLE,
        server: TEXT_BY_SERVER,
        server_name: "tags",
        machine: "tags",
        help: "tag",
        missing: "(no tag)",
        order: "tag",
        ..TRACE
    },
    FieldDef {
        name: "metadata.<key>",
        make: Field::Metadata,
        comparators: NULLABLE,
        server: TEXT_BY_SERVER,
        server_name: "metadata",
        machine: "metadata",
        help: "metadata entry",
        missing: "(no metadata)",
        order: "metadata",
        ..TRACE
    },
    FieldDef {
        name: "span.name",
        foreign: &["span", "span_name"],
        make: |_| Field::SpanName,
        comparators: LISTED,
        server: LISTED_BY_SERVER,
        since: (3, 4),
        server_name: "span.name",
        help: "name of a span",
        ..SPAN
    },
    FieldDef {
        name: "span.type",
        foreign: &["span_type", "type", "kind"],
        make: |_| Field::SpanType,
        unit: Unit::OneOf(SPAN_TYPES),
        comparators: NULLABLE,
        server: LISTED_BY_SERVER,
        since: (3, 6),
        server_name: "span.type",
        help: "type of a span",
        ..SPAN
    },
    FieldDef {
        name: "span.status",
        foreign: &["span_status"],
        make: |_| Field::SpanStatus,
        unit: Unit::OneOf(SPAN_STATES),
        comparators: LISTED,
        server: LISTED_BY_SERVER,
        since: (3, 6),
        server_name: "span.status",
        help: "status of a span",
        ..SPAN
    },
    FieldDef {
        name: "span.duration",
        foreign: &["span_duration"],
        make: |_| Field::SpanDuration,
        unit: Unit::Duration,
        comparators: OPTIONAL_NUMBER,
        server_name: "span.duration",
        uses: Uses::FILTER.and(Uses::MEASURE),
        help: "how long a span took",
        ..SPAN
    },
    FieldDef {
        name: "span.tokens",
        foreign: &["span_tokens"],
        make: |_| Field::SpanTokens,
        unit: Unit::Count,
        comparators: OPTIONAL_NUMBER,
        server_name: "span.tokens",
        uses: Uses::FILTER.and(Uses::MEASURE),
        help: "tokens of a span, as MLflow or its vendor reports them",
        ..SPAN
    },
    FieldDef {
        name: "span.cost",
        foreign: &["span_cost"],
        make: |_| Field::SpanCost,
        unit: Unit::Money,
        comparators: OPTIONAL_NUMBER,
        server_name: "span.cost",
        uses: Uses::FILTER.and(Uses::MEASURE),
        help: "cost that a span reports",
        ..SPAN
    },
    FieldDef {
        name: "span.model",
        aliases: &["model"],
        foreign: &["llm", "model_name"],
        make: |_| Field::SpanModel,
        comparators: NULLABLE,
        server_name: "span.model",
        help: "model that a span called",
        missing: "(no model)",
        ..SPAN
    },
    FieldDef {
        name: "span.error",
        aliases: &["error"],
        foreign: &["exception", "error_message", "status_message"],
        make: |_| Field::SpanError,
        comparators: NULLABLE,
        server_name: "span.error",
        uses: Uses::FILTER_GROUP,
        help: "what went wrong in a span",
        missing: "(no error)",
        ..SPAN
    },
    FieldDef {
        name: "span.content",
        make: |_| Field::SpanContent,
        comparators: PATTERN,
        server: &[Like, Ilike],
        since: (3, 6),
        server_name: "span.content",
        help: "anything in one span",
        ..SPAN
    },
    FieldDef {
        name: "span.attributes.<key>",
        make: Field::SpanAttribute,
        unit: Unit::Anything,
        comparators: ANYTHING,
        server: &[Like, Ilike, Rlike],
        since: (3, 6),
        server_name: "span.attributes",
        uses: Uses::FILTER_GROUP.and(Uses::MEASURE),
        help: "attribute of a span",
        missing: "(no attribute)",
        ..SPAN
    },
    FieldDef {
        name: "feedback.<name>",
        make: Field::Feedback,
        unit: Unit::Anything,
        comparators: ANYTHING,
        server: ASSESSMENT_BY_SERVER,
        since: (3, 10),
        server_name: "feedback",
        uses: Uses::ALL.and(Uses::MEASURE),
        machine: "feedback",
        help: "value of feedback",
        missing: "(no feedback)",
        ..TRACE
    },
    FieldDef {
        name: "expectation.<name>",
        make: Field::Expectation,
        unit: Unit::Anything,
        comparators: ANYTHING,
        server: ASSESSMENT_BY_SERVER,
        since: (3, 10),
        server_name: "expectation",
        uses: Uses::ALL.and(Uses::MEASURE),
        machine: "expectation",
        help: "value of an expectation",
        missing: "(no expectation)",
        ..TRACE
    },
    FieldDef {
        name: "assessments",
        make: |_| Field::Assessments,
        server_name: "assessments",
        uses: Uses::COLUMN,
        machine: "assessments",
        title: "ASSESSMENTS",
        help: "all assessments, as name=value",
        missing: "(no assessment)",
        ..TRACE
    },
    FieldDef {
        name: "assessments.<name>",
        make: Field::Assessment,
        unit: Unit::Anything,
        server_name: "assessments",
        uses: Uses::SHOWN,
        machine: "assessments",
        help: "value of the assessments of a name",
        missing: "(no assessment)",
        ..TRACE
    },
    FieldDef {
        name: "issue.id",
        foreign: &["issue", "issue_id"],
        make: |_| Field::IssueId,
        comparators: EXACT,
        server: &[Equal],
        since: (3, 12),
        server_name: "issue.id",
        machine: "issue_id",
        title: "ISSUE",
        help: "linked issue",
        missing: "(no issue)",
        ..TRACE
    },
    FieldDef {
        name: "name",
        make: |_| Field::OfAssessment(AssessmentPart::Name),
        server_name: "name",
        help: "what was assessed",
        ..ASSESSMENT
    },
    FieldDef {
        name: "value",
        make: |_| Field::OfAssessment(AssessmentPart::Value),
        server_name: "value",
        unit: Unit::Anything,
        comparators: ANYTHING,
        help: "the judgement",
        ..ASSESSMENT
    },
    FieldDef {
        name: "error",
        make: |_| Field::OfAssessment(AssessmentPart::Error),
        server_name: "error",
        help: "why judging failed",
        ..ASSESSMENT
    },
    FieldDef {
        name: "rationale",
        make: |_| Field::OfAssessment(AssessmentPart::Rationale),
        server_name: "rationale",
        help: "why, in the judge's words",
        ..ASSESSMENT
    },
    FieldDef {
        name: "source",
        make: |_| Field::OfAssessment(AssessmentPart::Source),
        server_name: "source",
        help: "who or what judged",
        ..ASSESSMENT
    },
    FieldDef {
        name: "source_type",
        make: |_| Field::OfAssessment(AssessmentPart::SourceType),
        server_name: "source_type",
        unit: Unit::OneOf(SOURCE_TYPES),
        help: "what kind of judge it is",
        ..ASSESSMENT
    },
];
