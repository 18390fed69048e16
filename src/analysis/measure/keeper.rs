//! What is kept of samples while they come, to tell later how far they are spread.
//! A trace is one sample, however many spans or assessments of it are measured: they
//! have the trace's fate in common, and counted one by one would promise more than
//! they know. So each trace gives one value, or, where a percentile of all values is
//! asked for, a bundle of values that is drawn as a whole.

use super::spread::{Bundled, Spread};
use crate::analysis::bootstrap;
use crate::analysis::typical::Logs;
use crate::analysis::welch::{Moments, float};
use crate::filter::Number;
use crate::filter::aggregate::{Aggregate, Function, Unit};

/// What is kept while samples come.
#[derive(Debug, Clone)]
pub(super) struct Keeper {
    kept: Kept,
    function: Function,
    /// The values of the trace at hand.
    present: Present,
}

#[derive(Debug, Clone)]
enum Kept {
    Shares(Shares),
    Times(Logs),
    /// In so many units to the whole.
    Amounts(Logs, f64),
    Scores {
        moments: Moments,
        ones: usize,
        binary: bool,
    },
    /// The extreme of each trace.
    Extremes(Vec<f64>),
    Bundles(Bundles),
}

#[derive(Debug, Clone, Default)]
struct Present {
    n: usize,
    sum: f64,
    low: f64,
    high: f64,
}

/// All values, and where those of each trace end.
#[derive(Debug, Clone, Default)]
struct Bundles {
    values: Vec<f64>,
    ends: Vec<usize>,
}

/// Sums over traces of what was counted in each.
#[derive(Debug, Clone, Default)]
struct Shares {
    traces: usize,
    hits: usize,
    n: usize,
    /// Sums of squares and products of a trace's hits and its number.
    hits_squared: f64,
    both: f64,
    n_squared: f64,
}

impl Keeper {
    /// `None` where nothing is left to chance.
    pub(super) fn new(aggregate: &Aggregate) -> Option<Self> {
        let function = aggregate.function;
        let kept = match (function, aggregate.measure.unit()) {
            (Function::Count, _) if aggregate.filter.is_empty() => return None,
            (Function::Count | Function::ErrorRate, _) => Kept::Shares(Shares::default()),
            (Function::Percentile(1..=9_999), _) => Kept::Bundles(Bundles::default()),
            (Function::Min | Function::Max | Function::Percentile(_), _) => {
                Kept::Extremes(Vec::new())
            }
            (_, Unit::Time) => Kept::Times(Logs::default()),
            (_, Unit::Amount) => Kept::Amounts(Logs::default(), 1.0),
            (_, Unit::Dollars) => Kept::Amounts(Logs::default(), 1e9),
            (_, Unit::Share | Unit::Number) => Kept::Scores {
                moments: Moments::default(),
                ones: 0,
                binary: true,
            },
        };
        Some(Self {
            kept,
            function,
            present: Present::default(),
        })
    }

    /// Adds a value of the trace at hand.
    pub(super) fn add(&mut self, value: Number) {
        let value = value.as_f64();
        if let Kept::Bundles(bundles) = &mut self.kept {
            bundles.values.push(value);
            return;
        }
        let present = &mut self.present;
        if present.n == 0 {
            (present.low, present.high) = (value, value);
        }
        present.low = present.low.min(value);
        present.high = present.high.max(value);
        present.sum += value;
        present.n += 1;
    }

    /// Ends the trace at hand; of all up to it, `hits` of `n` were counted.
    pub(super) fn end_trace(&mut self, hits: usize, n: usize) {
        match &mut self.kept {
            Kept::Shares(shares) => return shares.end_trace(hits, n),
            Kept::Bundles(bundles) => return bundles.end_trace(),
            _ => {}
        }
        let present = std::mem::take(&mut self.present);
        if present.n == 0 {
            return;
        }
        let value = match self.function {
            Function::Min | Function::Percentile(0) => present.low,
            Function::Max | Function::Percentile(_) => present.high,
            Function::Sum => present.sum,
            _ => present.sum / float(present.n),
        };
        match &mut self.kept {
            Kept::Times(logs) => logs.add_nanos(value),
            Kept::Amounts(logs, units) => logs.add_amount(value * *units),
            Kept::Scores {
                moments,
                ones,
                binary,
            } => {
                moments.add(value);
                *ones += usize::from(value >= 1.0);
                *binary &= value == 0.0 || (value - 1.0) == 0.0;
            }
            Kept::Extremes(all) => all.push(value),
            Kept::Shares(_) | Kept::Bundles(_) => {}
        }
    }

    pub(super) fn spread(&self) -> Spread {
        match &self.kept {
            Kept::Shares(shares) => shares.spread(),
            Kept::Times(logs) | Kept::Amounts(logs, _) => Spread::Logs(*logs),
            Kept::Scores {
                moments,
                ones,
                binary,
            } => Spread::Scores {
                moments: *moments,
                ones: binary.then_some(*ones),
            },
            Kept::Extremes(all) => Spread::Extreme {
                n: all.len(),
                samples: all.clone(),
            },
            Kept::Bundles(bundles) => {
                let parts = match self.function {
                    Function::Percentile(parts) => parts,
                    _ => 0,
                };
                Spread::Drawn {
                    n: bundles.ends.len(),
                    values: bootstrap::drawn_percentiles(&bundles.values, &bundles.ends, parts),
                }
            }
        }
    }
}

impl Bundles {
    fn end_trace(&mut self) {
        if self.ends.last().copied().unwrap_or(0) < self.values.len() {
            self.ends.push(self.values.len());
        }
    }
}

impl Shares {
    fn end_trace(&mut self, hits: usize, n: usize) {
        let (x, of) = (float(hits - self.hits), float(n - self.n));
        self.traces += usize::from(n > self.n);
        (self.hits, self.n) = (hits, n);
        self.hits_squared += x * x;
        self.both += x * of;
        self.n_squared += of * of;
    }

    fn spread(&self) -> Spread {
        let bundled = (self.traces < self.n).then(|| Bundled {
            traces: self.traces,
            worth: self.worth(),
        });
        Spread::Share {
            hits: self.hits,
            n: self.n,
            bundled,
        }
    }

    /// How many independent ones would know the share as well: fewer by the design effect,
    /// which is how much more the share varies from trace to trace than it would if each
    /// of them had its own fate (Kish, "Survey Sampling", 1965, of the ratio estimator).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no more than there are"
    )]
    fn worth(&self) -> usize {
        let (traces, n) = (float(self.traces), float(self.n));
        let share = float(self.hits) / n;
        let alone = n * share * (1.0 - share);
        if alone <= 0.0 || self.traces < 2 {
            return self.traces;
        }
        let around = self.hits_squared - 2.0 * share * self.both + share * share * self.n_squared;
        let effect = around / alone * traces / (traces - 1.0);
        ((n / effect.max(1.0)).round() as usize).max(1)
    }
}
