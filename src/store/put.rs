//! Taking in whole traces that were made elsewhere: with their ids, times, tags, metadata and
//! assessments. A trace is there whole or not at all, and one that is there already stays as
//! it is, so that it does no harm to do it again.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::fetch::going_on;
use super::{Store, StoreError, TraceRefs, Want};
use crate::model::{Assessment, Span, SpanId, Timestamp, Trace, TraceInfo, tag};
use crate::otlp::from_hex;

/// What becomes of a trace that is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is there now, or would be.
    Taken,
    /// It was there already.
    Known,
}

/// Whether traces are really taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutMode {
    /// It is only found out what would become of them.
    Try,
    /// They are.
    Write,
}

/// What is called with each trace by its id, and with what became of it; it may break off.
pub type OnPut<'e> = &'e mut dyn FnMut(&str, Result<Put, StoreError>) -> ControlFlow<()>;

/// MLflow's tables have room for so many characters of an id.
const LONGEST_ID: usize = 50;
/// For so many of a preview,
const LONGEST_PREVIEW: usize = 1_000;
/// of the value of a tag or a metadata entry,
pub(super) const LONGEST_VALUE: usize = 8_000;
/// of a name,
const LONGEST_NAME: usize = 4_096;
/// and of a session.
const LONGEST_SESSION: usize = 250;

/// Tags that say where the store keeps the trace: each store has its own.
const OF_THE_STORE: [&str; 4] = [
    tag::ARTIFACT_LOCATION,
    tag::SPANS_LOCATION,
    tag::ARCHIVE_LOCATION,
    "mlflow.trace.archivalFailure",
];

impl dyn Store + '_ {
    /// Takes traces in until `each` fails.
    ///
    /// # Errors
    /// Those of [`Store::put`], and that of `each`.
    pub fn try_put<E: From<StoreError>>(
        &self,
        traces: &[Trace],
        mode: PutMode,
        mut each: impl FnMut(&str, Result<Put, StoreError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut outcome = Ok(());
        self.put(traces, mode, &mut |id, result| {
            outcome = each(id, result);
            going_on(&outcome)
        })?;
        outcome
    }
}

/// Finds out which traces would be taken in, by asking for each; `is_whole` tells of one that
/// is there whether anything of it is missing.
///
/// # Errors
/// What is no single trace's.
pub(super) fn try_by_asking(
    store: &(impl Store + ?Sized),
    traces: &[Trace],
    is_whole: impl Fn(&TraceInfo, &Trace) -> bool,
    each: OnPut<'_>,
) -> Result<(), StoreError> {
    let ids = traces.iter().map(|trace| trace.info.trace_id.clone());
    let ids = TraceRefs::Ids(ids.collect());
    let mut traces = traces.iter();
    store.fetch(
        &mut std::iter::once(Ok(ids)),
        Want::INFO,
        &mut |id, found| {
            let trace = traces.next();
            let wrong = trace.and_then(|trace| check(trace).err());
            let is_whole = |there: &Trace| trace.is_none_or(|trace| is_whole(&there.info, trace));
            let outcome = match (wrong, found) {
                (Some(wrong), _) => Err(wrong),
                (None, Ok(there)) if is_whole(&there) => Ok(Put::Known),
                (None, Ok(_) | Err(StoreError::UnknownTrace { .. })) => Ok(Put::Taken),
                (None, Err(error)) => Err(error),
            };
            each(id, outcome)
        },
    )
}

/// Why no store of MLflow's can hold this trace.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn check(trace: &Trace) -> Result<(), StoreError> {
    let info = &trace.info;
    let id = &info.trace_id;
    let refuse = |reason: String| Err(refused(id, reason));
    if id.chars().count() > LONGEST_ID {
        return refuse(format!("its id is longer than {LONGEST_ID} characters"));
    }
    let is_plain = |c: char| c.is_alphanumeric() || "_-.:".contains(c);
    if id.is_empty() || id.starts_with('.') || !id.chars().all(is_plain) {
        return refuse("its id is no name of a folder: expected letters, digits, _ - . :".into());
    }
    if let Some(odd) = trace.spans.iter().find(|span| {
        let parent = span.parent_id.as_ref();
        from_hex(span.span_id.as_str(), 8).is_none()
            || parent.is_some_and(|id| from_hex(id.as_str(), 8).is_none())
    }) {
        let id = shortened(odd.span_id.as_str());
        return refuse(format!(
            "the id of span `{id}`, or of its parent, is not 16 hex digits"
        ));
    }
    let is_longer = |text: Option<&str>, most| text.is_some_and(|t| t.chars().count() > most);
    if is_longer(info.session(), LONGEST_SESSION) {
        return refuse(format!(
            "its session is longer than {LONGEST_SESSION} characters"
        ));
    }
    if is_longer(info.name(), LONGEST_NAME) {
        return refuse(format!("its name is longer than {LONGEST_NAME} characters"));
    }
    if is_longer(info.client_request_id.as_deref(), LONGEST_ID) {
        return refuse(format!(
            "its client request id is longer than {LONGEST_ID} characters"
        ));
    }
    if request_time(trace).is_none() {
        return refuse("nothing says when it began".into());
    }
    Ok(())
}

