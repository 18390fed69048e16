//! Points in time as people write them: `1h` ago, `now`, `yesterday`, `2026-11-22`,
//! `2026-11-22T08:00Z`. Times that count from the present stay such until it is known when
//! that is.

use std::str::FromStr;

use chrono::{
    DateTime, Duration, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone,
};
use serde::{Serialize, Serializer};

use super::duration::{from_now, whole_nanoseconds};
use super::{Number, Zone};
use crate::model::Timestamp;

/// How points in time are written, for messages.
pub const TIMES: &str = "1h or -1h for an hour ago, yesterday, 2026-11-22 or 2026-11-22T08:00Z";

/// When and where a text is read: what `now` and `today` mean, and times without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time that `now` and `-1h` start from.
    pub now: Timestamp,
    /// The zone of times that name none.
    pub zone: Zone,
}

/// A time that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Time {
    /// Milliseconds since the Unix epoch.
    pub(crate) ms: Number,
    /// How it was read, where that depends on the zone.
    pub(crate) note: Option<String>,
    /// How it is written, where it counts from the present.
    pub(crate) since_now: Option<String>,
}

/// A point in time as it was written: fixed, or counted from the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimePoint(Written);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// So many nanoseconds after the present.
    FromNow(i64),
    /// The midnight with which a day begins.
    Day { ago: i64, name: &'static str },
    /// A date and a time of day.
    Calendar {
        naive: NaiveDateTime,
        offset: Option<FixedOffset>,
        lasts_ns: i64,
    },
}

impl Moment {
    /// The present in universal time.
    pub fn utc() -> Self {
        Self {
            now: Timestamp::now(),
            zone: Zone::Utc,
        }
    }

    /// Reads a point in time.
    pub(crate) fn time(&self, text: &str) -> Option<Time> {
        let text = text.trim();
        let written = Written::read(text)?;
        let instant = self.instant(written)?;
        let mut time = millis(instant.timestamp_nanos_opt()?);
        time.note = written.is_zoneless().then(|| {
            let read = instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            format!("`{text}` is read as {read}")
        });
        time.since_now = written.since_now();
        Some(time)
    }

    /// The instant that a text names, and the first one after what it names: `08:00:01` is
    /// all of that second, as times are shown without their fraction, while a date and `08:00`
    /// are where a day and a minute begin, and a fraction is exact.
    pub fn instant_of(&self, text: &str) -> Option<(Timestamp, Timestamp)> {
        self.ends(Written::read(text.trim())?)
    }

    fn ends(&self, written: Written) -> Option<(Timestamp, Timestamp)> {
        let ns = self.instant(written)?.timestamp_nanos_opt()?;
        let after = ns.checked_add(written.lasts_ns())?;
        Some((Timestamp::from_nanos(ns), Timestamp::from_nanos(after)))
    }

    fn instant(&self, written: Written) -> Option<DateTime<FixedOffset>> {
        match written {
            Written::FromNow(ns) => {
                let ns = self.now_ns().checked_add(ns)?;
                Some(DateTime::from_timestamp_nanos(ns).fixed_offset())
            }
            Written::Day { ago, .. } => {
                let today = self.zone.at(self.now.to_utc()).date_naive();
                let day = today.checked_sub_signed(Duration::days(ago))?;
                self.zone.instant(day.and_time(NaiveTime::MIN))
            }
            Written::Calendar { naive, offset, .. } => match offset {
                Some(offset) => offset.from_local_datetime(&naive).single(),
                None => self.zone.instant(naive),
            },
        }
    }

    /// The present to the millisecond, as finer times cannot be told apart.
    fn now_ns(&self) -> i64 {
        Timestamp::from_millis(self.now.millis()).nanos()
    }
}

