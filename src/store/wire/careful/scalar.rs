//! Texts, ids, times and durations, however they are spelt.

use chrono::{NaiveDate, NaiveTime, TimeDelta};

use super::super::flaw::Flaw;
use super::members::{senseless, unexpected};
use crate::json::{Decimal, Kind, Node};
use crate::model::Timestamp;

const TIME: &str = "a time";
const DURATION: &str = "a duration";

/// A text; of anything else its JSON.
pub(super) fn text(node: Node<'_>) -> String {
    match node.text() {
        Some(text) => text.into_owned(),
        None => node.to_text(),
    }
}

/// A text or a number.
pub(super) fn id(node: Node<'_>) -> Result<String, Flaw> {
    match node.kind() {
        Kind::Text | Kind::Number => Ok(text(node)),
        _ => Err(unexpected(node, "an id")),
    }
}

/// True or false.
pub(super) fn truth(node: Node<'_>) -> Result<bool, Flaw> {
    match node.kind() {
        Kind::True => Ok(true),
        Kind::False => Ok(false),
        _ => Err(unexpected(node, "true or false")),
    }
}

/// Nanoseconds since the epoch, as a number or its digits, or a date and time.
pub(super) fn nanos(node: Node<'_>) -> Result<i64, Flaw> {
    time(node, 0)
}

/// Milliseconds since the epoch, as a number or its digits, or a date and time.
pub(super) fn millis(node: Node<'_>) -> Result<Timestamp, Flaw> {
    time(node, 6).map(Timestamp::from_nanos)
}

fn time(node: Node<'_>, power: i64) -> Result<i64, Flaw> {
    let text = number_or_text(node, TIME)?;
    if let Some(number) = Decimal::parse(text.trim()) {
        return number
            .scaled(power)
            .ok_or_else(|| Flaw::new("it is beyond the times from 1677 to 2262").at(node.start()));
    }
    date_and_time(text.trim()).ok_or_else(|| senseless(node, TIME))
}

/// Protobuf's `1.5s`, or milliseconds as a number or its digits.
pub(super) fn duration(node: Node<'_>) -> Result<i64, Flaw> {
    let text = number_or_text(node, DURATION)?;
    let text = text.trim();
    let (digits, power) = match text.strip_suffix('s') {
        Some(seconds) => (seconds, 9),
        None => (text, 6),
    };
    let number = Decimal::parse(digits).ok_or_else(|| senseless(node, DURATION))?;
    number
        .scaled(power)
        .ok_or_else(|| Flaw::new("it is longer than 292 years").at(node.start()))
}

/// Nanoseconds as a number or its digits.
pub(super) fn duration_ns(node: Node<'_>) -> Result<i64, Flaw> {
    let text = number_or_text(node, DURATION)?;
    Decimal::parse(text.trim())
        .and_then(|number| number.scaled(0))
        .ok_or_else(|| senseless(node, DURATION))
}

fn number_or_text<'t>(node: Node<'t>, expected: &str) -> Result<std::borrow::Cow<'t, str>, Flaw> {
    match (node.number(), node.text()) {
        (Some(digits), _) => Ok(digits.into()),
        (None, Some(text)) => Ok(text),
        (None, None) => Err(unexpected(node, expected)),
    }
}

/// ISO 8601 as programs write it: with `T` or a space, any number of digits after the
/// second, and a zone or none, which means UTC.
pub(in crate::store) fn date_and_time(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let (time, offset) = zone(rest.trim())?;
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let time = time.replace(',', ".");
    let time = NaiveTime::parse_from_str(&time, "%H:%M:%S%.f")
        .or_else(|_| NaiveTime::parse_from_str(&time, "%H:%M"))
        .ok()?;
    date.and_time(time)
        .checked_sub_signed(offset)?
        .and_utc()
        .timestamp_nanos_opt()
}

/// The time of day, and how far its zone is east of UTC.
fn zone(text: &str) -> Option<(&str, TimeDelta)> {
    for utc in ["Z", "z", "UTC", "GMT"] {
        if let Some(time) = text.strip_suffix(utc) {
            return Some((time.trim_end(), TimeDelta::zero()));
        }
    }
    let Some(at) = text.find(['+', '-']) else {
        return Some((text, TimeDelta::zero()));
    };
    let (time, offset) = text.split_at(at);
    let digits: String = offset[1..].chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits
        .get(2..4)
        .map_or(Some(0), |digits| digits.parse().ok())?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let minutes = sign * (hours * 60 + minutes);
    Some((time.trim_end(), TimeDelta::try_minutes(minutes)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse_at;

    #[test]
    fn times_are_read_however_they_are_spelt() {
        const TIME: i64 = 1_795_000_001_500_000_000;
        for json in [
            "1795000001500000000",
            "1.7950000015e+18",
            "1795000001500000000.9",
            r#""1795000001500000000""#,
            r#""1.7950000015e18""#,
            r#""2026-11-18T11:06:41.500000Z""#,
            r#""2026-11-18 11:06:41.5""#,
            r#""2026-11-18T11:06:41.500000000000""#,
            r#""2026-11-18T12:06:41,5+01:00""#,
            r#""2026-11-18 06:36:41.5-0430""#,
            r#""2026-11-18T11:06:41.5 UTC""#,
        ] {
            let (tape, _) = parse_at(json.as_bytes(), 0).unwrap();
            assert_eq!(nanos(tape.root()), Ok(TIME), "{json}");
        }
        for json in [
            "NaN",
            "1e400",
            "18446744073709551615",
            "[]",
            "true",
            r#""""#,
            r#""soon""#,
            r#""2026-11-18""#,
            r#""2026-13-18T11:06:41Z""#,
            r#""2026-11-18T25:06:41Z""#,
            r#""2026-11-18T11:06:41+1""#,
            r#""9999-11-18T11:06:41Z""#,
        ] {
            let (tape, _) = parse_at(json.as_bytes(), 0).unwrap();
            let flaw = nanos(tape.root()).unwrap_err();
            assert_eq!(flaw.offset, Some(0), "{json}");
            assert!(!flaw.reason.contains("soon"), "{flaw}");
        }
    }

    #[test]
    fn durations_are_seconds_with_their_letter_and_else_milliseconds() {
        for (json, expected) in [
            (r#""1.5s""#, 1_500_000_000),
            (r#""-1795379439s""#, -1_795_379_439_000_000_000),
            ("1500", 1_500_000_000),
            ("1500.5", 1_500_500_000),
            (r#""1500""#, 1_500_000_000),
        ] {
            let (tape, _) = parse_at(json.as_bytes(), 0).unwrap();
            assert_eq!(duration(tape.root()), Ok(expected), "{json}");
        }
        for json in [r#""1m""#, r#""s""#, "NaN", "{}", r#""1.2.3s""#] {
            let (tape, _) = parse_at(json.as_bytes(), 0).unwrap();
            assert!(duration(tape.root()).is_err(), "{json}");
        }
    }
}
