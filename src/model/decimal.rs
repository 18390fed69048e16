//! Sums of amounts that were written as decimals, such as money and scores: six
//! times 0.8 is 4.8. Each number is taken for the shortest decimal that reads as
//! it, and those are added in whole units of 10^-24. What is too large or too
//! fine for that is added as floats are, with what rounding lost carried along
//! (Neumaier, 1974).

/// Decimals that sums have.
const SCALE: i32 = 24;

/// A sum in the making.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecimalSum {
    /// In units of 10^-24; `None` once that does not do.
    units: Option<i128>,
    sum: f64,
    lost: f64,
}

impl Default for DecimalSum {
    fn default() -> Self {
        Self {
            units: Some(0),
            sum: 0.0,
            lost: 0.0,
        }
    }
}

impl DecimalSum {
    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        self.units = self.units.and_then(|sum| sum.checked_add(units(value)?));
        let total = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - total) + value
        } else {
            (value - total) + self.sum
        };
        self.sum = total;
    }

    /// The float nearest to the sum.
    pub fn total(&self) -> f64 {
        self.mean(1)
    }

    /// The float nearest to a part of the sum, such as the mean of `count` numbers.
    pub fn mean(&self, count: usize) -> f64 {
        let exact = i128::try_from(count)
            .ok()
            .and_then(|count| nearest(self.units?, count));
        exact.unwrap_or_else(|| {
            // Beyond all floats, nothing is known of what was lost.
            let lost = if self.lost.is_finite() {
                self.lost
            } else {
                0.0
            };
            (self.sum + lost) / float(count)
        })
    }
}

impl FromIterator<f64> for DecimalSum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::default();
        values.into_iter().for_each(|value| sum.add(value));
        sum
    }
}

#[expect(clippy::cast_precision_loss, reason = "no set is that large")]
fn float(count: usize) -> f64 {
    count as f64
}

/// A number in units of 10^-24; `None` where it is no whole number of them, or too large.
fn units(value: f64) -> Option<i128> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let shift = exponent + SCALE - i32::try_from(fraction.len()).ok()?;
    digits.checked_mul(10_i128.checked_pow(u32::try_from(shift).ok()?)?)
}

/// The float nearest to so many units over a count; `None` without a count.
fn nearest(units: i128, count: i128) -> Option<f64> {
    let (mut quotient, mut rest) = (units.checked_div(count)?, units % count);
    let mut scale = SCALE;
    // Digits enough for the nearest float.
    while rest != 0 && quotient.abs() < 10_i128.pow(20) {
        let more = rest.checked_mul(10)?;
        quotient = quotient * 10 + more / count;
        rest = more % count;
        scale += 1;
    }
    // A digit that is not 0 tells what lies beyond from a tie.
    let beyond = if rest == 0 { "" } else { "1" };
    let scale = if rest == 0 { scale } else { scale + 1 };
    format!("{quotient}{beyond}e-{scale}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> DecimalSum {
        values.iter().copied().collect()
    }

    fn assert_same(found: f64, expected: f64) {
        assert_eq!(found.to_bits(), expected.to_bits(), "{found} {expected}");
    }

    #[test]
    fn decimals_add_up() {
        assert_same(sum(&[0.8; 6]).total(), 4.8);
        assert_same(sum(&[0.8; 6]).mean(6), 0.8);
        assert_same(sum(&[0.1; 10]).total(), 1.0);
        assert_same(sum(&[0.1, 0.2]).total(), 0.3);
        assert_same(sum(&[0.1, 0.2, -0.3]).total(), 0.0);
        assert_same(sum(&[-0.1; 3]).mean(3), -0.1);
        assert_same(sum(&[1.1e-9; 7]).total(), 7.7e-9);
        assert_same(sum(&[]).total(), 0.0);
    }

    #[test]
    fn a_mean_is_the_nearest_float() {
        assert_same(sum(&[1.0, 0.0, 0.0]).mean(3), 1.0 / 3.0);
        assert_same(sum(&[2.0, 0.0, 0.0]).mean(3), 2.0 / 3.0);
        assert_same(sum(&[-2.0, 0.0, 0.0]).mean(3), -2.0 / 3.0);
        assert_same(sum(&[1e-10]).mean(7), 1e-10 / 7.0);
    }

    #[test]
    fn what_is_too_large_or_too_fine_is_added_as_floats_are() {
        assert_same(sum(&[1e300, 1.0, -1e300]).total(), 1.0);
        assert_same(sum(&[1e-300, 1e-300]).total(), 2e-300);
        assert_same(sum(&[1e20, 1.0]).mean(2), 5e19);
        assert!(sum(&[f64::INFINITY, 1.0]).total().is_infinite());
    }
}
