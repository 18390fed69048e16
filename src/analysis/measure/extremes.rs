//! The few samples that are to blame for a value. While a trace is added, they
//! are known by their node; names are put to those that are left when it is done,
//! since a path may be as long as its trace.

use super::{MOST_BLAMED, Sample, SampleSpan};
use crate::analysis::{NodeId, SpanTree};
use crate::filter::Number;
use crate::model::Trace;

/// A sample, before or after names were put to it.
#[derive(Debug, Clone)]
pub(super) struct Blame {
    value: Option<Number>,
    who: Who,
}

#[derive(Debug, Clone)]
enum Who {
    /// In the trace that is being added.
    Here(Option<NodeId>),
    Named(Box<Sample>),
}

impl Blame {
    pub(super) fn new(value: Option<Number>, node: Option<NodeId>) -> Self {
        Self {
            value,
            who: Who::Here(node),
        }
    }

    pub(super) fn name(&mut self, trace: &Trace, tree: Option<&SpanTree>) {
        let Who::Here(node) = self.who else {
            return;
        };
        let span = node.zip(tree).map(|(node, tree)| SampleSpan {
            id: tree.span(node, trace).span_id.clone(),
            path: tree.path_text(node, trace),
        });
        self.who = Who::Named(Box::new(Sample {
            trace_id: trace.info.trace_id.clone(),
            span,
            value: self.value,
        }));
    }

    pub(super) fn sample(&self) -> Option<Sample> {
        match &self.who {
            Who::Here(_) => None,
            Who::Named(sample) => Some(sample.as_ref().clone()),
        }
    }
}

/// The largest and the smallest samples; of equal ones, those that came first.
#[derive(Debug, Clone, Default)]
pub(super) struct Extremes {
    largest: Vec<Blame>,
    smallest: Vec<Blame>,
}

impl Extremes {
    pub(super) fn add(&mut self, value: Number, node: Option<NodeId>) {
        insert(&mut self.largest, value, node, |new, old| {
            new.compare(old).is_gt()
        });
        insert(&mut self.smallest, value, node, |new, old| {
            new.compare(old).is_lt()
        });
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Blame> {
        self.largest.iter_mut().chain(&mut self.smallest)
    }

    pub(super) fn largest(&self) -> &[Blame] {
        &self.largest
    }

    pub(super) fn smallest(&self) -> &[Blame] {
        &self.smallest
    }
}

fn insert(
    kept: &mut Vec<Blame>,
    value: Number,
    node: Option<NodeId>,
    beats: impl Fn(Number, Number) -> bool,
) {
    let at = kept.partition_point(|old| old.value.is_none_or(|old| !beats(value, old)));
    if at < MOST_BLAMED {
        kept.truncate(MOST_BLAMED - 1);
        kept.insert(at, Blame::new(Some(value), node));
    }
}
