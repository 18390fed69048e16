//! Which agent makes a call, and under how many others it works.

use super::calls::Call;
use crate::analysis::{NodeId, SpanTree};
use crate::model::{Span, Trace};

/// The agent of a call.
#[derive(Debug, Clone, Default)]
pub(super) struct Agent {
    pub(super) name: Option<String>,
    pub(super) depth: usize,
}

/// The agent of each call. What is above all calls alike, such as a runner around
/// the agent, is no level.
pub(super) fn of_calls(calls: &[Call], trace: &Trace, tree: &SpanTree) -> Vec<Agent> {
    let mut found: Vec<Agent> = calls
        .iter()
        .map(|call| {
            let above: Vec<&Span> = above(call.node, trace, tree).collect();
            Agent {
                name: above.first().map(|span| name(span)),
                depth: above.len(),
            }
        })
        .collect();
    let least = found.iter().map(|agent| agent.depth).min().unwrap_or(0);
    for agent in &mut found {
        agent.depth -= least;
    }
    found
}

/// The spans of agents above one, the nearest first.
fn above<'t>(node: NodeId, trace: &'t Trace, tree: &'t SpanTree) -> impl Iterator<Item = &'t Span> {
    let parents = std::iter::successors(tree.node(node).parent, |node| tree.node(*node).parent);
    parents
        .map(|node| tree.span(node, trace))
        .filter(|span| is_agent(span))
}

fn is_agent(span: &Span) -> bool {
    let operation = span.attribute_text("gen_ai.operation.name");
    span.span_type() == "AGENT" || operation.is_some_and(|operation| operation == "invoke_agent")
}

fn name(span: &Span) -> String {
    if let Some(name) = span.attribute_text("gen_ai.agent.name") {
        return name.into_owned();
    }
    let name = span.name.as_str();
    name.strip_prefix("invoke_agent ")
        .unwrap_or(name)
        .to_owned()
}