impl TimePoint {
    /// The instant, given what time it is here.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        self.ends(now).0
    }

    /// The instant up to which it reaches: times are shown without the fraction of
    /// their second, so that a second includes all of itself.
    pub fn resolve_end(self, now: Timestamp) -> Timestamp {
        self.ends(now).1
    }

    /// Whether it counts from the present.
    pub fn is_relative(self) -> bool {
        self.0.since_now().is_some()
    }

    fn ends(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let zone = Zone::Local;
        // What was in range when it was read may not be for a clock that is far off.
        let first = Timestamp::from_nanos(i64::MIN);
        Moment { now, zone }.ends(self.0).unwrap_or((first, first))
    }
}

impl Serialize for TimePoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.since_now() {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.collect_str(&self.resolve(Timestamp::now())),
        }
    }
}

impl FromStr for TimePoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let here = Moment {
            zone: Zone::Local,
            ..Moment::utc()
        };
        Written::read(text.trim())
            .filter(|written| here.ends(*written).is_some())
            .map(Self)
            .ok_or_else(|| format!("a time is written {TIMES}"))
    }
}

impl Written {
    fn read(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let words = lower.strip_prefix("now").map(str::trim_start);
        let relative = words.unwrap_or(text);
        if relative.is_empty() {
            return words.map(|_| Self::FromNow(0));
        }
        if let Some(rest) = relative.strip_prefix(['-', '+']) {
            let ns = whole_nanoseconds(rest)?;
            let is_before = relative.starts_with('-');
            return Some(Self::FromNow(if is_before {
                ns.checked_neg()?
            } else {
                ns
            }));
        }
        match lower.as_str() {
            "today" => return Some(Self::day(0, "today")),
            "yesterday" => return Some(Self::day(1, "yesterday")),
            _ => {}
        }
        let ago = text.strip_suffix(" ago").unwrap_or(text);
        match whole_nanoseconds(ago) {
            Some(ns) => ns.checked_neg().map(Self::FromNow),
            None => calendar(text),
        }
    }

    const fn day(ago: i64, name: &'static str) -> Self {
        Self::Day { ago, name }
    }

    /// How it is written where it counts from the present.
    fn since_now(self) -> Option<String> {
        match self {
            Self::FromNow(ns) => Some(from_now(ns)),
            Self::Day { name, .. } => Some(name.to_owned()),
            Self::Calendar { .. } => None,
        }
    }

    /// Whether the text names no zone where it would need one.
    const fn is_zoneless(self) -> bool {
        match self {
            Self::FromNow(_) => false,
            Self::Day { .. } => true,
            Self::Calendar { offset, .. } => offset.is_none(),
        }
    }

    /// How long that lasts which the text names.
    const fn lasts_ns(self) -> i64 {
        match self {
            Self::Calendar { lasts_ns, .. } => lasts_ns,
            Self::FromNow(_) | Self::Day { .. } => 0,
        }
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
fn calendar(text: &str) -> Option<Written> {
    let date = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(Written::Calendar {
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
    Some(Written::Calendar {
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
            ("1h", "2026-11-22T22:30:00.500Z"),
            ("1h30m ago", "2026-11-22T22:00:00.500Z"),
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
            "1x",
            "-1h ago",
            "1h ago ago",
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

    #[test]
    fn points_in_time_are_relative_or_fixed() {
        let now = Timestamp::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
        let at = |text: &str| text.parse::<TimePoint>().unwrap().resolve(now).to_string();
        assert_eq!(at("1h"), "2026-11-22T11:00:00Z");
        assert_eq!(at("1h30m"), "2026-11-22T10:30:00Z");
        assert_eq!(at("-7d"), "2026-11-15T12:00:00Z");
        assert_eq!(at("2026-11-20T08:30:00+02:00"), "2026-11-20T06:30:00Z");
        assert_eq!(at("2026-11-22T08:00Z"), "2026-11-22T08:00:00Z");
        for bad in ["last tuesday", "2026-13-01", "9999999w", ""] {
            let error = bad.parse::<TimePoint>().unwrap_err();
            assert!(
                error.contains("1h or -1h for an hour ago"),
                "{bad}: {error}"
            );
        }
    }
}
