//! Where the time of many traces went: what they took, a row for each group of
//! spans, the slowest traces, and what would be left if some spans took less.

use std::io;

use super::cell::Cell;
use super::figures::{Bars, Figure, Figures, Shown};
use super::latency::{figures, write_errors_note, write_flowing, write_note};
use super::short_id::ShortIds;
use super::waterfall::share_bar;
use super::{Layout, LeftOut, list};
use crate::analysis::{ManyReport, Question, Row, SlowTrace, Summary, Unit, WhatIf};
use crate::table::Column;
use crate::table::rows::latency::{self, Groups, percentile};
use crate::table::rows::many as slow_traces;
use crate::text::Sheet;
use crate::units;

pub(super) const ROUGH_NOTE: &str =
    "~: a p95 from fewer than 20 samples, or a p99 from fewer than 100.";

/// Writes the head and the table of groups; gives the columns left out.
pub fn write(
    out: &mut Sheet<'_>,
    report: &ManyReport,
    question: &Question,
    layout: &Layout,
) -> io::Result<LeftOut> {
    write_head(out, report, layout)?;
    if report.rows.is_empty() {
        return Ok(LeftOut::new());
    }
    out.blank()?;
    write_rows(out, report, question, layout)
}

fn write_head(out: &mut Sheet<'_>, report: &ManyReport, layout: &Layout) -> io::Result<()> {
    let style = layout.style;
    let labelled = |label: &str, text: String| {
        Cell::new(style.muted(), format!("{label} ")).and(style.text(), text)
    };
    let mut parts = vec![
        Cell::new(style.title(), units::counted(report.traces, "trace")),
        Cell::new(style.text(), units::counted(report.spans, "span")),
    ];
    if report.spans > 0 {
        parts.push(labelled("total", units::duration(report.total_ns)));
    }
    if let Some(stats) = &report.stats {
        parts.extend([
            labelled("mean", units::duration(stats.avg_ns)),
            labelled("p50", units::duration(stats.p50_ns)),
            labelled("p95", percentile(stats.p95_ns, stats.p95_is_rough())),
            labelled("p99", percentile(stats.p99_ns, stats.p99_is_rough())),
            labelled("max", units::duration(stats.max_ns)),
        ]);
    }
    if report.in_progress > 0 {
        parts.push(Cell::new(
            style.in_progress(),
            format!("{} in progress", units::whole(report.in_progress)),
        ));
    }
    if report.without_spans > 0 {
        parts.push(Cell::new(
            style.muted(),
            format!("{} without spans", units::whole(report.without_spans)),
        ));
    }
    write_flowing(out, &parts, layout)
}

fn write_rows(
    out: &mut Sheet<'_>,
    report: &ManyReport,
    question: &Question,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let (rows, total) = (&report.rows, report.total_ns);
    let groups = latency::of_many(report);
    let keys = latency::keys_of_many(question);
    let names = keys.iter().map(|key| Figure::of(key, 0, &groups, layout));
    let differs = |row: &Row| row.stats.as_ref().map_or(0, |s| s.n) != row.count;
    let wanted = if rows.iter().any(differs) {
        &SHOWN[..]
    } else {
        &SHOWN[1..]
    };
    let bar = |at: usize, width: usize| {
        let row: &Row = &rows[at];
        let kind = row.span_type().unwrap_or_default();
        let bar = share_bar(row.critical_ns, total, width, layout.glyphs);
        Cell::new(layout.style.bar(kind), bar)
    };
    let shown = Figures {
        names: names.collect(),
        numbers: figures(wanted, &groups, layout),
        bars: Some(Bars {
            title: "CRIT SHARE",
            draw: &bar,
        }),
    }
    .write(out, layout)?;
    write_notes(out, report, question, &shown, layout)?;
    Ok(shown.left_out)
}

/// What is said of the groups, and how readily each gives way.
const SHOWN: [(&str, u8); 11] = [
    ("count", 8),
    ("n", 1),
    ("errors", 2),
    ("p50_ns", 3),
    ("p95_ns", 0),
    ("p99_ns", 4),
    ("max_ns", 7),
    ("total_ns", 9),
    ("self_ns", 6),
    ("critical_ns", 5),
    ("critical_ratio", 0),
];

/// Writes the head and the groups with the columns that were chosen.
pub fn write_chosen(
    out: &mut Sheet<'_>,
    report: &ManyReport,
    question: &Question,
    columns: Vec<Column<Groups>>,
    layout: &Layout,
) -> io::Result<()> {
    write_head(out, report, layout)?;
    if report.rows.is_empty() {
        return Ok(());
    }
    out.blank()?;
    let shown = Shown::all(&columns);
    list::write(out, columns, &latency::of_many(report), layout)?;
    write_notes(out, report, question, &shown, layout)
}

