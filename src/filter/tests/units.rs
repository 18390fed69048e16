//! Times and durations are the same in filters and in flags: whatever one takes the
//! other takes, and means by it.

use proptest::prelude::*;

use crate::filter::value::parse_number;
use crate::filter::{Expr, Filter, Value, parse_in};
use crate::model::Timestamp;
use crate::units::{Moment, Number, Period, TimePoint, Zone};

fn here() -> Moment {
    Moment {
        now: Timestamp::parse_rfc3339("2026-11-22T23:30:00.500Z").unwrap(),
        zone: Zone::Local,
    }
}

/// The number that a filter compares with; `None` where it does not take the text.
fn in_filter(key: &str, text: &str) -> Option<Number> {
    let filter: Filter = parse_in(&format!("{key} > '{text}'"), &here()).ok()?;
    match filter.conjuncts() {
        [Expr::Condition(condition)] => match condition.value() {
            Value::Number(number) => Some(*number),
            other => panic!("{text}: {other:?}"),
        },
        other => panic!("{text}: {other:?}"),
    }
}

fn assert_duration(text: &str) {
    let found = in_filter("duration", text);
    let period = text.parse::<Period>();
    if parse_number(text.trim()).is_some() {
        // A number alone is milliseconds in filters, as MLflow has it.
        assert!(found.is_some() && period.is_err(), "{text:?}: {period:?}");
        return;
    }
    match (found, &period) {
        (Some(ms), Ok(period)) => assert!(
            // What is less than a nanosecond is nothing to a flag.
            (ms.as_f64() - period.millis().as_f64()).abs() < 1e-6 + ms.as_f64() * 1e-15,
            "{text:?}: {ms} and {period:?}"
        ),
        (Some(ms), Err(said)) => assert!(
            ms.as_f64() < 0.0 || said.contains("too long"),
            "{text:?}: {ms} and {said}"
        ),
        (None, Err(_)) => {}
        (None, Ok(period)) => assert!(
            period.millis().as_f64() > 9e18,
            "{text:?}: only a flag takes it"
        ),
    }
}

fn assert_time(text: &str) {
    let found = in_filter("time", text);
    let point = text.parse::<TimePoint>();
    if parse_number(text.trim()).is_some() {
        assert!(found.is_some() && point.is_err(), "{text:?}: {point:?}");
        return;
    }
    match (found, &point) {
        (Some(ms), Ok(point)) => {
            let flag = point.resolve(here().now);
            let flag = Number::Integer(flag.millis()).as_f64();
            assert!((ms.as_f64().floor() - flag).abs() < 0.5, "{text:?}");
        }
        (None, Err(_)) => {}
        _ => panic!("{text:?}: {found:?} and {point:?}"),
    }
}

#[test]
fn what_people_write_is_taken_by_both() {
    for text in [
        "1h30m", "1h 30m", "2 s", "500ms", "1.5h", ".5s", "2.s", "250us", "1µs", "1w", "0s", "+2s",
        "-2s", "2min", "5", "1e3", "2x", "", "s", "1.2.3s", "1h30", "1 hour", "-", "1h-30m",
    ] {
        assert_duration(text);
        assert_time(text);
    }
    for text in [
        "now",
        "NOW",
        "now-1h",
        "now - 1h",
        "now +1d",
        "now1h",
        "today",
        "Yesterday",
        "tomorrow",
        "1h ago",
        "-1h ago",
        "ago",
        "2026-11-22",
        "2026-11-22T08:00Z",
        "2026-11-22t08:00z",
        "2026-11-22 08:00",
        "2026-11-22 08:00:01",
        "2026-11-22 08:00:01.25+01:00",
        "2026-11-22 08:00 +0100",
        "2026-11-22T08:00:00-05:30",
        "2026-11-22T08:00 UTC",
        "2026-13-01",
        "2026-11-22T25:00Z",
        "2026-11-22T",
        "noon",
        "100000w",
        "1000w",
        "1795380996791",
    ] {
        assert_time(text);
        assert_duration(text);
    }
}

fn duration() -> impl Strategy<Value = String> {
    let part = (
        prop::sample::select(vec!["", "1", "30", "1.5", ".5", "007", "2.", "9999999999"]),
        prop::sample::select(vec!["", " "]),
        prop::sample::select(vec![
            "ns", "us", "µs", "ms", "s", "m", "min", "h", "d", "w", "", "x",
        ]),
    );
    let parts = prop::collection::vec(part, 0..4);
    (prop::sample::select(vec!["", "-", "+", " "]), parts).prop_map(|(sign, parts)| {
        let parts = parts
            .into_iter()
            .map(|(n, space, unit)| format!("{n}{space}{unit}"));
        format!("{sign}{}", parts.collect::<String>())
    })
}

fn time() -> impl Strategy<Value = String> {
    let counted = (
        prop::sample::select(vec!["", "now", "now ", "Now", "-", "now -"]),
        duration(),
        prop::sample::select(vec!["", " ago", "ago"]),
    )
        .prop_map(|(before, length, after)| format!("{before}{length}{after}"));
    let dated = (
        prop::sample::select(vec![
            "2026-11-22",
            "2026-02-30",
            "1969-12-31",
            "today",
            "26-11-22",
        ]),
        prop::sample::select(vec!["", "T", " ", "t", "  "]),
        prop::sample::select(vec![
            "",
            "08:00",
            "08:00:59",
            "8:00",
            "24:00",
            "08:00:01.123456789",
        ]),
        prop::sample::select(vec![
            "", "Z", "z", " UTC", "+01", "-0530", " +05:30", "+1", "CET",
        ]),
    )
        .prop_map(|(date, between, time, zone)| format!("{date}{between}{time}{zone}"));
    prop_oneof![counted, dated]
}

proptest! {
    #[test]
    fn durations_are_the_same_in_filters_and_flags(text in duration()) {
        assert_duration(&text);
    }

    #[test]
    fn times_are_the_same_in_filters_and_flags(text in time()) {
        assert_time(&text);
    }

    #[test]
    fn other_text_is_the_same_to_both(text in "[-+ .:0-9TZagohmnsuw]{0,12}") {
        assert_duration(&text);
        assert_time(&text);
    }
}
