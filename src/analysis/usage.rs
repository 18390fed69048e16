//! Tokens and cost of a trace. Wrapper spans may repeat what the calls below
//! them used, so going down the tree the first span that holds counts is
//! counted, and its descendants are not.

use std::collections::HashSet;

use crate::messages;
use crate::model::{Cost, RolledUp, Span, TokenUsage, Trace};

use super::{NodeId, SpanTree};

/// A figure that both the trace's metadata and its spans may give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure<T> {
    /// From the trace's own metadata.
    pub from_metadata: Option<T>,
    /// Summed over the spans, nothing counted twice.
    pub from_spans: Option<T>,
    /// Summed over the calls within wrappers, where that is another sum.
    pub from_calls: Option<T>,
    /// Whether metadata and spans are there and disagree.
    pub differs: bool,
}

/// Where a shown figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureSource {
    /// The trace's own metadata.
    Metadata,
    /// The spans.
    Spans,
}

impl<T> Figure<T> {
    /// The one to show: the metadata's, else the spans'.
    pub fn value(&self) -> Option<&T> {
        self.from_metadata.as_ref().or(self.from_spans.as_ref())
    }

    /// Where `value` comes from.
    pub fn source(&self) -> Option<FigureSource> {
        match (&self.from_metadata, &self.from_spans) {
            (Some(_), _) => Some(FigureSource::Metadata),
            (None, Some(_)) => Some(FigureSource::Spans),
            (None, None) => None,
        }
    }
}

/// Tokens and cost of a whole trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsageReport {
    /// Tokens.
    pub tokens: Figure<TokenUsage>,
    /// US dollars.
    pub cost: Figure<Cost>,
}

/// Tokens and cost of a trace, from its metadata and from its spans.
pub fn trace_usage(trace: &Trace, tree: &SpanTree) -> UsageReport {
    let tokens = trace.info.recorded_usage();
    let cost = trace.info.recorded_cost().filter(|c| *c != Cost::default());
    UsageReport {
        tokens: TOKENS.figure(tokens, trace, tree),
        cost: COST.figure(cost, trace, tree),
    }
}

/// What the spans of a trace come to, where no client of MLflow has added them up: a list
/// tells the same of a trace, whatever else its spans are looked at for.
pub fn roll_up(trace: &Trace) -> RolledUp {
    if trace.spans.is_empty() || !trace.info.may_lack_usage() {
        return RolledUp::default();
    }
    let tree = SpanTree::build(trace);
    RolledUp {
        usage: TOKENS.of_topmost(trace, &tree),
        cost: COST.of_topmost(trace, &tree),
    }
}

/// A figure of spans: how it is found, added up and compared. Token counts and cost are
/// looked for separately: a wrapper may hold one of them only.
struct Sum<T> {
    /// In MLflow's words.
    own: fn(&Span) -> Option<T>,
    /// In whatever words. A wrapper gives back what its last call did, so that those of a
    /// vendor count only where no span below has any.
    any: fn(&Span) -> Option<T>,
    plus: fn(&T, &T) -> T,
    differ: fn(&T, &T) -> bool,
}

const TOKENS: Sum<TokenUsage> = Sum {
    own: Span::reported_usage,
    any: messages::used,
    plus: TokenUsage::plus,
    differ: tokens_differ,
};

const COST: Sum<Cost> = Sum {
    own: Span::reported_cost,
    any: Span::reported_cost,
    plus: Cost::plus,
    differ: costs_differ,
};

