//! Decides whether a trace matches, as MLflow's SQLite backend would where it
//! knows the condition: a missing value satisfies nothing but `IS NULL`, case
//! counts, and conditions on spans speak of one and the same span.
//!
//! What only the server knows is left out: links between traces and runs made
//! after the fact, and feedback on one trace of a session that the server
//! extends to the others.

use std::cell::{Cell, OnceCell};

use super::ast::{Expr, Filter, Quantifier, SpanTest};
use super::compiled::{SpanView, Test, compare, holds};
use super::terms::Condition;
use crate::field::{self, Comparator, Field};
use crate::model::{Assessment, AssessmentKind, Span, Timestamp, TraceInfo, metadata};

mod assessment;
mod span;
#[cfg(test)]
mod tests;

pub use assessment::AssessmentMatcher;
pub use span::{SpanJudge, SpanMatcher};

/// A filter made ready: its patterns are compiled once, for any number of traces.
#[derive(Debug, Clone)]
pub struct Matcher {
    region: Region,
    first_span_start_ns: Option<f64>,
}

/// An expression without `NOT`, except as the beginning of another region: its
/// conditions on spans speak of one span.
#[derive(Debug, Clone)]
struct Region {
    node: Node,
    about_a_span: bool,
    /// How many of its nodes remember their answer while spans are tried.
    memos: usize,
}

#[derive(Debug, Clone)]
enum Node {
    Trace(Box<Test>),
    Span(Box<Test>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Region>),
    Count(Quantifier, Box<SpanNode>),
    Assessed(Box<AssessmentMatcher>),
    /// Says nothing about the span, so that its answer is the same for all.
    Memo(usize, Box<Node>),
}

/// An expression about one span, where `NOT` is a plain complement.
#[derive(Debug, Clone)]
enum SpanNode {
    Test(Test),
    And(Vec<SpanNode>),
    Or(Vec<SpanNode>),
    Not(Box<SpanNode>),
}

/// What a region's conditions on spans are answered with.
#[derive(Clone, Copy)]
enum Assume<'v, 's> {
    /// All of them alike.
    Always(bool),
    /// By this span.
    Of(&'v SpanView<'s>),
}

/// A trace under judgement.
struct Scene<'s> {
    info: &'s TraceInfo,
    spans: &'s [Span],
    /// How many spans the trace is said to have.
    count: usize,
    first_span_start_ns: Option<f64>,
    views: OnceCell<Vec<SpanView<'s>>>,
}

impl<'s> Scene<'s> {
    /// The spans that are looked at.
    #[allow(clippy::cast_precision_loss, reason = "the bound is ten seconds wide")]
    fn views(&self) -> &[SpanView<'s>] {
        self.views.get_or_init(|| {
            self.spans
                .iter()
                .filter(|span| {
                    self.first_span_start_ns
                        .is_none_or(|first| span.start_ns as f64 >= first)
                })
                .map(SpanView::new)
                .collect()
        })
    }
}

impl Filter {
    /// Makes the filter ready to be used on many traces.
    pub fn matcher(&self) -> Matcher {
        let parts = self.effective_conjuncts();
        Matcher {
            region: Region::new(|memos| Node::And(Node::sorted(parts, memos))),
            first_span_start_ns: self.span_time_floor_ms().map(|ms| ms * 1e6),
        }
    }

    /// The first condition that only a server can decide: a regular expression
    /// that looks around or refers back.
    pub fn needs_server(&self) -> Option<&Condition> {
        self.conditions()
            .into_iter()
            .find(|condition| condition.needs_server())
    }

    /// Whether a trace matches; for many traces, make a [`Matcher`] first.
    ///
    /// Where [`Filter::needs_spans`] says no, `spans` may be empty.
    pub fn matches(&self, info: &TraceInfo, spans: &[Span]) -> bool {
        self.matcher().matches(info, spans)
    }
}

impl Condition {
    /// Whether only a server can decide it: a regular expression that looks around or refers back.
    pub fn needs_server(&self) -> bool {
        matches!(self.comparator, Comparator::Rlike | Comparator::NotRlike)
            && Test::new(self).needs_server()
    }
}

impl Condition {
    /// Whether nothing matches it: its pattern is not a regular expression.
    pub(super) fn matches_nothing(&self) -> bool {
        self.comparator == Comparator::Rlike && Test::new(self).is_invalid()
    }
}

impl Matcher {
    /// Whether a trace matches.
    pub fn matches(&self, info: &TraceInfo, spans: &[Span]) -> bool {
        self.matches_counted(info, spans, spans.len())
    }

