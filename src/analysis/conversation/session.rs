//! A session: the conversation of several traces, each of which resends what was
//! said before, or does not.

use super::fingerprint::Shown;
use super::{Conversation, conversation_after};
use crate::analysis::{SpanTree, UsageReport, trace_usage};
use crate::model::{Assessment, Cost, TokenUsage, Trace, TraceState};

/// What the turns of a session come to, one trace after the other.
#[derive(Debug, Default)]
pub struct Session {
    shown: Shown,
    /// Turns until now.
    pub turns: usize,
    /// Those that failed.
    pub failed: usize,
    /// Nanoseconds since the Unix epoch: the start of the first, the end of the last.
    pub extent_ns: Option<(i64, i64)>,
    /// How long each took, in nanoseconds.
    pub durations_ns: Vec<i64>,
    /// Tokens of all; `None` where nobody reports any.
    pub usage: Option<TokenUsage>,
    /// US dollars of all.
    pub cost: Option<Cost>,
    /// The end users, each once.
    pub users: Vec<String>,
    /// What was said of the session as a whole.
    pub assessments: Vec<Assessment>,
}

/// A turn of a session.
#[derive(Debug)]
pub struct Turn {
    /// The first is 1.
    pub number: usize,
    /// What is new in it.
    pub conversation: Conversation,
    /// Its tokens and cost.
    pub usage: UsageReport,
    /// What was said of it.
    pub assessments: Vec<Assessment>,
}

impl Session {
    /// The next trace, in the order of time.
    pub fn turn(&mut self, trace: &Trace, tree: &SpanTree) -> Turn {
        let info = &trace.info;
        self.turns += 1;
        self.failed += usize::from(info.state == TraceState::Error);
        if !tree.is_empty() {
            let (start, end) = tree.extent_ns;
            let so_far = self.extent_ns.unwrap_or((start, end));
            self.extent_ns = Some((so_far.0.min(start), so_far.1.max(end)));
            self.durations_ns.push(tree.total_ns);
        }
        let usage = trace_usage(trace, tree);
        if let Some(tokens) = usage.tokens.value() {
            self.usage = Some(self.usage.unwrap_or_default().plus(tokens));
        }
        if let Some(cost) = usage.cost.value() {
            self.cost = Some(self.cost.unwrap_or_default().plus(cost));
        }
        if let Some(user) = info.user()
            && !self.users.iter().any(|known| known == user)
        {
            self.users.push(user.to_owned());
        }
        let (of_session, of_turn): (Vec<_>, Vec<_>) = info
            .assessments
            .iter()
            .cloned()
            .partition(Assessment::is_of_session);
        self.assessments.extend(of_session);
        Turn {
            number: self.turns,
            conversation: conversation_after(trace, tree, &mut self.shown),
            usage,
            assessments: of_turn,
        }
    }
}
