//! Counts of things. Read: `10k`, `2.5M`. Printed with separators.

use super::number::{Number, amount as digits, number, sign};

/// A number like `10k` or `2.5M`.
pub(crate) fn scaled(text: &str) -> Option<Number> {
    let text = text.trim();
    let (sign, rest) = sign(text);
    let ((digits, scale), unit, after) = digits(rest)?;
    let factor: i128 = match unit {
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" | "b" | "B" => 1_000_000_000,
        _ => return None,
    };
    if !after.is_empty() {
        return None;
    }
    number((sign * digits.checked_mul(factor)?, scale))
}

/// `1,234,567`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,234,567` of things.
pub fn whole(number: usize) -> String {
    count(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A count with its noun: `1 span`, `1,204 spans`.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", whole(number))
}

/// A mean of counts: one decimal at most.
pub fn amount(value: f64) -> String {
    let text = format!("{value:.1}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if whole.starts_with('-') { "-" } else { "" };
    let digits = whole.trim_start_matches('-');
    let whole = digits.parse().map_or_else(|_| digits.to_owned(), count);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_suffixes() {
        assert_eq!(scaled("10k"), Some(Number::Integer(10_000)));
        assert_eq!(scaled("2.5M"), Some(Number::Integer(2_500_000)));
        assert_eq!(scaled("0.0005k"), Some(Number::Float(0.5)));
        assert_eq!(scaled("10x"), None);
        assert_eq!(scaled("10"), None);
    }

    #[test]
    fn counts_have_separators() {
        for (n, shown) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1_234_567, "-1,234,567"),
        ] {
            assert_eq!(count(n), shown);
        }
        assert_eq!(counted(1, "span"), "1 span");
        assert_eq!(counted(1200, "span"), "1,200 spans");
    }
}
