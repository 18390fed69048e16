//! Numbers as they are written, of any size, for exact arithmetic with powers of ten.

/// A finite number: the sign, the digits, and the power of ten that they are taken by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    is_negative: bool,
    /// Without zeros in front.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// From `-1.5e3` and the like; `None` for what is no finite number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        Some(Self {
            is_negative,
            digits: digits.trim_start_matches('0').to_owned(),
            exponent: exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?,
        })
    }

    /// The whole part of the number taken by a power of ten; `None` beyond 64 bits.
    pub(crate) fn scaled(&self, power: i64) -> Option<i64> {
        let exponent = self.exponent.checked_add(power)?;
        if self.digits.is_empty() {
            return Some(0);
        }
        let digits = if exponent < 0 {
            let dropped = usize::try_from(exponent.unsigned_abs()).ok()?;
            &self.digits[..self.digits.len().saturating_sub(dropped)]
        } else {
            &self.digits
        };
        let mut value: i64 = 0;
        let zeros = usize::try_from(exponent.max(0)).ok()?;
        if zeros > 19 {
            return None;
        }
        for digit in digits.bytes().chain(std::iter::repeat_n(b'0', zeros)) {
            let digit = i64::from(digit - b'0');
            value = value.checked_mul(10)?;
            value = if self.is_negative {
                value.checked_sub(digit)?
            } else {
                value.checked_add(digit)?
            };
        }
        Some(value)
    }
}
