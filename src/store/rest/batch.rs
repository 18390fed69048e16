//! The spans of many traces with one request, where that is the cheaper way. On
//! MLflow 3.17 the artifact endpoint costs a server about 10 ms a trace, however
//! small, and next to nothing a span; `traces/batchGet` costs nothing a trace, and
//! 0.6 ms a span, which it types attribute by attribute. They meet near fifteen spans.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use serde::Deserialize;

use super::http::{Call, Http};
use crate::model::{Span, Trace, TraceInfo};
use crate::store::fetch::Batches;
use crate::store::wire::{Brief, SpanList, null_as_default};
use crate::store::{Detail, StoreError};

/// Few traces in a request, so that there are requests for all of a server's
/// processes, of which there are four where nobody chose; more requests at a time
/// only get in each other's way there.
pub(super) const SEVERAL: Batches = Batches {
    traces: 20,
    at_once: 4,
};
/// Up to so many spans a trace is asked for together with others.
const MOST_SPANS: usize = 12;

/// What is known of a server's batches.
#[derive(Default)]
pub(super) struct Together {
    /// The server has no such endpoint.
    missing: AtomicBool,
    /// How many spans the traces of the last answer had on average.
    usual: AtomicUsize,
}

impl Together {
    /// Whether spans in this detail are asked for together. The typed form lacks
    /// links, and does not keep the text of attributes.
    pub(super) fn suit(&self, detail: Detail) -> bool {
        detail <= Detail::Measures && !self.missing.load(Relaxed)
    }

    /// The spans of those traces that are best asked for together, by trace id.
    /// Whatever stands in the way, each trace can still be asked for alone.
    pub(super) fn fetch(&self, http: &Http, infos: &[TraceInfo]) -> HashMap<String, Vec<Span>> {
        let usual = self.usual.load(Relaxed);
        let is_small =
            |info: &&TraceInfo| info.declared_span_count().unwrap_or(usual) <= MOST_SPANS;
        let ids: Vec<&str> = infos
            .iter()
            .filter(is_small)
            .map(|info| info.trace_id.as_str())
            .collect();
        if ids.len() < 2 {
            return HashMap::new();
        }
        match ask(http, &ids) {
            Ok(found) => {
                self.learn(found.values().map(Vec::len));
                found
            }
            Err(error) => {
                // Older servers take the endpoint's name for the id of a trace.
                let is_missing = matches!(
                    error,
                    StoreError::NoSuchEndpoint { .. } | StoreError::Refused { status: 404, .. }
                );
                if is_missing {
                    self.missing.store(true, Relaxed);
                }
                HashMap::new()
            }
        }
    }

    /// Remembers how large a trace that was asked for alone is.
    pub(super) fn learn_from(&self, trace: &Trace) {
        self.learn(std::iter::once(trace.spans.len()));
    }

    fn learn(&self, sizes: impl ExactSizeIterator<Item = usize>) {
        let count = sizes.len();
        if let Some(usual) = sizes.sum::<usize>().checked_div(count) {
            self.usual.store(usual, Relaxed);
        }
    }
}

fn ask(http: &Http, ids: &[&str]) -> Result<HashMap<String, Vec<Span>>, StoreError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default, deserialize_with = "null_as_default")]
        traces: Vec<Found>,
    }
    #[derive(Deserialize)]
    struct Found {
        trace_info: Id,
        #[serde(default, deserialize_with = "null_as_default")]
        spans: SpanList<Brief>,
    }
    #[derive(Deserialize)]
    struct Id {
        trace_id: String,
    }
    let mut url = http.url(&["api", "3.0", "mlflow", "traces", "batchGet"]);
    url.query_pairs_mut()
        .extend_pairs(ids.iter().map(|id| ("trace_ids", id)));
    let answer: Answer = http.json(&Call::get(url))?;
    Ok(answer
        .traces
        .into_iter()
        .map(|found| (found.trace_info.trace_id, found.spans.into_vec()))
        .collect())
}
