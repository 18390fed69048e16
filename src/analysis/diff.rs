//! Two traces, or two sets of traces, against each other. Spans belong together
//! when all names from the root down are the same, as in a calling context tree
//! (Ammons, Ball and Larus, "Exploiting Hardware Performance Counters with Flow
//! and Context Sensitive Profiling", 1997); of several with the same names, the
//! n-th belongs to the n-th, in pre-order. Since critical time tiles the total,
//! its changes add up to the change of the total: they are the contributions.
//! Sets are compared by their means per trace. Exchanging the two sides negates
//! every change exactly.

mod comparison;
mod feedback;
mod rows;
mod totals;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use super::number::{difference, rounded_mean};
use super::{By, LogChange, RowKey, Test};

pub use comparison::Comparison;
pub use feedback::FeedbackTotal;
pub use totals::{Measure, Total, UNITS_PER_DOLLAR, UNITS_PER_WHOLE, Verdict};

/// A figure on both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sides<T> {
    /// What is compared with.
    pub before: T,
    /// What is compared.
    pub after: T,
}

impl<T> Sides<T> {
    /// Both by the same rule.
    pub fn of(rule: impl Fn(Side) -> T) -> Self {
        Self {
            before: rule(Side::Before),
            after: rule(Side::After),
        }
    }

    /// One of them.
    pub const fn get(&self, side: Side) -> &T {
        match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        }
    }

    const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Before => &mut self.before,
            Side::After => &mut self.after,
        }
    }

    /// Another figure of each.
    pub fn map<'a, U>(&'a self, rule: impl Fn(&'a T) -> U) -> Sides<U> {
        Sides {
            before: rule(&self.before),
            after: rule(&self.after),
        }
    }
}

impl Sides<i64> {
    /// What `after` exceeds `before` by.
    pub fn change(&self) -> i64 {
        difference(self.after, self.before)
    }
}

/// Which side a trace is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    Before,
    /// What is compared.
    After,
}

/// What rows are ordered by: the largest change first, whatever its sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DiffSort {
    /// Time on the critical path: the contribution to the change of the total.
    #[default]
    Critical,
    /// Self time.
    SelfTime,
    /// Calls.
    Calls,
    /// Errors.
    Errors,
    /// The row's key, ascending.
    Name,
}

/// How spans belong together; only for one trace on each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Matching {
    /// Spans that are on both sides.
    pub matched: usize,
    /// Spans that are only in the new trace.
    pub new: usize,
    /// Spans that are only in the base.
    pub gone: usize,
    /// The change of the critical time of matched spans; the rest of the
    /// change is due to new and gone ones.
    pub matched_change_ns: i64,
}

impl Matching {
    fn plus(self, other: &Self) -> Self {
        Self {
            matched: self.matched + other.matched,
            new: self.new + other.new,
            gone: self.gone + other.gone,
            matched_change_ns: self
                .matched_change_ns
                .saturating_add(other.matched_change_ns),
        }
    }
}

/// One row, in which something differs. Times are nanoseconds: of one trace as
/// they are, of sets as means per trace, rounded.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffRow {
    /// What its spans have in common.
    pub key: RowKey,
    /// Traces that have such spans.
    pub traces: Sides<usize>,
    /// All spans.
    pub calls: Sides<usize>,
    /// Spans that ended in an error.
    pub errors: Sides<usize>,
    /// Self time.
    pub self_ns: Sides<i64>,
    /// Time on the critical path.
    pub critical_ns: Sides<i64>,
    /// The change of the critical time as a share of the change of the total;
    /// adds up to 1 over all rows. `None` where the total did not change, or not
    /// by more than chance explains.
    pub share: Option<f64>,
    /// Whether the critical time changed by more than chance explains; `None` for
    /// single traces.
    pub finding: Option<Finding>,
    /// `None` for sets, and for time in which no span was running.
    pub matching: Option<Matching>,
}

/// What a test says about a row of sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The verdict, all rows being judged together.
    pub verdict: Verdict,
    /// The test that the verdict is from; `None` with too few traces that have such a span.
    pub test: Option<Test>,
    /// The change of the typical critical time of traces that have some.
    pub typical: Option<LogChange>,
    /// How likely a change of this size is by chance, for this row alone.
    pub p: Option<f64>,
    /// The same, adjusted for the number of rows.
    pub p_adjusted: Option<f64>,
}

/// How many rows of sets were tested, and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowsFound {
    /// Rows that were tested.
    pub tested: usize,
    /// Rows that changed by more than chance explains.
    pub beyond_noise: usize,
}

impl RowsFound {
    /// How many rows would be called different by chance if each were judged alone.
    #[expect(clippy::cast_precision_loss, reason = "no table is that long")]
    pub fn by_chance(&self) -> f64 {
        self.tested as f64 * 0.05
    }
}

impl DiffRow {
    /// Whether the critical time changed by more than chance explains; `None`
    /// where that is not known.
    pub fn is_beyond_noise(&self) -> Option<bool> {
        match self.finding?.verdict {
            Verdict::Higher | Verdict::Lower => Some(true),
            Verdict::Noise => Some(false),
            Verdict::TooFew => None,
        }
    }
}

/// How the traces of one side were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Intake {
    /// Traces that are compared.
    pub traces: usize,
    /// Traces in progress, left out unless there is no more than one trace on a side.
    pub in_progress: usize,
    /// Traces without spans, left out.
    pub without_spans: usize,
}

/// The only trace on a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlyTrace {
    /// Its id.
    pub trace_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Whether it is in progress, so that its times are lower bounds.
    pub in_progress: bool,
}

/// The comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// What a row stands for.
    pub by: By,
    /// Whether it is one trace against another one.
    pub pair: bool,
    /// The trace on each side that has but one.
    pub only: Sides<Option<OnlyTrace>>,
    /// Which traces took part.
    pub intake: Sides<Intake>,
    /// The summed totals of all traces in nanoseconds.
    pub total_ns: Sides<i64>,
    /// Figures of whole traces.
    pub totals: Vec<Total>,
    /// What was said of them.
    pub feedback: Vec<FeedbackTotal>,
    /// Rows in which something differs.
    pub rows: Vec<DiffRow>,
    /// How many of them changed by more than chance explains.
    pub found: RowsFound,
    /// Rows that are the same on both sides.
    pub unchanged: usize,
    /// How all spans belong together; `None` for sets.
    pub matching: Option<Matching>,
}

impl Diff {
    /// Whether nothing differs at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.totals.iter().all(|total| total.change() == Some(0))
            && self
                .feedback
                .iter()
                .all(|total| total.change() == Some(0.0))
    }

    /// Whether the durations of two sets differ by no more than chance explains.
    pub fn is_within_noise(&self) -> bool {
        let is_noise = |total: &Total| total.verdict == Some(Verdict::Noise);
        let mut typical = self.totals.iter().filter(|t| t.measure == Measure::Typical);
        typical.any(is_noise)
    }

    /// The change of the mean total in nanoseconds.
    pub fn change_ns(&self) -> i64 {
        Sides::of(|side| {
            let sum = i128::from(*self.total_ns.get(side));
            rounded_mean(sum, self.intake.get(side).traces)
        })
        .change()
    }
}
