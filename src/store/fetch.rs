//! How traces are fetched. Whoever asks names them, page by page if they are still being
//! found, and says how much of them is wanted; how many make a question, how many
//! questions are asked at a time, and whether all is read from one end to the other
//! instead, is what each store knows, and nobody above it.

use std::ops::ControlFlow;

use super::{Store, StoreError};
use crate::model::{Detail, Trace, TraceInfo};
use crate::parallel;

/// Batches that are fetched before more traces are asked for: several keep all workers
/// busy while the results are handed over.
const BATCHES_AT_ONCE: usize = 16;

/// Traces to fetch.
#[derive(Debug, Clone)]
pub enum TraceRefs {
    /// Of which nothing but the ids is known: what is known of a trace without its spans
    /// is looked up, too.
    Ids(Vec<String>),
    /// Of which as much is known as is wanted: nothing but their spans is looked up.
    Known(Vec<TraceInfo>),
}

/// Traces to fetch, page by page. An error ends it all.
pub type Pages<'p> = &'p mut dyn Iterator<Item = Result<TraceRefs, StoreError>>;

/// What is called with each trace by its id, or with what is wrong with it; it may break
/// off.
pub type OnTrace<'e> = &'e mut dyn FnMut(&str, Result<Trace, StoreError>) -> ControlFlow<()>;

/// What of traces is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// How much of their spans; `None` for nothing of them.
    pub spans: Option<Detail>,
    /// Whether they may come in any order.
    pub any_order: bool,
}

impl Want {
    /// What is known without the spans.
    pub const INFO: Self = Self {
        spans: None,
        any_order: false,
    };

    /// So much of the spans, in the order in which the traces are named.
    pub const fn spans(detail: Detail) -> Self {
        Self {
            spans: Some(detail),
            any_order: false,
        }
    }
}

impl dyn Store + '_ {
    /// Fetches traces that are all known by now.
    ///
    /// # Errors
    /// Those of [`Store::fetch`].
    pub fn fetch_all(
        &self,
        traces: TraceRefs,
        want: Want,
        each: OnTrace<'_>,
    ) -> Result<(), StoreError> {
        self.fetch(&mut std::iter::once(Ok(traces)), want, each)
    }

    /// The same, until `each` fails.
    ///
    /// # Errors
    /// Those of [`Store::fetch`], and that of `each`.
    pub fn try_fetch_all<E: From<StoreError>>(
        &self,
        traces: TraceRefs,
        want: Want,
        mut each: impl FnMut(&str, Result<Trace, StoreError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut outcome = Ok(());
        self.fetch_all(traces, want, &mut |id, trace| {
            outcome = each(id, trace);
            going_on(&outcome)
        })?;
        outcome
    }

    /// One trace with its spans.
    ///
    /// # Errors
    /// Those of the store.
    pub fn trace(&self, trace_id: &str, detail: Detail) -> Result<Trace, StoreError> {
        self.one(trace_id, Want::spans(detail))
    }

    /// One trace without its spans.
    ///
    /// # Errors
    /// Those of the store.
    pub fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        Ok(self.one(trace_id, Want::INFO)?.info)
    }

    fn one(&self, trace_id: &str, want: Want) -> Result<Trace, StoreError> {
        let mut only = None;
        let named = TraceRefs::Ids(vec![trace_id.to_owned()]);
        self.fetch_all(named, want, &mut |_, trace| {
            only = Some(trace);
            ControlFlow::Continue(())
        })?;
        only.unwrap_or_else(|| {
            Err(StoreError::UnknownTrace {
                id: trace_id.to_owned(),
                store: self.describe(),
            })
        })
    }
}