impl<T: Copy + Default> Sum<T> {
    fn figure(&self, from_metadata: Option<T>, trace: &Trace, tree: &SpanTree) -> Figure<T> {
        let figures = self.figures(trace, tree);
        let of = |id: NodeId| figures[id.index()];
        let topmost = tree.topmost(of);
        let calls = tree.lowest(|id| of(id).is_some());
        // Without wrappers it is the same sum, and exact sums take their time.
        let has_wrappers = calls.iter().ne(topmost.iter().map(|(id, _)| id));
        let from_spans = sum(topmost, trace, tree, self.plus);
        let calls = calls.into_iter().filter(|_| has_wrappers);
        let calls = calls.filter_map(|id| Some((id, of(id)?)));
        let from_calls = sum(calls, trace, tree, self.plus);
        Figure {
            from_metadata,
            from_spans,
            from_calls: from_calls.filter(|_| both(from_spans, from_calls, self.differ)),
            differs: both(from_metadata, from_spans, self.differ),
        }
    }

    /// The sum over every span that has a figure and no ancestor that has one.
    fn of_topmost(&self, trace: &Trace, tree: &SpanTree) -> Option<T> {
        let figures = self.figures(trace, tree);
        let found = tree.topmost(|id| figures[id.index()]);
        sum(found, trace, tree, self.plus)
    }

    /// What each span has, in preorder.
    fn figures(&self, trace: &Trace, tree: &SpanTree) -> Vec<Option<T>> {
        let mut figures = vec![None; tree.len()];
        let mut is_below = vec![false; tree.len()];
        for (id, node) in tree.preorder().rev() {
            let span = tree.span(id, trace);
            let at = id.index();
            figures[at] = if is_below[at] {
                (self.own)(span)
            } else {
                (self.any)(span)
            };
            if let Some(parent) = node.parent {
                is_below[parent.index()] |= is_below[at] || figures[at].is_some();
            }
        }
        figures
    }
}

/// The sum of figures; of spans that tell of the same response the first counts.
fn sum<T: Default>(
    found: impl IntoIterator<Item = (NodeId, T)>,
    trace: &Trace,
    tree: &SpanTree,
    plus: impl Fn(&T, &T) -> T,
) -> Option<T> {
    let mut told = HashSet::new();
    let mut figures = found.into_iter().filter_map(|(id, figure)| {
        let response = tree.span(id, trace).response_id();
        let is_new = response.is_none_or(|response| told.insert(response));
        is_new.then_some(figure)
    });
    let first = figures.next()?;
    Some(figures.fold(plus(&T::default(), &first), |sum, figure| {
        plus(&sum, &figure)
    }))
}

fn both<T>(a: Option<T>, b: Option<T>, differ: impl Fn(&T, &T) -> bool) -> bool {
    a.zip(b).is_some_and(|(a, b)| differ(&a, &b))
}

/// Members that only one side has are no disagreement.
fn tokens_differ(a: &TokenUsage, b: &TokenUsage) -> bool {
    both(a.input_tokens, b.input_tokens, i64::ne)
        || both(a.output_tokens, b.output_tokens, i64::ne)
        || both(a.total(), b.total(), i64::ne)
}

