//! From spans as recorded to a [`SpanTree`]: duplicate ids, cycles, missing
//! parents, missing and impossible ends are dealt with here and nowhere else.
//! Every choice is made by time and id, never by position in the source, so that
//! a shuffled trace gives the same tree.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::model::{Span, SpanId, Trace, TraceState};

use super::{Node, NodeId, Place, SpanTree, TotalBasis, Warning};

#[cfg(test)]
mod tests;

/// Times are kept between 1823 and 2116, so that every difference of two of
/// them fits into 64 bits and no sum in the analysis needs to saturate.
const EARLIEST_NS: i64 = -(1 << 62);
const LATEST_NS: i64 = (1 << 62) - 1;

/// Below this, a difference between two clocks or two roundings is not worth a word.
const TOLERANCE_NS: i64 = 1_000_000;

/// A span on its way into the tree.
#[derive(Clone)]
struct Draft {
    /// Index into the trace's spans.
    span: usize,
    /// Index of another draft.
    parent: Option<usize>,
    place: Place,
    start_ns: i64,
    end_ns: i64,
    in_progress: bool,
    negative: bool,
    out_of_range: bool,
}

/// Builds the tree of a trace.
pub(super) fn build(trace: &Trace) -> SpanTree {
    let spans = &trace.spans;
    let mut warnings = Vec::new();
    let mut drafts = sorted(&drafts(spans, &mut warnings), spans);
    end_spans_in_progress(&mut drafts);
    cut_cycles(&mut drafts, spans, &mut warnings);
    let nodes = arrange(&drafts);

    warn_of_broken_spans(&nodes, &drafts, spans, &mut warnings);
    warn_outside_parent(&nodes, spans, &mut warnings);
    let mut tree = measure(nodes, trace);
    compare_with_info(&mut tree, trace, &mut warnings);
    tree.warnings = warnings;
    tree
}

/// One draft per distinct id, the first span with it, with its parent looked up.
fn drafts(spans: &[Span], warnings: &mut Vec<Warning>) -> Vec<Draft> {
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(spans.len());
    let mut drafts: Vec<Draft> = Vec::with_capacity(spans.len());
    let mut duplicates = Tally::default();
    for (index, span) in spans.iter().enumerate() {
        let next = drafts.len();
        if *by_id.entry(span.span_id.as_str()).or_insert(next) == next {
            drafts.push(draft(index, span));
        } else {
            duplicates.add_least(&span.span_id);
        }
    }
    for draft in &mut drafts {
        if let Some(parent_id) = parent_id(&spans[draft.span]) {
            draft.parent = by_id.get(parent_id.as_str()).copied();
            draft.place = match draft.parent {
                Some(_) => Place::Child,
                None => Place::Orphan,
            };
        }
    }
    duplicates.warn(warnings, |count, example| Warning::DuplicateIds {
        count,
        example,
    });
    drafts
}

/// The parent's id; OpenTelemetry also writes "none" as an empty or all-zero id.
fn parent_id(span: &Span) -> Option<&SpanId> {
    span.parent_id
        .as_ref()
        .filter(|id| !matches!(id.as_str(), "" | "0000000000000000"))
}

fn draft(index: usize, span: &Span) -> Draft {
    let start_ns = span.start_ns.clamp(EARLIEST_NS, LATEST_NS);
    // MLflow keeps a missing end of an OTLP span as 0.
    let recorded_end = span.end_ns.filter(|&end| end > 0);
    let end_ns = recorded_end.map_or(start_ns, |end| end.min(LATEST_NS));
    Draft {
        span: index,
        parent: None,
        place: Place::Root,
        start_ns,
        end_ns: end_ns.max(start_ns),
        in_progress: recorded_end.is_none(),
        negative: recorded_end.is_some_and(|end| end < span.start_ns),
        out_of_range: start_ns != span.start_ns || recorded_end.is_some_and(|end| end > LATEST_NS),
    }
}

/// Puts drafts in the order of siblings: by start, then by id.
fn sorted(drafts: &[Draft], spans: &[Span]) -> Vec<Draft> {
    // Starts are copied next to each other: nearly every comparison ends there.
    let mut order: Vec<(i64, usize)> = drafts
        .iter()
        .enumerate()
        .map(|(i, draft)| (draft.start_ns, i))
        .collect();
    order.sort_unstable_by(|a, b| {
        let id = |i: usize| &spans[drafts[i].span].span_id;
        a.0.cmp(&b.0).then_with(|| id(a.1).cmp(id(b.1)))
    });
    let mut rank = vec![0; drafts.len()];
    for (position, &(_, i)) in order.iter().enumerate() {
        rank[i] = position;
    }
    let moved = |&(_, i): &(i64, usize)| Draft {
        parent: drafts[i].parent.map(|p| rank[p]),
        ..drafts[i].clone()
    };
    order.iter().map(moved).collect()
}

