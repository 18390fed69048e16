//! Aggregates of the filter language over many traces. A [`Tally`] takes traces
//! one by one and keeps numbers alone, and for each aggregate the few samples
//! that are to blame for its value. Definitions are those of latency tables:
//! spans are the nodes of [`SpanTree`], percentiles of type 7; what is in progress
//! has no duration yet and is left out where durations are measured.

mod extremes;
mod keeper;
mod spread;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value as Json;

use super::{LatencyReport, Node, NodeId, SpanTree, Standing, analyse};
use crate::field::{Field, Value};
use crate::filter::aggregate::{Aggregate, Function, Measure};
use crate::filter::{Matcher, Number, SpanMatcher};
use crate::messages;
use crate::model::Detail;
use crate::model::{
    Assessment, AssessmentKind, Span, SpanId, StatusCode, Trace, TraceInfo, TraceState,
};
use extremes::{Blame, Extremes};
use keeper::Keeper;
use values::Values;

pub use spread::{Bundled, Noise, Spread, Told};
pub use values::{mean_ns, share, sum_ns};

/// How many samples are kept to blame for a value.
pub const MOST_BLAMED: usize = 3;

/// Aggregates in the making. Cloned while it is empty, it makes another group of
/// the same aggregates.
#[derive(Debug, Clone)]
pub struct Tally {
    asked: Arc<[Asked]>,
    sums: Vec<Sum>,
}

/// An aggregate made ready.
#[derive(Debug)]
struct Asked {
    aggregate: Aggregate,
    scope: Scope,
}

#[derive(Debug)]
enum Scope {
    Traces(Matcher),
    Spans(SpanMatcher),
}

/// What an aggregate has come to so far.
#[derive(Debug, Clone)]
struct Sum {
    /// Samples; for counts, all that were looked at.
    n: usize,
    /// For counts those that passed, for error rates the errors.
    hits: usize,
    values: Values,
    first: Vec<Blame>,
    extremes: Extremes,
    /// What the spread is told from, where it was asked for.
    keeper: Option<Keeper>,
}

/// An aggregate's value.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// In the unit of the aggregate: nanoseconds, a share from 0 to 1 or a plain
    /// number; `None` where there is no sample.
    pub value: Option<Number>,
    /// How many traces, spans or assessments are behind it; for counts, how many
    /// were looked at.
    pub n: usize,
    /// The percentile of so few samples says little: a p95 of fewer than 20, a
    /// p99 of fewer than 100.
    pub rough: bool,
    /// The first samples that were counted; for error rates, the first errors.
    pub first: Vec<Sample>,
    /// The largest samples, the largest first.
    pub largest: Vec<Sample>,
    /// The smallest samples, the smallest first.
    pub smallest: Vec<Sample>,
    /// How far the samples are spread, where that was asked for and anything is
    /// left to chance.
    pub spread: Option<Spread>,
}

/// A sample that is to blame for a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The trace.
    pub trace_id: String,
    /// The span, where spans are measured.
    pub span: Option<SampleSpan>,
    /// What was measured; `None` where things are counted.
    pub value: Option<Number>,
}

/// The span of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSpan {
    /// Its id.
    pub id: SpanId,
    /// The names from the root down, as [`SpanTree::path_text`] writes them.
    pub path: String,
}

impl Tally {
    /// Of no trace yet.
    pub fn new(aggregates: &[Aggregate]) -> Self {
        let asked: Arc<[Asked]> = aggregates
            .iter()
            .map(|aggregate| Asked {
                scope: if aggregate.measure.is_of_spans() {
                    Scope::Spans(aggregate.filter.span_matcher())
                } else {
                    Scope::Traces(aggregate.filter.matcher())
                },
                aggregate: aggregate.clone(),
            })
            .collect();
        Self {
            sums: asked.iter().map(Sum::new).collect(),
            asked,
        }
    }

