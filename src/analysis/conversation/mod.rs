//! A conversation: what was said in a trace, each message once. A trace tells a
//! message many times over: agents around models, wrappers around clients, and the
//! history that each call gets anew. The calls are taken in the order of their
//! start, and of each call's history only what no call before had: a part is new the
//! k-th time that a history has it when fewer than k of it were shown. So a person
//! may say "yes" twice, and a second system prompt shows up once.

mod agents;
mod calls;
mod endings;
mod fingerprint;
mod kept;
mod lookups;
mod session;
mod tools;
mod without_calls;

use std::collections::HashSet;
use std::sync::Arc;

use super::SpanTree;
use crate::messages::{CallUsage, Embedded, Retrieval};
use crate::model::{Message, Part, Role, Trace};

use calls::Call;
use fingerprint::Shown;
pub use session::{Session, Turn};

/// A message and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What was said, as far as it was not shown before.
    pub message: Message,
    /// The span that it comes from, by its place in the trace.
    pub span: Option<usize>,
    /// When the call or the tool began, nanoseconds since the Unix epoch.
    pub time_ns: Option<i64>,
    /// When the call began whose history it is of.
    call_ns: Option<i64>,
    /// How long the call or the tool took.
    pub duration_ns: Option<i64>,
    /// The model that says it.
    pub model: Option<String>,
    /// Tokens of the call.
    pub usage: Option<CallUsage>,
    /// US dollars of the call.
    pub cost_usd: Option<f64>,
    /// The attribute or events that it was read from.
    pub source: Option<&'static str>,
    /// The agent that says it, where there is one.
    pub agent: Option<String>,
    /// How many agents are above that agent.
    pub depth: usize,
    /// What went wrong in the call or the tool.
    pub error: Option<String>,
    /// Which of how many alternatives it is.
    pub alternative: Option<(usize, usize)>,
    /// Whether the call began before the one before it had ended.
    pub parallel: bool,
}

impl Said {
    fn new(message: Message) -> Self {
        Self {
            message,
            span: None,
            time_ns: None,
            call_ns: None,
            duration_ns: None,
            model: None,
            usage: None,
            cost_usd: None,
            source: None,
            agent: None,
            depth: 0,
            error: None,
            alternative: None,
            parallel: false,
        }
    }

    /// Whether nobody recorded what the model said here.
    pub fn is_unrecorded(&self) -> bool {
        self.message.role == Role::Assistant
            && self.message.parts.is_empty()
            && self.source.is_none()
            && self.error.is_none()
    }

    /// Whether it was said after a time, nanoseconds since the Unix epoch.
    pub fn follows(&self, time_ns: i64) -> bool {
        self.call_ns.is_some_and(|call| call > time_ns)
    }
}

/// What was looked up, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// The span, by its place in the trace.
    pub span: usize,
    /// When it began, nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// How long it took; `None` while in progress.
    pub duration_ns: Option<i64>,
    /// What went wrong.
    pub error: Option<String>,
    /// What was found.
    pub found: Found,
}

/// What a look-up gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Documents.
    Documents(Retrieval),
    /// Vectors.
    Vectors(Embedded),
}

/// What was said in a trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversation {
    /// Each message once, in its order.
    pub said: Vec<Said>,
    /// Documents that were found, and what was embedded.
    pub lookups: Vec<Lookup>,
    /// Failures that no message tells of: the places of the spans in which they began.
    pub failures: Vec<usize>,
    /// Calls of models.
    pub calls: usize,
    /// Runs of tools.
    pub tools: usize,
    /// Messages that were told again and are left out.
    pub repeated: usize,
    /// Calls whose content is in no known shape, by the place of their spans.
    pub unread: Vec<usize>,
}

/// What was said in a trace.
pub fn conversation(trace: &Trace, tree: &SpanTree) -> Conversation {
    conversation_after(trace, tree, &mut Shown::default())
}

/// What was said in a trace, without what was shown of the earlier ones of its session.
/// A client that resends the history resends answers, too; where none comes again, what
/// the user says again is said again, and only system prompts need not be repeated.
fn conversation_after(trace: &Trace, tree: &SpanTree, shown: &mut Shown) -> Conversation {
    let calls = calls::find(trace, tree);
    let mut found = Conversation {
        calls: calls.len(),
        ..Conversation::default()
    };
    let is_readable = calls.iter().any(|call| !call.content.is_empty());
    let mut told = if is_readable {
        calls
    } else {
        without_calls::substitutes(trace, tree, calls)
    };
    for call in told.iter_mut().filter(|call| !call.is_whole) {
        let at = tree.node(call.node).span;
        if without_calls::fill(&mut call.content, &trace.spans[at]) {
            found.unread.push(at);
        }
    }
    let resends = told.first().is_some_and(|call| {
        let messages = call.content.input.iter();
        let answers = messages.filter(|one| matches!(one.role, Role::Assistant | Role::Tool));
        let mut parts = answers.flat_map(|one| one.parts.iter().map(move |part| (&one.role, part)));
        parts.any(|(role, part)| shown.has(role, part))
    });
    if !resends {
        shown.keep_system_prompts();
    }
    let agents = agents::of_calls(&told, trace, tree);
    let mut ended_ns = i64::MIN;
    for (call, agent) in told.into_iter().zip(agents) {
        let node = tree.node(call.node);
        let first = found.said.len();
        tell(&mut found, call, trace, tree, shown);
        for said in &mut found.said[first..] {
            said.agent.clone_from(&agent.name);
            said.depth = agent.depth;
            said.parallel = node.start_ns < ended_ns;
        }
        ended_ns = ended_ns.max(node.end_ns);
    }
    tools::attach(&mut found, trace, tree);
    without_calls::add_request(&mut found, trace, tree, shown);
    found.lookups = lookups::find(trace, tree);
    found.failures = untold_failures(&found, trace, tree);
    found
}