/// A span in progress ran at least until the latest time seen anywhere.
fn end_spans_in_progress(drafts: &mut [Draft]) {
    let latest = drafts.iter().map(|d| d.end_ns).max().unwrap_or(0);
    for draft in drafts.iter_mut().filter(|d| d.in_progress) {
        draft.end_ns = latest;
    }
}

/// Makes a root of the earliest span of every cycle.
fn cut_cycles(drafts: &mut [Draft], spans: &[Span], warnings: &mut Vec<Warning>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        OnThisWalk,
        Before,
    }

    let mut seen = vec![Seen::No; drafts.len()];
    let mut cuts: Vec<usize> = Vec::new();
    let mut walk = Vec::new();
    for first in 0..drafts.len() {
        let mut at = Some(first);
        while let Some(i) = at.filter(|&i| seen[i] == Seen::No) {
            seen[i] = Seen::OnThisWalk;
            walk.push(i);
            at = drafts[i].parent;
        }
        if let Some(entry) = at.filter(|&i| seen[i] == Seen::OnThisWalk) {
            let from = walk.iter().position(|&i| i == entry).unwrap_or(0);
            cuts.extend(walk[from..].iter().min());
        }
        for i in walk.drain(..) {
            seen[i] = Seen::Before;
        }
    }
    for &cut in &cuts {
        drafts[cut].parent = None;
        drafts[cut].place = Place::CycleCut;
    }
    if let Some(&first) = cuts.iter().min() {
        warnings.push(Warning::ParentCycles {
            count: cuts.len(),
            example: spans[drafts[first].span].span_id.clone(),
        });
    }
}

/// Lays the drafts out in pre-order and clips every span to its parent.
fn arrange(drafts: &[Draft]) -> Vec<Node> {
    // Children of draft `i` are `children[offsets[i]..offsets[i + 1]]`, in order
    // because the drafts are.
    let mut offsets = vec![0; drafts.len() + 1];
    for parent in drafts.iter().filter_map(|d| d.parent) {
        offsets[parent + 1] += 1;
    }
    for i in 1..offsets.len() {
        offsets[i] += offsets[i - 1];
    }
    let mut filled = offsets.clone();
    let mut children = vec![0; offsets[drafts.len()]];
    let mut roots = Vec::new();
    for (i, draft) in drafts.iter().enumerate() {
        match draft.parent {
            Some(parent) => {
                children[filled[parent]] = i;
                filled[parent] += 1;
            }
            None => roots.push(i),
        }
    }

    let mut nodes: Vec<Node> = Vec::with_capacity(drafts.len());
    let mut waiting: Vec<(usize, Option<NodeId>, bool)> = Vec::new();
    wait(&mut waiting, &roots, None);
    while let Some((i, parent, last_sibling)) = waiting.pop() {
        let id = NodeId(nodes.len());
        nodes.push(place(&drafts[i], parent, last_sibling, &nodes));
        wait(
            &mut waiting,
            &children[offsets[i]..offsets[i + 1]],
            Some(id),
        );
    }
    for i in (0..nodes.len()).rev() {
        if let Some(parent) = nodes[i].parent {
            nodes[parent.0].subtree_len += nodes[i].subtree_len;
        }
    }
    nodes
}

/// Puts siblings on the stack so that the first comes off first.
fn wait(
    waiting: &mut Vec<(usize, Option<NodeId>, bool)>,
    siblings: &[usize],
    parent: Option<NodeId>,
) {
    let with_last = siblings.iter().rev().enumerate();
    waiting.extend(with_last.map(|(from_end, &i)| (i, parent, from_end == 0)));
}

fn place(draft: &Draft, parent: Option<NodeId>, last_sibling: bool, nodes: &[Node]) -> Node {
    let mut node = Node {
        span: draft.span,
        parent,
        place: draft.place,
        depth: 0,
        subtree_len: 1,
        last_sibling,
        start_ns: draft.start_ns,
        end_ns: draft.end_ns,
        effective_start_ns: draft.start_ns,
        effective_end_ns: draft.end_ns,
        in_progress: draft.in_progress,
        detached: false,
    };
    if let Some(parent) = parent.map(|id| &nodes[id.0]) {
        node.depth = parent.depth + 1;
        let start = draft.start_ns.max(parent.effective_start_ns);
        let end = draft.end_ns.min(parent.effective_end_ns);
        // A span that took no time is inside as long as its instant is.
        let instant = draft.start_ns == draft.end_ns;
        node.detached = parent.detached || start > end || (start == end && !instant);
        (node.effective_start_ns, node.effective_end_ns) = if node.detached {
            (draft.start_ns, draft.start_ns)
        } else {
            (start, end)
        };
    }
    node
}