    /// Keeps what tells a change of a value from chance, too.
    #[must_use]
    pub fn with_spread(mut self) -> Self {
        for (asked, sum) in self.asked.iter().zip(&mut self.sums) {
            sum.keeper = Keeper::new(&asked.aggregate);
        }
        self
    }

    /// How much of the spans is needed for all the aggregates together.
    pub fn detail(&self) -> Option<Detail> {
        let needed = self.asked.iter().map(|asked| asked.aggregate.detail());
        needed.max().flatten()
    }

    /// Adds a trace. Nothing of it is kept but numbers, and the ids and paths of
    /// samples to blame.
    pub fn add(&mut self, trace: &Trace) {
        let prepared = self.prepare(trace);
        self.add_prepared(&prepared);
    }

    /// Makes a trace ready for this and every other tally of the same aggregates.
    pub(super) fn prepare<'t>(&self, trace: &'t Trace) -> Prepared<'t> {
        let of_spans = |asked: &Asked| matches!(asked.scope, Scope::Spans(_));
        let of_paths = |asked: &Asked| {
            matches!(
                asked.aggregate.measure,
                Measure::SelfTime | Measure::CriticalTime
            )
        };
        let spans = if self.asked.iter().any(of_paths) {
            Spans::Analysed(Box::new(analyse(trace)))
        } else if self.asked.iter().any(of_spans) {
            Spans::Tree(SpanTree::build(trace))
        } else {
            Spans::None
        };
        Prepared { trace, spans }
    }

    /// Adds a trace with all its spans.
    pub(super) fn add_prepared(&mut self, prepared: &Prepared<'_>) {
        let Prepared { trace, spans } = prepared;
        for (asked, sum) in self.asked.iter().zip(&mut self.sums) {
            match &asked.scope {
                Scope::Traces(matcher) => sum.add_trace(&asked.aggregate, matcher, trace),
                Scope::Spans(matcher) => {
                    if let Some(tree) = spans.tree() {
                        let all = tree.preorder().map(|(id, _)| id);
                        sum.add_spans(&asked.aggregate, matcher, prepared, tree, all);
                    }
                }
            }
            sum.name_blamed(trace, spans.tree());
        }
    }

    /// Adds some spans of a trace, for what is measured of spans.
    pub(super) fn add_spans(&mut self, prepared: &Prepared<'_>, nodes: &[NodeId]) {
        let Some(tree) = prepared.spans.tree() else {
            return;
        };
        for (asked, sum) in self.asked.iter().zip(&mut self.sums) {
            if let Scope::Spans(matcher) = &asked.scope {
                let nodes = nodes.iter().copied();
                sum.add_spans(&asked.aggregate, matcher, prepared, tree, nodes);
                sum.name_blamed(prepared.trace, Some(tree));
            }
        }
    }

    /// What the aggregates come to, in their order.
    pub fn results(&self) -> Vec<Measured> {
        let both = self.asked.iter().zip(&self.sums);
        both.map(|(asked, sum)| sum.measured(&asked.aggregate))
            .collect()
    }
}

/// A trace with what is needed of its spans.
pub(super) struct Prepared<'t> {
    trace: &'t Trace,
    spans: Spans<'t>,
}

impl Prepared<'_> {
    /// Its spans, where aggregates are about spans.
    pub(super) fn tree(&self) -> Option<&SpanTree> {
        self.spans.tree()
    }
}

/// The spans of the trace being added, as far as they are needed.
enum Spans<'t> {
    None,
    Tree(SpanTree),
    Analysed(Box<LatencyReport<'t>>),
}

impl Spans<'_> {
    fn tree(&self) -> Option<&SpanTree> {
        match self {
            Self::None => None,
            Self::Tree(tree) => Some(tree),
            Self::Analysed(report) => Some(&report.tree),
        }
    }
}

