//! Comparing traces as they come: sums per row and side, what differs between
//! them, and how their spans belong together.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::totals::Samples;
use super::{Diff, DiffRow, DiffSort, Intake, Matching, OnlyTrace, Side, Sides, feedback, rows};
use crate::analysis::assessed::Assessed;
use crate::analysis::group::Grouper;
use crate::analysis::number::{difference, float, narrow, rounded_mean};
use crate::analysis::typical::Logs;
use crate::analysis::{By, GroupKey, LatencyReport, NodeId, RowKey, Standing};
use crate::model::StatusCode;

/// Traces of both sides, summed up as they come.
#[derive(Debug)]
pub struct Comparison {
    by: By,
    groups: Grouper,
    /// Paths of the spans of the first trace on each side.
    paths: Grouper,
    sides: Sides<SideSums>,
}

/// Traces in progress are kept apart, since they count only where they are all there is.
#[derive(Debug, Default)]
struct SideSums {
    ended: Sums,
    in_progress: Sums,
    /// In progress and without a span yet, so that there is no time to compare.
    just_begun: usize,
    without_spans: usize,
}

impl SideSums {
    /// The traces that are compared.
    const fn used(&self) -> &Sums {
        if self.ended.traces == 0 && self.in_progress.traces == 1 {
            &self.in_progress
        } else {
            &self.ended
        }
    }
}

#[derive(Debug, Default)]
struct Sums {
    traces: usize,
    total_ns: i128,
    samples: Samples,
    assessed: Assessed,
    groups: Vec<Group>,
    no_span: Group,
    /// The only trace and its spans; `None` with more traces than one.
    only: Option<(OnlyTrace, Vec<SpanOf>)>,
}

/// The sums of a row on one side.
#[derive(Debug, Clone, Default)]
struct Group {
    traces: usize,
    calls: usize,
    errors: usize,
    self_ns: i128,
    critical_ns: i128,
    /// The critical time of each trace that has such a span.
    critical: Logs,
    /// The critical time in the trace that is being added, once there is one.
    here_ns: Option<i64>,
}

/// A span of the only trace on a side.
#[derive(Debug, Clone, Copy)]
struct SpanOf {
    path: usize,
    group: usize,
    critical_ns: i64,
}

impl Comparison {
    /// Without any trace yet.
    pub fn new(by: By) -> Self {
        Self {
            by,
            groups: Grouper::new(GroupKey::Span(by), None),
            paths: Grouper::new(GroupKey::Span(By::Path), None),
            sides: Sides::default(),
        }
    }

    /// Adds a trace. Of its spans, nothing is kept but sums and keys.
    pub fn add(&mut self, side: Side, report: &LatencyReport<'_>) {
        let sums = self.sides.get_mut(side);
        let in_progress = report.tree.standing() == Standing::InProgress;
        if report.tree.is_empty() {
            *(if in_progress {
                &mut sums.just_begun
            } else {
                &mut sums.without_spans
            }) += 1;
            return;
        }
        let sums = if in_progress {
            &mut sums.in_progress
        } else {
            &mut sums.ended
        };
        let assigned = self.groups.assign(report.trace, &report.tree);
        sums.only = (sums.traces == 0).then(|| {
            let paths = self.paths.assign(report.trace, &report.tree);
            let spans = paths.iter().zip(&assigned).zip(&report.critical_ns);
            let spans = spans.map(|((&path, &group), &critical_ns)| SpanOf {
                path,
                group,
                critical_ns,
            });
            let info = &report.trace.info;
            let trace = OnlyTrace {
                trace_id: info.trace_id.clone(),
                name: info.name().map(str::to_owned),
                in_progress,
            };
            (trace, spans.collect())
        });
        sums.groups.resize_with(self.groups.len(), Group::default);
        for (&group, (id, _)) in assigned.iter().zip(report.nodes()) {
            sums.groups[group].add_span(report, id);
        }
        for group in assigned {
            sums.groups[group].end_trace();
        }
        if report.no_span_ns > 0 {
            sums.no_span.add_time(report.no_span_ns, report.no_span_ns);
            sums.no_span.end_trace();
        }
        sums.traces += 1;
        sums.total_ns += i128::from(report.total_ns());
        sums.samples.add(report);
        sums.assessed.add(report.trace);
    }

