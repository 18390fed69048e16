use super::*;
use crate::analysis::sample::{EPOCH_NS, MS, SpanExt, span, span_ns, trace};
use crate::model::metadata;

fn tree(spans: impl IntoIterator<Item = Span>) -> SpanTree {
    build(&trace(spans))
}

fn warnings(tree: &SpanTree) -> Vec<String> {
    tree.warnings.iter().map(Warning::to_string).collect()
}

/// Ids in pre-order, indented by depth.
fn outline(trace: &Trace) -> String {
    let tree = build(trace);
    let mut text = String::new();
    for (id, node) in tree.preorder() {
        text += &".".repeat(node.depth);
        text += tree.span(id, trace).span_id.as_str();
        text.push(' ');
    }
    text
}

#[test]
fn siblings_are_ordered_by_start_and_then_by_id() {
    let trace = trace([
        span("late", "root", 5, 6),
        span("b", "root", 1, 4),
        span("c", "b", 1, 2),
        span("a", "root", 1, 2),
        span("root", "", 0, 10),
    ]);
    assert_eq!(outline(&trace), "root .a .b ..c .late ");
}

#[test]
fn one_true_root_gives_the_total_whatever_else_there_is() {
    let tree = tree([span("root", "", 10, 60), span("lost", "gone", 0, 100)]);
    assert_eq!(tree.total_basis, TotalBasis::Root);
    assert_eq!(tree.total_ns, 50 * MS);
    assert_eq!(tree.extent_ns, (EPOCH_NS, EPOCH_NS + 100 * MS));
    let offsets: Vec<_> = tree
        .roots()
        .map(|(id, node)| (node.place, tree.start_offset_ns(id) / MS))
        .collect();
    assert_eq!(offsets, [(Place::Orphan, -10), (Place::Root, 0)]);
    assert_eq!(
        warnings(&tree),
        ["the parent of `lost` is not in the trace"]
    );
}

#[test]
fn several_roots_or_none_give_the_extent() {
    for (first, second) in [("", ""), ("gone", "gone")] {
        let tree = tree([span("a", first, 10, 20), span("b", second, 15, 60)]);
        assert_eq!(tree.total_basis, TotalBasis::Extent);
        assert_eq!((tree.root(), tree.total_ns), (None, 50 * MS));
        assert_eq!(tree.origin_ns, EPOCH_NS + 10 * MS);
    }
    let empty = tree([]);
    assert_eq!((empty.total_ns, empty.total_basis), (0, TotalBasis::Extent));
    assert!(empty.is_empty() && empty.warnings.is_empty());
}

#[test]
fn an_empty_or_all_zero_parent_id_is_no_parent() {
    for parent in ["", "0000000000000000"] {
        let mut root = span("root", "", 0, 10);
        root.parent_id = Some(SpanId::new(parent));
        assert_eq!(tree([root]).total_basis, TotalBasis::Root);
    }
}

#[test]
fn of_spans_with_one_id_the_first_is_kept() {
    let tree = tree([
        span("root", "", 0, 100),
        span("a", "root", 0, 10),
        span("a", "root", 0, 90),
        span("a", "gone", 0, 500),
    ]);
    assert_eq!(tree.len(), 2);
    assert_eq!(tree.node(NodeId(1)).duration_ns(), 10 * MS);
    assert_eq!(
        warnings(&tree),
        ["2 spans with the id of an earlier span were left out, for example `a`"]
    );
}

#[test]
fn a_cycle_is_cut_at_its_earliest_span() {
    let trace = trace([
        span("root", "", 0, 100),
        span("x", "z", 40, 60),
        span("y", "x", 20, 60),
        span("z", "y", 40, 60),
        span("below", "z", 10, 42).unfinished(),
        span("self", "self", 70, 80),
    ]);
    assert_eq!(outline(&trace), "root y .z ..below ..x self ");
    let tree = build(&trace);
    assert_eq!(tree.total_basis, TotalBasis::Root);
    assert_eq!(
        warnings(&tree),
        ["the parents form 2 cycles, which were cut, for example at `y`"]
    );
}

#[test]
fn a_root_that_names_itself_as_its_parent_is_the_root() {
    let tree = tree([span("root", "root", 0, 100), span("a", "root", 10, 20)]);
    assert_eq!(tree.total_basis, TotalBasis::Root);
    assert_eq!(tree.root(), Some(NodeId(0)));
    assert_eq!(
        warnings(&tree),
        ["the parents form a cycle, which was cut at `root`"]
    );
}

