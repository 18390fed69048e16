//! The ways to a trace's spans, cheapest first. The artifact endpoint gives the
//! stored bytes, which a server produces some twenty times faster than the
//! typed form of the trace endpoints, and every version has it.

use serde::Deserialize;

use super::http::{Call, Http};
use crate::model::{Span, Trace, TraceInfo};
use crate::store::wire::{WireSpans, null_as_default, spans_from_slice};
use crate::store::{Attempt, StoreError};

/// What asking for spans came to.
pub(super) enum Fetched {
    Spans(Vec<Span>),
    /// No way led to spans; `absent` when every answer was that there are none.
    Nothing {
        tried: Vec<Attempt>,
        absent: bool,
    },
}

/// Asks for the spans, one way after the other.
///
/// # Errors
/// What no other way would mend: no connection, no permission, a broken answer.
pub(super) fn fetch(http: &Http, trace_id: &str) -> Result<Fetched, StoreError> {
    let ways: [(&'static str, Way); 3] = [
        ("get-trace-artifact", artifact),
        ("traces/get", get_trace),
        ("traces/batchGet", batch_get),
    ];
    let mut tried = Vec::new();
    let mut absent = true;
    for (way, ask) in ways {
        match ask(http, trace_id) {
            Ok(Some(spans)) => return Ok(Fetched::Spans(spans)),
            Ok(None) => tried.push(Attempt {
                way,
                outcome: "not there".to_owned(),
            }),
            Err(StoreError::NoSuchEndpoint { .. }) => tried.push(Attempt {
                way,
                outcome: "not offered by this server".to_owned(),
            }),
            Err(StoreError::Refused {
                status: status @ (400 | 404 | 405 | 500 | 501),
                message,
                ..
            }) => {
                absent &= status == 404 || message.contains("not stored in tracking store");
                tried.push(Attempt {
                    way,
                    outcome: format!("{status}: {}", message.trim_end_matches('.')),
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Fetched::Nothing { tried, absent })
}

/// Puts the spans to their trace. A trace that was logged without spans is
/// whole as it is; one whose metadata promises some is not.
pub(super) fn attach(
    info: TraceInfo,
    spans: Result<Fetched, StoreError>,
) -> Result<Trace, StoreError> {
    match spans? {
        Fetched::Spans(spans) => Ok(Trace { info, spans }),
        Fetched::Nothing { absent: true, .. } if info.declared_span_count().unwrap_or(0) == 0 => {
            Ok(Trace {
                info,
                spans: Vec::new(),
            })
        }
        Fetched::Nothing { tried, .. } => Err(StoreError::NoSpans {
            id: info.trace_id,
            tried,
        }),
    }
}

type Way = fn(&Http, &str) -> Result<Option<Vec<Span>>, StoreError>;

fn artifact(http: &Http, trace_id: &str) -> Result<Option<Vec<Span>>, StoreError> {
    let mut url = http.url(&["ajax-api", "2.0", "mlflow", "get-trace-artifact"]);
    url.query_pairs_mut().append_pair("request_id", trace_id);
    let call = Call::get(url);
    let body = http.send(&call)?;
    spans_from_slice(&body)
        .map(Some)
        .map_err(|error| http.bad_answer(&call, &error))
}

fn get_trace(http: &Http, trace_id: &str) -> Result<Option<Vec<Span>>, StoreError> {
    #[derive(Deserialize)]
    struct Answer {
        trace: WireSpans,
    }
    let mut url = http.url(&["api", "3.0", "mlflow", "traces", "get"]);
    url.query_pairs_mut()
        .append_pair("trace_id", trace_id)
        .append_pair("allow_partial", "true");
    let answer: Answer = http.json(&Call::get(url))?;
    Ok(Some(answer.trace.spans.0))
}

fn batch_get(http: &Http, trace_id: &str) -> Result<Option<Vec<Span>>, StoreError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default, deserialize_with = "null_as_default")]
        traces: Vec<WireSpans>,
    }
    let mut url = http.url(&["api", "3.0", "mlflow", "traces", "batchGet"]);
    url.query_pairs_mut().append_pair("trace_ids", trace_id);
    let answer: Answer = http.json(&Call::get(url))?;
    Ok(answer.traces.into_iter().next().map(|t| t.spans.0))
}
