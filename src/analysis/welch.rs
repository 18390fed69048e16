//! How far the difference of two means may be due to chance, by Welch's
//! approximation: "The Generalization of Student's Problem when Several
//! Different Population Variances are Involved", 1947. It takes nothing but sums,
//! so it does for every row of a table what drawing samples again would do at
//! rows times traces.

use super::bootstrap::ConfidenceInterval;
use super::number::{difference, float, rounded_mean, whole};

/// The sums of a sample of which most may be 0, and left out when adding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) sum: i128,
    /// Σ squares; `None` after an overflow.
    squares: Option<u128>,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            sum: 0,
            squares: Some(0),
        }
    }
}

impl Sums {
    pub(super) fn add(&mut self, value: i64) {
        self.sum += i128::from(value);
        let square = u128::from(value.unsigned_abs()).pow(2);
        self.squares = self.squares.and_then(|sum| sum.checked_add(square));
    }

    /// The variance of the mean of `n` values, and the square of that over the
    /// degrees of freedom.
    fn variance_of_mean(&self, n: usize) -> Option<(f64, f64)> {
        let n = i128::try_from(n).ok().filter(|n| *n > 1)?;
        let squares = i128::try_from(self.squares?).ok()?;
        let spread = n
            .checked_mul(squares)?
            .checked_sub(self.sum.checked_mul(self.sum)?)?;
        let variance = float(spread) / float(n.checked_mul(n)?.checked_mul(n - 1)?);
        Some((variance, variance * variance / float(n - 1)))
    }
}

/// Half the width of the 95 % confidence interval of the difference of the means
/// of two samples of these sizes; `None` for samples of one, and for values so
/// large that their squares cannot be added.
pub(super) fn margin(a: (&Sums, usize), b: (&Sums, usize)) -> Option<i64> {
    let (a, b) = (a.0.variance_of_mean(a.1)?, b.0.variance_of_mean(b.1)?);
    let variance = a.0 + b.0;
    if variance <= 0.0 {
        return Some(0);
    }
    let freedom = variance * variance / (a.1 + b.1);
    Some(whole(student_975(freedom) * variance.sqrt()))
}

/// The interval of what the second sample's mean exceeds the first's by.
pub(super) fn interval(before: &[i64], after: &[i64]) -> Option<ConfidenceInterval> {
    let sums = |values: &[i64]| {
        let mut sums = Sums::default();
        for value in values {
            sums.add(*value);
        }
        sums
    };
    let (a, b) = (sums(before), sums(after));
    let margin = margin((&a, before.len()), (&b, after.len()))?;
    let change = difference(
        rounded_mean(b.sum, after.len()),
        rounded_mean(a.sum, before.len()),
    );
    Some(ConfidenceInterval {
        low: difference(change, margin),
        high: change.saturating_add(margin),
    })
}

/// The 97.5th percentile of Student's distribution: Abramowitz and Stegun,
/// "Handbook of Mathematical Functions", 1964, 26.7.5, cut after the second
/// term; within 0.001 from 19 degrees of freedom on.
fn student_975(freedom: f64) -> f64 {
    let z = 1.959_963_984_540_054_f64;
    let first = (z.powi(3) + z) / (4.0 * freedom);
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom * freedom);
    z + first + second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_scipy() {
        // scipy.stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
        // of 100..=119 and of the even numbers 100..=158: 12.462932 to 26.537068.
        let a: Vec<i64> = (100..120).map(|v| v * 1_000_000).collect();
        let b: Vec<i64> = (0..30).map(|i| (100 + 2 * i) * 1_000_000).collect();
        let found = interval(&a, &b).unwrap();
        assert!((found.low - 12_462_932).abs() < 500, "{found:?}");
        assert!((found.high - 26_537_068).abs() < 500, "{found:?}");
        let back = interval(&b, &a).unwrap();
        assert_eq!((back.low, back.high), (-found.high, -found.low));
    }

    #[test]
    fn students_distribution_is_near_enough() {
        for (freedom, exact) in [(19.0, 2.093_024), (30.0, 2.042_272), (120.0, 1.979_930)] {
            assert!((student_975(freedom) - exact).abs() < 0.001);
        }
    }

    #[test]
    fn what_cannot_be_told_is_not() {
        assert_eq!(interval(&[1], &[1, 2, 3]), None);
        assert_eq!(interval(&[i64::MAX; 5], &[i64::MAX; 5]), None);
        let same = interval(&[7; 5], &[9; 6]).unwrap();
        assert_eq!((same.low, same.high), (2, 2));
    }
}
