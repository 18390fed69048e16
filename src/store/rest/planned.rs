//! Searches whose filter says more than the server understands: one or several
//! searches that it does understand, merged in order, and the rest of the filter
//! evaluated here on what comes back. Spans are fetched only for traces that
//! everything else has let through, and several at a time.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use super::{REQUESTS, RestStore};
use crate::filter::{Condition, Field, Filter, OrderBy, Outside, Plan};
use crate::model::{TraceInfo, Unreadable};
use crate::parallel;
use crate::store::judge::{self, Judge};
use crate::store::local::lock;
use crate::store::{Barren, FilterSource, MAX_PAGE, Page, Query, StoreError};

/// Traces that are looked at between two reports, where spans have to be fetched.
const CHUNK: usize = 64;

/// A search under way.
pub(super) struct Planned {
    streams: Vec<Stream>,
    order_by: OrderBy,
    /// Traces that cannot be read, of which no page has told yet.
    unreadable: Vec<Unreadable>,
    /// What is checked of traces that the server has found by their spans.
    residual: Option<Judge>,
    /// What is checked of those whose spans it may not have seen.
    outside: Option<(Judge, Outside)>,
    needs_spans: bool,
    /// Whether it is checked here what was said of traces under a name.
    checks_judgements: bool,
    seen: HashSet<String>,
}

/// One of the searches that are merged.
struct Stream {
    query: Query,
    /// Whether it finds traces whose spans the server may not have seen.
    is_outside: bool,
    token: Option<String>,
    ended: bool,
    buffer: VecDeque<TraceInfo>,
    /// The ids of the last traces, by which pages that repeat them are known.
    last: HashSet<String>,
    barren: Barren,
}

/// A trace, and whether its spans are those that the server may not have seen.
struct Candidate {
    info: TraceInfo,
    is_outside: bool,
}

impl Planned {
    pub(super) fn new(plan: Plan, query: &Query) -> Self {
        let stream = |filter: Filter, is_outside: bool| Stream {
            query: Query {
                filter: FilterSource::Parsed(filter),
                ..query.clone()
            },
            is_outside,
            token: None,
            ended: false,
            buffer: VecDeque::new(),
            last: HashSet::new(),
            barren: Barren::default(),
        };
        let mut streams: Vec<Stream> = plan
            .searches
            .into_iter()
            .map(|filter| stream(filter, false))
            .collect();
        let outside = plan.outside.filter(|outside| !outside.searches.is_empty());
        if let Some(outside) = &outside {
            let searches = outside.searches.iter().cloned();
            streams.extend(searches.map(|filter| stream(filter, true)));
        }
        Self {
            streams,
            order_by: query.order_by.clone(),
            needs_spans: plan.residual.needs_spans() || outside.is_some(),
            checks_judgements: checks_judgements(&plan.residual)
                || outside
                    .as_ref()
                    .is_some_and(|one| checks_judgements(&one.residual)),
            residual: (!plan.residual.is_empty()).then(|| Judge::new(&plan.residual)),
            outside: outside.map(|outside| (Judge::new(&outside.residual), outside)),
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
        let checks = self.residual.is_some() || self.outside.is_some();
        let fetch = if checks { MAX_PAGE } else { size };
        let chunk = match (self.needs_spans, checks) {
            (true, _) => CHUNK,
            (false, true) => MAX_PAGE,
            (false, false) => size,
        };
        let mut candidates = Vec::new();
        let mut ended = false;
        while candidates.len() < chunk {
            let Some(candidate) = self.next(store, fetch)? else {
                ended = true;
                break;
            };
            candidates.push(candidate);
        }
        let scanned = candidates.len();
        if self.checks_judgements && candidates.iter().any(|one| judges_its_session(&one.info)) {
            store.doubts.add(
                "feedback and expectations of whole sessions were looked for on the traces that \
                 hold them, and not on the other traces of these sessions"
                    .to_owned(),
            );
        }
        let page = Page {
            traces: self.select(store, candidates)?,
            next: None,
            scanned,
            unreadable: std::mem::take(&mut self.unreadable),
        };
        Ok((page, ended))
    }

    /// The next trace of all searches, each once.
    fn next(&mut self, store: &RestStore, fetch: usize) -> Result<Option<Candidate>, StoreError> {
        loop {
            fill(&mut self.streams, store, fetch, &mut self.unreadable)?;
            let heads = self.streams.iter().enumerate();
            let first = heads
                .filter_map(|(at, stream)| Some((at, stream.buffer.front()?)))
                .min_by(|(_, a), (_, b)| self.order_by.compare(a, b))
                .map(|(at, _)| at);
            let Some(first) = first else {
                return Ok(None);
            };
            let stream = &mut self.streams[first];
            let is_outside = stream.is_outside;
            let Some(info) = stream.buffer.pop_front() else {
                continue;
            };
            let passed_over = is_outside
                && self
                    .outside
                    .as_ref()
                    .is_some_and(|(_, outside)| !outside.holds(&info));
            if !passed_over && self.seen.insert(info.trace_id.clone()) {
                return Ok(Some(Candidate { info, is_outside }));
            }
        }
    }

    /// Those that match. Spans are fetched only where they decide.
    fn select(
        &self,
        store: &RestStore,
        candidates: Vec<Candidate>,
    ) -> Result<Vec<TraceInfo>, StoreError> {
        let judge = |candidate: &Candidate| match &self.outside {
            Some((judge, _)) if candidate.is_outside => Some(judge),
            _ => self.residual.as_ref(),
        };
        judge::select(store, &store.doubts, candidates, |candidate| {
            (&candidate.info, judge(candidate))
        })
        .map(|passing| passing.into_iter().map(|one| one.info).collect())
    }
}

fn checks_judgements(residual: &Filter) -> bool {
    let named = |condition: &&Condition| {
        matches!(
            condition.field(),
            Field::Feedback(_) | Field::Expectation(_)
        )
    };
    residual.conditions().iter().any(named)
}

/// Whether a trace holds what a server takes for said of all traces of its session.
fn judges_its_session(info: &TraceInfo) -> bool {
    let mut all = info.assessments.iter();
    info.session().is_some()
        && all.any(|one| one.valid && one.is_judgement() && one.is_of_session())
}

/// Sees to it that each search has a trace, unless there is none left. The server is
/// asked for all at once.
fn fill(
    streams: &mut [Stream],
    store: &RestStore,
    size: usize,
    unreadable: &mut Vec<Unreadable>,
) -> Result<(), StoreError> {
    let empty: Vec<Mutex<&mut Stream>> = streams
        .iter_mut()
        .filter(|stream| stream.buffer.is_empty() && !stream.ended)
        .map(Mutex::new)
        .collect();
    if let [only] = empty.as_slice() {
        return lock(only).fill(store, size, unreadable);
    }
    let fill = |stream: &Mutex<&mut Stream>| {
        let mut odd = Vec::new();
        lock(stream).fill(store, size, &mut odd).map(|()| odd)
    };
    parallel::for_each_in_order(REQUESTS, &empty, fill, |_, filled| {
        unreadable.extend(filled?);
        Ok(())
    })
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
