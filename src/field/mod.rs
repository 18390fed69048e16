//! What there is to know of a trace and of its spans: [`Field`] says which piece of
//! it is meant, and [`DEFS`] says everything about a field that is not its value, in
//! one place: its names, what it is compared with, what a server takes, what it can
//! be used for, and its heads. Filters, orders, groups, columns, completions and
//! help read it from there; `value` tells what a trace has of it.

mod comparator;
mod def;
mod defs;
mod print;
pub mod suggest;
mod value;

pub use comparator::Comparator;
pub use def::{FieldDef, Subject, Unit, Uses};
pub use defs::{DEFS, OLDEST_SERVER, SOURCE_TYPES, SPAN_STATES, SPAN_TYPES, STATES};
pub(crate) use print::quoted_key;
pub(crate) use value::first_failed;
pub use value::{LINKED_PROMPTS, Value};
pub(crate) use value::{assessment_text, issues, prompts};

use crate::model::{Detail, metadata, tag};

/// A piece of a trace, of a span or of an assessment.
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
    /// The tokens that a span reports, which may repeat those of spans below it.
    SpanTokens,
    /// The cost that a span reports in US dollars, likewise.
    SpanCost,
    /// What went wrong in a span, see [`span_error`](crate::filter::span_error).
    SpanError,
    /// The model that a span called.
    SpanModel,
    /// The models that the spans of a trace called.
    Models,
    /// What went wrong in a trace: the error of the span in which it began.
    Error,
    /// The name of the span in which a failure began.
    Failed,
    /// The start of the request.
    Request,
    /// The start of the response.
    Response,
    /// All assessments as `name=value`.
    Assessments,
    /// The value of the assessments with this name, feedback and expectations alike.
    Assessment(String),
    /// A piece of a single assessment, where one is spoken of.
    OfAssessment(AssessmentPart),
}

/// A piece of an assessment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssessmentPart {
    /// What was assessed, for example `correctness`.
    Name,
    /// The judgement; none where judging failed.
    Value,
    /// Why judging failed: the code and the message.
    Error,
    /// Why, in the judge's words.
    Rationale,
    /// Who or what judged: a user, a model or a script.
    Source,
    /// What kind of judge it is: `HUMAN`, `LLM_JUDGE` or `CODE`.
    SourceType,
}

impl Field {
    /// The session that a trace belongs to.
    pub fn session() -> Self {
        Self::Metadata(metadata::SESSION.to_owned())
    }

    /// The end user.
    pub fn user() -> Self {
        Self::Metadata(metadata::USER.to_owned())
    }

    /// The logged model.
    pub fn model_id() -> Self {
        Self::Metadata(metadata::MODEL_ID.to_owned())
    }

    /// The field that a kind and a key mean, as `tags.env`, `` tags.`a b` `` or `tag:env`,
    /// where it has a use.
    pub fn with_key(text: &str, uses: Uses) -> Option<Self> {
        let (kind, key) = text.split_once(['.', ':'])?;
        let key = key
            .strip_prefix('`')
            .and_then(|key| key.strip_suffix('`'))
            .unwrap_or(key);
        let make: fn(String) -> Self = match kind.to_ascii_lowercase().as_str() {
            "tags" | "tag" => Self::Tag,
            "metadata" | "request_metadata" | "trace_metadata" => Self::Metadata,
            "assessments" | "assessment" => Self::Assessment,
            "feedback" => Self::Feedback,
            "expectation" | "expectations" => Self::Expectation,
            "issue" if key == "id" => return Some(Self::IssueId),
            "trace" | "attribute" | "attributes" => return FieldDef::named(key, uses, true),
            _ => return None,
        };
        let field = make(key.to_owned()).by_its_own_name();
        (!key.is_empty() && field.def().uses.has(uses)).then_some(field)
    }

