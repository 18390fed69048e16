//! Taking traces in on a server. Their spans go first, by OpenTelemetry's protocol: from
//! these the server makes a trace of its own, which at last gets everything else, and by
//! that is finished. What was broken off before that is known by it, and gone on with.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use prost::Message as _;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::http::Call;
use super::{RestStore, ids};
use crate::json::parse_value;
use crate::model::{
    Assessment, Link, Span, SpanId, Timestamp, Trace, TraceInfo, TraceState, metadata,
};
use crate::otlp::{
    AnyValue, ExportTraceServiceRequest, LinkMessage, ResourceSpans, ScopeSpans, SpanMessage,
    from_hex, value,
};
use crate::store::assess::{as_json, new_id};
use crate::store::fetch::{Ways as _, in_order};
use crate::store::put::{self, refused};
use crate::store::{OnPut, Put, StoreError};

/// Traces that are sent at a time: servers write one after the other.
const AT_ONCE: usize = 4;
/// The first release that gives out the spans that it takes in: MLflow 3.4 and 3.5 keep them
/// for themselves.
const FIRST_WITH_SPANS: (u32, u32) = (3, 6);
/// Releases before this one fail where a trace that has assessments gets the rest, and take JSON
/// text of lists, or all of it, for text.
const FIRST_TO_KEEP: (u32, u32) = (3, 14);

impl RestStore {
    /// `Err` when the server takes in no spans.
    ///
    /// # Errors
    /// Why not, and those of a server that cannot be asked.
    pub(super) fn takes_spans(&self) -> Result<(), StoreError> {
        #[derive(Deserialize)]
        struct Server {
            #[serde(default)]
            store_type: String,
        }
        let lacks = |what: &'static str, instead: &'static str| {
            Err(StoreError::Unsupported {
                store: self.http.host(),
                what,
                instead,
            })
        };
        self.ask_release();
        if let Some(release) = self.release.get()
            && *release < FIRST_WITH_SPANS
        {
            return lacks(
                "way to take in spans and give them out: it is of a release of MLflow before 3.6",
                "a newer server over the same store has one",
            );
        }
        let url = self.http.url(&["api", "3.0", "mlflow", "server-info"]);
        match self.http.json::<Server>(&Call::get(url)) {
            Ok(server) if server.store_type == "FileStore" => lacks(
                "way to take in spans: it keeps its traces in files",
                "a server over a database has one",
            ),
            // Older servers do not say.
            Ok(_)
            | Err(
                StoreError::NoSuchEndpoint { .. }
                | StoreError::Refused { .. }
                | StoreError::NotJson { .. }
                | StoreError::BadAnswer { .. },
            ) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes in traces, a few at a time.
    ///
    /// # Errors
    /// A server that is not there any more.
    pub(super) fn put_all(&self, traces: &[Trace], each: OnPut<'_>) -> Result<(), StoreError> {
        let mut broken = None;
        let put = |trace: &Trace| self.put_one(trace);
        let _ = in_order(AT_ONCE, traces, put, |trace, outcome| match outcome {
            Err(error) if is_the_servers(&error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
            outcome => each(&trace.info.trace_id, outcome),
        });
        broken.map_or(Ok(()), Err)
    }

    fn put_one(&self, trace: &Trace) -> Result<Put, StoreError> {
        put::check(trace)?;
        let id = &trace.info.trace_id;
        ids::check(id)?;
        let there = match self.info(id) {
            Ok(there) if is_finished(&there, trace) => return Ok(Put::Known),
            Ok(there) => Some(there),
            Err(StoreError::UnknownTrace { .. }) => None,
            Err(error) => return Err(error),
        };
        if trace.spans.is_empty() {
            return self.finish(trace, there.as_ref());
        }
        self.add_spans(trace)?;
        self.finish(trace, there.as_ref()).map_err(|error| {
            // It would be there in part, for good.
            if there.is_none() && matches!(error, StoreError::Refused { .. }) {
                let experiment = trace.info.experiment_id.as_deref().unwrap_or_default();
                let _ = self.delete_batch(experiment, &[id]);
            }
            error
        })
    }

    /// Sends the spans of a trace, of which there may be others.
    ///
    /// # Errors
    /// An id that is none of OpenTelemetry's, and those of the server.
    pub(super) fn add_spans(&self, trace: &Trace) -> Result<(), StoreError> {
        let info = &trace.info;
        let id = &info.trace_id;
        let otel = id.strip_prefix("tr-").and_then(|hex| from_hex(hex, 16));
        let otel = otel.filter(|_| !id.bytes().any(|byte| byte.is_ascii_uppercase()));
        let Some(otel) = otel else {
            return Err(refused(
                id,
                "a server takes in spans only of traces with `tr-` and 32 hex digits for an id; \
                 a SQLite database takes others, too"
                    .to_owned(),
            ));
        };
        let spans = put::spans(trace).into_iter();
        let typed = if self.keeps() { typed } else { value::of_json };
        let spans = spans.map(|span| message(span, &otel, typed)).collect();
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: None,
                scope_spans: vec![ScopeSpans { scope: None, spans }],
            }],
        };
        let experiment = info.experiment_id.clone().unwrap_or_default();
        let call = Call {
            header: Some(("x-mlflow-experiment-id", experiment)),
            ..Call::protobuf(self.http.url(&["v1", "traces"]), request.encode_to_vec())
        };
        self.http.send(&call).map(drop)
    }

