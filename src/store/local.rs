//! What the stores that evaluate filters themselves have in common: whether
//! they can, the best hits so far, pages of an answer, what was said of whole
//! sessions, and doubts that came up on the way.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{FilterSource, Notice, Query, StoreError};
use crate::filter::{Capability, OrderBy, Plan};
use crate::model::{Assessment, Span, Trace, TraceInfo, Unreadable};

/// How a store answers the query that is no server.
///
/// # Errors
/// A filter that only a server can evaluate.
pub(super) fn plan_of(
    query: &Query,
    store: &str,
    capability: &dyn Capability,
) -> Result<Plan, StoreError> {
    let FilterSource::Parsed(filter) = &query.filter else {
        return Err(StoreError::Unsupported {
            store: store.to_owned(),
            what: "server to send a raw filter to",
            instead: "use `--filter`",
        });
    };
    let only_a_server = || StoreError::Unsupported {
        store: store.to_owned(),
        what: "look-around or back-references in regular expressions",
        instead: "write the RLIKE pattern without them",
    };
    if filter.needs_server().is_some() {
        return Err(only_a_server());
    }
    filter.plan(capability).map_err(|_| only_a_server())
}

/// The first traces in an order among those that were pushed.
pub(super) struct Best<'q, T> {
    order: &'q OrderBy,
    keep: usize,
    hits: Vec<(TraceInfo, T)>,
}

impl<'q, T> Best<'q, T> {
    /// Keeps `keep` traces; `usize::MAX` for all.
    pub(super) fn new(order: &'q OrderBy, keep: usize) -> Self {
        Self {
            order,
            keep,
            hits: Vec::new(),
        }
    }

    /// One more hit, with what its store wants to remember of it.
    pub(super) fn push(&mut self, info: TraceInfo, memory: T) {
        self.hits.push((info, memory));
        // Thinned out by halves, so that each hit costs constant time.
        if self.hits.len() >= self.keep.saturating_mul(2).max(64) {
            self.thin();
        }
    }

    /// The hits of another part of the same search.
    pub(super) fn merge(&mut self, other: Self) {
        self.hits.extend(other.hits);
        self.thin();
    }

    /// The hits in order.
    pub(super) fn into_sorted(mut self) -> Vec<(TraceInfo, T)> {
        self.sort();
        self.hits
    }

    fn thin(&mut self) {
        if self.hits.len() > self.keep {
            self.sort();
        }
    }

    /// Stable, so that equal traces stay as the store has them.
    fn sort(&mut self) {
        let order = self.order;
        self.hits.sort_by(|a, b| order.compare(&a.0, &b.0));
        self.hits.truncate(self.keep);
    }
}

/// Answers to searches, computed whole at the first page and kept for the next
/// ones: a second look at the data could find it changed.
pub(super) struct Answers<T> {
    last: Mutex<Option<(u64, Vec<T>)>>,
    count: AtomicU64,
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self {
            last: Mutex::default(),
            count: AtomicU64::default(),
        }
    }
}

impl<T: Clone> Answers<T> {
    /// At most `size` hits and the next page's token. `compute` is asked for so
    /// many of the first hits of the whole answer, in order.
    ///
    /// # Errors
    /// Those of `compute`.
    pub(super) fn page(
        &self,
        query: &Query,
        size: usize,
        token: Option<&str>,
        compute: impl FnOnce(usize) -> Result<Vec<T>, StoreError>,
    ) -> Result<(Vec<T>, Option<String>), StoreError> {
        let (number, start) = token
            .and_then(|token| token.split_once(':'))
            .and_then(|(number, start)| Some((number.parse().ok()?, start.parse().ok()?)))
            .unwrap_or((0, 0_usize));
        let end = start.saturating_add(size);
        let mut last = lock(&self.last);
        if last.as_ref().is_none_or(|(known, _)| *known != number) {
            drop(last);
            // One more than wanted tells whether there is more.
            let wanted = query
                .limit
                .map_or(usize::MAX, |limit| limit.max(end).saturating_add(1));
            let hits = compute(wanted)?;
            last = lock(&self.last);
            *last = Some((self.count.fetch_add(1, Relaxed) + 1, hits));
        }
        let Some((number, hits)) = last.as_ref() else {
            return Ok((Vec::new(), None));
        };
        let end = end.min(hits.len());
        let page = hits.get(start..end).unwrap_or_default().to_vec();
        Ok((page, (end < hits.len()).then(|| format!("{number}:{end}"))))
    }
}

