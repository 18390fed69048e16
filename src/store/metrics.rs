//! Aggregates that a store computes by itself, without handing out a trace.

use super::FilterSource;
use crate::filter::Number;
use crate::filter::aggregate::Aggregate;

/// What groups have in common, as far as stores know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKey {
    /// The trace's name.
    TraceName,
    /// The trace's state.
    TraceState,
    /// The span's name.
    SpanName,
    /// The span's type.
    SpanType,
    /// The span's status.
    SpanStatus,
    /// The model that the span called.
    SpanModel,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct MetricQuestion<'q> {
    /// Experiment ids; none for every active one.
    pub experiments: &'q [String],
    /// Which traces.
    pub filter: &'q FilterSource,
    /// What is computed.
    pub aggregates: &'q [Aggregate],
    /// What groups have in common; none for one group of all.
    pub keys: &'q [MetricKey],
    /// The length of intervals in seconds, where each group is wanted in intervals
    /// of the time at which traces began.
    pub every_s: Option<i64>,
    /// Whether nothing but the very numbers will do that the traces give, spans and
    /// all; otherwise durations of spans may be cut to milliseconds.
    pub exact: bool,
    /// Whether traces must be without assessments for the answer to be whole.
    pub no_assessments: bool,
}

/// The numbers of one group in one interval.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow {
    /// By the question's keys.
    pub keys: Vec<String>,
    /// When the interval begins, in milliseconds since the Unix epoch.
    pub start_ms: Option<i64>,
    /// A value for each aggregate, in its unit, and how many samples it has.
    pub values: Vec<(Option<Number>, usize)>,
}

/// What a store says to it.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricAnswer {
    /// The groups in which there is something.
    Rows {
        /// The groups.
        rows: Vec<MetricRow>,
        /// How many traces there are, where that is known.
        traces: Option<usize>,
        /// Whether they are the very numbers that the traces give; otherwise durations of
        /// spans may be cut to milliseconds, and spans of no group may be left out.
        exact: bool,
    },
    /// The question is not answered, and why: a clause that continues "the numbers
    /// are computed here: ".
    Cannot(String),
}
