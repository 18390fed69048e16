//! The figures of whole traces in a comparison: duration, spans, errors, tokens
//! and cost, of one trace on each side or of a set. Money is counted in units of
//! 10^-12 dollars, so that it adds up as exactly as time does. Durations have
//! intervals by bootstrap, which is right for percentiles, too; the others, of
//! which there are only means, by Welch's approximation.

use std::cell::OnceCell;

use super::{Side, Sides};
use crate::analysis::bootstrap::{ConfidenceInterval, intervals};
use crate::analysis::number::{rounded_mean, scaled};
use crate::analysis::percentile::p95_is_rough;
use crate::analysis::{LatencyReport, Quantile, percentile, welch};
use crate::model::{Cost, StatusCode, TokenUsage, TraceState};

/// Units of money in a dollar.
pub const UNITS_PER_DOLLAR: i64 = 1_000_000_000_000;
/// Units of an error rate in the whole.
pub const UNITS_PER_WHOLE: i64 = 1_000_000;

/// What is compared of whole traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The duration in nanoseconds; of sets, the mean.
    Duration,
    /// The median of durations in nanoseconds.
    P50,
    /// The 95th percentile of durations in nanoseconds.
    P95,
    /// How many spans a single trace has.
    Spans,
    /// How many spans of a single trace failed.
    FailedSpans,
    /// The part of the traces that failed, in [`UNITS_PER_WHOLE`].
    ErrorRate,
    /// Tokens; of sets, the mean over traces that say so. Likewise the next ones.
    Tokens,
    /// Prompt tokens.
    InputTokens,
    /// Completion tokens.
    OutputTokens,
    /// Money, in [`UNITS_PER_DOLLAR`].
    Cost,
}

impl Measure {
    const OF_PAIRS: [Self; 7] = [
        Self::Duration,
        Self::Spans,
        Self::FailedSpans,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::Cost,
    ];
    const OF_SETS: [Self; 8] = [
        Self::Duration,
        Self::P50,
        Self::P95,
        Self::ErrorRate,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::Cost,
    ];

    /// Values that each side needs before an interval says anything. Fewer than
    /// 20 drawn again look too much like themselves; and as all of n values lie
    /// below the 95th percentile with probability `0.95^n`, no interval for it
    /// reaches 95 % with fewer than 72, whatever its method (`0.95^n <= 0.025`).
    pub const fn least_values(self) -> usize {
        match self {
            Self::P95 => 72,
            _ => 20,
        }
    }

    /// The name in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::P50 => "duration_p50",
            Self::P95 => "duration_p95",
            Self::Spans => "spans",
            Self::FailedSpans => "failed_spans",
            Self::ErrorRate => "error_rate",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Cost => "cost",
        }
    }
}

/// Whether a change is more than chance explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is more, by more than chance explains.
    Higher,
    /// It is less, by more than chance explains.
    Lower,
    /// Chance alone explains the change.
    Noise,
    /// There are too few traces to tell.
    TooFew,
}

impl Verdict {
    /// `higher`, `lower`, `noise` or `too_few`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::Noise => "noise",
            Self::TooFew => "too_few",
        }
    }
}

/// A figure of whole traces on both sides, in the unit of its measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Which figure.
    pub measure: Measure,
    /// Over how many traces.
    pub n: Sides<usize>,
    /// The figure; `None` where no trace says.
    pub value: Sides<Option<i64>>,
    /// The 95 % confidence interval of the change, with traces enough.
    pub interval: Option<ConfidenceInterval>,
    /// `None` for single traces, which say nothing about chance.
    pub verdict: Option<Verdict>,
}

impl Total {
    /// What the new side exceeds the base by; `None` where one of them is not known.
    pub fn change(&self) -> Option<i64> {
        let (before, after) = (self.value.before?, self.value.after?);
        Some(Sides { before, after }.change())
    }

    /// Whether a side's figure is a percentile of too few traces to mean much.
    pub fn is_rough(&self, side: Side) -> bool {
        self.measure == Measure::P95
            && self.value.get(side).is_some()
            && p95_is_rough(*self.n.get(side))
    }