/// Assessments of whole sessions: such assessments hang on one trace, are marked
/// in their metadata, and count for all traces of that trace's session.
#[derive(Default)]
pub(super) struct Sessions {
    said: HashMap<String, Vec<(String, Assessment)>>,
}

impl Sessions {
    /// Remembers what a trace's assessments say of sessions.
    pub(super) fn learn(&mut self, info: &TraceInfo) {
        let Some(session) = info.session() else {
            return;
        };
        for assessment in &info.assessments {
            // A reference to an issue is about its trace alone.
            if assessment.is_judgement() && assessment.is_of_session() {
                let said = self.said.entry(session.to_owned()).or_default();
                said.push((info.trace_id.clone(), assessment.clone()));
            }
        }
    }

    /// The trace with what was said of its session elsewhere; `None` where nothing was.
    pub(super) fn judged(&self, info: &TraceInfo) -> Option<TraceInfo> {
        let said = self.said.get(info.session()?)?;
        let mut whole = info.clone();
        whole.of_session.extend(
            said.iter()
                .filter(|(trace_id, _)| *trace_id != info.trace_id)
                .map(|(_, assessment)| assessment.clone()),
        );
        Some(whole)
    }
}

/// A trace with its spans, or without where it was logged without any.
///
/// # Errors
/// That there are no spans where there must be some; any other error.
pub(super) fn attach(
    info: TraceInfo,
    spans: Result<Vec<Span>, StoreError>,
) -> Result<Trace, StoreError> {
    let spans = match spans {
        Err(StoreError::NoSpans { .. }) if !info.promises_spans() => Vec::new(),
        answer => answer?,
    };
    Ok(Trace { info, spans })
}

/// Doubts that did not stop an answer, until somebody asks for them.
#[derive(Default)]
pub(super) struct Doubts {
    open: Mutex<Vec<String>>,
    known: Mutex<HashSet<String>>,
    unreadable: Mutex<Vec<Unreadable>>,
    named: Mutex<HashSet<Unreadable>>,
    /// Traces that no filter could judge for want of their spans.
    unjudged: Mutex<Several>,
    /// Archived traces of whose spans nothing but what the database keeps is known.
    archived: Mutex<Several>,
}

/// Traces with which the same is wrong.
#[derive(Default)]
struct Several {
    ids: HashSet<String>,
    /// What is wrong with the first of them.
    first: String,
    said: usize,
}

impl Several {
    fn add(&mut self, info: &TraceInfo, error: &StoreError) {
        if self.ids.insert(info.trace_id.clone()) && self.ids.len() == 1 {
            self.first = error.to_string();
        }
    }

    /// How many there are, with what is wrong, where there are more than last time.
    fn take(&mut self) -> Option<(String, &str)> {
        let count = self.ids.len();
        if count <= self.said {
            return None;
        }
        self.said = count;
        let traces = if count == 1 { "trace" } else { "traces" };
        Some((format!("{count} {traces}"), &self.first))
    }
}

impl Doubts {
    /// One sentence, lower case; the same one again is dropped.
    pub(super) fn add(&self, doubt: String) {
        if lock(&self.known).insert(doubt.clone()) {
            lock(&self.open).push(doubt);
        }
    }

    /// A trace that cannot be read; the same one again is dropped, until they are taken.
    pub(super) fn add_unreadable(&self, one: Unreadable) {
        if lock(&self.named).insert(one.clone()) {
            lock(&self.unreadable).push(one);
        }
    }

    /// Those since the last call.
    pub(super) fn take_unreadable(&self) -> Vec<Unreadable> {
        lock(&self.named).clear();
        std::mem::take(&mut *lock(&self.unreadable))
    }