impl Sum {
    fn new(asked: &Asked) -> Self {
        let Aggregate {
            function, measure, ..
        } = &asked.aggregate;
        Self {
            n: 0,
            hits: 0,
            values: Values::new(*function, measure.unit()),
            first: Vec::new(),
            extremes: Extremes::default(),
            keeper: None,
        }
    }

    fn add_trace(&mut self, aggregate: &Aggregate, matcher: &Matcher, trace: &Trace) {
        let passes = matcher.matches(&trace.info, &trace.spans);
        match aggregate.function {
            Function::Count => {
                self.n += 1;
                self.hit(passes, None);
            }
            _ if !passes => {}
            Function::ErrorRate => {
                self.n += 1;
                self.hit(trace.info.state == TraceState::Error, None);
            }
            _ => trace_values(&aggregate.measure, trace, |value| self.sample(value, None)),
        }
        self.end_trace();
    }

    fn add_spans(
        &mut self,
        aggregate: &Aggregate,
        matcher: &SpanMatcher,
        prepared: &Prepared<'_>,
        tree: &SpanTree,
        nodes: impl Iterator<Item = NodeId>,
    ) {
        let Prepared { trace, spans } = prepared;
        let judge = matcher.of(&trace.info, &trace.spans);
        for id in nodes {
            let node = tree.node(id);
            let span = &trace.spans[node.span];
            let passes = judge.matches(span);
            match aggregate.function {
                Function::Count => {
                    self.n += 1;
                    self.hit(passes, Some(id));
                }
                _ if !passes => {}
                Function::ErrorRate => {
                    self.n += 1;
                    self.hit(span.status == StatusCode::Error, Some(id));
                }
                _ => {
                    if let Some(value) = span_value(aggregate, spans, id, node, span) {
                        self.sample(value, Some(id));
                    }
                }
            }
        }
        self.end_trace();
    }

    fn end_trace(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.end_trace(self.hits, self.n);
        }
    }

    fn hit(&mut self, hit: bool, node: Option<NodeId>) {
        if hit {
            self.hits += 1;
            if self.first.len() < MOST_BLAMED {
                self.first.push(Blame::new(None, node));
            }
        }
    }

    fn sample(&mut self, value: Number, node: Option<NodeId>) {
        self.n += 1;
        self.values.add(value);
        self.extremes.add(value, node);
        if let Some(keeper) = &mut self.keeper {
            keeper.add(value);
        }
    }

    /// Puts names to the samples of this trace, before the next one comes.
    fn name_blamed(&mut self, trace: &Trace, tree: Option<&SpanTree>) {
        let all = self.first.iter_mut().chain(self.extremes.all_mut());
        for blame in all {
            blame.name(trace, tree);
        }
    }

    fn measured(&self, aggregate: &Aggregate) -> Measured {
        let function = aggregate.function;
        let value = match function {
            Function::Count => Some(Number::Integer(whole(self.hits))),
            Function::ErrorRate => share(self.hits, self.n).map(Number::Float),
            _ => self.values.result(function),
        };
        let samples = |blamed: &[Blame]| blamed.iter().filter_map(Blame::sample).collect();
        Measured {
            value,
            n: self.n,
            rough: value.is_some() && is_rough(function, self.n),
            first: samples(&self.first),
            largest: samples(self.extremes.largest()),
            smallest: samples(self.extremes.smallest()),
            spread: self.keeper.as_ref().map(Keeper::spread),
        }
    }
}

