//! Two traces, or two sets of traces, against each other: figures of the whole,
//! and one row for each group of spans that differs. Every change has a sign;
//! what got worse and what got better also differ by colour, but a change that
//! chance may explain has none.

mod feedback;
mod notes;
pub(crate) mod totals;

use std::io;

use super::cell::Cell;
use super::figures::{Figure, Figures, Shown};
use super::latency::write_note;
use super::table::GAP;
use super::{Layout, LeftOut, list};
use crate::analysis::{Diff, DiffRow, LogChange, Side, Sides, Test, Verdict};
use crate::table::Column;
use crate::table::rows::diff::{self as changes, Changes};
use crate::text::Sheet;
use crate::units;

const TYPICAL: &str = "TYPICAL %";

/// Writes what is compared (the file or filter of each side, where there is one), the figures of the whole, and `rows`, which are all
/// or the first of the comparison's. Gives the columns left out.
pub fn write(
    out: &mut Sheet<'_>,
    diff: &Diff,
    rows: &[DiffRow],
    sources: &Sides<Option<String>>,
    chosen: Option<Vec<Column<Changes>>>,
    layout: &Layout,
) -> io::Result<LeftOut> {
    for (label, side) in [("before", Side::Before), ("after", Side::After)] {
        write_subject(out, label, diff, side, sources.get(side).as_deref(), layout)?;
    }
    out.blank()?;
    let mut left_out = totals::write(out, diff, layout)?;
    out.blank()?;
    if diff.rows.is_empty() {
        let nothing = if diff.is_empty() {
            "No difference."
        } else {
            "No row differs."
        };
        out.styled(layout.style.ok(), nothing)?;
        write_note(out, &notes::unchanged(diff), layout)?;
        for note in notes::on_totals(diff) {
            write_note(out, &note, layout)?;
        }
        return Ok(left_out);
    }
    if let Some(columns) = chosen {
        let shown = Shown::all(&columns);
        list::write(out, columns, &changes::of(rows), layout)?;
        notes::write(out, diff, &shown, layout)?;
    } else {
        left_out.extend(write_rows(out, diff, rows, layout)?);
    }
    Ok(left_out)
}

fn write_subject(
    out: &mut Sheet<'_>,
    label: &str,
    diff: &Diff,
    side: Side,
    source: Option<&str>,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let mut parts = vec![Cell::new(style.muted(), format!("{label:<6}"))];
    match diff.only.get(side) {
        Some(trace) if diff.pair => {
            parts.push(match &trace.name {
                Some(name) => Cell::new(style.title(), name),
                None => Cell::new(style.muted(), "(no name)"),
            });
            parts.push(Cell::new(style.id(), &trace.trace_id));
        }
        _ => {
            let traces = diff.intake.get(side).traces;
            parts.push(Cell::new(style.title(), units::counted(traces, "trace")));
        }
    }
    parts.extend(source.map(|source| Cell::new(style.text(), source)));
    // The id is for copying, so the name gives way.
    let rest: usize = parts.iter().skip(2).map(|part| part.width() + GAP).sum();
    if let (Some(width), true) = (layout.width, diff.pair) {
        let room = width.saturating_sub(parts[0].width() + GAP + rest);
        parts[1] = parts[1].clone().fit(room.max(8));
    }
    let mut line = Cell::default();
    for (at, part) in parts.into_iter().enumerate() {
        let gap = if at > 0 { GAP } else { 0 };
        line = part.after(line.and(style.text(), " ".repeat(gap)));
    }
    let line = if diff.pair {
        line
    } else {
        line.fit_if(layout.width)
    };
    out.line(line)
}

/// `2 → 3`, or once what did not change.
fn both(texts: &Sides<String>, layout: &Layout) -> String {
    if texts.before == texts.after {
        return texts.before.clone();
    }
    let arrow = layout.glyphs.pick("→", "->");
    format!("{} {arrow} {}", texts.before, texts.after)
}

/// With its sign, but for nothing at all.
fn signed(value: i64, text: impl Fn(i64) -> String) -> String {
    let plus = if value > 0 { "+" } else { "" };
    format!("{plus}{}", text(value))
}

/// A share in percent with its sign and one decimal: `+12.0`.
fn signed_percent(share: f64) -> String {
    let percent = share * 100.0;
    let sign = if percent < 0.0 { "-" } else { "+" };
    match percent.abs() {
        0.0 => "0.0".to_owned(),
        tiny if tiny < 0.05 => format!("{sign}<0.1"),
        large if large >= 100_000.0 => format!("{sign}{large:.0}"),
        size => format!("{sign}{size:.1}"),
    }
}

/// Less time, fewer errors, tokens and dollars are better.
fn change_look(change: i64, layout: &Layout) -> anstyle::Style {
    match change {
        0 => layout.style.muted(),
        ..0 => layout.style.ok(),
        1.. => layout.style.error(),
    }
}