    /// The spans for a filter to judge a trace by; `None` where there must be some and
    /// they are not to be had, which is said of all such traces at once.
    pub(super) fn spans_to_judge(
        &self,
        info: &TraceInfo,
        spans: Result<Vec<Span>, StoreError>,
    ) -> Option<Vec<Span>> {
        match spans {
            Ok(spans) => Some(spans),
            Err(StoreError::NoSpans { .. }) if !info.promises_spans() => Some(Vec::new()),
            // It was there when it was found.
            Err(StoreError::UnknownTrace { .. }) => None,
            Err(
                error @ (StoreError::NoSpans { .. }
                | StoreError::RemoteArtifact { .. }
                | StoreError::OutsideArtifact { .. }),
            ) => {
                lock(&self.unjudged).add(info, &error);
                None
            }
            Err(error) => {
                match error.into_unreadable(&info.trace_id) {
                    Ok(one) => self.add_unreadable(one),
                    Err(error) => lock(&self.unjudged).add(info, &error),
                }
                None
            }
        }
    }

    /// Of an archived trace, no more than what the database keeps is to be had.
    pub(super) fn archived(&self, info: &TraceInfo, error: &StoreError) {
        lock(&self.archived).add(info, error);
    }

    /// The ids of the traces that no filter could judge so far.
    pub(super) fn unjudged(&self) -> Vec<String> {
        lock(&self.unjudged).ids.iter().cloned().collect()
    }

    /// What came up since the last call.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let notice = |text, leaves_out| Notice { text, leaves_out };
        let open = std::mem::take(&mut *lock(&self.open));
        let mut notices: Vec<Notice> = open.into_iter().map(|text| notice(text, false)).collect();
        if let Some((traces, first)) = lock(&self.unjudged).take() {
            let text = format!(
                "conditions on spans leave out {traces} whose spans are not to be had: {first}"
            );
            notices.push(notice(text, true));
        }
        if let Some((traces, first)) = lock(&self.archived).take() {
            let text = format!(
                "only times, names, types and costs are known of the spans of {traces}, whose \
                 archive is not to be had: {first}"
            );
            notices.push(notice(text, false));
        }
        notices
    }

    /// The same in words alone.
    #[cfg(test)]
    pub(super) fn take(&self) -> Vec<String> {
        self.notices().into_iter().map(|one| one.text).collect()
    }
}

/// A lock whose holder panicked is as good as any: nothing here is half-changed.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn info(number: i64) -> TraceInfo {
        let mut info = TraceInfo::new(format!("tr-{number:04}"));
        info.request_time = Some(Timestamp::from_millis(number));
        info
    }

    #[test]
    fn the_best_are_kept_whatever_comes_when() {
        let order = OrderBy::default();
        for keep in [0, 1, 3, 70, usize::MAX] {
            let mut best = Best::new(&order, keep);
            let mut other = Best::new(&order, keep);
            for number in 0..500 {
                let number = number * 7919 % 500;
                if number % 3 == 0 {
                    other.push(info(number), number);
                } else {
                    best.push(info(number), number);
                }
            }
            best.merge(other);
            let found: Vec<i64> = best.into_sorted().into_iter().map(|(_, n)| n).collect();
            let expected: Vec<i64> = (0..500).rev().take(keep).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn pages_come_from_one_answer() {
        let answers = Answers::default();
        let computed = std::cell::Cell::new(0);
        let all = |limit: Option<usize>| {
            let query = Query {
                limit,
                ..Query::default()
            };
            let mut token = None;
            let mut pages = Vec::new();
            loop {
                let (page, next) = answers
                    .page(&query, 4, token.as_deref(), |wanted| {
                        computed.set(computed.get() + 1);
                        Ok((0..10).map(info).take(wanted).collect())
                    })
                    .unwrap();
                pages.push(page.len());
                match next {
                    Some(next) => token = Some(next),
                    None => return pages,
                }
            }
        };
        assert_eq!(all(None), [4, 4, 2]);
        assert_eq!(computed.replace(0), 1);
        assert_eq!(all(Some(5)), [4, 2]);
        assert_eq!(all(Some(1)), [4, 1]);
        assert_eq!(computed.get(), 2);
    }

    #[test]
    fn a_doubt_is_told_once() {
        let doubts = Doubts::default();
        doubts.add("a".to_owned());
        doubts.add("a".to_owned());
        assert_eq!(doubts.take(), ["a"]);
        doubts.add("a".to_owned());
        assert!(doubts.take().is_empty());
    }
}
