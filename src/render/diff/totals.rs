//! The figures of the whole, of one trace on each side or of sets, with the
//! verdict on each.

use std::io;

use super::{both, feedback, signed_percent, verdict_of};
use crate::analysis::{Diff, Measure, Side, Total, UNITS_PER_DOLLAR, UNITS_PER_WHOLE, Verdict};
use crate::render::cell::Cell;
use crate::render::figures::{Figure, Figures, figures};
use crate::render::{Layout, LeftOut};
use crate::table::rows::latency::percentile;
use crate::table::rows::totals::{self, TotalOf, TotalRow};
use crate::text::Sheet;
use crate::units;

pub(super) fn write(out: &mut Sheet<'_>, diff: &Diff, layout: &Layout) -> io::Result<LeftOut> {
    let (known, rows) = (totals::totals(), totals::of(diff));
    let figures = |wanted: &[(&str, u8)]| figures(&known, wanted, &rows, layout);
    let column = |title, gives_way, cell: fn(&TotalRow<'_>, &Layout) -> Cell| {
        let cells = rows.iter().map(|row| cell(row, layout)).collect();
        Figure::numbers(title, gives_way, cells)
    };
    let names = figures(&[("name", 0)]).into_iter().map(|names| Figure {
        title: if diff.pair { "TRACE" } else { "PER TRACE" }.to_owned(),
        ..names
    });
    let mut numbers = figures(&[("before", 0), ("after", 0), ("change", 0)]);
    numbers.push(column("CHANGE %", 2, relative_cell));
    if !diff.pair {
        numbers.push(column("TRACES", 3, counts_cell));
        if rows.iter().any(|row| interval(row).is_some()) {
            numbers.push(column("95 % INTERVAL", 1, |row, layout| {
                cell_of(interval(row), layout)
            }));
        }
        numbers.extend(figures(&[("verdict", 0)]));
    }
    let table = Figures {
        names: names.collect(),
        numbers,
        bars: None,
    };
    Ok(table.write(out, layout)?.left_out)
}

fn cell_of(text: Option<String>, layout: &Layout) -> Cell {
    match text {
        Some(text) => Cell::new(layout.style.text(), text),
        None => Cell::new(layout.style.muted(), units::NONE),
    }
}

/// What a figure is called.
pub(crate) fn label(row: &TotalRow<'_>, layout: &Layout) -> Cell {
    let text = layout.style.text();
    match row.of {
        TotalOf::Measure(total) => Cell::new(text, label_of(total.measure, row.pair)),
        TotalOf::Feedback(total) => Cell::new(text, format!("feedback.{}", total.name)),
    }
}

/// The figure of one side.
pub(crate) fn value_cell(row: &TotalRow<'_>, side: Side, layout: &Layout) -> Cell {
    let text = match row.of {
        TotalOf::Measure(total) => total.value.get(side).map(|value| {
            if total.is_rough(side) {
                percentile(value, true)
            } else {
                amount(total.measure, value)
            }
        }),
        TotalOf::Feedback(total) => {
            let value = *total.value.get(side);
            value.map(|value| feedback::amount(total, value))
        }
    };
    cell_of(text, layout)
}

/// What changed, for better or worse.
pub(crate) fn change_cell(row: &TotalRow<'_>, layout: &Layout) -> Cell {
    match row.of {
        TotalOf::Measure(total) => total_change(total, row.pair, layout),
        TotalOf::Feedback(total) => feedback::change(total, layout),
    }
}

fn relative_cell(row: &TotalRow<'_>, layout: &Layout) -> Cell {
    match row.of {
        TotalOf::Measure(total) => Cell::new(layout.style.text(), relative(total)),
        TotalOf::Feedback(total) => cell_of(feedback::relative(total), layout),
    }
}

/// How many there are on each side.
fn counts_cell(row: &TotalRow<'_>, layout: &Layout) -> Cell {
    let n = match row.of {
        TotalOf::Measure(total) => &total.n,
        TotalOf::Feedback(total) => &total.n,
    };
    let n = n.map(|n| units::whole(*n));
    Cell::new(layout.style.text(), both(&n, layout))
}

/// That of the change, where there is one.
fn interval(row: &TotalRow<'_>) -> Option<String> {
    let total = match row.of {
        TotalOf::Measure(total) => total,
        TotalOf::Feedback(total) => return feedback::interval(total),
    };
    if let Some(interval) = total.interval {
        let [low, high] =
            [interval.low, interval.high].map(|bound| change_of(total.measure, bound));
        return Some(format!("{low} to {high}"));
    }
    let [_, low, high] = total.typical?.ratios().map(signed_percent);
    Some(format!("{low} to {high} %"))
}

/// What chance has to do with it.
pub(crate) fn verdict_cell(row: &TotalRow<'_>, layout: &Layout) -> Cell {
    match row.of {
        TotalOf::Measure(total) => verdict(total, layout),
        TotalOf::Feedback(total) => feedback::verdict(total, layout),
    }
}

fn label_of(measure: Measure, pair: bool) -> &'static str {
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
