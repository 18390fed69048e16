//! A session: what it comes to, then its turns, each a transcript of what is new in
//! it under a line with its figures.

use std::io;

use super::cell::Cell;
use super::summary::{self, write_assessments};
use super::transcript::{TranscriptOptions, write_messages};
use super::{Layout, usage};
use crate::analysis::{LatencyReport, Quantile, Session, Turn, percentile};
use crate::model::{Cost, Timestamp, TokenUsage};
use crate::text::{Sheet, width as text};
use crate::units;

/// Columns of the line above a turn, in a pipe.
const RULE: usize = 80;

/// Writes what stands above the turns. `levels` say what the parts of the id are.
pub fn write_head(
    out: &mut Sheet<'_>,
    id: &str,
    levels: Option<&str>,
    session: &Session,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let mut title = Cell::new(style.title(), id);
    for user in &session.users {
        title = title.and(style.text(), format!("   {user}"));
    }
    let turns = units::counted(session.turns, "turn");
    title = title.and(style.text(), format!("   {turns}"));
    if session.failed > 0 {
        title = title.and(style.error(), format!(", {} failed", session.failed));
    }
    if let Some((start, end)) = session.extent_ns {
        let time = units::time(Timestamp::from_nanos(start), layout.zone);
        let took = units::duration(end.saturating_sub(start));
        title = title.and(style.muted(), format!("   from {time}, {took}"));
    }
    out.line(title.fit_if(layout.width))?;
    let mut facts: Vec<String> = levels.map(str::to_owned).into_iter().collect();
    facts.extend(session.usage.as_ref().and_then(usage::tokens));
    facts.extend(session.cost.as_ref().and_then(Cost::total).map(units::cost));
    let mut durations = session.durations_ns.clone();
    durations.sort_unstable();
    let median = percentile(&durations, Quantile::P50);
    facts.extend(median.map(|ns| format!("median {} a turn", units::duration(ns))));
    if !facts.is_empty() {
        let line = Cell::new(style.muted(), facts.join("   "));
        out.line(line.fit_if(layout.width))?;
    }
    write_assessments(out, &session.assessments, layout)
}

/// Writes a turn.
pub fn write_turn(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    turn: &Turn,
    options: TranscriptOptions,
    layout: &Layout,
) -> io::Result<()> {
    let info = &report.trace.info;
    let style = layout.style;
    let rule = layout.glyphs.pick('─', '-');
    let mut facts = Vec::new();
    if !report.tree.is_empty() {
        facts.push(summary::total_text(report));
    }
    let tokens = turn.usage.tokens.value().and_then(TokenUsage::total);
    facts.extend(tokens.map(|tokens| format!("{} tokens", units::count(tokens))));
    let cost = turn.usage.cost.value().and_then(Cost::total);
    facts.extend(cost.map(units::cost));
    let head = Cell::new(style.muted(), format!("{rule}{rule} "))
        .and(style.heading(), turn.number.to_string())
        .and(style.text(), "  ")
        .then(&summary::state(info, layout))
        .and(style.text(), format!("  {}", facts.join("  ")))
        .and(style.text(), "  ")
        .and(style.id(), &info.trace_id)
        .and(style.text(), " ");
    let width = layout.width.unwrap_or(RULE);
    let left = width.saturating_sub(head.width() + text::width(" "));
    let head = head.and(style.muted(), rule.to_string().repeat(left));
    out.blank()?;
    out.line(head.fit_if(layout.width))?;
    write_messages(out, report, &turn.conversation, options, layout)?;
    write_assessments(out, &turn.assessments, layout)
}
