//! Student's distribution, from the regularised incomplete beta function: its
//! continued fraction (Press, Teukolsky, Vetterling and Flannery, "Numerical
//! Recipes", 6.4) and the logarithm of the gamma function (Lanczos, 1964).

/// How likely a value at least as far from 0 as `t` is, on either side.
pub(super) fn two_sided(t: f64, freedom: f64) -> f64 {
    if !t.is_finite() {
        return 0.0;
    }
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The 97.5th percentile, from three degrees of freedom on.
pub(super) fn percentile_975(freedom: f64) -> f64 {
    // Abramowitz and Stegun, 26.7.5, is near enough for Newton's method.
    let z = 1.959_963_984_540_054_f64;
    let first = (z.powi(3) + z) / (4.0 * freedom);
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom * freedom);
    let mut t = z + first + second;
    let scale = ln_gamma(f64::midpoint(freedom, 1.0))
        - ln_gamma(freedom / 2.0)
        - 0.5 * (freedom * std::f64::consts::PI).ln();
    for _ in 0..20 {
        let density = (scale - f64::midpoint(freedom, 1.0) * (t * t / freedom).ln_1p()).exp();
        let step = (two_sided(t, freedom) / 2.0 - 0.025) / density;
        t += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    t
}

/// The logarithm of the gamma function of a positive number.
pub(super) fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const COEFFICIENTS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut at = x;
    let mut sum = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        at += 1.0;
        sum += coefficient / at;
    }
    let t = x + G + 0.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    // The fraction converges quickly on this side of the mean only.
    if x < (a + 1.0) / (a + b + 2.0) {
        front.exp() * fraction(x, a, b) / a
    } else {
        1.0 - front.exp() * fraction(1.0 - x, b, a) / b
    }
}

/// Lentz's method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let safe = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0));
    let mut result = below;
    for step in 1..2_000 {
        let step = f64::from(step);
        let twice = a + 2.0 * step;
        let even = step * (b - step) * x / ((twice - 1.0) * twice);
        below = 1.0 / safe(1.0 + even * below);
        above = safe(1.0 + even / above);
        result *= below * above;
        let odd = -(a + step) * (a + b + step) * x / (twice * (twice + 1.0));
        below = 1.0 / safe(1.0 + odd * below);
        above = safe(1.0 + odd / above);
        let factor = below * above;
        result *= factor;
        if (factor - 1.0).abs() < 1e-15 {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-9 * expected.abs().max(1e-3),
            "{found} {expected}"
        );
    }

    #[test]
    fn probabilities_are_those_of_scipy() {
        // 2 * scipy.stats.t.sf(t, df)
        near(two_sided(2.0, 19.0), 0.060_002_036_386_098_34);
        near(two_sided(0.1, 38.0), 0.920_870_051_158_259_2);
        near(two_sided(5.0, 9.5), 0.000_627_597_630_637_114_8);
        near(two_sided(1.96, 1e6), 0.049_996_067_585_269_85);
        near(two_sided(0.0, 5.0), 1.0);
        assert!(two_sided(f64::INFINITY, 5.0) <= 0.0);
    }

    #[test]
    fn percentiles_are_those_of_scipy() {
        // scipy.stats.t.ppf(0.975, df)
        for (freedom, expected) in [
            (3.0, 3.182_446_305_283_707_8),
            (9.0, 2.262_157_162_798_205),
            (19.0, 2.093_024_054_408_309),
            (38.7, 2.023_192_364_314_891),
            (1e5, 1.959_987_707_534_609_5),
        ] {
            near(percentile_975(freedom), expected);
        }
    }
}