/// Says what is behind the figures that are shown.
fn write_notes(
    out: &mut Sheet<'_>,
    report: &ManyReport,
    question: &Question,
    shown: &Shown,
    layout: &Layout,
) -> io::Result<()> {
    out.blank()?;
    let of_samples = ["N", "AVG", "MIN", "P50", "P95", "P99", "MAX"];
    if of_samples.iter().any(|title| shown.has(title)) {
        write_note(out, sample_note(question), layout)?;
    }
    write_errors_note(out, shown, layout)?;
    let in_head = report.stats.as_ref().is_some_and(Summary::p99_is_rough);
    let stats = report.rows.iter().filter_map(|row| row.stats.as_ref());
    if in_head || is_marked(stats, shown) {
        write_note(out, ROUGH_NOTE, layout)?;
    }
    if !shown.has("CRIT %") {
        return Ok(());
    }
    write_note(
        out,
        "CRIT %: time on the critical paths of all traces; adds up to 100.",
        layout,
    )
}

/// Whether a percentile that is shown is marked.
pub(super) fn is_marked<'s>(stats: impl IntoIterator<Item = &'s Summary>, shown: &Shown) -> bool {
    let (p95, p99) = (shown.has("P95"), shown.has("P99"));
    stats
        .into_iter()
        .any(|stats| (p95 && stats.p95_is_rough()) || (p99 && stats.p99_is_rough()))
}

fn sample_note(question: &Question) -> &'static str {
    match (question.unit, &question.key) {
        (Unit::Call, _) => "N and percentiles: one sample is one span that has ended.",
        (Unit::Trace, key) if !key.is_of_spans() => {
            "N and percentiles: one sample is one trace that has ended."
        }
        (Unit::Trace, _) => "N and percentiles: one sample is the sum over one trace.",
    }
}

/// From so many columns on, lists of traces have whole ids.
const WIDE: usize = 120;

/// Writes the slowest traces; gives the columns left out.
pub fn write_slowest(
    out: &mut Sheet<'_>,
    slowest: &[SlowTrace],
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    out.styled(style.title(), "Slowest traces")?;
    let has_errors = slowest.iter().any(|slow| slow.errors > 0);
    let is_shown = |(name, _): &(&str, u8)| *name != "errors" || has_errors;
    let wanted: Vec<(&str, u8)> = SHOWN_OF_SLOWEST.into_iter().filter(is_shown).collect();
    let known = slow_traces::slowest();
    let figures = |wanted: &[(&str, u8)]| super::figures::figures(&known, wanted, slowest, layout);
    // Its beginning finds a trace, too, but not what a cut of the table would leave of it.
    let narrow = layout.width.is_some_and(|width| width < WIDE);
    let mut short = ShortIds::among(slowest.iter().map(|slow| slow.trace_id.as_str()));
    let mut ids = figures(&[("trace_id", 0)]);
    for figure in &mut ids {
        figure.least = usize::MAX;
        for cell in figure.cells.iter_mut().filter(|_| narrow) {
            *cell = cell.like(short.short(&cell.plain()));
        }
    }
    let shown = Figures {
        names: ids,
        numbers: figures(&wanted),
        bars: None,
    };
    Ok(shown.write(out, layout)?.left_out)
}

/// What is said of the slowest traces, and how readily each gives way.
const SHOWN_OF_SLOWEST: [(&str, u8); 5] = [
    ("total_ns", 0),
    ("spans", 3),
    ("errors", 2),
    ("start", 4),
    ("mostly", 1),
];

/// Writes what would be left if some spans took less time.
pub fn write_what_if(
    out: &mut Sheet<'_>,
    what_if: &WhatIf,
    report: &ManyReport,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let supposed = &what_if.supposed;
    let whose = if supposed.with_called {
        "and what it called"
    } else {
        "itself, without what it called,"
    };
    let takes = if supposed.factor == 0.0 {
        "took no time".to_owned()
    } else {
        format!("took {} % of their time", supposed.factor * 100.0)
    };
    let title = Cell::new(style.title(), "What if ")
        .and(style.title(), &supposed.name)
        .and(style.title(), format!(" {whose} {takes}"));
    out.line(title)?;
    if what_if.traces == 0 {
        let nothing = if what_if.named {
            "It is on the critical path of no trace, so nothing would change."
        } else {
            "No span has this name, so nothing would change."
        };
        return write_note(out, nothing, layout);
    }
    out.line(format!(
        "at most {} less in all ({} %), in {} of {}",
        units::duration(what_if.saved_ns),
        units::percent(what_if.saved_ns, report.total_ns),
        units::whole(what_if.traces),
        units::counted(report.traces, "trace"),
    ))?;
    if let (Some(now), Some(left)) = (&report.stats, &what_if.left) {
        // The table above explains the mark, as its head has a p99 of as many samples.
        let texts = |stats: &Summary| {
            [
                units::duration(stats.avg_ns),
                units::duration(stats.p50_ns),
                percentile(stats.p95_ns, stats.p95_is_rough()),
                units::duration(stats.max_ns),
            ]
        };
        let arrow = layout.glyphs.pick("→", "->");
        let labels = ["mean", "p50", "p95", "max"].into_iter();
        let parts: Vec<Cell> = labels
            .zip(texts(now).into_iter().zip(texts(left)))
            .map(|(label, (now, left))| {
                Cell::new(style.muted(), format!("{label} "))
                    .and(style.text(), format!("{now} {arrow} {left}"))
            })
            .collect();
        write_flowing(out, &parts, layout)?;
    }
    write_note(
        out,
        "A bound from critical-path time: other spans may take their place on the path, so less would be gained.",
        layout,
    )
}
