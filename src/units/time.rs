//! Points in time as they are printed, and the zone in which they are.

use chrono::{DateTime, Duration, FixedOffset, Local, LocalResult, NaiveDateTime, TimeZone, Utc};

use crate::model::Timestamp;

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
    let time = zone.at(time.to_utc());
    let seconds = time.offset().local_minus_utc();
    let form = match (seconds, seconds % 3600) {
        (0, _) => format!("{form}Z"),
        (_, 0) => format!("{form}%:::z"),
        _ => format!("{form}%:z"),
    };
    time.format(&form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_zone() {
        let at = Timestamp::from_nanos(1_795_380_996_791_234_196);
        assert_eq!(time(at, Zone::Utc), "2026-11-22 20:56:36Z");
        let tokyo = Zone::Fixed(FixedOffset::east_opt(9 * 3600).unwrap());
        assert_eq!(time(at, tokyo), "2026-11-23 05:56:36+09");
        let kolkata = Zone::Fixed(FixedOffset::east_opt(19_800).unwrap());
        assert_eq!(time(at, kolkata), "2026-11-23 02:26:36+05:30");
        assert_eq!(
            without_seconds(&time(at, kolkata)),
            "2026-11-23 02:26+05:30"
        );
        assert_eq!(without_seconds(&time(at, Zone::Utc)), "2026-11-22 20:56Z");
        assert_eq!(without_seconds("-"), "-");
        assert_eq!(time_with_millis(at, tokyo), "2026-11-23 05:56:36.791+09");
        assert_eq!(
            time_with_nanos(at, Zone::Utc),
            "2026-11-22 20:56:36.791234196Z"
        );
    }
}
