//! Times, durations and amounts as people write them, turned into the numbers
//! that conditions hold: milliseconds, and plain counts. Arithmetic is decimal,
//! so that `0.1s` is a tenth of a second and nothing near it.

use chrono::{
    DateTime, Duration, FixedOffset, Local, LocalResult, NaiveDate, NaiveDateTime, NaiveTime,
    SecondsFormat, TimeZone, Utc,
};

use super::readable::since_now;
use super::terms::Number;
use crate::model::Timestamp;

/// When and where a filter is read: what `now` and `today` mean, and times without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time that `now` and `-1h` start from.
    pub now: Timestamp,
    /// The zone of times that name none.
    pub zone: Zone,
}

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Universal time.
    Utc,
    /// That of the computer, with its summer time.
    Local,
    /// Always so far from universal time.
    Fixed(FixedOffset),
}

/// A time that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Time {
    /// Milliseconds since the Unix epoch.
    pub(super) ms: Number,
    /// How it was read, where that depends on the zone.
    pub(super) note: Option<String>,
    /// How it is written, where it counts from the present.
    pub(super) since_now: Option<String>,
}

/// An instant that was read.
struct Read {
    instant: DateTime<FixedOffset>,
    /// How it is written, where it counts from the present.
    since_now: Option<String>,
    /// Whether the text names no zone where it would need one.
    zoneless: bool,
    /// How long that lasts which the text names.
    lasts_ns: i64,
}

/// A date and a time of day as they were written.
struct Calendar {
    naive: NaiveDateTime,
    offset: Option<FixedOffset>,
    lasts_ns: i64,
}

impl Moment {
    /// The present in universal time.
    pub fn utc() -> Self {
        Self {
            now: Timestamp::now(),
            zone: Zone::Utc,
        }
    }

    /// Reads `-1h`, `now`, `today`, `2026-11-22`, `2026-11-22T08:00Z` and the like.
    pub(super) fn time(&self, text: &str) -> Option<Time> {
        let text = text.trim();
        let read = self.read(text)?;
        let mut time = millis(read.instant.timestamp_nanos_opt()?);
        time.note = read.zoneless.then(|| {
            let read = read.instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            format!("`{text}` is read as {read}")
        });
        time.since_now = read.since_now;
        Some(time)
    }

    /// The instant that a text names, in all forms that a filter takes, and the first
    /// one after what it names: `08:00:01` is all of that second, as times are shown
    /// without their fraction, while a date and `08:00` are where a day and a minute begin,
    /// and a fraction is exact.
    pub fn instant_of(&self, text: &str) -> Option<(Timestamp, Timestamp)> {
        let read = self.read(text.trim())?;
        let ns = read.instant.timestamp_nanos_opt()?;
        let after = ns.checked_add(read.lasts_ns)?;
        Some((Timestamp::from_nanos(ns), Timestamp::from_nanos(after)))
    }

    fn read(&self, text: &str) -> Option<Read> {
        let counted = |ns: i64| {
            Some(Read {
                instant: DateTime::from_timestamp_nanos(self.now_ns().checked_add(ns)?)
                    .fixed_offset(),
                since_now: Some(since_now(ns)),
                zoneless: false,
                lasts_ns: 0,
            })
        };
        let lower = text.to_ascii_lowercase();
        let words = lower.strip_prefix("now").map(str::trim_start);
        if words == Some("") {
            return counted(0);
        }
        let relative = words.unwrap_or(text);
        if let Some(rest) = relative.strip_prefix(['-', '+']) {
            let (amount, scale) = duration_ns(rest.trim_start())?;
            let ns = i64::try_from(amount / 10_i128.checked_pow(scale)?).ok()?;
            let ns = if relative.starts_with('-') {
                ns.checked_neg()?
            } else {
                ns
            };
            return counted(ns);
        }
        let days_ago = match lower.as_str() {
            "today" => Some(0),
            "yesterday" => Some(1),
            _ => None,
        };
        let written = match days_ago {
            Some(days) => {
                let today = self.zone.at(self.now.to_utc()).date_naive();
                let day = today.checked_sub_signed(Duration::days(days))?;
                Calendar {
                    naive: day.and_time(NaiveTime::MIN),
                    offset: None,
                    lasts_ns: 0,
                }
            }
            None => calendar(text)?,
        };
        let (instant, zoneless) = match written.offset {
            Some(offset) => (offset.from_local_datetime(&written.naive).single()?, false),
            None => (self.zone.instant(written.naive)?, true),
        };
        Some(Read {
            instant,
            since_now: days_ago.map(|_| lower),
            zoneless,
            lasts_ns: written.lasts_ns,
        })
    }

