//! What a plan leaves to be checked here, on traces whose spans take time to get: it
//! decides without them whatever it can, and never about a trace whose spans are
//! needed and not to be had.

use super::StoreError;
use super::fetch::{Batches, Ways};
use super::local::Doubts;
use crate::filter::{Filter, Matcher};
use crate::model::{Detail, Span, TraceInfo};
use crate::parallel;

/// A filter made ready.
pub(super) struct Judge {
    whole: Matcher,
    needs_spans: bool,
    /// How much of the spans decides.
    detail: Detail,
    /// Decides without spans.
    bare: Bounds,
    /// Decides without spans where their number is known, in a filter that asks for it.
    counted: Option<Bounds>,
}

/// What lets through every match, and what lets through nothing else.
struct Bounds {
    at_most: Matcher,
    at_least: Option<Matcher>,
}

impl Bounds {
    fn new(filter: &Filter, counted: bool) -> Self {
        let at_least = filter.sufficient_without_spans(counted);
        Self {
            at_most: filter.without_spans(counted).matcher(),
            at_least: at_least.map(|filter| filter.matcher()),
        }
    }

    fn decide(&self, info: &TraceInfo, count: usize) -> Option<bool> {
        if !self.at_most.matches_counted(info, &[], count) {
            return Some(false);
        }
        let sure = |at_least: &Matcher| at_least.matches_counted(info, &[], count);
        self.at_least.as_ref().is_some_and(sure).then_some(true)
    }
}

impl Judge {
    pub(super) fn new(filter: &Filter) -> Self {
        Self {
            whole: filter.matcher(),
            needs_spans: filter.needs_spans(),
            detail: filter.detail().unwrap_or(Detail::Times),
            bare: Bounds::new(filter, false),
            counted: filter.counts_spans().then(|| Bounds::new(filter, true)),
        }
    }

    /// What the trace alone decides, with the number of spans that its metadata count.
    pub(super) fn without_spans(&self, info: &TraceInfo) -> Option<bool> {
        if !self.needs_spans {
            return Some(self.whole.matches(info, &[]));
        }
        match (&self.counted, info.declared_span_count()) {
            (Some(counted), Some(count)) => counted.decide(info, count),
            _ => self.bare.decide(info, 0),
        }
    }

    /// Whether a trace with these spans passes. The number of spans is the one that the
    /// metadata count, where they do: it is what lists of traces show.
    pub(super) fn with_spans(&self, info: &TraceInfo, spans: &[Span]) -> bool {
        let count = info.declared_span_count().unwrap_or(spans.len());
        self.whole.matches_counted(info, spans, count)
    }

    /// Whether a trace passes whose spans are fetched if need be. One whose spans must be
    /// somewhere and are not to be had does not, and the doubts tell of it.
    pub(super) fn passes(
        &self,
        info: &TraceInfo,
        doubts: &Doubts,
        fetch: impl FnOnce() -> Result<Vec<Span>, StoreError>,
    ) -> bool {
        if let Some(decided) = self.without_spans(info) {
            return decided;
        }
        doubts
            .spans_to_judge(info, fetch())
            .is_some_and(|spans| self.with_spans(info, &spans))
    }
}

