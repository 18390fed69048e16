//! Intervals of time one after the other. Whole days and weeks are those of a
//! calendar: they begin at midnight, weeks on Mondays, and take an hour less or
//! more where clocks are changed; all others are equally long and multiples of
//! their length from the Unix epoch on.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};

use crate::filter::Zone;
use crate::model::Timestamp;

const DAY_NS: i64 = 86_400_000_000_000;
/// 1970-01-01 was a Thursday, three days after a Monday.
const DAYS_SINCE_MONDAY: i64 = 3;

/// How time is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buckets {
    every_ns: i64,
    /// How many days of the calendar, where they are whole ones.
    days: Option<i64>,
    zone: Zone,
}

/// When an interval begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Nanoseconds since the Unix epoch.
    pub ns: i64,
    /// The midnight that it is, where intervals are days.
    pub midnight: Option<DateTime<FixedOffset>>,
}

impl Start {
    /// With its day, where intervals are days.
    pub fn day(&self) -> Option<NaiveDate> {
        self.midnight.map(|midnight| midnight.date_naive())
    }
}

impl Buckets {
    /// Of so many nanoseconds; days are those of the zone.
    pub fn new(every_ns: i64, zone: Zone) -> Self {
        let every_ns = every_ns.max(1);
        Self {
            every_ns,
            days: (every_ns % DAY_NS == 0).then_some(every_ns / DAY_NS),
            zone,
        }
    }

    /// How long they are, but for days on which clocks are changed.
    pub const fn every_ns(&self) -> i64 {
        self.every_ns
    }

    /// How many days each has, where they are days of a calendar.
    pub const fn days(&self) -> Option<i64> {
        self.days
    }

    /// Whether days are those of universal time.
    pub fn is_utc(&self) -> bool {
        self.zone == Zone::Utc
    }

    /// The number of the interval in which a time lies.
    pub fn number(&self, ns: i64) -> i64 {
        let Some(days) = self.days else {
            return ns.div_euclid(self.every_ns);
        };
        let date = self
            .zone
            .at(Timestamp::from_nanos(ns).to_utc())
            .date_naive();
        let day = date.signed_duration_since(NaiveDate::default()).num_days();
        (day + offset(days)).div_euclid(days)
    }

    /// When the interval of a number begins.
    pub fn start(&self, number: i64) -> Start {
        let equal = Start {
            ns: number.saturating_mul(self.every_ns),
            midnight: None,
        };
        let midnight = || {
            let days = self.days?;
            let day = number.checked_mul(days)?.checked_sub(offset(days))?;
            let date = NaiveDate::default().checked_add_signed(chrono::Duration::try_days(day)?)?;
            let midnight = self.zone.instant(date.and_time(NaiveTime::MIN))?;
            Some(Start {
                ns: midnight.timestamp_nanos_opt()?,
                midnight: Some(midnight),
            })
        };
        midnight().unwrap_or(equal)
    }
}

/// How many days before the Unix epoch an interval of so many begins.
const fn offset(days: i64) -> i64 {
    if days % 7 == 0 { DAYS_SINCE_MONDAY } else { 0 }
}

/// Which interval times lie in, for times of which many lie in one: a calendar
/// takes its time.
#[derive(Debug)]
pub(super) struct Numbering {
    buckets: Buckets,
    last: Option<(i64, std::ops::Range<i64>)>,
}

impl Numbering {
    pub(super) const fn new(buckets: Buckets) -> Self {
        Self {
            buckets,
            last: None,
        }
    }

    pub(super) fn number(&mut self, ns: i64) -> i64 {
        if let Some((number, range)) = &self.last
            && range.contains(&ns)
        {
            return *number;
        }
        let number = self.buckets.number(ns);
        let ends = [number, number.saturating_add(1)].map(|n| self.buckets.start(n).ns);
        self.last = Some((number, ends[0]..ends[1]));
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    fn ns(text: &str) -> i64 {
        Timestamp::parse_rfc3339(text).unwrap().nanos()
    }

    fn shown(start: Start) -> String {
        start.midnight.map_or_else(
            || Timestamp::from_nanos(start.ns).to_string(),
            |midnight| midnight.to_rfc3339(),
        )
    }

    #[test]
    fn equal_intervals_are_multiples_of_their_length() {
        let buckets = Buckets::new(6 * HOUR_NS, Zone::Utc);
        let number = buckets.number(ns("2026-03-29T13:59:59Z"));
        assert_eq!(shown(buckets.start(number)), "2026-03-29T12:00:00Z");
        assert_eq!(buckets.number(-1), -1);
        assert_eq!(buckets.start(number).day(), None);
    }

    #[test]
    fn days_begin_at_midnight_and_weeks_on_mondays() {
        let kathmandu = Zone::Fixed(FixedOffset::east_opt(20_700).unwrap());
        for (days, at, zone, from) in [
            (
                1,
                "2026-03-29T23:59:59Z",
                Zone::Utc,
                "2026-03-29T00:00:00+00:00",
            ),
            (
                1,
                "2026-03-29T18:14:59Z",
                kathmandu,
                "2026-03-29T00:00:00+05:45",
            ),
            (
                1,
                "2026-03-29T18:15:00Z",
                kathmandu,
                "2026-03-30T00:00:00+05:45",
            ),
            (
                7,
                "2026-03-29T12:00:00Z",
                Zone::Utc,
                "2026-03-23T00:00:00+00:00",
            ),
            (
                7,
                "2026-03-30T00:00:00Z",
                Zone::Utc,
                "2026-03-30T00:00:00+00:00",
            ),
            (
                7,
                "1969-12-28T23:00:00Z",
                Zone::Utc,
                "1969-12-22T00:00:00+00:00",
            ),
            (
                14,
                "1970-01-02T00:00:00Z",
                Zone::Utc,
                "1969-12-29T00:00:00+00:00",
            ),
            (
                2,
                "1970-01-04T00:00:00Z",
                Zone::Utc,
                "1970-01-03T00:00:00+00:00",
            ),
        ] {
            let buckets = Buckets::new(days * DAY_NS, zone);
            let start = buckets.start(buckets.number(ns(at)));
            assert_eq!(shown(start), from, "{days} of {at}");
            assert_eq!(start.ns, ns(from));
        }
    }

    #[test]
    fn a_number_is_found_again_for_the_times_beside() {
        let buckets = Buckets::new(DAY_NS, Zone::Local);
        let mut numbering = Numbering::new(buckets);
        for hours in [5_000, 5_001, 5_030, 4_990, -3, 5_002] {
            let at = hours * HOUR_NS;
            assert_eq!(numbering.number(at), buckets.number(at));
        }
    }

    #[test]
    fn times_beyond_the_calendar_have_an_interval() {
        for zone in [Zone::Utc, Zone::Local] {
            let buckets = Buckets::new(DAY_NS, zone);
            for at in [i64::MIN, i64::MAX] {
                let start = buckets.start(buckets.number(at));
                assert!(start.ns <= at || start.ns == i64::MIN || at == i64::MIN);
            }
        }
    }
}