    /// How the traces of each side were taken.
    pub fn intake(&self) -> Sides<Intake> {
        self.sides.map(|side| Intake {
            traces: side.used().traces,
            in_progress: side.in_progress.traces + side.just_begun,
            without_spans: side.without_spans,
        })
    }

    /// Compares what was added. `seed` is that of the intervals' random numbers.
    pub fn finish(self, sort: DiffSort, seed: u64) -> Diff {
        let intake = self.intake();
        let pair = intake.before.traces == 1 && intake.after.traces == 1;
        let used = self.sides.map(SideSums::used);
        let matchings = self.matchings(pair);
        let keys: Vec<RowKey> = self
            .groups
            .row_keys()
            .into_iter()
            .map(|key| key.0)
            .collect();
        let count = keys.len();
        let nothing = Group::default();
        let mut contrasts: Vec<(usize, Contrast<'_>)> = (0..=count)
            .map(|number| {
                let groups = Sides::of(|side| {
                    let sums = used.get(side);
                    if number == count {
                        &sums.no_span
                    } else {
                        sums.groups.get(number).unwrap_or(&nothing)
                    }
                });
                (
                    number,
                    Contrast {
                        groups,
                        traces: intake.map(|i| i.traces),
                    },
                )
            })
            .filter(|(_, contrast)| contrast.is_there())
            .collect();
        let there = contrasts.len();
        contrasts.retain(|(_, contrast)| contrast.differs());
        let unchanged = there - contrasts.len();
        let key = |number: usize| keys.get(number).unwrap_or(&RowKey::NoSpan);
        contrasts.sort_by_cached_key(|(number, contrast)| {
            (Reverse(contrast.size(sort)), key(*number).clone())
        });
        // Long paths may be shown alike.
        let alike = |a: &(usize, Contrast<'_>), b: &(usize, Contrast<'_>)| {
            a.1.size(sort) == b.1.size(sort) && key(a.0) == key(b.0)
        };
        for same in contrasts.chunk_by_mut(alike) {
            if same.len() > 1 {
                same.sort_by(|a, b| self.groups.compare(a.0, b.0));
            }
        }
        let change = scaled_change(used.map(|sums| sums.total_ns), intake.map(|i| i.traces));
        let mut rows: Vec<DiffRow> = contrasts
            .iter()
            .map(|(number, contrast)| DiffRow {
                matching: matchings.get(number).copied(),
                ..contrast.row(key(*number).clone(), change, pair)
            })
            .collect();
        let found = rows::together(&mut rows);
        let mut diff = Diff {
            by: self.by,
            pair,
            only: used.map(|sums| sums.only.as_ref().map(|(trace, _)| trace.clone())),
            intake,
            total_ns: used.map(|sums| narrow(sums.total_ns)),
            totals: Samples::compare(used.map(|sums| &sums.samples), pair, seed),
            feedback: feedback::compare(used.map(|sums| &sums.assessed), pair),
            rows,
            found,
            unchanged,
            matching: pair.then(|| matchings.values().fold(Matching::default(), Matching::plus)),
        };
        // Shares of a change that may be none at all add up to 100 % of nothing.
        if diff.is_within_noise() {
            diff.rows.iter_mut().for_each(|row| row.share = None);
        }
        diff
    }

    /// For each group of two single traces, how its spans belong together.
    fn matchings(&self, pair: bool) -> HashMap<usize, Matching> {
        let mut matchings: HashMap<usize, Matching> = HashMap::new();
        let spans = self.sides.map(|side| side.used().only.as_ref());
        let (true, Some((_, before)), Some((_, after))) = (pair, spans.before, spans.after) else {
            return matchings;
        };
        let numbered = |spans: &[SpanOf]| {
            let mut met: HashMap<usize, usize> = HashMap::new();
            let number = |span: &SpanOf| {
                let occurrence = met.entry(span.path).or_default();
                *occurrence += 1;
                ((span.path, *occurrence), *span)
            };
            spans.iter().map(number).collect::<Vec<_>>()
        };
        let mut left: HashMap<(usize, usize), SpanOf> = numbered(before).into_iter().collect();
        for (place, span) in numbered(after) {
            let row = matchings.entry(span.group).or_default();
            // A span of another type is in another row, and so no partner.
            match left.get(&place) {
                Some(partner) if partner.group == span.group => {
                    row.matched += 1;
                    row.matched_change_ns += difference(span.critical_ns, partner.critical_ns);
                    left.remove(&place);
                }
                _ => row.new += 1,
            }
        }
        for span in left.values() {
            matchings.entry(span.group).or_default().gone += 1;
        }
        matchings
    }
}

impl Group {
    fn add_span(&mut self, report: &LatencyReport<'_>, id: NodeId) {
        self.calls += 1;
        self.errors += usize::from(report.span(id).status == StatusCode::Error);
        self.add_time(report.self_ns(id), report.critical_ns(id));
    }

