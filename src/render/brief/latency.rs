//! Where time went: of one trace with its critical path, or of many.

use std::cmp::Reverse;

use super::budget::{self, Again, Block, Budget, RestId, Share};
use super::{some, tokens};
use crate::analysis::{LatencyReport, ManyReport, Row};
use crate::render::column::state_word;
use crate::render::short_id::ShortIds;
use crate::render::summary;
use crate::table::rows::latency::percentile;
use crate::text::Clean;
use crate::units;

/// Sections of the critical path before the rows, and rows before the rest of it.
const FIRST_SECTIONS: usize = 12;
const FIRST_ROWS: usize = 40;

/// One trace, with these of all its rows. `again` lists all rows, and with
/// `--critical-path` all sections.
pub fn one(
    tokens: usize,
    report: &LatencyReport<'_>,
    rows: &[Row],
    all: usize,
    again: &str,
) -> Clean {
    let info = &report.trace.info;
    let mut budget = Budget::new(tokens);
    let mut block = budget.block();
    block.level(0);
    let id = ShortIds::among(std::iter::empty())
        .short(&info.trace_id)
        .to_owned();
    let unaccounted = units::duration(report.unaccounted_ns);
    let head = Clean::line("trace ")
        .then(tokens::fit(&id, 40))
        .then(" ")
        .then(super::name(info, Some(report)))
        .then(" ")
        .then(tokens::fit(state_word(info), super::WORD))
        .then(format!(
            " {}, {}, unaccounted {unaccounted}",
            summary::total_text(report),
            units::counted(report.tree.len(), "span"),
        ));
    block.line(0, 0, head, None);
    block.level(1);
    let rest = block.rest(all, budget::more_rows, Again::new(again));
    let path = Again::new(&format!("{again} --critical-path"));
    let sections = block.rest(report.sections.len(), more_sections, path);
    block.level(2);
    let mut longest: Vec<usize> = (0..report.sections.len()).collect();
    longest.sort_by_key(|at| (Reverse(report.sections[*at].duration_ns), *at));
    let (first, more) = longest.split_at(longest.len().min(FIRST_SECTIONS));
    let add_sections = |block: &mut Block<'_>, chosen: &[usize]| {
        chosen.iter().all(|at| {
            let of = Some(Share {
                of: sections,
                count: 1,
            });
            block.line(1, 1 + at, section_line(report, *at), of)
        })
    };
    if !longest.is_empty() {
        let legend = "critical path: start, time, share, span";
        block.line(1, 0, Clean::line(legend), None);
    }
    add_sections(&mut block, first);
    block.level(3);
    let (early, late) = rows.split_at(rows.len().min(FIRST_ROWS));
    block.line(2, 0, Clean::line("rows: total, self, critical"), None);
    add_rows(&mut block, early, 0, rest, &row_of_one);
    block.level(4);
    add_sections(&mut block, more);
    block.level(5);
    add_rows(&mut block, late, early.len(), rest, &row_of_one);
    budget.finish()
}

/// Many traces, with these of all their rows, and the slowest.
pub fn many(tokens: usize, report: &ManyReport, all: usize, again: &str) -> Clean {
    let mut budget = Budget::new(tokens);
    let mut block = budget.block();
    block.level(0);
    block.line(0, 0, head_of_many(report), None);
    block.level(1);
    let rest = block.rest(all, budget::more_rows, Again::new(again));
    let slowest = block.rest(report.slowest.len(), more_slow, Again::new(again));
    block.level(2);
    if !report.rows.is_empty() {
        block.line(1, 0, Clean::line("rows: durations, self, critical"), None);
    }
    let (early, late) = report.rows.split_at(report.rows.len().min(FIRST_ROWS));
    add_rows(&mut block, early, 0, rest, &row_of_many);
    block.level(3);
    let mut ids = ShortIds::among(report.slowest.iter().map(|slow| slow.trace_id.as_str()));
    for (at, slow) in report.slowest.iter().enumerate() {
        let id = tokens::fit(ids.short(&slow.trace_id), 40);
        let mut facts = vec![units::duration(slow.total_ns)];
        facts.extend(some(slow.spans, "span"));
        facts.extend(some(slow.errors, "error"));
        let mut line = Clean::line("slow ")
            .then(id)
            .then(" ")
            .then(facts.join(", "));
        if let Some((name, ns)) = &slow.mostly {
            let name = tokens::fit(name, super::NAME);
            let took = units::duration(*ns);
            line = line
                .then(", waited for ")
                .then(name)
                .then(format!(" {took}"));
        }
        let of = Some(Share {
            of: slowest,
            count: 1,
        });
        if !block.line(3, at, line, of) {
            break;
        }
    }
    block.level(4);
    add_rows(&mut block, late, early.len(), rest, &row_of_many);
    budget.finish()
}

