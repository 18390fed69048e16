//! Numbers as people read them. Durations and sizes keep three significant
//! digits; all rounding is half up on integers and happens here only.

use std::fmt;

use chrono::{DateTime, FixedOffset, Local, TimeZone};

use crate::model::{Timestamp, TokenUsage};

/// Shown where there is no number.
pub const NONE: &str = "-";

/// The time zone in which times are shown; the caller decides it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// The machine's own, with its summer time rules.
    Local,
    /// A fixed distance from UTC.
    Fixed(FixedOffset),
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self::Fixed(chrono::Offset::fix(&chrono::Utc))
    }

    fn at(self, time: Timestamp) -> DateTime<FixedOffset> {
        let utc = time.to_utc().naive_utc();
        match self {
            Self::Local => Local.from_utc_datetime(&utc).fixed_offset(),
            Self::Fixed(offset) => offset.from_utc_datetime(&utc),
        }
    }
}

/// `2026-11-22 20:56:36Z`, or with `+01` or `+05:30` in other zones: as filters,
/// `--since` and `--until` take it.
pub fn time(time: Timestamp, zone: Zone) -> String {
    written(time, zone, "%Y-%m-%d %H:%M:%S")
}

/// `2026-11-22 20:56:36.791Z`.
pub fn time_with_millis(time: Timestamp, zone: Zone) -> String {
    written(time, zone, "%Y-%m-%d %H:%M:%S%.3f")
}

/// `2026-11-22 20:56:36.791234196Z`, for spans.
pub fn time_with_nanos(time: Timestamp, zone: Zone) -> String {
    written(time, zone, "%Y-%m-%d %H:%M:%S%.9f")
}

/// What [`time`] made, to the minute.
pub(crate) fn without_seconds(time: &str) -> String {
    match time.match_indices(':').nth(1) {
        Some((at, _)) if time.is_char_boundary(at + 3) => time[..at].to_owned() + &time[at + 3..],
        _ => time.to_owned(),
    }
}

/// The time in this form, and how far its zone is from universal time.
fn written(time: Timestamp, zone: Zone, form: &str) -> String {
    let time = zone.at(time);
    let seconds = time.offset().local_minus_utc();
    let form = match (seconds, seconds % 3600) {
        (0, _) => format!("{form}Z"),
        (_, 0) => format!("{form}%:::z"),
        _ => format!("{form}%:z"),
    };
    time.format(&form).to_string()
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
        if let Some(digits) = three_digits(ns, *unit, limit) {
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

/// The value in a unit with three significant digits; `None` where it rounds to `limit` or more.
fn three_digits(value: u64, unit: u64, limit: u64) -> Option<Digits> {
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
            return Some(Digits {
                whole: scaled / scale,
                part: scaled % scale,
                decimals,
            });
        }
    }
    None
}

/// A decimal number with a fixed number of decimals.
struct Digits {
    whole: u64,
    part: u64,
    decimals: u32,
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, part, .. } = self;
        match self.decimals as usize {
            0 => write!(f, "{whole}"),
            places => write!(f, "{whole}.{part:0places$}"),
        }
    }
}

fn rounded(value: u64, unit: u64) -> u64 {
    let up = unit > 1 && value % unit >= unit.div_ceil(2);
    value / unit + u64::from(up)
}

/// A share in percent with one decimal and without the sign; `<0.1` for what is
/// tiny but not nothing, `-` where there is no whole.
pub fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return NONE.to_owned();
    }
    let (part, whole) = (i128::from(part), i128::from(whole));
    if part > 0 && part * 1000 < whole {
        return "<0.1".to_owned();
    }
    let sign = if part < 0 { "-" } else { "" };
    let tenths = divided(part.abs() * 2000 + whole, whole * 2);
    format!("{sign}{}.{}", tenths / 10, tenths % 10)
}

/// A quotient of wide numbers, which are mostly not that wide, and then much quicker.
pub(crate) fn divided(dividend: i128, divisor: i128) -> i128 {
    match (i64::try_from(dividend), i64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) if divisor > 0 => i128::from(dividend / divisor),
        _ => dividend / divisor,
    }
}

