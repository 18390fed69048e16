//! Stretches of a trace in a list: the critical path in order of time, and the
//! gaps in which nothing but the root was running. A bar shows where in the
//! trace each of them lies.

use std::io::{self, Write};

use super::cell::Cell;
use super::figures::{LEAST_BAR, MOST_BAR, PIPED_BAR};
use super::latency::write_note;
use super::style::Painted;
use super::table::{Align, GAP, Table, TableColumn, natural_widths};
use super::waterfall::{BarKind, Scale};
use super::{Layout, LeftOut, number};
use crate::analysis::{Gap, LatencyReport, NodeId};

const SPAN_ID: &str = "SPAN ID";
const LEAST_TEXT: usize = 6;

/// Writes the stretches of the critical path in order of time; gives the columns
/// left out.
pub fn write_critical_path(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    writeln!(out, "{}", Painted(style.title(), "Critical path"))?;
    if report.sections.is_empty() {
        writeln!(out, "{}", Painted(style.muted(), "The trace took no time."))?;
        return Ok(LeftOut::new());
    }
    let total = report.total_ns();
    let rows: Vec<Vec<Cell>> = report
        .sections
        .iter()
        .map(|section| {
            vec![
                Cell::new(style.text(), number::duration(section.start_offset_ns)),
                Cell::new(style.text(), number::duration(section.duration_ns)),
                Cell::new(style.text(), number::percent(section.duration_ns, total)),
                span_name(report, section.node, layout),
                span_id(report, section.node, layout),
            ]
        })
        .collect();
    let bars = report
        .sections
        .iter()
        .map(|s| (s.start_offset_ns, s.duration_ns));
    let heads = ["START", "DURATION", "%", "SPAN", SPAN_ID];
    let left_out = write_list(out, report, &heads, rows, &bars.collect::<Vec<_>>(), layout)?;
    note(
        out,
        "It is inferred from the times alone: at each moment, the span that ended last is the one waited for.",
        layout,
    )?;
    Ok(left_out)
}

/// Writes the gaps, largest first.
pub fn write_gaps(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let total = report.total_ns();
    let title = Cell::new(style.title(), "Gaps").and(
        style.text(),
        format!(
            "  {}  {} %",
            number::duration(report.unaccounted_ns),
            number::percent(report.unaccounted_ns, total)
        ),
    );
    writeln!(out, "{title}")?;
    if report.gaps.is_empty() {
        return writeln!(
            out,
            "{}",
            Painted(
                style.muted(),
                "At every moment some span below the root was running."
            )
        );
    }
    let row = |gap: &Gap| {
        vec![
            Cell::new(style.text(), number::duration(gap.start_offset_ns)),
            Cell::new(style.text(), number::duration(gap.duration_ns)),
            Cell::new(style.text(), number::percent(gap.duration_ns, total)),
            edge(report, gap.before, "(start)", layout),
            edge(report, gap.after, "(end)", layout),
        ]
    };
    let rows: Vec<Vec<Cell>> = report.gaps.iter().map(row).collect();
    let bars: Vec<(i64, i64)> = report
        .gaps
        .iter()
        .map(|g| (g.start_offset_ns, g.duration_ns))
        .collect();
    write_list(
        out,
        report,
        &["START", "DURATION", "%", "AFTER", "BEFORE"],
        rows,
        &bars,
        layout,
    )?;
    note(
        out,
        "A gap is time in which no span but the root was running.",
        layout,
    )
}

fn note(out: &mut dyn Write, text: &str, layout: &Layout) -> io::Result<()> {
    writeln!(out)?;
    write_note(out, text, layout)
}

fn span_name(report: &LatencyReport<'_>, id: Option<NodeId>, layout: &Layout) -> Cell {
    let style = layout.style;
    let Some(id) = id else {
        return Cell::new(style.muted(), "(no span)");
    };
    let span = report.span(id);
    let look = match span.status {
        crate::model::StatusCode::Error => style.error(),
        _ => style.text(),
    };
    let mut cell = Cell::default();
    if let Some(parent) = report.tree.node(id).parent {
        cell = cell.and(
            style.muted(),
            format!(
                "{} {} ",
                report.span(parent).name,
                layout.glyphs.pick("›", ">")
            ),
        );
    }
    cell.and(look, &span.name)
}

