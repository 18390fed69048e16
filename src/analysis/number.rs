//! The few numeric conversions of the analysis, in one place: everything else
//! stays in integer nanoseconds.

/// `part / whole`, or `None` where `whole` is not positive, so that no caller
/// ever prints NaN or a percentage of nothing.
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| float(i128::from(part)) / float(i128::from(whole)))
}

/// The nearest `f64`; exact up to 2^53, which is 104 days in nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio is printed with one decimal"
)]
pub(super) fn float(value: i128) -> f64 {
    value as f64
}

/// `sum / count` as the nearest `f64` of both.
#[expect(
    clippy::cast_precision_loss,
    reason = "a quotient that is no whole number is rounded all the same"
)]
pub(super) fn quotient(sum: i128, count: usize) -> f64 {
    sum as f64 / count as f64
}

/// The nearest whole number, clamped; 0 for what is not a number.
#[expect(clippy::cast_possible_truncation, reason = "that is the clamping")]
pub(super) fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// An amount in so many units to the whole; `None` for what is not a finite number.
#[expect(
    clippy::cast_precision_loss,
    reason = "units are powers of ten below 2^53"
)]
pub(super) fn scaled(amount: f64, units: i64) -> Option<i64> {
    amount.is_finite().then(|| whole(amount * units as f64))
}

/// `a - b`, clamped alike in both directions, so that exchanging the two gives
/// the opposite in every case.
pub(super) fn difference(a: i64, b: i64) -> i64 {
    a.saturating_sub(b).max(-i64::MAX)
}

/// `sum / count`, rounded half up; 0 where `count` is 0. Both are non-negative.
pub(super) fn rounded_mean(sum: i128, count: usize) -> i64 {
    let count = i128::try_from(count).unwrap_or(i128::MAX).max(1);
    narrow((sum + count / 2) / count)
}

/// Back to 64 bits, clamped.
pub(super) fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_of_nothing_is_none() {
        assert_eq!(ratio(5, 0), None);
        assert_eq!(ratio(0, 0), None);
        assert_eq!(ratio(1, -1), None);
        assert_eq!(ratio(1, 4), Some(0.25));
    }

    #[test]
    fn means_round_half_up() {
        assert_eq!(rounded_mean(5, 2), 3);
        assert_eq!(rounded_mean(4, 3), 1);
        assert_eq!(rounded_mean(0, 0), 0);
        assert_eq!(rounded_mean(i128::from(i64::MAX) * 3, 3), i64::MAX);
    }
}
