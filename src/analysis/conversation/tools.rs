//! The spans of tools, and the messages that tell of the same runs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use serde_json::Value;

use super::fingerprint::Alike;
use super::{Conversation, Said};
use crate::analysis::SpanTree;
use crate::messages;
use crate::model::{Message, Part, Role, Span, ToolCall, ToolResult, Trace};

/// A run of a tool.
struct Run {
    span: usize,
    start_ns: i64,
    duration_ns: Option<i64>,
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

/// The outermost spans of tools, in the order of their start.
fn runs(trace: &Trace, tree: &SpanTree) -> Vec<Run> {
    let topmost = tree.topmost(|id| Some(tree.span(id, trace)).filter(|span| is_tool(span)));
    let runs = topmost.into_iter().map(|(id, span)| {
        let node = tree.node(id);
        Run {
            span: node.span,
            start_ns: node.start_ns,
            duration_ns: (!node.in_progress).then(|| node.duration_ns()),
            call: messages::tool_call(span),
            result: messages::tool_result(span),
            error: span.failure(),
        }
    });
    let mut found: Vec<Run> = runs.collect();
    found.sort_by_key(|run| run.start_ns);
    found
}

/// Things by what they may be found by, each to be taken once, the first first.
#[derive(Debug)]
struct Waiting<K> {
    by: HashMap<K, BTreeSet<usize>>,
    taken: HashSet<usize>,
}

impl<K: Hash + Eq> Waiting<K> {
    fn new() -> Self {
        Self {
            by: HashMap::new(),
            taken: HashSet::new(),
        }
    }

    fn add(&mut self, key: K, at: usize) {
        self.by.entry(key).or_default().insert(at);
    }

    fn first(&mut self, key: &K, from: usize) -> Option<usize> {
        let all = self.by.get_mut(key)?;
        loop {
            let at = *all.range(from..).next()?;
            if !self.taken.contains(&at) {
                return Some(at);
            }
            all.remove(&at);
        }
    }

