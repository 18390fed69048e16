//! Which spans of a trace are wanted: by name or id, type, status and depth.

use anyhow::Result;

use crate::analysis::{LatencyReport, Node, NodeId, analyse};
use crate::cli::GetArgs;
use crate::error::{CommandError, Exit};
use crate::model::{Span, StatusCode, Trace};
use crate::units;

/// The spans that were asked for, for JSON, which tells nothing of a span that
/// depends on the others, and whether these are not all. Tables show the rest as counts,
/// and rows of figures are chosen when the figures are known.
pub(super) fn selected(mut trace: Trace, args: &GetArgs, as_rows: bool) -> Result<(Trace, bool)> {
    let wanted = match &args.span {
        Some(wanted) => Some(require_span(&trace, wanted)?),
        None => None,
    };
    if as_rows {
        return Ok((trace, false));
    }
    let all = trace.spans.len();
    if let Some(depth) = args.depth {
        let report = analyse(&trace);
        let kept: std::collections::HashSet<crate::model::SpanId> = report
            .nodes()
            .filter(|(_, node)| is_within(node, depth))
            .map(|(id, _)| report.span(id).span_id.clone())
            .collect();
        trace.spans.retain(|span| kept.contains(&span.span_id));
    }
    trace
        .spans
        .retain(|span| is_wanted(span, args, wanted.as_deref()));
    let is_part = trace.spans.len() < all;
    Ok((trace, is_part))
}

/// Whether a span is one of those asked for, whatever its depth.
pub(super) fn is_wanted(span: &Span, args: &GetArgs, wanted: Option<&str>) -> bool {
    let of_type = |wanted: &String| span.span_type().eq_ignore_ascii_case(wanted);
    wanted.is_none_or(|wanted| is_span(span, wanted))
        && (!args.errors || span.status == StatusCode::Error)
        && args.shown_type.as_ref().is_none_or(of_type)
}

/// Digits of the id of a span at least, where it is told by its beginning.
const LEAST_OF_ID: usize = 4;

pub(super) fn is_within(node: &Node, depth: u64) -> bool {
    u64::try_from(node.depth).is_ok_and(|own| own < depth)
}

pub(in crate::commands) fn is_span(span: &Span, wanted: &str) -> bool {
    span.span_id.as_str().eq_ignore_ascii_case(wanted) || span.name == wanted
}

/// The name or the id of the span that is wanted, of an id also by its beginning.
pub(in crate::commands) fn require_span(trace: &Trace, wanted: &str) -> Result<String> {
    if trace.spans.iter().any(|span| is_span(span, wanted)) {
        return Ok(wanted.to_owned());
    }
    let begins = |id: &&str| {
        let start = id.get(..wanted.len());
        wanted.len() >= LEAST_OF_ID && start.is_some_and(|start| start.eq_ignore_ascii_case(wanted))
    };
    let ids = trace.spans.iter().map(|span| span.span_id.as_str());
    let mut ids: Vec<&str> = ids.filter(begins).collect();
    ids.dedup();
    match ids.as_slice() {
        [] => {}
        [only] => return Ok((*only).to_owned()),
        [first, second, ..] => {
            let message = format!(
                "`{wanted}` begins the ids of {} in trace {}",
                units::counted(ids.len(), "span"),
                trace.info.trace_id
            );
            let hint = format!("write more of it: {first} or {second}");
            return Err(CommandError::usage(message).hint(hint).into());
        }
    }
    let error = CommandError::new(
        Exit::NotFound,
        format!("no span `{wanted}` in trace {}", trace.info.trace_id),
    );
    let near = trace
        .spans
        .iter()
        .map(|span| (strsim::jaro_winkler(&span.name, wanted), &span.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Err(match near {
        Some((likeness, name)) if likeness > 0.8 => error.hint(format!("did you mean `{name}`?")),
        _ => error.hint(format!("`mlt get {}` lists its spans", trace.info.trace_id)),
    }
    .into())
}

pub(super) fn spans_named(report: &LatencyReport<'_>, wanted: &str) -> Vec<NodeId> {
    report
        .nodes()
        .map(|(id, _)| id)
        .filter(|id| is_span(report.span(*id), wanted))
        .collect()
}
