//! Values with a grammar of their own: periods, points in time, fractions.

use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::filter::{Moment, Zone};
use crate::model::Timestamp;

/// How many of something, where none would make no sense.
pub(super) fn at_least_one(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number from 1 on".to_owned())
}

/// How many of something.
pub(super) fn whole_number<T: FromStr>(text: &str) -> Result<T, String> {
    let number = text.parse();
    number.map_err(|_| "expected a whole number such as 3, or 0".to_owned())
}

/// A length of time with a unit: `500ms`, `1.5s`, `2m`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(Duration);

impl Period {
    /// The length.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Milliseconds, with a fraction where there is one.
    pub fn millis(self) -> f64 {
        self.0.as_secs_f64() * 1000.0
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
        const EXPECTED: &str = "expected a number with a unit, such as 500ms, 1.5s, 2m, 1h or 7d";
        let text = text.trim();
        let split = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let seconds = match unit.trim() {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "" => return Err(format!("{EXPECTED}; the unit is missing")),
            _ => return Err(EXPECTED.to_owned()),
        };
        let number: f64 = number.parse().map_err(|_| EXPECTED.to_owned())?;
        Duration::try_from_secs_f64(number * seconds)
            .map(Self)
            .map_err(|_| "the time is too long".to_owned())
    }
}

/// A percentage: `10%`, `2.5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(f64);

impl Percent {
    /// As a share: 0.1 for `10%`.
    pub const fn share(self) -> f64 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a percentage such as 10%";
        let digits = text.trim().strip_suffix('%').ok_or(EXPECTED)?.trim_end();
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        if !digits.chars().all(is_number) {
            return Err(EXPECTED.to_owned());
        }
        let share = format!("{digits}e-2").parse().map_err(|_| EXPECTED)?;
        Ok(Self(share))
    }
}

/// A point in time: so long ago, or fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePoint {
    /// This long before now.
    Ago(Period),
    /// At this instant.
    At {
        /// Where what was named begins.
        from: Timestamp,
        /// The first instant after it.
        after: Timestamp,
    },
}

impl TimePoint {
    /// The instant, given what time it is.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At { from, .. } => from,
            Self::Ago(period) => {
                let nanos = i64::try_from(period.duration().as_nanos()).unwrap_or(i64::MAX);
                Timestamp::from_nanos(now.nanos().saturating_sub(nanos))
            }
        }
    }

    /// The instant up to which it reaches: times are shown without the fraction of
    /// their second, so that a second includes all of itself.
    pub fn resolve_end(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At { after, .. } => after,
            ago @ Self::Ago(_) => ago.resolve(now),
        }
    }
}

impl Serialize for TimePoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ago(period) => serializer.collect_str(&format_args!("{:?} ago", period.0)),
            Self::At { from, .. } => serializer.collect_str(&from.to_utc().to_rfc3339()),
        }
    }
}

impl FromStr for TimePoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let ago = text
            .strip_prefix('-')
            .or(text.strip_suffix(" ago"))
            .unwrap_or(text);
        if let Ok(period) = ago.parse() {
            return Ok(Self::Ago(period));
        }
        let here = Moment {
            zone: Zone::Local,
            ..Moment::utc()
        };
        here.instant_of(text)
            .map(|(from, after)| Self::At { from, after })
            .ok_or_else(|| {
                "expected a time ago such as 1h or 7d, a date such as 2026-11-22, \
                 or a time such as 2026-11-22T08:00:00Z"
                    .to_owned()
            })
    }
}

/// A share from 0 to 1; `10%` is 0.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction(f64);

impl Fraction {
    /// From 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Fraction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, scale) = match text.strip_suffix('%') {
            Some(number) => (number, 0.01),
            None => (text, 1.0),
        };
        number
            .trim()
            .parse::<f64>()
            .ok()
            .map(|n| n * scale)
            .filter(|n| (0.0..=1.0).contains(n))
            .map(Self)
            .ok_or_else(|| "expected a fraction from 0 to 1, such as 0.1 or 10%".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> f64 {
        text.parse::<Period>().unwrap().millis()
    }

    #[test]
    fn periods_need_a_unit() {
        assert!((millis("1.5s") - 1500.0).abs() < 1e-9);
        assert!((millis("500ms") - 500.0).abs() < 1e-9);
        assert!((millis("2m") - 120_000.0).abs() < 1e-9);
        for bad in ["5", "", "s", "1.2.3s", "5 parsecs", "-1s", "1e400d"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    #[test]
    fn points_in_time_are_relative_or_fixed() {
        let now = Timestamp::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
        let at = |text: &str| text.parse::<TimePoint>().unwrap().resolve(now).to_string();
        assert_eq!(at("1h"), "2026-11-22T11:00:00Z");
        assert_eq!(at("-7d"), "2026-11-15T12:00:00Z");
        assert_eq!(at("2026-11-20T08:30:00+02:00"), "2026-11-20T06:30:00Z");
        assert!("last tuesday".parse::<TimePoint>().is_err());
        assert!("2026-13-01".parse::<TimePoint>().is_err());
    }

    #[test]
    fn percentages_have_their_sign() {
        let share = |text: &str| text.parse::<Percent>().map(Percent::share);
        assert_eq!(share("10%"), Ok(0.1));
        assert_eq!(share("2.5 %"), Ok(0.025));
        assert_eq!(share("0%"), Ok(0.0));
        for bad in ["10", "-1%", "%", "x%", "1e3%"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fractions_are_from_0_to_1() {
        assert!(("10%".parse::<Fraction>().unwrap().get() - 0.1).abs() < 1e-12);
        for bad in ["1.1", "-0.1", "NaN", "half"] {
            assert!(bad.parse::<Fraction>().is_err(), "{bad}");
        }
    }
}