    fn add_time(&mut self, self_ns: i64, critical_ns: i64) {
        self.self_ns += i128::from(self_ns);
        self.here_ns = Some(self.here_ns.unwrap_or(0).saturating_add(critical_ns));
    }

    /// A second call for the same trace does nothing.
    fn end_trace(&mut self) {
        if let Some(critical_ns) = self.here_ns.take() {
            self.traces += 1;
            self.critical_ns += i128::from(critical_ns);
            self.critical.add_time(critical_ns);
        }
    }
}

/// A row's sums on both sides, and over how many traces.
struct Contrast<'a> {
    groups: Sides<&'a Group>,
    traces: Sides<usize>,
}

impl Contrast<'_> {
    fn is_there(&self) -> bool {
        self.groups.before.traces > 0 || self.groups.after.traces > 0
    }

    /// The change of a sum per trace, times the numbers of traces of both sides.
    fn change(&self, of: impl Fn(&Group) -> i128) -> i128 {
        scaled_change(self.groups.map(|group| of(group)), self.traces)
    }

    fn differs(&self) -> bool {
        let counts = |group: &Group| [group.calls, group.errors].map(wide);
        let times = |group: &Group| [group.self_ns, group.critical_ns];
        (0..2).any(|at| self.change(|g| counts(g)[at]) != 0 || self.change(|g| times(g)[at]) != 0)
    }

    /// What it is sorted by.
    fn size(&self, sort: DiffSort) -> u128 {
        match sort {
            DiffSort::Critical => self.change(|g| g.critical_ns).unsigned_abs(),
            DiffSort::SelfTime => self.change(|g| g.self_ns).unsigned_abs(),
            DiffSort::Calls => self.change(|g| wide(g.calls)).unsigned_abs(),
            DiffSort::Errors => self.change(|g| wide(g.errors)).unsigned_abs(),
            DiffSort::Name => 0,
        }
    }

    fn row(&self, key: RowKey, total_change: i128, pair: bool) -> DiffRow {
        let means = |of: fn(&Group) -> i128| {
            Sides::of(|side| rounded_mean(of(self.groups.get(side)), *self.traces.get(side)))
        };
        let change = self.change(|g| g.critical_ns);
        DiffRow {
            key,
            traces: self.groups.map(|g| g.traces),
            calls: self.groups.map(|g| g.calls),
            errors: self.groups.map(|g| g.errors),
            self_ns: means(|g| g.self_ns),
            critical_ns: means(|g| g.critical_ns),
            share: match (total_change, change) {
                (0, _) => None,
                // Not the 0 with a minus sign that dividing by less gives.
                (_, 0) => Some(0.0),
                _ => Some(float(change) / float(total_change)),
            },
            finding: (!pair).then(|| {
                let logs = self.groups.map(|g| g.critical);
                rows::alone(&logs, self.traces, self.groups.map(|g| g.traces))
            }),
            matching: None,
        }
    }
}

/// The change of a mean, times the numbers of traces of both sides: a whole number.
fn scaled_change(sums: Sides<i128>, traces: Sides<usize>) -> i128 {
    sums.after
        .saturating_mul(wide(traces.before))
        .saturating_sub(sums.before.saturating_mul(wide(traces.after)))
}

fn wide(count: usize) -> i128 {
    i128::try_from(count).unwrap_or(i128::MAX)
}
