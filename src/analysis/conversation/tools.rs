//! The spans of tools, and the messages that tell of the same runs.

use std::collections::{HashMap, HashSet};

use super::fingerprint::same;
use super::{Conversation, Said};
use crate::analysis::{NodeId, SpanTree};
use crate::messages;
use crate::model::{Message, Part, Role, Span, StatusCode, ToolCall, ToolResult, Trace};

/// A run of a tool.
struct Run {
    node: NodeId,
    call: ToolCall,
    result: Option<ToolResult>,
    error: Option<String>,
}

fn is_tool(span: &Span) -> bool {
    let operation = span.attribute_text("gen_ai.operation.name");
    span.span_type() == "TOOL"
        || operation.is_some_and(|operation| operation == "execute_tool")
        || span.attribute("haystack.agent.step.tool.input").is_some()
        || span.attribute("gcp.vertex.agent.tool_call_args").is_some()
}

/// The outermost spans of tools.
fn runs(trace: &Trace, tree: &SpanTree) -> Vec<Run> {
    let mut found = Vec::new();
    let mut skip_to = 0;
    for (node, at) in tree.preorder() {
        let span = &trace.spans[at.span];
        if node.index() < skip_to || !is_tool(span) {
            continue;
        }
        skip_to = tree.subtree(node).end;
        let failed = span.status == StatusCode::Error;
        found.push(Run {
            node,
            call: messages::tool_call(span),
            result: messages::tool_result(span),
            error: failed.then(|| span.error_text().unwrap_or_else(|| "failed".to_owned())),
        });
    }
    found.sort_by_key(|run| (tree.node(run.node).start_ns, run.node.index()));
    found
}

/// Gives the messages of tools their spans, and adds those that no message tells of.
pub(super) fn attach(conversation: &mut Conversation, trace: &Trace, tree: &SpanTree) {
    name_results(conversation);
    let mut runs = runs(trace, tree);
    // By the id of the call, then by what came back, then by the tool's name.
    let asked: HashSet<String> = call_ids(conversation);
    for by in [by_id, by_response, by_name, by_equal] {
        runs.retain(|run| {
            let found = conversation
                .said
                .iter_mut()
                .find(|said| is_open(said) && by(result_in(said), run));
            let Some(said) = found else { return true };
            // Some agents do not record the answer that asked for the call.
            if run.call.id.as_ref().is_some_and(|id| !asked.contains(id)) {
                said.message.parts.insert(0, Part::Call(run.call.clone()));
            }
            let node = tree.node(run.node);
            said.span = Some(node.span);
            said.time_ns = Some(node.start_ns);
            said.duration_ns = (!node.in_progress).then(|| node.duration_ns());
            said.error.clone_from(&run.error);
            for part in &mut said.message.parts {
                if let Part::Result(result) = part {
                    result.name.get_or_insert_with(|| run.call.name.clone());
                }
            }
            false
        });
    }
    conversation.tools = runs.len() + conversation.said.iter().filter(|said| is_run(said)).count();
    let mut open = open_calls(conversation);
    for run in runs {
        add(conversation, run, tree, &mut open);
    }
}

/// The calls that models ask for and no message tells the result of.
fn open_calls(conversation: &Conversation) -> Vec<ToolCall> {
    let parts = || {
        conversation
            .said
            .iter()
            .flat_map(|said| &said.message.parts)
    };
    let mut results: Vec<&ToolResult> = parts()
        .filter_map(|part| match part {
            Part::Result(result) => Some(result),
            _ => None,
        })
        .collect();
    let mut open = Vec::new();
    for part in parts() {
        let Part::Call(call) = part else { continue };
        let of_call = |result: &&ToolResult| match (&result.id, &call.id) {
            (Some(id), Some(own)) => id == own,
            _ => result.name.as_ref() == Some(&call.name),
        };
        match results.iter().position(of_call) {
            Some(at) => {
                results.remove(at);
            }
            None => open.push(call.clone()),
        }
    }
    open
}

fn call_ids(conversation: &Conversation) -> HashSet<String> {
    let parts = conversation
        .said
        .iter()
        .flat_map(|said| &said.message.parts);
    parts
        .filter_map(|part| match part {
            Part::Call(call) => call.id.clone(),
            _ => None,
        })
        .collect()
}

