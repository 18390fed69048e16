//! Values of aggregates as people read them, in the unit that they have.

use super::number;
use crate::filter::Number;
use crate::filter::aggregate::{Unit, exact};

/// `1.64 s`, `1,204`, `5.9 %`, `$0.0123`, `0.94`.
pub fn quantity(value: Number, unit: Unit) -> String {
    match (unit, value) {
        (Unit::Time, Number::Integer(ns)) => number::duration(ns),
        (Unit::Time, Number::Float(ns)) => format!("{ns} ns"),
        (Unit::Share, share) => percent(share.as_f64()),
        (Unit::Dollars, dollars) => number::cost(dollars.as_f64()),
        (_, Number::Integer(value)) => number::count(value),
        (Unit::Amount, Number::Float(value)) => decimal(value, 1),
        (Unit::Number, Number::Float(value)) => number::score(value),
    }
}

/// The same with every digit, where fewer would mislead: `2.0004 s`.
pub fn exactly(value: Number, unit: Unit) -> String {
    let text = exact(value, unit);
    match unit {
        Unit::Time | Unit::Share => {
            let is_unit = |c: char| c == '%' || (c.is_alphabetic() && c != 'e');
            let at = text.find(is_unit).unwrap_or(text.len());
            format!("{} {}", &text[..at], &text[at..])
        }
        Unit::Dollars => match text.strip_prefix('-') {
            Some(size) => format!("-${size}"),
            None => format!("${text}"),
        },
        Unit::Amount | Unit::Number => text,
    }
}

/// A change with its sign: `+9.3 %`.
pub fn change(ratio: f64) -> String {
    let sign = if ratio >= 0.0 { "+" } else { "-" };
    format!("{sign}{}", percent(ratio.abs()))
}

/// A change and what is allowed of it, with decimals enough to tell them apart.
pub fn change_beyond(ratio: f64, allowed: f64) -> (String, String) {
    let pair = (change(ratio), percent(allowed.abs()));
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

/// A share in percent with one decimal; `<0.1 %` for what is tiny but not nothing.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 {
        return "<0.1 %".to_owned();
    }
    format!("{percent:.1} %")
}

/// At most so many decimals, and no zeros at the end; large numbers with separators.
fn decimal(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if whole.starts_with('-') { "-" } else { "" };
    let digits = whole.trim_start_matches('-');
    let whole = digits
        .parse()
        .map_or_else(|_| digits.to_owned(), number::count);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_their_unit() {
        for (value, unit, shown) in [
            (Number::Integer(1_640_000_000), Unit::Time, "1.64 s"),
            (Number::Integer(1204), Unit::Amount, "1,204"),
            (Number::Float(1204.56), Unit::Amount, "1,204.6"),
            (Number::Float(2.0), Unit::Amount, "2"),
            (Number::Float(0.0589), Unit::Share, "5.9 %"),
            (Number::Float(0.000_01), Unit::Share, "<0.1 %"),
            (Number::Float(0.0), Unit::Share, "0.0 %"),
            (Number::Float(0.0123), Unit::Dollars, "$0.0123"),
            (Number::Float(0.94), Unit::Number, "0.94"),
            (Number::Float(-0.5), Unit::Number, "-0.5"),
            (Number::Float(0.499_999_999_999_999_94), Unit::Number, "0.5"),
        ] {
            assert_eq!(quantity(value, unit), shown);
        }
        for (value, unit, shown) in [
            (Number::Integer(2_000_400_000), Unit::Time, "2.0004 s"),
            (Number::Integer(7), Unit::Time, "7 ns"),
            (Number::Float(0.2004), Unit::Share, "20.04 %"),
            (Number::Float(4.800_000_1), Unit::Dollars, "$4.8000001"),
            (Number::Float(0.123_45), Unit::Number, "0.12345"),
        ] {
            assert_eq!(exactly(value, unit), shown);
        }
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(change_beyond(0.35, 0.2), pair("+35.0 %", "20.0 %"));
        assert_eq!(change_beyond(0.200_4, 0.2), pair("+20.04 %", "20.00 %"));
        assert_eq!(change_beyond(-0.200_04, 0.2), pair("-20.004 %", "20.000 %"));
        assert_eq!(change(0.5), "+50.0 %");
        assert_eq!(change(-0.02), "-2.0 %");
    }
}
