//! Two traces, or two sets of traces, against each other: figures of the whole,
//! and one row for each group of spans that differs. Every change has a sign;
//! what got worse and what got better also differ by colour, but a change that
//! chance may explain has none.

use std::io::{self, Write};

use super::cell::Cell;
use super::figures::{Figure, Figures, Shown};
use super::latency::{names, write_note};
use super::many::{ROUGH_NOTE, percentile};
use super::style::Painted;
use super::table::GAP;
use super::{Layout, LeftOut, number};
use crate::analysis::{
    Diff, DiffRow, Measure, Side, Sides, Total, UNITS_PER_DOLLAR, UNITS_PER_WHOLE, Verdict,
};

/// Writes what is compared (the file or filter of each side, where there is one), the figures of the whole, and `rows`, which are all
/// or the first of the comparison's. Gives the columns left out.
pub fn write(
    out: &mut dyn Write,
    diff: &Diff,
    rows: &[DiffRow],
    sources: &Sides<Option<String>>,
    layout: &Layout,
) -> io::Result<LeftOut> {
    for (label, side) in [("before", Side::Before), ("after", Side::After)] {
        write_subject(out, label, diff, side, sources.get(side).as_deref(), layout)?;
    }
    writeln!(out)?;
    let mut left_out = write_totals(out, diff, layout)?;
    writeln!(out)?;
    if diff.rows.is_empty() {
        let nothing = if diff.is_empty() {
            "No difference."
        } else {
            "No row differs."
        };
        writeln!(out, "{}", Painted(layout.style.ok(), nothing))?;
        write_note(out, &unchanged(diff), layout)?;
        if is_marked(diff) {
            write_note(out, ROUGH_NOTE, layout)?;
        }
        return Ok(left_out);
    }
    left_out.extend(write_rows(out, diff, rows, layout)?);
    Ok(left_out)
}

fn write_subject(
    out: &mut dyn Write,
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
            parts.push(Cell::new(style.title(), number::counted(traces, "trace")));
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
    writeln!(out, "{line}")
}

fn write_totals(out: &mut dyn Write, diff: &Diff, layout: &Layout) -> io::Result<LeftOut> {
    let style = layout.style;
    let totals = &diff.totals;
    let column = |of: &dyn Fn(&Total) -> Cell| totals.iter().map(of).collect::<Vec<Cell>>();
    let plain = |text: String| Cell::new(style.text(), text);
    let muted = |text: String| Cell::new(style.muted(), text);
    let value = |total: &Total, side| match *total.value.get(side) {
        Some(ns) if total.is_rough(side) => plain(percentile(ns, true)),
        Some(value) => plain(amount(total.measure, value)),
        None => muted(number::NONE.to_owned()),
    };
    let title = if diff.pair { "TRACE" } else { "PER TRACE" };
    let labels = column(&|total| plain(label(total.measure, diff.pair).to_owned()));
    let mut figures = vec![
        Figure::numbers("BEFORE", 0, column(&|t| value(t, Side::Before))),
        Figure::numbers("AFTER", 0, column(&|t| value(t, Side::After))),
        Figure::numbers("CHANGE", 0, column(&|t| total_change(t, layout))),
        Figure::numbers("CHANGE %", 2, column(&|t| plain(relative(t)))),
    ];
    if !diff.pair {
        let count = |n: usize| number::count(i64::try_from(n).unwrap_or(i64::MAX));
        let n = |t: &Total| plain(both(&t.n.map(|n| count(*n)), layout));
        let interval = |t: &Total| match t.interval {
            Some(i) => plain(format!(
                "{} to {}",
                change_of(t.measure, i.low),
                change_of(t.measure, i.high)
            )),
            None => muted(number::NONE.to_owned()),
        };
        figures.push(Figure::numbers("TRACES", 3, column(&n)));
        figures.push(Figure::numbers("95 % INTERVAL", 1, column(&interval)));
        figures.push(Figure::words("VERDICT", 0, column(&|t| verdict(t, layout))));
    }
    let table = Figures {
        names: vec![Figure::words(title, 0, labels)],
        numbers: figures,
        bars: None,
    };
    Ok(table.write(out, layout)?.left_out)
}

