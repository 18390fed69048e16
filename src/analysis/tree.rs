//! The spans of a trace as a tree that can be relied on: every span has a place,
//! every interval has an end that is not before its start, and nothing depends
//! on the order in which the source listed the spans. Nodes lie in pre-order, so
//! that a subtree is a range, a parent comes before its children, and no walk
//! needs recursion.

use std::ops::Range;
use std::sync::OnceLock;

use crate::model::{Span, StatusCode, Trace, TraceState};

use super::Warning;
use super::group::{MAX_PATH_NAMES, PATH_HEAD_NAMES};

/// A node of a [`SpanTree`]: its position in pre-order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) usize);

impl NodeId {
    /// The position in pre-order, which is also the index into per-node results.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// How a node hangs in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Below its parent.
    Child,
    /// It names no parent.
    Root,
    /// It names a parent that is not in the trace.
    Orphan,
    /// Its edge to its parent closed a cycle and was cut.
    CycleCut,
}

/// One span in the tree. Times are nanoseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Index into the trace's spans.
    pub span: usize,
    /// `None` for every kind of root.
    pub parent: Option<NodeId>,
    /// Whether it is a root, and of which kind.
    pub place: Place,
    /// 0 for roots.
    pub depth: usize,
    /// Nodes of the subtree, this one included.
    pub subtree_len: usize,
    /// Whether no sibling (for roots: no root) follows.
    pub last_sibling: bool,
    /// As recorded.
    pub start_ns: i64,
    /// As recorded; the latest time of the trace while in progress; never before the start.
    pub end_ns: i64,
    /// Start of the part that lies within all ancestors; equals the end when detached.
    pub effective_start_ns: i64,
    /// End of the part that lies within all ancestors.
    pub effective_end_ns: i64,
    /// It has no end: the duration is a lower bound.
    pub in_progress: bool,
    /// It, or an ancestor, has no time in common with its parent. It takes no
    /// part in self time and the critical path.
    pub detached: bool,
}

impl Node {
    /// The raw duration in nanoseconds, 0 or more: the one to show.
    pub const fn duration_ns(&self) -> i64 {
        self.end_ns - self.start_ns
    }

    /// The length in nanoseconds of the part that lies within all ancestors; 0 when detached.
    pub const fn effective_ns(&self) -> i64 {
        self.effective_end_ns - self.effective_start_ns
    }
}

/// What the total of a trace is the length of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalBasis {
    /// The one true root.
    Root,
    /// The time from the earliest start to the latest end.
    Extent,
}

impl TotalBasis {
    /// `root` or `extent`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Extent => "extent",
        }
    }
}

/// What can be said of the time of a trace, in the same words everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has ended, and its spans tell where its time went.
    Ended,
    /// Its state says so, or it has spans and a root of them has not ended.
    InProgress,
    /// It has ended and has no spans: nothing is known but what was recorded with it.
    WithoutSpans,
}

impl Standing {
    /// Of a trace with all the spans that it has.
    pub fn of(trace: &Trace) -> Self {
        let unended = |span: &Span| span.end_ns.is_none_or(|end| end <= 0);
        if trace.info.state == TraceState::InProgress {
            Self::InProgress
        } else if trace.spans.is_empty() {
            Self::WithoutSpans
        } else if trace.spans.iter().any(unended) {
            SpanTree::build(trace).standing()
        } else {
            Self::Ended
        }
    }
}

/// The spans of one trace in pre-order, siblings (and roots) by start and then id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanTree {
    pub(super) nodes: Vec<Node>,
    /// The true root, where there is exactly one.
    pub(super) root: Option<NodeId>,
    /// Earliest start and latest end of all spans in nanoseconds; 0 and 0 without spans.
    pub extent_ns: (i64, i64),
    /// Where offsets count from, in nanoseconds since the Unix epoch: the start
    /// of the true root, else the earliest start.
    pub origin_ns: i64,
    /// The trace's total in nanoseconds.
    pub total_ns: i64,
    /// What the total is the length of.
    pub total_basis: TotalBasis,
    /// The trace is in progress: its state says so, or a root has not ended. The
    /// total can only grow.
    pub total_in_progress: bool,
    /// The server's own duration in nanoseconds, only where it differs from the
    /// total by more than 1 ms and 1 %.
    pub server_duration_ns: Option<i64>,
    /// What is odd about the trace, at most one per kind.
    pub warnings: Vec<Warning>,
    /// Of each node, the ancestor at which the start of a shortened path ends. To walk
    /// up to it from each node of a very deep trace would take the square of its depth.
    pub(super) heads: OnceLock<Vec<NodeId>>,
}

