//! How far the difference of two means may be due to chance, by Welch's
//! approximation: "The Generalization of Student's Problem when Several
//! Different Population Variances are Involved", 1947. Means of times and of
//! money are those of logarithms: with the long tails that they have, the test
//! of the values themselves takes up to 15 in 100 equal sets of different sizes
//! for different, and that of their logarithms 5. It takes nothing but sums, so it does for every
//! row of a table what drawing samples again would do at rows times traces.

use serde::{Deserialize, Serialize};

use super::student::{percentile_975, two_sided};

/// Size, mean and squared deviations of a sample, kept as it comes (Welford, 1962).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    pub(super) n: usize,
    pub(super) mean: f64,
    /// The sum of the squared deviations from the mean.
    pub(super) deviations: f64,
}

impl Moments {
    pub(super) fn add(&mut self, value: f64) {
        self.n += 1;
        let delta = value - self.mean;
        self.mean += delta / float(self.n);
        self.deviations += delta * (value - self.mean);
    }

    /// The sample and so many zeros (Chan, Golub and LeVeque, 1983).
    #[must_use]
    pub(super) fn with_zeros(self, zeros: usize) -> Self {
        if zeros == 0 {
            return self;
        }
        let n = self.n + zeros;
        let (own, all) = (float(self.n), float(n));
        Self {
            n,
            mean: self.mean * own / all,
            deviations: self.deviations + self.mean * self.mean * own * float(zeros) / all,
        }
    }

    /// The same sample in another unit.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        Self {
            n: self.n,
            mean: self.mean * factor,
            deviations: self.deviations * factor * factor,
        }
    }

    /// The variance of the mean.
    fn variance(&self) -> f64 {
        self.deviations / float(self.n - 1) / float(self.n)
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::default();
        values.into_iter().for_each(|value| moments.add(value));
        moments
    }
}

/// What one mean exceeds another one by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) change: f64,
    /// Half the width of the 95 % confidence interval.
    pub(super) margin: f64,
    /// How likely a change of this size is by chance alone.
    pub(super) p: f64,
}

/// What the second sample's mean exceeds the first's by, when `shift` is added to
/// the second; `None` for samples of one.
pub(super) fn compare(before: &Moments, after: &Moments, shift: f64) -> Option<Estimate> {
    if before.n < 2 || after.n < 2 {
        return None;
    }
    let change = after.mean - before.mean + shift;
    let (a, b) = (before.variance(), after.variance());
    let variance = a + b;
    if variance <= 0.0 {
        return Some(Estimate {
            change,
            margin: 0.0,
            p: f64::from(u8::from(change == 0.0)),
        });
    }
    let freedom = variance * variance / (a * a / float(before.n - 1) + b * b / float(after.n - 1));
    let error = variance.sqrt();
    Some(Estimate {
        change,
        margin: percentile_975(freedom) * error,
        p: two_sided(change / error, freedom),
    })
}

#[expect(clippy::cast_precision_loss, reason = "no sample is that large")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs(),
            "{found} {expected}"
        );
    }

    #[test]
    fn the_interval_and_the_probability_are_those_of_scipy() {
        // scipy.stats.ttest_ind(b, a, equal_var=False) and its confidence_interval(0.95)
        // of 100..=119 and of the even numbers 100..=158.
        let a: Moments = (100..120).map(f64::from).collect();
        let b: Moments = (0..30).map(|i| f64::from(100 + 2 * i)).collect();
        let found = compare(&a, &b, 0.0).unwrap();
        near(found.change, 19.5);
        near(found.change - found.margin, 12.462_931_916_300_224);
        near(found.p, 1.954_489_602_643_565_3e-6);
        let back = compare(&b, &a, 0.0).unwrap();
        assert!(back.change + found.change == 0.0 && back.margin - found.margin == 0.0);
    }

    #[test]
    fn what_cannot_be_told_is_not() {
        let same = |value: f64, n: usize| -> Moments { std::iter::repeat_n(value, n).collect() };
        assert_eq!(compare(&same(1.0, 1), &same(1.0, 3), 0.0), None);
        let found = compare(&same(7.0, 5), &same(9.0, 6), 0.0).unwrap();
        near(found.change, 2.0);
        assert!(found.margin == 0.0 && found.p == 0.0);
        near(compare(&same(7.0, 5), &same(7.0, 6), 0.0).unwrap().p, 1.0);
    }

    #[test]
    fn zeros_may_be_added_at_once() {
        let values = [0.0, 2.5, 0.0, 7.0, 1.25];
        let all: Moments = values.into_iter().collect();
        let above: Moments = values.into_iter().filter(|v| *v > 0.0).collect();
        let merged = above.with_zeros(2);
        near(merged.mean, all.mean);
        near(merged.deviations, all.deviations);
        assert!(Moments::default().with_zeros(3).deviations == 0.0);
    }
}
