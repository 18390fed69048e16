//! Decides whether one span of a trace passes a filter that is about it: its
//! conditions on spans speak of that very span, the others of its trace, and
//! `NOT` is a plain complement.

use std::cell::{Cell, OnceCell};

use super::super::ast::{Expr, Filter, Quantifier};
use super::super::compiled::{SpanView, Test};
use super::assessment::AssessmentMatcher;
use super::{Scene, SpanNode};
use crate::model::{Span, TraceInfo};

/// A filter made ready for single spans of any number of traces.
#[derive(Debug, Clone)]
pub struct SpanMatcher {
    node: Node,
    /// How many of its nodes are about the trace alone.
    memos: usize,
}

#[derive(Debug, Clone)]
enum Node {
    Span(Box<Test>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Trace(usize, Box<Test>),
    Count(usize, Quantifier, Box<SpanNode>),
    Assessed(usize, Box<AssessmentMatcher>),
}

/// A [`SpanMatcher`] with the trace whose spans it decides about. What it finds
/// out about the trace is remembered.
pub struct SpanJudge<'s> {
    matcher: &'s SpanMatcher,
    scene: Scene<'s>,
    memos: Vec<Cell<Option<bool>>>,
}

impl Filter {
    /// Makes the filter ready to decide about single spans.
    pub fn span_matcher(&self) -> SpanMatcher {
        let mut memos = 0;
        let parts = self.effective_conjuncts();
        let node = Node::And(parts.map(|part| Node::new(part, &mut memos)).collect());
        SpanMatcher { node, memos }
    }
}

impl SpanMatcher {
    /// For the spans of this trace.
    pub fn of<'s>(&'s self, info: &'s TraceInfo, spans: &'s [Span]) -> SpanJudge<'s> {
        SpanJudge {
            matcher: self,
            scene: Scene {
                info,
                spans,
                count: spans.len(),
                first_span_start_ns: None,
                views: OnceCell::new(),
            },
            memos: vec![Cell::new(None); self.memos],
        }
    }
}

impl SpanJudge<'_> {
    /// Whether a span of the trace passes.
    pub fn matches(&self, span: &Span) -> bool {
        self.matcher.node.holds(&SpanView::new(span), self)
    }

    fn remembered(&self, memo: usize, find_out: impl FnOnce() -> bool) -> bool {
        self.memos[memo].get().unwrap_or_else(|| {
            let answer = find_out();
            self.memos[memo].set(Some(answer));
            answer
        })
    }
}

impl Node {
    fn new(expr: &Expr, memos: &mut usize) -> Self {
        let mut memo = || {
            *memos += 1;
            *memos - 1
        };
        match expr {
            Expr::Condition(condition) if condition.field.is_span() => {
                Self::Span(Box::new(Test::new(condition)))
            }
            Expr::Condition(condition) => Self::Trace(memo(), Box::new(Test::new(condition))),
            Expr::Spans(test) => {
                Self::Count(memo(), test.quantifier, Box::new(SpanNode::new(&test.expr)))
            }
            Expr::Assessed(test) => Self::Assessed(memo(), Box::new(AssessmentMatcher::new(test))),
            Expr::And(parts) => Self::And(parts.iter().map(|p| Self::new(p, memos)).collect()),
            Expr::Or(parts) => Self::Or(parts.iter().map(|p| Self::new(p, memos)).collect()),
            Expr::Not(inner) => Self::Not(Box::new(Self::new(inner, memos))),
        }
    }

    fn holds(&self, view: &SpanView<'_>, judge: &SpanJudge<'_>) -> bool {
        let scene = &judge.scene;
        match self {
            Self::Span(test) => test.matches_view(view),
            Self::And(parts) => parts.iter().all(|part| part.holds(view, judge)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(view, judge)),
            Self::Not(inner) => !inner.holds(view, judge),
            Self::Trace(memo, test) => {
                judge.remembered(*memo, || test.matches_trace(scene.info, scene.count))
            }
            Self::Assessed(memo, test) => judge.remembered(*memo, || test.holds(scene.info)),
            Self::Count(memo, quantifier, node) => {
                judge.remembered(*memo, || quantifier.holds(node, scene.views()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::parse;
    use super::*;
    use crate::model::{SpanId, StatusCode, TraceState};

    fn span(name: &str, status: StatusCode) -> Span {
        Span {
            span_id: SpanId::new(name),
            parent_id: None,
            trace_id: String::new(),
            name: name.to_owned(),
            start_ns: 1_000_000_000,
            end_ns: Some(2_000_000_000),
            status,
            status_message: String::new(),
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            kind: None,
        }
    }

    fn matching(filter: &str) -> Vec<String> {
        let mut info = TraceInfo::new("tr-1");
        info.state = TraceState::Error;
        let spans = [
            span("a", StatusCode::Ok),
            span("b", StatusCode::Error),
            span("c", StatusCode::Unset),
        ];
        let matcher = parse(filter).unwrap().span_matcher();
        let judge = matcher.of(&info, &spans);
        let found = spans.iter().filter(|span| judge.matches(span));
        found.map(|span| span.name.clone()).collect()
    }

    #[test]
    fn conditions_are_about_the_one_span_and_its_trace() {
        assert_eq!(matching(""), ["a", "b", "c"]);
        assert_eq!(matching("span.name = 'a'"), ["a"]);
        assert_eq!(matching("NOT span.name = 'a'"), ["b", "c"]);
        assert_eq!(
            matching("span.name = 'a' OR span.status = 'ERROR'"),
            ["a", "b"]
        );
        assert_eq!(matching("span.name = 'a' AND status = 'ERROR'"), ["a"]);
        assert!(matching("span.name = 'a' AND status = 'OK'").is_empty());
        assert!(matching("span.name = 'a' AND span.status = 'ERROR'").is_empty());
        assert_eq!(
            matching("spans = 3 AND span.duration >= 1s"),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn quantifiers_are_about_all_spans_of_the_trace() {
        assert_eq!(
            matching("span.name = 'a' AND any(span.status = 'ERROR')"),
            ["a"]
        );
        assert!(matching("span.name = 'a' AND count(span.name LIKE '%') > 3").is_empty());
        assert_eq!(
            matching("NOT (span.name = 'a' OR all(span.status = 'OK'))"),
            ["b", "c"]
        );
    }
}