fn verdict_of(
    verdict: Verdict,
    [higher, lower]: [&'static str; 2],
    too_few: &'static str,
    layout: &Layout,
) -> Cell {
    let style = layout.style;
    match verdict {
        Verdict::Higher => Cell::new(style.error(), higher),
        Verdict::Lower => Cell::new(style.ok(), lower),
        Verdict::Noise => Cell::new(style.text(), "within noise"),
        Verdict::TooFew => Cell::new(style.text(), too_few),
    }
}

fn write_rows(
    out: &mut Sheet<'_>,
    diff: &Diff,
    rows: &[DiffRow],
    layout: &Layout,
) -> io::Result<LeftOut> {
    let column = |of: &dyn Fn(&DiffRow) -> Cell| rows.iter().map(of).collect::<Vec<Cell>>();
    let (known, changes) = (changes::changes(diff.by), changes::of(rows));
    let figure = |name: &str, gives_way: u8| -> Vec<Figure> {
        let columns = known.some(&[name]).into_iter();
        let figures = columns.map(|column| Figure::of(&column, gives_way, &changes, layout));
        figures.collect()
    };
    let mut figures = vec![Figure::numbers(
        "CALLS",
        3,
        column(&|row| calls(diff, row, layout)),
    )];
    figures.extend(figure("critical_before_ns", 2));
    figures.extend(figure("critical_after_ns", 2));
    figures.extend(figure("critical_change_ns", 0));
    if diff.found.tested > 0 {
        figures.extend(figure("typical_change_ratio", 4));
        figures.extend(figure("verdict", 0));
    }
    if !diff.is_within_noise() {
        figures.extend(figure("share", 1));
    }
    if rows.iter().any(|row| row.errors != Sides::default()) {
        figures.push(Figure::numbers(
            "ERRORS",
            4,
            column(&|row| errors(diff, row, layout)),
        ));
    }
    figures.extend(figure("self_before_ns", 6));
    figures.extend(figure("self_after_ns", 6));
    figures.extend(figure("self_change_ns", 5));
    let shown = Figures {
        names: figure("name", 0),
        numbers: figures,
        bars: None,
    }
    .write(out, layout)?;
    notes::write(out, diff, &shown, layout)?;
    Ok(shown.left_out)
}

/// Calls of a single trace, or per trace of a set.
fn calls(diff: &Diff, row: &DiffRow, layout: &Layout) -> Cell {
    let text = Sides::of(|side| {
        let calls = i64::try_from(*row.calls.get(side)).unwrap_or(i64::MAX);
        let traces = i64::try_from(diff.intake.get(side).traces).unwrap_or(i64::MAX);
        if diff.pair {
            units::count(calls)
        } else {
            per_trace(calls, traces)
        }
    });
    let look = if row.calls.before == 0 || row.calls.after == 0 {
        layout.style.warning()
    } else {
        layout.style.text()
    };
    Cell::new(look, both(&text, layout))
}

/// A mean with two decimals, or none where it is whole.
fn per_trace(calls: i64, traces: i64) -> String {
    let traces = i128::from(traces.max(1));
    let hundredths = (i128::from(calls) * 200 + traces) / (traces * 2);
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    let count = units::count(i64::try_from(whole).unwrap_or(i64::MAX));
    match (rest, calls) {
        (0, 1..) if whole == 0 => "<0.01".to_owned(),
        (0, _) => count,
        (rest, _) => format!("{count}.{rest:02}"),
    }
}

/// Failed calls of a single trace, or their part of all calls of a set.
fn errors(diff: &Diff, row: &DiffRow, layout: &Layout) -> Cell {
    let style = layout.style;
    let failed = row.errors.map(|n| i64::try_from(*n).unwrap_or(i64::MAX));
    let calls = row.calls.map(|n| i64::try_from(*n).unwrap_or(i64::MAX));
    let text = Sides::of(|side| match (*failed.get(side), *calls.get(side)) {
        (0, _) => "0".to_owned(),
        (failed, _) if diff.pair => units::count(failed),
        (failed, calls) => format!("{} %", units::percent(failed, calls)),
    });
    if row.errors == Sides::default() {
        return Cell::new(style.muted(), units::NONE);
    }
    let look = if text.before == text.after {
        style.text()
    } else {
        // Rates are compared without dividing.
        let rate = |side, other| i128::from(*failed.get(side)) * i128::from(*calls.get(other));
        let more = if diff.pair {
            failed.after > failed.before
        } else {
            rate(Side::After, Side::Before) > rate(Side::Before, Side::After)
        };
        if more { style.error() } else { style.ok() }
    };
    Cell::new(look, both(&text, layout))
}

/// `+12.0 (+3.0 to +22.0)`.
fn typical_change(typical: LogChange) -> String {
    let [change, low, high] = typical.ratios().map(signed_percent);
    format!("{change} ({low} to {high})")
}

/// The change of what is typical, with its interval.
pub(crate) fn typical_text(typical: Option<LogChange>, layout: &Layout) -> Cell {
    match typical {
        Some(typical) => Cell::new(layout.style.text(), typical_change(typical)),
        None => Cell::new(layout.style.muted(), units::NONE),
    }
}

/// What a test says of a row.
pub(crate) fn verdict_cell(row: &DiffRow, layout: &Layout) -> Cell {
    let Some(finding) = row.finding else {
        return Cell::default();
    };
    let words = match finding.test {
        Some(Test::Fisher) => ["more often", "less often"],
        _ => ["slower", "faster"],
    };
    verdict_of(finding.verdict, words, "too few", layout)
}

/// The change of the time on the critical path.
pub(crate) fn change_cell(row: &DiffRow, layout: &Layout) -> Cell {
    let change = row.critical_ns.change();
    let told = match row.finding.map(|finding| finding.verdict) {
        // A single trace is what it is; the time without a span has no partner.
        None => row.matching.is_some(),
        // The mean may go another way than what is typical.
        Some(Verdict::Higher) => change > 0,
        Some(Verdict::Lower) => change < 0,
        Some(Verdict::Noise | Verdict::TooFew) => false,
    };
    let look = if told {
        change_look(change, layout)
    } else {
        layout.style.text()
    };
    Cell::new(look, duration_change(change))
}

/// A change of a duration with its sign.
pub(crate) fn duration_change(ns: i64) -> String {
    signed(ns, units::duration)
}

/// A part of the change of the duration in percent.
pub(crate) fn share_text(share: Option<f64>) -> String {
    match share {
        None => units::NONE.to_owned(),
        Some(share) if share != 0.0 && share.abs() < 0.001 => {
            let sign = if share < 0.0 { "-" } else { "" };
            format!("{sign}<0.1")
        }
        Some(share) => format!("{:.1}", share * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{By, Comparison, DEFAULT_SEED, DiffSort, analyse};
    use crate::model::Trace;
    use crate::render::sample::{chain, coloured, hostile, printed, terminal, trace, widest};

    fn compared(before: &[Trace], after: &[Trace]) -> Diff {
        let mut comparison = Comparison::new(By::Path);
        for (side, traces) in [(Side::Before, before), (Side::After, after)] {
            for trace in traces {
                comparison.add(side, &analyse(trace));
            }
        }
        comparison.finish(DiffSort::Critical, DEFAULT_SEED)
    }

    fn page(diff: &Diff, layout: &Layout) -> String {
        printed(|out| write(out, diff, &diff.rows, &Sides::default(), None, layout).map(drop))
    }

    #[test]
    fn lines_fit_and_nothing_hostile_passes() {
        let sets = vec![trace(); 25];
        let diffs = [
            compared(&[trace()], &[hostile()]),
            compared(&[hostile()], &[chain(40)]),
            compared(&sets, &[sets.as_slice(), &vec![hostile(); 25]].concat()),
        ];
        for diff in &diffs {
            for width in (60..200).step_by(7) {
                let text = page(diff, &terminal(width));
                let without_ids: Vec<&str> = text.lines().filter(|l| !l.contains("tr-")).collect();
                assert!(widest(&without_ids.join("\n")) <= width, "{width}\n{text}");
            }
            let drawn = page(diff, &coloured(terminal(100)));
            assert!(
                !drawn.contains(['\u{7}', '\u{202e}', '\u{2066}']),
                "{drawn}"
            );
        }
    }

    #[test]
    fn colour_is_for_what_is_told_only() {
        let layout = coloured(Layout::piped());
        let pair = compared(&[chain(3)], &[chain(4)]);
        assert!(page(&pair, &layout).contains("␛[31m+"), "slower is red");
        let back = compared(&[chain(4)], &[chain(3)]);
        assert!(page(&back, &layout).contains("␛[1m-"), "faster is bold");
        let few = compared(&vec![chain(3); 2], &vec![chain(4); 2]);
        let text = page(&few, &layout);
        assert!(
            !text.contains("␛[31m"),
            "too few traces tell nothing: {text}"
        );
    }

    #[test]
    fn a_p95_of_few_beside_many_is_explained_by_what_it_takes() {
        let sets = |few: usize| compared(&vec![chain(3); few], &vec![chain(4); 200]);
        let text = page(&sets(20), &Layout::piped());
        assert!(text.contains("it takes 40 on each side"), "{text}");
        assert!(!text.contains("takes 20 on each side"), "{text}");
        assert!(!page(&sets(40), &Layout::piped()).contains("on each side"));
        assert!(page(&sets(19), &Layout::piped()).contains("takes 20 on each side"));
    }

    #[test]
    fn shares_and_means_keep_the_digits_that_count() {
        assert_eq!(per_trace(1, 3), "0.33");
        assert_eq!(per_trace(6, 3), "2");
        assert_eq!(per_trace(1, 900), "<0.01");
        assert_eq!(share_text(Some(-0.000_4)), "-<0.1");
        assert_eq!(share_text(Some(2.501)), "250.1");
        assert_eq!(signed_percent(0.12), "+12.0");
        assert_eq!(signed_percent(-0.000_4), "-<0.1");
        assert_eq!(signed_percent(0.0), "0.0");
        assert_eq!(signed_percent(54_321.0), "+5432100");
    }
}