/// `1,234,567`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,234,567` of things.
pub fn whole(number: usize) -> String {
    count(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A count with its noun: `1 span`, `1,204 spans`.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", whole(number))
}

/// Tokens in words: `15 (10 in, 5 out)`.
pub fn usage(usage: &TokenUsage) -> Option<String> {
    let total = count(usage.total()?);
    let parts: Vec<String> = [
        (usage.input_tokens, "in"),
        (usage.output_tokens, "out"),
        (usage.cache_read_input_tokens, "read from cache"),
        (usage.cache_creation_input_tokens, "written to cache"),
    ]
    .into_iter()
    .filter_map(|(tokens, what)| Some(format!("{} {what}", count(tokens?))))
    .collect();
    if parts.is_empty() {
        return Some(total);
    }
    Some(format!("{total} ({})", parts.join(", ")))
}

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

/// Decimals that show three significant digits of a number between 0 and 1, as
/// it is when it is rounded to them.
fn significant(size: f64) -> usize {
    let exponent = format!("{size:.2e}");
    let exponent = exponent
        .rsplit_once('e')
        .and_then(|(_, e)| e.parse::<i32>().ok());
    usize::try_from(2 - exponent.unwrap_or(-1)).unwrap_or(2)
}

/// `812 B`, `3.37 kB`, `28.4 MB`: powers of 1000.
pub fn bytes(size: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1, "B"),
        (1_000, "kB"),
        (1_000_000, "MB"),
        (1_000_000_000, "GB"),
    ];
    for (unit, name) in UNITS {
        if let Some(digits) = three_digits(size, unit, 1000) {
            return format!("{digits} {name}");
        }
    }
    format!("{} GB", rounded(size, 1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn percentages_never_mislead() {
        for (part, whole, shown) in [
            (0, 10, "0.0"),
            (1, 3, "33.3"),
            (2, 3, "66.7"),
            (10, 10, "100.0"),
            (1, 1_000_000, "<0.1"),
            (1, 1001, "<0.1"),
            (1, 1000, "0.1"),
            (30, 10, "300.0"),
            (1, 0, "-"),
            (i64::MAX, i64::MAX, "100.0"),
        ] {
            assert_eq!(percent(part, whole), shown);
        }
    }

    #[test]
    fn counts_have_separators() {
        for (n, shown) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1_234_567, "-1,234,567"),
        ] {
            assert_eq!(count(n), shown);
        }
        assert_eq!(counted(1, "span"), "1 span");
        assert_eq!(counted(1200, "span"), "1,200 spans");
    }

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

    #[test]
    fn sizes_keep_three_digits() {
        for (size, shown) in [
            (0, "0 B"),
            (812, "812 B"),
            (3370, "3.37 kB"),
            (28_400_000, "28.4 MB"),
        ] {
            assert_eq!(bytes(size), shown);
        }
        assert_eq!(bytes(u64::MAX), "18446744074 GB");
    }

    #[test]
    fn times_are_shown_in_the_zone() {
        let at = Timestamp::from_nanos(1_795_380_996_791_234_196);
        assert_eq!(time(at, Zone::utc()), "2026-11-22 20:56:36Z");
        let tokyo = Zone::Fixed(FixedOffset::east_opt(9 * 3600).unwrap());
        assert_eq!(time(at, tokyo), "2026-11-23 05:56:36+09");
        let kolkata = Zone::Fixed(FixedOffset::east_opt(19_800).unwrap());
        assert_eq!(time(at, kolkata), "2026-11-23 02:26:36+05:30");
        assert_eq!(
            without_seconds(&time(at, kolkata)),
            "2026-11-23 02:26+05:30"
        );
        assert_eq!(without_seconds(&time(at, Zone::utc())), "2026-11-22 20:56Z");
        assert_eq!(without_seconds(NONE), NONE);
        assert_eq!(time_with_millis(at, tokyo), "2026-11-23 05:56:36.791+09");
        assert_eq!(
            time_with_nanos(at, Zone::utc()),
            "2026-11-22 20:56:36.791234196Z"
        );
    }

    #[test]
    fn usage_lists_what_was_reported() {
        let reported = TokenUsage {
            input_tokens: Some(1200),
            output_tokens: Some(34),
            ..TokenUsage::default()
        };
        assert_eq!(usage(&reported).unwrap(), "1,234 (1,200 in, 34 out)");
        assert_eq!(usage(&TokenUsage::default()), None);
    }
}