/// The error of a trace that a store does not take in.
pub(super) fn refused(id: &str, reason: String) -> StoreError {
    StoreError::NotTaken {
        id: shortened(id),
        reason,
    }
}

fn shortened(id: &str) -> String {
    match id.char_indices().nth(LONGEST_ID) {
        Some((at, _)) => format!("{}…", &id[..at]),
        None => id.to_owned(),
    }
}

/// When a trace began: what it says, else its first span.
pub(super) fn request_time(trace: &Trace) -> Option<Timestamp> {
    let first = trace.spans.iter().map(|span| span.start_ns).min();
    trace
        .info
        .request_time
        .or_else(|| first.map(Timestamp::from_nanos))
}

/// The tags that go with a trace to wherever it is kept.
pub(super) fn tags(info: &TraceInfo) -> impl Iterator<Item = (&str, String)> {
    let of_the_trace = |(key, _): &(&String, &String)| !OF_THE_STORE.contains(&key.as_str());
    let tags = info.tags.iter().filter(of_the_trace);
    tags.map(|(key, value)| (key.as_str(), value_of(value)))
}

/// As much of the value of a tag or metadata entry as there is room for.
pub(super) fn value_of(value: &str) -> String {
    value.chars().take(LONGEST_VALUE).collect()
}

/// As much of a preview as there is room for, cut as MLflow cuts it.
pub(super) fn preview(text: Option<&str>) -> Option<String> {
    let text = text?;
    if text.chars().count() <= LONGEST_PREVIEW {
        return Some(text.to_owned());
    }
    let start: String = text.chars().take(LONGEST_PREVIEW - 3).collect();
    Some(format!("{start}..."))
}

/// The spans of a trace. Of those with the same id the last counts, as on a server.
pub(super) fn spans(trace: &Trace) -> Vec<&Span> {
    let mut seen: HashSet<&SpanId> = HashSet::new();
    let mut last: Vec<&Span> = trace
        .spans
        .iter()
        .rev()
        .filter(|span| seen.insert(&span.span_id))
        .collect();
    last.reverse();
    last
}

/// The assessments that MLflow knows the kind of.
pub(super) fn assessments(info: &TraceInfo) -> impl Iterator<Item = &Assessment> {
    info.assessments.iter().filter(|one| one.is_judgement())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: &str) -> Trace {
        let mut info = TraceInfo::new(id);
        info.request_time = Some(Timestamp::from_millis(1));
        Trace {
            info,
            spans: Vec::new(),
        }
    }

    #[test]
    fn ids_that_would_lead_elsewhere_or_are_too_long_are_refused() {
        let long = "x".repeat(51);
        for id in ["", ".", "../../x", "a/b", "a\\b", "tr-1\n", "tr 1", &long] {
            let error = check(&trace(id)).unwrap_err();
            assert!(error.to_string().contains("its id is"), "{error}");
        }
        for id in ["tr-51a088e1d08df5c0638d48f2dcaad786", "mine.2:b_c", "日本"] {
            check(&trace(id)).unwrap();
        }
        let mut timeless = trace("tr-1");
        timeless.info.request_time = None;
        assert!(check(&timeless).is_err());
    }

    #[test]
    fn previews_are_cut_as_mlflow_cuts_them() {
        let long = "é".repeat(1_001);
        let cut = preview(Some(&long)).unwrap();
        assert_eq!(cut.chars().count(), 1_000);
        assert!(cut.ends_with("é..."));
        assert_eq!(preview(Some(&long[2..])).unwrap(), &long[2..]);
        assert_eq!(preview(None), None);
    }

    #[test]
    fn where_a_store_keeps_a_trace_does_not_go_with_it() {
        let mut info = TraceInfo::new("tr-1");
        for key in OF_THE_STORE.into_iter().chain([tag::NAME, "k"]) {
            info.tags.insert(key.to_owned(), "v".to_owned());
        }
        let keys: Vec<&str> = tags(&info).map(|(key, _)| key).collect();
        assert_eq!(keys, ["k", tag::NAME]);
    }
}
