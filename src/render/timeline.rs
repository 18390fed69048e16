//! Stretches of a trace in a list: the critical path in order of time, and the
//! gaps in which nothing but the root was running. A bar shows where in the
//! trace each of them lies.

use std::io;

use super::cell::Cell;
use super::figures::{LEAST_BAR, MOST_BAR, PIPED_BAR};
use super::latency::write_note;
use super::table::{Align, GAP, Table, TableColumn, natural_widths};
use super::waterfall::{BarKind, Scale};
use super::{Layout, LeftOut};
use crate::analysis::LatencyReport;
use crate::table::rows::stretches::{self, GapRow, SHOWN_OF_GAPS, SHOWN_OF_SECTIONS, SectionRow};
use crate::table::{Column, Kind, Rows};
use crate::text::Sheet;
use crate::units;

const LEAST_TEXT: usize = 6;

/// Writes the stretches of the critical path in order of time; gives the columns
/// left out.
pub fn write_critical_path(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    out.styled(style.title(), "Critical path")?;
    if report.sections.is_empty() {
        out.styled(style.muted(), "The trace took no time.")?;
        return Ok(LeftOut::new());
    }
    let columns = stretches::sections().some(&SHOWN_OF_SECTIONS);
    let sections = report.sections.iter();
    let rows: Vec<SectionRow<'_>> = sections
        .map(|section| SectionRow { report, section })
        .collect();
    let bars = report
        .sections
        .iter()
        .map(|s| (s.start_offset_ns, s.duration_ns));
    let left_out = write_list(
        out,
        report,
        &columns,
        &rows,
        &bars.collect::<Vec<_>>(),
        layout,
    )?;
    note(
        out,
        "It is inferred from the times alone: at each moment, the span that ended last is the one waited for.",
        layout,
    )?;
    Ok(left_out)
}

/// Writes the gaps, largest first.
pub fn write_gaps(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let total = report.total_ns();
    let title = Cell::new(style.title(), "Gaps").and(
        style.text(),
        format!(
            "  {}  {} %",
            units::duration(report.unaccounted_ns),
            units::percent(report.unaccounted_ns, total)
        ),
    );
    out.line(title)?;
    if report.gaps.is_empty() {
        return out.styled(
            style.muted(),
            "At every moment some span below the root was running.",
        );
    }
    let columns = stretches::gaps().some(&SHOWN_OF_GAPS);
    let gaps = report.gaps.iter();
    let rows: Vec<GapRow<'_>> = gaps.map(|gap| GapRow { report, gap }).collect();
    let bars: Vec<(i64, i64)> = report
        .gaps
        .iter()
        .map(|g| (g.start_offset_ns, g.duration_ns))
        .collect();
    write_list(out, report, &columns, &rows, &bars, layout)?;
    note(
        out,
        "A gap is time in which no span but the root was running.",
        layout,
    )
}

fn note(out: &mut Sheet<'_>, text: &str, layout: &Layout) -> io::Result<()> {
    out.blank()?;
    write_note(out, text, layout)
}

/// Three figures, two texts and a bar that shows where in the trace it is.
fn write_list<'r, R: Rows>(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    columns: &[Column<R>],
    rows: &'r [R::Row<'r>],
    bars: &[(i64, i64)],
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    let cells = |row| columns.iter().map(move |column| column.cell(row, layout));
    let mut rows: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row).collect()).collect();
    let heads: Vec<&str> = columns.iter().map(Column::title).collect();
    let mut widths = natural_widths(&heads, &rows);
    let bar = match layout.width {
        Some(width) => {
            let last_is_id = columns[4].kind() == Kind::Id;
            share(&mut widths, width, last_is_id).min(MOST_BAR)
        }
        None => PIPED_BAR,
    };
    let shown = widths.len();
    let has_bar = bar >= LEAST_BAR;
    let mut columns: Vec<TableColumn> = columns
        .iter()
        .zip(&widths)
        .map(|(column, width)| TableColumn::of(column, *width, layout))
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
        out.line(line)?;
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
