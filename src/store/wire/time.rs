//! Times and durations as MLflow writes them today. Other spellings, and what cannot
//! be read, are for the careful reader.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::model::Timestamp;

/// Nanoseconds as a number or as digits in a string.
#[derive(Clone, Copy)]
pub(super) struct Nanos(pub(super) i64);

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NanosVisitor;

        impl Visitor<'_> for NanosVisitor {
            type Value = Nanos;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("nanoseconds")
            }

            fn visit_i64<E: Error>(self, ns: i64) -> Result<Nanos, E> {
                Ok(Nanos(ns))
            }

            fn visit_u64<E: Error>(self, ns: u64) -> Result<Nanos, E> {
                i64::try_from(ns)
                    .map(Nanos)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(ns), &self))
            }

            fn visit_str<E: Error>(self, digits: &str) -> Result<Nanos, E> {
                digits
                    .parse()
                    .map(Nanos)
                    .map_err(|_| E::invalid_value(Unexpected::Str(""), &self))
            }
        }

        deserializer.deserialize_any(NanosVisitor)
    }
}

/// A time in RFC 3339.
pub(super) struct Rfc3339(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Rfc3339 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a time", Timestamp::parse_rfc3339).map(Self)
    }
}

/// A duration as protobuf writes it in JSON, in nanoseconds.
pub(super) struct ProtobufDuration(pub(super) i64);

impl<'de> Deserialize<'de> for ProtobufDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a duration", parse_protobuf_duration).map(Self)
    }
}

/// Milliseconds as nanoseconds.
pub(super) struct Millis(pub(super) i64);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ms = i64::deserialize(deserializer)?;
        ms.checked_mul(1_000_000)
            .map(Self)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Signed(ms), &"milliseconds"))
    }
}

/// Reads text by a function.
fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct TextVisitor<T>(&'static str, fn(&str) -> Option<T>);

    impl<T> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(""), &self))
        }
    }

    deserializer.deserialize_str(TextVisitor(expected, parse))
}

/// `0.288s`, `-1795379439s` … in nanoseconds.
fn parse_protobuf_duration(text: &str) -> Option<i64> {
    let number = text.strip_suffix('s')?;
    let (sign, digits) = match number.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let ns = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some(sign * ns)
}

/// A member that the quick reader knows under another name, or not at all: to be read
/// with care.
pub(super) struct Otherwise;

impl<'de> Deserialize<'de> for Otherwise {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("spelt otherwise"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protobuf_durations_are_exact() {
        assert_eq!(parse_protobuf_duration("1.500s"), Some(1_500_000_000));
        assert_eq!(parse_protobuf_duration("-0.000000001s"), Some(-1));
        assert_eq!(
            parse_protobuf_duration("-1795379439s"),
            Some(-1_795_379_439_000_000_000)
        );
        assert_eq!(parse_protobuf_duration("1m"), None);
        assert_eq!(parse_protobuf_duration("1.2.3s"), None);
    }
}