/// The spans in which failures began of which neither a message nor a look-up tells.
fn untold_failures(found: &Conversation, trace: &Trace, tree: &SpanTree) -> Vec<usize> {
    let of_messages = found
        .said
        .iter()
        .map(|said| (said.span, said.error.as_ref()));
    let of_lookups = found.lookups.iter();
    let of_lookups = of_lookups.map(|lookup| (Some(lookup.span), lookup.error.as_ref()));
    let mut spans = HashSet::new();
    let mut texts = HashSet::new();
    for (span, error) in of_messages.chain(of_lookups) {
        if let Some(error) = error {
            spans.extend(span);
            texts.insert(error);
        }
    }
    let began = tree.failure_origins(trace).into_iter();
    let began = began.map(|id| tree.node(id).span);
    let is_told = |at: &usize| {
        let text = trace.spans[*at].failure();
        spans.contains(at) || text.is_some_and(|text| texts.contains(&text))
    };
    began.filter(|at| !is_told(at)).collect()
}

/// Adds what is new in a call's history, and its answer.
fn tell(found: &mut Conversation, call: Call, trace: &Trace, tree: &SpanTree, shown: &mut Shown) {
    let node = tree.node(call.node);
    let span = &trace.spans[node.span];
    let mut seen = fingerprint::Seen::default();
    for message in merged(call.content.input) {
        let Message {
            role,
            name,
            parts,
            finish_reason,
        } = message;
        let had_parts = !parts.is_empty();
        let new: Vec<Part> = parts
            .into_iter()
            .filter(|part| shown.is_new(&role, part, &mut seen))
            .collect();
        if new.is_empty() {
            found.repeated += usize::from(had_parts);
            continue;
        }
        for (role, parts) in apart(&role, new) {
            let mut said = Said::new(Message {
                role,
                name: name.clone(),
                parts,
                finish_reason: finish_reason.clone(),
            });
            said.call_ns = Some(node.start_ns);
            said.source = call.content.input_source;
            found.said.push(said);
        }
    }
    let error = span.failure();
    let mut output = call.content.output;
    if output.is_empty() && (!call.is_whole || error.is_some()) {
        output.push(Message::new(Role::Assistant, Vec::new()));
    }
    let count = output
        .iter()
        .filter(|message| message.role == Role::Assistant)
        .count();
    let of = (count > 1 && count == output.len()).then_some(count);
    let mut is_first = true;
    // What stands for a whole answers at its end.
    let answered_ns = if call.is_whole {
        node.end_ns
    } else {
        node.start_ns
    };
    let answers = output.into_iter().flat_map(|message| {
        let Message {
            role,
            name,
            parts,
            finish_reason,
        } = message;
        for part in &parts {
            shown.add(&role, part);
        }
        let whole = if parts.is_empty() {
            vec![(role, parts)]
        } else {
            apart(&role, parts)
        };
        whole.into_iter().map(move |(role, parts)| Message {
            role,
            name: name.clone(),
            parts,
            finish_reason: finish_reason.clone(),
        })
    });
    for (at, mut message) in answers.enumerate() {
        if message.role != Role::Assistant {
            let mut said = Said::new(message);
            said.call_ns = Some(answered_ns);
            said.source = call.content.output_source;
            found.said.push(said);
            continue;
        }
        message.finish_reason = message
            .finish_reason
            .take()
            .or_else(|| call.finish_reason.clone());
        let mut said = Said::new(message);
        said.span = Some(node.span);
        said.time_ns = Some(node.start_ns);
        said.call_ns = Some(answered_ns);
        said.source = call.content.output_source;
        said.alternative = of.map(|of| (at + 1, of));
        if std::mem::take(&mut is_first) {
            said.duration_ns = (!node.in_progress).then(|| node.duration_ns());
            said.usage = call.usage;
            said.cost_usd = call.cost_usd;
            said.error.clone_from(&error);
        }
        said.model.clone_from(&call.model);
        found.said.push(said);
    }
}

/// Neighbouring messages of the model are one.
fn merged(messages: Vec<Arc<Message>>) -> Vec<Message> {
    let mut found: Vec<Message> = Vec::new();
    for message in messages.into_iter().map(Arc::unwrap_or_clone) {
        match found.last_mut() {
            Some(last)
                if last.role == Role::Assistant
                    && message.role == Role::Assistant
                    && last.name == message.name =>
            {
                last.parts.extend(message.parts);
            }
            _ => found.push(message),
        }
    }
    found
}

/// What tools gave back is each a message of a tool, also where an API has it among
/// what the user says.
fn apart(role: &Role, parts: Vec<Part>) -> Vec<(Role, Vec<Part>)> {
    if *role == Role::Assistant {
        return vec![(role.clone(), parts)];
    }
    let mut found: Vec<(Role, Vec<Part>)> = Vec::new();
    for part in parts {
        let is_result = matches!(part, Part::Result(_));
        match found.last_mut() {
            Some((last, parts)) if !is_result && last == role && *role != Role::Tool => {
                parts.push(part);
            }
            // What stands beside a result, such as its image, is the tool's, too.
            Some((Role::Tool, parts)) if !is_result && *role == Role::Tool => parts.push(part),
            _ if is_result => found.push((Role::Tool, vec![part])),
            _ => found.push((role.clone(), vec![part])),
        }
    }
    found
}

#[cfg(test)]
mod tests;
