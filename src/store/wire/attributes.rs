//! Attributes of spans, events and links, in the shapes that MLflow has written:
//! objects of JSON texts or of plain values, and lists of typed values.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::any_value::{AnyValue, KeyValue, into_map};
use super::depth::Depth;

/// Span attributes: an object of JSON texts, or a list of typed values. Both
/// become keys with JSON text; those that the depth leaves out are never built.
pub(super) struct Attributes<D>(Vec<(String, String)>, PhantomData<D>);

impl<D> Attributes<D> {
    pub(super) fn into_vec(self) -> Vec<(String, String)> {
        self.0
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
                Some(key) => list.push((key, map.next_value::<JsonText>()?.0)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Attributes(list, PhantomData))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Attributes<P>, A::Error> {
        let mut list = Vec::new();
        while let Some(attribute) = seq.next_element_seed(Typed::<P>(PhantomData))? {
            list.extend(attribute);
        }
        Ok(Attributes(list, PhantomData))
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
            other => other.to_string(),
        }))
    }
}

/// Attributes of events and links: an object of plain values, or a list of typed ones.
#[derive(Default)]
pub(super) struct PlainAttributes(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for PlainAttributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Map(Map<String, Value>),
            List(Vec<KeyValue>),
            Other(IgnoredAny),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Map(map) => map,
            Either::List(list) => into_map(list),
            Either::Other(_) => Map::new(),
        }))
    }
}