/// Whether it goes on after so much.
pub(crate) fn going_on<E>(outcome: &Result<(), E>) -> ControlFlow<()> {
    match outcome {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// How something is best asked of many traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batches {
    /// Traces of one question.
    pub(super) traces: usize,
    /// Questions at a time.
    pub(super) at_once: usize,
}

impl Batches {
    /// Each trace by itself.
    pub(super) const fn of_one(at_once: usize) -> Self {
        Self { traces: 1, at_once }
    }
}

/// A store's own ways to traces, of which [`in_rounds`] takes the quickest.
pub(super) trait Ways: Sync {
    /// A trace without its spans.
    fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError>;

    /// A trace with its spans.
    fn trace(&self, trace_id: &str, detail: Detail) -> Result<Trace, StoreError>;

    /// The spans of a trace of which at least the id is known.
    fn complete(&self, info: TraceInfo, detail: Detail) -> Result<Trace, StoreError>;

    /// How many questions are best asked at a time.
    fn at_once(&self) -> usize {
        parallel::cores()
    }

    /// How [`Ways::complete_all`] is best called, as far as is known by now.
    fn batches(&self, _detail: Detail) -> Batches {
        Batches::of_one(self.at_once())
    }

    /// The spans of traces of which at least the ids are known: a result for each, in
    /// their order.
    fn complete_all(&self, infos: &[TraceInfo], detail: Detail) -> Vec<Result<Trace, StoreError>> {
        let complete = |info: &TraceInfo| self.complete(info.clone(), detail);
        infos.iter().map(complete).collect()
    }

    /// From how many traces on [`Ways::sweep`] is quicker than [`Ways::complete_all`];
    /// `None` where it never is.
    fn sweep_from(&self, _detail: Detail) -> Option<usize> {
        None
    }

    /// The same for many traces at once, in whatever order comes quickest.
    ///
    /// # Errors
    /// What is no single trace's: the traces that are left are not handed over.
    fn sweep(
        &self,
        infos: Vec<TraceInfo>,
        detail: Detail,
        each: OnTrace<'_>,
    ) -> Result<(), StoreError> {
        for info in infos {
            let id = info.trace_id.clone();
            if each(&id, self.complete(info, detail)).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Fetches page after page, as many of them at a time as make enough questions; or first
/// all pages, where a sweep is quicker.
///
/// # Errors
/// Those of the pages, and those of a sweep.
pub(super) fn in_rounds(
    store: &impl Ways,
    pages: Pages<'_>,
    want: Want,
    each: OnTrace<'_>,
) -> Result<(), StoreError> {
    let round = || {
        want.spans
            .map_or(1, |detail| match store.batches(detail).traces {
                batch @ 2.. => batch * BATCHES_AT_ONCE,
                one => one,
            })
    };
    let mut waiting = Vec::new();
    let mut sweep_from = None;
    for page in pages {
        match page? {
            TraceRefs::Ids(ids) => {
                if by_ids(store, &ids, want, each).is_break() {
                    return Ok(());
                }
            }
            TraceRefs::Known(infos) => waiting.extend(infos),
        }
        if waiting.len() >= round() {
            if want.any_order && sweep_from.is_none() {
                sweep_from = want.spans.and_then(|detail| store.sweep_from(detail));
            }
            if sweep_from.is_none()
                && known(store, std::mem::take(&mut waiting), want, each).is_break()
            {
                return Ok(());
            }
        }
    }
    match (want.spans, sweep_from) {
        (Some(detail), Some(least)) if waiting.len() >= least => store.sweep(waiting, detail, each),
        _ => {
            let _ = known(store, waiting, want, each);
            Ok(())
        }
    }
}

fn by_ids(store: &impl Ways, ids: &[String], want: Want, each: OnTrace<'_>) -> ControlFlow<()> {
    let ask = |id: &String| match want.spans {
        Some(detail) => store.trace(id, detail),
        None => store.info(id).map(without_spans),
    };
    // One is asked for in this thread.
    if let [only] = ids {
        return each(only, ask(only));
    }
    in_order(store.at_once(), ids, ask, |id, trace| each(id, trace))
}

fn known(
    store: &impl Ways,
    infos: Vec<TraceInfo>,
    want: Want,
    each: OnTrace<'_>,
) -> ControlFlow<()> {
    let Some(detail) = want.spans else {
        return infos.into_iter().map(without_spans).try_for_each(|trace| {
            let id = trace.info.trace_id.clone();
            each(&id, Ok(trace))
        });
    };
    let Batches { traces, at_once } = store.batches(detail);
    let batches: Vec<&[TraceInfo]> = infos.chunks(traces.max(1)).collect();
    let ask = |batch: &&[TraceInfo]| store.complete_all(batch, detail);
    in_order(at_once, &batches, ask, |batch, traces| {
        let mut named = batch.iter().zip(traces);
        named.try_for_each(|(info, trace)| each(&info.trace_id, trace))
    })
}

/// Asks about each item, so many at a time, and hands the answers over in order, until
/// `each` breaks it off.
pub(super) fn in_order<T: Sync, R: Send>(
    at_once: usize,
    items: &[T],
    ask: impl Fn(&T) -> R + Sync,
    mut each: impl FnMut(&T, R) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let broken_off = parallel::for_each_in_order(at_once, items, ask, |item, answer| {
        match each(item, answer) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(()),
        }
    });
    match broken_off {
        Ok(()) => ControlFlow::Continue(()),
        Err(()) => ControlFlow::Break(()),
    }
}

fn without_spans(info: TraceInfo) -> Trace {
    Trace {
        info,
        spans: Vec::new(),
    }
}
