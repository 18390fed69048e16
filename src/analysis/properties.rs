//! Invariants of the analysis on random traces, and comparisons with slow but
//! obvious versions of the same computations.

use proptest::prelude::*;

use crate::model::{Span, SpanId, StatusCode, Trace};

use super::sample::{EPOCH_NS, SpanExt, span_ns, trace};
use super::{
    Aggregation, By, Lanes, LatencyReport, NodeId, Place, RowKey, Sort, SpanTree, TotalBasis, Unit,
    analyse,
};

/// Parent, start, duration (`None` while in progress), name and whether the
/// parent may come later in the source.
type Parts = (Option<usize>, i64, Option<i64>, u8, bool);

/// Spans with every kind of damage but duplicate ids.
fn distinct_spans() -> impl Strategy<Value = Vec<Span>> {
    let scale = prop_oneof![Just(1_i64), Just(40_000), Just(5_000_000)];
    (1..40_usize, scale).prop_flat_map(|(n, scale)| {
        let parent = prop_oneof![
            1 => Just(None),
            12 => (0..n).prop_map(Some),
            1 => Just(Some(usize::MAX)),
        ];
        let duration = prop_oneof![
            8 => (0..60_i64).prop_map(Some),
            1 => Just(Some(0)),
            1 => (-9..0_i64).prop_map(Some),
            1 => Just(None),
        ];
        let backward = prop::bool::weighted(0.1);
        let one = (parent, 0..100_i64, duration, 0..5_u8, backward);
        (prop::collection::vec(one, n), any::<bool>()).prop_map(move |(parts, rooted)| {
            let mut spans: Vec<Span> = parts
                .into_iter()
                .enumerate()
                .map(|(i, parts)| damaged_span(i, parts, scale))
                .collect();
            if rooted {
                spans[0].parent_id = None;
                spans[0].end_ns = Some(EPOCH_NS + 120 * scale);
            }
            spans
        })
    })
}

fn damaged_span(i: usize, (parent, start, duration, name, backward): Parts, scale: i64) -> Span {
    // Mostly parents come first, so that cycles stay rare.
    let parent = match parent {
        Some(p) if p < i || backward || p == usize::MAX => Some(p),
        Some(_) if i > 0 => Some(i - 1),
        _ => None,
    };
    let mut span = span_ns(
        &format!("s{i:02}"),
        &parent.map(|p| format!("s{p:02}")).unwrap_or_default(),
        start * scale,
        (start + duration.unwrap_or(0)) * scale,
    )
    .named(["a", "b", "c", "d", "e"][usize::from(name)]);
    if duration.is_none() {
        span.end_ns = [None, Some(0), Some(-5)][usize::from(name) % 3];
    }
    if name == 0 {
        span.status = StatusCode::Error;
    }
    if name < 3 {
        span = span.typed(["LLM", "TOOL", "LLM"][usize::from(name)]);
    }
    span
}

/// The same, with some ids given twice.
pub(crate) fn any_spans() -> impl Strategy<Value = Vec<Span>> {
    let twice = prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..3);
    (distinct_spans(), twice).prop_map(|(mut spans, twice)| {
        for (from, to) in twice {
            let id = spans[from.index(spans.len())].span_id.clone();
            let to = to.index(spans.len());
            spans[to].span_id = id;
        }
        spans
    })
}

/// One root; children lie within their parents and siblings do not overlap.
pub(crate) fn sequential_spans() -> impl Strategy<Value = Vec<Span>> {
    let one = (any::<prop::sample::Index>(), 0..=100_i64, 0..=100_i64);
    prop::collection::vec(one, 0..40).prop_map(|parts| {
        let end = 1_000_000_000;
        let mut spans = vec![span_ns("s00", "", 0, end)];
        // Where the free time of each span starts, and where the span ends.
        let mut free = vec![(0, end)];
        for (i, (parent, gap, length)) in parts.into_iter().enumerate() {
            let p = parent.index(free.len());
            let (lo, hi) = free[p];
            let from = lo + (hi - lo) * gap / 200;
            let to = from + (hi - from) * length / 100;
            free[p].0 = to;
            free.push((from, to));
            spans.push(span_ns(
                &format!("s{:02}", i + 1),
                &format!("s{p:02}"),
                from,
                to,
            ));
        }
        spans
    })
}