fn head_of_many(report: &ManyReport) -> Clean {
    let mut facts = vec![
        units::counted(report.traces, "trace"),
        units::counted(report.spans, "span"),
        format!("total {}", units::duration(report.total_ns)),
    ];
    if let Some(stats) = &report.stats {
        facts.push(format!("p50 {}", units::duration(stats.p50_ns)));
        let p95 = percentile(stats.p95_ns, stats.p95_is_rough());
        facts.push(format!("p95 {p95}"));
        facts.push(format!("max {}", units::duration(stats.max_ns)));
    }
    if report.in_progress > 0 {
        facts.push(format!("{} in progress", units::whole(report.in_progress)));
    }
    if report.without_spans > 0 {
        facts.push(format!(
            "{} without spans",
            units::whole(report.without_spans)
        ));
    }
    Clean::line(facts.join(", "))
}

fn add_rows(
    block: &mut Block<'_>,
    rows: &[Row],
    before: usize,
    rest: RestId,
    figures: &dyn Fn(&Row) -> String,
) {
    for (at, row) in rows.iter().enumerate() {
        let mut line = Clean::line("- ").then(tokens::fit(row.key.as_str(), 3 * super::NAME));
        if let Some(second) = &row.second {
            line = line
                .then(" / ")
                .then(tokens::fit(second.as_str(), super::NAME));
        }
        if row.count > 1 {
            line = line.then(format!(" ×{}", units::whole(row.count)));
        }
        if let Some(errors) = some(row.errors, "error") {
            line = line.then(format!(" {errors}"));
        }
        line = line.then(figures(row));
        let of = Some(Share { of: rest, count: 1 });
        if !block.line(2, 1 + before + at, line, of) {
            return;
        }
    }
}

fn row_of_one(row: &Row) -> String {
    let total = summary::at_least(row.total_ns, row.in_progress > 0);
    format!(" {total}{}", shares(row))
}

fn row_of_many(row: &Row) -> String {
    let Some(stats) = &row.stats else {
        return shares(row);
    };
    let p95 = percentile(stats.p95_ns, stats.p95_is_rough());
    let [p50, max] = [stats.p50_ns, stats.max_ns].map(units::duration);
    format!(" p50 {p50} p95 {p95} max {max}{}", shares(row))
}

fn shares(row: &Row) -> String {
    let share = |ratio: Option<f64>| {
        ratio.map_or(String::new(), |ratio| format!(" {}", units::share(ratio)))
    };
    format!(
        ", self {}{}, critical {}{}",
        units::duration(row.self_ns),
        share(row.self_ratio),
        units::duration(row.critical_ns),
        share(row.critical_ratio),
    )
}

fn section_line(report: &LatencyReport<'_>, at: usize) -> Clean {
    let section = &report.sections[at];
    let share = report.ratio(section.duration_ns).map(units::share);
    let name = section.node.map_or(Clean::line("(no span)"), |id| {
        tokens::fit(&report.span(id).name, super::NAME)
    });
    Clean::line(format!(
        "+{} {} {} ",
        units::duration(section.start_offset_ns),
        units::duration(section.duration_ns),
        share.unwrap_or_default(),
    ))
    .then(name)
}

fn more_sections(left: usize) -> String {
    format!(
        "{} of the critical path",
        units::counted(left, "more section")
    )
}

fn more_slow(left: usize) -> String {
    units::counted(left, "more slow trace")
}
