//! The critical path: which span the trace was waiting for at every moment.
//!
//! Walking backward from the end, the child that finished last is on the path,
//! then the child that finished last before that one started, and so on; the
//! time in between belongs to the parent, and each child on the path is treated
//! likewise. It is inferred from time alone and claims no causality.
//! After Google's critical path tracing (Eaton et al., ACM Queue 20(1), 2022)
//! and CRISP (Zhang et al., USENIX ATC 2022).

use super::{NodeId, SpanTree};

/// A stretch of time on the critical path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// The span it belongs to; `None` where no span was running, which happens
    /// only when the total is an extent.
    pub node: Option<NodeId>,
    /// Nanoseconds since the start of the trace.
    pub start_offset_ns: i64,
    /// Nanoseconds, more than 0.
    pub duration_ns: i64,
}

/// Some sources round times to milliseconds, so a child may seem to end a
/// little after its successor began; it is on the path nevertheless.
const MAX_TOLERANCE_NS: i64 = 1_000_000;

/// The sections of the critical path in order of time: disjoint, adjacent, and
/// together exactly as long as the trace's total.
///
/// Without exactly one true root there is nothing to walk back from, so the
/// extent takes the part of a root and the roots that of its children. Since the
/// extent is no span that could have been at work itself, it is on the path only
/// where no root runs at all; such sections have no node. To that end a root that
/// ends after a later one began is cut there instead of skipped, and so are those
/// of its descendants that reach beyond the cut. Other than that, they are judged
/// as if nothing had been cut.
pub(super) fn critical_path(tree: &SpanTree) -> Vec<Section> {
    let mut walk = Walk {
        tree,
        candidates: Vec::new(),
        frames: Vec::new(),
        sections: Vec::new(),
    };
    if let Some(id) = tree.root() {
        let root = tree.node(id);
        walk.enter(id, root.start_ns, root.end_ns, i64::MAX);
    } else {
        let roots = tree.roots().map(|(id, _)| id);
        let (lo, hi) = tree.extent_ns;
        walk.push(None, lo, hi, i64::MAX, i64::MAX, roots);
    }
    walk.run();
    let mut sections = walk.sections;
    sections.reverse();
    sections
}

/// A span whose part of the path is being worked out, from the end backward.
struct Frame {
    node: Option<NodeId>,
    /// What is left to attribute: (`lo`, `hi`], in nanoseconds since the epoch.
    lo: i64,
    hi: i64,
    /// Where the root that it is, or lies below, was cut.
    cut: i64,
    tolerance_ns: i64,
    /// Where its children start in `Walk::candidates`.
    first: usize,
    /// The next child to consider.
    next: usize,
}

struct Walk<'a> {
    tree: &'a SpanTree,
    /// The children of all open frames, each frame's together and latest end first.
    candidates: Vec<NodeId>,
    frames: Vec<Frame>,
    /// Latest first.
    sections: Vec<Section>,
}