/// Times from the whole range of the type.
fn extreme_spans() -> impl Strategy<Value = Vec<Span>> {
    let time = prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0),
        Just(1),
        -3..3_i64,
        any::<i64>(),
    ];
    let one = (0..12_usize, time.clone(), prop::option::of(time));
    prop::collection::vec(one, 1..12).prop_map(|parts| {
        let spans = parts.into_iter().enumerate();
        let make = |(i, (parent, start, end)): (usize, (usize, i64, Option<i64>))| {
            let parent = if parent == i {
                String::new()
            } else {
                parent.to_string()
            };
            let mut span = span_ns(&i.to_string(), &parent, 0, 0);
            (span.start_ns, span.end_ns) = (start, end);
            span
        };
        spans.map(make).collect()
    })
}

/// What has to hold for every trace.
fn check(report: &LatencyReport<'_>) -> Result<(), TestCaseError> {
    let tree = &report.tree;
    let total = report.total_ns();
    prop_assert!(total >= 0);

    // The sections tile the total.
    let mut at = report.sections.first().map_or(0, |s| s.start_offset_ns);
    prop_assert_eq!(at, 0);
    for section in &report.sections {
        prop_assert!(section.duration_ns > 0);
        prop_assert_eq!(section.start_offset_ns, at);
        at += section.duration_ns;
    }
    prop_assert_eq!(at, total);
    let critical: i64 = report.critical_ns.iter().sum();
    prop_assert_eq!(critical + report.no_span_ns, total);
    prop_assert!(tree.total_basis == TotalBasis::Extent || report.no_span_ns == 0);

    for (id, node) in tree.preorder() {
        prop_assert!(node.duration_ns() >= 0);
        prop_assert!(node.effective_ns() >= 0);
        prop_assert!(node.effective_start_ns >= node.start_ns || node.effective_ns() == 0);
        prop_assert!(node.effective_end_ns <= node.end_ns);
        prop_assert!((0..=node.effective_ns()).contains(&report.self_ns(id)));
        prop_assert!((0..=node.effective_ns()).contains(&report.critical_ns(id)));
        if node.detached {
            prop_assert_eq!(node.effective_ns(), 0);
        }
        if let Some(parent) = node.parent {
            prop_assert!(parent < id && tree.subtree(parent).contains(&id.index()));
            prop_assert_eq!(node.depth, tree.node(parent).depth + 1);
        } else {
            prop_assert!(node.place != Place::Child && node.depth == 0 && !node.detached);
        }
        let children = tree
            .children(id)
            .map(|(child, _)| child)
            .collect::<Vec<_>>();
        prop_assert!(children.iter().all(|&c| tree.node(c).parent == Some(id)));
        let inside: usize = children.iter().map(|&c| tree.node(c).subtree_len).sum();
        prop_assert_eq!(inside + 1, node.subtree_len);
    }
    prop_assert_eq!(
        tree.roots().map(|(_, n)| n.subtree_len).sum::<usize>(),
        tree.len()
    );

    let gaps: i64 = report.gaps.iter().map(|g| g.duration_ns).sum();
    prop_assert_eq!(gaps, report.unaccounted_ns);
    prop_assert!(gaps <= total);
    prop_assert!(
        report
            .gaps
            .is_sorted_by(|a, b| a.duration_ns >= b.duration_ns)
    );

    check_lanes(tree)?;
    check_rows(report)
}

