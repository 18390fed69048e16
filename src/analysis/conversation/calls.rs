//! Which spans are the calls of models, each once: wrappers around a call, and two
//! recordings of one, tell it again.

use std::collections::{HashMap, HashSet};

use super::endings;
use super::fingerprint::Alike;
use super::kept::Kept;
use crate::analysis::{NodeId, SpanTree};
use crate::messages::{self, About, CallUsage, Content};
use crate::model::{Message, Role, Span, StatusCode, Trace};

/// A call of a model.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Its place in the tree.
    pub(super) node: NodeId,
    /// What was said.
    pub(super) content: Content,
    /// The model that answered, else the one that was asked.
    pub(super) model: Option<String>,
    /// Tokens.
    pub(super) usage: Option<CallUsage>,
    /// US dollars.
    pub(super) cost_usd: Option<f64>,
    /// Why it ended, where its message does not say so.
    pub(super) finish_reason: Option<String>,
    /// Whether it stands for calls and tools below it that were not recorded.
    pub(super) is_whole: bool,
    response_id: Option<String>,
}

impl Call {
    pub(super) fn of_whole(node: NodeId, span: &Span, content: Content) -> Self {
        Self {
            is_whole: true,
            ..Self::new(node, span, content)
        }
    }

    pub(super) fn new(node: NodeId, span: &Span, content: Content) -> Self {
        let About {
            model,
            usage,
            response_id,
            finish_reason,
        } = messages::about(span);
        Self {
            node,
            content,
            model,
            usage,
            cost_usd: span.reported_cost().and_then(|cost| cost.total()),
            finish_reason,
            is_whole: false,
            response_id,
        }
    }

    /// Takes what is not known of this call from another recording of it.
    fn complete_from(&mut self, other: &Self) {
        self.model = self.model.take().or_else(|| other.model.clone());
        self.usage = self.usage.or(other.usage);
        self.cost_usd = self.cost_usd.or(other.cost_usd);
        self.finish_reason = self
            .finish_reason
            .take()
            .or_else(|| other.finish_reason.clone());
    }

    /// Whether another recording of the same response tells the same.
    fn is_told_by(&self, other: &Self) -> bool {
        let outputs = (&self.content.output, &other.content.output);
        outputs.0.is_empty() || outputs.1.is_empty() || said(outputs.0) == said(outputs.1)
    }
}

fn said(messages: &[Message]) -> Vec<&[crate::model::Part]> {
    messages
        .iter()
        .map(|message| message.parts.as_slice())
        .collect()
}

/// The calls of a trace, in the order of their start.
pub(super) fn find(trace: &Trace, tree: &SpanTree) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut kept = Kept::default();
    for (node, at) in tree.preorder() {
        let span = &trace.spans[at.span];
        if !messages::is_call(span) {
            continue;
        }
        let mut content = messages::read(span);
        if is_prompt_builder(&content) {
            continue;
        }
        kept.share(&mut content.input);
        calls.push(Call::new(node, span, content));
    }
    let calls = without_wrappers(calls, tree);
    let calls = without_twins(calls);
    let mut calls = without_preparations(calls, trace, tree);
    calls.sort_by_key(|call| (tree.node(call.node).start_ns, call.node.index()));
    endings::complete(&mut calls, trace, tree);
    calls
}

/// What makes a prompt gives back messages that no model says.
fn is_prompt_builder(content: &Content) -> bool {
    content
        .output
        .last()
        .is_some_and(|last| matches!(last.role, Role::User | Role::System | Role::Tool))
}

/// Without the calls that have a readable call below them. Where of the inner one no
/// output was recorded, the outer one stays in its place.
fn without_wrappers(calls: Vec<Call>, tree: &SpanTree) -> Vec<Call> {
    // In preorder the calls below one follow it.
    let mut kept: Vec<Call> = Vec::new();
    for mut call in calls.into_iter().rev() {
        let below = tree.subtree(call.node);
        let from = kept
            .iter()
            .rposition(|inner| !below.contains(&inner.node.index()))
            .map_or(0, |at| at + 1);
        let inner = &mut kept[from..];
        let is_answered = |call: &Call| !call.content.output.is_empty();
        if inner.is_empty() {
            kept.push(call);
        } else if is_answered(&call) && !inner.iter().any(is_answered) {
            let told = inner.iter().rev().cloned().collect::<Vec<_>>();
            for one in &told {
                call.complete_from(one);
            }
            if call.content.input.is_empty()
                && let Some(first) = told.first()
            {
                call.content.input.clone_from(&first.content.input);
            }
            kept.truncate(from);
            kept.push(call);
        } else if let [only] = inner {
            only.complete_from(&call);
        }
    }
    kept.reverse();
    kept
}

/// Without the spans that only prepare what another call asks with the same words.
fn without_preparations(calls: Vec<Call>, trace: &Trace, tree: &SpanTree) -> Vec<Call> {
    let alike = Alike::default();
    let is_unanswered = |call: &Call| {
        call.content.output.is_empty()
            && !call.content.input.is_empty()
            && tree.span(call.node, trace).status != StatusCode::Error
    };
    if !calls.iter().any(is_unanswered) {
        return calls;
    }
    let answered: HashSet<u128> = calls
        .iter()
        .filter(|call| !call.content.output.is_empty())
        .map(|call| alike.of_messages(&call.content.input))
        .collect();
    let mut calls = calls;
    calls.retain(|call| {
        !is_unanswered(call) || !answered.contains(&alike.of_messages(&call.content.input))
    });
    calls
}

/// Of the recordings of one response the one that tells more.
fn without_twins(calls: Vec<Call>) -> Vec<Call> {
    let mut kept: Vec<Call> = Vec::new();
    let mut by_response: HashMap<String, Vec<usize>> = HashMap::new();
    for call in calls {
        let Some(response) = call.response_id.clone() else {
            kept.push(call);
            continue;
        };
        let known = by_response.entry(response).or_default();
        let twin = known.iter().copied().find(|at| call.is_told_by(&kept[*at]));
        match twin {
            None => {
                known.push(kept.len());
                kept.push(call);
            }
            Some(at) => {
                let known = &mut kept[at];
                let tells = |call: &Call| call.content.input.len() + call.content.output.len();
                if tells(&call) > tells(known) {
                    let other = std::mem::replace(known, call);
                    known.complete_from(&other);
                } else {
                    known.complete_from(&call);
                }
            }
        }
    }
    kept
}
