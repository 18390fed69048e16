//! Attributes of spans, events and links, in the shapes that MLflow has written:
//! objects of JSON texts or of plain values, and lists of typed values.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::any_value::{AnyValue, KeyValue, into_map};
use super::depth::{Depth, may_hint};
use crate::model::attribute::OUTPUTS;

/// Span attributes: an object of JSON texts, or a list of typed values. Both
/// become keys with JSON text; those that the depth leaves out are never built.
pub(super) struct Attributes<D>(Vec<(String, String)>, PhantomData<D>);

impl<D> Attributes<D> {
    pub(super) fn into_vec(self) -> Vec<(String, String)> {
        self.0
    }

    /// Of equal keys the last value counts, which is for the careful reader to see to.
    fn distinct<E: Error>(list: Vec<(String, String)>) -> Result<Self, E> {
        const FEW: usize = 32;
        let is_distinct = if list.len() <= FEW {
            list.iter()
                .enumerate()
                .all(|(at, (key, _))| list[..at].iter().all(|(other, _)| other != key))
        } else {
            let mut seen = HashSet::with_capacity(list.len());
            list.iter().all(|(key, _)| seen.insert(key.as_str()))
        };
        if is_distinct {
            Ok(Self(list, PhantomData))
        } else {
            Err(E::custom("a key comes twice"))
        }
    }
}

impl<D> Default for Attributes<D> {
    fn default() -> Self {
        Self(Vec::new(), PhantomData)
    }
}

impl<'de, P: Depth> Deserialize<'de> for Attributes<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AttributesVisitor(PhantomData))
    }
}

struct AttributesVisitor<P>(PhantomData<P>);

impl<'de, P: Depth> Visitor<'de> for AttributesVisitor<P> {
    type Value = Attributes<P>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("span attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes<P>, A::Error> {
        let mut list = Vec::new();
        while let Some(key) = map.next_key_seed(Key::<P>(PhantomData))? {
            match key {
                Some(key) if !P::WHOLE && key == OUTPUTS => {
                    let raw = map.next_value::<Box<RawValue>>()?;
                    if may_hint(raw.get().as_bytes()) {
                        let text: JsonText =
                            serde_json::from_str(raw.get()).map_err(A::Error::custom)?;
                        list.push((key, text.0));
                    }
                }
                Some(key) => list.push((key, map.next_value::<JsonText>()?.0)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Attributes::distinct(list)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Attributes<P>, A::Error> {
        let mut list = Vec::new();
        while let Some(attribute) = seq.next_element_seed(Typed::<P>(PhantomData))? {
            list.extend(attribute);
        }
        Attributes::distinct(list)
    }

    fn visit_unit<E>(self) -> Result<Attributes<P>, E> {
        Ok(Attributes::default())
    }
}

/// A key, where the depth keeps its value.
struct Key<P>(PhantomData<P>);

impl<'de, P: Depth> DeserializeSeed<'de> for Key<P> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<P: Depth> Visitor<'_> for Key<P> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(P::keeps(key).then(|| key.to_owned()))
    }
}

/// A key with a typed value, where the depth keeps it.
struct Typed<P>(PhantomData<P>);

impl<'de, P: Depth> DeserializeSeed<'de> for Typed<P> {
    type Value = Option<(String, String)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, P: Depth> Visitor<'de> for Typed<P> {
    type Value = Option<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key with a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut key: Option<Option<String>> = None;
        let mut value = AnyValue::default();
        while let Some(member) = map.next_key::<Member>()? {
            match member {
                Member::Key => key = Some(map.next_value_seed(Key::<P>(PhantomData))?),
                Member::Value if key != Some(None) => value = map.next_value()?,
                Member::Value | Member::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match key {
            Some(key) => Ok(key.map(|key| (key, value.into_json().to_string()))),
            None => Err(serde::de::Error::missing_field("key")),
        }
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Key,
    Value,
    #[serde(other)]
    Other,
}

/// A string is taken for JSON text; any other value is written as JSON text.
struct JsonText(String);

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            other => exact(other)?.to_string(),
        }))
    }
}

/// Attributes of events and links: an object of plain values, or a list of typed ones.
#[derive(Default)]
pub(super) struct PlainAttributes(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for PlainAttributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlainVisitor;

        impl<'de> Visitor<'de> for PlainVisitor {
            type Value = PlainAttributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PlainAttributes, A::Error> {
                let mut plain = Map::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    plain.insert(key, exact(value)?);
                }
                Ok(PlainAttributes(plain))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PlainAttributes, A::Error> {
                let mut list: Vec<KeyValue> = Vec::new();
                while let Some(attribute) = seq.next_element()? {
                    list.push(attribute);
                }
                Ok(PlainAttributes(into_map(list)))
            }

            fn visit_unit<E>(self) -> Result<PlainAttributes, E> {
                Ok(PlainAttributes::default())
            }
        }

        deserializer.deserialize_any(PlainVisitor)
    }
}

/// A value that has lost no digits. Integers beyond 64 bits have become floating-point
/// numbers by now, which is for the careful reader to avoid.
pub(super) fn exact<E: Error>(value: Value) -> Result<Value, E> {
    const FIRST_ROUNDED: f64 = 9_223_372_036_854_775_808.0;
    fn is_exact(value: &Value) -> bool {
        match value {
            Value::Number(number) => {
                !number.is_f64() || number.as_f64().is_some_and(|n| n.abs() < FIRST_ROUNDED)
            }
            Value::Array(list) => list.iter().all(is_exact),
            Value::Object(map) => map.values().all(is_exact),
            _ => true,
        }
    }
    if is_exact(&value) {
        Ok(value)
    } else {
        Err(E::custom("a number of many digits"))
    }
}