fn label(measure: Measure, pair: bool) -> &'static str {
    match measure {
        Measure::Duration if pair => "duration",
        Measure::Duration => "mean duration",
        Measure::P50 => "p50 duration",
        Measure::P95 => "p95 duration",
        Measure::Spans => "spans",
        Measure::FailedSpans => "failed spans",
        Measure::ErrorRate => "failed",
        Measure::Tokens => "tokens",
        Measure::InputTokens => "input tokens",
        Measure::OutputTokens => "output tokens",
        Measure::Cost => "cost",
    }
}

/// A value in its unit, without a plus sign.
fn amount(measure: Measure, value: i64) -> String {
    match measure {
        Measure::Duration | Measure::P50 | Measure::P95 => number::duration(value),
        Measure::ErrorRate => format!("{} %", tenths(value, UNITS_PER_WHOLE)),
        Measure::Cost => money(value),
        Measure::Spans
        | Measure::FailedSpans
        | Measure::Tokens
        | Measure::InputTokens
        | Measure::OutputTokens => number::count(value),
    }
}

/// The same for a change: rates differ by percentage points.
fn change_of(measure: Measure, change: i64) -> String {
    signed(change, |change| match measure {
        Measure::ErrorRate => format!("{} pp", tenths(change, UNITS_PER_WHOLE)),
        measure => amount(measure, change),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no more than 15 digits are printed"
)]
fn money(units: i64) -> String {
    number::cost(units as f64 / UNITS_PER_DOLLAR as f64)
}

/// With its sign, but for nothing at all.
fn signed(value: i64, text: impl Fn(i64) -> String) -> String {
    let plus = if value > 0 { "+" } else { "" };
    format!("{plus}{}", text(value))
}

/// A share in percent with one decimal, negative ones too.
fn tenths(part: i64, whole: i64) -> String {
    let size = i64::try_from(part.unsigned_abs()).unwrap_or(i64::MAX);
    let sign = if part < 0 { "-" } else { "" };
    format!("{sign}{}", number::percent(size, whole))
}

/// The change as a share of what there was before.
fn relative(total: &Total) -> String {
    match (total.measure, total.change(), total.value.before) {
        // Percent of percent help nobody.
        (Measure::ErrorRate, ..) => number::NONE.to_owned(),
        (_, Some(change), Some(before @ 1..)) => signed(change, |change| tenths(change, before)),
        _ => number::NONE.to_owned(),
    }
}

fn total_change(total: &Total, layout: &Layout) -> Cell {
    let style = layout.style;
    let Some(change) = total.change() else {
        return Cell::new(style.muted(), number::NONE);
    };
    let told = matches!(total.verdict, None | Some(Verdict::Higher | Verdict::Lower));
    // That there are more spans is neither good nor bad.
    let look = if told && total.measure != Measure::Spans {
        change_look(change, layout)
    } else {
        style.text()
    };
    Cell::new(look, change_of(total.measure, change))
}

/// Less time, fewer errors, tokens and dollars are better.
fn change_look(change: i64, layout: &Layout) -> anstyle::Style {
    match change {
        0 => layout.style.muted(),
        ..0 => layout.style.ok(),
        1.. => layout.style.error(),
    }
}

fn verdict(total: &Total, layout: &Layout) -> Cell {
    let style = layout.style;
    let words = match total.measure {
        Measure::Duration | Measure::P50 | Measure::P95 => ["slower", "faster"],
        _ => ["more", "less"],
    };
    match total.verdict {
        Some(Verdict::Higher) => Cell::new(style.error(), words[0]),
        Some(Verdict::Lower) => Cell::new(style.ok(), words[1]),
        Some(Verdict::Noise) => Cell::new(style.text(), "within noise"),
        Some(Verdict::TooFew) => Cell::new(style.text(), "too few traces"),
        None => Cell::default(),
    }
}

/// `2 → 3`, or once what did not change.
fn both(texts: &Sides<String>, layout: &Layout) -> String {
    if texts.before == texts.after {
        return texts.before.clone();
    }
    let arrow = layout.glyphs.pick("→", "->");
    format!("{} {arrow} {}", texts.before, texts.after)
}

fn write_rows(
    out: &mut dyn Write,
    diff: &Diff,
    rows: &[DiffRow],
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    let column = |of: &dyn Fn(&DiffRow) -> Cell| rows.iter().map(of).collect::<Vec<Cell>>();
    let time = |ns: i64| Cell::new(style.text(), number::duration(ns));
    let margin = |row: &DiffRow| match row.margin_ns {
        Some(ns) => Cell::new(style.text(), format!("±{}", number::duration(ns))),
        None => Cell::new(style.muted(), number::NONE),
    };
    let self_change = |row: &DiffRow| {
        let text = signed(row.self_ns.change(), number::duration);
        Cell::new(style.text(), text)
    };
    let mut figures = vec![
        Figure::numbers("CALLS", 3, column(&|row| calls(diff, row, layout))),
        Figure::numbers("BEFORE", 2, column(&|row| time(row.critical_ns.before))),
        Figure::numbers("AFTER", 2, column(&|row| time(row.critical_ns.after))),
        Figure::numbers("CHANGE", 0, column(&|row| row_change(row, layout))),
    ];
    if rows.iter().any(|row| row.margin_ns.is_some()) {
        figures.push(Figure::numbers("NOISE", 1, column(&margin)));
    }
    figures.push(Figure::numbers(
        "SHARE %",
        1,
        column(&|row| Cell::new(style.text(), share(row.share))),
    ));
    if rows.iter().any(|row| row.errors != Sides::default()) {
        figures.push(Figure::numbers(
            "ERRORS",
            4,
            column(&|row| errors(diff, row, layout)),
        ));
    }
    figures.push(Figure::numbers(
        "SELF BEFORE",
        6,
        column(&|row| time(row.self_ns.before)),
    ));
    figures.push(Figure::numbers(
        "SELF AFTER",
        6,
        column(&|row| time(row.self_ns.after)),
    ));
    figures.push(Figure::numbers("SELF CHANGE", 5, column(&self_change)));
    let keys = rows.iter().map(|row| (&row.key, 0));
    let shown = Figures {
        names: vec![names(diff.by.as_str(), keys, layout)],
        numbers: figures,
        bars: None,
    }
    .write(out, layout)?;
    write_footer(out, diff, &shown, layout)?;
    Ok(shown.left_out)
}

/// Calls of a single trace, or per trace of a set.
fn calls(diff: &Diff, row: &DiffRow, layout: &Layout) -> Cell {
    let text = Sides::of(|side| {
        let calls = i64::try_from(*row.calls.get(side)).unwrap_or(i64::MAX);
        let traces = i64::try_from(diff.intake.get(side).traces).unwrap_or(i64::MAX);
        if diff.pair {
            number::count(calls)
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
    let count = number::count(i64::try_from(whole).unwrap_or(i64::MAX));
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
        (failed, _) if diff.pair => number::count(failed),
        (failed, calls) => format!("{} %", number::percent(failed, calls)),
    });
    if row.errors == Sides::default() {
        return Cell::new(style.muted(), number::NONE);
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

fn row_change(row: &DiffRow, layout: &Layout) -> Cell {
    let change = row.critical_ns.change();
    let look = match (row.is_beyond_noise(), row.matching) {
        (Some(false), _) | (None, None) => layout.style.text(),
        _ => change_look(change, layout),
    };
    Cell::new(look, signed(change, number::duration))
}

fn share(share: Option<f64>) -> String {
    match share {
        None => number::NONE.to_owned(),
        Some(share) if share != 0.0 && share.abs() < 0.001 => {
            let sign = if share < 0.0 { "-" } else { "" };
            format!("{sign}<0.1")
        }
        Some(share) => format!("{:.1}", share * 100.0),
    }
}

fn unchanged(diff: &Diff) -> String {
    match diff.unchanged {
        1 => "1 row is the same on both sides and not shown.".to_owned(),
        _ => format!(
            "{} are the same on both sides and not shown.",
            number::counted(diff.unchanged, "row")
        ),
    }
}

/// Whether a percentile is marked.
fn is_marked(diff: &Diff) -> bool {
    let rough = |total: &Total| total.is_rough(Side::Before) || total.is_rough(Side::After);
    diff.totals.iter().any(rough)
}

/// Says what the figures mean.
fn write_footer(
    out: &mut dyn Write,
    diff: &Diff,
    shown: &Shown,
    layout: &Layout,
) -> io::Result<()> {
    writeln!(out)?;
    let mut notes: Vec<String> = Vec::new();
    notes.push(if diff.pair {
        "BEFORE, AFTER: time on the critical path. The changes add up to that of the duration.".to_owned()
    } else {
        "BEFORE, AFTER: time on the critical path, the mean per trace. The changes add up to that of the mean duration.".to_owned()
    });
    if shown.has("SHARE %") {
        notes.push("SHARE %: the part of the change of the duration.".to_owned());
    }
    if shown.has("ERRORS") {
        notes.push(if diff.pair {
            "ERRORS: calls that failed.".to_owned()
        } else {
            "ERRORS: the share of calls that failed.".to_owned()
        });
    }
    if shown.has("NOISE") {
        notes.push(
            "NOISE: half of the 95 % interval of the change; a smaller change may be chance."
                .to_owned(),
        );
    }
    if diff
        .totals
        .iter()
        .any(|t| t.verdict == Some(Verdict::TooFew))
    {
        notes.push(format!(
            "Too few traces: to tell a change from chance takes {} on each side, for p95 {}.",
            Measure::Duration.least_values(),
            Measure::P95.least_values()
        ));
    }
    if is_marked(diff) {
        notes.push(ROUGH_NOTE.to_owned());
    }
    if let Some(m) = diff.matching.filter(|m| m.new + m.gone > 0) {
        let count = |n: usize| number::count(i64::try_from(n).unwrap_or(i64::MAX));
        notes.push(format!(
            "{} in both traces, {} only before, {} only after.",
            number::counted(m.matched, "span"),
            count(m.gone),
            count(m.new)
        ));
    }
    if diff.unchanged > 0 {
        notes.push(unchanged(diff));
    }
    notes
        .iter()
        .try_for_each(|note| write_note(out, note, layout))
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
        printed(|out| write(out, diff, &diff.rows, &Sides::default(), layout).map(drop))
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
        assert!(page(&back, &layout).contains("␛[1m-"), "faster stands out");
        let few = compared(&vec![chain(3); 2], &vec![chain(4); 2]);
        let text = page(&few, &layout);
        assert!(
            !text.contains("␛[31m"),
            "too few traces tell nothing: {text}"
        );
    }

    #[test]
    fn amounts_keep_the_digits_that_count() {
        for (units, text) in [
            (0, "$0"),
            (177_200_000, "$0.000177"),
            (-2_730_000, "-$0.00000273"),
            (9_990_000_000, "$0.00999"),
            (12_345_000_000, "$0.0123"),
            (1, "$0.00000000000100"),
        ] {
            assert_eq!(money(units), text);
        }
        assert_eq!(change_of(Measure::ErrorRate, -71_000), "-7.1 pp");
        assert_eq!(amount(Measure::ErrorRate, 71_000), "7.1 %");
        assert_eq!(per_trace(1, 3), "0.33");
        assert_eq!(per_trace(6, 3), "2");
        assert_eq!(per_trace(1, 900), "<0.01");
        assert_eq!(share(Some(-0.000_4)), "-<0.1");
        assert_eq!(share(Some(2.501)), "250.1");
    }
}
