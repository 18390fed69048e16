//! How traces are fetched from a server: alone, with their spans at the same time, or
//! together with others where that is cheaper.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::http::Call;
use super::spans::Fetched;
use super::{REQUESTS, RestStore, batch, ids, spans};
use crate::model::{CATALOG_PREFIX, Detail, Trace, TraceInfo, Unreadable};
use crate::parallel;
use crate::store::StoreError;
use crate::store::fetch::{Batches, Ways};
use crate::store::wire::read_info;

impl Ways for RestStore {
    fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        #[derive(Deserialize)]
        struct V3 {
            trace: V2,
        }
        #[derive(Deserialize)]
        struct V2 {
            trace_info: Box<RawValue>,
        }
        ids::check(trace_id)?;
        let v3 = || {
            let url = self.http.url(&["api", "3.0", "mlflow", "traces", trace_id]);
            Ok(self.http.json::<V3>(&Call::get(url))?.trace)
        };
        let v2 = || {
            let url = self
                .http
                .url(&["api", "2.0", "mlflow", "traces", trace_id, "info"]);
            self.http.json::<V2>(&Call::get(url))
        };
        match self.by_generation(v3, v2) {
            Ok(answer) => {
                let info = read_info(&answer.trace_info).map_err(|flaw| {
                    StoreError::from(Unreadable {
                        member: Some(flaw.member),
                        ..Unreadable::trace(trace_id, flaw.reason)
                    })
                })?;
                ids::check_same(&self.http, trace_id, &info.trace_id)?;
                if ids::is_in_other_letters(trace_id, &info.trace_id) {
                    return Err(self.unknown_trace(trace_id));
                }
                Ok(info)
            }
            Err(StoreError::Refused { status: 404, .. }) => Err(self.unknown_trace(trace_id)),
            // To a server without Unity Catalog its ids are paths that it does not have.
            Err(StoreError::NoSuchEndpoint { .. }) if trace_id.starts_with(CATALOG_PREFIX) => {
                Err(self.unknown_trace(trace_id))
            }
            Err(error) => Err(error),
        }
    }

    fn trace(&self, trace_id: &str, detail: Detail) -> Result<Trace, StoreError> {
        let (info, spans) = parallel::both(
            || self.info(trace_id),
            || spans::fetch(&self.http, trace_id, detail),
        );
        spans::attach(info?, spans)
    }

    fn complete(&self, info: TraceInfo, detail: Detail) -> Result<Trace, StoreError> {
        let spans = spans::fetch(&self.http, &info.trace_id, detail)?;
        // Whether a trace without spans is whole, its metadata tell, which may not be
        // known; and it may have been deleted since it was found.
        if matches!(spans, Fetched::Nothing { .. }) {
            let known = self.info(&info.trace_id)?;
            let spans = spans::attach(known, Ok(spans))?.spans;
            return Ok(Trace { info, spans });
        }
        spans::attach(info, Ok(spans))
    }

    fn batches(&self, detail: Detail) -> Batches {
        if self.together.suit(detail) {
            batch::SEVERAL
        } else {
            Batches::of_one(self.at_once())
        }
    }

    fn at_once(&self) -> usize {
        REQUESTS
    }

    fn complete_all(&self, infos: &[TraceInfo], detail: Detail) -> Vec<Result<Trace, StoreError>> {
        let mut together = if self.together.suit(detail) {
            self.together.fetch(&self.http, infos)
        } else {
            HashMap::new()
        };
        // Traces that do not exist or are in progress are left out of the answer.
        let complete = |info: &TraceInfo| match together.remove(&info.trace_id) {
            Some(spans) if !spans.is_empty() => Ok(Trace {
                info: info.clone(),
                spans,
            }),
            _ => {
                let alone = self.complete(info.clone(), detail)?;
                self.together.learn_from(&alone);
                Ok(alone)
            }
        };
        infos.iter().map(complete).collect()
    }
}
