//! The ways to a trace's spans, cheapest first. The artifact endpoint gives the
//! stored bytes, which a server produces some twenty times faster than the
//! typed form of the trace endpoints, and every version has it.

use serde::Deserialize;
use url::Url;

use super::http::{Call, Http};
use super::ids;
use crate::model::{Span, Trace, TraceInfo, Unreadable, tag};
use crate::store::attachment;
use crate::store::wire::{
    Brief, Depth, Eventful, SpanList, Timed, Whole, null_as_default, spans_from_slice,
};
use crate::store::{Attempt, Detail, Found, Refusal, StoreError};

const ARTIFACT: &str = "get-trace-artifact";

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
/// What no other way would mend: no connection, no permission; spans that cannot be
/// read in any.
pub(super) fn fetch(http: &Http, trace_id: &str, detail: Detail) -> Result<Fetched, StoreError> {
    ids::check(trace_id)?;
    let ways: [(&'static str, Way); 3] = [
        (ARTIFACT, artifact),
        (
            "traces/get",
            match detail {
                Detail::Whole => get_trace::<Whole>,
                Detail::Events => get_trace::<Eventful>,
                Detail::Measures => get_trace::<Brief>,
                Detail::Times => get_trace::<Timed>,
            },
        ),
        (
            "traces/batchGet",
            match detail {
                Detail::Whole => batch_get::<Whole>,
                Detail::Events => batch_get::<Eventful>,
                Detail::Measures => batch_get::<Brief>,
                Detail::Times => batch_get::<Timed>,
            },
        ),
    ];
    let mut tried = Vec::new();
    let mut absent = true;
    let mut broken = None;
    for (way, ask) in ways {
        match ask(http, trace_id, detail) {
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
                meaning,
                ..
            }) => {
                absent &= status == 404 || meaning == Refusal::SpansElsewhere;
                tried.push(Attempt {
                    way,
                    outcome: format!("{status}: {}", message.trim_end_matches('.')),
                });
            }
            // What another endpoint makes of the same spans may be better.
            Err(StoreError::BadAnswer { reason, .. }) => {
                broken.get_or_insert(format!("{way} gives what is no list of spans: {reason}"));
            }
            // The endpoint gives a file as it is, whatever is in it.
            Err(StoreError::NotJson { found, .. }) if way == ARTIFACT && found != Found::Html => {
                broken.get_or_insert(format!("{way} gives no JSON"));
            }
            Err(error) => return Err(error),
        }
    }
    match broken {
        Some(message) => Err(Unreadable::trace(trace_id, message).into()),
        None => Ok(Fetched::Nothing { tried, absent }),
    }
}

/// Puts the spans to their trace. A trace that was logged without spans is
/// whole as it is; one whose metadata promises some is not.
pub(super) fn attach(
    info: TraceInfo,
    spans: Result<Fetched, StoreError>,
) -> Result<Trace, StoreError> {
    match spans? {
        // A server says of an archive that it cannot read that it holds no spans.
        Fetched::Spans(spans)
            if spans.is_empty() && is_archived(&info) && info.promises_spans() =>
        {
            Err(StoreError::NoSpans {
                id: info.trace_id,
                tried: vec![Attempt {
                    way: "get-trace-artifact",
                    outcome: "the server found none in the archive".to_owned(),
                }],
            })
        }
        Fetched::Spans(spans) => Ok(Trace { info, spans }),
        Fetched::Nothing { absent: true, .. } if !info.promises_spans() => Ok(Trace {
            info,
            spans: Vec::new(),
        }),
        Fetched::Nothing { tried, absent } => {
            let missing = StoreError::NoSpans {
                id: info.trace_id.clone(),
                tried,
            };
            if absent {
                return Err(missing);
            }
            // The server fails at them, so they are there.
            Err(missing.into_unreadable(&info.trace_id)?.into())
        }
    }
}

fn is_archived(info: &TraceInfo) -> bool {
    info.tags.contains_key(tag::ARCHIVE_LOCATION)
}

type Way = fn(&Http, &str, Detail) -> Result<Option<Vec<Span>>, StoreError>;

fn artifact(http: &Http, trace_id: &str, detail: Detail) -> Result<Option<Vec<Span>>, StoreError> {
    let call = Call::get(artifact_url(http, trace_id));
    let body = http.send(&call)?;
    spans_from_slice(&body, detail)
        .map(Some)
        .map_err(|flaw| http.bad_spans(&call, &flaw))
}

/// The address of a trace's file of spans, and with a `path` that of an attachment.
fn artifact_url(http: &Http, trace_id: &str) -> Url {
    let mut url = http.url(&["ajax-api", "2.0", "mlflow", ARTIFACT]);
    url.query_pairs_mut().append_pair("request_id", trace_id);
    url
}

/// The bytes of an attachment.
///
/// # Errors
/// Ids that cannot stand in a URL, and those of the request.
pub(super) fn attachment(http: &Http, trace_id: &str, id: &str) -> Result<Vec<u8>, StoreError> {
    ids::check(trace_id)?;
    attachment::check(id)?;
    let mut url = artifact_url(http, trace_id);
    url.query_pairs_mut().append_pair("path", id);
    http.send(&Call::text(url))
}

/// Spans with the id of their trace, where it is said.
#[derive(Deserialize)]
#[serde(bound = "D: Depth")]
struct Named<D> {
    trace_info: Option<Id>,
    #[serde(default, deserialize_with = "null_as_default")]
    spans: SpanList<D>,
}

#[derive(Deserialize)]
struct Id {
    trace_id: Option<String>,
}

impl<D: Depth> Named<D> {
    fn spans_of(self, http: &Http, trace_id: &str) -> Result<Vec<Span>, StoreError> {
        if let Some(found) = self.trace_info.and_then(|info| info.trace_id) {
            ids::check_same(http, trace_id, &found)?;
        }
        Ok(self.spans.into_vec())
    }
}

fn get_trace<D: Depth>(
    http: &Http,
    trace_id: &str,
    _detail: Detail,
) -> Result<Option<Vec<Span>>, StoreError> {
    #[derive(Deserialize)]
    #[serde(bound = "D: Depth")]
    struct Answer<D> {
        trace: Named<D>,
    }
    let mut url = http.url(&["api", "3.0", "mlflow", "traces", "get"]);
    url.query_pairs_mut()
        .append_pair("trace_id", trace_id)
        .append_pair("allow_partial", "true");
    let answer: Answer<D> = http.json(&Call::get(url))?;
    answer.trace.spans_of(http, trace_id).map(Some)
}

fn batch_get<D: Depth>(
    http: &Http,
    trace_id: &str,
    _detail: Detail,
) -> Result<Option<Vec<Span>>, StoreError> {
    #[derive(Deserialize)]
    #[serde(bound = "D: Depth")]
    struct Answer<D> {
        #[serde(default, deserialize_with = "null_as_default")]
        traces: Vec<Named<D>>,
    }
    let mut url = http.url(&["api", "3.0", "mlflow", "traces", "batchGet"]);
    url.query_pairs_mut().append_pair("trace_ids", trace_id);
    let answer: Answer<D> = http.json(&Call::get(url))?;
    let first = answer.traces.into_iter().next();
    first
        .map(|first| first.spans_of(http, trace_id))
        .transpose()
}
