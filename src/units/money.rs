//! Money: US dollars, which is what MLflow reckons in.

use super::number::significant;
use super::{NONE, count};

/// US dollars: cents from a dollar up and three significant digits below,
/// `$1,234.50` and `$0.000164`; `-` for what is not a number.
pub fn cost(dollars: f64) -> String {
    /// No price of a token comes near it.
    const LEAST: f64 = 1e-12;
    if !dollars.is_finite() {
        return NONE.to_owned();
    }
    let sign = if dollars < 0.0 { "-" } else { "" };
    let amount = dollars.abs();
    if amount == 0.0 {
        return "$0".to_owned();
    }
    if amount < LEAST {
        return format!("{sign}<$0.000000000001");
    }
    let places = if amount < 1.0 { significant(amount) } else { 2 };
    let shown = format!("{amount:.places$}");
    if shown.starts_with('1') && places > 2 {
        return format!("{sign}$1.00");
    }
    let (whole, part) = shown.split_once('.').unwrap_or((&shown, "00"));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    format!("{sign}${whole}.{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_show_small_amounts() {
        for (usd, shown) in [
            (0.0, "$0"),
            (0.000_000_15, "$0.000000150"),
            (0.000_164_3, "$0.000164"),
            (0.000_999_9, "$0.00100"),
            (-0.000_164_3, "-$0.000164"),
            (0.0123, "$0.0123"),
            (0.5, "$0.500"),
            (0.999_4, "$0.999"),
            (0.999_99, "$1.00"),
            (1.0, "$1.00"),
            (1.005_1, "$1.01"),
            (12.345_6, "$12.35"),
            (1234.5, "$1,234.50"),
            (1e-15, "<$0.000000000001"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(cost(usd), shown);
        }
    }
}