    /// The same for a trace that is said to have so many spans, whichever are given.
    pub fn matches_counted(&self, info: &TraceInfo, spans: &[Span], count: usize) -> bool {
        self.region.holds(&Scene {
            info,
            spans,
            count,
            first_span_start_ns: self.first_span_start_ns,
            views: OnceCell::new(),
        })
    }
}

impl Region {
    fn new(make: impl FnOnce(&mut usize) -> Node) -> Self {
        let mut memos = 0;
        let node = make(&mut memos);
        Self {
            about_a_span: node.is_about_a_span(),
            node,
            memos,
        }
    }

    fn holds(&self, scene: &Scene<'_>) -> bool {
        let memos = vec![Cell::new(None); self.memos];
        if !self.about_a_span {
            return self.node.holds(scene, Assume::Always(false), &memos);
        }
        // Without a NOT, what holds with every condition on spans false holds with
        // any span, and what fails with all of them true fails with every span.
        self.node.holds(scene, Assume::Always(true), &memos)
            && (self.node.holds(scene, Assume::Always(false), &memos)
                || scene
                    .views()
                    .iter()
                    .any(|view| self.node.holds(scene, Assume::Of(view), &memos)))
    }
}

impl Node {
    fn new(expr: &Expr, memos: &mut usize) -> Self {
        match expr {
            Expr::Condition(condition) if condition.field.is_span() => {
                Self::Span(Box::new(Test::new(condition)))
            }
            Expr::Condition(condition) => Self::Trace(Box::new(Test::new(condition))),
            Expr::And(parts) => Self::And(Self::sorted(parts, memos)),
            Expr::Or(parts) => Self::Or(Self::sorted(parts, memos)),
            Expr::Not(inner) => Self::Not(Box::new(Region::new(|memos| Self::new(inner, memos)))),
            Expr::Spans(test) => {
                let SpanTest { quantifier, expr } = test.as_ref();
                Self::Count(*quantifier, Box::new(SpanNode::new(expr)))
            }
            Expr::Assessed(test) => Self::Assessed(Box::new(AssessmentMatcher::new(test))),
        }
    }

    /// The cheapest first, as the order does not matter to the answer.
    fn sorted<'e>(parts: impl IntoIterator<Item = &'e Expr>, memos: &mut usize) -> Vec<Self> {
        let mut nodes: Vec<Self> = parts
            .into_iter()
            .map(|part| Self::new(part, memos))
            .collect();
        if nodes.iter().any(Self::is_about_a_span) {
            for node in &mut nodes {
                if !node.is_about_a_span() {
                    let inner = std::mem::replace(node, Self::And(Vec::new()));
                    *node = Self::Memo(*memos, Box::new(inner));
                    *memos += 1;
                }
            }
        }
        nodes.sort_by_key(Self::cost);
        nodes
    }

    fn is_about_a_span(&self) -> bool {
        match self {
            Self::Span(_) => true,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::is_about_a_span),
            Self::Trace(_)
            | Self::Not(_)
            | Self::Count(..)
            | Self::Assessed(_)
            | Self::Memo(..) => false,
        }
    }

    fn cost(&self) -> u8 {
        match self {
            Self::Assessed(_) => 1,
            Self::Trace(test) if test.field.is_assessment() => 1,
            Self::Trace(_) => 0,
            Self::Span(_) => 2,
            Self::Count(..) => 3,
            Self::Not(region) => region.node.cost(),
            Self::Memo(_, inner) => inner.cost(),
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().map(Self::cost).max().unwrap_or_default()
            }
        }
    }

    fn holds(
        &self,
        scene: &Scene<'_>,
        assume: Assume<'_, '_>,
        memos: &[Cell<Option<bool>>],
    ) -> bool {
        match self {
            Self::Trace(test) => test.matches_trace(scene.info, scene.count),
            Self::Span(test) => match assume {
                Assume::Always(answer) => answer,
                Assume::Of(view) => test.matches_view(view),
            },
            Self::And(parts) => parts.iter().all(|part| part.holds(scene, assume, memos)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(scene, assume, memos)),
            Self::Not(region) => !region.holds(scene),
            Self::Assessed(test) => test.holds(scene.info),
            Self::Count(quantifier, node) => quantifier.holds(node, scene.views()),
            Self::Memo(at, inner) => memos[*at].get().unwrap_or_else(|| {
                let answer = inner.holds(scene, assume, memos);
                memos[*at].set(Some(answer));
                answer
            }),
        }
    }
}

