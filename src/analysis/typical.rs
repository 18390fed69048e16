//! Typical values of what has a long tail, such as times, tokens and money: the
//! means of logarithms, compared by Welch's test. Where some of the values are 0,
//! the others are compared, and how many are 0 by Fisher's exact test: a few
//! zeros are as far from everything else as a logarithm goes, and would call one
//! in three equal sets different. Of two tests, the smaller probability counts twice.

use serde::{Deserialize, Serialize};

use super::proportion::{Share, fisher};
use super::welch::{self, Moments, float};

/// What a verdict is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// The percentile bootstrap.
    Bootstrap,
    /// Welch's test on logarithms.
    WelchLog,
    /// Welch's test.
    Welch,
    /// Newcombe's interval for the difference of two shares.
    Newcombe,
    /// Fisher's exact test of how many values are above 0.
    Fisher,
    /// How many values are beyond all earlier ones.
    Exceedance,
}

impl Test {
    /// The name in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::WelchLog => "welch_log",
            Self::Welch => "welch",
            Self::Newcombe => "newcombe",
            Self::Fisher => "fisher",
            Self::Exceedance => "exceedance",
        }
    }
}

/// A change of a typical value, in natural logarithms, so that the opposite
/// change has the opposite figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogChange {
    /// The change.
    pub change: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl LogChange {
    /// As shares of what was there before: 0.12 for 12 % more.
    pub fn ratios(&self) -> [f64; 3] {
        [self.change, self.low, self.high].map(f64::exp_m1)
    }
}

/// What a test of two samples tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Finding {
    /// The change of the typical value of those above 0; `None` with too few of them.
    pub(super) typical: Option<LogChange>,
    /// The test that decides.
    pub(super) test: Test,
    pub(super) p: f64,
    pub(super) rises: bool,
}

/// The logarithms of a sample's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Logs {
    zeros: usize,
    above: Moments,
}

impl Logs {
    /// Values above 0 that a side needs for their logarithms to be compared.
    const LEAST_ABOVE: usize = 10;

    /// Adds a time, 0 and less being nothing.
    pub(super) fn add_time(&mut self, nanos: i64) {
        self.add_nanos(float_of(nanos));
    }

    /// Adds a time that may be a mean.
    pub(super) fn add_nanos(&mut self, nanos: f64) {
        if nanos > 0.0 {
            self.above.add(nanos.ln());
        } else {
            self.zeros += 1;
        }
    }

    /// Adds a number of things, or an amount in units so small that one of them is next to nothing.
    pub(super) fn add_amount(&mut self, amount: f64) {
        if amount > 0.0 {
            self.above.add(amount.ln_1p());
        } else {
            self.zeros += 1;
        }
    }

    /// The sample with zeros for what it lacks of `n` values.
    #[must_use]
    pub(super) fn filled_up_to(mut self, n: usize) -> Self {
        self.zeros = n.saturating_sub(self.above.n);
        self
    }

    pub(super) fn n(&self) -> usize {
        self.zeros + self.above.n
    }

    /// The mean logarithm, that of 0 being 0.
    pub(super) fn mean(&self) -> f64 {
        self.above.with_zeros(self.zeros).mean
    }

    fn share_above(&self) -> Share {
        Share {
            hits: self.above.n,
            n: self.n(),
        }
    }
}

/// Compares all values, those of 0 as well; `None` for samples of one. The second
/// side's logarithms are taken for larger by `shift`.
pub(super) fn compare_all(before: &Logs, after: &Logs, shift: f64) -> Option<Finding> {
    let whole = |logs: &Logs| logs.above.with_zeros(logs.zeros);
    of_logs(&whole(before), &whole(after), shift)
}