/// Every span has a slot, and two spans of a lane are apart or one within the other.
fn check_lanes(tree: &SpanTree) -> Result<(), TestCaseError> {
    let lanes = Lanes::of(tree);
    let mut nodes: Vec<NodeId> = lanes.slots.iter().map(|slot| slot.node).collect();
    nodes.sort_unstable();
    prop_assert!(nodes.iter().copied().eq(tree.preorder().map(|(id, _)| id)));
    let mut open: Vec<Vec<NodeId>> = vec![Vec::new(); lanes.count];
    for slot in &lanes.slots {
        let node = tree.node(slot.node);
        let open = &mut open[slot.lane];
        prop_assert!(slot.depth <= open.len());
        for ended in open.drain(slot.depth..) {
            prop_assert!(tree.node(ended).end_ns <= node.start_ns);
        }
        for &around in &*open {
            let around = tree.node(around);
            prop_assert!(around.start_ns <= node.start_ns && node.end_ns <= around.end_ns);
        }
        prop_assert_eq!(open.last().copied(), node.parent.filter(|_| slot.depth > 0));
        open.push(slot.node);
    }
    Ok(())
}

fn check_rows(report: &LatencyReport<'_>) -> Result<(), TestCaseError> {
    for by in By::ALL {
        let rows = report.rows(by, Sort::SelfTime);
        prop_assert!(rows.is_sorted_by(|a, b| a.self_ns >= b.self_ns));
        let critical: i64 = rows.iter().map(|r| r.critical_ns).sum();
        prop_assert_eq!(critical, report.total_ns());
        let self_ns = rows.iter().map(|r| r.self_ns).fold(0, i64::saturating_add);
        prop_assert_eq!(
            self_ns,
            report.self_sum_ns.saturating_add(report.no_span_ns)
        );
        prop_assert_eq!(
            rows.iter().map(|r| r.count).sum::<usize>(),
            report.tree.len()
        );
        for row in &rows {
            prop_assert_eq!(row.total_ratio.is_none(), report.total_ns() == 0);
            let finished = row.count - row.in_progress;
            prop_assert_eq!(row.stats.map_or(0, |s| s.n), finished);
            if let Some(s) = row.stats {
                let order = [s.min_ns, s.p50_ns, s.p95_ns, s.p99_ns, s.max_ns];
                prop_assert!(order.is_sorted());
                prop_assert!((s.min_ns..=s.max_ns).contains(&s.avg_ns));
            }
        }
        prop_assert_eq!(
            rows.iter().any(|r| r.key == RowKey::NoSpan),
            report.no_span_ns > 0
        );
    }
    Ok(())
}

/// Everything in a report that should not depend on the order of the source.
fn fingerprint(report: &LatencyReport<'_>) -> String {
    let nodes: Vec<_> = report
        .nodes()
        .map(|(id, node)| {
            let mut node = node.clone();
            node.span = 0;
            (report.span(id).span_id.clone(), node)
        })
        .collect();
    let tree = &report.tree;
    let rows: Vec<_> = By::ALL.map(|by| report.rows(by, Sort::P95)).into();
    format!(
        "{nodes:?} {:?} {:?} {:?} {:?} {:?} {:?} {rows:?}",
        (tree.total_ns, tree.total_basis, tree.origin_ns, tree.root()),
        tree.warnings,
        report.self_ns,
        report.critical_ns,
        report.sections,
        report.gaps,
    )
}

/// The definition of the critical path, word for word. Below a root that is cut,
/// nothing ends after the cut.
fn sections_by_definition(
    tree: &SpanTree,
    span: NodeId,
    lo: i64,
    mut hi: i64,
    cut: i64,
    out: &mut Vec<(NodeId, i64, i64)>,
) {
    let mut children: Vec<_> = tree.children(span).filter(|(_, n)| !n.detached).collect();
    children.sort_by_key(|(id, n)| (-n.effective_end_ns, n.start_ns, *id));
    let eps = (tree.node(span).effective_ns() / 100).min(1_000_000);
    for (id, child) in children {
        if hi <= lo {
            break;
        }
        if child.effective_end_ns.min(cut) <= hi + eps && child.effective_start_ns < hi {
            let b = child.effective_end_ns.min(hi);
            if b < hi {
                out.push((span, b, hi));
            }
            sections_by_definition(tree, id, child.effective_start_ns.max(lo), b, cut, out);
            hi = child.effective_start_ns;
        }
    }
    if lo < hi {
        out.push((span, lo, hi));
    }
}

