//! The tools of a trace: a table of what was offered and called, and below it each call
//! whose arguments its definition does not allow.

use std::io;

use super::cell::Cell;
use super::{Layout, list, summary};
use crate::analysis::{LatencyReport, ToolUse};
use crate::table::rows::tools::{SHOWN, ToolRow, tools};
use crate::text::Sheet;
use crate::units;

/// Writes the tools of one trace.
///
/// # Errors
/// Those of writing.
pub fn write(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    uses: &[ToolUse],
    layout: &Layout,
) -> io::Result<()> {
    let trace = report.trace;
    let style = layout.style;
    summary::write_title(out, &trace.info, Some(report), layout)?;
    out.line(Cell::new(style.id(), &trace.info.trace_id))?;
    out.blank()?;
    if uses.is_empty() {
        return out.styled(style.muted(), "no tools were offered or called");
    }
    let rows: Vec<ToolRow<'_>> = uses.iter().map(|tool| ToolRow { trace, tool }).collect();
    list::write(out, tools().some(&SHOWN), &rows, layout)?;
    let mut is_first = true;
    for tool in uses {
        for used in tool.calls.iter().filter(|used| !used.problems.is_empty()) {
            if std::mem::take(&mut is_first) {
                out.blank()?;
            }
            let span = used.span.and_then(|at| trace.spans.get(at));
            let place = span.map_or(units::NONE, |span| span.span_id.as_str());
            let cell = Cell::new(
                style.name(),
                format!("{}({})", tool.name, used.call.arguments),
            )
            .and(style.muted(), format!("  span {place}  "))
            .and(style.error(), used.problems.join(", "));
            out.line(cell)?;
        }
    }
    Ok(())
}
