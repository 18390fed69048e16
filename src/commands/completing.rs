//! Traces that were found without their spans, with as much of these as is needed.

use anyhow::Result;

use crate::analysis::roll_up;
use crate::field::Field;
use crate::model::{Detail, Trace, TraceInfo, Unreadable};
use crate::store::{Store, StoreError, TraceRefs, Want};

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
/// were deleted meanwhile are passed over. Those of which the spans cannot be had are
/// handed over without them, and named in the answer.
///
/// # Errors
/// Those of the store that are not about one trace, and those of `each`.
pub(super) fn complete(
    store: &dyn Store,
    infos: Vec<TraceInfo>,
    lack: Lack,
    mut each: impl FnMut(Trace) -> Result<()>,
) -> Result<Vec<Unreadable>> {
    let without_spans = |info: TraceInfo| Trace {
        info,
        spans: Vec::new(),
    };
    let lacking: Vec<TraceInfo> = infos
        .iter()
        .filter(|info| lack.detail_for(info).is_some())
        .cloned()
        .collect();
    let detail = infos.iter().filter_map(|info| lack.detail_for(info)).max();
    let completed = |mut trace: Trace| {
        if lack.usage {
            trace.info.rolled_up = roll_up(&trace);
        }
        if lack.count {
            trace.info.counted_spans.get_or_insert(trace.spans.len());
        }
        trace
    };
    let mut unreadable = Vec::new();
    let mut rest = infos.into_iter();
    if let Some(detail) = detail {
        let (lacking, want) = (TraceRefs::Known(lacking), Want::spans(detail));
        store.try_fetch_all(lacking, want, |id, trace| {
            let mut info = None;
            for one in rest.by_ref() {
                if one.trace_id == id {
                    info = Some(one);
                    break;
                }
                each(without_spans(one))?;
            }
            match trace {
                Ok(trace) => each(completed(trace)),
                // It was there when it was found.
                Err(StoreError::UnknownTrace { .. }) => Ok(()),
                Err(error) if error.is_about_one_trace() => {
                    let told = error.to_string();
                    let one = error.into_unreadable(id);
                    unreadable.push(one.unwrap_or_else(|_| Unreadable::trace(id, told)));
                    info.map_or(Ok(()), |info| each(without_spans(info)))
                }
                Err(error) => Err(error.into()),
            }
        })?;
    }
    for info in rest {
        each(without_spans(info))?;
    }
    Ok(unreadable)
}
