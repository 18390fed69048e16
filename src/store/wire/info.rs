//! Trace info: V3 (REST), V2 (REST before 3.2) and what Python writes.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::assessment::WireAssessment;
use super::null_as_default;
use crate::model::{RolledUp, Timestamp, TraceInfo, TraceState};

/// Trace info in any spelling; [`WireInfo::into_info`] makes it the model's.
#[derive(Deserialize)]
pub(in crate::store) struct WireInfo {
    #[serde(alias = "request_id")]
    trace_id: Option<String>,
    client_request_id: Option<String>,
    trace_location: Option<Location>,
    experiment_id: Option<String>,
    request_time: Option<String>,
    timestamp_ms: Option<i64>,
    execution_duration: Option<String>,
    #[serde(alias = "execution_time_ms")]
    execution_duration_ms: Option<i64>,
    #[serde(alias = "status")]
    state: Option<String>,
    #[serde(default, alias = "request_metadata")]
    trace_metadata: Pairs,
    #[serde(default)]
    tags: Pairs,
    request_preview: Option<String>,
    response_preview: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    assessments: Vec<WireAssessment>,
}

#[derive(Deserialize)]
struct Location {
    mlflow_experiment: Option<ExperimentLocation>,
}

#[derive(Deserialize)]
struct ExperimentLocation {
    experiment_id: Option<String>,
}

impl WireInfo {
    /// The trace's id; `None` where there is none.
    pub(super) fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref().filter(|id| !id.is_empty())
    }

    /// The model's form; `None` when there is no trace id.
    pub(in crate::store) fn into_info(self) -> Option<TraceInfo> {
        Some(TraceInfo {
            trace_id: self.trace_id.filter(|id| !id.is_empty())?,
            client_request_id: self.client_request_id.filter(|id| !id.is_empty()),
            experiment_id: self
                .trace_location
                .and_then(|l| l.mlflow_experiment)
                .and_then(|e| e.experiment_id)
                .or(self.experiment_id),
            request_time: self
                .request_time
                .as_deref()
                .and_then(Timestamp::parse_rfc3339)
                .or(self.timestamp_ms.map(Timestamp::from_millis)),
            execution_duration_ns: self
                .execution_duration
                .as_deref()
                .and_then(parse_protobuf_duration)
                .or(self
                    .execution_duration_ms
                    .map(|ms| ms.saturating_mul(1_000_000))),
            rolled_up: RolledUp::default(),
            state: self
                .state
                .as_deref()
                .map_or(TraceState::Unspecified, TraceState::parse),
            metadata: self.trace_metadata.0,
            tags: self.tags.0,
            request_preview: self.request_preview,
            response_preview: self.response_preview,
            assessments: self
                .assessments
                .into_iter()
                .map(WireAssessment::into_assessment)
                .collect(),
        })
    }
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
    Some(sign * seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Text pairs: an object, or MLflow 2's list of `{"key", "value"}`.
#[derive(Default)]
struct Pairs(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Pair {
            key: String,
            #[serde(default)]
            value: Value,
        }

        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("keys with text values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    pairs.insert(key, text(value));
                }
                Ok(Pairs(pairs))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pairs, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some(pair) = seq.next_element::<Pair>()? {
                    pairs.insert(pair.key, text(pair.value));
                }
                Ok(Pairs(pairs))
            }

            fn visit_unit<E>(self) -> Result<Pairs, E> {
                Ok(Pairs::default())
            }
        }

        fn text(value: Value) -> String {
            match value {
                Value::String(text) => text,
                Value::Null => String::new(),
                other => other.to_string(),
            }
        }

        deserializer.deserialize_any(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(json: &str) -> TraceInfo {
        serde_json::from_str::<WireInfo>(json)
            .unwrap()
            .into_info()
            .unwrap()
    }

    #[test]
    fn v3_and_v2_give_the_same_info() {
        let v3 = info(
            r#"{"trace_id":"tr-1","trace_location":{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"7"}},
            "request_time":"2026-11-22T20:10:01.666Z","execution_duration":"0.288s","state":"OK",
            "trace_metadata":{"a":"b"},"tags":{"k":"v"}}"#,
        );
        let v2 = info(
            r#"{"request_id":"tr-1","experiment_id":"7","timestamp_ms":1795378201666,"execution_time_ms":288,"status":"OK",
            "request_metadata":[{"key":"a","value":"b"}],"tags":[{"key":"k","value":"v"}]}"#,
        );
        assert_eq!(v3, v2);
        assert_eq!(v3.execution_duration_ns, Some(288_000_000));
    }

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

    #[test]
    fn what_is_missing_or_null_stays_empty() {
        let bare = info(r#"{"trace_id":"x","tags":null,"assessments":null,"new_member":[1]}"#);
        assert_eq!(bare, TraceInfo::new("x"));
    }
}
