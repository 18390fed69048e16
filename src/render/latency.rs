//! Where the time of a trace went: what it took in all, and one row for each
//! group of spans. Warnings are not printed here; they belong on another stream.

use std::io;

use super::cell::Cell;
use super::figures::{Bars, Figure, Figures, Shown};
use super::summary::total_text;
use super::table::GAP;
use super::waterfall::share_bar;
use super::{Layout, LeftOut, list};
use crate::analysis::{By, LatencyReport, Row, TotalBasis};
use crate::table::rows::latency::{self, GroupRow, Groups};
use crate::table::{Column, Columns};
use crate::text::{Clean, Sheet};
use crate::units;

/// Writes the head and the table of groups; gives the columns left out.
pub fn write(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    rows: &[Row],
    by: By,
    layout: &Layout,
) -> io::Result<LeftOut> {
    write_head(out, report, layout)?;
    if report.tree.is_empty() {
        out.blank()?;
        out.styled(layout.style.muted(), "This trace has no spans.")?;
        return Ok(LeftOut::new());
    }
    out.blank()?;
    write_rows(out, report, rows, by, layout)
}

fn write_head(out: &mut Sheet<'_>, report: &LatencyReport<'_>, layout: &Layout) -> io::Result<()> {
    let (info, style) = (&report.trace.info, layout.style);
    let name = match info.name() {
        Some(name) => Cell::new(style.title(), name),
        None => Cell::new(style.muted(), "(no name)"),
    };
    let id = Cell::new(style.id(), &info.trace_id);
    let one_line = layout
        .width
        .is_none_or(|w| name.width() + GAP + id.width() <= w);
    if one_line {
        out.line(name.and(style.text(), "  ").then(&id))?;
    } else {
        out.line(name.fit_if(layout.width))?;
        out.line(id)?;
    }
    if report.tree.is_empty() {
        return Ok(());
    }
    let mut parts = vec![
        Cell::new(style.muted(), "total ")
            .and(style.title(), total_text(report))
            .and(
                style.muted(),
                match report.tree.total_basis {
                    TotalBasis::Root => " (root span)",
                    TotalBasis::Extent => " (extent of all spans)",
                },
            ),
        Cell::new(style.text(), units::counted(report.tree.len(), "span")),
    ];
    if let Some(factor) = report.concurrency.filter(|c| *c >= 1.05) {
        let sign = layout.glyphs.pick("×", "x");
        parts.push(
            Cell::new(style.muted(), "concurrency ")
                .and(style.text(), format!("{factor:.1}{sign}")),
        );
    }
    if report.unaccounted_ns > 0 {
        let share = units::percent(report.unaccounted_ns, report.total_ns());
        parts.push(
            Cell::new(style.muted(), "unaccounted ")
                .and(style.text(), units::duration(report.unaccounted_ns))
                .and(style.muted(), format!(" ({share} %)")),
        );
    }
    if let Some(server) = report.tree.server_duration_ns {
        parts.push(Cell::new(style.muted(), "server ").and(style.text(), units::duration(server)));
    }
    write_flowing(out, &parts, layout)
}

/// Parts side by side, on as many lines as they need.
pub(super) fn write_flowing(
    out: &mut Sheet<'_>,
    parts: &[Cell],
    layout: &Layout,
) -> io::Result<()> {
    const BETWEEN: usize = 3;
    let mut used = 0;
    for part in parts {
        let columns = part.width();
        if used > 0 && layout.width.is_some_and(|w| used + BETWEEN + columns > w) {
            out.blank()?;
            used = 0;
        }
        let gap = if used > 0 { BETWEEN } else { 0 };
        out.put(Clean::blank(gap).then(part))?;
        used += gap + columns;
    }
    out.blank()
}

/// What is said of groups, and how readily each gives way; errors have no column where
/// nothing failed.
pub(super) fn figures<'r>(
    wanted: &[(&str, u8)],
    rows: &'r [GroupRow<'r>],
    layout: &Layout,
) -> Vec<Figure> {
    let known = Columns::new(latency::figures());
    let failed = rows.iter().any(|row| row.row.errors > 0);
    let is_wanted = |(name, _): &&(&str, u8)| *name != "errors" || failed;
    let wanted: Vec<(&str, u8)> = wanted.iter().filter(is_wanted).copied().collect();
    super::figures::figures(&known, &wanted, rows, layout)
}

