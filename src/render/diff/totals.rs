//! The figures of the whole, of one trace on each side or of sets, with the
//! verdict on each.

use std::io;

use super::{VERDICT, both, feedback, signed_percent, verdict_of};
use crate::analysis::{
    Diff, Measure, Side, Sides, Total, UNITS_PER_DOLLAR, UNITS_PER_WHOLE, Verdict,
};
use crate::render::cell::Cell;
use crate::render::figures::{Figure, Figures};
use crate::render::{Layout, LeftOut};
use crate::table::rows::latency::percentile;
use crate::text::Sheet;
use crate::units;

/// A row of the table.
pub(super) struct Line {
    pub(super) label: Cell,
    pub(super) before: Cell,
    pub(super) after: Cell,
    pub(super) change: Cell,
    pub(super) relative: Cell,
    pub(super) n: Cell,
    /// Of the change, where there is one.
    pub(super) interval: Option<Cell>,
    pub(super) verdict: Cell,
}

pub(super) fn write(out: &mut Sheet<'_>, diff: &Diff, layout: &Layout) -> io::Result<LeftOut> {
    let totals = diff.totals.iter();
    let totals = totals.map(|total| line(total, diff.pair, layout));
    let feedback = diff.feedback.iter();
    let feedback = feedback.map(|total| feedback::line(total, layout));
    let lines: Vec<Line> = totals.chain(feedback).collect();
    let column = |of: fn(&Line) -> &Cell| lines.iter().map(of).cloned().collect::<Vec<Cell>>();
    let title = if diff.pair { "TRACE" } else { "PER TRACE" };
    let mut figures = vec![
        Figure::numbers("BEFORE", 0, column(|line| &line.before)),
        Figure::numbers("AFTER", 0, column(|line| &line.after)),
        Figure::numbers("CHANGE", 0, column(|line| &line.change)),
        Figure::numbers("CHANGE %", 2, column(|line| &line.relative)),
    ];
    if !diff.pair {
        figures.push(Figure::numbers("TRACES", 3, column(|line| &line.n)));
        if lines.iter().any(|line| line.interval.is_some()) {
            let none = || Cell::new(layout.style.muted(), units::NONE);
            let interval = |line: &Line| line.interval.clone().unwrap_or_else(none);
            let intervals = lines.iter().map(interval).collect();
            figures.push(Figure::numbers("95 % INTERVAL", 1, intervals));
        }
        figures.push(Figure::words(VERDICT, 0, column(|line| &line.verdict)));
    }
    let table = Figures {
        names: vec![Figure::words(title, 0, column(|line| &line.label))],
        numbers: figures,
        bars: None,
    };
    Ok(table.write(out, layout)?.left_out)
}

fn line(total: &Total, pair: bool, layout: &Layout) -> Line {
    let style = layout.style;
    let plain = |text: String| Cell::new(style.text(), text);
    let value = |side| match *total.value.get(side) {
        Some(ns) if total.is_rough(side) => plain(percentile(ns, true)),
        Some(value) => plain(amount(total.measure, value)),
        None => Cell::new(style.muted(), units::NONE),
    };
    let interval = match (total.interval, total.typical) {
        (Some(i), _) => Some(plain(format!(
            "{} to {}",
            change_of(total.measure, i.low),
            change_of(total.measure, i.high)
        ))),
        (None, Some(typical)) => {
            let [_, low, high] = typical.ratios();
            Some(plain(format!(
                "{} to {} %",
                signed_percent(low),
                signed_percent(high)
            )))
        }
        (None, None) => None,
    };
    Line {
        label: plain(label(total.measure, pair).to_owned()),
        before: value(Side::Before),
        after: value(Side::After),
        change: total_change(total, pair, layout),
        relative: plain(relative(total)),
        n: counts(&total.n, layout),
        interval,
        verdict: verdict(total, layout),
    }
}

/// How many there are on each side.
pub(super) fn counts(n: &Sides<usize>, layout: &Layout) -> Cell {
    let n = n.map(|n| units::whole(*n));
    Cell::new(layout.style.text(), both(&n, layout))
}

fn label(measure: Measure, pair: bool) -> &'static str {
    match measure {
        Measure::Typical => "typical duration",
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
        Measure::Typical | Measure::Duration | Measure::P50 | Measure::P95 => {
            units::duration(value)
        }
        Measure::ErrorRate => format!("{} %", tenths(value, UNITS_PER_WHOLE)),
        Measure::Cost => money(value),
        Measure::Spans
        | Measure::FailedSpans
        | Measure::Tokens
        | Measure::InputTokens
        | Measure::OutputTokens => units::count(value),
    }
}

/// The same for a change: rates differ by percentage points.
fn change_of(measure: Measure, change: i64) -> String {
    super::signed(change, |change| match measure {
        Measure::ErrorRate => format!("{} pp", tenths(change, UNITS_PER_WHOLE)),
        measure => amount(measure, change),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no more than 15 digits are printed"
)]
fn money(units: i64) -> String {
    units::cost(units as f64 / UNITS_PER_DOLLAR as f64)
}

/// A share in percent with one decimal, negative ones too.
fn tenths(part: i64, whole: i64) -> String {
    let size = i64::try_from(part.unsigned_abs()).unwrap_or(i64::MAX);
    let sign = if part < 0 { "-" } else { "" };
    format!("{sign}{}", units::percent(size, whole))
}

/// The change as a share of what there was before.
fn relative(total: &Total) -> String {
    if let (Measure::Typical, Some(typical)) = (total.measure, total.typical) {
        return signed_percent(typical.ratios()[0]);
    }
    match (total.measure, total.change(), total.value.before) {
        // Percent of percent help nobody.
        (Measure::ErrorRate, ..) => units::NONE.to_owned(),
        (_, Some(change), Some(before @ 1..)) => {
            super::signed(change, |change| tenths(change, before))
        }
        _ => units::NONE.to_owned(),
    }
}

fn total_change(total: &Total, pair: bool, layout: &Layout) -> Cell {
    let style = layout.style;
    let Some(change) = total.change() else {
        return Cell::new(style.muted(), units::NONE);
    };
    let told = pair || matches!(total.verdict, Some(Verdict::Higher | Verdict::Lower));
    // That there are more spans is neither good nor bad.
    let look = if told && total.measure != Measure::Spans {
        super::change_look(change, layout)
    } else {
        style.text()
    };
    Cell::new(look, change_of(total.measure, change))
}

fn verdict(total: &Total, layout: &Layout) -> Cell {
    let style = layout.style;
    let words = match total.measure {
        Measure::Typical | Measure::Duration | Measure::P50 | Measure::P95 => ["slower", "faster"],
        _ => ["more", "less"],
    };
    match total.verdict {
        Some(verdict) => verdict_of(verdict, words, "too few traces", layout),
        None => Cell::new(style.muted(), units::NONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
