//! The value of a column in a row, with its meaning: formats write the same value, each in
//! its own way.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::analysis::ratio;
use crate::model::Timestamp;

/// A value. It borrows from its row wherever that has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum<'a> {
    /// There is none.
    Missing,
    /// Text as it is.
    Text(Cow<'a, str>),
    /// `OK`, `ERROR` and so on.
    State(&'a str),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Yes or no.
    Flag(bool),
    /// A point in time.
    Time(Timestamp),
    /// Nanoseconds.
    Duration(i64),
    /// US dollars.
    Money(f64),
    /// A share, where 1 is the whole.
    Share(f64),
    /// The same as a part of a whole, which may be nothing.
    Part(i64, i64),
    /// The value of an assessment and the like.
    Score(f64),
    /// From text to text, by key.
    Map(&'a BTreeMap<String, String>),
    /// The same in the order of its source.
    Pairs(&'a [(String, String)]),
    /// Texts in order.
    List(&'a [String]),
    /// JSON text, or what was meant to be.
    Json(Cow<'a, str>),
}

impl<'a> Datum<'a> {
    /// Text that the row has.
    pub const fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Text that the row may have.
    pub fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, Self::text)
    }

    /// Text that may have to be made.
    pub fn cow(text: Option<Cow<'a, str>>) -> Self {
        text.map_or(Self::Missing, Self::Text)
    }

    /// A value of a map by its key.
    pub fn of_key(map: &'a BTreeMap<String, String>, key: &str) -> Self {
        Self::maybe(map.get(key).map(String::as_str))
    }

    /// A value of some kind, where there is one: `Datum::some(Datum::Duration, ns)`.
    pub fn some<T>(kind: impl FnOnce(T) -> Self, value: Option<T>) -> Self {
        value.map_or(Self::Missing, kind)
    }

    /// How many there are.
    pub fn count(number: usize) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// The whole number that it is, nanoseconds included.
    pub const fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(n) | Self::Duration(n) => Some(*n),
            _ => None,
        }
    }

    /// The number that it is, whole ones as the nearest fraction.
    #[allow(
        clippy::cast_precision_loss,
        reason = "columns of fractions have no other place"
    )]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(n) | Self::Duration(n) => Some(*n as f64),
            Self::Float(n) | Self::Money(n) | Self::Share(n) | Self::Score(n) => Some(*n),
            Self::Part(part, whole) => ratio(*part, *whole),
            _ => None,
        }
    }

    /// Whether there is no value.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Part(_, whole) => *whole <= 0,
            _ => false,
        }
    }

    /// The value as a machine reads it, without rounding and separators: durations in
    /// nanoseconds, times in RFC 3339, maps as JSON; nothing where there is none.
    pub fn raw(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) | Self::Json(text) => Cow::Borrowed(text),
            Self::State(text) => Cow::Borrowed(text),
            Self::List([only]) => Cow::Borrowed(only),
            other => Cow::Owned(other.to_string()),
        }
    }
}

/// As [`Datum::raw`].
impl fmt::Display for Datum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => Ok(()),
            Self::Text(text) | Self::Json(text) => f.write_str(text),
            Self::State(text) => f.write_str(text),
            Self::Integer(n) | Self::Duration(n) => n.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Float(n) | Self::Money(n) | Self::Share(n) | Self::Score(n) => n.fmt(f),
            Self::Part(part, whole) => match ratio(*part, *whole) {
                Some(share) => share.fmt(f),
                None => Ok(()),
            },
            Self::List(texts) => {
                for (at, text) in texts.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    f.write_str(text)?;
                }
                Ok(())
            }
            Self::Map(_) | Self::Pairs(_) => {
                f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_read_every_digit() {
        let map = BTreeMap::from([("a \"b\"".to_owned(), "c".to_owned())]);
        let list = ["x".to_owned(), "y".to_owned()];
        for (datum, raw) in [
            (Datum::Missing, ""),
            (Datum::text("=1"), "=1"),
            (Datum::Integer(-1234), "-1234"),
            (Datum::Duration(1_640_000_000), "1640000000"),
            (Datum::Float(0.1), "0.1"),
            (Datum::Share(1.0), "1"),
            (Datum::Part(1, 3), "0.3333333333333333"),
            (Datum::Part(1, 0), ""),
            (Datum::Money(0.0123), "0.0123"),
            (Datum::Flag(true), "true"),
            (
                Datum::Time(Timestamp::from_nanos(1_795_380_996_791_000_000)),
                "2026-11-22T20:56:36.791Z",
            ),
            (Datum::Map(&map), r#"{"a \"b\"":"c"}"#),
            (Datum::List(&list), "x, y"),
        ] {
            assert_eq!(datum.raw(), raw);
        }
        assert!(Datum::Part(1, 0).is_missing());
    }
}
