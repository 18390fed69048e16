//! Unaccounted time: stretches in which nothing but the root was running.

use super::{NodeId, SpanTree};

/// A stretch of the root (or of the extent) in which no other span runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Nanoseconds since the start of the trace.
    pub start_offset_ns: i64,
    /// Nanoseconds, more than 0.
    pub duration_ns: i64,
    /// The span that ended last before it; the shallowest if several did.
    pub before: Option<NodeId>,
    /// The span that starts right after it; the shallowest if several do.
    pub after: Option<NodeId>,
}

/// All gaps, largest first and then in order of time. The root's descendants
/// count with their recorded times, as do detached spans and orphans: a gap is
/// time about which the trace says nothing.
pub(super) fn gaps(tree: &SpanTree) -> Vec<Gap> {
    let (lo, hi) = tree
        .root()
        .map_or(tree.extent_ns, |id| (tree.origin_ns, tree.node(id).end_ns));
    let mut others: Vec<NodeId> = tree
        .preorder()
        .filter(|&(id, node)| Some(id) != tree.root() && node.duration_ns() > 0)
        .map(|(id, _)| id)
        .collect();
    // Where several start together, the shallowest comes first.
    others.sort_by_key(|&id| (tree.node(id).start_ns, tree.node(id).depth));

    let mut gaps = Vec::new();
    let mut gap = |from: i64, to: i64, before: Option<NodeId>, after: Option<NodeId>| {
        if from < to {
            gaps.push(Gap {
                start_offset_ns: from - tree.origin_ns,
                duration_ns: to - from,
                before,
                after,
            });
        }
    };
    let mut covered_until = lo;
    let mut before: Option<NodeId> = None;
    for id in others {
        let node = tree.node(id);
        if node.start_ns >= hi {
            break;
        }
        gap(covered_until, node.start_ns, before, Some(id));
        let shallower = || before.is_none_or(|b| node.depth < tree.node(b).depth);
        if node.end_ns > covered_until || (node.end_ns == covered_until && shallower()) {
            covered_until = node.end_ns;
            before = Some(id);
        }
    }
    gap(covered_until, hi, before, None);
    gaps.sort_by_key(|g| (std::cmp::Reverse(g.duration_ns), g.start_offset_ns));
    gaps
}

#[cfg(test)]
mod tests {
    use crate::analysis::analyse;
    use crate::analysis::sample::{MS, SpanExt, span, trace};
    use crate::model::Span;

    /// Gaps as `before|from-to|after` in milliseconds.
    fn gaps(spans: impl IntoIterator<Item = Span>) -> Vec<String> {
        let trace = trace(spans);
        let report = analyse(&trace);
        let name = |id: Option<_>| id.map_or("", |id| report.span(id).name.as_str());
        let show = |gap: &super::Gap| {
            let from = gap.start_offset_ns / MS;
            let to = from + gap.duration_ns / MS;
            format!("{}|{from}-{to}|{}", name(gap.before), name(gap.after))
        };
        report.gaps.iter().map(show).collect()
    }

    #[test]
    fn gaps_are_listed_with_their_neighbours_largest_first() {
        let spans = [
            span("root", "", 0, 100),
            span("a", "root", 10, 20),
            span("a1", "a", 12, 20),
            span("b", "root", 50, 80),
            span("b1", "b", 50, 60),
        ];
        assert_eq!(gaps(spans), ["a|20-50|b", "b|80-100|", "|0-10|a"]);
    }

    #[test]
    fn what_runs_anywhere_fills_a_gap() {
        let spans = [
            span("root", "", 0, 100),
            span("a", "root", 0, 10),
            span("outlives", "a", 20, 60),
            span("lost", "gone", 60, 90),
        ];
        assert_eq!(gaps(spans), ["a|10-20|outlives", "lost|90-100|"]);
    }

    #[test]
    fn instants_neither_fill_nor_split_a_gap() {
        let spans = [span("root", "", 0, 100), span("event", "root", 50, 50)];
        assert_eq!(gaps(spans), ["|0-100|"]);
    }

    #[test]
    fn without_a_root_gaps_are_where_nothing_runs() {
        let spans = [
            span("a", "gone", 0, 10),
            span("b", "gone", 30, 40),
            span("c", "gone", 35, 35).unfinished(),
        ];
        assert_eq!(gaps(spans), ["a|10-30|b"]);
    }
}
