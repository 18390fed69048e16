//! Numbers as precise as they were written, and the digits that they are made of.

use std::fmt;

/// A number, as precise as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// A finite number with a fraction or an exponent.
    Float(f64),
}

impl Number {
    /// The nearest floating-point number.
    #[allow(clippy::cast_precision_loss, reason = "the loss is the point")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// Milliseconds as nanoseconds: exact for whole ones that fit, else the nearest fraction.
    #[must_use]
    pub fn millis_to_nanos(self) -> Self {
        match self {
            Self::Integer(ms) => match ms.checked_mul(1_000_000) {
                Some(ns) => Self::Integer(ns),
                None => Self::Float(self.as_f64() * 1e6),
            },
            Self::Float(ms) => Self::Float(ms * 1e6),
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// Digits, and how many of them are a fraction.
pub(super) type Digits = (i128, u32);

/// Digits with the number of them that are a fraction, the letters after them, perhaps behind
/// a space, and the rest.
pub(super) fn amount(text: &str) -> Option<(Digits, &str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, rest) = text.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let value: i128 = format!("{whole}{fraction}").parse().ok()?;
    let rest = rest.trim_start();
    let unit_end = rest
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    Some(((value, u32::try_from(fraction.len()).ok()?), unit, rest))
}

/// The number that has these digits, so many of them behind the point.
pub(super) fn number((digits, scale): Digits) -> Option<Number> {
    let unit = 10_i128.checked_pow(scale)?;
    if digits % unit == 0 {
        return i64::try_from(digits / unit).ok().map(Number::Integer);
    }
    let value: f64 = format!("{digits}e-{scale}").parse().ok()?;
    Some(Number::Float(value))
}

/// The sign of what is written, as a factor, and the rest.
pub(super) fn sign(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// A whole number in a unit, with decimals where three digits need them.
#[derive(Debug)]
pub(super) struct Significant {
    whole: u64,
    part: u64,
    decimals: u32,
}

impl Significant {
    /// The value in a unit with three significant digits; `None` where it rounds to `limit` or more.
    pub(super) fn of(value: u64, unit: u64, limit: u64) -> Option<Self> {
        for decimals in [2u32, 1, 0] {
            let scale = 10u64.pow(decimals);
            if !unit.is_multiple_of(scale) {
                continue;
            }
            let scaled = rounded(value, unit / scale);
            if scaled >= limit * scale {
                return None;
            }
            if scaled < 1000 || decimals == 0 {
                return Some(Self {
                    whole: scaled / scale,
                    part: scaled % scale,
                    decimals,
                });
            }
        }
        None
    }
}

impl fmt::Display for Significant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, part, .. } = self;
        match self.decimals as usize {
            0 => write!(f, "{whole}"),
            places => write!(f, "{whole}.{part:0places$}"),
        }
    }
}

/// The quotient, rounded half up.
pub(super) fn rounded(value: u64, unit: u64) -> u64 {
    let up = unit > 1 && value % unit >= unit.div_ceil(2);
    value / unit + u64::from(up)
}

/// Decimals that show three significant digits of a number between 0 and 1, as
/// it is when it is rounded to them.
pub(super) fn significant(size: f64) -> usize {
    let exponent = format!("{size:.2e}");
    let exponent = exponent
        .rsplit_once('e')
        .and_then(|(_, e)| e.parse::<i32>().ok());
    usize::try_from(2 - exponent.unwrap_or(-1)).unwrap_or(2)
}
