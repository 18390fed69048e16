//! The figures of whole traces in a comparison: duration, spans, errors, tokens
//! and cost, of one trace on each side or of a set. Money is counted in units of
//! 10^-12 dollars, so that it adds up as exactly as time does. Percentiles have
//! intervals by bootstrap, and so has the mean duration, which has no verdict:
//! whether durations changed is told by their logarithms, as it is of tokens and
//! cost. Shares have Newcombe's interval.

use std::cell::OnceCell;

use super::{Side, Sides};
use crate::analysis::bootstrap::{ConfidenceInterval, intervals, least_for_percentile};
use crate::analysis::number::{float, rounded_mean, scaled, whole};
use crate::analysis::percentile::p95_is_rough;
use crate::analysis::proportion::{Share, newcombe};
use crate::analysis::typical::{self, Logs};
use crate::analysis::{LatencyReport, LogChange, Quantile, Test, percentile};
use crate::model::{Cost, StatusCode, TokenUsage, TraceState};

/// Units of money in a dollar.
pub const UNITS_PER_DOLLAR: i64 = 1_000_000_000_000;
/// Units of an error rate in the whole.
pub const UNITS_PER_WHOLE: i64 = 1_000_000;

/// What is compared of whole traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The geometric mean of durations in nanoseconds.
    Typical,
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
    const OF_SETS: [Self; 9] = [
        Self::Typical,
        Self::Duration,
        Self::P50,
        Self::P95,
        Self::ErrorRate,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::Cost,
    ];

    /// Values that each side needs before a test says anything: fewer than 20 drawn
    /// again look too much like themselves.
    pub const LEAST_VALUES: usize = 20;

    /// The name in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Typical => "duration_typical",
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
    /// What a probability tells at 5 %.
    pub(in crate::analysis) fn of(p: f64, rises: bool) -> Self {
        match (p <= 0.05, rises) {
            (true, true) => Self::Higher,
            (true, false) => Self::Lower,
            (false, _) => Self::Noise,
        }
    }

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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Total {
    /// Which figure.
    pub measure: Measure,
    /// Over how many traces.
    pub n: Sides<usize>,
    /// The figure; `None` where no trace says.
    pub value: Sides<Option<i64>>,
    /// The 95 % confidence interval of the change, with traces enough.
    pub interval: Option<ConfidenceInterval>,
    /// The change of the typical value, where the verdict is about that.
    pub typical: Option<LogChange>,
    /// What the interval and the verdict are from, with traces enough.
    pub test: Option<Test>,
    /// How likely a change of this size is by chance, where the test says it.
    pub p: Option<f64>,
    /// `None` for single traces, which say nothing about chance, and for means of durations.
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
        let drawn = OnceCell::new();
        let measures: &[Measure] = if pair {
            &Measure::OF_PAIRS
        } else {
            &Measure::OF_SETS
        };
        let totals = measures.iter().map(|&measure| {
            let values = sides.map(|side| side.values(measure));
            let mut total = Total {
                measure,
                n: values.map(Vec::len),
                value: values.map(|values| figure(measure, values)),
                interval: None,
                typical: None,
                test: None,
                p: None,
                verdict: None,
            };
            if pair {
                return total;
            }
            let enough = total.n.before.min(total.n.after) >= Measure::LEAST_VALUES;
            let bootstrap =
                || *drawn.get_or_init(|| intervals(&values.before, &values.after, seed));
            match measure {
                Measure::Duration if enough => {
                    total.interval = Some(bootstrap().mean);
                    total.test = Some(Test::Bootstrap);
                }
                Measure::Duration => {}
                _ if !enough => total.verdict = Some(Verdict::TooFew),
                Measure::P95 if !is_enough_for_p95(&total.n) => {
                    total.verdict = Some(Verdict::TooFew);
                }
                Measure::P50 => total.judge_interval(Test::Bootstrap, Some(bootstrap().p50)),
                Measure::P95 => total.judge_interval(Test::Bootstrap, Some(bootstrap().p95)),
                Measure::ErrorRate => {
                    total.judge_interval(Test::Newcombe, difference_of_shares(&values));
                }
                _ => total.judge_typical(&values),
            }
            total
        });
        totals.filter(|total| !total.is_absent()).collect()
    }

    /// The values in ascending order.
    fn values(&self, measure: Measure) -> Vec<i64> {
        let count = |count: usize| vec![i64::try_from(count).unwrap_or(i64::MAX)];
        let mut values = match measure {
            Measure::Typical | Measure::Duration | Measure::P50 | Measure::P95 => {
                self.durations.clone()
            }
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
        _ if sorted.is_empty() => None,
        Measure::Typical => Some(whole(logs(measure, sorted).mean().exp())),
        Measure::P50 => percentile(sorted, Quantile::P50),
        Measure::P95 => percentile(sorted, Quantile::P95),
        _ => {
            let sum = sorted.iter().map(|&value| i128::from(value)).sum();
            Some(rounded_mean(sum, sorted.len()))
        }
    }
}

/// The logarithms of times, tokens and money, of which 10^-9 dollars are one.
fn logs(measure: Measure, values: &[i64]) -> Logs {
    let mut logs = Logs::default();
    for &value in values {
        match measure {
            Measure::Typical => logs.add_time(value),
            Measure::Cost => logs.add_amount(float(i128::from(value)) / 1e3),
            _ => logs.add_amount(float(i128::from(value))),
        }
    }
    logs
}

/// The largest of 20 lies below the 95th percentile in a third of all cases. Of samples
/// of one size this is so on both sides; beside a much larger one it would seem a change.
fn is_enough_for_p95(n: &Sides<usize>) -> bool {
    n.before.min(n.after) >= least_for_percentile(500, n.before, n.after)
}

fn difference_of_shares(values: &Sides<Vec<i64>>) -> Option<ConfidenceInterval> {
    let share = |values: &Vec<i64>| {
        let hits = values.iter().filter(|value| **value > 0).count();
        let n = values.len();
        Share { hits, n }.part()
    };
    let (low, high) = newcombe(share(&values.before), share(&values.after))?;
    let units = |share: f64| whole(share * float(i128::from(UNITS_PER_WHOLE)));
    Some(ConfidenceInterval {
        low: units(low),
        high: units(high),
    })
}

impl Total {
    fn judge_interval(&mut self, test: Test, interval: Option<ConfidenceInterval>) {
        self.test = Some(test);
        self.interval = interval;
        self.verdict = Some(match interval {
            None => Verdict::TooFew,
            Some(interval) if interval.low > 0 => Verdict::Higher,
            Some(interval) if interval.high < 0 => Verdict::Lower,
            Some(_) => Verdict::Noise,
        });
    }

    fn judge_typical(&mut self, values: &Sides<Vec<i64>>) {
        let logs = values.map(|values| logs(self.measure, values));
        let found = if self.measure == Measure::Typical {
            typical::compare_all(&logs.before, &logs.after, 0.0)
        } else {
            typical::compare(&logs.before, &logs.after, 0.0)
        };
        self.test = found.map(|found| found.test);
        self.typical = found.and_then(|found| found.typical);
        self.p = found.map(|found| found.p);
        self.verdict =
            Some(found.map_or(Verdict::TooFew, |found| Verdict::of(found.p, found.rises)));
    }
}
