//! Numbers that flags take.

use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::render::brief::LEAST_TOKENS;
use crate::units;

/// How many of something, where none would make no sense.
pub(super) fn at_least_one(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number from 1 on".to_owned())
}

/// Tokens that what is printed may have; `2k` are 2,000.
pub(super) fn tokens(text: &str) -> Result<usize, String> {
    let (digits, times) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => (text, 1),
    };
    let number = digits.parse::<usize>().ok();
    let number = number.and_then(|number| number.checked_mul(times));
    let number = number.filter(|tokens| *tokens >= LEAST_TOKENS);
    number
        .ok_or_else(|| format!("expected a whole number from {LEAST_TOKENS} on, such as 500 or 2k"))
}

/// Rows of a file; `1M` are a million.
pub(super) fn rows(text: &str) -> Result<NonZeroUsize, String> {
    let scaled = match units::scaled(text) {
        Some(units::Number::Integer(number)) => usize::try_from(number).ok(),
        Some(units::Number::Float(_)) => None,
        None => text.parse().ok(),
    };
    scaled
        .and_then(NonZeroUsize::new)
        .ok_or_else(|| "expected a whole number from 1 on, such as 5000, 10k or 1M".to_owned())
}

/// How many of something.
pub(super) fn whole_number<T: FromStr>(text: &str) -> Result<T, String> {
    let number = text.parse();
    number.map_err(|_| "expected a whole number such as 3, or 0".to_owned())
}
