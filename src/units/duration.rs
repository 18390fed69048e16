//! Lengths of time. Read: `2s`, `1.5h`, `1h30m`, `500 ms`. Printed with three significant
//! digits, or with all of them as a rule has them.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::number::{Digits, Number, Significant, amount, number, rounded, sign};

/// How durations are written, for messages.
pub const DURATIONS: &str = "2s, 500ms, 1.5h or 1h30m; the units are ns, us, ms, s, m, h, d, w";

/// Milliseconds of a duration like `2s`, `1.5h` or `1h30m`, which may have a sign.
pub(crate) fn milliseconds(text: &str) -> Option<Number> {
    let (sign, rest) = sign(text.trim());
    let (digits, scale) = digits(rest)?;
    number((sign * digits, scale + 6))
}

/// Nanoseconds of a duration without a sign.
pub(crate) fn nanoseconds(text: &str) -> Option<Number> {
    number(digits(text)?)
}

/// Whole nanoseconds of a duration without a sign; less than one is left out.
pub(super) fn whole_nanoseconds(text: &str) -> Option<i64> {
    let (digits, scale) = digits(text)?;
    i64::try_from(digits / 10_i128.checked_pow(scale)?).ok()
}

/// Nanoseconds of a duration without a sign. Numbers and units may stand apart.
fn digits(text: &str) -> Option<Digits> {
    let mut sum: Digits = (0, 0);
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let ((digits, scale), unit, after) = amount(rest)?;
        let factor: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            _ => return None,
        };
        let part = digits.checked_mul(factor)?;
        let common = sum.1.max(scale);
        let raise = |value: i128, from: u32| value.checked_mul(10_i128.checked_pow(common - from)?);
        sum = (
            raise(sum.0, sum.1)?.checked_add(raise(part, scale)?)?,
            common,
        );
        rest = after.trim_start();
    }
    Some(sum)
}

/// A length of time with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(Duration);

impl Period {
    /// The length.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Milliseconds.
    pub fn millis(self) -> Number {
        let ns = i128::try_from(self.0.as_nanos()).unwrap_or(i128::MAX);
        number((ns, 6)).unwrap_or(Number::Integer(i64::MAX))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (sign, rest) = sign(text);
        let digits = digits(rest);
        if rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !rest.is_empty() {
            return Err(format!(
                "the unit is missing: a duration is written {DURATIONS}"
            ));
        }
        let Some((digits, scale)) = digits else {
            return Err(format!("a duration is written {DURATIONS}"));
        };
        if sign < 0 && digits != 0 {
            return Err("expected a duration that is not negative".to_owned());
        }
        let ns = 10_i128.checked_pow(scale).map(|unit| digits / unit);
        let ns = ns.and_then(|ns| u64::try_from(ns).ok());
        ns.map(|ns| Self(Duration::from_nanos(ns)))
            .ok_or_else(|| "the duration is too long".to_owned())
    }
}

/// A duration that a server rounded to milliseconds, shown without digits that nobody knows.
pub fn server_duration(nanos: i64) -> String {
    match (nanos / 1_000_000, nanos % 1_000_000) {
        (millis @ -999..=999, 0) => format!("{millis} ms"),
        _ => duration(nanos),
    }
}

/// `812 µs`, `53.3 ms`, `1.64 s`, `2m 05s`, `3h 07m`, `2d 04h`; three significant digits
/// below a minute. What would round to the next unit is shown in that unit.
pub fn duration(nanos: i64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1, "ns"),
        (1_000, "µs"),
        (1_000_000, "ms"),
        (1_000_000_000, "s"),
    ];
    let sign = if nanos < 0 { "-" } else { "" };
    let ns = nanos.unsigned_abs();
    if ns == 0 {
        return "0 s".to_owned();
    }
    for (at, (unit, name)) in UNITS.iter().enumerate() {
        let limit = if at + 1 == UNITS.len() { 60 } else { 1000 };
        if let Some(digits) = Significant::of(ns, *unit, limit) {
            return format!("{sign}{digits} {name}");
        }
    }
    let seconds = rounded(ns, 1_000_000_000);
    let minutes = rounded(ns, 60_000_000_000);
    let hours = rounded(ns, 3_600_000_000_000);
    if seconds < 3600 {
        format!("{sign}{}m {:02}s", seconds / 60, seconds % 60)
    } else if minutes < 24 * 60 {
        format!("{sign}{}h {:02}m", minutes / 60, minutes % 60)
    } else {
        format!("{sign}{}d {:02}h", hours / 24, hours % 24)
    }
}