    /// Whether it keeps what it was given, as newer releases do.
    fn keeps(&self) -> bool {
        let release = self.release.get();
        release.is_none_or(|release| *release >= FIRST_TO_KEEP)
    }

    /// Gives a trace everything but its spans. Assessments are made one after the other: with the
    /// rest, a server would take those with their ids away from other traces. It says of every
    /// new one that it is valid, until another one takes its place; those that are not without
    /// that go with the rest.
    fn finish(&self, trace: &Trace, there: Option<&TraceInfo>) -> Result<Put, StoreError> {
        let info = &trace.info;
        let (chained, plain) = chained(info);
        let is_there = !trace.spans.is_empty() && self.keeps();
        if is_there {
            self.make_all(info, &chained, there)?;
        }
        let url = self.http.url(&["api", "3.0", "mlflow", "traces"]);
        let body = json!({"trace": {"trace_info": info_json(trace, &plain)}});
        self.http.send(&Call::json(Method::POST, url, body))?;
        if !is_there {
            self.make_all(info, &chained, there)?;
        }
        Ok(Put::Taken)
    }

    fn make_all(
        &self,
        info: &TraceInfo,
        chained: &[&Assessment],
        there: Option<&TraceInfo>,
    ) -> Result<(), StoreError> {
        let known = |one: &Assessment| {
            let mut all = there.iter().flat_map(|there| &there.assessments);
            all.any(|old| old.id == one.id)
        };
        let mut renamed: HashMap<&str, String> = HashMap::new();
        for one in chained.iter().filter(|one| !known(one)) {
            let mut new = (*one).clone();
            let replaced = new.overrides.as_deref().and_then(|id| renamed.get(id));
            if let Some(id) = replaced {
                new.overrides = Some(id.clone());
            }
            match self.make(info, &new) {
                // Another trace may have its id, as where this one is a copy.
                Err(StoreError::Refused { .. }) => {
                    let id = new.id.insert(new_id()).clone();
                    self.make(info, &new)?;
                    renamed.extend(one.id.as_deref().map(|old| (old, id)));
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    fn make(&self, info: &TraceInfo, one: &Assessment) -> Result<(), StoreError> {
        let id = &info.trace_id;
        let path = ["api", "3.0", "mlflow", "traces", id, "assessments"];
        let body = json!({"assessment": as_json(id, one)});
        let call = Call {
            repeatable: false,
            ..Call::json(Method::POST, self.http.url(&path), body)
        };
        self.http.send(&call).map(drop)
    }
}

/// Whether no other trace would fare better.
fn is_the_servers(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unreachable { .. }
            | StoreError::Tls { .. }
            | StoreError::Proxy { .. }
            | StoreError::Redirect { .. }
            | StoreError::NoSuchEndpoint { .. }
            | StoreError::Unauthorized { .. }
            | StoreError::Forbidden { .. }
    )
}

/// Whether a trace that is there is whole: one that only its spans have made so far lacks
/// the server's mark, and what spans do not tell. One that has ended since, or was given tags,
/// is left as it is.
pub(super) fn is_finished(there: &TraceInfo, trace: &Trace) -> bool {
    if there.metadata.contains_key(metadata::FINALIZED) {
        return true;
    }
    let info = &trace.info;
    let ms = |ns: Option<i64>| ns.map(|ns| ns.div_euclid(1_000_000));
    let began = put::request_time(trace).map(Timestamp::millis);
    // Parts that came ahead of the rest began later.
    if began != there.request_time.map(Timestamp::millis) {
        return false;
    }
    let is_new = |key: &str| !info.tags.contains_key(key) && !key.starts_with("mlflow.");
    if put::tags(there).any(|(key, _)| is_new(key)) {
        return true;
    }
    let has_ended = matches!(there.state, TraceState::Ok | TraceState::Error);
    let is_as_here = there.state == info.state
        && ms(there.execution_duration_ns) == ms(info.execution_duration_ns);
    let has_assessment = |one: &Assessment| {
        let mut all = there.assessments.iter();
        one.id.is_some() && all.any(|old| old.id == one.id)
    };
    (is_as_here || has_ended)
        && there.client_request_id == info.client_request_id
        && put::tags(info).all(|(key, _)| there.tags.contains_key(key))
        && info
            .metadata
            .keys()
            .all(|key| key == metadata::FINALIZED || there.metadata.contains_key(key))
        && put::assessments(info).all(has_assessment)
}

/// The assessments that can be made one after the other, those that take the place of others
/// behind them; and the rest.
fn chained(info: &TraceInfo) -> (Vec<&Assessment>, Vec<&Assessment>) {
    let all: Vec<&Assessment> = put::assessments(info).collect();
    let ids: HashSet<&str> = all.iter().filter_map(|one| one.id.as_deref()).collect();
    let replaces = |one: &Assessment| {
        let replaced = one.overrides.as_deref();
        replaced.is_some_and(|id| ids.contains(id))
    };
    let replaced_ids: HashSet<&str> = all
        .iter()
        .filter_map(|one| one.overrides.as_deref())
        .collect();
    let (mut waiting, mut plain): (Vec<&Assessment>, Vec<&Assessment>) =
        all.iter().partition(|one| {
            let is_replaced = one
                .id
                .as_deref()
                .is_some_and(|id| replaced_ids.contains(id));
            let is_plain = one.valid && one.overrides.is_none();
            one.id.is_some() && (is_plain || is_replaced || replaces(one))
        });
    waiting.sort_by_key(|one| one.create_time);
    let mut made: Vec<&Assessment> = Vec::new();
    while !waiting.is_empty() {
        let before = made.len();
        let is_next = |one: &&Assessment, made: &[&Assessment]| {
            !replaces(one) || made.iter().any(|old| old.id == one.overrides)
        };
        let (next, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|one| is_next(one, &made));
        made.extend(next);
        waiting = rest;
        if made.len() == before {
            // They take each other's place, which nobody can make.
            plain.append(&mut waiting);
        }
    }
    (made, plain)
}

fn info_json(trace: &Trace, assessments: &[&Assessment]) -> Value {
    let info = &trace.info;
    let tags: Map<String, Value> = put::tags(info)
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let mut entries: Map<String, Value> = info
        .metadata
        .iter()
        .map(|(key, value)| (key.clone(), put::value_of(value).into()))
        .collect();
    entries.insert(metadata::FINALIZED.to_owned(), "true".into());
    let assessments: Vec<Value> = assessments
        .iter()
        .map(|one| {
            let mut one = (*one).clone();
            one.id.get_or_insert_with(new_id);
            as_json(&info.trace_id, &one)
        })
        .collect();
    let mut json = json!({
        "trace_id": info.trace_id,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": info.experiment_id},
        },
        "state": info.state.as_str(),
        "trace_metadata": entries,
        "tags": tags,
        "assessments": assessments,
    });
    let texts = [
        ("client_request_id", info.client_request_id.clone()),
        (
            "request_preview",
            put::preview(info.request_preview.as_deref()),
        ),
        (
            "response_preview",
            put::preview(info.response_preview.as_deref()),
        ),
        (
            "request_time",
            put::request_time(trace).map(|time| time.to_string()),
        ),
        (
            "execution_duration",
            info.execution_duration_ns.map(duration),
        ),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            json[key] = text.into();
        }
    }
    json
}

/// `0.288s`, as protobuf writes it.
fn duration(ns: i64) -> String {
    let ms = ns.div_euclid(1_000_000);
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}s", ms / 1_000, ms % 1_000)
}

