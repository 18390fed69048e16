//! What was said of the traces, in the table of the whole: shares of what is true
//! or false, and means of scores. Unlike time and money, more of it is better.

use std::cmp::Ordering;

use super::signed_percent;
use super::totals::{Line, counts};
use crate::analysis::{FeedbackTotal, Side, Verdict};
use crate::filter::Number;
use crate::filter::aggregate::Unit;
use crate::render::Layout;
use crate::render::cell::Cell;
use crate::render::quantity::quantity;
use crate::units;

pub(super) fn line(total: &FeedbackTotal, layout: &Layout) -> Line {
    let style = layout.style;
    let none = || Cell::new(style.muted(), units::NONE);
    let value = |side| match *total.value.get(side) {
        Some(value) => Cell::new(style.text(), amount(total, value)),
        None => none(),
    };
    let interval = total.told().and_then(|told| told.interval);
    Line {
        label: Cell::new(style.text(), format!("feedback.{}", total.name)),
        before: value(Side::Before),
        after: value(Side::After),
        change: change(total, layout),
        relative: match (total.is_share, total.change(), total.value.before) {
            // Percent of percent help nobody.
            (false, Some(change), Some(before)) if before != 0.0 => {
                Cell::new(style.text(), signed_percent(change / before.abs()))
            }
            _ => none(),
        },
        n: counts(&total.n, layout),
        interval: interval.map(|interval| {
            let [low, high] = interval.map(|bound| change_of(total, bound));
            Cell::new(style.text(), format!("{low} to {high}"))
        }),
        verdict: match total.verdict() {
            None => none(),
            Some(Verdict::Higher) => Cell::new(style.ok(), "higher"),
            Some(Verdict::Lower) => Cell::new(style.error(), "lower"),
            Some(Verdict::Noise) => Cell::new(style.text(), "within noise"),
            Some(Verdict::TooFew) => Cell::new(style.text(), "too few"),
        },
    }
}

fn amount(total: &FeedbackTotal, value: f64) -> String {
    let unit = if total.is_share {
        Unit::Share
    } else {
        Unit::Number
    };
    quantity(Number::Float(value), unit)
}

/// The same for a change: shares differ by percentage points.
fn change_of(total: &FeedbackTotal, change: f64) -> String {
    let plus = if change > 0.0 { "+" } else { "" };
    if total.is_share {
        return format!("{plus}{:.1} pp", change * 100.0 + 0.0);
    }
    format!("{plus}{}", units::score(change))
}

fn change(total: &FeedbackTotal, layout: &Layout) -> Cell {
    let style = layout.style;
    let Some(change) = total.change() else {
        return Cell::new(style.muted(), units::NONE);
    };
    let told = matches!(
        total.verdict(),
        None | Some(Verdict::Higher | Verdict::Lower)
    );
    let look = match change.partial_cmp(&0.0) {
        _ if !told => style.text(),
        Some(Ordering::Greater) => style.ok(),
        Some(Ordering::Less) => style.error(),
        _ => style.muted(),
    };
    Cell::new(look, change_of(total, change))
}