/// Time per span on the path by the definition, in which an instantaneous child may split a section.
fn critical_by_definition(tree: &SpanTree) -> Vec<i64> {
    let mut out = Vec::new();
    if let Some(root) = tree.root() {
        let node = tree.node(root);
        sections_by_definition(tree, root, node.start_ns, node.end_ns, i64::MAX, &mut out);
    } else {
        let mut roots: Vec<_> = tree.roots().filter(|(_, n)| n.duration_ns() > 0).collect();
        roots.sort_by_key(|(id, n)| (-n.end_ns, n.start_ns, *id));
        let mut hi = tree.extent_ns.1;
        for (id, root) in roots {
            if root.start_ns < hi {
                let end = root.end_ns.min(hi);
                sections_by_definition(tree, id, root.start_ns, end, end, &mut out);
                hi = root.start_ns;
            }
        }
    }
    let mut critical = vec![0; tree.len()];
    for (id, lo, hi) in out {
        critical[id.index()] += hi - lo;
    }
    critical
}

/// Counts the instants `lo..hi` in nanoseconds at which `is_busy` is false.
fn idle(lo: i64, hi: i64, is_busy: impl Fn(i64) -> bool) -> i64 {
    i64::try_from((lo..hi).filter(|&t| !is_busy(t)).count()).unwrap()
}

