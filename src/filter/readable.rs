//! Conditions as people read them: durations with their units, times with their
//! zone, and times that count from the present as they were written. What would
//! not read as the same condition is printed as servers read it.

use super::terms::{Condition, Value};
use crate::field::Field;
use crate::model::Timestamp;
use crate::units::{Moment, Number, exact_duration, milliseconds};

/// A condition that reads as the same one.
pub(super) fn condition(condition: &Condition) -> String {
    in_units(condition).unwrap_or_else(|| condition.to_string())
}

/// Prints a number, which may have been written as a time that counts from the present.
type PrintBound = fn(Number, Option<&String>) -> Option<String>;

fn in_units(condition: &Condition) -> Option<String> {
    let (key, bound): (&str, PrintBound) = match condition.field {
        Field::ExecutionTime => ("duration", duration),
        Field::SpanDuration => ("span.duration", duration),
        Field::Timestamp => ("time", moment),
        Field::EndTime => ("end_time", moment),
        _ => return None,
    };
    let comparator = condition.comparator;
    let written = |at: usize| condition.since_now.get(at).and_then(Option::as_ref);
    match condition.value {
        Value::Number(number) => Some(format!("{key} {comparator} {}", bound(number, written(0))?)),
        Value::Range(low, high) => Some(format!(
            "{key} {comparator} {} AND {}",
            bound(low, written(0))?,
            bound(high, written(1))?
        )),
        _ => None,
    }
}

/// Milliseconds with a unit.
fn duration(ms: Number, _: Option<&String>) -> Option<String> {
    let Number::Integer(ns) = whole_nanos(ms)? else {
        return None;
    };
    let sign = if ns < 0 { "-" } else { "" };
    let text = format!("{sign}{}", exact_duration(ns.checked_abs()?));
    (milliseconds(&text)? == ms).then_some(text)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is cut off does not read as the same and is not taken"
)]
fn whole_nanos(ms: Number) -> Option<Number> {
    match ms {
        Number::Integer(_) => Some(ms.millis_to_nanos()),
        Number::Float(ms) if ms.abs() < 9e9 => Some(Number::Integer((ms * 1e6).round() as i64)),
        Number::Float(_) => None,
    }
}

/// A time as it was written, or in universal time.
fn moment(ms: Number, written: Option<&String>) -> Option<String> {
    if let Some(written) = written {
        return Some(written.clone());
    }
    let Number::Integer(whole) = ms else {
        return None;
    };
    let text = Timestamp::from_millis(whole).to_string();
    let read = Moment::utc().time(&text)?;
    (read.ms == ms).then(|| format!("'{text}'"))
}

#[cfg(test)]
mod tests {
    use super::super::{Moment, parse_in};

    #[test]
    fn units_stay_and_read_as_the_same() {
        let moment = Moment::utc();
        for (text, readable) in [
            ("span.duration > 2000", "span.duration > 2s"),
            ("execution_time_ms >= 90000", "duration >= 90s"),
            ("duration < 2000.4ms", "duration < 2.0004s"),
            ("latency <= 250us", "duration <= 250us"),
            ("duration > 0", "duration > 0s"),
            ("duration BETWEEN 1s AND 1m", "duration BETWEEN 1s AND 60s"),
            ("NOT span.duration > 0.5s", "NOT span.duration > 500ms"),
            ("any(span.duration > 1h30m)", "any(span.duration > 5400s)"),
            ("time > -90m", "time > -1h30m"),
            ("timestamp > now-1w", "time > -7d"),
            ("end_time < 'now'", "end_time < now"),
            ("time >= today", "time >= today"),
            ("time BETWEEN -2d AND -1d", "time BETWEEN -2d AND -1d"),
            (
                "timestamp_ms > 1795380996791",
                "time > '2026-11-22T20:56:36.791Z'",
            ),
            (
                "tokens > 10k AND cost > 0.05",
                "tokens > 10000 AND cost > 0.05",
            ),
            (
                "status = 'OK' OR duration > 1s",
                "status = 'OK' OR duration > 1s",
            ),
        ] {
            let filter = parse_in(text, &moment).unwrap();
            assert_eq!(filter.readable().to_string(), readable, "{text}");
            let again = parse_in(readable, &moment).unwrap();
            assert_eq!(again, filter, "{text}");
        }
    }
}
