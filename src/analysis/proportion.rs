//! Two shares against each other: Newcombe's interval for the difference
//! ("Interval Estimation for the Difference between Independent Proportions",
//! 1998, method 10) from Wilson's intervals of both, and Fisher's exact test.

use super::student::ln_gamma;
use super::welch::float;

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share {
    pub(super) hits: usize,
    pub(super) n: usize,
}

/// A part of so many, of which there need be no whole number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub(super) share: f64,
    pub(super) n: f64,
    /// How many times it is taken: once for shares, as often as there are things for counts.
    pub(super) scale: f64,
}

impl Share {
    /// Taken once.
    pub(super) fn part(self) -> Part {
        Part {
            share: float(self.hits) / float(self.n),
            n: float(self.n),
            scale: 1.0,
        }
    }
}

impl Part {
    /// Wilson's score interval at 95 %.
    fn interval(self) -> (f64, f64) {
        const Z: f64 = 1.959_963_984_540_054;
        let Self { share: p, n, .. } = self;
        let divisor = 1.0 + Z * Z / n;
        let centre = (p + Z * Z / (2.0 * n)) / divisor;
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / divisor;
        (centre - half, centre + half)
    }
}

/// The 95 % interval of what the second part exceeds the first by; `None` where there
/// is nothing.
pub(super) fn newcombe(before: Part, after: Part) -> Option<(f64, f64)> {
    if before.n < 1.0 || after.n < 1.0 {
        return None;
    }
    let parts = |part: Part| {
        let (low, high) = part.interval();
        let Part { share, scale, .. } = part;
        (share * scale, (share - low) * scale, (high - share) * scale)
    };
    let (a, a_below, a_above) = parts(before);
    let (b, b_below, b_above) = parts(after);
    let change = b - a;
    let below = (b_below * b_below + a_above * a_above).sqrt();
    let above = (b_above * b_above + a_below * a_below).sqrt();
    Some((change - below, change + above))
}

/// How likely two equal shares differ at least as much in the same direction, by
/// Fisher's exact test, twice.
pub(super) fn fisher(a: Share, b: Share) -> f64 {
    // The same numbers come out when the two are exchanged.
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    let hits = a.hits + b.hits;
    let ln_choose = |n: usize, k: usize| {
        ln_gamma(float(n) + 1.0) - ln_gamma(float(k) + 1.0) - ln_gamma(float(n - k) + 1.0)
    };
    let all = ln_choose(a.n + b.n, hits);
    let ln_probability = |k: usize| ln_choose(a.n, k) + ln_choose(b.n, hits - k) - all;
    let (least, most) = (hits.saturating_sub(b.n), hits.min(a.n));
    let below: f64 = (least..=a.hits).map(|k| ln_probability(k).exp()).sum();
    let above: f64 = (a.hits..=most).map(|k| ln_probability(k).exp()).sum();
    (2.0 * below.min(above)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(hits: usize, n: usize) -> Share {
        Share { hits, n }
    }

    #[test]
    fn intervals_are_those_of_statsmodels() {
        // statsmodels.stats.proportion.confint_proportions_2indep(b, m, a, n, method="newcomb")
        for (a, b, low, high) in [
            (
                share(0, 20),
                share(5, 200),
                -0.136_756_298_753_918_23,
                0.057_178_340_406_641_99,
            ),
            (
                share(0, 20),
                share(0, 20),
                -0.161_125_158_052_819_4,
                0.161_125_158_052_819_4,
            ),
            (
                share(56, 70),
                share(48, 80),
                -0.333_872_654_036_906_14,
                -0.052_431_472_402_364_98,
            ),
        ] {
            let found = newcombe(a.part(), b.part()).unwrap();
            assert!((found.0 - low).abs() < 1e-9, "{found:?}");
            assert!((found.1 - high).abs() < 1e-9, "{found:?}");
            let back = newcombe(b.part(), a.part()).unwrap();
            assert!(back.0 + found.1 == 0.0 && back.1 + found.0 == 0.0);
        }
        assert_eq!(newcombe(share(0, 0).part(), share(1, 2).part()), None);
    }

    #[test]
    fn probabilities_are_those_of_scipy() {
        // Twice the smaller of scipy.stats.fisher_exact's one-sided probabilities.
        for (a, b, p) in [
            (share(0, 20), share(5, 200), 1.0),
            (share(3, 30), share(14, 40), 0.028_863_526_006_812_797),
            (share(250, 400), share(190, 410), 5.232_348_186_630_202e-06),
        ] {
            let found = fisher(a, b);
            assert!((found - p).abs() < 1e-9 * p.max(1e-3), "{found} {p}");
            assert_eq!(found.to_bits(), fisher(b, a).to_bits());
        }
    }
}
