//! A judgement about a trace or one of its spans: feedback, or an expectation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{SpanId, Timestamp, metadata};

/// One assessment.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// `a-` and 32 hex digits, where the store gives one.
    pub id: Option<String>,
    /// What was assessed, for example `correctness`.
    pub name: String,
    /// The span it is about; `None` for the whole trace.
    pub span_id: Option<SpanId>,
    /// Who or what judged.
    pub source: Source,
    /// When it was made.
    pub create_time: Option<Timestamp>,
    /// When it was last changed.
    pub last_update_time: Option<Timestamp>,
    /// Feedback or expectation, with its value.
    pub kind: AssessmentKind,
    /// Why, in the judge's words.
    pub rationale: Option<String>,
    /// Free key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// The id of the assessment that this one replaces.
    pub overrides: Option<String>,
    /// False once it was replaced.
    pub valid: bool,
}

/// What an assessment says.
#[derive(Debug, Clone, PartialEq)]
pub enum AssessmentKind {
    /// An opinion on what the application did.
    Feedback {
        /// Number, boolean, text or, where judging failed, null.
        value: Value,
        /// Why judging failed.
        error: Option<AssessmentError>,
    },
    /// The answer that would have been right.
    Expectation {
        /// Any JSON value; a value that the store had serialised is parsed again.
        value: Value,
    },
    /// A reference to an issue, whose id is the assessment's name.
    Issue {
        /// What the issue is called.
        name: String,
    },
    /// A kind that this version of mlt does not know, kept for printing.
    Other,
}

impl AssessmentKind {
    /// `feedback`, `expectation`, `issue` or `other`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Feedback { .. } => "feedback",
            Self::Expectation { .. } => "expectation",
            Self::Issue { .. } => "issue",
            Self::Other => "other",
        }
    }
}

impl Assessment {
    /// The value, whatever the kind; null where there is none.
    pub fn value(&self) -> &Value {
        match &self.kind {
            AssessmentKind::Feedback { value, .. } | AssessmentKind::Expectation { value } => value,
            AssessmentKind::Issue { .. } | AssessmentKind::Other => &Value::Null,
        }
    }

    /// Whether it says something about the trace that people and judges have to say:
    /// feedback or an expectation.
    pub const fn is_judgement(&self) -> bool {
        matches!(
            self.kind,
            AssessmentKind::Feedback { .. } | AssessmentKind::Expectation { .. }
        )
    }

    /// Whether it is about the whole session that the trace belongs to.
    pub fn is_of_session(&self) -> bool {
        self.metadata.contains_key(metadata::SESSION)
    }

    /// What to call it: an issue's own name is a long id.
    pub fn title(&self) -> &str {
        match self.kind {
            AssessmentKind::Issue { .. } => "issue",
            _ => &self.name,
        }
    }
}

#[cfg(test)]
impl Assessment {
    /// Of a whole trace, by somebody.
    pub(crate) fn sample(name: &str, kind: AssessmentKind) -> Self {
        Self {
            id: None,
            name: name.to_owned(),
            span_id: None,
            source: Source::default(),
            create_time: None,
            last_update_time: None,
            kind,
            rationale: None,
            metadata: BTreeMap::new(),
            overrides: None,
            valid: true,
        }
    }

    /// Feedback of this value.
    pub(crate) fn sample_feedback(name: &str, value: Value) -> Self {
        Self::sample(name, AssessmentKind::Feedback { value, error: None })
    }
}

/// Why a judge gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssessmentError {
    /// A short code such as `RATE_LIMIT`.
    pub code: Option<String>,
    /// The message.
    pub message: Option<String>,
    /// The judge's stack trace.
    pub stack_trace: Option<String>,
}

/// Who or what made an assessment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// `HUMAN`, `LLM_JUDGE`, `CODE` or `SOURCE_TYPE_UNSPECIFIED`.
    pub kind: String,
    /// A user name, model name or script name.
    pub id: Option<String>,
}
