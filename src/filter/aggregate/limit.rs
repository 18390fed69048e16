//! Reads the number that an aggregate is compared with, in the units that its
//! measure knows.

use super::super::error::ParseError;
use super::super::lexer::TokenKind;
use super::super::parser::Parser;
use super::super::value::parse_number;
use super::{Aggregate, Unit, mistakes};
use crate::field::Comparator;
use crate::units::{self, Number, scaled};

/// The number after the comparator, in the unit of the aggregate.
pub(super) fn limit(
    parser: &mut Parser<'_, '_>,
    aggregate: &Aggregate,
    comparator: Comparator,
) -> Result<Number, ParseError> {
    let unit = aggregate.unit();
    let token = parser.peek();
    if token.kind != TokenKind::Number {
        return Err(mistakes::no_limit(parser, aggregate, comparator));
    }
    parser.next();
    let percent = parser.peek();
    let is_percent = percent.text.starts_with('%') && parser.is_adjacent();
    if is_percent {
        parser.next();
    }
    let span = token.start..parser.previous_end();
    let number = match unit {
        Unit::Time if !is_percent => nanoseconds(token.text),
        Unit::Share | Unit::Number if is_percent => hundredth(token.text),
        // `<= 1` may be meant as a percentage, and would always hold.
        Unit::Share if !is_percent => parse_number(token.text).filter(|n| n.as_f64() < 1.0),
        Unit::Amount | Unit::Dollars | Unit::Number if !is_percent => {
            parse_number(token.text).or_else(|| scaled(token.text))
        }
        _ => None,
    };
    let Some(number) = number else {
        return Err(mistakes::bad_limit(parser, aggregate, span, is_percent));
    };
    if unit != Unit::Number && number.as_f64() < 0.0 {
        return Err(mistakes::negative_limit(parser.text, aggregate, span));
    }
    Ok(number)
}

/// A duration, in milliseconds where it has no unit.
fn nanoseconds(text: &str) -> Option<Number> {
    let unsigned = text.trim_start_matches('+');
    units::nanoseconds(unsigned)
        .or_else(|| units::nanoseconds(&format!("{unsigned}ms")))
        .or_else(|| parse_number(text).map(Number::millis_to_nanos))
}

/// What stands before a percent sign, which may have a sign of its own.
fn hundredth(text: &str) -> Option<Number> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    units::hundredths(digits).map(|share| Number::Float(sign * share))
}