    /// Takes the first that one of the keys finds, at a place or behind it.
    fn take(&mut self, keys: impl IntoIterator<Item = K>, from: usize) -> Option<usize> {
        let firsts = keys.into_iter().filter_map(|key| self.first(&key, from));
        let at = firsts.collect::<Vec<_>>().into_iter().min()?;
        self.taken.insert(at);
        Some(at)
    }
}

/// What a result may be found by.
#[derive(Debug, PartialEq, Eq, Hash)]
enum ResultKey {
    Id(String),
    /// The tool where the message names it, and the response.
    Told(Option<String>, u128),
    Response(u128),
    Name(String),
    /// The name of a result without an id.
    NameAlone(String),
}

fn result_in(said: &Said) -> Option<&ToolResult> {
    said.message.parts.iter().find_map(|part| match part {
        Part::Result(result) => Some(result),
        _ => None,
    })
}

/// What the result of a run may be found by.
type Keys = fn(&Run, &Alike) -> Vec<ResultKey>;

/// Gives the messages of tools their spans, and adds those that no message tells of.
pub(super) fn attach(conversation: &mut Conversation, trace: &Trace, tree: &SpanTree) {
    name_results(conversation);
    let mut runs: Vec<Option<Run>> = runs(trace, tree).into_iter().map(Some).collect();
    if runs.is_empty() {
        return;
    }
    let alike = Alike::default();
    let mut waiting = results(conversation, &alike);
    let asked = call_ids(conversation);
    let latest = latest(conversation);
    // By the id of the call, then by what came back, then by the tool's name; an
    // application may also give the result of one tool for that of another. What a history
    // has of earlier runs was told before this one began, which an id may overrule.
    let ways: [(Keys, bool); 7] = [
        (by_id, false),
        (by_response, true),
        (by_name, true),
        (by_equal, true),
        (by_response, false),
        (by_name, false),
        (by_equal, false),
    ];
    for (keys, only_later) in ways {
        for slot in &mut runs {
            let at = slot.as_ref().and_then(|run| {
                let from = if only_later { place(&latest, run) } else { 0 };
                waiting.take(keys(run, &alike), from)
            });
            if let Some(at) = at
                && let Some(run) = slot.take()
            {
                tell(&mut conversation.said[at], run, &asked);
            }
        }
    }
    let left: Vec<Run> = runs.into_iter().flatten().collect();
    conversation.tools = left.len() + waiting.taken.len();
    add(conversation, left, &alike);
}

/// The messages of tools, by what a span may find them by.
fn results(conversation: &Conversation, alike: &Alike) -> Waiting<ResultKey> {
    let mut waiting = Waiting::new();
    for (at, said) in conversation.said.iter().enumerate() {
        let result = result_in(said).filter(|_| said.message.role == Role::Tool);
        let Some(result) = result else { continue };
        if let Some(id) = &result.id {
            waiting.add(ResultKey::Id(id.clone()), at);
        }
        if let Some(name) = &result.name {
            waiting.add(ResultKey::Name(name.clone()), at);
            if result.id.is_none() {
                waiting.add(ResultKey::NameAlone(name.clone()), at);
            }
        }
        // Gemini's client puts what a function gave into an object.
        let inner = result
            .response
            .as_object()
            .filter(|object| object.len() == 1);
        let inner = inner.and_then(|object| object.get("result").or_else(|| object.get("output")));
        for response in [Some(&result.response), inner].into_iter().flatten() {
            let key = alike.key(response);
            waiting.add(ResultKey::Told(result.name.clone(), key), at);
            waiting.add(ResultKey::Response(key), at);
        }
    }
    waiting
}

fn by_id(run: &Run, _: &Alike) -> Vec<ResultKey> {
    run.call
        .id
        .iter()
        .map(|id| ResultKey::Id(id.clone()))
        .collect()
}

fn by_response(run: &Run, alike: &Alike) -> Vec<ResultKey> {
    let Some(result) = &run.result else {
        return Vec::new();
    };
    let key = alike.key(&result.response);
    vec![
        ResultKey::Told(None, key),
        ResultKey::Told(result.name.clone(), key),
    ]
}

fn by_name(run: &Run, _: &Alike) -> Vec<ResultKey> {
    let name = run.call.name.clone();
    vec![match &run.call.id {
        None => ResultKey::Name(name),
        Some(_) => ResultKey::NameAlone(name),
    }]
}

fn by_equal(run: &Run, alike: &Alike) -> Vec<ResultKey> {
    let key = run
        .result
        .as_ref()
        .map(|result| alike.key(&result.response));
    key.map(ResultKey::Response).into_iter().collect()
}

/// A message tells of a run.
fn tell(said: &mut Said, run: Run, asked: &HashSet<String>) {
    said.span = Some(run.span);
    said.time_ns = Some(run.start_ns);
    said.duration_ns = run.duration_ns;
    said.error = run.error;
    for part in &mut said.message.parts {
        if let Part::Result(result) = part {
            result.name.get_or_insert_with(|| run.call.name.clone());
        }
    }
    // Some agents do not record the answer that asked for the call.
    if run.call.id.as_ref().is_some_and(|id| !asked.contains(id)) {
        said.message.parts.insert(0, Part::Call(run.call));
    }
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

/// What a call may be found by.
#[derive(Debug, PartialEq, Eq, Hash)]
enum CallKey {
    Id(String),
    Whole(String, u128),
    Name(String),
}

/// The calls that models ask for and no message tells the result of.
fn open_calls(conversation: &Conversation) -> Vec<ToolCall> {
    let parts = || {
        conversation
            .said
            .iter()
            .flat_map(|said| &said.message.parts)
    };
    let mut by_id: HashSet<&str> = HashSet::new();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for part in parts() {
        let Part::Result(result) = part else { continue };
        match (&result.id, &result.name) {
            (Some(id), _) => {
                by_id.insert(id);
            }
            (None, Some(name)) => *by_name.entry(name).or_default() += 1,
            (None, None) => {}
        }
    }
    let mut open = Vec::new();
    for part in parts() {
        let Part::Call(call) = part else { continue };
        if call.id.as_deref().is_some_and(|id| by_id.contains(id)) {
            continue;
        }
        match by_name.get_mut(call.name.as_str()) {
            Some(left) if *left > 0 => *left -= 1,
            _ => open.push(call.clone()),
        }
    }
    open
}

/// Adds the runs that no message tells of, each at its time.
fn add(conversation: &mut Conversation, runs: Vec<Run>, alike: &Alike) {
    if runs.is_empty() {
        return;
    }
    let open = open_calls(conversation);
    let mut waiting = Waiting::new();
    for (at, call) in open.iter().enumerate() {
        if let Some(id) = &call.id {
            waiting.add(CallKey::Id(id.clone()), at);
        }
        waiting.add(
            CallKey::Whole(call.name.clone(), alike.key(&call.arguments)),
            at,
        );
        waiting.add(CallKey::Name(call.name.clone()), at);
    }
    let latest = latest(conversation);
    let mut added: Vec<(usize, Said)> = Vec::with_capacity(runs.len());
    for run in runs {
        let place = place(&latest, &run);
        let call = &run.call;
        let asked = call
            .id
            .as_ref()
            .and_then(|id| waiting.take([CallKey::Id(id.clone())], 0))
            .or_else(|| {
                let key = CallKey::Whole(call.name.clone(), alike.key(&call.arguments));
                waiting.take([key], 0)
            })
            .or_else(|| waiting.take([CallKey::Name(call.name.clone())], 0));
        let depth = place
            .checked_sub(1)
            .map_or(0, |at| conversation.said[at].depth);
        let mut said = alone(run, asked.map(|at| &open[at]));
        said.depth = depth;
        added.push((place, said));
    }
    let mut added = added.into_iter().peekable();
    let before = std::mem::take(&mut conversation.said);
    for (at, said) in before.into_iter().enumerate() {
        while let Some((_, one)) = added.next_if(|(place, _)| *place <= at) {
            conversation.said.push(one);
        }
        conversation.said.push(said);
    }
    conversation.said.extend(added.map(|(_, one)| one));
}

/// Of each message the greatest time until there at which a call began.
fn latest(conversation: &Conversation) -> Vec<i64> {
    let mut latest = i64::MIN;
    let times = conversation.said.iter().map(|said| {
        latest = latest.max(said.call_ns.unwrap_or(i64::MIN));
        latest
    });
    times.collect()
}

/// The first place at which something is said after a run began.
fn place(latest: &[i64], run: &Run) -> usize {
    latest.partition_point(|time| *time <= run.start_ns)
}

/// The message of a run by itself; with its call, where no model asked for it.
fn alone(run: Run, asked: Option<&ToolCall>) -> Said {
    let failed = run.error.is_some();
    let name = Some(run.call.name.clone());
    let id = match asked {
        Some(call) => call.id.clone().or_else(|| run.call.id.clone()),
        None => run.call.id.clone(),
    };
    let mut parts = Vec::new();
    if asked.is_none() {
        parts.push(Part::Call(run.call));
    }
    let mut result = run.result.unwrap_or(ToolResult {
        id: None,
        name,
        response: Value::Null,
        is_error: failed.then_some(true),
    });
    result.id = result.id.or(id);
    parts.push(Part::Result(result));
    let mut said = Said::new(Message::new(Role::Tool, parts));
    said.span = Some(run.span);
    said.time_ns = Some(run.start_ns);
    said.call_ns = Some(run.start_ns);
    said.duration_ns = run.duration_ns;
    said.error = run.error;
    said
}
