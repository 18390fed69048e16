//! A check as people read it: one line for each rule, with what it came to, what
//! was asked, and which traces or spans are to blame. The words are shared with
//! the formats for other readers.

use std::io::{self, Write};

use super::cell::Cell;
use super::quantity::{change, quantity};
use super::style::Painted;
use super::table::{Align, Table, TableColumn, natural_widths};
use super::{Layout, NO_MATCH, number, sanitize};
use crate::analysis::{Failure, Judgement, Problem, Ruling, Sample};
use crate::filter::Number;
use crate::filter::aggregate::exact;

/// Ids of traces in progress that are named in a sentence.
const NAMED: usize = 5;

/// Writes the table and the summary below it.
pub fn write(out: &mut dyn Write, verdict: &Judgement, layout: &Layout) -> io::Result<()> {
    let style = layout.style;
    let rows: Vec<Vec<Cell>> = verdict
        .rulings
        .iter()
        .map(|ruling| row(ruling, layout))
        .collect();
    let all_heads = ["", "AGGREGATE", "VALUE", "LIMIT", "N", "BEFORE", "TO BLAME"];
    // A column in which nothing stands is left out.
    let shown: Vec<usize> = (0..all_heads.len())
        .filter(|&at| rows.iter().any(|row| !row[at].is_empty()))
        .collect();
    let heads: Vec<&str> = shown.iter().map(|&at| all_heads[at]).collect();
    let rows: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| shown.iter().map(|&at| row[at].clone()).collect())
        .collect();
    let widths = natural_widths(&heads, &rows);
    let columns = heads.iter().zip(widths).map(|(head, width)| TableColumn {
        head: Cell::new(style.heading(), head),
        align: if matches!(*head, "VALUE" | "N") {
            Align::Right
        } else {
            Align::Left
        },
        width,
    });
    let table = Table::new(columns.collect());
    table.write_head(out)?;
    for row in &rows {
        writeln!(out, "{}", table.line(row))?;
    }
    writeln!(out)?;
    let summary = summary(verdict);
    let meaning = if verdict.passed() {
        style.ok()
    } else {
        style.error()
    };
    writeln!(out, "{}", Painted(meaning, summary))?;
    if verdict.rulings.iter().any(|ruling| ruling.measured.rough) {
        let note = "~ a percentile of few samples: it stands for little more than the largest";
        writeln!(out, "{}", Painted(style.muted(), note))?;
    }
    Ok(())
}

fn row(ruling: &Ruling, layout: &Layout) -> Vec<Cell> {
    let style = layout.style;
    let outcome = if ruling.skipped() {
        Cell::new(style.muted(), "skipped")
    } else if ruling.passed() {
        Cell::new(style.ok(), "passed")
    } else {
        Cell::new(style.error(), "FAILED")
    };
    let limit = ruling.bound.map(|bound| bound.text(ruling.unit));
    let blamed = if ruling.passed() {
        String::new()
    } else {
        blame(ruling)
    };
    vec![
        outcome,
        Cell::new(style.name(), &ruling.aggregate),
        Cell::new(style.text(), value(ruling)),
        Cell::new(style.text(), limit.unwrap_or_default()),
        Cell::new(style.muted(), count(ruling.measured.n)),
        Cell::new(style.text(), before(ruling).unwrap_or_default()),
        Cell::new(style.id(), blamed),
    ]
}

fn count(n: usize) -> String {
    number::count(i64::try_from(n).unwrap_or(i64::MAX))
}

/// What a rule came to; `~` marks a percentile of few samples. What would look
/// like the limit that it misses is shown with all its digits.
pub fn value(ruling: &Ruling) -> String {
    let Some(value) = ruling.measured.value else {
        return number::NONE.to_owned();
    };
    let shown = quantity(value, ruling.unit);
    let limits = [
        ruling.bound.map(|bound| bound.limit),
        ruling.change.and_then(|change| change.before),
    ];
    let misleads =
        |limit: Number| value.compare(limit).is_ne() && quantity(limit, ruling.unit) == shown;
    let shown = if !ruling.passed() && limits.into_iter().flatten().any(misleads) {
        exact(value, ruling.unit)
    } else {
        shown
    };
    let mark = if ruling.measured.rough { "~" } else { "" };
    format!("{mark}{shown}")
}