impl SpanTree {
    /// Builds the tree in O(n log n) time without recursion.
    pub fn build(trace: &Trace) -> Self {
        super::tree_build::build(trace)
    }

    /// How many spans there are, duplicates left out.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no spans.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// What can be said of the trace's time.
    pub fn standing(&self) -> Standing {
        match (self.total_in_progress, self.is_empty()) {
            (true, _) => Standing::InProgress,
            (false, true) => Standing::WithoutSpans,
            (false, false) => Standing::Ended,
        }
    }

    /// A node by id.
    ///
    /// # Panics
    /// When the id belongs to a larger tree.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// All nodes in pre-order. `Node::depth`, `Node::last_sibling` and [`Guides`]
    /// are what drawing the tree needs.
    pub fn preorder(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i), n))
    }

    /// The one true root, when the total is its duration.
    pub fn root(&self) -> Option<NodeId> {
        self.root
    }

    /// Roots of every kind, in order.
    pub fn roots(&self) -> Siblings<'_> {
        Siblings {
            tree: self,
            rest: 0..self.nodes.len(),
        }
    }

    /// Direct children, in order.
    pub fn children(&self, id: NodeId) -> Siblings<'_> {
        Siblings {
            tree: self,
            rest: id.0 + 1..self.subtree(id).end,
        }
    }

    /// The positions of a node and all its descendants.
    pub fn subtree(&self, id: NodeId) -> Range<usize> {
        id.0..id.0 + self.nodes[id.0].subtree_len
    }

    /// What is found at nodes above which nothing is found, in preorder.
    pub fn topmost<T>(&self, find: impl Fn(NodeId) -> Option<T>) -> Vec<(NodeId, T)> {
        let mut found = Vec::new();
        let mut next = 0;
        while next < self.len() {
            let id = NodeId(next);
            next = match find(id) {
                Some(one) => {
                    found.push((id, one));
                    self.subtree(id).end
                }
                None => next + 1,
            };
        }
        found
    }

    /// The nodes of which something is true and of none below them, in preorder.
    pub fn lowest(&self, is_one: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let mut before = Vec::with_capacity(self.len() + 1);
        before.push(0_usize);
        for (id, _) in self.preorder() {
            before.push(before[id.index()] + usize::from(is_one(id)));
        }
        let nodes = self.preorder().map(|(id, _)| id);
        let lowest = nodes.filter(|id| {
            let (at, end) = (id.index(), self.subtree(*id).end);
            before[at] < before[at + 1] && before[at + 1] == before[end]
        });
        lowest.collect()
    }

    /// The nodes in which failures began: those that failed, and none below them. The one
    /// that the trace is called failed by is the first, the others follow by their start.
    pub fn failure_origins(&self, trace: &Trace) -> Vec<NodeId> {
        let span = |id: NodeId| self.span(id, trace);
        let mut origins = self.lowest(|id| span(id).status == StatusCode::Error);
        if let Some(first) = crate::field::first_failed(&trace.spans) {
            origins.sort_by_key(|id| (!std::ptr::eq(span(*id), first), span(*id).start_ns));
        }
        origins
    }

    /// The span of a node; `trace` is the one that the tree was built from.
    pub fn span<'t>(&self, id: NodeId, trace: &'t Trace) -> &'t Span {
        &trace.spans[self.node(id).span]
    }

    /// Start relative to the trace's in nanoseconds; negative for an orphan
    /// that started before the root.
    pub fn start_offset_ns(&self, id: NodeId) -> i64 {
        self.node(id).start_ns.saturating_sub(self.origin_ns)
    }

    /// At most `most` names down to the node, in their order.
    fn names_to<'t>(&self, id: NodeId, most: usize, trace: &'t Trace) -> Vec<&'t str> {
        let upwards = std::iter::successors(Some(id), |id| self.node(*id).parent);
        let names = upwards.map(|id| self.span(id, trace).name.as_str());
        let mut names: Vec<&str> = names.take(most).collect();
        names.reverse();
        names
    }

    /// The last of the names that are kept at the start of a shortened path.
    fn head(&self, id: NodeId) -> NodeId {
        let heads = self.heads.get_or_init(|| {
            let mut heads: Vec<NodeId> = Vec::with_capacity(self.nodes.len());
            for (at, node) in self.nodes.iter().enumerate() {
                heads.push(match node.parent {
                    Some(parent) if node.depth >= PATH_HEAD_NAMES => heads[parent.0],
                    _ => NodeId(at),
                });
            }
            heads
        });
        heads[id.0]
    }
}

