//! Values of aggregates as people read them, in the unit that they have.

use crate::filter::aggregate::{Unit, exact};
use crate::units::{self, Number};

/// `1.64 s`, `1,204`, `5.9 %`, `$0.0123`, `0.94`.
pub fn quantity(value: Number, unit: Unit) -> String {
    match (unit, value) {
        (Unit::Time, Number::Integer(ns)) => units::duration(ns),
        (Unit::Time, Number::Float(ns)) => format!("{ns} ns"),
        (Unit::Share, share) => units::share(share.as_f64()),
        (Unit::Dollars, dollars) => units::cost(dollars.as_f64()),
        (_, Number::Integer(value)) => units::count(value),
        (Unit::Amount, Number::Float(value)) => units::amount(value),
        (Unit::Number, Number::Float(value)) => units::score(value),
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
    }
}
