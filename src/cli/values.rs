//! Numbers that flags take.

use std::str::FromStr;

use crate::render::brief::LEAST_TOKENS;

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

/// How many of something.
pub(super) fn whole_number<T: FromStr>(text: &str) -> Result<T, String> {
    let number = text.parse();
    number.map_err(|_| "expected a whole number such as 3, or 0".to_owned())
}