impl Quantifier {
    fn holds(&self, node: &SpanNode, views: &[SpanView<'_>]) -> bool {
        match self {
            Self::Any => views.iter().any(|view| node.holds(view)),
            Self::All => views.iter().all(|view| node.holds(view)),
            Self::Count(comparator, number) => {
                let count = views.iter().filter(|view| node.holds(view)).count();
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                holds(*comparator, compare(count, *number))
            }
        }
    }
}

impl SpanNode {
    fn new(expr: &Expr) -> Self {
        match expr {
            Expr::Condition(condition) => Self::Test(Test::new(condition)),
            Expr::And(parts) => Self::And(parts.iter().map(Self::new).collect()),
            Expr::Or(parts) => Self::Or(parts.iter().map(Self::new).collect()),
            Expr::Not(inner) => Self::Not(Box::new(Self::new(inner))),
            // The parser makes none within another.
            Expr::Spans(test) => Self::new(&test.expr),
            Expr::Assessed(test) => Self::new(&test.expr),
        }
    }

    fn holds(&self, view: &SpanView<'_>) -> bool {
        match self {
            Self::Test(test) => test.matches_view(view),
            Self::And(parts) => parts.iter().all(|part| part.holds(view)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(view)),
            Self::Not(inner) => !inner.holds(view),
        }
    }
}

impl Test {
    /// Whether a trace passes a condition that is not about its spans, except for their number.
    pub fn matches_trace(&self, info: &TraceInfo, spans: usize) -> bool {
        match &self.field {
            Field::Status => self.matches_text(Some(info.state.as_str())),
            Field::RequestId => self.matches_text(Some(&info.trace_id)),
            Field::ClientRequestId => self.matches_text(info.client_request_id.as_deref()),
            Field::Timestamp => self.matches_number(info.request_time.map(Timestamp::millis)),
            Field::ExecutionTime => self.matches_number(execution_ms(info)),
            Field::EndTime => self.matches_number(
                info.request_time
                    .map(|t| t.millis().saturating_add(execution_ms(info).unwrap_or(0))),
            ),
            Field::Name => self.matches_text(info.name()),
            // An empty run id is not looked at.
            Field::RunId => {
                (self.comparator == Comparator::Equal && self.matches_text(Some("")))
                    || self.matches_text(info.run_id())
            }
            Field::Prompt => self.matches_any_text(field::prompts(info).iter().map(String::as_str)),
            Field::Tag(key) => self.matches_text(info.tags.get(key).map(String::as_str)),
            Field::Metadata(key) if key == metadata::TOKEN_USAGE || key == metadata::COST => {
                self.matches_record(key, info.metadata.get(key))
            }
            Field::Metadata(key) => self.matches_text(info.metadata.get(key).map(String::as_str)),
            Field::Feedback(_) | Field::Expectation(_) => self.matches_assessments(info),
            Field::IssueId => self.matches_any_text(field::issues(info)),
            Field::Experiment => self.matches_text(info.experiment_id.as_deref()),
            Field::Tokens => self.matches_number(info.usage().and_then(|usage| usage.total())),
            Field::InputTokens => {
                self.matches_number(info.usage().and_then(|usage| usage.input_tokens))
            }
            Field::OutputTokens => {
                self.matches_number(info.usage().and_then(|usage| usage.output_tokens))
            }
            Field::Cost => self.matches_fraction(info.cost().and_then(|cost| cost.total())),
            Field::SpanCount => self.matches_number(Some(i64::try_from(spans).unwrap_or(i64::MAX))),
            Field::SpanName
            | Field::SpanType
            | Field::SpanStatus
            | Field::SpanContent
            | Field::SpanAttribute(_)
            | Field::SpanDuration
            | Field::SpanTokens
            | Field::SpanCost
            | Field::SpanError
            | Field::SpanModel
            | Field::Models
            | Field::Error
            | Field::Failed
            | Field::Request
            | Field::Response
            | Field::Assessments
            | Field::Assessment(_)
            | Field::OfAssessment(_) => false,
        }
    }

    fn matches_any_text<'a>(&self, mut actual: impl Iterator<Item = &'a str>) -> bool {
        actual.any(|actual| self.matches_text(Some(actual)))
    }

    fn matches_assessments(&self, info: &TraceInfo) -> bool {
        let mut named = info
            .assessments
            .iter()
            .chain(&info.of_session)
            .filter(|assessment| assessment.valid && self.is_about(assessment));
        match self.comparator {
            Comparator::IsNull => named.next().is_none(),
            Comparator::IsNotNull => named.next().is_some(),
            _ => named.any(|assessment| self.matches_assessment_value(assessment.value())),
        }
    }

    fn is_about(&self, assessment: &Assessment) -> bool {
        match (&self.field, &assessment.kind) {
            (Field::Feedback(name), AssessmentKind::Feedback { .. })
            | (Field::Expectation(name), AssessmentKind::Expectation { .. }) => {
                *name == assessment.name
            }
            _ => false,
        }
    }
}

fn execution_ms(info: &TraceInfo) -> Option<i64> {
    info.execution_duration_ns
        .map(|ns| ns.div_euclid(1_000_000))
}