/// Those traces of a page that pass, in their order: where their spans decide, these are
/// fetched, several at a time. A trace without a judge passes.
///
/// # Errors
/// Those of the store that are not about one trace.
pub(super) fn select<'j, T: Sync>(
    store: &impl Ways,
    doubts: &Doubts,
    page: Vec<T>,
    judged: impl Fn(&T) -> (&TraceInfo, Option<&'j Judge>) + Sync,
) -> Result<Vec<T>, StoreError> {
    let decided = |one: &T| {
        let (info, judge) = judged(one);
        judge.map_or(Some(true), |judge| judge.without_spans(info))
    };
    let known: Vec<Option<bool>> = page.iter().map(decided).collect();
    let asked: Vec<(TraceInfo, &Judge)> = page
        .iter()
        .zip(&known)
        .filter(|(_, known)| known.is_none())
        .filter_map(|(one, _)| {
            let (info, judge) = judged(one);
            Some((info.clone(), judge?))
        })
        .collect();
    let detail = asked.iter().map(|(_, judge)| judge.detail).max();
    let detail = detail.unwrap_or(Detail::Times);
    let Batches { traces, at_once } = store.batches(detail);
    let batches: Vec<&[(TraceInfo, &Judge)]> = asked.chunks(traces.max(1)).collect();
    let fetch = |batch: &&[(TraceInfo, &Judge)]| {
        let infos: Vec<TraceInfo> = batch.iter().map(|(info, _)| info.clone()).collect();
        store.complete_all(&infos, detail)
    };
    let mut verdicts = Vec::with_capacity(asked.len());
    parallel::for_each_in_order(at_once, &batches, fetch, |batch, fetched| {
        for ((info, judge), answer) in batch.iter().zip(fetched) {
            let spans = match answer {
                Err(error) if !error.is_about_one_trace() => return Err(error),
                answer => answer.map(|trace| trace.spans),
            };
            let spans = doubts.spans_to_judge(info, spans);
            verdicts.push(spans.is_some_and(|spans| judge.with_spans(info, &spans)));
        }
        Ok::<(), StoreError>(())
    })?;
    let mut verdicts = verdicts.into_iter();
    let passing = page.into_iter().zip(known);
    let passing = passing.filter(|(_, known)| known.or_else(|| verdicts.next()) == Some(true));
    Ok(passing.map(|(one, _)| one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::parse;
    use crate::model::{TraceState, metadata};
    use crate::store::Attempt;

    fn passes(filter: &str, fetched: Result<Vec<Span>, StoreError>) -> (bool, bool, usize) {
        let mut info = TraceInfo::new("tr-1");
        info.state = TraceState::Error;
        let stats = (
            metadata::SIZE_STATS.to_owned(),
            r#"{"num_spans": 3}"#.to_owned(),
        );
        info.metadata.extend([stats]);
        let doubts = Doubts::default();
        let mut asked = false;
        let judge = Judge::new(&parse(filter).unwrap());
        let passes = judge.passes(&info, &doubts, || {
            asked = true;
            fetched
        });
        (passes, asked, doubts.take().len())
    }

    fn missing() -> Result<Vec<Span>, StoreError> {
        Err(StoreError::NoSpans {
            id: "tr-1".to_owned(),
            tried: vec![Attempt {
                way: "traces.json",
                outcome: "not there".to_owned(),
            }],
        })
    }

    #[test]
    fn spans_are_fetched_only_to_decide() {
        for (filter, expected) in [
            ("status = 'OK' AND NOT span.name = 'a'", false),
            ("status = 'ERROR' OR span.name = 'a'", true),
            ("spans >= 3", true),
            ("NOT spans >= 3", false),
            ("spans = 2 AND any(span.name = 'a')", false),
            ("spans = 3 OR any(span.name = 'a')", true),
        ] {
            assert_eq!(passes(filter, missing()), (expected, false, 0), "{filter}");
        }
        for (filter, expected) in [
            ("NOT span.name = 'a'", true),
            ("all(span.name = 'a')", true),
            ("any(span.name = 'a')", false),
            ("spans = 3 AND count(span.name = 'a') = 0", true),
        ] {
            let found = passes(filter, Ok(Vec::new()));
            assert_eq!(found, (expected, true, 0), "{filter}");
        }
    }

    #[test]
    fn nothing_is_said_of_spans_that_are_not_to_be_had() {
        for filter in [
            "NOT span.name = 'a'",
            "all(span.name = 'a')",
            "count(span.name = 'a') = 0",
            "NOT (status = 'OK' OR span.name = 'a')",
        ] {
            assert_eq!(passes(filter, missing()), (false, true, 1), "{filter}");
        }
    }
}
