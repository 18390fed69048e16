//! Which rows of two sets changed by more than chance explains. A row has the
//! critical time that each trace spends in it: how long that is where there is
//! any, and how often there is some. All rows are judged together, since of many
//! that did not change at all one in 20 looks as if it had.

use super::{DiffRow, Finding, RowsFound, Sides, Verdict};
use crate::analysis::typical::{self, Logs, benjamini_hochberg};

/// Traces with such a span that each side needs.
pub(super) const LEAST_OCCURRENCES: usize = 10;

/// A test of one row, before it is known what the others say.
pub(super) fn alone(
    logs: &Sides<Logs>,
    traces: Sides<usize>,
    occurrences: Sides<usize>,
) -> Finding {
    let mut finding = Finding {
        verdict: Verdict::TooFew,
        test: None,
        typical: None,
        p: None,
        p_adjusted: None,
    };
    let enough = traces.before.min(traces.after) >= super::Measure::LEAST_VALUES
        && occurrences.before.min(occurrences.after) >= LEAST_OCCURRENCES;
    if !enough {
        return finding;
    }
    let (before, after) = (
        logs.before.filled_up_to(traces.before),
        logs.after.filled_up_to(traces.after),
    );
    if let Some(found) = typical::compare(&before, &after, 0.0) {
        finding.verdict = Verdict::of(0.0, found.rises);
        finding.test = Some(found.test);
        finding.typical = found.typical;
        finding.p = Some(found.p);
    }
    finding
}

/// Judges all rows together.
pub(super) fn together(rows: &mut [DiffRow]) -> RowsFound {
    let mut tested: Vec<&mut Finding> = rows
        .iter_mut()
        .filter_map(|row| row.finding.as_mut())
        .filter(|finding| finding.p.is_some())
        .collect();
    let alone: Vec<f64> = tested.iter().filter_map(|finding| finding.p).collect();
    for (finding, p) in tested.iter_mut().zip(benjamini_hochberg(&alone)) {
        finding.p_adjusted = Some(p);
        finding.verdict = Verdict::of(p, finding.verdict == Verdict::Higher);
    }
    let beyond = |finding: &&&mut Finding| finding.verdict != Verdict::Noise;
    RowsFound {
        tested: tested.len(),
        beyond_noise: tested.iter().filter(beyond).count(),
    }
}