fn analyse_spans<R>(spans: Vec<Span>, look: impl FnOnce(&Trace, &LatencyReport<'_>) -> R) -> R {
    let trace = trace(spans);
    let report = analyse(&trace);
    look(&trace, &report)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_for_damaged_traces(spans in any_spans()) {
        analyse_spans(spans, |_, report| check(report))?;
    }

    #[test]
    fn invariants_hold_for_extreme_times(spans in extreme_spans()) {
        analyse_spans(spans, |_, report| check(report))?;
    }

    #[test]
    fn self_times_add_up_to_the_total_without_concurrency(spans in sequential_spans()) {
        analyse_spans(spans, |_, report| {
            prop_assert_eq!(report.self_sum_ns, report.total_ns());
            prop_assert_eq!(&report.self_ns, &report.critical_ns);
            prop_assert_eq!(report.concurrency, Some(1.0));
            check(report)
        })?;
    }

    #[test]
    fn the_order_of_the_source_does_not_matter(
        (spans, shuffled) in distinct_spans()
            .prop_flat_map(|spans| (Just(spans.clone()), Just(spans).prop_shuffle()))
    ) {
        let expected = analyse_spans(spans, |_, report| fingerprint(report));
        let found = analyse_spans(shuffled, |_, report| fingerprint(report));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_critical_path_is_the_defined_one(spans in distinct_spans()) {
        analyse_spans(spans, |_, report| {
            let expected = critical_by_definition(&report.tree);
            prop_assert_eq!(&report.critical_ns, &expected);
            Ok(())
        })?;
    }

    #[test]
    fn self_times_and_gaps_agree_with_counting_instants(mut spans in distinct_spans()) {
        // At the smallest scale, so that there are few instants to count.
        let scale = spans.iter().map(|s| s.start_ns - EPOCH_NS).filter(|&t| t > 0).min();
        prop_assume!(scale.is_none_or(|s| s < 100));
        spans.truncate(20);
        analyse_spans(spans, |_, report| {
            let tree = &report.tree;
            let (first, last) = tree.extent_ns;
            if last.saturating_sub(first) > 20_000 {
                return Ok(());
            }
            for (id, node) in tree.preorder() {
                let busy = |t| tree.children(id).any(|(_, child)| {
                    !child.detached && (child.effective_start_ns..child.effective_end_ns).contains(&t)
                });
                let expected = idle(node.effective_start_ns, node.effective_end_ns, busy);
                prop_assert_eq!(report.self_ns(id), expected);
            }
            let (lo, hi) = (tree.origin_ns, tree.origin_ns + tree.total_ns);
            let mut at_work = 0;
            for (id, node) in tree.preorder() {
                let busy = |t| tree.children(id).any(|(_, child)| {
                    !child.detached && (child.effective_start_ns..child.effective_end_ns).contains(&t)
                });
                let (from, to) = (node.effective_start_ns.max(lo), node.effective_end_ns.min(hi));
                at_work += idle(from, to, busy);
            }
            prop_assert_eq!(report.concurrency, crate::analysis::ratio(at_work, tree.total_ns));
            let busy = |t| tree.preorder().any(|(id, node)| {
                Some(id) != tree.root() && (node.start_ns..node.end_ns).contains(&t)
            });
            prop_assert_eq!(report.unaccounted_ns, idle(lo, hi, busy));
            if tree.root().is_none() {
                let busy = |t| tree.roots().any(|(_, n)| (n.start_ns..n.end_ns).contains(&t));
                prop_assert_eq!(report.no_span_ns, idle(lo, hi, busy));
            }
            Ok(())
        })?;
    }

    #[test]
    fn rows_over_many_traces_add_up(traces in prop::collection::vec(any_spans(), 1..4)) {
        for (by, unit) in [(By::Name, Unit::Call), (By::Path, Unit::Trace), (By::Span, Unit::Trace)] {
            let mut all = Aggregation::new(by, unit);
            let mut expected = (0, 0, 0);
            for spans in &traces {
                analyse_spans(spans.clone(), |_, report| {
                    all.add(report);
                    let sums = [report.self_sum_ns + report.no_span_ns, report.total_ns()];
                    expected.0 += sums[0];
                    expected.1 += sums[1];
                    expected.2 += report.tree.len();
                });
            }
            prop_assert_eq!((all.traces(), all.total_ns()), (traces.len(), expected.1));
            let rows = all.into_rows(Sort::Name);
            prop_assert_eq!(rows.iter().map(|r| r.self_ns).sum::<i64>(), expected.0);
            prop_assert_eq!(rows.iter().map(|r| r.critical_ns).sum::<i64>(), expected.1);
            prop_assert_eq!(rows.iter().map(|r| r.count).sum::<usize>(), expected.2);
            prop_assert!(unit == Unit::Call
                || rows.iter().all(|r| r.stats.is_none_or(|s| s.n <= traces.len())));
        }
    }
}

#[test]
fn a_chain_of_fifty_thousand_spans_is_a_trace_like_any_other() {
    let n = 50_000;
    let spans = (0..n).map(|i| {
        let parent = if i == 0 {
            String::new()
        } else {
            format!("{:05}", i - 1)
        };
        span_ns(&format!("{i:05}"), &parent, i, 2 * n - i)
    });
    let trace = trace(spans);
    let report = analyse(&trace);
    assert_eq!(report.total_ns(), 2 * n);
    assert_eq!(report.critical_ns.iter().sum::<i64>(), 2 * n);
    assert!(report.critical_ns.iter().all(|&ns| ns == 2));
    assert_eq!(report.sections.len(), 99_999);
    let rows = report.rows(By::Path, Sort::Total);
    assert_eq!(rows.len(), 50_000);
    assert!(rows.iter().all(|row| row.key.as_str().len() < 250));
}

#[test]
fn a_cycle_of_fifty_thousand_spans_is_cut_once() {
    let n = 50_000;
    let spans = (0..n).map(|i| span_ns(&i.to_string(), &((i + 1) % n).to_string(), 0, 10));
    let trace = trace(spans);
    let tree = SpanTree::build(&trace);
    assert_eq!(tree.roots().count(), 1);
    assert_eq!(tree.total_basis, TotalBasis::Root);
    let id = SpanId::new("0");
    assert_eq!(tree.span(tree.root().unwrap(), &trace).span_id, id);
}
