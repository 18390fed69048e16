//! Traces whose calls were not recorded, or in no shape that can be read: what was
//! said is looked for in the spans of agents and chains, and at last in the request
//! and the response of the whole.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::calls::Call;
use super::fingerprint::Shown;
use super::{Conversation, Said};
use crate::analysis::{NodeId, SpanTree};
use crate::json::parse_value;
use crate::messages::{self, Content};
use crate::model::{Message, Part, Role, Span, Trace, attribute, is_repr};

/// What to take in the place of calls that tell nothing.
pub(super) fn substitutes(trace: &Trace, tree: &SpanTree, calls: Vec<Call>) -> Vec<Call> {
    let found = longest_lists(trace, tree);
    if !found.is_empty() {
        return found;
    }
    if !calls.is_empty() {
        return calls;
    }
    let root = tree
        .root()
        .or_else(|| tree.roots().next().map(|(id, _)| id));
    let Some(root) = root else { return Vec::new() };
    let span = tree.span(root, trace);
    if messages::is_silent(span) {
        return Vec::new();
    }
    let mut content = messages::read_lists(span);
    fill(&mut content, span);
    if content.is_empty() {
        return Vec::new();
    }
    vec![Call::of_whole(root, span, content)]
}

/// The spans with the longest lists of messages, none of them above another.
fn longest_lists(trace: &Trace, tree: &SpanTree) -> Vec<Call> {
    let mut lists: Vec<(NodeId, Content)> = tree
        .preorder()
        .filter_map(|(id, node)| {
            let span = &trace.spans[node.span];
            if messages::is_silent(span) {
                return None;
            }
            let content = messages::read_lists(span);
            (content.input.len() + content.output.len() > 1).then_some((id, content))
        })
        .collect();
    // The longest first, the first of those that are equally long.
    lists.sort_by_key(|(_, content)| Reverse(content.input.len() + content.output.len()));
    let mut found = Vec::new();
    // The places of the chosen ones in preorder, each with the end of its subtree.
    let mut chosen: BTreeMap<usize, usize> = BTreeMap::new();
    for (id, content) in lists {
        let below = tree.subtree(id);
        let is_above = chosen.range(below.clone()).next().is_some();
        let before = chosen.range(..below.start).next_back();
        if is_above || before.is_some_and(|(_, end)| *end > below.start) {
            continue;
        }
        chosen.insert(below.start, below.end);
        found.push(Call::of_whole(id, tree.span(id, trace), content));
    }
    found.sort_by_key(|call| (tree.node(call.node).start_ns, call.node.index()));
    found
}

/// Puts what a span was given and gave back in the place of messages that could not be
/// read: as a text where it is one, else as JSON. Gives whether there is JSON among it.
pub(super) fn fill(content: &mut Content, span: &Span) -> bool {
    let said = |role: Role, part: Part| Message::new(role, vec![part]);
    let mut is_unread = false;
    if content.input.is_empty() {
        let asked = messages::asks(span).map(Part::Text);
        if let Some(part) = asked.or_else(|| recorded(span.inputs())) {
            is_unread |= matches!(part, Part::Json(_));
            content.input = vec![Arc::new(said(Role::User, part))];
            content.input_source = Some(attribute::INPUTS);
        }
    }
    if content.output.is_empty() && !messages::reads_output(span) {
        let answer = messages::answers(span).map(Part::Text);
        if let Some(part) = answer.or_else(|| recorded(span.outputs())) {
            is_unread |= matches!(part, Part::Json(_));
            content.output = vec![said(Role::Assistant, part)];
            content.output_source = Some(attribute::OUTPUTS);
        }
    }
    is_unread
}

/// A payload, unless it is nothing, or tells nothing of what was in it.
fn recorded(payload: Option<&str>) -> Option<Part> {
    let payload = payload?;
    let value = parse_value(payload).unwrap_or_else(|| Value::String(payload.to_owned()));
    match value {
        Value::Null => None,
        Value::Object(object) if object.is_empty() => None,
        Value::String(text) if is_repr(&text) || text.is_empty() => None,
        Value::String(text) => Some(Part::Text(text)),
        value => Some(Part::Json(value)),
    }
}

/// The request of the whole, where no message has it: some agents record only what
/// their models answer.
pub(super) fn add_request(
    found: &mut Conversation,
    trace: &Trace,
    tree: &SpanTree,
    shown: &mut Shown,
) {
    let Some(root) = tree.root() else { return };
    let span = tree.span(root, trace);
    if found.said.is_empty() || messages::is_silent(span) {
        return;
    }
    let Some(text) = messages::asks(span) else {
        return;
    };
    let has = |part: &Part| match part {
        Part::Text(said) => {
            said.contains(text.trim()) || text.contains(said.trim()) && !said.trim().is_empty()
        }
        Part::Json(value) => value.to_string().contains(text.trim()),
        _ => false,
    };
    let is_told = found
        .said
        .iter()
        .any(|said| said.message.role != Role::Assistant && said.message.parts.iter().any(has));
    let part = Part::Text(text.clone());
    if is_told || shown.has(&Role::User, &part) {
        return;
    }
    shown.add(&Role::User, &part);
    let mut said = Said::new(Message::new(Role::User, vec![part]));
    said.call_ns = Some(tree.node(root).start_ns);
    said.source = Some(attribute::INPUTS);
    found.said.insert(0, said);
}