#[test]
fn spans_in_progress_last_until_the_latest_time() {
    for end in [None, Some(0), Some(-7)] {
        let mut root = span("root", "", 0, 0);
        root.end_ns = end;
        let tree = tree([root, span("a", "root", 10, 70), span("b", "root", 80, 75)]);
        let root = tree.node(NodeId(0));
        assert!(root.in_progress && tree.total_in_progress);
        assert_eq!(tree.total_ns, 80 * MS);
        assert_eq!(
            warnings(&tree),
            ["`b` ends before it starts and counts as lasting 0 ns"]
        );
    }
}

#[test]
fn the_extent_of_a_trace_in_progress_is_a_lower_bound() {
    let mut trace = trace([span("a", "gone", 0, 10)]);
    assert!(!build(&trace).total_in_progress);
    trace.info.state = TraceState::InProgress;
    assert!(build(&trace).total_in_progress);
}

#[test]
fn a_child_without_time_in_common_with_its_parent_is_detached() {
    let detached = |from, to| {
        let tree = tree([span("root", "", 10, 20), span("a", "root", from, to)]);
        let node = tree.node(NodeId(1));
        assert_eq!(node.duration_ns(), (to - from) * MS);
        node.detached
    };
    assert!(detached(20, 30) && detached(25, 30) && detached(0, 10) && detached(21, 21));
    assert!(!detached(19, 30) && !detached(0, 11) && !detached(20, 20) && !detached(10, 10));
}

#[test]
fn what_is_below_a_detached_span_is_detached() {
    let tree = tree([
        span("root", "", 0, 10),
        span("late", "root", 20, 30),
        span("below", "late", 5, 8),
    ]);
    assert!(tree.node(NodeId(2)).detached);
    assert_eq!(tree.node(NodeId(2)).effective_ns(), 0);
}

#[test]
fn times_that_no_clock_gives_are_moved_into_range() {
    let mut root = span_ns("root", "", 0, 0);
    (root.start_ns, root.end_ns) = (i64::MIN, Some(i64::MAX));
    let tree = tree([root]);
    assert_eq!(tree.total_ns, i64::MAX);
    assert_eq!(
        warnings(&tree),
        ["`root` has a time outside the years 1823 to 2116, which was moved to that range"]
    );
}

#[test]
fn children_outside_their_parent_are_reported_beyond_a_millisecond() {
    let spans = |extra_ns| {
        [
            span("root", "", 10, 20),
            span_ns("a", "root", 9 * MS - extra_ns, 15 * MS),
            span_ns("b", "root", 12 * MS, 21 * MS + extra_ns),
            span("open", "root", 5, 6).unfinished(),
        ]
    };
    assert!(tree(spans(0)).warnings.is_empty());
    assert_eq!(
        warnings(&tree(spans(MS))),
        [
            "1 span starts before and 1 span ends after their parent, by up to 2 ms at `a`: \
             background work, or clocks that disagree"
        ]
    );
}

#[test]
fn the_span_count_is_compared_with_the_metadata() {
    let mut trace = trace([span("root", "", 0, 10)]);
    let mut declare = |n: usize| {
        let stats = format!(r#"{{"total_size_bytes": 9, "num_spans": {n}}}"#);
        let metadata = &mut trace.info.metadata;
        metadata.insert(metadata::SIZE_STATS.to_owned(), stats);
        warnings(&build(&trace))
    };
    assert!(declare(1).is_empty());
    assert_eq!(
        declare(3),
        ["the trace's metadata speaks of 3 spans, but 1 is here"]
    );
}

#[test]
fn the_servers_duration_is_compared_with_the_total() {
    let server = |total_ms, server_ns| {
        let mut trace = trace([span("root", "", 0, total_ms)]);
        trace.info.execution_duration_ns = Some(server_ns);
        let tree = build(&trace);
        assert_eq!(
            tree.warnings.len(),
            usize::from(tree.server_duration_ns.is_some())
        );
        tree.server_duration_ns
    };
    assert_eq!(server(10, 11 * MS), None);
    assert_eq!(server(10, 11 * MS + 1), Some(11 * MS + 1));
    assert_eq!(server(1_000, 990 * MS), None);
    assert_eq!(server(1_000, 990 * MS - 1), Some(990 * MS - 1));
    assert_eq!(server(10, -1_795_379_439 * 1_000 * MS), None);
}
