//! Shares of a whole. Read: `10%`, and where a fraction will do, `0.1`. Printed in percent
//! with one decimal, `<0.1` for what is tiny but not nothing.

use std::str::FromStr;

use super::{NONE, Number};

/// A hundredth of a decimal number without a sign, as near as its digits say.
pub(crate) fn hundredths(digits: &str) -> Option<f64> {
    let digits = digits.trim_end();
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    if !digits.chars().all(is_number) {
        return None;
    }
    format!("{digits}e-2").parse().ok()
}

/// A percentage: `10%`, `2.5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(f64);

impl Percent {
    /// As a share: 0.1 for `10%`.
    pub const fn share(self) -> f64 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim().strip_suffix('%');
        digits
            .and_then(hundredths)
            .map(Self)
            .ok_or_else(|| "expected a percentage such as 10%".to_owned())
    }
}

/// A share from 0 to 1; `10%` is 0.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction(f64);

impl Fraction {
    /// From 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Fraction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let share = match text.strip_suffix('%') {
            Some(digits) => hundredths(digits),
            None => text.parse().ok(),
        };
        share
            .filter(|n| (0.0..=1.0).contains(n))
            .map(Self)
            .ok_or_else(|| "expected a fraction from 0 to 1, such as 0.1 or 10%".to_owned())
    }
}

/// A share in percent with one decimal and without the sign; `<0.1` for what is
/// tiny but not nothing, `-` where there is no whole.
pub fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return NONE.to_owned();
    }
    let (part, whole) = (i128::from(part), i128::from(whole));
    if part > 0 && part * 1000 < whole {
        return "<0.1".to_owned();
    }
    let sign = if part < 0 { "-" } else { "" };
    let tenths = divided(part.abs() * 2000 + whole, whole * 2);
    format!("{sign}{}.{}", tenths / 10, tenths % 10)
}

/// A quotient of wide numbers, which are mostly not that wide, and then much quicker.
pub(crate) fn divided(dividend: i128, divisor: i128) -> i128 {
    match (i64::try_from(dividend), i64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) if divisor > 0 => i128::from(dividend / divisor),
        _ => dividend / divisor,
    }
}

/// A change with its sign: `+9.3 %`.
pub fn change(ratio: f64) -> String {
    let sign = if ratio >= 0.0 { "+" } else { "-" };
    format!("{sign}{}", share(ratio.abs()))
}

/// A change and what is allowed of it, with decimals enough to tell them apart.
pub fn change_beyond(ratio: f64, allowed: f64) -> (String, String) {
    let pair = (change(ratio), share(allowed.abs()));
    if pair.0[1..] != pair.1 {
        return pair;
    }
    let to = |share: f64, places: usize| format!("{:.places$} %", share.abs() * 100.0);
    let sign = &pair.0[..1];
    let places = (2..=9).find(|places| to(ratio, *places) != to(allowed, *places));
    match places {
        Some(places) => (format!("{sign}{}", to(ratio, places)), to(allowed, places)),
        None => pair,
    }
}

/// `5.9 %`; `<0.1 %` for what is tiny but not nothing.
pub fn share(share: f64) -> String {
    if share > 0.0 && share < 0.001 {
        return "<0.1 %".to_owned();
    }
    // Halves up, as [`percent`] has them.
    let tenths = (share * 1000.0).round();
    format!("{:.1} %", tenths / 10.0)
}

/// A share in percent, by moving the point of its decimal form, so that reading
/// it gives the same number.
pub fn exact_share(share: Number) -> String {
    let text = match share {
        Number::Integer(value) => value.to_string(),
        Number::Float(value) => format!("{value}"),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let padded = format!("{fraction:0<2}");
    let (moved, rest) = padded.split_at(2);
    let whole = format!("{whole}{moved}");
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    if rest.is_empty() {
        format!("{whole}%")
    } else {
        format!("{whole}.{rest}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_never_mislead() {
        for (part, whole, shown) in [
            (0, 10, "0.0"),
            (1, 3, "33.3"),
            (2, 3, "66.7"),
            (10, 10, "100.0"),
            (1, 1_000_000, "<0.1"),
            (1, 1001, "<0.1"),
            (1, 1000, "0.1"),
            (30, 10, "300.0"),
            (1, 0, "-"),
            (i64::MAX, i64::MAX, "100.0"),
        ] {
            assert_eq!(percent(part, whole), shown);
        }
    }

    #[test]
    fn percentages_have_their_sign() {
        let share = |text: &str| text.parse::<Percent>().map(Percent::share);
        assert_eq!(share("10%"), Ok(0.1));
        assert_eq!(share("2.5 %"), Ok(0.025));
        assert_eq!(share("0%"), Ok(0.0));
        for bad in ["10", "-1%", "%", "x%", "1e3%"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fractions_are_from_0_to_1() {
        assert!(("10%".parse::<Fraction>().unwrap().get() - 0.1).abs() < 1e-12);
        for bad in ["1.1", "-0.1", "NaN", "half"] {
            assert!(bad.parse::<Fraction>().is_err(), "{bad}");
        }
    }

    #[test]
    fn changes_are_told_from_what_is_allowed() {
        for (part, shown) in [
            (0.0589, "5.9 %"),
            (0.0625, "6.3 %"),
            (0.000_01, "<0.1 %"),
            (0.0, "0.0 %"),
        ] {
            assert_eq!(share(part), shown);
        }
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(change_beyond(0.35, 0.2), pair("+35.0 %", "20.0 %"));
        assert_eq!(change_beyond(0.200_4, 0.2), pair("+20.04 %", "20.00 %"));
        assert_eq!(change_beyond(-0.200_04, 0.2), pair("-20.004 %", "20.000 %"));
        assert_eq!(change(0.5), "+50.0 %");
        assert_eq!(change(-0.02), "-2.0 %");
    }
}