fn span_id(report: &LatencyReport<'_>, id: Option<NodeId>, layout: &Layout) -> Cell {
    match id {
        Some(id) => Cell::new(layout.style.id(), report.span(id).span_id.as_str()),
        None => Cell::new(layout.style.muted(), number::NONE),
    }
}

fn edge(report: &LatencyReport<'_>, id: Option<NodeId>, none: &str, layout: &Layout) -> Cell {
    match id {
        Some(id) => Cell::new(layout.style.text(), &report.span(id).name),
        None => Cell::new(layout.style.muted(), none),
    }
}

/// Three figures, two texts and a bar that shows where in the trace it is.
fn write_list(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    heads: &[&str; 5],
    mut rows: Vec<Vec<Cell>>,
    bars: &[(i64, i64)],
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    let mut widths = natural_widths(heads, &rows);
    let bar = match layout.width {
        Some(width) => share(&mut widths, width, heads[4] == SPAN_ID).min(MOST_BAR),
        None => PIPED_BAR,
    };
    let shown = widths.len();
    let has_bar = bar >= LEAST_BAR;
    let mut columns: Vec<TableColumn> = heads
        .iter()
        .zip(&widths)
        .enumerate()
        .map(|(at, (head, width))| TableColumn {
            head: Cell::new(style.heading(), head),
            align: if at < 3 { Align::Right } else { Align::Left },
            width: *width,
        })
        .collect();
    let scale = Scale::new(0, report.total_ns(), bar, layout.glyphs);
    if has_bar {
        columns.push(TableColumn {
            head: Cell::default(),
            align: Align::Left,
            width: bar,
        });
    }
    for (row, (start, length)) in rows.iter_mut().zip(bars) {
        row.truncate(shown);
        if layout.width.is_some() {
            for at in 3..shown {
                row[at] = std::mem::take(&mut row[at]).fit(widths[at]);
            }
        }
        if has_bar {
            let (blank, bar) = scale.bar(*start, start.saturating_add(*length), BarKind::Done);
            row.push(Cell::new(style.text(), " ".repeat(blank)).and(style.muted(), bar));
        }
    }
    let table = Table::new(columns);
    table.write_head(out)?;
    for line in table.lines(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(heads[shown..]
        .iter()
        .map(|head| (*head).to_owned())
        .collect())
}

/// Fits three figures, which keep their widths, and two texts into a line. A last
/// column of ids is whole or not there, and not there at the expense of name and
/// bar. Gives what is left for the bar.
fn share(widths: &mut Vec<usize>, width: usize, last_is_id: bool) -> usize {
    let figures: usize = widths[..3].iter().map(|w| w + GAP).sum();
    let mut room = width.saturating_sub(figures);
    if last_is_id {
        let id = widths[4] + GAP;
        if widths[3] + id + GAP + LEAST_BAR > room {
            widths.pop();
        } else {
            room = room.saturating_sub(id);
        }
        widths[3] = widths[3].min(room).max(LEAST_TEXT);
        return room.saturating_sub(widths[3] + GAP);
    }
    room = room.saturating_sub(GAP);
    // Half for each, and what one does not need for the other.
    let second = widths[4].min((room / 2).max(room.saturating_sub(widths[3])));
    widths[3] = widths[3].min(room.saturating_sub(second)).max(LEAST_TEXT);
    widths[4] = second.max(LEAST_TEXT);
    room.saturating_sub(widths[3] + widths[4] + GAP)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::analysis::analyse;
    use crate::model::Trace;
    use crate::render::sample::{chain, hostile, printed, terminal, trace, widest};

    fn both(trace: &Trace, layout: &Layout) -> String {
        let report = analyse(trace);
        printed(|out| {
            write_critical_path(out, &report, layout)?;
            write_gaps(out, &report, layout)
        })
    }

    #[test]
    fn stretches_are_listed_with_their_place() {
        assert_snapshot!(both(&trace(), &Layout::piped()), @r#"
        Critical path
          START  DURATION     %  SPAN                     SPAN ID
            0 s   12.0 ms   0.7  agent                    00000000000000a1  ▏
        12.0 ms   1.00 ms  <0.1  agent › retrieve         00000000000000a2  ▏
        13.0 ms   53.0 ms   3.2  retrieve › embed         00000000000000a5  ▊
        66.0 ms    243 ms  14.8  retrieve › search index  00000000000000a6   ███▌
         309 ms   1.00 ms  <0.1  agent › retrieve         00000000000000a2      ▏
         310 ms   10.0 ms   0.6  agent                    00000000000000a1      ▏
         320 ms    370 ms  22.6  agent › lookup_order     00000000000000a3      ▐█████▏
         690 ms   10.0 ms   0.6  agent                    00000000000000a1            ▏
         700 ms    929 ms  56.6  agent › chat             00000000000000a4            █████████████▉
         1.63 s   1.00 ms  <0.1  chat › stream            00000000000000a7                         ▏
         1.63 s   10.0 ms   0.6  agent                    00000000000000a1                         ▏

        It is inferred from the times alone: at each moment, the span that ended last is the one waited for.
        Gaps  42.0 ms  2.6 %
         START  DURATION    %  AFTER         BEFORE
           0 s   12.0 ms  0.7  (start)       retrieve      ▏
        310 ms   10.0 ms  0.6  retrieve      lookup_order      ▏
        690 ms   10.0 ms  0.6  lookup_order  chat                    ▏
        1.63 s   10.0 ms  0.6  chat          (end)                                ▏

        A gap is time in which no span but the root was running.
        "#);
        assert_snapshot!(both(&trace(), &terminal(60)), @r#"
        Critical path
          START  DURATION     %  SPAN
            0 s   12.0 ms   0.7  agent                    ▏
        12.0 ms   1.00 ms  <0.1  agent › retrieve         ▏
        13.0 ms   53.0 ms   3.2  retrieve › embed         ▎
        66.0 ms    243 ms  14.8  retrieve › search index  █▉
         309 ms   1.00 ms  <0.1  agent › retrieve          ▏
         310 ms   10.0 ms   0.6  agent                     ▏
         320 ms    370 ms  22.6  agent › lookup_order       ██▎
         690 ms   10.0 ms   0.6  agent                        ▏
         700 ms    929 ms  56.6  agent › chat                 █████▉
         1.63 s   1.00 ms  <0.1  chat › stream                     ▏
         1.63 s   10.0 ms   0.6  agent                             ▏

        It is inferred from the times alone: at each moment, the
        span that ended last is the one waited for.
        Gaps  42.0 ms  2.6 %
         START  DURATION    %  AFTER         BEFORE
           0 s   12.0 ms  0.7  (start)       retrieve
        310 ms   10.0 ms  0.6  retrieve      lookup_order
        690 ms   10.0 ms  0.6  lookup_order  chat
        1.63 s   10.0 ms  0.6  chat          (end)

        A gap is time in which no span but the root was running.
        "#);
    }

    #[test]
    fn nothing_to_list_says_so() {
        let mut trace = trace();
        trace.spans.clear();
        assert_snapshot!(both(&trace, &terminal(80)), @r#"
        Critical path
        The trace took no time.
        Gaps  0 s  - %
        At every moment some span below the root was running.
        "#);
    }

    #[test]
    fn lines_fit() {
        for width in (40..160).step_by(3) {
            for trace in [hostile(), chain(20)] {
                let text = both(&trace, &terminal(width));
                assert!(widest(&text) <= width, "{width}:\n{text}");
            }
        }
    }
}
