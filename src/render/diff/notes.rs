//! What is said below a comparison about its figures.

use std::io;

use super::TYPICAL;
use crate::analysis::{Diff, FeedbackTotal, Measure, Side, Test, Total, Verdict};
use crate::render::Layout;
use crate::render::figures::Shown;
use crate::render::latency::write_note;
use crate::render::many::ROUGH_NOTE;
use crate::text::Sheet;
use crate::units;

pub(super) fn unchanged(diff: &Diff) -> String {
    match diff.unchanged {
        1 => "1 row is the same on both sides and not shown.".to_owned(),
        _ => format!(
            "{} are the same on both sides and not shown.",
            units::counted(diff.unchanged, "row")
        ),
    }
}

/// Whether a percentile is marked.
fn is_marked(diff: &Diff) -> bool {
    let rough = |total: &Total| total.is_rough(Side::Before) || total.is_rough(Side::After);
    diff.totals.iter().any(rough)
}

/// Says what stands in the table of the whole.
pub(super) fn on_totals(diff: &Diff) -> Vec<String> {
    let mut notes = Vec::new();
    let totals = &diff.totals;
    if totals.iter().any(|total| total.typical.is_some()) {
        notes.push(
            "Intervals and verdicts in % are those of typical values, the geometric means; means have long tails."
                .to_owned(),
        );
    }
    if totals.iter().any(|total| total.test == Some(Test::Fisher)) {
        notes.push(
            "What is often 0 may be more or less often so, and the verdict says it.".to_owned(),
        );
    }
    if !diff.feedback.is_empty() {
        notes.push(if diff.pair {
            "feedback: its mean, or the share of what is true.".to_owned()
        } else {
            "feedback: its mean, or the share of what is true; TRACES counts assessments."
                .to_owned()
        });
    }
    let is_few_beside_many = |total: &&Total| {
        total.measure == Measure::P95
            && total.verdict == Some(Verdict::TooFew)
            && total.n.before.min(total.n.after) >= Measure::LEAST_VALUES
    };
    if totals.iter().any(|total| is_few_beside_many(&total)) {
        notes.push(
            "p95: few traces beside many more say nothing about chance; it takes 40 on each side."
                .to_owned(),
        );
    }
    let few = totals.iter().filter(|total| !is_few_beside_many(total));
    let few = few.map(|total| total.verdict);
    let few = few.chain(diff.feedback.iter().map(FeedbackTotal::verdict));
    if few
        .into_iter()
        .any(|verdict| verdict == Some(Verdict::TooFew))
    {
        notes.push(format!(
            "Too few traces: to tell a change from chance takes {} on each side.",
            Measure::LEAST_VALUES
        ));
    }
    if is_marked(diff) {
        notes.push(ROUGH_NOTE.to_owned());
    }
    notes
}

/// How many rows changed, and how many would seem to.
fn on_rows(diff: &Diff) -> Option<String> {
    let found = diff.found;
    let tested = match found.tested {
        0 => return None,
        1 => "1 row with traces enough".to_owned(),
        tested => format!("{} with traces enough", units::counted(tested, "row")),
    };
    let lie = if found.beyond_noise == 1 {
        "lies"
    } else {
        "lie"
    };
    Some(format!(
        "VERDICT: {} of {tested} {lie} beyond noise, all being judged together; by chance {:.1} would if each were judged alone.",
        units::whole(found.beyond_noise),
        found.by_chance()
    ))
}

/// Says what the figures mean.
pub(super) fn write(
    out: &mut Sheet<'_>,
    diff: &Diff,
    shown: &Shown,
    layout: &Layout,
) -> io::Result<()> {
    out.blank()?;
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
    if shown.has(TYPICAL) {
        notes.push(
            "TYPICAL %: the change of the time in traces that have some, by its geometric mean, and its 95 % interval."
                .to_owned(),
        );
    }
    notes.extend(on_rows(diff));
    notes.extend(on_totals(diff));
    if let Some(m) = diff.matching.filter(|m| m.new + m.gone > 0) {
        notes.push(format!(
            "{} in both traces, {} only before, {} only after.",
            units::counted(m.matched, "span"),
            units::whole(m.gone),
            units::whole(m.new)
        ));
    }
    if diff.unchanged > 0 {
        notes.push(unchanged(diff));
    }
    notes
        .iter()
        .try_for_each(|note| write_note(out, note, layout))
}