impl SpanTree {
    /// The path joined by ` > `, as rows by path are called: very deep ones have
    /// their middle left out.
    pub fn path_text(&self, id: NodeId, trace: &Trace) -> String {
        let length = self.node(id).depth + 1;
        if length <= MAX_PATH_NAMES {
            return self.names_to(id, MAX_PATH_NAMES, trace).join(" > ");
        }
        let gap = format!("({} more)", length - MAX_PATH_NAMES);
        let mut names = self.names_to(self.head(id), PATH_HEAD_NAMES, trace);
        names.push(&gap);
        names.extend(self.names_to(id, MAX_PATH_NAMES - PATH_HEAD_NAMES, trace));
        names.join(" > ")
    }
}

/// Siblings in order: by start, then by id.
#[derive(Debug, Clone)]
pub struct Siblings<'a> {
    tree: &'a SpanTree,
    rest: Range<usize>,
}

impl<'a> Iterator for Siblings<'a> {
    type Item = (NodeId, &'a Node);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.rest.start;
        let node = &self.tree.nodes[at];
        self.rest.start += node.subtree_len;
        Some((NodeId(at), node))
    }
}

/// Which vertical lines to draw left of a row of the tree.
#[derive(Debug, Clone, Default)]
pub struct Guides {
    last: Vec<bool>,
}

impl Guides {
    /// Moves on to the next node in pre-order (subtrees may be skipped) and
    /// gives, for each depth from 0 down to the node's own, whether the ancestor
    /// at that depth (the node itself at the end) is the last of its siblings.
    pub fn enter(&mut self, node: &Node) -> &[bool] {
        self.last.truncate(node.depth);
        self.last.push(node.last_sibling);
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sample::{span, trace};

    #[test]
    fn guides_tell_which_ancestors_have_more_to_come() {
        let trace = trace([
            span("root", "", 0, 9),
            span("a", "root", 1, 9),
            span("a1", "a", 1, 9),
            span("b", "root", 2, 9),
            span("b1", "b", 2, 9),
            span("b2", "b", 3, 9),
        ]);
        let tree = SpanTree::build(&trace);
        let mut guides = Guides::default();
        let drawn: Vec<String> = tree
            .preorder()
            .map(|(id, node)| {
                let last = guides.enter(node).iter().skip(1);
                let lines: String = last.map(|&last| if last { '└' } else { '├' }).collect();
                format!("{lines}{}", tree.span(id, &trace).name)
            })
            .collect();
        assert_eq!(drawn, ["root", "├a", "├└a1", "└b", "└├b1", "└└b2"]);
    }

    #[test]
    fn a_path_runs_from_the_root_to_the_node() {
        let trace = trace([
            span("root", "", 0, 9),
            span("a", "root", 1, 9),
            span("a1", "a", 1, 9),
        ]);
        let tree = SpanTree::build(&trace);
        let (last, _) = tree.preorder().next_back().unwrap();
        assert_eq!(tree.path_text(last, &trace), "root > a > a1");
        assert_eq!(tree.children(NodeId(0)).count(), 1);
        assert_eq!(tree.subtree(NodeId(1)), 1..3);
    }

    #[test]
    fn a_long_path_keeps_its_start_and_its_end() {
        let chain = |number: i64| {
            let parent = (number > 0).then(|| format!("s{}", number - 1));
            let end = 1_000 - number;
            span(
                &format!("s{number}"),
                &parent.unwrap_or_default(),
                number,
                end,
            )
        };
        // Beside it, a branch that leaves the chain near its start.
        let branch = span("branch", "s1", 500, 600);
        let trace = trace((0..30).map(chain).chain([branch]));
        let tree = SpanTree::build(&trace);
        let path = |name: &str| {
            let mut all = tree.preorder().map(|(id, _)| id);
            let id = all.find(|id| tree.span(*id, &trace).name == name).unwrap();
            tree.path_text(id, &trace)
        };
        let whole: Vec<String> = (0..24).map(|n| format!("s{n}")).collect();
        assert_eq!(path("s23"), whole.join(" > "));
        let tail: Vec<String> = (9..30).map(|n| format!("s{n}")).collect();
        let expected = format!("s0 > s1 > s2 > (6 more) > {}", tail.join(" > "));
        assert_eq!(path("s29"), expected);
        assert_eq!(path("branch"), "s0 > s1 > branch");
    }
}