impl Walk<'_> {
    fn run(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            // Only the innermost frame's children are at the end of the list.
            if let Some(&id) = self
                .candidates
                .get(frame.next)
                .filter(|_| frame.hi > frame.lo)
            {
                frame.next += 1;
                let child = self.tree.node(id);
                let limit = frame.hi.saturating_add(frame.tolerance_ns);
                if child.effective_end_ns.min(frame.cut) > limit
                    || child.effective_start_ns >= frame.hi
                {
                    continue;
                }
                let (node, hi) = (frame.node, frame.hi);
                let end = child.effective_end_ns.min(hi);
                let start = child.effective_start_ns.max(frame.lo);
                let cut = match node {
                    Some(_) => frame.cut,
                    None => end,
                };
                frame.hi = child.effective_start_ns;
                self.emit(node, end, hi);
                self.enter(id, start, end, cut);
            } else {
                let (node, lo, hi) = (frame.node, frame.lo, frame.hi);
                self.candidates.truncate(frame.first);
                self.frames.pop();
                self.emit(node, lo, hi);
            }
        }
    }

    fn enter(&mut self, id: NodeId, lo: i64, hi: i64, cut: i64) {
        let node = self.tree.node(id);
        // Of the span's own length, also where less of it is left to walk.
        let tolerance = (node.effective_ns() / 100).min(MAX_TOLERANCE_NS);
        let children = self.tree.children(id).map(|(child, _)| child);
        self.push(Some(id), lo, hi, cut, tolerance, children);
    }

    fn push(
        &mut self,
        node: Option<NodeId>,
        lo: i64,
        hi: i64,
        cut: i64,
        tolerance_ns: i64,
        children: impl Iterator<Item = NodeId>,
    ) {
        let tree = self.tree;
        let first = self.candidates.len();
        // A child that took no time leaves the path as it is.
        self.candidates
            .extend(children.filter(|&id| tree.node(id).effective_ns() > 0));
        // Siblings lie in order of start and id already, and the sort is stable.
        self.candidates[first..]
            .sort_by_key(|&id| std::cmp::Reverse(tree.node(id).effective_end_ns));
        self.frames.push(Frame {
            node,
            lo,
            hi,
            cut,
            tolerance_ns,
            first,
            next: first,
        });
    }

    /// Attributes (`lo`, `hi`] to a span.
    fn emit(&mut self, node: Option<NodeId>, lo: i64, hi: i64) {
        if lo < hi {
            self.sections.push(Section {
                node,
                start_offset_ns: lo - self.tree.origin_ns,
                duration_ns: hi - lo,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::sample::{MS, SpanExt, span, span_ns, trace};
    use crate::model::Span;

    use super::*;

    /// The path as `name from-to`, in units of `unit` nanoseconds.
    fn path(unit: i64, spans: impl IntoIterator<Item = Span>) -> Vec<String> {
        let trace = trace(spans);
        let tree = SpanTree::build(&trace);
        let show = |s: Section| {
            let name = s.node.map_or("-", |id| tree.span(id, &trace).name.as_str());
            let end = s.start_offset_ns + s.duration_ns;
            format!("{name} {}-{}", s.start_offset_ns / unit, end / unit)
        };
        critical_path(&tree).into_iter().map(show).collect()
    }

    #[test]
    fn sequential_children_leave_the_time_in_between_to_their_parent() {
        let spans = [
            span("root", "", 0, 100),
            span("a", "root", 10, 40),
            span("b", "root", 50, 90),
        ];
        assert_eq!(
            path(MS, spans),
            [
                "root 0-10",
                "a 10-40",
                "root 40-50",
                "b 50-90",
                "root 90-100"
            ]
        );
    }

    #[test]
    fn of_parallel_children_the_one_that_ends_last_is_waited_for() {
        let spans = [
            span("root", "", 0, 100),
            span("fast", "root", 10, 50),
            span("slow", "root", 10, 90),
            span("inner", "slow", 60, 80),
        ];
        assert_eq!(
            path(MS, spans),
            [
                "root 0-10",
                "slow 10-60",
                "inner 60-80",
                "slow 80-90",
                "root 90-100"
            ]
        );
    }

    #[test]
    fn siblings_back_to_back_are_all_on_the_path() {
        let spans = [
            span("root", "", 0, 90),
            span("a", "root", 0, 30),
            span("b", "root", 30, 60),
            span("c", "root", 60, 90),
        ];
        assert_eq!(path(MS, spans), ["a 0-30", "b 30-60", "c 60-90"]);
    }

    #[test]
    fn an_overlap_from_rounding_goes_to_the_later_child() {
        let spans = |end_of_a_ns| {
            [
                span_ns("root", "", 0, 200 * MS),
                span_ns("a", "root", 0, end_of_a_ns),
                span_ns("b", "root", 100 * MS, 200 * MS),
            ]
        };
        assert_eq!(path(MS, spans(101 * MS)), ["a 0-100", "b 100-200"]);
        // One nanosecond more, and the two ran at the same time.
        assert_eq!(path(MS, spans(101 * MS + 1)), ["root 0-100", "b 100-200"]);
    }

    #[test]
    fn the_tolerance_is_one_percent_of_a_short_parent() {
        let spans = |end_of_a_ns| {
            [
                span_ns("root", "", 0, 1_000),
                span_ns("a", "root", 0, end_of_a_ns),
                span_ns("b", "root", 500, 1_000),
            ]
        };
        assert_eq!(path(1, spans(510)), ["a 0-500", "b 500-1000"]);
        assert_eq!(path(1, spans(511)), ["root 0-500", "b 500-1000"]);
    }

    #[test]
    fn a_root_that_is_cut_is_as_tolerant_as_a_whole_one() {
        let a = [
            span("a", "", 0, 100),
            span("p", "a", 20, 50),
            span("q", "a", 40, 60),
        ];
        let whole = ["a 0-40", "q 40-60"];
        assert_eq!(path(MS, a.clone()), [&whole[..], &["a 60-100"]].concat());
        let cut = a.into_iter().chain([span("b", "", 80, 120)]);
        assert_eq!(
            path(MS, cut),
            [&whole[..], &["a 60-80", "b 80-120"]].concat()
        );
    }

    #[test]
    fn detached_children_are_not_on_the_path() {
        let spans = [
            span("root", "", 0, 100),
            span("late", "root", 100, 300),
            span("below", "late", 10, 90),
            span("overhang", "root", 50, 150),
        ];
        assert_eq!(path(MS, spans), ["root 0-50", "overhang 50-100"]);
    }

    #[test]
    fn instantaneous_children_change_nothing() {
        let spans = [
            span("root", "", 0, 100),
            span("a", "root", 20, 60),
            span("event", "root", 40, 40),
            span("end", "root", 100, 100),
        ];
        assert_eq!(path(MS, spans), ["root 0-20", "a 20-60", "root 60-100"]);
    }

    #[test]
    fn without_a_root_the_path_covers_the_extent_and_names_idle_time() {
        let spans = [
            span("a", "gone", 0, 40),
            span("a1", "a", 5, 40),
            span("b", "gone", 30, 60),
            span("c", "gone", 70, 100),
        ];
        assert_eq!(
            path(MS, spans),
            ["a 0-5", "a1 5-30", "b 30-60", "- 60-70", "c 70-100"]
        );
    }

    #[test]
    fn orphans_beside_a_root_are_not_on_its_path() {
        let spans = [span("root", "", 0, 100), span("lost", "gone", 10, 90)];
        assert_eq!(path(MS, spans), ["root 0-100"]);
    }

    #[test]
    fn a_span_in_progress_is_waited_for_until_the_latest_time() {
        let spans = [
            span("root", "", 0, 0).unfinished(),
            span("a", "root", 10, 50),
            span("b", "root", 5, 5).unfinished(),
        ];
        assert_eq!(path(MS, spans), ["root 0-5", "b 5-50"]);
    }

    #[test]
    fn a_trace_without_length_has_an_empty_path() {
        assert!(path(MS, []).is_empty());
        assert!(path(MS, [span("root", "", 5, 5), span("a", "root", 5, 5)]).is_empty());
    }
}
