//! Everything about the time of one trace, computed together.

use crate::model::{Cost, Span, TokenUsage, Trace};

use super::critical_path::critical_path;
use super::gaps::gaps;
use super::self_time::{self_sum_within_total, self_times};
use super::{
    Aggregation, By, Gap, Node, NodeId, Row, Section, Sort, SpanTree, Unit, UsageReport, Warning,
};

/// The latency analysis of one trace. Durations are nanoseconds.
#[derive(Debug, Clone)]
pub struct LatencyReport<'a> {
    /// The trace itself; nothing of it is copied.
    pub trace: &'a Trace,
    /// Its spans, normalised, with the total, its basis and the warnings.
    pub tree: SpanTree,
    /// Self time per node, by [`NodeId::index`]; 0 for detached spans.
    pub self_ns: Vec<i64>,
    /// Time on the critical path per node, by [`NodeId::index`].
    pub critical_ns: Vec<i64>,
    /// The critical path in order of time. The sections are disjoint and add up
    /// to the total exactly.
    pub sections: Vec<Section>,
    /// The part of the total in which no root was running; 0 when the total is a root's.
    pub no_span_ns: i64,
    /// Stretches in which nothing but the root was running, largest first.
    pub gaps: Vec<Gap>,
    /// The sum of the gaps.
    pub unaccounted_ns: i64,
    /// Σ self time over all spans.
    pub self_sum_ns: i64,
    /// Σ self / total, of what lies within the total: above 1 when spans ran at the
    /// same time; `None` for a total of 0.
    pub concurrency: Option<f64>,
}

/// Analyses a trace: O(n log n) in its spans, whatever its shape.
pub fn analyse(trace: &Trace) -> LatencyReport<'_> {
    let tree = SpanTree::build(trace);
    let self_ns = self_times(&tree);
    let sections = critical_path(&tree);
    let gaps = gaps(&tree);

    let mut critical_ns = vec![0; tree.len()];
    let mut no_span_ns = 0;
    for section in &sections {
        match section.node {
            Some(id) => critical_ns[id.index()] += section.duration_ns,
            None => no_span_ns += section.duration_ns,
        }
    }
    let self_sum_ns = self_ns.iter().copied().fold(0, i64::saturating_add);
    let is_within = tree
        .root()
        .is_none_or(|id| tree.subtree(id).len() == tree.len());
    let self_sum_within = if is_within {
        self_sum_ns
    } else {
        self_sum_within_total(&tree)
    };
    LatencyReport {
        trace,
        self_ns,
        critical_ns,
        sections,
        no_span_ns,
        unaccounted_ns: gaps.iter().map(|gap| gap.duration_ns).sum(),
        gaps,
        self_sum_ns,
        concurrency: super::ratio(self_sum_within, tree.total_ns),
        tree,
    }
}

impl<'a> LatencyReport<'a> {
    /// The trace's total.
    pub fn total_ns(&self) -> i64 {
        self.tree.total_ns
    }

    /// What is odd about the trace.
    pub fn warnings(&self) -> &[Warning] {
        &self.tree.warnings
    }

    /// All nodes in pre-order.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.tree.preorder()
    }

    /// The span of a node.
    pub fn span(&self, id: NodeId) -> &'a Span {
        self.tree.span(id, self.trace)
    }

    /// Self time of a node.
    pub fn self_ns(&self, id: NodeId) -> i64 {
        self.self_ns[id.0]
    }

    /// Time of a node on the critical path.
    pub fn critical_ns(&self, id: NodeId) -> i64 {
        self.critical_ns[id.0]
    }

    /// Any time as a share of the total; `None` for a total of 0.
    pub fn ratio(&self, ns: i64) -> Option<f64> {
        super::ratio(ns, self.tree.total_ns)
    }

    /// Token counts that a node's span reports, possibly those of its descendants.
    pub fn tokens(&self, id: NodeId) -> Option<TokenUsage> {
        crate::messages::used(self.span(id))
    }

    /// Cost that a node's span reports, possibly that of its descendants.
    pub fn cost(&self, id: NodeId) -> Option<Cost> {
        self.span(id).reported_cost()
    }

    /// Tokens and cost of the whole trace.
    pub fn usage(&self) -> UsageReport {
        super::trace_usage(self.trace, &self.tree)
    }

    /// The longest span of one of its rows: the only one, of rows by span; `None`
    /// for time without a span.
    pub fn longest(&self, row: &Row) -> Option<&'a Span> {
        row.slowest.map(|occurrence| self.span(occurrence.node))
    }

    /// The spans summed up, one sample per span.
    pub fn rows(&self, by: By, sort: Sort) -> Vec<Row> {
        let mut aggregation = Aggregation::new(by, Unit::Call);
        aggregation.add(self);
        aggregation.into_rows(sort)
    }
}
