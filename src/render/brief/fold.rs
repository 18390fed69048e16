//! The spans of a trace as a tree in which siblings of the same name, type and outcome
//! are one: as many lines as differ, however many spans there are.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use crate::analysis::{LatencyReport, NodeId};
use crate::model::StatusCode;

/// Spans that are told together.
#[derive(Debug)]
pub(super) struct Fold {
    /// In the order of the tree.
    pub(super) nodes: Vec<NodeId>,
    /// The fold of their parents.
    pub(super) parent: Option<usize>,
    pub(super) depth: usize,
    /// Where it stands among all, each above those below it.
    pub(super) place: usize,
    pub(super) failed: bool,
    pub(super) self_ns: i64,
    pub(super) critical_ns: i64,
}

/// What spans have in common: the fold above, name, type, and whether they failed.
type Key<'s> = (Option<usize>, &'s str, Cow<'s, str>, bool);

/// All folds, parents first.
pub(super) fn fold(report: &LatencyReport<'_>) -> Vec<Fold> {
    let mut folds: Vec<Fold> = Vec::new();
    let mut known: HashMap<Key<'_>, usize> = HashMap::new();
    let mut of_node = Vec::with_capacity(report.tree.len());
    for (id, node) in report.nodes() {
        let span = report.span(id);
        let failed = span.status == StatusCode::Error;
        let parent = node.parent.map(|parent| of_node[parent.index()]);
        let key = (parent, span.name.as_str(), span.span_type(), failed);
        let at = *known.entry(key).or_insert_with(|| {
            folds.push(Fold {
                nodes: Vec::new(),
                parent,
                depth: node.depth,
                place: 0,
                failed,
                self_ns: 0,
                critical_ns: 0,
            });
            folds.len() - 1
        });
        let fold = &mut folds[at];
        fold.nodes.push(id);
        fold.self_ns = fold.self_ns.saturating_add(report.self_ns(id));
        fold.critical_ns = fold.critical_ns.saturating_add(report.critical_ns(id));
        of_node.push(at);
    }
    number(&mut folds);
    folds
}

/// Gives each fold its place.
fn number(folds: &mut [Fold]) {
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); folds.len()];
    let mut open = Vec::new();
    for at in (0..folds.len()).rev() {
        match folds[at].parent {
            Some(parent) => below[parent].push(at),
            None => open.push(at),
        }
    }
    let mut place = 0;
    while let Some(at) = open.pop() {
        folds[at].place = place;
        place += 1;
        open.append(&mut below[at]);
    }
}

/// The folds by what they tell: where failures began, what the trace waited for, then
/// the rest from the root down; what is above each comes before it.
pub(super) fn by_importance(folds: &[Fold], report: &LatencyReport<'_>) -> Vec<usize> {
    let mut is_origin = vec![false; report.tree.len()];
    for id in report.tree.failure_origins(report.trace) {
        is_origin[id.index()] = true;
    }
    let all = || 0..folds.len();
    let began = |at: &usize| folds[*at].nodes.iter().any(|id| is_origin[id.index()]);
    let origins = all().filter(|at| folds[*at].failed).filter(began);
    let mut critical: Vec<usize> = all().filter(|at| folds[*at].critical_ns > 0).collect();
    critical.sort_by_key(|at| (Reverse(folds[*at].critical_ns), folds[*at].place));
    let mut rest: Vec<usize> = all().collect();
    rest.sort_by_key(|at| (folds[*at].depth, folds[*at].place));
    let mut taken = vec![false; folds.len()];
    let mut order = Vec::with_capacity(folds.len());
    for at in origins.chain(critical).chain(rest) {
        let first = order.len();
        let mut next = Some(at);
        while let Some(at) = next.filter(|at| !taken[*at]) {
            taken[at] = true;
            order.push(at);
            next = folds[at].parent;
        }
        order[first..].reverse();
    }
    order
}
