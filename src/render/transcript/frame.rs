//! What stands around a transcript: the trace's name and figures above it, and below
//! it a failure that no message tells of, and what was left out.

use std::io::{self, Write};

use crate::analysis::{Conversation, Found, LatencyReport};
use crate::model::{Cost, TraceState};
use crate::render::cell::Cell;
use crate::render::column::state_word;
use crate::render::style::Painted;
use crate::render::{Layout, sanitize, summary, text, usage};
use crate::units;

/// A failure of a span that says nothing.
pub(super) fn write_failure(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    conversation: &Conversation,
    layout: &Layout,
) -> io::Result<()> {
    let span = conversation
        .failure
        .and_then(|at| report.trace.spans.get(at));
    let Some(span) = span else { return Ok(()) };
    let mark = layout.glyphs.pick("✗", "x");
    let style = layout.style;
    let head = Cell::new(style.error(), format!("{mark} ")).and(style.name(), &span.name);
    writeln!(out, "\n{}", head.fit_if(layout.width))?;
    let error = span.error_text().unwrap_or_else(|| "failed".to_owned());
    for line in sanitize::block(&error).split('\n') {
        for line in wrapped(line, layout.width.map(|width| width.saturating_sub(2))) {
            writeln!(out, "  {}", Painted(style.error(), line))?;
        }
    }
    Ok(())
}

/// The name, the id and the figures of the trace.
pub(super) fn write_head(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    conversation: &Conversation,
    layout: &Layout,
) -> io::Result<()> {
    let info = &report.trace.info;
    let style = layout.style;
    let mut title = match info.name() {
        Some(name) => Cell::new(style.title(), name),
        None => Cell::new(style.muted(), "(no name)"),
    };
    let state = state_word(info);
    if state != units::NONE {
        let mark = match info.state {
            TraceState::Error => layout.glyphs.pick("✗ ", "x "),
            _ => "",
        };
        title = title
            .and(style.text(), "  ")
            .and(style.state(&info.state), format!("{mark}{state}"));
    }
    if !report.tree.is_empty() {
        title = title.and(style.title(), format!("  {}", summary::total_text(report)));
    }
    writeln!(out, "{}", title.fit_if(layout.width))?;
    let mut facts = Vec::new();
    let retrievals = conversation
        .lookups
        .iter()
        .filter(|lookup| matches!(lookup.found, Found::Documents(_)));
    for (number, noun) in [
        (conversation.calls, "model call"),
        (conversation.tools, "tool call"),
        (retrievals.count(), "retrieval"),
    ] {
        if number > 0 {
            facts.push(units::counted(number, noun));
        }
    }
    let used = report.usage();
    if let Some(tokens) = used.tokens.value().and_then(usage::usage) {
        facts.push(match tokens.split_once(' ') {
            Some((total, parts)) => format!("{total} tokens {parts}"),
            None => format!("{tokens} tokens"),
        });
    }
    if let Some(cost) = used.cost.value().and_then(Cost::total) {
        facts.push(units::cost(cost));
    }
    let time = info.request_time.map(|time| units::time(time, layout.zone));
    let mut about = Cell::new(style.id(), &info.trace_id);
    if let Some(time) = time {
        about = about.and(style.muted(), format!("  {time}"));
    }
    writeln!(out, "{about}")?;
    if !facts.is_empty() {
        let line = facts.join("   ");
        for line in wrapped(&line, layout.width) {
            writeln!(out, "{}", Painted(style.muted(), line))?;
        }
    }
    Ok(())
}

fn wrapped(line: &str, width: Option<usize>) -> Vec<String> {
    match width {
        Some(width) => text::wrap(line, width.max(16)),
        None => vec![line.to_owned()],
    }
}

/// What is not told above, and why.
pub(super) fn write_notes(
    out: &mut dyn Write,
    conversation: &Conversation,
    layout: &Layout,
) -> io::Result<()> {
    let mut notes = Vec::new();
    if !conversation.unread.is_empty() {
        let calls = units::counted(conversation.unread.len(), "call");
        notes.push(format!("{calls} in no known format, shown as JSON"));
    }
    if conversation.unrecorded > 0 {
        let calls = units::counted(conversation.unrecorded, "answer");
        notes.push(format!("{calls} not recorded"));
    }
    if conversation.repeated > 0 {
        let messages = units::counted(conversation.repeated, "repeated message");
        notes.push(format!("{messages} left out (--io has them)"));
    }
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    for line in wrapped(&notes.join("; "), layout.width) {
        writeln!(out, "{}", Painted(layout.style.muted(), line))?;
    }
    Ok(())
}