/// Nanoseconds in the largest unit that they have one of, with every decimal.
pub fn exact_duration(ns: i64) -> String {
    const UNITS: [(i64, &str, usize); 3] = [
        (1_000_000_000, "s", 9),
        (1_000_000, "ms", 6),
        (1_000, "us", 3),
    ];
    if ns == 0 {
        return "0s".to_owned();
    }
    for (unit, name, places) in UNITS {
        if ns >= unit {
            let fraction = format!("{:0places$}", ns % unit);
            return match fraction.trim_end_matches('0') {
                "" => format!("{}{name}", ns / unit),
                fraction => format!("{}.{fraction}{name}", ns / unit),
            };
        }
    }
    format!("{ns}ns")
}

/// Nanoseconds from the present, as they are read: `-1h30m`.
pub(super) fn from_now(ns: i64) -> String {
    const UNITS: [(u64, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    if ns == 0 {
        return "now".to_owned();
    }
    let mut text = String::from(if ns < 0 { "-" } else { "+" });
    let mut left = ns.unsigned_abs();
    for (unit, name) in UNITS {
        if left >= unit {
            let _ = write!(text, "{}{name}", left / unit);
            left %= unit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_milliseconds() {
        use Number::{Float, Integer};
        for (text, ms) in [
            ("2s", Integer(2_000)),
            ("0.1s", Integer(100)),
            ("1.5h", Integer(5_400_000)),
            ("1h30m", Integer(5_400_000)),
            ("-2ms", Integer(-2)),
            ("250us", Float(0.25)),
            ("1ns", Float(0.000_001)),
            ("1µs", Float(0.001)),
            ("2w", Integer(1_209_600_000)),
            (" 2 s ", Integer(2_000)),
            ("1h 30 m", Integer(5_400_000)),
        ] {
            assert_eq!(milliseconds(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "s",
            "2",
            "2x",
            "2s3",
            "1.2.3s",
            "999999999999999999999999999999w",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }

    #[test]
    fn durations_keep_three_digits() {
        for (ns, shown) in [
            (0, "0 s"),
            (7, "7 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (812_400, "812 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (53_324_969, "53.3 ms"),
            (99_950_000, "100 ms"),
            (999_960_000, "1.00 s"),
            (1_640_000_000, "1.64 s"),
            (9_995_000_000, "10.0 s"),
            (59_940_000_000, "59.9 s"),
            (59_950_000_000, "1m 00s"),
            (125_000_000_000, "2m 05s"),
            (3_599_600_000_000, "1h 00m"),
            (11_220_000_000_000, "3h 07m"),
            (86_399_000_000_000, "1d 00h"),
            (187_200_000_000_000, "2d 04h"),
            (-1_640_000_000, "-1.64 s"),
            (i64::MIN, "-106752d 00h"),
            (i64::MAX, "106752d 00h"),
        ] {
            assert_eq!(duration(ns), shown, "{ns}");
        }
    }

    #[test]
    fn periods_need_a_unit() {
        let millis = |text: &str| text.parse::<Period>().map(Period::millis);
        assert_eq!(millis("1.5s"), Ok(Number::Integer(1_500)));
        assert_eq!(millis("2m"), Ok(Number::Integer(120_000)));
        assert_eq!(millis("1h30m"), Ok(Number::Integer(5_400_000)));
        assert_eq!(millis("1.1us"), Ok(Number::Float(0.0011)));
        for (bad, said) in [
            ("5", "the unit is missing"),
            ("", "is written"),
            ("s", "is written"),
            ("1.2.3s", "is written"),
            ("5 parsecs", "is written"),
            ("-1s", "not negative"),
            ("1e400d", "is written"),
            ("99999999w", "too long"),
        ] {
            let error = bad.parse::<Period>().unwrap_err();
            assert!(error.contains(said), "{bad}: {error}");
        }
    }
}
