//! Percentiles of durations by linear interpolation (Hyndman and Fan's type 7,
//! "Sample Quantiles in Statistical Packages", 1996): `h = (n − 1) p`, which is
//! what MLflow's server and numpy use. Computed in integers, so that the result
//! is the exact value rounded to whole nanoseconds.

use super::number::{narrow, rounded_mean};

/// A quantile in parts of ten thousand: 9 500 is the 95th percentile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantile(u16);

impl Quantile {
    /// The median.
    pub const P50: Self = Self(5_000);
    /// The 95th percentile.
    pub const P95: Self = Self(9_500);
    /// The 99th percentile.
    pub const P99: Self = Self(9_900);

    /// From parts of ten thousand; `None` above ten thousand.
    pub const fn new(parts: u16) -> Option<Self> {
        if parts <= 10_000 {
            Some(Self(parts))
        } else {
            None
        }
    }
}

/// The quantile of values that are sorted in ascending order, rounded half up;
/// `None` without values.
pub fn percentile(sorted: &[i64], quantile: Quantile) -> Option<i64> {
    percentile_by(sorted.len(), quantile, |rank| sorted[rank])
}

/// The quantile of `n` values, of which `value` gives the one of a rank from 0: first the
/// one below the quantile, then the next one.
pub fn percentile_by(
    n: usize,
    quantile: Quantile,
    mut value: impl FnMut(usize) -> i64,
) -> Option<i64> {
    let steps = n.checked_sub(1)?;
    let h = steps as u128 * u128::from(quantile.0);
    let below = usize::try_from(h / 10_000).unwrap_or(steps);
    let part = (h % 10_000).cast_signed();
    let low = i128::from(value(below));
    let high = i128::from(value((below + 1).min(steps)));
    Some(narrow(
        low + ((high - low) * part + 5_000).div_euclid(10_000),
    ))
}

/// Whether so many values are too few for a p95 that means much.
pub(super) const fn p95_is_rough(n: usize) -> bool {
    n < 20
}

/// Statistics of a sample of durations in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Size of the sample, at least 1.
    pub n: usize,
    /// Arithmetic mean, rounded.
    pub avg_ns: i64,
    /// Smallest.
    pub min_ns: i64,
    /// Median.
    pub p50_ns: i64,
    /// 95th percentile.
    pub p95_ns: i64,
    /// 99th percentile.
    pub p99_ns: i64,
    /// Largest.
    pub max_ns: i64,
}

impl Summary {
    /// Of values in ascending order; `None` without values.
    pub fn of_sorted(sorted: &[i64]) -> Option<Self> {
        Some(Self {
            n: sorted.len(),
            avg_ns: rounded_mean(sorted.iter().map(|&v| i128::from(v)).sum(), sorted.len()),
            min_ns: *sorted.first()?,
            p50_ns: percentile(sorted, Quantile::P50)?,
            p95_ns: percentile(sorted, Quantile::P95)?,
            p99_ns: percentile(sorted, Quantile::P99)?,
            max_ns: *sorted.last()?,
        })
    }

    /// Too few values for a p95 that means much: fewer than 20.
    pub const fn p95_is_rough(&self) -> bool {
        p95_is_rough(self.n)
    }

    /// Too few values for a p99 that means much: fewer than 100.
    pub const fn p99_is_rough(&self) -> bool {
        self.n < 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(sorted: &[i64], parts: u16) -> Option<i64> {
        percentile(sorted, Quantile::new(parts).unwrap())
    }

    #[test]
    fn percentiles_are_those_of_numpy() {
        // numpy: 8, 804, 960.8 and 4.9744.
        let five = [3, 7, 8, 20, 1000];
        assert_eq!(p(&five, 5_000), Some(8));
        assert_eq!(p(&five, 9_500), Some(804));
        assert_eq!(p(&five, 9_900), Some(961));
        assert_eq!(p(&five, 1_234), Some(5));
        // numpy: 5500, 9550, 9910 and 2110.6.
        let ten: Vec<i64> = (1..=10).map(|i| i * 1000).collect();
        assert_eq!(p(&ten, 5_000), Some(5_500));
        assert_eq!(p(&ten, 9_500), Some(9_550));
        assert_eq!(p(&ten, 9_900), Some(9_910));
        assert_eq!(p(&ten, 1_234), Some(2_111));
        // numpy: 101, 774.6 and 954.12.
        let seven = [11, 12, 17, 101, 250, 251, 999];
        assert_eq!(p(&seven, 5_000), Some(101));
        assert_eq!(p(&seven, 9_500), Some(775));
        assert_eq!(p(&seven, 9_900), Some(954));
    }

    #[test]
    fn the_ends_are_the_least_and_the_greatest_value() {
        assert_eq!(p(&[5, 6, 9], 0), Some(5));
        assert_eq!(p(&[5, 6, 9], 10_000), Some(9));
        assert_eq!(p(&[i64::MIN, i64::MAX], 10_000), Some(i64::MAX));
        assert_eq!(Quantile::new(10_001), None);
    }

    #[test]
    fn one_value_is_every_percentile_and_none_has_none() {
        assert_eq!(p(&[42], 9_900), Some(42));
        assert_eq!(p(&[], 5_000), None);
        assert_eq!(Summary::of_sorted(&[]), None);
    }

    #[test]
    fn a_summary_says_which_of_its_percentiles_are_rough() {
        let values: Vec<i64> = (0..100).collect();
        let rough = |n: usize| {
            let summary = Summary::of_sorted(&values[..n]).unwrap();
            (summary.n, summary.p95_is_rough(), summary.p99_is_rough())
        };
        assert_eq!(rough(19), (19, true, true));
        assert_eq!(rough(20), (20, false, true));
        assert_eq!(rough(100), (100, false, false));
        assert_eq!(Summary::of_sorted(&values).unwrap().avg_ns, 50);
    }
}
