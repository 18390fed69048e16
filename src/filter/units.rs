//! Times and durations as people write them, turned into the milliseconds that
//! a filter takes, for hints.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::error::{ParseError, shorten};
use super::terms::Field;

/// Adds what `text` would be in milliseconds, where it is a time or a duration.
pub(super) fn explain(error: ParseError, text: &str, field: &Field) -> ParseError {
    match field {
        Field::ExecutionTime => match duration_ms(text) {
            Some(ms) => error.hint(format!("durations are in milliseconds: {ms}")),
            None => error.hint("durations are numbers of milliseconds: 2500"),
        },
        Field::Timestamp | Field::EndTime => match time_ms(text) {
            Some(ms) => error.hint(format!(
                "{} is {ms} in milliseconds since 1970 (UTC)",
                shorten(text)
            )),
            None => error.hint("times are milliseconds since 1970: 1795378201180"),
        },
        _ => error,
    }
}

fn duration_ms(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "us" => 0.001,
        "ms" => 1.0,
        "s" | "sec" | "secs" => 1e3,
        "m" | "min" | "mins" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return None,
    };
    Some(number.trim().parse::<f64>().ok()? * factor).filter(|ms| ms.is_finite())
}

fn time_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    for format in [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc().timestamp_millis());
        }
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}
