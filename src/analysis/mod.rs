//! Where the time of a trace went: pure functions over [`crate::model`]. Nothing
//! here does I/O, knows a store or a terminal, or asks the clock. All times are
//! integer nanoseconds; a ratio is computed once, at the end, as `Option<f64>`
//! that is `None` where the total is 0. [`analyse`] is the way in for one trace,
//! [`Aggregation`] for many, [`Comparison`] for two sides, and [`Tally`] for what
//! is asked of many in words.

mod aggregate;
mod assessed;
mod bootstrap;
mod buckets;
mod census;
mod conversation;
mod critical_path;
mod diff;
mod excerpt;
mod failures;
mod gaps;
mod group;
mod histogram;
mod lanes;
mod latency;
mod many;
mod measure;
mod number;
mod over_time;
mod percentile;
mod proportion;
mod retention;
mod self_time;
mod sessions;
mod stats;
mod student;
mod tool_use;
mod tree;
mod tree_build;
mod typical;
mod usage;
mod verdict;
mod warning;
mod welch;

#[cfg(test)]
pub(crate) mod properties;
#[cfg(test)]
mod sample;

pub use aggregate::{Aggregation, Occurrence, Row, Sort, Unit};
pub use bootstrap::{ConfidenceInterval, DEFAULT_SEED};
pub use buckets::{Buckets, Start};
pub use census::{Census, KeyCount};
pub use conversation::{Conversation, Found, Lookup, Said, Session, Turn, conversation};
pub use critical_path::Section;
pub use diff::{
    Comparison, Diff, DiffRow, DiffSort, FeedbackTotal, Finding, Intake, Matching, Measure,
    OnlyTrace, RowsFound, Side, Sides, Total, UNITS_PER_DOLLAR, UNITS_PER_WHOLE, Verdict,
};
pub use excerpt::excerpt;
pub use failures::{
    CountedPer, FailureGroup, FailureKind, FailureReport, Failures, MOST_FAILURE_GROUPS,
    MOST_MESSAGE_CHARS, template,
};
pub use gaps::Gap;
pub use group::{By, GroupKey, RowKey};
pub use histogram::{Bin, Histogram};
pub use lanes::{Lanes, Slot};
pub use latency::{LatencyReport, analyse};
pub use many::{Many, ManyReport, Question, SlowTrace, Supposition, WhatIf};
pub use measure::{
    Bundled, MOST_BLAMED, Measured, Noise, Sample, SampleSpan, Spread, Tally, Told, mean_ns, share,
    sum_ns,
};
pub use number::ratio;
pub use over_time::{Interval, MOST_INTERVALS, over_time};
pub use percentile::{Quantile, Summary, percentile, percentile_by};
pub use retention::{Amount, Keep};
pub use sessions::{SessionSummary, Sessions};
pub use stats::{
    AssessmentRow, Statistic, Stats, StatsGroup, StatsQuestion, StatsReport, StatsRow, StatsSort,
};
pub use tool_use::{ToolUse, UsedCall, tool_uses};
pub use tree::{Guides, Node, NodeId, Place, Siblings, SpanTree, Standing, TotalBasis};
pub use typical::{LogChange, Logs, Test};
pub use usage::{Figure, FigureSource, UsageReport, roll_up, trace_usage};
pub use verdict::{Change, Earlier, Failure, Judgement, Problem, Ruling, Terms};
pub use warning::Warning;
pub use welch::Moments;
