//! How far the samples of an aggregate are spread, small enough to be kept in a
//! file: what tells a later value that is worse from one that chance makes so.

use serde::{Deserialize, Serialize};

use crate::analysis::bootstrap;
use crate::analysis::diff::Verdict;
use crate::analysis::proportion::{Part, newcombe};
use crate::analysis::typical::{self, Logs, Test, ln_ratio};
use crate::analysis::welch::{self, Moments, float};
use crate::field::Field;
use crate::filter::aggregate::{Aggregate, Function, Measure};

/// Samples that each side needs where not fewer are said to do.
const LEAST: usize = 20;

/// The spread of an aggregate's samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Spread {
    /// So many of all that were looked at.
    Share {
        /// Those that count.
        hits: usize,
        /// All of them.
        n: usize,
        /// What they are worth, where traces have several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bundled: Option<Bundled>,
    },
    /// Times, tokens and money, by the logarithms of what traces have.
    Logs(Logs),
    /// Scores; how many are 1 where all are 0 or 1.
    Scores {
        /// Size, mean and deviations.
        moments: Moments,
        /// Those that are 1.
        ones: Option<usize>,
    },
    /// A percentile of the values of traces drawn again, in ascending order.
    Drawn {
        /// Traces.
        n: usize,
        /// Values that are equally likely.
        values: Vec<f64>,
    },
    /// The largest or smallest of so many traces.
    Extreme {
        /// Traces.
        n: usize,
        /// The extreme of each; not kept, since the extreme is enough for what comes later.
        #[serde(skip)]
        samples: Vec<f64>,
    },
}

/// Things of which traces have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundled {
    /// Traces that have any.
    pub traces: usize,
    /// How many independent ones would say as much.
    pub worth: usize,
}

/// Whether a change is more than chance explains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise {
    /// All there is was counted, and nothing is left to chance.
    Exact,
    /// The earlier value came without its spread.
    Unknown,
    /// There are too few samples on a side to tell.
    TooFew {
        /// How many each side needs.
        least: usize,
    },
    /// A test tells.
    Told(Told),
}

/// What a test of an earlier and a later value tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// The test.
    pub test: Test,
    /// The 95 % interval of the change, in the unit of the aggregate, or as a share
    /// of what is typical; `None` for tests without one.
    pub interval: Option<[f64; 2]>,
    /// Whether the interval is one of shares.
    pub relative: bool,
    /// How likely a change of this size is by chance, where the test says it.
    pub p: Option<f64>,
    /// Never that there are too few.
    pub verdict: Verdict,
}

impl Noise {
    /// Compares the spreads of an aggregate; `earliest` is its earlier value.
    pub fn compare(
        aggregate: &Aggregate,
        earlier: f64,
        before: Option<&Spread>,
        after: Option<&Spread>,
    ) -> Self {
        let function = aggregate.function;
        let Some(after) = after else {
            return Self::Exact;
        };
        let sums = function == Function::Sum;
        match (before, after) {
            (
                Some(Spread::Share { hits, n, bundled }),
                Spread::Share {
                    hits: h,
                    n: m,
                    bundled: later,
                },
            ) => {
                let counts = function == Function::Count;
                let part = |hits: usize, n: usize, bundled: &Option<Bundled>| Part {
                    share: float(hits.min(n)) / float(n),
                    n: float(bundled.map_or(n, |bundled| bundled.worth.clamp(1, n.max(1)))),
                    scale: if counts { float(n) } else { 1.0 },
                };
                let traces = |n: usize, bundled: &Option<Bundled>| bundled.map_or(n, |b| b.traces);
                enough(LEAST, traces(*n, bundled), traces(*m, later))
                    .unwrap_or_else(|| of_shares(part(*hits, *n, bundled), part(*h, *m, later)))
            }
            (Some(Spread::Logs(a)), Spread::Logs(b)) => {
                enough(LEAST, a.n(), b.n()).unwrap_or_else(|| {
                    let shift = if sums { ln_ratio(a.n(), b.n()) } else { 0.0 };
                    let all = matches!(
                        aggregate.measure,
                        Measure::Of(Field::ExecutionTime | Field::SpanDuration)
                    );
                    let found = if all {
                        typical::compare_all(a, b, shift)
                    } else {
                        typical::compare(a, b, shift)
                    };
                    found.map_or(Self::Unknown, of_logs)
                })
            }
            (
                Some(Spread::Scores { moments: a, ones }),
                Spread::Scores {
                    moments: b,
                    ones: later,
                },
            ) => enough(LEAST, a.n, b.n).unwrap_or_else(|| {
                let times = |n: usize| if sums { float(n) } else { 1.0 };
                if let (Some(hits), Some(later)) = (*ones, *later) {
                    let part = |hits: usize, n: usize| Part {
                        share: float(hits.min(n)) / float(n),
                        n: float(n),
                        scale: times(n),
                    };
                    return of_shares(part(hits, a.n), part(later, b.n));
                }
                let scaled = |moments: &Moments| moments.scaled(times(moments.n));
                welch::compare(&scaled(a), &scaled(b), 0.0).map_or(Self::Unknown, of_means)
            }),
            (
                Some(Spread::Drawn { n, values }),
                Spread::Drawn {
                    n: m,
                    values: later,
                },
            ) => enough(least_of(function, *n, *m), *n, *m)
                .unwrap_or_else(|| of_drawn(values, later)),
            (Some(Spread::Extreme { n, .. }), Spread::Extreme { samples, .. }) => {
                of_extremes(function, earlier, *n, samples)
            }
            _ => Self::Unknown,
        }
    }
}

