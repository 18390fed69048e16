//! How far the difference of two samples' statistics may be due to chance, by
//! the percentile bootstrap: Efron and Tibshirani, "An Introduction to the
//! Bootstrap", 1993, chapter 13. Both samples are drawn again, with replacement,
//! many times; the middle 95 % of the differences are the interval, and somewhat
//! more of them for small samples, whose intervals would be too narrow: the
//! expanded percentile interval of Hesterberg, "What Teachers Should Know About
//! the Bootstrap", The American Statistician 69, 2015, section 5.3. Samples are
//! drawn in integers from a seed, so the same samples have the same interval on
//! every machine. Each sample is drawn with both of two streams of
//! random numbers, which are then paired crosswise: with the samples exchanged,
//! the same differences come out with the opposite sign.

use super::number::{difference, rounded_mean};
use super::percentile::{Quantile, percentile_by};
use super::student;
use super::welch::float;

/// The seed where none was chosen.
pub const DEFAULT_SEED: u64 = 1;

/// The ends of a 95 % confidence interval, in the unit of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfidenceInterval {
    /// The lower end.
    pub low: i64,
    /// The upper end.
    pub high: i64,
}

impl ConfidenceInterval {
    /// Whether no difference at all is among what chance explains.
    pub const fn holds_zero(&self) -> bool {
        self.low <= 0 && self.high >= 0
    }
}

/// The intervals of what the second sample's statistics exceed the first's by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Intervals {
    pub(super) mean: ConfidenceInterval,
    pub(super) p50: ConfidenceInterval,
    pub(super) p95: ConfidenceInterval,
}

/// Mean, median and 95th percentile.
type Statistics = [i64; 3];

/// The differences that an interval is taken from: 2,000, which is the upper end
/// of what the source recommends, and 1,000 of samples so large that the
/// intervals are narrow anyhow and time counts.
const fn differences(largest: usize) -> usize {
    if largest <= 5_000 { 2_000 } else { 1_000 }
}

/// How many values the smaller of two samples needs for an interval of a percentile
/// with so many parts of ten thousand beyond it: at least one beyond it, on average, and
/// two where the other sample is larger by more than half. Beside that one, the largest
/// of a small sample seldom reaches the percentile (simulated: 18 % false alarms of a p95
/// at 20 against 200, 6 % at 40 against 200).
pub(super) fn least_for_percentile(beyond: u16, before: usize, after: usize) -> usize {
    let (smaller, larger) = (before.min(after), before.max(after));
    let wanted = if larger * 2 > smaller * 3 { 2 } else { 1 };
    (wanted * 10_000_usize).div_ceil(usize::from(beyond.max(1)))
}

/// The intervals for two samples in ascending order, neither of them empty.
pub(super) fn intervals(before: &[i64], after: &[i64], seed: u64) -> Intervals {
    let count = differences(before.len().max(after.len()));
    let mut seeds = SplitMix64(seed);
    let streams = [seeds.next(), seeds.next()];
    let [before_first, before_second] = streams.map(|s| resampled(before, s, count / 2));
    let [after_first, after_second] = streams.map(|s| resampled(after, s, count / 2));
    let outside = left_out(before.len().min(after.len()));
    let interval = |statistic: usize| {
        let crosswise = [
            (&after_first, &before_second),
            (&after_second, &before_first),
        ];
        let pairs = crosswise.into_iter().flat_map(|(a, b)| a.iter().zip(b));
        middle(
            pairs
                .map(|(a, b)| difference(a[statistic], b[statistic]))
                .collect(),
            outside,
        )
    };
    Intervals {
        mean: interval(0),
        p50: interval(1),
        p95: interval(2),
    }
}

/// The part of the differences on either side of the interval: 0.025 of those of
/// large samples. The plug-in variance of `n` values is too small by `(n - 1) / n`, and
/// Student's distribution is wider than the normal one.
fn left_out(n: usize) -> f64 {
    const AS_GOOD_AS_NORMAL: f64 = 1e6;
    if n < 5 {
        return 0.0;
    }
    let (n, freedom) = (float(n), float(n - 1));
    let wide = student::percentile_975(freedom) * (n / freedom).sqrt();
    student::two_sided(wide, AS_GOOD_AS_NORMAL) / 2.0
}

/// From the k-th smallest to the k-th largest, `k = ⌊outside (B + 1)⌋`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of the differences"
)]
fn middle(mut differences: Vec<i64>, outside: f64) -> ConfidenceInterval {
    differences.sort_unstable();
    let k = ((outside * float(differences.len() + 1)) as usize).max(1);
    ConfidenceInterval {
        low: differences[k - 1],
        high: differences[differences.len() - k],
    }
}