/// Costs are sums of floating point numbers, so the last digits do not count.
fn costs_differ(a: &Cost, b: &Cost) -> bool {
    let differ = |a: &f64, b: &f64| (a - b).abs() > 1e-6 * a.abs().max(b.abs());
    both(a.input_cost, b.input_cost, differ)
        || both(a.output_cost, b.output_cost, differ)
        || both(a.total(), b.total(), differ)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sample::{SpanExt, span, trace};
    use crate::model::{attribute, metadata};

    const SMALL: &str = r#"{"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}"#;
    const LARGE: &str = r#"{"input_tokens": 30, "output_tokens": 5, "total_tokens": 35}"#;

    fn sample() -> Trace {
        trace([
            span("root", "", 0, 100),
            span("wrapper", "root", 0, 50).with(attribute::TOKEN_USAGE, LARGE),
            span("call", "wrapper", 0, 40)
                .with(attribute::TOKEN_USAGE, SMALL)
                .with(attribute::COST, r#"{"total_cost": 0.1}"#),
            span("other", "root", 60, 90)
                .with(attribute::TOKEN_USAGE, SMALL)
                .with(attribute::COST, r#"{"total_cost": 0.2}"#),
            span("empty", "root", 60, 90).with(attribute::TOKEN_USAGE, "{}"),
        ])
    }

    fn usage(trace: &Trace) -> UsageReport {
        trace_usage(trace, &SpanTree::build(trace))
    }

    #[test]
    fn what_a_wrapper_rolled_up_is_counted_once() {
        let report = usage(&sample());
        let tokens = report.tokens.value().unwrap();
        assert_eq!((tokens.input_tokens, tokens.total()), (Some(40), Some(47)));
        assert_eq!(report.tokens.source(), Some(FigureSource::Spans));
        let calls = report.tokens.from_calls.unwrap();
        assert_eq!(calls.total(), Some(24));
        // The wrapper has no cost of its own, so that of the call below it counts.
        let cost = report.cost.value().unwrap().total().unwrap();
        assert!((cost - 0.3).abs() < 1e-9);
    }

    #[test]
    fn the_words_of_a_vendor_count_where_nothing_below_does() {
        let last = r#"{"usage": {"prompt_tokens": 10, "completion_tokens": 2}}"#;
        let call = |id: &str, parent: &str| {
            span(id, parent, 0, 50)
                .typed("LLM")
                .with(attribute::OUTPUTS, last)
        };
        let inner = |id: &str| span(id, "outer", 0, 50).with(attribute::TOKEN_USAGE, SMALL);
        for (spans, total) in [
            (vec![call("outer", "")], 12),
            (
                vec![call("outer", ""), call("a", "outer"), call("b", "outer")],
                24,
            ),
            (vec![call("outer", ""), inner("a"), inner("b")], 24),
            (
                vec![
                    call("outer", "").with(attribute::TOKEN_USAGE, LARGE),
                    inner("a"),
                ],
                35,
            ),
        ] {
            let trace = trace(spans);
            assert_eq!(usage(&trace).tokens.value().unwrap().total(), Some(total));
            assert_eq!(roll_up(&trace).usage.unwrap().total(), Some(total));
        }
    }

    #[test]
    fn two_spans_of_one_response_count_once() {
        let call = |id: &str, response: &str| {
            span(id, "root", 0, 50)
                .with(attribute::TOKEN_USAGE, SMALL)
                .with(attribute::RESPONSE_ID, &format!("\"{response}\""))
        };
        let trace = trace([
            span("root", "", 0, 100),
            call("a", "msg_1"),
            call("b", "msg_1"),
            call("c", "msg_2"),
            call("d", ""),
            call("e", ""),
        ]);
        let total = usage(&trace).tokens.value().unwrap().total();
        assert_eq!(total, Some(4 * 12));
    }

    #[test]
    fn the_metadata_is_preferred_and_compared() {
        let mut trace = sample();
        let metadata = &mut trace.info.metadata;
        metadata.insert(metadata::TOKEN_USAGE.to_owned(), LARGE.to_owned());
        metadata.insert(
            metadata::COST.to_owned(),
            r#"{"total_cost": 0.3}"#.to_owned(),
        );
        let report = usage(&trace);
        assert_eq!(report.tokens.value().unwrap().total(), Some(35));
        assert_eq!(report.tokens.source(), Some(FigureSource::Metadata));
        assert!(report.tokens.differs && !report.cost.differs);
    }

    #[test]
    fn a_trace_without_counts_has_no_figures() {
        const NOTHING: &str = r#"{"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}"#;
        let mut zeros = trace([span("root", "", 0, 1).with(attribute::TOKEN_USAGE, NOTHING)]);
        let metadata = &mut zeros.info.metadata;
        metadata.insert(metadata::TOKEN_USAGE.to_owned(), NOTHING.to_owned());
        assert_eq!(usage(&zeros).tokens.value(), None);
        let report = usage(&trace([span("root", "", 0, 1)]));
        assert_eq!(report.tokens.value(), None);
        assert_eq!(report.cost.source(), None);
        assert!(!report.tokens.differs);
    }
}