/// What is said of the groups of one trace.
const SHOWN: [(&str, u8); 9] = [
    ("type", 7),
    ("count", 3),
    ("errors", 2),
    ("total_ns", 0),
    ("total_ratio", 6),
    ("self_ns", 0),
    ("self_ratio", 1),
    ("critical_ns", 5),
    ("critical_ratio", 4),
];

/// Writes the head and the groups with the columns that were chosen.
pub fn write_chosen(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    rows: &[Row],
    by: By,
    columns: Vec<Column<Groups>>,
    layout: &Layout,
) -> io::Result<()> {
    write_head(out, report, layout)?;
    out.blank()?;
    let shown = Shown::all(&columns);
    list::write(out, columns, &latency::of_one(report, rows, by), layout)?;
    write_footer(out, report, &shown, layout)
}

fn write_rows(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    rows: &[Row],
    by: By,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    let total = report.total_ns();
    // Spans that ran at the same time may come to more than the whole.
    let whole = rows.iter().map(|row| row.self_ns).fold(total, i64::max);
    let bar = |at: usize, width: usize| {
        let row: &Row = &rows[at];
        let kind = row.span_type().unwrap_or_default();
        let bar = share_bar(row.self_ns, whole, width, layout.glyphs);
        Cell::new(style.bar(kind), bar)
    };
    let groups = latency::of_one(report, rows, by);
    let known = latency::groups_of_one(by);
    let figure = |name: &str, gives_way| -> Vec<Figure> {
        let columns = known.plain().iter().filter(|c| c.name() == name);
        let figures = columns.map(|column| Figure::of(column, gives_way, &groups, layout));
        figures.collect()
    };
    // Names may be alike, so the ids give way last.
    let ids = figure("span_id", 1);
    let wanted = match by {
        By::Type | By::Status => &SHOWN[1..],
        _ => &SHOWN[..],
    };
    let figures = figures(wanted, &groups, layout);
    let shown = Figures {
        names: figure("name", 0),
        numbers: ids.into_iter().chain(figures).collect(),
        bars: Some(Bars {
            title: "SELF SHARE",
            draw: &bar,
        }),
    }
    .write(out, layout)?;
    write_footer(out, report, &shown, layout)?;
    Ok(shown.left_out)
}

/// Says what the shown percentages mean.
fn write_footer(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    shown: &Shown,
    layout: &Layout,
) -> io::Result<()> {
    let self_note = match report.concurrency {
        Some(factor) if factor >= 1.0005 => {
            "SELF %: time in the span but not in its children; more than 100 in all, since spans ran at the same time."
        }
        _ => "SELF %: time in the span but not in its children.",
    };
    let notes = [
        (
            "TOTAL %",
            "TOTAL %: recorded durations; nested spans repeat, so they do not add up to 100.",
        ),
        ("SELF %", self_note),
        (
            "CRIT %",
            "CRIT %: time on the critical path; adds up to 100.",
        ),
    ];
    out.blank()?;
    write_errors_note(out, shown, layout)?;
    let notes = notes.iter().filter(|(title, _)| shown.has(title));
    notes
        .map(|(_, text)| text)
        .try_for_each(|text| write_note(out, text, layout))
}

/// Whose errors are counted.
pub(super) fn write_errors_note(
    out: &mut Sheet<'_>,
    shown: &Shown,
    layout: &Layout,
) -> io::Result<()> {
    if !shown.has("ERRORS") {
        return Ok(());
    }
    write_note(out, "ERRORS: spans that failed.", layout)
}