/// The statistics of so many samples of the same size, drawn with replacement.
fn resampled(sorted: &[i64], stream: u64, times: usize) -> Vec<Statistics> {
    let mut random = SplitMix64(stream);
    let n = sorted.len();
    // How often each value was drawn, and then how often it or a smaller one was.
    let mut drawn = vec![0_u32; n];
    let mut draw = || {
        drawn.fill(0);
        for _ in 0..n {
            drawn[random.below(n)] += 1;
        }
        let (mut sum, mut so_far) = (0, 0);
        for (count, value) in drawn.iter_mut().zip(sorted) {
            sum += i128::from(*count) * i128::from(*value);
            so_far += *count;
            *count = so_far;
        }
        let of_rank = |rank: usize| {
            let at = drawn.partition_point(|&count| (count as usize) <= rank);
            sorted[at]
        };
        let quantile = |quantile| percentile_by(n, quantile, of_rank).unwrap_or(0);
        [
            rounded_mean(sum, n),
            quantile(Quantile::P50),
            quantile(Quantile::P95),
        ]
    };
    (0..times).map(|_| draw()).collect()
}

/// How many percentiles of samples drawn again are kept.
pub(super) const DRAWN_KEPT: usize = 199;

/// Samples of so many traces that the percentiles of samples drawn from them are as good as
/// normally distributed in rank.
const MANY: usize = 1_000;

/// Steps that drawing takes at most, lest it take long.
const STEPS: usize = 20_000_000;

/// A percentile, in parts of ten thousand, of the values of traces drawn again: values that
/// are equally likely, ascending. The values of a trace stand together, `ends` being where
/// those of each trace end, and are drawn together.
pub(super) fn drawn_percentiles(values: &[f64], ends: &[usize], parts: u16) -> Vec<f64> {
    let bundles = Bundles::new(values, ends);
    let (n, traces) = (bundles.sorted.len(), ends.len());
    if n == 0 {
        return Vec::new();
    }
    let kept = (0..DRAWN_KEPT).map(|at| (at * 2 + 1, DRAWN_KEPT * 2));
    let times = (STEPS / n).min(2_000);
    if traces > MANY || times < DRAWN_KEPT * 2 {
        let p = f64::from(parts) / 10_000.0;
        let (centre, spread) = (float(n - 1) * p, bundles.spread_of_rank(p));
        let rank = |(part, whole)| centre + spread * normal_quantile(float(part) / float(whole));
        return kept.map(|at| at_rank(&bundles.sorted, rank(at))).collect();
    }
    let mut random = SplitMix64(DEFAULT_SEED);
    let mut drawn: Vec<f64> = (0..times)
        .map(|_| bundles.drawn_percentile(parts, &mut random))
        .collect();
    drawn.sort_unstable_by(f64::total_cmp);
    kept.map(|(part, whole)| drawn[drawn.len() * part / whole])
        .collect()
}

/// Values in ascending order, with the traces that they are of.
struct Bundles {
    sorted: Vec<f64>,
    /// Traces are numbered by their smallest value, so that it does not matter in which
    /// order they came.
    trace: Vec<usize>,
    traces: usize,
}

impl Bundles {
    fn new(values: &[f64], ends: &[usize]) -> Self {
        let mut order: Vec<(f64, usize)> = Vec::with_capacity(values.len());
        let mut start = 0;
        for (trace, end) in ends.iter().enumerate() {
            order.extend(values[start..*end].iter().map(|value| (*value, trace)));
            start = *end;
        }
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut numbers = vec![None; ends.len()];
        let mut next = 0;
        let mut number = |trace: usize| {
            *numbers[trace].get_or_insert_with(|| {
                next += 1;
                next - 1
            })
        };
        let trace = order.iter().map(|(_, trace)| number(*trace)).collect();
        Self {
            sorted: order.into_iter().map(|(value, _)| value).collect(),
            trace,
            traces: ends.len(),
        }
    }

    /// The percentile of as many traces as there are, drawn with replacement.
    fn drawn_percentile(&self, parts: u16, random: &mut SplitMix64) -> f64 {
        let mut times = vec![0_usize; self.traces];
        for _ in 0..self.traces {
            times[random.below(self.traces)] += 1;
        }
        let n: usize = self.trace.iter().map(|trace| times[*trace]).sum();
        let rank = n.saturating_sub(1) * usize::from(parts);
        let (below, part) = (rank / 10_000, float(rank % 10_000) / 10_000.0);
        let (mut so_far, mut low) = (0, None);
        for (value, trace) in self.sorted.iter().zip(&self.trace) {
            so_far += times[*trace];
            if so_far > below {
                let low = *low.get_or_insert(*value);
                if part <= 0.0 || so_far > below + 1 {
                    return low + (value - low) * part;
                }
            }
        }
        low.unwrap_or_default()
    }