    /// The present to the millisecond, as finer times cannot be told apart.
    fn now_ns(&self) -> i64 {
        Timestamp::from_millis(self.now.millis()).nanos()
    }
}

impl Zone {
    /// What clocks show in it.
    pub fn at(self, time: DateTime<Utc>) -> DateTime<FixedOffset> {
        match self {
            Self::Utc => time.fixed_offset(),
            Self::Local => time.with_timezone(&Local).fixed_offset(),
            Self::Fixed(offset) => time.with_timezone(&offset),
        }
    }

    /// The first instant at which clocks show the time, or have just skipped it.
    pub fn instant(self, naive: NaiveDateTime) -> Option<DateTime<FixedOffset>> {
        let at = |naive: &NaiveDateTime| match self {
            Self::Utc => LocalResult::Single(naive.and_utc().fixed_offset()),
            Self::Local => Local
                .from_local_datetime(naive)
                .map(|time| time.fixed_offset()),
            Self::Fixed(offset) => offset.from_local_datetime(naive),
        };
        (0..=16).find_map(|quarters| {
            at(&naive.checked_add_signed(Duration::minutes(15 * quarters))?).earliest()
        })
    }
}

/// Traces have whole milliseconds: any fraction compares with them like a half.
#[allow(
    clippy::cast_precision_loss,
    reason = "nanoseconds in 63 bits are few enough milliseconds"
)]
fn millis(ns: i64) -> Time {
    let ms = ns.div_euclid(1_000_000);
    let ms = if ns.rem_euclid(1_000_000) == 0 {
        Number::Integer(ms)
    } else {
        Number::Float(ms as f64 + 0.5)
    };
    Time {
        ms,
        note: None,
        since_now: None,
    }
}

/// A date, perhaps with a time of day, perhaps with a zone.
fn calendar(text: &str) -> Option<Calendar> {
    let date = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(Calendar {
            naive: date.and_time(NaiveTime::MIN),
            offset: None,
            lasts_ns: 0,
        });
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let zone_at = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    let (time, lasts_ns) = ["%H:%M", "%H:%M:%S", "%H:%M:%S%.f"]
        .iter()
        .zip([0, 1_000_000_000, 0])
        .find_map(|(format, lasts)| Some((NaiveTime::parse_from_str(time, format).ok()?, lasts)))?;
    let offset = match zone.trim() {
        "" => None,
        "Z" | "z" | "UTC" => Some(FixedOffset::east_opt(0)?),
        zone => Some(offset(zone)?),
    };
    Some(Calendar {
        naive: date.and_time(time),
        offset,
        lasts_ns,
    })
}

/// `+01:00`, `+0100` or `+01`.
fn offset(text: &str) -> Option<FixedOffset> {
    let digits: String = text.get(1..)?.chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = digits
        .get(2..)
        .filter(|m| !m.is_empty())
        .map_or(Some(0), |m| m.parse().ok())?;
    let seconds = (hours * 60 + minutes) * 60;
    match text.as_bytes()[0] {
        b'+' => FixedOffset::east_opt(seconds),
        b'-' => FixedOffset::west_opt(seconds),
        _ => None,
    }
}

/// Milliseconds of a duration like `2s`, `1.5h` or `1h30m`.
pub(super) fn duration_ms(text: &str) -> Option<Number> {
    let text = text.trim();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (amount, scale) = duration_ns(rest)?;
    number(sign * amount, scale + 6)
}

/// Nanoseconds of a duration without a sign like `2s`, `1.5h` or `1h30m`.
pub(super) fn duration(text: &str) -> Option<Number> {
    let (amount, scale) = duration_ns(text)?;
    number(amount, scale)
}

/// Nanoseconds of a duration without a sign, as digits and how many of them are a fraction.
fn duration_ns(text: &str) -> Option<(i128, u32)> {
    let mut sum: (i128, u32) = (0, 0);
    let mut rest = text;
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
        rest = after;
    }
    Some(sum)
}

/// A number like `10k` or `2.5M`.
pub(super) fn scaled(text: &str) -> Option<Number> {
    let text = text.trim();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let ((digits, scale), unit, after) = amount(rest)?;
    let factor: i128 = match unit {
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" | "b" | "B" => 1_000_000_000,
        _ => return None,
    };
    if !after.is_empty() {
        return None;
    }
    number(sign * digits.checked_mul(factor)?, scale)
}

