//! Retrievers, rerankers and embeddings of a trace. Some frameworks put one into
//! another; the outermost tells it.

use super::{Found, Lookup};
use crate::analysis::SpanTree;
use crate::messages;
use crate::model::{Span, Trace};

pub(super) fn find(trace: &Trace, tree: &SpanTree) -> Vec<Lookup> {
    let topmost = tree.topmost(|id| looked_up(tree.span(id, trace)));
    let lookups = topmost.into_iter().map(|(id, found)| {
        let node = tree.node(id);
        Lookup {
            span: node.span,
            time_ns: node.start_ns,
            duration_ns: (!node.in_progress).then(|| node.duration_ns()),
            error: tree.span(id, trace).failure(),
            found,
        }
    });
    let mut found: Vec<Lookup> = lookups.collect();
    found.sort_by_key(|lookup| (lookup.time_ns, lookup.span));
    found
}

fn looked_up(span: &Span) -> Option<Found> {
    if let Some(retrieval) = messages::retrieval(span) {
        return Some(Found::Documents(retrieval));
    }
    let size = messages::embeds(span).then(|| messages::embedded(span));
    size.flatten().map(Found::Vectors)
}
