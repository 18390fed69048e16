//! The careful reader of traces, for what the quick one refuses: JSON that only
//! Python writes, members that are spelt or typed otherwise, traces within texts. It
//! reads what can be read, and names the member that cannot. Nothing that is there
//! and not understood becomes a time of zero, a state, or nothing.

mod assessment;
mod attributes;
mod document;
mod info;
mod members;
mod parts;
mod refused;
mod scalar;
mod span;

use super::flaw::Flaw;
use crate::json::{Node, parse_at};
use crate::model::{Assessment, Span, TraceInfo};
use crate::store::Detail;

pub(super) use self::document::read_documents;
pub(super) use self::parts::read_parts;

/// Who wrote attributes: for MLflow texts are JSON, for OpenTelemetry only texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Mlflow,
    OpenTelemetry,
}

/// One span.
///
/// # Errors
/// What is no JSON, and the first member that cannot be read.
pub(super) fn span(json: &[u8], detail: Detail) -> Result<Span, Flaw> {
    whole(json, |node| span::span(node, detail, Dialect::Mlflow))
}

/// `{"spans": […]}`.
///
/// # Errors
/// Those of [`span`].
pub(super) fn spans(json: &[u8], detail: Detail) -> Result<Vec<Span>, Flaw> {
    whole(json, |node| {
        let members = members::Members::of(node)?;
        members.need(&["spans"], |node| span::list(node, detail))
    })
}

/// A trace without its spans.
///
/// # Errors
/// Those of [`span`].
pub(super) fn info(json: &[u8]) -> Result<TraceInfo, Flaw> {
    whole(json, |node| info::info(&members::Members::of(node)?))
}

/// An assessment.
///
/// # Errors
/// Those of [`span`].
pub(super) fn assessment(json: &[u8]) -> Result<Assessment, Flaw> {
    whole(json, assessment::one)
}

/// The id of a trace of which something else cannot be read.
pub(super) fn trace_id(json: &[u8]) -> Option<String> {
    let found = whole(json, |node| {
        members::Members::of(node)?.read(&info::TRACE_ID, scalar::id)
    });
    found.ok().flatten()
}

/// Reads a text that is one JSON value.
fn whole<T>(json: &[u8], read: impl FnOnce(Node<'_>) -> Result<T, Flaw>) -> Result<T, Flaw> {
    let (tape, end) = parse_at(json, 0)?;
    if let Some(more) = json[end..].iter().position(|b| !b.is_ascii_whitespace()) {
        return Err(Flaw::new("expected nothing after the JSON")
            .alien()
            .at(end + more));
    }
    read(tape.root())
}

/// Reads JSON that is in a text.
fn inner<T>(
    node: Node<'_>,
    expected: &str,
    read: &mut dyn FnMut(Node<'_>) -> Result<T, Flaw>,
) -> Result<T, Flaw> {
    let text = node.text().unwrap_or_default();
    let json = text.trim();
    if !json.starts_with(['{', '[']) {
        return Err(members::senseless(node, expected));
    }
    whole(json.as_bytes(), read).map_err(|flaw| flaw.moved_to(node.start()))
}

#[cfg(test)]
mod tests;