fn message(span: &Span, trace: &[u8], typed: fn(&str) -> AnyValue) -> SpanMessage {
    let id = |id: &SpanId| from_hex(id.as_str(), 8).unwrap_or_default();
    SpanMessage {
        trace_id: trace.to_vec(),
        span_id: id(&span.span_id),
        parent_span_id: span.parent_id.as_ref().map(id).unwrap_or_default(),
        links: span.links.iter().map(link).collect(),
        ..SpanMessage::of(span, typed)
    }
}

/// Servers take JSON text of lists and objects for what it says, and keep it as it is;
/// numbers and the like are typed. So are texts, of which they read a span's type: but for
/// those that would be taken for JSON themselves.
fn typed(json: &str) -> AnyValue {
    let begins = json.trim_start().starts_with(['"', '[', '{']);
    match parse_value(json) {
        Some(Value::String(text)) if !may_be_json(&text) => value::text(text),
        Some(_) if begins => value::text(json),
        _ => value::of_json(json),
    }
}

/// Whether Python may read a text as JSON.
fn may_be_json(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(|c: char| c.is_ascii_digit() || "\"[{-".contains(c))
        || matches!(text, "null" | "true" | "false" | "NaN" | "Infinity")
}

fn link(link: &Link) -> LinkMessage {
    let hex = link.trace_id.strip_prefix("tr-").unwrap_or(&link.trace_id);
    LinkMessage {
        trace_id: from_hex(hex, hex.len() / 2).unwrap_or_default(),
        span_id: from_hex(link.span_id.as_str(), link.span_id.as_str().len() / 2)
            .unwrap_or_default(),
        attributes: value::of_map(&link.attributes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn replacing(id: &str, time: i64, overrides: Option<&str>) -> Assessment {
        Assessment {
            id: Some(id.to_owned()),
            create_time: Some(Timestamp::from_millis(time)),
            overrides: overrides.map(str::to_owned),
            ..Assessment::sample_feedback("x", json!(1))
        }
    }

    #[test]
    fn what_is_replaced_is_made_before_what_replaces_it() {
        let mut info = TraceInfo::new("tr-1");
        info.assessments = vec![
            replacing("c", 3, Some("b")),
            replacing("b", 9, Some("a")),
            replacing("a", 1, None),
            replacing("alone", 2, None),
            replacing("of-nobody", 2, Some("gone")),
            replacing("one", 4, Some("other")),
            replacing("other", 4, Some("one")),
        ];
        let ids = |all: Vec<&Assessment>| -> Vec<String> {
            all.iter().filter_map(|one| one.id.clone()).collect()
        };
        let (made, plain) = chained(&info);
        assert_eq!(ids(made), ["a", "alone", "b", "c"]);
        assert_eq!(ids(plain), ["of-nobody", "one", "other"]);
    }

    #[test]
    fn durations_are_protobufs() {
        for (ns, text) in [
            (288_000_000, "0.288s"),
            (1_500_999_999, "1.500s"),
            (-1_500_000_000, "-1.500s"),
            (0, "0.000s"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }
}