    /// How far the rank of a percentile varies: by how many of each trace's values are up
    /// to it, beside the part of them that should be.
    fn spread_of_rank(&self, p: f64) -> f64 {
        let n = float(self.sorted.len());
        let mut excess = vec![0.0; self.traces];
        for (rank, trace) in self.trace.iter().enumerate() {
            let is_below = float(rank) + 0.5 <= n * p;
            excess[*trace] += if is_below { 1.0 - p } else { -p };
        }
        let squares: f64 = excess.iter().map(|excess| excess * excess).sum();
        let traces = float(self.traces);
        (squares * traces / (traces - 1.0).max(1.0)).sqrt()
    }
}

/// Linear interpolation between the values at the ranks around it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is clamped to those there are"
)]
fn at_rank(sorted: &[f64], rank: f64) -> f64 {
    let rank = rank.clamp(0.0, float(sorted.len() - 1));
    let below = rank.floor();
    let (low, high) = (sorted[below as usize], sorted[rank.ceil() as usize]);
    low + (high - low) * (rank - below)
}

/// The quantile of the normal distribution, by Abramowitz and Stegun, 26.2.23,
/// within 0.0005.
fn normal_quantile(p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let size = t - above / below;
    if p < 0.5 { -size } else { size }
}

/// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
#[derive(Debug, Clone)]
pub(super) struct SplitMix64(pub(super) u64);

impl SplitMix64 {
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`; what multiplying favours some by is `n / 2^64` at most.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the product's upper half is below n"
    )]
    pub(super) const fn below(&mut self, n: usize) -> usize {
        ((self.next() as u128 * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Durations with the long tail that they have in reality.
    fn skewed(n: usize, seed: u64) -> Vec<i64> {
        let mut random = SplitMix64(seed);
        let mut values: Vec<i64> = (0..n)
            .map(|_| {
                let product = (0..4).fold(1_i64, |p, _| {
                    p * i64::try_from(random.below(900) + 100).unwrap() / 100
                });
                product * 1_000
            })
            .collect();
        values.sort_unstable();
        values
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
        assert!((0..1_000).all(|_| random.below(7) < 7));
    }

    #[test]
    fn exchanged_samples_have_the_opposite_intervals() {
        let negated = |i: ConfidenceInterval| ConfidenceInterval {
            low: -i.high,
            high: -i.low,
        };
        for (n, m) in [(1, 1), (3, 50), (40, 40), (41, 200)] {
            let (a, b) = (skewed(n, 1), skewed(m, 2));
            let (there, back) = (intervals(&a, &b, 7), intervals(&b, &a, 7));
            assert_eq!(there.mean, negated(back.mean));
            assert_eq!(there.p50, negated(back.p50));
            assert_eq!(there.p95, negated(back.p95));
            let same = intervals(&a, &a, 7);
            assert_eq!(same.mean, negated(same.mean));
            assert!(same.p95.holds_zero());
        }
    }

    #[test]
    fn a_seed_gives_the_same_interval_each_time_and_another_one_a_similar_one() {
        let (a, b) = (skewed(60, 1), skewed(80, 2));
        assert_eq!(intervals(&a, &b, 7), intervals(&a, &b, 7));
        let (one, two) = (intervals(&a, &b, 7).mean, intervals(&a, &b, 8).mean);
        assert_ne!(one, two);
        let width = one.high - one.low;
        assert!((one.low - two.low).abs() < width / 5);
        assert!((one.high - two.high).abs() < width / 5);
    }

    #[test]
    fn intervals_hold_no_difference_about_as_often_as_they_say() {
        let rounds = 200;
        let mut held = [0; 2];
        for round in 0..rounds {
            let (a, b) = (skewed(30, 2 * round + 1), skewed(40, 2 * round + 2));
            let found = intervals(&a, &b, round);
            held[0] += u64::from(found.mean.holds_zero());
            held[1] += u64::from(found.p50.holds_zero());
        }
        // 95 % of 200 is 190; chance alone moves that by three or four.
        for held in held {
            assert!((180..=198).contains(&held), "{held} of {rounds}");
        }
    }

    #[test]
    fn a_large_difference_is_seen() {
        let a = skewed(100, 1);
        let b: Vec<i64> = a.iter().map(|v| v * 3).collect();
        let found = intervals(&a, &b, 1);
        for interval in [found.mean, found.p50, found.p95] {
            assert!(interval.low > 0, "{interval:?}");
        }
    }
}
