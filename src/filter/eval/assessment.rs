//! Whether a trace has an assessment that passes a test, all of which is about one
//! assessment of the trace itself. Those that were replaced are not looked at.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::super::ast::{Assessed, AssessmentTest, Expr};
use super::super::compiled::Test;
use crate::field::{AssessmentPart, Comparator, Field};
use crate::model::{Assessment, AssessmentKind, TraceInfo};

/// A test of assessments made ready.
#[derive(Debug, Clone)]
pub struct AssessmentMatcher {
    of: Assessed,
    node: Node,
}

/// An expression about one assessment, where `NOT` is a plain complement.
#[derive(Debug, Clone)]
enum Node {
    Test(AssessmentPart, Test),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// Holds of none: the parser makes nothing of the kind.
    Never,
}

impl AssessmentMatcher {
    /// Makes a test ready.
    pub fn new(test: &AssessmentTest) -> Self {
        Self {
            of: test.of,
            node: Node::new(&test.expr),
        }
    }

    /// Whether an assessment passes.
    pub fn matches(&self, assessment: &Assessment) -> bool {
        let kind = match assessment.kind {
            AssessmentKind::Feedback { .. } => Assessed::Feedback,
            AssessmentKind::Expectation { .. } => Assessed::Expectation,
            AssessmentKind::Issue { .. } | AssessmentKind::Other => return false,
        };
        assessment.valid && kind == self.of && self.node.holds(assessment)
    }

    pub(super) fn holds(&self, info: &TraceInfo) -> bool {
        info.assessments
            .iter()
            .any(|assessment| self.matches(assessment))
    }
}

impl Node {
    fn new(expr: &Expr) -> Self {
        match expr {
            Expr::Condition(condition) => match condition.field {
                Field::OfAssessment(part) => Self::Test(part, Test::new(condition)),
                _ => Self::Never,
            },
            Expr::And(parts) => Self::And(parts.iter().map(Self::new).collect()),
            Expr::Or(parts) => Self::Or(parts.iter().map(Self::new).collect()),
            Expr::Not(inner) => Self::Not(Box::new(Self::new(inner))),
            Expr::Spans(_) | Expr::Assessed(_) => Self::Never,
        }
    }

    fn holds(&self, assessment: &Assessment) -> bool {
        match self {
            Self::Test(part, test) => holds(*part, test, assessment),
            Self::And(parts) => parts.iter().all(|part| part.holds(assessment)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(assessment)),
            Self::Not(inner) => !inner.holds(assessment),
            Self::Never => false,
        }
    }
}

fn holds(part: AssessmentPart, test: &Test, assessment: &Assessment) -> bool {
    let found = match part {
        AssessmentPart::Value => return test.matches_judgement(assessment.value()),
        AssessmentPart::Name => Some(Cow::Borrowed(assessment.name.as_str())),
        AssessmentPart::Error => error(assessment).map(Cow::Owned),
        AssessmentPart::Rationale => assessment.rationale.as_deref().map(Cow::Borrowed),
        AssessmentPart::Source => assessment.source.id.as_deref().map(Cow::Borrowed),
        AssessmentPart::SourceType => {
            let kind = assessment.source.kind.as_str();
            (!kind.is_empty()).then_some(Cow::Borrowed(kind))
        }
    };
    test.matches_text(found.as_deref())
}

/// The code and the message, `code: message`; empty where judging failed and nobody said why.
fn error(assessment: &Assessment) -> Option<String> {
    let AssessmentKind::Feedback {
        error: Some(error), ..
    } = &assessment.kind
    else {
        return None;
    };
    let said = [error.code.as_deref(), error.message.as_deref()];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    Some(said.join(": "))
}

impl Test {
    /// Whether a judgement passes: text as it is, everything else as its JSON; one that is
    /// missing satisfies `IS NULL` alone.
    fn matches_judgement(&self, value: &Json) -> bool {
        match value {
            Json::Null => self.comparator == Comparator::IsNull,
            Json::String(text) if self.is_pattern() => self.matches_text(Some(text)),
            value => self.matches_assessment_value(value),
        }
    }
}