    /// The field under its own name, where it is kept as a tag or in the metadata.
    #[must_use]
    pub fn by_its_own_name(self) -> Self {
        match self {
            Self::Tag(key) if key == tag::NAME => Self::Name,
            Self::Tag(key) if key == LINKED_PROMPTS => Self::Prompt,
            Self::Metadata(key) if key == metadata::SOURCE_RUN => Self::RunId,
            other => other,
        }
    }

    /// What there is to know of it.
    pub fn def(&self) -> &'static FieldDef {
        let found = DEFS.iter().find(|def| def.is_of(self));
        debug_assert!(found.is_some(), "{self:?} has no definition");
        found.unwrap_or(&DEFS[0])
    }

    /// Whether it is a piece of a span.
    pub fn is_span(&self) -> bool {
        self.def().of == Subject::Span
    }

    /// Whether the spans are needed to decide about it.
    pub fn needs_spans(&self) -> bool {
        *self == Self::SpanCount || self.detail().is_some()
    }

    /// How much of its spans a trace is needed with to tell its value; `None` where
    /// that is known without them.
    pub fn detail(&self) -> Option<Detail> {
        match self {
            Self::SpanName | Self::SpanType | Self::SpanStatus | Self::SpanDuration => {
                Some(Detail::Times)
            }
            Self::SpanModel | Self::SpanTokens | Self::SpanCost | Self::Models => {
                Some(Detail::Measures)
            }
            Self::SpanError | Self::Error | Self::Failed => Some(Detail::Events),
            Self::SpanContent | Self::SpanAttribute(_) => Some(Detail::Whole),
            Self::Status
            | Self::RequestId
            | Self::ClientRequestId
            | Self::Timestamp
            | Self::ExecutionTime
            | Self::EndTime
            | Self::Name
            | Self::RunId
            | Self::Prompt
            | Self::Tag(_)
            | Self::Metadata(_)
            | Self::Feedback(_)
            | Self::Expectation(_)
            | Self::IssueId
            | Self::Experiment
            | Self::Tokens
            | Self::InputTokens
            | Self::OutputTokens
            | Self::Cost
            | Self::SpanCount
            | Self::Request
            | Self::Response
            | Self::Assessments
            | Self::Assessment(_)
            | Self::OfAssessment(_) => None,
        }
    }

    /// Whether it adds up what the spans used, where the metadata does not say.
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Tokens | Self::InputTokens | Self::OutputTokens | Self::Cost
        )
    }

    /// Whether it is the value of an assessment that a filter asks for.
    pub const fn is_assessment(&self) -> bool {
        matches!(
            self,
            Self::Feedback(_) | Self::Expectation(_) | Self::OfAssessment(AssessmentPart::Value)
        )
    }

    /// Whether the assessments of a trace are needed to decide about it.
    pub const fn needs_assessments(&self) -> bool {
        matches!(
            self,
            Self::Feedback(_) | Self::Expectation(_) | Self::OfAssessment(_) | Self::IssueId
        )
    }

    /// Whether it is always a number.
    pub fn is_numeric(&self) -> bool {
        self.def().unit.is_number()
    }

    /// Whether there are numbers to compare with: always, or where the value is one.
    pub fn takes_numbers(&self) -> bool {
        self.is_numeric() || self.is_assessment() || matches!(self, Self::SpanAttribute(_))
    }

    /// Whether its value is one of token usage or cost as the metadata holds them, a record.
    pub fn is_record(&self) -> bool {
        matches!(self, Self::Metadata(key) if key == metadata::TOKEN_USAGE || key == metadata::COST)
    }

    /// The comparators that go with it.
    pub fn comparators(&self) -> &'static [Comparator] {
        if self.is_record() {
            return defs::RECORD;
        }
        self.def().comparators
    }

    /// The comparators with which MLflow's server takes it and means what filters mean.
    pub fn server_comparators(&self) -> &'static [Comparator] {
        if self.is_record() {
            return defs::RECORD;
        }
        self.def().server
    }
}
