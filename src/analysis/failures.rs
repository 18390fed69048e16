//! Failures of traces as data: where each began, and which of them are the same. A failure
//! is told by the span in which it began; parents that pass it on do not count again. Two
//! are the same where kind, type and message are, without what varies in the message.

mod find;
mod mask;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::model::{Detail, Timestamp, Trace, TraceState};

pub use mask::{MOST_CHARS as MOST_MESSAGE_CHARS, template};

/// More kinds of failures than this are not told apart.
pub const MOST_FAILURE_GROUPS: usize = 50_000;

/// What a failure shows by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// A span or a trace in the state `ERROR`.
    Error,
    /// A tool that ended well and says that it failed.
    Tool,
    /// A status of HTTP from 400 on, of a span in another state.
    Http,
    /// A model that declined to answer, or was kept from it.
    Refusal,
    /// A model that had no tokens left for its answer.
    Length,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Error,
        Self::Tool,
        Self::Http,
        Self::Refusal,
        Self::Length,
    ];

    /// `error`, `tool` and so on.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Tool => "tool",
            Self::Http => "http",
            Self::Refusal => "refusal",
            Self::Length => "length",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CountedPer {
    /// Each failure.
    #[default]
    Failure,
    /// Each failed trace, by its first failure.
    Trace,
}

/// A failure of a trace.
#[derive(Debug, Clone, PartialEq)]
struct Occurred {
    kind: FailureKind,
    class: Option<String>,
    /// With masks; empty where nothing is said.
    message: String,
    /// The span in which it began, or else the tool.
    span: Option<String>,
    time: Option<Timestamp>,
}

/// What failures have in common, in the order of last resort.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    class: Option<String>,
    message: String,
    kind: FailureKind,
}

#[derive(Debug, Default)]
struct Group {
    count: usize,
    traces: usize,
    /// The trace that was counted last, by its number.
    counted: usize,
    spans: HashMap<Option<String>, usize>,
    first: Option<Timestamp>,
    /// The last, with its trace.
    last: Option<(Option<Timestamp>, Reverse<String>)>,
}

/// Failures that are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// What they show by.
    pub kind: FailureKind,
    /// The exception's type, where there is one.
    pub class: Option<String>,
    /// The message with masks, where something is said.
    pub message: Option<String>,
    /// How many there are, of failures or of traces.
    pub count: usize,
    /// In how many traces.
    pub traces: usize,
    /// The commonest name of the span in which they began.
    pub span: Option<String>,
    /// How many other names there are.
    pub other_spans: usize,
    /// When the first was.
    pub first: Option<Timestamp>,
    /// When the last was.
    pub last: Option<Timestamp>,
    /// The trace with the last.
    pub trace_id: String,
}

/// What failed in a selection of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureReport {
    /// The commonest first.
    pub groups: Vec<FailureGroup>,
    /// Traces that were looked at.
    pub traces: usize,
    /// Those in which something failed.
    pub failed_traces: usize,
    /// Those of them that are not in the state ERROR.
    pub without_error_state: usize,
    /// How often something failed.
    pub failures: usize,
    /// What counts of the groups sum up to.
    pub counted: usize,
    /// Failures that are told together, there being too many that differ.
    pub merged: usize,
}

/// Gathers failures, trace by trace.
#[derive(Debug)]
pub struct Failures {
    kinds: BTreeSet<FailureKind>,
    per: CountedPer,
    groups: HashMap<Key, Group>,
    traces: usize,
    failed_traces: usize,
    without_error_state: usize,
    found: usize,
    merged: usize,
}

impl Failures {
    /// Of these kinds.
    pub fn new(kinds: BTreeSet<FailureKind>, per: CountedPer) -> Self {
        Self {
            kinds,
            per,
            groups: HashMap::new(),
            traces: 0,
            failed_traces: 0,
            without_error_state: 0,
            found: 0,
            merged: 0,
        }
    }

    /// How much of the spans it needs.
    pub fn detail(&self) -> Detail {
        if self.kinds.iter().all(|kind| *kind == FailureKind::Error) {
            Detail::Events
        } else {
            Detail::Whole
        }
    }

    /// Adds a trace with its spans.
    pub fn add(&mut self, trace: &Trace) {
        self.traces += 1;
        let mut found = find::failures(trace, &self.kinds);
        self.found += found.len();
        self.failed_traces += usize::from(!found.is_empty());
        let is_no_error = !found.is_empty() && trace.info.state != TraceState::Error;
        self.without_error_state += usize::from(is_no_error);
        if self.per == CountedPer::Trace {
            found.truncate(1);
        }
        for failure in found {
            self.count(failure, &trace.info.trace_id);
        }
    }

    fn count(&mut self, failure: Occurred, trace_id: &str) {
        let mut key = Key {
            class: failure.class,
            message: failure.message,
            kind: failure.kind,
        };
        if self.groups.len() >= MOST_FAILURE_GROUPS && !self.groups.contains_key(&key) {
            (key.class, key.message) = (None, mask::ANY.to_owned());
            self.merged += 1;
        }
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        if group.counted != self.traces {
            group.counted = self.traces;
            group.traces += 1;
        }
        *group.spans.entry(failure.span).or_default() += 1;
        group.first = [group.first, failure.time].into_iter().flatten().min();
        let seen = Some((failure.time, Reverse(trace_id.to_owned())));
        group.last = seen.max(group.last.take());
    }

    /// What was found.
    pub fn finish(self) -> FailureReport {
        let groups = self.groups.into_iter();
        let mut groups: Vec<FailureGroup> = groups.map(|(key, group)| group.told(key)).collect();
        groups.sort_by(|a, b| {
            let order = |group: &FailureGroup| Reverse((group.count, group.last));
            let text =
                |group: &FailureGroup| (group.class.clone(), group.message.clone(), group.kind);
            order(a).cmp(&order(b)).then_with(|| text(a).cmp(&text(b)))
        });
        FailureReport {
            traces: self.traces,
            failed_traces: self.failed_traces,
            without_error_state: self.without_error_state,
            failures: self.found,
            merged: self.merged,
            counted: match self.per {
                CountedPer::Failure => self.found,
                CountedPer::Trace => self.failed_traces,
            },
            groups,
        }
    }
}

impl Group {
    fn told(self, key: Key) -> FailureGroup {
        let other_spans = self.spans.len().saturating_sub(1);
        let commonest = self.spans.into_iter().max_by(|(a, a_count), (b, b_count)| {
            // Of names that are as common, the first.
            a_count.cmp(b_count).then_with(|| b.cmp(a))
        });
        let (last, Reverse(trace_id)) = self.last.unwrap_or_default();
        FailureGroup {
            kind: key.kind,
            class: key.class,
            message: Some(key.message).filter(|message| !message.is_empty()),
            count: self.count,
            traces: self.traces,
            span: commonest.and_then(|(name, _)| name),
            other_spans,
            first: self.first,
            last,
            trace_id,
        }
    }
}

#[cfg(test)]
mod tests;
