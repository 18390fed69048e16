//! Prints aggregates and rules as they are read, with the unit that a limit
//! looks best in and without losing a digit of it.

use std::fmt;

use super::super::compiled::holds;
use super::{Aggregate, Bound, Function, Measure, Rule, Unit};
use crate::units::{Number, exact_duration, exact_share};

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::ErrorRate => f.write_str("error_rate"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Avg => f.write_str("avg"),
            Self::Sum => f.write_str("sum"),
            Self::Percentile(parts) => {
                let fraction = format!("{:02}", parts % 100);
                match fraction.trim_end_matches('0') {
                    "" => write!(f, "p{}", parts / 100),
                    fraction => write!(f, "p{}.{fraction}", parts / 100),
                }
            }
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trace => Ok(()),
            Self::Span => f.write_str("span"),
            Self::SelfTime => f.write_str("self"),
            Self::CriticalTime => f.write_str("critical"),
            Self::Of(field) => f.write_str(&field.spelling()),
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}", self.function, self.measure)?;
        if !self.filter.is_empty() {
            if self.measure != Measure::Trace {
                f.write_str(" ")?;
            }
            write!(f, "where {}", self.filter.readable())?;
        }
        f.write_str(")")
    }
}

impl Aggregate {
    /// What it says, whatever order its conditions were written in.
    pub fn key(&self) -> String {
        let mut same = self.clone();
        same.filter.sort();
        same.to_string()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.aggregate.fmt(f)?;
        match &self.bound {
            Some(bound) => write!(f, " {}", bound.text(self.aggregate.unit())),
            None => Ok(()),
        }
    }
}

impl Unit {
    /// `ns`, `count`, `usd`, `ratio` or `number`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "ns",
            Self::Amount => "count",
            Self::Dollars => "usd",
            Self::Share => "ratio",
            Self::Number => "number",
        }
    }
}

impl Bound {
    /// Comparator and limit, for example `<= 2s`.
    pub fn text(&self, unit: Unit) -> String {
        format!("{} {}", self.comparator, exact(self.limit, unit))
    }

    /// Whether a value is what it has to be.
    pub fn holds(&self, value: Number) -> bool {
        holds(self.comparator, value.compare(self.limit))
    }
}

/// A value as a rule has it, with every digit.
pub fn exact(value: Number, unit: Unit) -> String {
    match (unit, value) {
        (Unit::Time, Number::Integer(ns)) => exact_duration(ns),
        (Unit::Time, Number::Float(ns)) => format!("{ns}ns"),
        (Unit::Share, share) => exact_share(share),
        (_, Number::Integer(number)) => number.to_string(),
        (_, Number::Float(number)) => format!("{number}"),
    }
}
