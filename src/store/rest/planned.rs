//! Searches whose filter says more than the server understands: one or several
//! searches that it does understand, merged in order, and the rest of the filter
//! evaluated here on what comes back. Spans are fetched only for traces that
//! everything else has let through, and several at a time.

use std::collections::{HashSet, VecDeque};

use super::{REQUESTS, RestStore};
use crate::filter::{Matcher, OrderBy, Plan};
use crate::model::{TraceInfo, Unreadable};
use crate::parallel;
use crate::store::{Barren, Detail, FilterSource, MAX_PAGE, Page, Query, Store as _, StoreError};

/// Traces that are looked at between two reports, where spans have to be fetched.
const CHUNK: usize = 64;

/// A search under way.
pub(super) struct Planned {
    streams: Vec<Stream>,
    order_by: OrderBy,
    residual: Option<Residual>,
    seen: HashSet<String>,
    /// Traces that cannot be read, of which no page has told yet.
    unreadable: Vec<Unreadable>,
}

struct Residual {
    matcher: Matcher,
    /// Decides without spans, and lets everything through that spans decide about.
    first: Matcher,
    needs_spans: bool,
}

/// One of the searches that are merged.
struct Stream {
    query: Query,
    token: Option<String>,
    ended: bool,
    buffer: VecDeque<TraceInfo>,
    /// The ids of the last traces, by which pages that repeat them are known.
    last: HashSet<String>,
    barren: Barren,
}

impl Planned {
    pub(super) fn new(plan: Plan, query: &Query) -> Self {
        let residual = (!plan.residual.is_empty()).then(|| Residual {
            matcher: plan.residual.matcher(),
            first: plan.residual.without_spans().matcher(),
            needs_spans: plan.residual.needs_spans(),
        });
        let streams = plan.searches.into_iter().map(|filter| Stream {
            query: Query {
                filter: FilterSource::Parsed(filter),
                ..query.clone()
            },
            token: None,
            ended: false,
            buffer: VecDeque::new(),
            last: HashSet::new(),
            barren: Barren::default(),
        });
        Self {
            streams: streams.collect(),
            order_by: query.order_by.clone(),
            residual,
            seen: HashSet::new(),
            unreadable: Vec::new(),
        }
    }

    /// The next traces that match, at most `size`; perhaps none although there
    /// are more. `true` at the end.
    pub(super) fn next_page(
        &mut self,
        store: &RestStore,
        size: usize,
    ) -> Result<(Page, bool), StoreError> {
        let fetch = if self.residual.is_some() {
            MAX_PAGE
        } else {
            size
        };
        let chunk = match &self.residual {
            Some(residual) if residual.needs_spans => CHUNK,
            Some(_) => MAX_PAGE,
            None => size,
        };
        let mut candidates = Vec::new();
        let mut ended = false;
        while candidates.len() < chunk {
            let Some(info) = self.next(store, fetch)? else {
                ended = true;
                break;
            };
            candidates.push(info);
        }
        let scanned = candidates.len();
        let traces = match &self.residual {
            None => candidates,
            Some(residual) => residual.select(store, candidates)?,
        };
        let page = Page {
            traces,
            next: None,
            scanned,
            unreadable: std::mem::take(&mut self.unreadable),
        };
        Ok((page, ended))
    }

    /// The next trace of all searches, each once.
    fn next(&mut self, store: &RestStore, fetch: usize) -> Result<Option<TraceInfo>, StoreError> {
        loop {
            for stream in &mut self.streams {
                stream.fill(store, fetch, &mut self.unreadable)?;
            }
            let heads = self.streams.iter().enumerate();
            let first = heads
                .filter_map(|(at, stream)| Some((at, stream.buffer.front()?)))
                .min_by(|(_, a), (_, b)| self.order_by.compare(a, b))
                .map(|(at, _)| at);
            let Some(first) = first else {
                return Ok(None);
            };
            if let Some(info) = self.streams[first].buffer.pop_front()
                && self.seen.insert(info.trace_id.clone())
            {
                return Ok(Some(info));
            }
        }
    }
}

impl Stream {
    /// Sees to it that there is a trace, unless there is none left.
    fn fill(
        &mut self,
        store: &RestStore,
        size: usize,
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<(), StoreError> {
        while self.buffer.is_empty() && !self.ended {
            let page = store.search_page(&self.query, size, self.token.as_deref())?;
            if self.token.is_none() && page.next.is_some() {
                self.query.pin(&page.traces);
            }
            if page.next.is_some() && page.next == self.token {
                return Err(StoreError::RepeatedPage {
                    store: store.http.host(),
                    received: format!("{} traces", page.traces.len()),
                });
            }
            let ids: HashSet<String> = page.traces.iter().map(|t| t.trace_id.clone()).collect();
            if page.next.is_some() {
                self.barren.page(!ids.is_subset(&self.last), || {
                    (store.http.host(), "no more traces".to_owned())
                })?;
            }
            self.last = ids;
            self.ended = page.next.is_none();
            self.token = page.next;
            self.buffer.extend(page.traces);
            for odd in page.unreadable {
                if !unreadable.contains(&odd) {
                    unreadable.push(odd);
                }
            }
        }
        Ok(())
    }
}

impl Residual {
    fn select(
        &self,
        store: &RestStore,
        candidates: Vec<TraceInfo>,
    ) -> Result<Vec<TraceInfo>, StoreError> {
        let hopeful: Vec<TraceInfo> = candidates
            .into_iter()
            .filter(|info| self.first.matches(info, &[]))
            .collect();
        if !self.needs_spans {
            return Ok(hopeful);
        }
        let mut matching = Vec::new();
        parallel::for_each_in_order(
            REQUESTS,
            &hopeful,
            |info| match store.complete(info.clone(), Detail::Whole) {
                Err(StoreError::NoSpans { .. }) => Ok::<_, StoreError>(Some(Vec::new())),
                // It was there when it was found.
                Err(StoreError::UnknownTrace { .. }) => Ok(None),
                Err(error) => {
                    let one = error.into_unreadable(&info.trace_id)?;
                    store.doubts.add_unreadable(one);
                    Ok(None)
                }
                Ok(trace) => Ok(Some(trace.spans)),
            },
            |info, spans| -> Result<(), StoreError> {
                if spans?.is_some_and(|spans| self.matcher.matches(info, &spans)) {
                    matching.push(info.clone());
                }
                Ok(())
            },
        )?;
        Ok(matching)
    }
}