/// Digits with the number of them that are a fraction, the letters after them, and the rest.
fn amount(text: &str) -> Option<((i128, u32), &str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, rest) = text.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let value: i128 = format!("{whole}{fraction}").parse().ok()?;
    let unit_end = rest
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    Some(((value, u32::try_from(fraction.len()).ok()?), unit, rest))
}

/// The number that has these digits, so many of them behind the point.
fn number(digits: i128, scale: u32) -> Option<Number> {
    let unit = 10_i128.checked_pow(scale)?;
    if digits % unit == 0 {
        return i64::try_from(digits / unit).ok().map(Number::Integer);
    }
    let value: f64 = format!("{digits}e-{scale}").parse().ok()?;
    Some(Number::Float(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Moment {
        Moment {
            now: Timestamp::parse_rfc3339("2026-11-22T23:30:00.5Z").unwrap(),
            zone: Zone::Fixed(FixedOffset::east_opt(3_600).unwrap()),
        }
    }

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
        ] {
            assert_eq!(duration_ms(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "s",
            "2",
            "2x",
            "2s3",
            "1.2.3s",
            "999999999999999999999999999999w",
            "2 s",
        ] {
            assert_eq!(duration_ms(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_have_suffixes() {
        assert_eq!(scaled("10k"), Some(Number::Integer(10_000)));
        assert_eq!(scaled("2.5M"), Some(Number::Integer(2_500_000)));
        assert_eq!(scaled("0.0005k"), Some(Number::Float(0.5)));
        assert_eq!(scaled("10x"), None);
        assert_eq!(scaled("10"), None);
    }

    #[test]
    fn times_are_read_in_their_zone_or_ours() {
        let read = |text: &str| {
            let time = moment().time(text)?;
            let Number::Integer(ms) = time.ms else {
                return Some(format!("{}", time.ms.as_f64()));
            };
            Some(Timestamp::from_millis(ms).to_string())
        };
        for (text, time) in [
            ("now", "2026-11-22T23:30:00.500Z"),
            ("NOW", "2026-11-22T23:30:00.500Z"),
            ("-1h", "2026-11-22T22:30:00.500Z"),
            ("now-1h", "2026-11-22T22:30:00.500Z"),
            ("now + 1d", "2026-11-23T23:30:00.500Z"),
            ("today", "2026-11-22T23:00:00Z"),
            ("yesterday", "2026-11-21T23:00:00Z"),
            ("2026-11-22", "2026-11-21T23:00:00Z"),
            ("2026-11-22T08:00", "2026-11-22T07:00:00Z"),
            ("2026-11-22 08:00:01.250", "2026-11-22T07:00:01.250Z"),
            ("2026-11-22T08:00Z", "2026-11-22T08:00:00Z"),
            ("2026-11-22T08:00:00-05:30", "2026-11-22T13:30:00Z"),
            ("2026-11-22 08:00 +0100", "2026-11-22T07:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(time), "{text}");
        }
        for text in [
            "",
            "1h",
            "noon",
            "2026-13-01",
            "2026-11-22T25:00",
            "2026-11-22T08:00+1",
            "-",
            "-1x",
            "日本語日本語",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let india = Moment {
            zone: Zone::Fixed(FixedOffset::east_opt(19_800).unwrap()),
            ..moment()
        };
        assert_eq!(
            india.time("2026-11-22 08:00:01+05:30"),
            moment().time("2026-11-22 02:30:01Z")
        );
        let finer = moment().time("1970-01-01T00:00:00.0000001Z").unwrap();
        assert_eq!(finer.ms, Number::Float(0.5));
    }

    #[test]
    fn a_second_that_is_named_lasts_a_second() {
        for (text, lasts_ns) in [
            ("2026-11-22", 0),
            ("2026-11-22 08:00Z", 0),
            ("2026-11-22 08:00:01Z", 1_000_000_000),
            ("2026-11-22 08:00:01.250Z", 0),
            ("now", 0),
            ("today", 0),
        ] {
            let (from, after) = moment().instant_of(text).unwrap();
            assert_eq!(after.nanos() - from.nanos(), lasts_ns, "{text}");
        }
    }

    #[test]
    fn the_zone_is_told_where_the_text_does_not() {
        let note = |text: &str| moment().time(text).unwrap().note;
        assert_eq!(
            note("2026-11-22").as_deref(),
            Some("`2026-11-22` is read as 2026-11-22T00:00:00+01:00")
        );
        assert_eq!(
            note("today").as_deref(),
            Some("`today` is read as 2026-11-23T00:00:00+01:00")
        );
        assert_eq!(note("2026-11-22T08:00Z"), None);
        assert_eq!(note("-1h"), None);
    }
}