pub(super) fn write_note(out: &mut Sheet<'_>, text: &str, layout: &Layout) -> io::Result<()> {
    let lines = Clean::line(text).wrapped(layout.width.map(|width| width.max(20)));
    lines
        .iter()
        .try_for_each(|line| out.painted(layout.style.muted(), line))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::analysis::{Sort, analyse};
    use crate::model::Trace;
    use crate::render::sample::{chain, coloured, hostile, printed, terminal, trace, widest};

    fn page(trace: &Trace, by: By, layout: &Layout) -> String {
        let report = analyse(trace);
        printed(|out| write(out, &report, &report.rows(by, Sort::SelfTime), by, layout).map(drop))
    }

    #[test]
    fn a_pipe_gets_every_column() {
        assert_snapshot!(page(&hostile(), By::Name, &Layout::piped()), @r"
        \x1b]0;owned\x07ag\u{202e}tne\nx  tr-b6df45fdeeac3d7f64f3de29e167bcbd
        total 1.64 s (root span)   10 spans   concurrency 1.5×   unaccounted 32.0 ms (2.0 %)

        NAME                  TYPE        COUNT  ERRORS      TOTAL  TOTAL %     SELF  SELF %  CRITICAL  CRIT %  SELF SHARE
        chat                  CHAT_MODEL      1       -     930 ms     56.7   929 ms    56.6       0 s     0.0  █████████████▋
        still running         LLM             1       -  >= 740 ms     45.1   740 ms    45.1    740 ms    45.1  ██████████▉
        lookup_order          TOOL            1     ✗ 1     370 ms     22.6   370 ms    22.6    370 ms    22.6  █████▍
        search index          UNKNOWN         1       -     243 ms     14.8   243 ms    14.8    243 ms    14.8  ███▌
        lost \u{2066}child    LLM             1       -     100 ms      6.1   100 ms     6.1       0 s     0.0  █▌
        embed                 EMBEDDING       1       -    53.0 ms      3.2  53.0 ms     3.2   53.0 ms     3.2  ▊
        agent                 AGENT           1       -     1.64 s    100.0  32.0 ms     2.0    232 ms    14.1  ▌
        検索サービス\x1b[31m  RETRIEVER       1       -     298 ms     18.2  2.00 ms     0.1   2.00 ms     0.1  ▏
        stream                TASK            1       -    1.00 ms     <0.1  1.00 ms    <0.1       0 s     0.0  ▏
        background            TASK            1       -     200 ms     12.2      0 s     0.0       0 s     0.0

        ERRORS: spans that failed.
        TOTAL %: recorded durations; nested spans repeat, so they do not add up to 100.
        SELF %: time in the span but not in its children; more than 100 in all, since spans ran at the same time.
        CRIT %: time on the critical path; adds up to 100.
        ");
    }

    #[test]
    fn narrow_terminals_keep_the_main_figures() {
        assert_snapshot!(page(&trace(), By::Name, &terminal(40)), @r#"
        agent
        tr-b6df45fdeeac3d7f64f3de29e167bcbd
        total 1.64 s (root span)   7 spans
        unaccounted 42.0 ms (2.6 %)

        NAME            TOTAL     SELF  SELF %
        chat           930 ms   929 ms    56.6
        lookup_order   370 ms   370 ms    22.6
        search index   243 ms   243 ms    14.8
        embed         53.0 ms  53.0 ms     3.2
        agent          1.64 s  42.0 ms     2.6
        retrieve       298 ms  2.00 ms     0.1
        stream        1.00 ms  1.00 ms    <0.1

        SELF %: time in the span but not in its
        children.
        "#);
        assert_snapshot!(page(&trace(), By::Name, &terminal(80)), @"
        agent  tr-b6df45fdeeac3d7f64f3de29e167bcbd
        total 1.64 s (root span)   7 spans   unaccounted 42.0 ms (2.6 %)

        NAME          COUNT  ERRORS    TOTAL  TOTAL %     SELF  SELF %  CRITICAL  CRIT %
        chat              1       -   930 ms     56.7   929 ms    56.6    929 ms    56.6
        lookup_order      1     ✗ 1   370 ms     22.6   370 ms    22.6    370 ms    22.6
        search index      1       -   243 ms     14.8   243 ms    14.8    243 ms    14.8
        embed             1       -  53.0 ms      3.2  53.0 ms     3.2   53.0 ms     3.2
        agent             1       -   1.64 s    100.0  42.0 ms     2.6   42.0 ms     2.6
        retrieve          1       -   298 ms     18.2  2.00 ms     0.1   2.00 ms     0.1
        stream            1       -  1.00 ms     <0.1  1.00 ms    <0.1   1.00 ms    <0.1

        ERRORS: spans that failed.
        TOTAL %: recorded durations; nested spans repeat, so they do not add up to 100.
        SELF %: time in the span but not in its children.
        CRIT %: time on the critical path; adds up to 100.
        ");
    }

    #[test]
    fn failed_rows_stand_out() {
        let text = page(&trace(), By::Type, &coloured(terminal(120)));
        let failed: Vec<&str> = text.lines().filter(|line| line.contains('✗')).collect();
        assert_snapshot!(failed.join("\n"), @"␛[31mTOOL␛[0m            1     ␛[31m✗ 1␛[0m   370 ms     22.6   370 ms    22.6    370 ms    22.6  ␛[36m█████████␛[0m");
    }

    #[test]
    fn spans_of_one_name_differ_by_their_ids() {
        let mut twins = trace();
        for span in &mut twins.spans {
            span.name = "a".to_owned();
        }
        let drawn = |width| {
            let report = analyse(&twins);
            let rows = report.rows(By::Span, Sort::SelfTime);
            printed(|out| write(out, &report, &rows[..3], By::Span, &terminal(width)).map(drop))
        };
        assert_snapshot!(drawn(110), @"
        agent  tr-b6df45fdeeac3d7f64f3de29e167bcbd
        total 1.64 s (root span)   7 spans   unaccounted 42.0 ms (2.6 %)

        SPAN  SPAN ID           TYPE        COUNT  ERRORS   TOTAL  TOTAL %    SELF  SELF %  CRITICAL  CRIT %
        a     00000000000000a4  CHAT_MODEL      1       -  930 ms     56.7  929 ms    56.6    929 ms    56.6
        a     00000000000000a3  TOOL            1     ✗ 1  370 ms     22.6  370 ms    22.6    370 ms    22.6
        a     00000000000000a6  UNKNOWN         1       -  243 ms     14.8  243 ms    14.8    243 ms    14.8

        ERRORS: spans that failed.
        TOTAL %: recorded durations; nested spans repeat, so they do not add up to 100.
        SELF %: time in the span but not in its children.
        CRIT %: time on the critical path; adds up to 100.
        ");
        assert_snapshot!(drawn(60), @"
        agent  tr-b6df45fdeeac3d7f64f3de29e167bcbd
        total 1.64 s (root span)   7 spans
        unaccounted 42.0 ms (2.6 %)

        SPAN  SPAN ID           ERRORS   TOTAL    SELF  SELF %
        a     00000000000000a4       -  930 ms  929 ms    56.6
        a     00000000000000a3     ✗ 1  370 ms  370 ms    22.6
        a     00000000000000a6       -  243 ms  243 ms    14.8

        ERRORS: spans that failed.
        SELF %: time in the span but not in its children.
        ");
    }

    #[test]
    fn paths_lose_their_start() {
        let text = page(&chain(6), By::Path, &terminal(70));
        assert_snapshot!(text, @r#"
        (no name)  tr-1
        total 12.0 ms (root span)   6 spans   unaccounted 2.00 ms (16.7 %)

        PATH                 COUNT    TOTAL     SELF  SELF %  CRITICAL  CRIT %
        step 0                   1  12.0 ms  2.00 ms    16.7   2.00 ms    16.7
        step 0 > step 1          1  10.0 ms  2.00 ms    16.7   2.00 ms    16.7
        … > step 1 > step 2      1  8.00 ms  2.00 ms    16.7   2.00 ms    16.7
        … > step 2 > step 3      1  6.00 ms  2.00 ms    16.7   2.00 ms    16.7
        … > step 3 > step 4      1  4.00 ms  2.00 ms    16.7   2.00 ms    16.7
        … > step 4 > step 5      1  2.00 ms  2.00 ms    16.7   2.00 ms    16.7

        SELF %: time in the span but not in its children.
        CRIT %: time on the critical path; adds up to 100.
        "#);
    }

    #[test]
    fn lines_fit() {
        for width in (44..200).step_by(5) {
            for by in By::ALL {
                let text = page(&hostile(), by, &terminal(width));
                assert!(widest(&text) <= width, "{width}:\n{text}");
            }
        }
    }

    #[test]
    fn a_trace_without_spans_says_so() {
        let mut trace = trace();
        trace.spans.clear();
        assert_snapshot!(page(&trace, By::Name, &Layout::piped()), @r#"
        agent  tr-b6df45fdeeac3d7f64f3de29e167bcbd

        This trace has no spans.
        "#);
    }
}
