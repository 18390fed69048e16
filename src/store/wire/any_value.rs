//! OpenTelemetry's `AnyValue` in JSON, turned into plain JSON values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::attributes::exact;
use super::time::Nanos;

/// A key with a typed value.
#[derive(Deserialize)]
pub(super) struct KeyValue {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: AnyValue,
}

/// At most one member is present; none means null.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "OpenTelemetry's names")]
pub(super) struct AnyValue {
    #[serde(alias = "stringValue")]
    string_value: Option<String>,
    #[serde(alias = "boolValue")]
    bool_value: Option<bool>,
    #[serde(alias = "intValue")]
    int_value: Option<Integer>,
    #[serde(alias = "doubleValue")]
    double_value: Option<Double>,
    #[serde(alias = "arrayValue")]
    array_value: Option<ArrayValue>,
    #[serde(alias = "kvlistValue")]
    kvlist_value: Option<KvList>,
    #[serde(alias = "bytesValue")]
    bytes_value: Option<String>,
}

/// An integer, as a number or as digits in a string.
struct Integer(i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Nanos::deserialize(deserializer).map(|Nanos(number)| Self(number))
    }
}

/// A number, or the name of one that JSON does not have.
struct Double(Value);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let is_name = matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity"));
        if value.is_number() || is_name {
            exact(value).map(Self)
        } else {
            Err(D::Error::custom("no number"))
        }
    }
}

#[derive(Deserialize)]
struct ArrayValue {
    #[serde(default)]
    values: Vec<AnyValue>,
}

#[derive(Deserialize)]
struct KvList {
    #[serde(default)]
    values: Vec<KeyValue>,
}

impl AnyValue {
    /// The plain value. Non-finite doubles, which JSON cannot hold, stay text.
    pub(super) fn into_json(self) -> Value {
        if let Some(text) = self.string_value {
            return Value::String(text);
        }
        if let Some(truth) = self.bool_value {
            return Value::Bool(truth);
        }
        if let Some(Integer(number)) = self.int_value {
            return Value::from(number);
        }
        if let Some(Double(number)) = self.double_value {
            return number;
        }
        if let Some(array) = self.array_value {
            return array.values.into_iter().map(Self::into_json).collect();
        }
        if let Some(list) = self.kvlist_value {
            return Value::Object(into_map(list.values));
        }
        match self.bytes_value {
            Some(encoded) => STANDARD
                .decode(&encoded)
                .ok()
                .and_then(|raw| String::from_utf8(raw).ok())
                .map_or(Value::String(encoded), Value::String),
            None => Value::Null,
        }
    }
}

/// A list of keys and values as an object; of equal keys the last one stays.
pub(super) fn into_map(list: Vec<KeyValue>) -> Map<String, Value> {
    list.into_iter()
        .map(|kv| (kv.key, kv.value.into_json()))
        .collect()
}
