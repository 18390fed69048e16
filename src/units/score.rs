//! Scores and other plain numbers.

use super::number::significant;
use super::{NONE, count};

/// A score or another plain number: three significant digits below one and three
/// decimals above, without zeros at the end. `0.5`, `0.499`, `4.333`, `1,204.5`.
pub fn score(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let size = value.abs();
    if (size > 0.0 && size < 1e-9) || size >= 1e15 {
        return format!("{value:e}");
    }
    let places = if size > 0.0 && size < 1.0 {
        significant(size)
    } else {
        3
    };
    let shown = format!("{size:.places$}");
    let (whole, part) = shown.split_once('.').unwrap_or((&shown, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    let sign = if value < 0.0 { "-" } else { "" };
    match part.trim_end_matches('0') {
        "" if whole == "0" => whole,
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_show_no_dust() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (0.499_999_999_999_999_94, "0.5"),
            (0.499, "0.499"),
            (0.698_25, "0.698"),
            (0.000_123_4, "0.000123"),
            (-0.75, "-0.75"),
            (0.999_9, "1"),
            (1.0, "1"),
            (4.333_333, "4.333"),
            (1204.5, "1,204.5"),
            (1e300, "1e300"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(score(value), shown);
        }
    }
}
