//! Traces that were found without their spans, with as much of these as is needed:
//! in batches, several at a time, each trace by itself where it cannot be had.

use anyhow::Result;

use crate::analysis::roll_up;
use crate::field::Field;
use crate::model::{Detail, Trace, TraceInfo, Unreadable};
use crate::parallel;
use crate::store::{Batches, Store, StoreError};

/// What fields need of traces beyond what a search finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lack {
    /// How much of the spans of each trace.
    pub(super) detail: Option<Detail>,
    /// Tokens and cost, from the spans where the metadata has none.
    pub(super) usage: bool,
    /// The number of spans.
    pub(super) count: bool,
}

impl Lack {
    /// What these fields need.
    pub(super) fn of<'f>(fields: impl IntoIterator<Item = &'f Field>) -> Self {
        let mut lack = Self::default();
        for field in fields {
            lack.detail = lack.detail.max(field.detail());
            lack.usage |= field.is_usage();
            lack.count |= *field == Field::SpanCount;
        }
        lack
    }

    /// How much of its spans a trace is needed with.
    fn detail_for(self, info: &TraceInfo) -> Option<Detail> {
        let usage = (self.usage && info.may_lack_usage()).then_some(Detail::Measures);
        let count = (self.count && info.span_count().is_none()).then_some(Detail::Times);
        self.detail.max(usage).max(count)
    }
}

/// Hands each trace over with what it lacked, in the order of `infos`. Traces that
/// were deleted meanwhile are passed over, and unreadable ones given back.
///
/// # Errors
/// Those of the store that are not about one trace, and those of `each`.
pub(super) fn complete(
    store: &dyn Store,
    infos: Vec<TraceInfo>,
    lack: Lack,
    mut each: impl FnMut(Trace) -> Result<()>,
) -> Result<Vec<Unreadable>> {
    let detail = infos.iter().filter_map(|info| lack.detail_for(info)).max();
    let without_spans = |info| Trace {
        info,
        spans: Vec::new(),
    };
    let Some(detail) = detail else {
        infos
            .into_iter()
            .try_for_each(|info| each(without_spans(info)))?;
        return Ok(Vec::new());
    };
    let mut unreadable = Vec::new();
    let Batches { traces, at_once } = store.batches(detail);
    let batches: Vec<&[TraceInfo]> = infos.chunks(traces.max(1)).collect();
    let ask = |batch: &&[TraceInfo]| {
        let lacking: Vec<TraceInfo> = batch
            .iter()
            .filter(|info| lack.detail_for(info).is_some())
            .cloned()
            .collect();
        store.complete_all(&lacking, detail)
    };
    parallel::for_each_in_order(at_once, &batches, ask, |batch, found| -> Result<()> {
        let mut found = found.into_iter();
        for info in *batch {
            if lack.detail_for(info).is_none() {
                each(without_spans(info.clone()))?;
                continue;
            }
            match found.next() {
                Some(Ok(mut trace)) => {
                    if lack.usage {
                        trace.info.rolled_up = roll_up(&trace);
                    }
                    if lack.count {
                        trace.info.counted_spans.get_or_insert(trace.spans.len());
                    }
                    each(trace)?;
                }
                // It was there when it was found.
                Some(Err(StoreError::UnknownTrace { .. })) | None => {}
                Some(Err(error)) => unreadable.push(error.into_unreadable(&info.trace_id)?),
            }
        }
        Ok(())
    })?;
    Ok(unreadable)
}