/// Finds the total and what it is the length of.
fn measure(nodes: Vec<Node>, trace: &Trace) -> SpanTree {
    let extent_ns = (
        nodes.iter().map(|n| n.start_ns).min().unwrap_or(0),
        nodes.iter().map(|n| n.end_ns).max().unwrap_or(0),
    );
    // Some sources mark the root by naming itself as its parent.
    let mut true_roots = with_place(&nodes, Place::Root);
    if true_roots.is_empty() {
        true_roots = with_place(&nodes, Place::CycleCut);
    }
    let root = true_roots
        .first()
        .filter(|_| true_roots.len() == 1)
        .copied();
    let root_in_progress = |n: &Node| n.parent.is_none() && n.in_progress;
    let total_in_progress =
        trace.info.state == TraceState::InProgress || nodes.iter().any(root_in_progress);
    let (origin_ns, total_ns, total_basis) = match root {
        Some(id) => {
            let node = &nodes[id.0];
            (node.start_ns, node.duration_ns(), TotalBasis::Root)
        }
        None => (extent_ns.0, extent_ns.1 - extent_ns.0, TotalBasis::Extent),
    };
    SpanTree {
        nodes,
        root,
        extent_ns,
        origin_ns,
        total_ns,
        total_basis,
        total_in_progress,
        server_duration_ns: None,
        warnings: Vec::new(),
        heads: OnceLock::new(),
    }
}

fn with_place(nodes: &[Node], place: Place) -> Vec<NodeId> {
    let has_place = |&i: &usize| nodes[i].place == place;
    (0..nodes.len()).filter(has_place).map(NodeId).collect()
}

fn compare_with_info(tree: &mut SpanTree, trace: &Trace, warnings: &mut Vec<Warning>) {
    let found = tree.len();
    // Without spans there is no total that the server could contradict.
    if found == 0 && trace.info.declared_span_count().unwrap_or(0) == 0 {
        return;
    }
    if let Some(declared) = trace.info.declared_span_count().filter(|&n| n != found) {
        warnings.push(Warning::SpanCount { declared, found });
    }
    let total_ns = tree.total_ns;
    // Servers give a negative duration when a root came without an end.
    let server = trace.info.execution_duration_ns.filter(|&ns| ns >= 0);
    if let Some(server_ns) = server
        && server_ns.abs_diff(total_ns) > TOLERANCE_NS.max(total_ns / 100).unsigned_abs()
    {
        tree.server_duration_ns = Some(server_ns);
        warnings.push(Warning::ServerDuration {
            server_ns,
            total_ns,
        });
    }
}

fn warn_of_broken_spans(
    nodes: &[Node],
    drafts: &[Draft],
    spans: &[Span],
    warnings: &mut Vec<Warning>,
) {
    let mut orphans = Tally::default();
    for node in nodes.iter().filter(|n| n.place == Place::Orphan) {
        orphans.add(&spans[node.span].span_id);
    }
    orphans.warn(warnings, |count, example| Warning::Orphans {
        count,
        example,
    });

    let mut negative = Tally::default();
    let mut out_of_range = Tally::default();
    for draft in drafts {
        let id = &spans[draft.span].span_id;
        if draft.negative {
            negative.add_least(id);
        }
        if draft.out_of_range {
            out_of_range.add_least(id);
        }
    }
    negative.warn(warnings, |count, example| Warning::NegativeDurations {
        count,
        example,
    });
    out_of_range.warn(warnings, |count, example| Warning::TimesOutOfRange {
        count,
        example,
    });
}

/// Compares recorded times, not effective ones; a span in progress has no end to compare.
fn warn_outside_parent(nodes: &[Node], spans: &[Span], warnings: &mut Vec<Warning>) {
    let (mut early, mut late) = (0, 0);
    let mut worst: Option<(i64, usize)> = None;
    for node in nodes.iter().filter(|n| !n.in_progress) {
        let Some(parent) = node.parent.map(|id| &nodes[id.0]) else {
            continue;
        };
        if parent.in_progress {
            continue;
        }
        let too_early = parent.start_ns - node.start_ns;
        let too_late = node.end_ns - parent.end_ns;
        early += usize::from(too_early > TOLERANCE_NS);
        late += usize::from(too_late > TOLERANCE_NS);
        let distance = too_early.max(too_late);
        if distance > worst.map_or(TOLERANCE_NS, |(ns, _)| ns) {
            worst = Some((distance, node.span));
        }
    }
    if let Some((worst_ns, span)) = worst {
        warnings.push(Warning::OutsideParent {
            early,
            late,
            worst_ns,
            example: spans[span].span_id.clone(),
        });
    }
}

/// A count with an example.
#[derive(Default)]
struct Tally<'a> {
    count: usize,
    example: Option<&'a SpanId>,
}

impl<'a> Tally<'a> {
    /// Keeps the first example: for callers that go through the tree in order.
    fn add(&mut self, id: &'a SpanId) {
        self.count += 1;
        self.example.get_or_insert(id);
    }

    /// Keeps the least id: for callers that go through the source in its order.
    fn add_least(&mut self, id: &'a SpanId) {
        self.count += 1;
        self.example = Some(self.example.map_or(id, |least| least.min(id)));
    }

    fn warn(self, warnings: &mut Vec<Warning>, make: impl FnOnce(usize, SpanId) -> Warning) {
        if let Some(example) = self.example {
            warnings.push(make(self.count, example.clone()));
        }
    }
}
