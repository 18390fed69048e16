//! Retrievers, rerankers and embeddings of a trace. Some frameworks put one into
//! another; the outermost tells it.

use super::{Found, Lookup};
use crate::analysis::SpanTree;
use crate::messages;
use crate::model::{Span, StatusCode, Trace};

pub(super) fn find(trace: &Trace, tree: &SpanTree) -> Vec<Lookup> {
    let mut found: Vec<Lookup> = Vec::new();
    let mut skip_to = 0;
    for (id, node) in tree.preorder() {
        let span = &trace.spans[node.span];
        if id.index() < skip_to {
            continue;
        }
        let Some(what) = looked_up(span) else {
            continue;
        };
        skip_to = tree.subtree(id).end;
        let failed = span.status == StatusCode::Error;
        found.push(Lookup {
            span: node.span,
            time_ns: node.start_ns,
            duration_ns: (!node.in_progress).then(|| node.duration_ns()),
            error: failed.then(|| span.error_text().unwrap_or_else(|| "failed".to_owned())),
            found: what,
        });
    }
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
