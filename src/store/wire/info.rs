//! Trace info: V3 (REST), V2 (REST before 3.2) and what Python writes.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::assessment::WireAssessment;
use super::null_as_default;
use super::time::{Millis, Otherwise, ProtobufDuration, Rfc3339};
use crate::model::{RolledUp, Timestamp, TraceInfo, TraceState};

/// Trace info as MLflow writes it; [`WireInfo::into_info`] makes it the model's.
#[derive(Deserialize)]
pub(in crate::store) struct WireInfo {
    #[serde(alias = "request_id")]
    trace_id: Option<String>,
    client_request_id: Option<String>,
    trace_location: Option<Location>,
    experiment_id: Option<String>,
    request_time: Option<Rfc3339>,
    timestamp_ms: Option<Millis>,
    execution_duration: Option<ProtobufDuration>,
    #[serde(alias = "execution_time_ms")]
    execution_duration_ms: Option<Millis>,
    /// The exact one, as mlt has written it.
    duration_ns: Option<i64>,
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
    #[serde(
        alias = "traceId",
        alias = "requestId",
        alias = "clientRequestId",
        alias = "traceLocation",
        alias = "experimentId",
        alias = "requestTime",
        alias = "request_time_ms",
        alias = "timestampMs",
        alias = "executionDuration",
        alias = "executionDurationMs",
        alias = "executionTimeMs",
        alias = "traceMetadata",
        alias = "requestMetadata",
        alias = "requestPreview",
        alias = "responsePreview",
        alias = "trace",
        alias = "request",
        alias = "response"
    )]
    #[allow(dead_code, reason = "where it is, the quick reader gives up")]
    otherwise: Option<Otherwise>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Location {
    #[allow(dead_code, reason = "the others say as much")]
    r#type: Option<String>,
    mlflow_experiment: Option<ExperimentLocation>,
    uc_schema: Option<Value>,
    uc_table_prefix: Option<Value>,
    inference_table: Option<Value>,
}

#[derive(Deserialize)]
struct ExperimentLocation {
    experiment_id: Option<String>,
    /// As mlt has written it.
    experiment_name: Option<String>,
}

impl Location {
    fn other(&self) -> Option<Value> {
        let places = [
            ("uc_schema", &self.uc_schema),
            ("uc_table_prefix", &self.uc_table_prefix),
            ("inference_table", &self.inference_table),
        ];
        let mut map = serde_json::Map::new();
        for (name, place) in places {
            map.extend(place.clone().map(|place| (name.to_owned(), place)));
        }
        if map.is_empty() {
            return None;
        }
        if let Some(kind) = &self.r#type {
            map.shift_insert(0, "type".to_owned(), Value::from(kind.as_str()));
        }
        Some(Value::Object(map))
    }
}

impl WireInfo {
    /// The trace's id; `None` where there is none.
    pub(super) fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref().filter(|id| !id.is_empty())
    }

    /// The model's form; `None` when there is no trace id.
    pub(in crate::store) fn into_info(self) -> Option<TraceInfo> {
        let location = self.trace_location.as_ref().and_then(Location::other);
        let experiment = self.trace_location.and_then(|l| l.mlflow_experiment);
        let (experiment_id, experiment_name) =
            experiment.map_or((None, None), |e| (e.experiment_id, e.experiment_name));
        let mut info = TraceInfo {
            counted_spans: None,
            trace_id: self.trace_id.filter(|id| !id.is_empty())?,
            client_request_id: self.client_request_id.filter(|id| !id.is_empty()),
            experiment_id: experiment_id.or(self.experiment_id),
            experiment_name,
            location,
            request_time: match (self.request_time, self.timestamp_ms) {
                (Some(Rfc3339(time)), _) => Some(time),
                (None, ms) => ms.map(|Millis(ns)| Timestamp::from_nanos(ns)),
            },
            execution_duration_ns: self
                .duration_ns
                .or(self.execution_duration.map(|ProtobufDuration(ns)| ns))
                .or(self.execution_duration_ms.map(|Millis(ns)| ns)),
            rolled_up: RolledUp::default(),
            state: self
                .state
                .as_deref()
                .map_or(TraceState::Unspecified, TraceState::parse),
            metadata: self.trace_metadata.0,
            tags: self.tags.0,
            request_preview: self.request_preview,
            response_preview: self.response_preview,
            of_session: Vec::new(),
            assessments: self
                .assessments
                .into_iter()
                .map(WireAssessment::into_assessment)
                .collect(),
        };
        info.order_assessments();
        Some(info)
    }
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
    fn what_is_missing_or_null_stays_empty() {
        let bare = info(r#"{"trace_id":"x","tags":null,"assessments":null,"new_member":[1]}"#);
        assert_eq!(bare, TraceInfo::new("x"));
    }
}
