//! What stands around a transcript: the trace's name and figures above it, and below
//! it the failures that no message tells of, and what was left out.

use std::io;

use crate::analysis::{Conversation, Found, LatencyReport};
use crate::model::Cost;
use crate::render::cell::Cell;
use crate::render::{Layout, summary, usage};
use crate::text::{Clean, Sheet};
use crate::units;

/// What shows messages that are left out.
pub(super) const IO: &str = "get --io has";

/// The failures of spans that say nothing.
pub(super) fn write_failures(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    conversation: &Conversation,
    layout: &Layout,
) -> io::Result<()> {
    let mark = layout.glyphs.pick("✗", "x");
    let style = layout.style;
    for at in &conversation.failures {
        let span = &report.trace.spans[*at];
        let head = Cell::new(style.error(), format!("{mark} ")).and(style.name(), &span.name);
        out.blank()?;
        out.line(head.fit_if(layout.width))?;
        let room = layout.width.map(|width| width.saturating_sub(2));
        for line in Clean::block(span.failure().unwrap_or_default()).lines() {
            for line in wrapped(&line, room) {
                let mut text = Clean::blank(2);
                text.push(style.error(), &line);
                out.line(text)?;
            }
        }
    }
    Ok(())
}

/// The name, the id and the figures of the trace.
pub(super) fn write_head(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    conversation: &Conversation,
    layout: &Layout,
) -> io::Result<()> {
    let info = &report.trace.info;
    let style = layout.style;
    let known = Some(report).filter(|report| !report.tree.is_empty());
    summary::write_title(out, info, known, layout)?;
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
    facts.extend(used.tokens.value().and_then(usage::tokens));
    let cost = used.cost.value().and_then(Cost::total);
    facts.extend(cost.map(units::cost));
    let time = info.request_time.map(|time| units::time(time, layout.zone));
    let mut about = Cell::new(style.id(), &info.trace_id);
    if let Some(time) = time {
        about = about.and(style.muted(), format!("  {time}"));
    }
    out.line(about)?;
    if !facts.is_empty() {
        let line = Clean::line(facts.join("   "));
        for line in wrapped(&line, layout.width) {
            out.painted(style.muted(), &line)?;
        }
    }
    Ok(())
}

fn wrapped(line: &Clean, width: Option<usize>) -> Vec<Clean> {
    line.wrapped(width.map(|width| width.max(16)))
}

/// What is not told as it was said, and why. `whole` has what is left out.
pub(in crate::render) fn notes(conversation: &Conversation, whole: &str) -> Option<String> {
    let mut notes = Vec::new();
    if !conversation.unread.is_empty() {
        let calls = units::counted(conversation.unread.len(), "call");
        notes.push(format!("{calls} in no known format, shown as JSON"));
    }
    let said = conversation.said.iter();
    let unrecorded = said.filter(|said| said.is_unrecorded()).count();
    if unrecorded > 0 {
        let calls = units::counted(unrecorded, "answer");
        notes.push(format!("{calls} not recorded"));
    }
    if conversation.repeated > 0 {
        let messages = units::counted(conversation.repeated, "repeated message");
        notes.push(format!("{messages} left out ({whole} them)"));
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Writes them.
pub(super) fn write_notes(
    out: &mut Sheet<'_>,
    conversation: &Conversation,
    layout: &Layout,
) -> io::Result<()> {
    let Some(notes) = notes(conversation, IO) else {
        return Ok(());
    };
    out.blank()?;
    for line in wrapped(&Clean::line(notes), layout.width) {
        out.painted(layout.style.muted(), &line)?;
    }
    Ok(())
}
