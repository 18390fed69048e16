//! What may be typed after `mlt latency`.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::values::at_least_one;
use super::{OverTimeArgs, SelectionArgs};
use crate::analysis::{GroupKey, Sort, Supposition, Unit};
use crate::complete;

pub(super) const HELP: &str = "\
Columns:
  TOTAL  durations as recorded, nested spans counted again; a name nested in itself counts once
  SELF   time in a span, and within its parent, that none of its children covers
  CRIT   time on the critical path: what has to shrink for the trace to end sooner; adds up to 100 %
  ERRORS spans that failed, whatever a row stands for; --by status tells spans apart, too
  The concurrency in the head is the self time of all spans divided by the total: 1.6× stands for
  1.6 spans at work at a time, on average.
  The critical path is inferred from times alone and claims no causality. Durations are those of
  root spans, in nanoseconds, while mlt search, stats and check have MLflow's, in whole milliseconds.
Over many traces:
  N      samples of the percentiles: spans or traces that have ended; failed ones are included
  P50 …  percentiles by linear interpolation (type 7), as MLflow and numpy compute them;
         ~ marks a p95 from fewer than 20 samples, and a p99 from fewer than 100
  CRIT   critical-path time of all traces; its share of the sum of their totals adds up to 100 %
  Of the slowest traces, MOSTLY WAITED FOR names the one span with most time on the critical path,
  with its own time: not that of all spans of its name.";

/// Show where the time of a trace, or of many, went.
#[derive(Debug, Args)]
pub struct LatencyArgs {
    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// What a row stands for: name, type, status, model, path or span (of one trace only); of traces
    /// trace (the name), session, user, models, error, tags.KEY or any other field; over many traces
    /// two, separated by a comma
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "name",
        value_name = "KEY",
        add = ArgValueCompleter::new(complete::row_keys)
    )]
    pub by: Vec<RowBy>,

    /// What one sample of the percentiles is [default: call; trace, where only traces are told apart]
    #[arg(long, value_enum, value_name = "UNIT")]
    pub per: Option<SampleUnit>,

    /// What rows are sorted by, largest first [default: self; over many traces critical]
    #[arg(long, value_enum, alias = "order-by", value_name = "COLUMN")]
    pub sort: Option<LatencySort>,

    /// Which columns of the rows, separated by commas: name,p95_ns,critical_ratio
    #[arg(long, value_name = "COLUMN,…", add = ArgValueCompleter::new(complete::latency_columns))]
    pub columns: Vec<String>,

    /// Only the first so many rows
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub top: Option<u64>,

    /// List the sections of the critical path in time order (of one trace)
    #[arg(long)]
    pub critical_path: bool,

    /// List the time in which no span but the root ran (of one trace)
    #[arg(long)]
    pub gaps: bool,

    /// Draw how the durations of the traces are spread, or those of the spans of one name
    #[arg(
        long,
        value_name = "SPAN NAME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub plot: Option<String>,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub over_time: OverTimeArgs,

    /// List the slowest traces; with -o ids nothing but their ids, for mlt get -
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub slowest: Option<u64>,

    /// How much sooner traces would end at best if spans of a name and what they called took less:
    /// retrieve=0, retrieve=50%; self:retrieve=0 for the spans themselves, without what they called
    #[arg(long, value_name = "SPAN NAME=PART")]
    pub what_if: Option<WhatIf>,
}

/// What a row stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowBy(pub GroupKey);

impl FromStr for RowBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match GroupKey::parse(text) {
            // Time would be counted once for each of them.
            Some(key) if key.is_of_assessments() => Err(format!(
                "traces with several assessments would be in several rows; \
                 `mlt stats 'p95(duration)' --by {key}` has them there"
            )),
            key => key.map(Self).ok_or_else(|| EXPECTED_KEY.to_owned()),
        }
    }
}

/// What can be grouped by.
pub(super) const EXPECTED_KEY: &str = "expected of spans name, type, status, model, path, span.error or \
     span.attributes.KEY, of traces trace, models, session, user, experiment, error, failed, tags.KEY, \
     metadata.KEY or any other field of theirs; always of spans: span.name, span.type, span.status, \
     span.model, span.path; always of traces: trace.name, trace.status, trace.models";

/// What one sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SampleUnit {
    /// One span
    Call,
    /// The sum over one trace
    Trace,
}

impl From<SampleUnit> for Unit {
    fn from(unit: SampleUnit) -> Self {
        match unit {
            SampleUnit::Call => Self::Call,
            SampleUnit::Trace => Self::Trace,
        }
    }
}

/// Spans of a name that would take less time.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf(pub Supposition);

impl FromStr for WhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected the name of spans and the part of their time that is left, such as retrieve=0 or retrieve=50%";
        let (name, part) = text.rsplit_once('=').ok_or(EXPECTED)?;
        let (number, scale) = match part.trim().strip_suffix('%') {
            Some(number) => (number, 0.01),
            None => (part, 1.0),
        };
        let factor: f64 = number.trim().parse().map_err(|_| EXPECTED)?;
        let factor = factor * scale;
        let own = name.strip_prefix("self:");
        let name = own.unwrap_or(name);
        if name.is_empty() || !(0.0..=1.0).contains(&factor) {
            return Err(EXPECTED.to_owned());
        }
        Ok(Self(Supposition {
            name: name.to_owned(),
            with_called: own.is_none(),
            factor,
        }))
    }
}

/// What latency rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LatencySort {
    /// Self time
    #[value(name = "self")]
    SelfTime,
    /// Duration
    Total,
    /// Time on the critical path
    Critical,
    /// Number of spans
    Count,
    /// Number of errors
    Errors,
    /// Mean duration
    Avg,
    /// Median duration
    P50,
    /// 95th percentile
    P95,
    /// 99th percentile
    P99,
    /// Longest duration
    Max,
    /// Name, ascending
    Name,
}

impl From<LatencySort> for Sort {
    fn from(sort: LatencySort) -> Self {
        match sort {
            LatencySort::SelfTime => Self::SelfTime,
            LatencySort::Total => Self::Total,
            LatencySort::Critical => Self::Critical,
            LatencySort::Count => Self::Count,
            LatencySort::Errors => Self::Errors,
            LatencySort::Avg => Self::Avg,
            LatencySort::P50 => Self::P50,
            LatencySort::P95 => Self::P95,
            LatencySort::P99 => Self::P99,
            LatencySort::Max => Self::Max,
            LatencySort::Name => Self::Name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supposition_is_a_name_and_a_part() {
        let parsed = |text: &str| text.parse::<WhatIf>().map(|what_if| what_if.0);
        let half = parsed("a=b = 50%").unwrap();
        assert_eq!((half.name.as_str(), half.with_called), ("a=b ", true));
        assert!((half.factor - 0.5).abs() < 1e-12);
        let own = parsed("self:retrieve=0").unwrap();
        assert_eq!((own.name.as_str(), own.with_called), ("retrieve", false));
        for bad in [
            "retrieve",
            "=0",
            "self:=0",
            "retrieve=",
            "retrieve=-1",
            "retrieve=NaN",
            "retrieve=101%",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rows_may_stand_for_what_traces_have_in_common() {
        let tag = "tag:a:b".parse::<RowBy>().unwrap();
        assert_eq!(
            tag.0,
            GroupKey::Trace(crate::field::Field::Tag("a:b".to_owned()))
        );
        assert_eq!(tag, "tags.`a:b`".parse().unwrap());
        for bad in ["tag:", "tags.", "Name", ""] {
            assert!(bad.parse::<RowBy>().is_err(), "{bad}");
        }
    }
}
