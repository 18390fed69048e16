//! Lanes for pictures that show one thing at a time in each row: a span lies in
//! the lane of its parent, on top of it, where it fits within the parent and no
//! sibling is still running there, and else in a lane of its own. So any two
//! spans of a lane are either apart or one within the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{NodeId, SpanTree};

/// Where a span lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The span.
    pub node: NodeId,
    /// Which lane, from 0.
    pub lane: usize,
    /// How many spans of the lane it lies within.
    pub depth: usize,
}

/// The lanes of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lanes {
    /// How many there are.
    pub count: usize,
    /// A slot for each span, by start and then in pre-order.
    pub slots: Vec<Slot>,
}

impl Lanes {
    /// Finds a lane for each span in O(n log n) time, by raw times.
    pub fn of(tree: &SpanTree) -> Self {
        let mut order: Vec<NodeId> = tree.preorder().map(|(id, _)| id).collect();
        order.sort_by_key(|id| tree.node(*id).start_ns);
        let mut placing = Placing {
            tree,
            lane_of: vec![None; tree.len()],
            running: Vec::new(),
            busy: BinaryHeap::new(),
            free: BinaryHeap::new(),
        };
        let slots = order.into_iter().map(|id| placing.place(id)).collect();
        Self {
            count: placing.running.len(),
            slots,
        }
    }
}

struct Placing<'a> {
    tree: &'a SpanTree,
    lane_of: Vec<Option<usize>>,
    /// For each lane the spans that lie on one another, the outermost first. Some may have ended.
    running: Vec<Vec<NodeId>>,
    /// Lanes by the end of their outermost span, within which all others lie.
    busy: BinaryHeap<Reverse<(i64, usize)>>,
    /// Lanes in which nothing runs any more.
    free: BinaryHeap<Reverse<usize>>,
}

impl Placing<'_> {
    fn place(&mut self, id: NodeId) -> Slot {
        let lane = self.lane_of_parent(id).unwrap_or_else(|| self.idle(id));
        let depth = self.running[lane].len();
        self.running[lane].push(id);
        self.lane_of[id.index()] = Some(lane);
        Slot {
            node: id,
            lane,
            depth,
        }
    }

    /// The parent's lane, if the span fits there.
    fn lane_of_parent(&mut self, id: NodeId) -> Option<usize> {
        let node = self.tree.node(id);
        let parent = node.parent?;
        // A parent that starts later has no lane yet.
        let lane = self.lane_of[parent.index()]?;
        let running = &mut self.running[lane];
        while running
            .last()
            .is_some_and(|&top| top != parent && self.tree.node(top).end_ns <= node.start_ns)
        {
            running.pop();
        }
        let fits = running.last() == Some(&parent) && node.end_ns <= self.tree.node(parent).end_ns;
        fits.then_some(lane)
    }

    /// The first lane in which nothing runs, a new one if need be.
    fn idle(&mut self, id: NodeId) -> usize {
        let node = self.tree.node(id);
        while let Some(Reverse((end, lane))) = self.busy.peek().copied()
            && end <= node.start_ns
        {
            self.busy.pop();
            self.free.push(Reverse(lane));
        }
        let Reverse(lane) = self.free.pop().unwrap_or_else(|| {
            self.running.push(Vec::new());
            Reverse(self.running.len() - 1)
        });
        self.running[lane].clear();
        self.busy.push(Reverse((node.end_ns, lane)));
        lane
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::analysis::sample::{span, trace};

    /// A span by name, parent and milliseconds, with the lane and the depth where it belongs.
    type Expected = (&'static str, &'static str, Range<i64>, (usize, usize));

    /// Spans in the order in which they are to be placed.
    fn expect(expected: &[Expected]) {
        // The source has them in another one.
        let spans = expected.iter().rev();
        let trace = trace(spans.map(|(name, parent, ms, _)| span(name, parent, ms.start, ms.end)));
        let tree = SpanTree::build(&trace);
        let lanes = Lanes::of(&tree);
        let placed = lanes.slots.iter().map(|slot| {
            let name = tree.span(slot.node, &trace).name.as_str();
            (name, (slot.lane, slot.depth))
        });
        let expected = expected.iter().map(|(name, .., place)| (*name, *place));
        assert_eq!(placed.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn concurrent_siblings_have_lanes_of_their_own_and_take_their_children_along() {
        expect(&[
            ("root", "", 0..100, (0, 0)),
            ("a", "root", 0..50, (0, 1)),
            ("b", "root", 10..60, (1, 0)),
            ("a1", "a", 20..30, (0, 2)),
            ("b1", "b", 20..30, (1, 1)),
            ("c", "root", 50..90, (0, 1)),
            ("d", "root", 70..95, (1, 0)),
        ]);
    }

    #[test]
    fn what_outlives_or_precedes_its_parent_leaves_its_lane() {
        expect(&[
            ("early", "root", 5..20, (0, 0)),
            ("root", "", 10..100, (1, 0)),
            ("late", "root", 90..120, (0, 0)),
            ("detached", "late", 130..140, (0, 0)),
        ]);
    }

    #[test]
    fn moments_at_the_edge_of_a_parent_stay_with_it() {
        expect(&[
            ("root", "", 0..10, (0, 0)),
            ("first", "root", 0..0, (0, 1)),
            ("last", "root", 10..10, (0, 1)),
            ("in last", "last", 10..10, (0, 2)),
        ]);
    }

    #[test]
    fn no_spans_need_no_lane() {
        let trace = trace([]);
        assert_eq!(Lanes::of(&SpanTree::build(&trace)).count, 0);
    }
}
