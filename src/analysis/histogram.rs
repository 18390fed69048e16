//! How durations are spread: counts in adjacent ranges with round borders, of
//! equal width or, where the values span orders of magnitude, growing 1-2-5.

/// The most ranges of equal width; few values get fewer.
const MOST_BINS: usize = 20;
const LEAST_BINS: usize = 5;
/// Values that differ by more than this factor get ranges that grow.
const LINEAR_SPREAD: i64 = 50;

/// Values from `from_ns` on and below `to_ns`, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bin {
    /// The lower border, included.
    pub from_ns: i64,
    /// The upper border, not included.
    pub to_ns: i64,
    /// How many values.
    pub count: usize,
}

/// Counts in adjacent ranges from the smallest to the largest value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// In ascending order; empty ones within are kept, and together they hold
    /// every value.
    pub bins: Vec<Bin>,
    /// Whether the ranges grow with the values.
    pub log: bool,
}

impl Histogram {
    /// Of durations in nanoseconds that are 0 or more, in ascending order;
    /// `None` without values.
    pub fn of_sorted(sorted: &[i64]) -> Option<Self> {
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        // A few values of zero must not stretch a scale on which zero is infinitely far.
        let positive = sorted[sorted.partition_point(|&ns| ns <= 0)..].first();
        let log = positive.is_some_and(|&least| high / least > LINEAR_SPREAD);
        let borders = if log {
            growing_borders(low, positive.copied().unwrap_or(1), high)
        } else {
            let wanted = 2 * sorted.len().isqrt();
            equal_borders(low, high, wanted.clamp(LEAST_BINS, MOST_BINS))
        };
        let count_below = |border: i64| sorted.partition_point(|&ns| ns < border);
        let bins = borders.windows(2).map(|pair| Bin {
            from_ns: pair[0],
            to_ns: pair[1],
            count: count_below(pair[1]) - count_below(pair[0]),
        });
        Some(Self {
            bins: bins.collect(),
            log,
        })
    }

    /// The largest count.
    pub fn peak(&self) -> usize {
        self.bins.iter().map(|bin| bin.count).max().unwrap_or(0)
    }
}

/// 1, 2 and 5 times powers of ten from below `least` to above `high`; zeros get
/// a range of their own before them.
fn growing_borders(low: i64, least: i64, high: i64) -> Vec<i64> {
    let mut borders = Vec::new();
    if low <= 0 {
        borders.push(0);
    }
    let mut border = 1;
    loop {
        let next = next_round(border);
        if next > least {
            borders.push(border);
        }
        if border > high || next == border {
            break;
        }
        border = next;
    }
    borders
}

/// The next of 1, 2, 5, 10, 20 …; `i64::MAX` at the end.
fn next_round(border: i64) -> i64 {
    let power = 10_i64.pow(border.ilog10());
    match border / power {
        1 => border.saturating_mul(2),
        2 => power.saturating_mul(5),
        _ => power.saturating_mul(10),
    }
}

/// Multiples of a round width from at most `low` to above `high`.
fn equal_borders(low: i64, high: i64, most: usize) -> Vec<i64> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut width = 1;
    while (high - low) / width >= most {
        width = next_round(width);
    }
    let mut borders = vec![low - low % width];
    let mut border = borders[0];
    while border <= high {
        match border.checked_add(width) {
            Some(next) => border = next,
            None => break,
        }
        borders.push(border);
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bins(values: &[i64]) -> (bool, Vec<(i64, i64, usize)>) {
        let histogram = Histogram::of_sorted(values).unwrap();
        let bins = histogram.bins.iter();
        (
            histogram.log,
            bins.map(|b| (b.from_ns, b.to_ns, b.count)).collect(),
        )
    }

    #[test]
    fn ranges_have_round_borders() {
        assert_eq!(bins(&[7]), (false, vec![(7, 8, 1)]));
        let values: Vec<i64> = (100..300).collect();
        let (log, all) = bins(&values);
        assert!(!log);
        assert_eq!(all.len(), 20);
        assert_eq!((all[0], all[19]), ((100, 110, 10), (290, 300, 10)));
    }

    #[test]
    fn a_wide_spread_grows_the_ranges() {
        let (log, all) = bins(&[0, 15, 30, 90, 2_000]);
        assert!(log);
        assert_eq!(
            all,
            [
                (0, 10, 1),
                (10, 20, 1),
                (20, 50, 1),
                (50, 100, 1),
                (100, 200, 0),
                (200, 500, 0),
                (500, 1_000, 0),
                (1_000, 2_000, 0),
                (2_000, 5_000, 1),
            ]
        );
        assert_eq!(Histogram::of_sorted(&[]), None);
    }

    proptest! {
        #[test]
        fn every_value_is_in_one_range(mut values in prop::collection::vec(0_i64..=i64::MAX / 4, 1..50), shift in 0_u32..60) {
            for value in &mut values {
                *value >>= shift;
            }
            values.sort_unstable();
            let histogram = Histogram::of_sorted(&values).unwrap();
            prop_assert_eq!(histogram.bins.iter().map(|b| b.count).sum::<usize>(), values.len());
            for pair in histogram.bins.windows(2) {
                prop_assert_eq!(pair[0].to_ns, pair[1].from_ns);
            }
            prop_assert!(histogram.bins.len() <= 60, "{}", histogram.bins.len());
            prop_assert!(histogram.bins.iter().all(|b| b.from_ns < b.to_ns));
        }
    }
}