/// Samples that each side needs for a percentile.
fn least_of(function: Function, before: usize, after: usize) -> usize {
    match function {
        Function::Percentile(parts) => {
            let beyond = parts.min(10_000 - parts);
            bootstrap::least_for_percentile(beyond, before, after).max(LEAST)
        }
        _ => LEAST,
    }
}

fn enough(least: usize, before: usize, after: usize) -> Option<Noise> {
    (before.min(after) < least).then_some(Noise::TooFew { least })
}

fn by_interval(test: Test, low: f64, high: f64, p: Option<f64>) -> Noise {
    let verdict = if low > 0.0 {
        Verdict::Higher
    } else if high < 0.0 {
        Verdict::Lower
    } else {
        Verdict::Noise
    };
    Noise::Told(Told {
        test,
        interval: Some([low, high]),
        relative: false,
        p,
        verdict,
    })
}

fn of_shares(before: Part, after: Part) -> Noise {
    match newcombe(before, after) {
        Some((low, high)) => by_interval(Test::Newcombe, low, high, None),
        None => Noise::Unknown,
    }
}

fn of_means(found: welch::Estimate) -> Noise {
    let (low, high) = (found.change - found.margin, found.change + found.margin);
    by_interval(Test::Welch, low, high, Some(found.p))
}

fn of_logs(found: typical::Finding) -> Noise {
    Noise::Told(Told {
        test: found.test,
        interval: found.typical.map(|typical| {
            let [_, low, high] = typical.ratios();
            [low, high]
        }),
        relative: true,
        p: Some(found.p),
        verdict: Verdict::of(found.p, found.rises),
    })
}

/// Every difference of two drawn values is as likely as any other one.
fn of_drawn(before: &[f64], after: &[f64]) -> Noise {
    // A file may hold more than is written.
    let most = |values: &[f64]| values.len().min(bootstrap::DRAWN_KEPT);
    let (before, after) = (&before[..most(before)], &after[..most(after)]);
    let mut differences: Vec<f64> = after
        .iter()
        .flat_map(|b| before.iter().map(move |a| b - a))
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let k = (differences.len() + 1) / 40;
    if k == 0 {
        return Noise::Unknown;
    }
    let (low, high) = (differences[k - 1], differences[differences.len() - k]);
    by_interval(Test::Bootstrap, low, high, None)
}

/// How likely so many traces are beyond all of the earlier ones by chance: all of
/// the outermost have to be later ones.
fn of_extremes(function: Function, earlier: f64, n: usize, samples: &[f64]) -> Noise {
    let smallest = matches!(function, Function::Min | Function::Percentile(0));
    let beyond = |value: &&f64| {
        if smallest {
            **value < earlier
        } else {
            **value > earlier
        }
    };
    let count = samples.iter().filter(beyond).count();
    let all = n + samples.len();
    let p: f64 = (0..count)
        .map(|i| float(samples.len() - i) / float(all - i))
        .product();
    let p = (2.0 * p).min(1.0);
    Noise::Told(Told {
        test: Test::Exceedance,
        interval: None,
        relative: false,
        p: Some(p),
        verdict: Verdict::of(p, !smallest),
    })
}
