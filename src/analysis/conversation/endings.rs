//! Why calls of models ended, where only what is around them says so. MLflow's recording
//! of a model of LangChain leaves it out, and the step behind the call, or the one that
//! it is a part of, holds the whole message.

use std::collections::HashMap;

use super::calls::Call;
use crate::analysis::{NodeId, SpanTree};
use crate::messages;
use crate::model::{Message, Trace};

/// Which text of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Inputs,
    Outputs,
}

/// Gives calls the reason for which they ended, where the same words are told with one.
pub(super) fn complete(calls: &mut [Call], trace: &Trace, tree: &SpanTree) {
    // Each text is read once, however many calls are around it.
    let mut read: HashMap<(usize, Side), Vec<Message>> = HashMap::new();
    for call in calls {
        let output = &call.content.output;
        let is_told = call.finish_reason.is_some()
            || output.iter().any(|message| message.finish_reason.is_some());
        let [said] = output.as_slice() else { continue };
        if is_told {
            continue;
        }
        call.finish_reason = around(call.node, tree).find_map(|(node, side)| {
            let at = tree.node(node).span;
            let told = read.entry((at, side)).or_insert_with(|| {
                let span = &trace.spans[at];
                let json = match side {
                    Side::Inputs => span.inputs(),
                    Side::Outputs => span.outputs(),
                };
                json.map(messages::ended).unwrap_or_default()
            });
            let same = told.iter().find(|message| message.parts == said.parts)?;
            same.finish_reason.clone()
        });
    }
}

/// What the step behind a call was given, and what the steps gave back that it is a part
/// of, from the innermost on.
fn around(call: NodeId, tree: &SpanTree) -> impl Iterator<Item = (NodeId, Side)> {
    let parents = std::iter::successors(tree.node(call).parent, |node| tree.node(*node).parent);
    let siblings = tree.node(call).parent.map(|parent| tree.children(parent));
    let behind = siblings
        .into_iter()
        .flatten()
        .map(|(node, _)| node)
        .find(|node| *node > call);
    behind
        .map(|node| (node, Side::Inputs))
        .into_iter()
        .chain(parents.map(|node| (node, Side::Outputs)))
}