/// Compares values above 0, and how many are; `None` with too few to tell anything.
pub(super) fn compare(before: &Logs, after: &Logs, shift: f64) -> Option<Finding> {
    if before.zeros == 0 && after.zeros == 0 {
        return compare_all(before, after, shift);
    }
    if before.n() == 0 || after.n() == 0 {
        return None;
    }
    let (a, b) = (before.share_above(), after.share_above());
    let shares = Finding {
        typical: None,
        test: Test::Fisher,
        p: fisher(a, b),
        // Compared without dividing.
        rises: b.hits as u128 * a.n as u128 > a.hits as u128 * b.n as u128,
    };
    let enough = a.hits.min(b.hits) >= Logs::LEAST_ABOVE;
    let logs = of_logs(&before.above, &after.above, shift).filter(|_| enough);
    let Some(logs) = logs else {
        return Some(shares);
    };
    let smaller = if logs.p <= shares.p { logs } else { shares };
    Some(Finding {
        typical: logs.typical,
        p: (2.0 * smaller.p).min(1.0),
        ..smaller
    })
}

fn of_logs(before: &Moments, after: &Moments, shift: f64) -> Option<Finding> {
    let found = welch::compare(before, after, shift)?;
    Some(Finding {
        typical: Some(LogChange {
            change: found.change,
            low: found.change - found.margin,
            high: found.change + found.margin,
        }),
        test: Test::WelchLog,
        p: found.p,
        rises: found.change > 0.0,
    })
}

/// How often there are more of a sum's parts, as a logarithm.
pub(super) fn ln_ratio(before: usize, after: usize) -> f64 {
    float(after).ln() - float(before).ln()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a logarithm has no more digits than that"
)]
fn float_of(nanos: i64) -> f64 {
    nanos as f64
}

/// Adjusts probabilities for how many there are: with those up to 0.05, no more
/// than 5 % of what is found are due to chance (Benjamini and Hochberg,
/// "Controlling the False Discovery Rate", 1995).
pub(super) fn benjamini_hochberg(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
    let all = float(order.len());
    let mut adjusted = vec![1.0; order.len()];
    let mut least = 1.0_f64;
    for (at, index) in order.iter().enumerate() {
        let rank = float(order.len() - at);
        least = least.min(probabilities[*index] * all / rank);
        adjusted[*index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(values: &[i64]) -> Logs {
        let mut logs = Logs::default();
        for ns in values {
            logs.add_time(*ns);
        }
        logs
    }

    #[test]
    fn what_is_twice_as_long_everywhere_is_twice_as_long_typically() {
        let before: Vec<i64> = (1..=30).map(|i| i * 1_000).collect();
        let after: Vec<i64> = before.iter().map(|ns| ns * 2).collect();
        let found = compare(&times(&before), &times(&after), 0.0).unwrap();
        let [change, low, high] = found.typical.unwrap().ratios();
        assert!((change - 1.0).abs() < 1e-12 && low > 0.2 && high < 3.0);
        assert!(found.p < 0.01 && found.rises && found.test == Test::WelchLog);
        let half = compare(&times(&before), &times(&after), -2.0_f64.ln()).unwrap();
        assert!(half.p > 0.999);
    }

    #[test]
    fn zeros_are_counted_and_not_measured() {
        let before: Vec<i64> = (0..200)
            .map(|i| if i % 20 == 0 { 0 } else { 1_000 + i })
            .collect();
        let after: Vec<i64> = (0..20).map(|i| 1_000 + 10 * i).collect();
        let (a, b) = (times(&before), times(&after));
        // A zero more or less is nothing, but its logarithm is far away.
        assert!(compare(&a, &b, 0.0).unwrap().p > 0.5);
        assert!(compare_all(&a, &b, 0.0).unwrap().p < 0.01);
        let gone = times(&[0; 20]);
        let found = compare(&a, &gone, 0.0).unwrap();
        assert!(found.p < 1e-6 && !found.rises && found.test == Test::Fisher);
        assert_eq!(found.typical, None);
    }

    #[test]
    fn adjusted_probabilities_are_those_of_scipy() {
        // scipy.stats.false_discovery_control
        let found = benjamini_hochberg(&[0.01, 0.02, 0.03, 0.04, 0.9]);
        for (found, expected) in found.iter().zip([0.05, 0.05, 0.05, 0.05, 0.9]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        let found = benjamini_hochberg(&[0.5, 0.001, 0.04, 0.008, 0.3, 0.02]);
        for (found, expected) in found.iter().zip([0.5, 0.006, 0.06, 0.024, 0.36, 0.04]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert!(benjamini_hochberg(&[]).is_empty());
    }
}