    /// Whether neither side has the figure.
    pub const fn is_absent(&self) -> bool {
        self.value.before.is_none() && self.value.after.is_none()
    }
}

/// What is remembered of each trace.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    durations: Vec<i64>,
    failures: Vec<i64>,
    tokens: Vec<i64>,
    input_tokens: Vec<i64>,
    output_tokens: Vec<i64>,
    costs: Vec<i64>,
    spans: usize,
    failed_spans: usize,
}

impl Samples {
    pub(super) fn add(&mut self, report: &LatencyReport<'_>) {
        let failed = report.trace.info.state == TraceState::Error;
        self.durations.push(report.total_ns());
        self.failures.push(if failed { UNITS_PER_WHOLE } else { 0 });
        let usage = report.usage();
        if let Some(tokens) = usage.tokens.value() {
            self.tokens.extend(tokens.total());
            let TokenUsage {
                input_tokens,
                output_tokens,
                ..
            } = *tokens;
            self.input_tokens.extend(input_tokens);
            self.output_tokens.extend(output_tokens);
        }
        let dollars = usage.cost.value().and_then(Cost::total);
        self.costs
            .extend(dollars.and_then(|dollars| scaled(dollars, UNITS_PER_DOLLAR)));
        self.spans += report.tree.len();
        let is_failure = |span: &crate::model::Span| span.status == StatusCode::Error;
        self.failed_spans += report
            .nodes()
            .filter(|(id, _)| is_failure(report.span(*id)))
            .count();
    }

    /// The figures that either side has.
    pub(super) fn compare(sides: Sides<&Self>, pair: bool, seed: u64) -> Vec<Total> {
        let of_durations = OnceCell::new();
        let measures: &[Measure] = if pair {
            &Measure::OF_PAIRS
        } else {
            &Measure::OF_SETS
        };
        let totals = measures.iter().map(|&measure| {
            let values = sides.map(|side| side.values(measure));
            let n = values.map(Vec::len);
            let value = values.map(|values| figure(measure, values));
            let mut total = Total {
                measure,
                n,
                value,
                interval: None,
                verdict: None,
            };
            if pair {
                return total;
            }
            if n.before.min(n.after) < measure.least_values() {
                total.verdict = Some(Verdict::TooFew);
                return total;
            }
            let draw = || intervals(&values.before, &values.after, seed);
            let interval = match measure {
                Measure::Duration => Some(of_durations.get_or_init(draw).mean),
                Measure::P50 => Some(of_durations.get_or_init(draw).p50),
                Measure::P95 => Some(of_durations.get_or_init(draw).p95),
                _ => welch::interval(&values.before, &values.after),
            };
            total.interval = interval;
            total.verdict = Some(match interval {
                None => Verdict::TooFew,
                Some(interval) if interval.low > 0 => Verdict::Higher,
                Some(interval) if interval.high < 0 => Verdict::Lower,
                Some(_) => Verdict::Noise,
            });
            total
        });
        totals.filter(|total| !total.is_absent()).collect()
    }

    /// The values in ascending order.
    fn values(&self, measure: Measure) -> Vec<i64> {
        let count = |count: usize| vec![i64::try_from(count).unwrap_or(i64::MAX)];
        let mut values = match measure {
            Measure::Duration | Measure::P50 | Measure::P95 => self.durations.clone(),
            Measure::Spans => count(self.spans),
            Measure::FailedSpans => count(self.failed_spans),
            Measure::ErrorRate => self.failures.clone(),
            Measure::Tokens => self.tokens.clone(),
            Measure::InputTokens => self.input_tokens.clone(),
            Measure::OutputTokens => self.output_tokens.clone(),
            Measure::Cost => self.costs.clone(),
        };
        values.sort_unstable();
        values
    }
}

fn figure(measure: Measure, sorted: &[i64]) -> Option<i64> {
    match measure {
        Measure::P50 => percentile(sorted, Quantile::P50),
        Measure::P95 => percentile(sorted, Quantile::P95),
        _ if sorted.is_empty() => None,
        _ => {
            let sum = sorted.iter().map(|&value| i128::from(value)).sum();
            Some(rounded_mean(sum, sorted.len()))
        }
    }
}