/// Whether a percentile lies above all samples but the largest, or below all but
/// the smallest.
pub(super) fn is_rough(function: Function, n: usize) -> bool {
    let few = |tail: u16| n.saturating_mul(usize::from(tail)) < 10_000;
    match function {
        Function::Percentile(parts @ 5_001..=9_999) => few(10_000 - parts),
        Function::Percentile(parts @ 1..=4_999) => few(parts),
        _ => false,
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What a trace has of a measure.
fn trace_values(measure: &Measure, trace: &Trace, mut sample: impl FnMut(Number)) {
    let Measure::Of(field) = measure else {
        return;
    };
    let info = &trace.info;
    let value = match field {
        field if field.is_assessment() => {
            assessments(field, info)
                .filter_map(|assessment| assessed(assessment.value()))
                .for_each(sample);
            return;
        }
        Field::ExecutionTime if Standing::of(trace) == Standing::InProgress => None,
        Field::ExecutionTime => info.execution_duration_ns.map(Number::Integer),
        Field::SpanCount => Some(Number::Integer(whole(trace.spans.len()))),
        field => match field.value_of_info(info) {
            Some(Value::Count(number) | Value::Duration(number)) => Some(Number::Integer(number)),
            Some(Value::Money(number) | Value::Number(number)) => finite(number),
            Some(Value::Text(_) | Value::Time(_) | Value::Bool(_)) | None => None,
        },
    };
    if let Some(value) = value {
        sample(value);
    }
}

/// The valid assessments that are values of a field.
fn assessments<'t>(field: &'t Field, info: &'t TraceInfo) -> impl Iterator<Item = &'t Assessment> {
    info.assessments.iter().filter(move |assessment| {
        let ((Field::Feedback(name), AssessmentKind::Feedback { .. })
        | (Field::Expectation(name), AssessmentKind::Expectation { .. })) =
            (field, &assessment.kind)
        else {
            return false;
        };
        assessment.valid && *name == assessment.name
    })
}

/// The number that an assessment comes to, as aggregates measure it.
pub(super) fn score(assessment: &Assessment) -> Option<f64> {
    assessed(assessment.value()).map(Number::as_f64)
}

/// An assessment as MLflow aggregates it: judges also say yes and no.
fn assessed(value: &Json) -> Option<Number> {
    match value {
        Json::String(text) => match text.trim().to_lowercase().as_str() {
            "yes" => Some(Number::Float(1.0)),
            "no" => Some(Number::Float(0.0)),
            _ => None,
        },
        value => number_of(value),
    }
}

/// Numbers, and true and false as 1 and 0.
fn number_of(value: &Json) -> Option<Number> {
    match value {
        Json::Bool(value) => Some(Number::Float(f64::from(u8::from(*value)))),
        value => value.as_f64().and_then(finite),
    }
}

fn finite(value: f64) -> Option<Number> {
    value.is_finite().then_some(Number::Float(value))
}

/// What a span has of a measure.
fn span_value(
    aggregate: &Aggregate,
    spans: &Spans<'_>,
    id: NodeId,
    node: &Node,
    span: &Span,
) -> Option<Number> {
    // A span that has not ended is no sample of a time. In sums of self time and of
    // the critical path it has the part of a table of the trace, which it is in, too.
    let is_counted = !node.in_progress || aggregate.function == Function::Sum;
    match (&aggregate.measure, spans) {
        (Measure::Of(Field::SpanDuration), _) if !node.in_progress => {
            Some(Number::Integer(node.duration_ns()))
        }
        // Detached spans take no part in self time and the critical path.
        (Measure::SelfTime, Spans::Analysed(report)) if is_counted && !node.detached => {
            Some(Number::Integer(report.self_ns(id)))
        }
        (Measure::CriticalTime, Spans::Analysed(report)) if is_counted && !node.detached => {
            Some(Number::Integer(report.critical_ns(id)))
        }
        (Measure::Of(Field::SpanTokens), _) => messages::used(span)
            .and_then(|usage| usage.total())
            .map(Number::Integer),
        (Measure::Of(Field::SpanCost), _) => span
            .reported_cost()
            .and_then(|cost| cost.total())
            .and_then(finite),
        (Measure::Of(Field::SpanAttribute(key)), _) => {
            number_of(&serde_json::from_str(span.attribute(key)?).ok()?)
        }
        _ => None,
    }
}