/// A result names the call, and the call the tool.
fn name_results(conversation: &mut Conversation) {
    let mut names: HashMap<String, String> = HashMap::new();
    for said in &mut conversation.said {
        for part in &mut said.message.parts {
            match part {
                Part::Call(call) => {
                    names.extend(call.id.clone().map(|id| (id, call.name.clone())));
                }
                Part::Result(result) if result.name.is_none() => {
                    result.name = result.id.as_ref().and_then(|id| names.get(id)).cloned();
                }
                _ => {}
            }
        }
    }
}

fn is_run(said: &Said) -> bool {
    said.message.role == Role::Tool && said.span.is_some()
}

/// A message of a tool whose span is not known yet.
fn is_open(said: &Said) -> bool {
    said.message.role == Role::Tool && said.span.is_none() && result_in(said).is_some()
}

fn result_in(said: &Said) -> Option<&ToolResult> {
    said.message.parts.iter().find_map(|part| match part {
        Part::Result(result) => Some(result),
        _ => None,
    })
}

fn by_id(result: Option<&ToolResult>, run: &Run) -> bool {
    result.is_some_and(|result| result.id.is_some() && result.id == run.call.id)
}

fn by_response(result: Option<&ToolResult>, run: &Run) -> bool {
    let own = run.result.as_ref();
    result.zip(own).is_some_and(|(result, own)| {
        let names = (&result.name, &own.name);
        let named_alike = names.0.is_none() || names.0 == names.1;
        let response = &result.response;
        // Gemini's client puts what a function gave into an object.
        let inner = response.as_object().filter(|object| object.len() == 1);
        let inner = inner.and_then(|object| object.get("result").or_else(|| object.get("output")));
        named_alike
            && (same(response, &own.response)
                || inner.is_some_and(|inner| same(inner, &own.response)))
    })
}

/// An application may give the result of one tool for that of another.
fn by_equal(result: Option<&ToolResult>, run: &Run) -> bool {
    let own = run.result.as_ref();
    result
        .zip(own)
        .is_some_and(|(result, own)| same(&result.response, &own.response))
}

fn by_name(result: Option<&ToolResult>, run: &Run) -> bool {
    result.is_some_and(|result| {
        result.name.as_ref() == Some(&run.call.name)
            && (result.id.is_none() || run.call.id.is_none())
    })
}

/// A run that no message tells of, at its time.
fn add(conversation: &mut Conversation, run: Run, tree: &SpanTree, open: &mut Vec<ToolCall>) {
    let node = tree.node(run.node);
    let of_run = |call: &ToolCall| call.id.is_some() && call.id == run.call.id;
    let alike = |call: &ToolCall| call.name == run.call.name;
    let alike_in_all = |call: &ToolCall| alike(call) && same(&call.arguments, &run.call.arguments);
    let asked = open
        .iter()
        .position(of_run)
        .or_else(|| open.iter().position(alike_in_all))
        .or_else(|| open.iter().position(alike));
    let mut parts = Vec::new();
    let name = Some(run.call.name.clone());
    let mut id = run.call.id.clone();
    match asked {
        Some(at) => id = open.remove(at).id.or(id),
        None => parts.push(Part::Call(run.call)),
    }
    let failed = run.error.is_some();
    let mut result = run.result.unwrap_or(ToolResult {
        id: None,
        name,
        response: serde_json::Value::Null,
        is_error: failed.then_some(true),
    });
    result.id = result.id.or(id);
    parts.push(Part::Result(result));
    let mut said = Said::new(Message::new(Role::Tool, parts));
    said.span = Some(node.span);
    said.time_ns = Some(node.start_ns);
    said.call_ns = Some(node.start_ns);
    said.duration_ns = (!node.in_progress).then(|| node.duration_ns());
    said.error = run.error;
    let later = |other: &Said| other.call_ns.is_some_and(|time| time > node.start_ns);
    let at = conversation.said.iter().position(later);
    let at = at.unwrap_or(conversation.said.len());
    if let Some(before) = at.checked_sub(1).and_then(|at| conversation.said.get(at)) {
        said.depth = before.depth;
    }
    conversation.said.insert(at, said);
}
