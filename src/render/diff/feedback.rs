//! What was said of the traces, in the table of the whole: shares of what is true
//! or false, and means of scores. Unlike time and money, more of it is better.

use std::cmp::Ordering;

use super::signed_percent;
use crate::analysis::{FeedbackTotal, Verdict};
use crate::filter::Number;
use crate::filter::aggregate::Unit;
use crate::render::Layout;
use crate::render::cell::Cell;
use crate::render::quantity::quantity;
use crate::units;

/// The change as a share of what there was before.
pub(super) fn relative(total: &FeedbackTotal) -> Option<String> {
    // Percent of percent help nobody.
    let before = total.value.before.filter(|_| !total.is_share)?;
    let change = total.change().filter(|_| before != 0.0)?;
    Some(signed_percent(change / before.abs()))
}

/// That of the change, where there is one.
pub(super) fn interval(total: &FeedbackTotal) -> Option<String> {
    let interval = total.told()?.interval?;
    let [low, high] = interval.map(|bound| change_of(total, bound));
    Some(format!("{low} to {high}"))
}

pub(super) fn verdict(total: &FeedbackTotal, layout: &Layout) -> Cell {
    let style = layout.style;
    match total.verdict() {
        None => Cell::new(style.muted(), units::NONE),
        Some(Verdict::Higher) => Cell::new(style.ok(), "higher"),
        Some(Verdict::Lower) => Cell::new(style.error(), "lower"),
        Some(Verdict::Noise) => Cell::new(style.text(), "within noise"),
        Some(Verdict::TooFew) => Cell::new(style.text(), "too few"),
    }
}

pub(super) fn amount(total: &FeedbackTotal, value: f64) -> String {
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

pub(super) fn change(total: &FeedbackTotal, layout: &Layout) -> Cell {
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
