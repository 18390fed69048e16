//! Self time: how long a span ran while none of its direct children did.

use super::SpanTree;

/// Self time in nanoseconds per node: the effective interval less the union of
/// the children's, by a sweep over the children in order of their start.
pub(super) fn self_times(tree: &SpanTree) -> Vec<i64> {
    within(tree, i64::MIN, i64::MAX)
}

/// Self time of all spans within the time that the total is the length of: spans
/// beside the one root may lie outside of it.
pub(super) fn self_sum_within_total(tree: &SpanTree) -> i64 {
    let end = tree.origin_ns.saturating_add(tree.total_ns);
    let self_ns = within(tree, tree.origin_ns, end);
    self_ns.into_iter().fold(0, i64::saturating_add)
}

/// Self times of what lies between two times.
fn within(tree: &SpanTree, lo: i64, hi: i64) -> Vec<i64> {
    let cut = |ns: i64| ns.clamp(lo, hi);
    // Pre-order visits siblings by start, and clipping them to the parent keeps
    // that order, so one pass with one watermark per parent is the whole sweep.
    let nodes = tree.nodes.iter();
    let mut self_ns: Vec<i64> = nodes
        .map(|node| cut(node.effective_end_ns) - cut(node.effective_start_ns))
        .collect();
    let mut covered_until = vec![i64::MIN; tree.len()];
    for node in tree.nodes.iter().filter(|n| !n.detached) {
        if let Some(parent) = node.parent {
            let covered = &mut covered_until[parent.0];
            let from = cut(node.effective_start_ns).max(*covered);
            let to = cut(node.effective_end_ns);
            if to > from {
                self_ns[parent.0] -= to - from;
                *covered = to;
            }
        }
    }
    self_ns
}

#[cfg(test)]
mod tests {
    use crate::analysis::analyse;
    use crate::analysis::sample::{MS, SpanExt, span, trace};
    use crate::model::Span;

    /// Self times in milliseconds, in pre-order.
    fn self_ms(spans: impl IntoIterator<Item = Span>) -> Vec<(String, i64)> {
        let trace = trace(spans);
        let report = analyse(&trace);
        let own = |(id, _)| (report.span(id).name.clone(), report.self_ns(id) / MS);
        report.nodes().map(own).collect()
    }

    fn expect(spans: impl IntoIterator<Item = Span>, expected: &[(&str, i64)]) {
        let found = self_ms(spans);
        let found: Vec<_> = found.iter().map(|(n, ms)| (n.as_str(), *ms)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn overlapping_children_are_subtracted_once() {
        let spans = [
            span("root", "", 0, 100),
            span("a", "root", 10, 50),
            span("b", "root", 20, 30),
            span("c", "root", 40, 70),
        ];
        expect(spans, &[("root", 40), ("a", 40), ("b", 10), ("c", 30)]);
    }

    #[test]
    fn children_are_cut_to_all_their_ancestors() {
        let spans = [
            span("root", "", 0, 100),
            span("a", "root", 80, 150),
            span("b", "a", 70, 140),
        ];
        expect(spans, &[("root", 80), ("a", 0), ("b", 20)]);
    }

    #[test]
    fn detached_spans_and_what_is_below_them_have_none() {
        let spans = [
            span("root", "", 0, 100),
            span("late", "root", 120, 200),
            span("below", "late", 0, 150),
        ];
        expect(spans, &[("root", 100), ("late", 0), ("below", 0)]);
    }

    #[test]
    fn orphans_are_measured_by_their_own_interval() {
        let spans = [
            span("root", "", 0, 100),
            span("lost", "gone", 50, 150),
            span("a", "lost", 60, 160),
        ];
        expect(spans, &[("root", 100), ("lost", 10), ("a", 90)]);
    }

    #[test]
    fn concurrency_is_work_over_time() {
        let trace = trace([
            span("root", "", 0, 100),
            span("a", "root", 0, 100),
            span("b", "root", 0, 80),
            span("c", "root", 0, 0).unfinished(),
        ]);
        let report = analyse(&trace);
        assert_eq!(report.self_sum_ns, 280 * MS);
        assert_eq!(report.concurrency, Some(2.8));
    }

    #[test]
    fn concurrency_counts_what_lies_within_the_total() {
        let trace = trace([
            span("root", "", 0, 100),
            span("lost", "gone", 50, 150),
            span("below", "lost", 120, 140),
            span("earlier", "gone too", -50, 10),
        ]);
        let report = analyse(&trace);
        assert_eq!(report.self_sum_ns, 260 * MS);
        assert_eq!(report.concurrency, Some(1.6));
    }
}