/// The earlier value and the change since: `1.50 s, +9.3 %`.
pub fn before(ruling: &Ruling) -> Option<String> {
    let comparison = ruling.change?;
    let Some(before) = comparison.before else {
        return Some(number::NONE.to_owned());
    };
    let before = quantity(before, ruling.unit);
    Some(match comparison.ratio {
        Some(ratio) => format!("{before}, {}", change(ratio)),
        None => before,
    })
}

/// The samples to blame, safe to show: trace ids, paths of spans and values.
pub fn blame(ruling: &Ruling) -> String {
    let named = ruling.blamed.iter().map(|sample| blamed(sample, ruling));
    named.collect::<Vec<_>>().join(", ")
}

/// Text of a trace, which the runner of GitHub Actions may not take for a command
/// of its own wherever it stands.
fn safe(text: &str) -> String {
    sanitize::line(text).replace("##[", "# #[")
}

fn blamed(sample: &Sample, ruling: &Ruling) -> String {
    let mut text = safe(&sample.trace_id);
    if let Some(span) = &sample.span {
        text.push(' ');
        text.push_str(&safe(&span.path));
    }
    if let Some(value) = sample.value {
        text.push_str(" (");
        text.push_str(&quantity(value, ruling.unit));
        text.push(')');
    }
    text
}

/// What was found, what was expected, and who is to blame, as one sentence that
/// is safe to show.
pub fn sentence(ruling: &Ruling) -> String {
    let mut parts: Vec<String> = ruling
        .measured
        .value
        .iter()
        .map(|_| value(ruling))
        .collect();
    for failure in &ruling.failures {
        parts.push(match failure {
            Failure::NoSamples => "there is nothing to measure".to_owned(),
            Failure::Bound => {
                let bound = ruling.bound.map(|bound| bound.text(ruling.unit));
                format!("expected {}", bound.unwrap_or_default())
            }
            Failure::Regression => {
                let allowed = ruling.change.map_or(0.0, |change| change.allowed);
                format!(
                    "the baseline had {}, at most {} allowed",
                    before(ruling).unwrap_or_default(),
                    change(allowed).trim_start_matches('+')
                )
            }
            Failure::NoBaseline => "the baseline has no value of it".to_owned(),
        });
    }
    parts.push(format!("n = {}", count(ruling.measured.n)));
    let sentence = parts.join(", ");
    if ruling.passed() || ruling.blamed.is_empty() {
        return sentence;
    }
    format!("{sentence}: {}", blame(ruling))
}

/// `2 of 5 rules failed on 34 traces`.
pub fn summary(verdict: &Judgement) -> String {
    let traces = number::counted(verdict.traces, "trace");
    let rules = number::counted(verdict.rulings.len(), "rule");
    if verdict.failed() > 0 {
        let failed = count(verdict.failed());
        return format!("{failed} of {rules} failed on {traces}");
    }
    format!("{rules} passed on {traces}")
}

/// Why a check fails whatever its rules say, safe to show.
pub fn problem(verdict: &Judgement) -> Option<String> {
    Some(match verdict.problem? {
        Problem::NoTraces => NO_MATCH.to_owned(),
        Problem::InProgress => {
            let ids = &verdict.in_progress;
            let are = if ids.len() == 1 { "is" } else { "are" };
            let mut named: Vec<_> = ids.iter().take(NAMED).map(|id| safe(id)).collect();
            if ids.len() > NAMED {
                named.push("…".to_owned());
            }
            format!(
                "{} {are} still in progress: {}",
                number::counted(ids.len(), "trace"),
                named.join(", ")
            )
        }
    })
}
