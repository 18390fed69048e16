//! What was asked and what was answered, as people read it: of a conversation the last
//! question and the answer, else all of a request or a response. MLflow cuts its previews;
//! where the spans are there, the root span has the whole of them.

use std::borrow::Cow;

use crate::analysis::LatencyReport;
use crate::messages;
use crate::model::{Span, TraceInfo};

/// What the user said last of a request that is a conversation, else all of it.
pub(super) fn asked(request: &str) -> Cow<'_, str> {
    messages::asked(request).unwrap_or(Cow::Borrowed(request))
}

/// The answer's text of a response that has one, else all of it.
pub(super) fn answered(response: &str) -> Cow<'_, str> {
    messages::answered(response).unwrap_or(Cow::Borrowed(response))
}

/// Question and answer of a trace, where there are any.
pub(crate) fn of<'t>(
    info: &'t TraceInfo,
    report: Option<&LatencyReport<'t>>,
) -> [Option<Cow<'t, str>>; 2] {
    let root = report.and_then(|report| Some(report.span(report.tree.root()?)));
    let (request, response) = info.previews();
    let request = in_full(request, root.and_then(Span::inputs)).map(asked);
    let response = in_full(response, root.and_then(Span::outputs)).map(answered);
    [request, response].map(|text| text.filter(|text| !text.trim().is_empty()))
}

/// The preview, or the payload that it was cut from.
fn in_full<'t>(preview: Option<&'t str>, payload: Option<&'t str>) -> Option<&'t str> {
    let is_cut = |preview: &&str| preview.ends_with("...") || preview.ends_with('…');
    match preview.filter(|preview| !is_cut(preview)) {
        Some(whole) => Some(whole),
        None => payload.or(preview),
    }
}
