//! Where the time of many traces went, taken together. Traces are added one by
//! one, in any order, and only numbers and names are kept of them.

use std::cmp::Reverse;

use crate::model::StatusCode;

use super::{Aggregation, GroupKey, LatencyReport, Row, Sort, Standing, Summary, Unit, ratio};

/// What is asked about many traces.
#[derive(Debug, Clone)]
pub struct Question {
    /// What a row stands for.
    pub key: GroupKey,
    /// A second key, where rows stand for pairs.
    pub second: Option<GroupKey>,
    /// What one sample is.
    pub unit: Unit,
    /// How many of the slowest traces to remember.
    pub slowest: usize,
    /// Spans that would take less time.
    pub what_if: Option<Supposition>,
    /// Spans of this name are to be plotted, and not the traces.
    pub plotted: Option<String>,
}

/// Spans of a name that would take less time.
#[derive(Debug, Clone, PartialEq)]
pub struct Supposition {
    /// The name of the spans.
    pub name: String,
    /// Whether what they called would take less time with them.
    pub with_called: bool,
    /// The part of their time that is left, from 0 to 1.
    pub factor: f64,
}

/// Many traces in the making.
#[derive(Debug)]
pub struct Many {
    question: Question,
    aggregation: Aggregation,
    times: Vec<TraceTime>,
    slowest: Vec<SlowTrace>,
    saved_ns: Vec<i64>,
    found_in: usize,
    named: bool,
    without_spans: usize,
    plotted: Vec<(i64, i64)>,
}

/// How long a trace took.
#[derive(Debug, Clone, Copy)]
struct TraceTime {
    /// Nanoseconds.
    total_ns: i64,
    /// The total can only grow, so it is left out of statistics.
    in_progress: bool,
}

/// One of the slowest traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowTrace {
    /// Its id.
    pub trace_id: String,
    /// When it began, in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Its total in nanoseconds.
    pub total_ns: i64,
    /// Its number of spans.
    pub spans: usize,
    /// Spans that ended in an error.
    pub errors: usize,
    /// The span with most time on the critical path, and that time in nanoseconds.
    pub mostly: Option<(String, i64)>,
}

/// What would be left if spans took less time. The critical path says which part
/// of them the traces waited for; other spans may then take their place on it,
/// so what is saved is an upper bound, and what is left a lower one.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf {
    /// What was supposed.
    pub supposed: Supposition,
    /// Whether any span has the name.
    pub named: bool,
    /// Traces with such time on the critical path.
    pub traces: usize,
    /// Nanoseconds saved at most, over all traces.
    pub saved_ns: i64,
    /// `saved_ns` as a share of the total.
    pub saved_ratio: Option<f64>,
    /// Statistics of the totals that are left at least, in nanoseconds.
    pub left: Option<Summary>,
}

/// Where the time of many traces went. Durations are nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct ManyReport {
    /// How many traces.
    pub traces: usize,
    /// How many of them have not ended; they are left out of statistics.
    pub in_progress: usize,
    /// How many of them have ended and have no spans; they are left out of everything.
    pub without_spans: usize,
    /// How many spans.
    pub spans: usize,
    /// The sum of the totals.
    pub total_ns: i64,
    /// Statistics of the totals of traces that have ended.
    pub stats: Option<Summary>,
    /// The groups.
    pub rows: Vec<Row>,
    /// The slowest traces, the slowest first, and of equal ones the newest.
    pub slowest: Vec<SlowTrace>,
    /// What would be left.
    pub what_if: Option<WhatIf>,
}

impl Many {
    /// Without any trace yet.
    pub fn new(question: Question) -> Self {
        Self {
            aggregation: Aggregation::with_keys(
                question.key.clone(),
                question.second.clone(),
                question.unit,
            ),
            question,
            times: Vec::new(),
            slowest: Vec::new(),
            saved_ns: Vec::new(),
            found_in: 0,
            named: false,
            without_spans: 0,
            plotted: Vec::new(),
        }
    }

    /// Adds a trace.
    pub fn add(&mut self, report: &LatencyReport<'_>) {
        let standing = report.tree.standing();
        if standing == Standing::WithoutSpans {
            self.without_spans += 1;
            return;
        }
        self.aggregation.add(report);
        let in_progress = standing == Standing::InProgress;
        self.times.push(TraceTime {
            total_ns: report.total_ns(),
            in_progress,
        });
        if !report.tree.is_empty() {
            self.remember_slow(report);
        }
        if let Some(name) = &self.question.plotted {
            let named = report
                .nodes()
                .filter(|(id, node)| !node.in_progress && report.span(*id).name == *name);
            self.plotted
                .extend(named.map(|(_, node)| (node.start_ns, node.duration_ns())));
        } else if !in_progress {
            self.plotted
                .push((report.tree.origin_ns, report.total_ns()));
        }
        if let Some(supposed) = &self.question.what_if {
            let critical = supposed.critical_ns(report);
            self.named |= critical.is_some();
            let critical = critical.unwrap_or(0);
            self.found_in += usize::from(critical > 0);
            self.saved_ns
                .push(critical - part(critical, supposed.factor));
        }
    }

    fn remember_slow(&mut self, report: &LatencyReport<'_>) {
        let (total_ns, start_ns) = (report.total_ns(), report.tree.origin_ns);
        let trace_id = &report.trace.info.trace_id;
        let rank = (Reverse(total_ns), Reverse(start_ns), trace_id);
        let place = self.slowest.partition_point(|slow| {
            (
                Reverse(slow.total_ns),
                Reverse(slow.start_ns),
                &slow.trace_id,
            ) <= rank
        });
        if place >= self.question.slowest {
            return;
        }
        let most = report
            .nodes()
            .map(|(id, _)| (report.critical_ns(id), Reverse(id)))
            .max();
        let spans = || report.nodes().map(|(id, _)| report.span(id));
        self.slowest.insert(
            place,
            SlowTrace {
                trace_id: trace_id.clone(),
                start_ns,
                total_ns,
                spans: report.tree.len(),
                errors: spans().filter(|s| s.status == StatusCode::Error).count(),
                mostly: most
                    .filter(|(ns, _)| *ns > 0)
                    .map(|(ns, id)| (report.span(id.0).name.clone(), ns)),
            },
        );
        self.slowest.truncate(self.question.slowest);
    }

    /// When what is to be plotted began and how long it took, in nanoseconds:
    /// traces, or spans of a name, that have ended.
    pub fn plotted(&self) -> &[(i64, i64)] {
        &self.plotted
    }

    /// The report, its rows in order.
    pub fn into_report(self, sort: Sort) -> ManyReport {
        let ended = self.times.iter().filter(|time| !time.in_progress);
        let mut durations_ns: Vec<i64> = ended.map(|time| time.total_ns).collect();
        durations_ns.sort_unstable();
        let total_ns = self.aggregation.total_ns();
        let what_if = self.question.what_if.map(|supposed| {
            let saved_ns = self.saved_ns.iter().copied().fold(0, i64::saturating_add);
            let times = self.times.iter().zip(&self.saved_ns);
            let mut left: Vec<i64> = times
                .filter(|(time, _)| !time.in_progress)
                .map(|(time, saved)| time.total_ns - saved)
                .collect();
            left.sort_unstable();
            WhatIf {
                supposed,
                named: self.named,
                traces: self.found_in,
                saved_ns,
                saved_ratio: ratio(saved_ns, total_ns),
                left: Summary::of_sorted(&left),
            }
        });
        ManyReport {
            traces: self.times.len() + self.without_spans,
            without_spans: self.without_spans,
            in_progress: self.times.len() - durations_ns.len(),
            spans: self.aggregation.spans(),
            total_ns,
            stats: Summary::of_sorted(&durations_ns),
            rows: self.aggregation.into_rows(sort),
            slowest: self.slowest,
            what_if,
        }
    }
}

impl Supposition {
    /// The critical time of the spans that it is about; `None` where none has the name.
    fn critical_ns(&self, report: &LatencyReport<'_>) -> Option<i64> {
        let mut sum = None;
        let mut concerned_until = 0;
        for (id, _) in report.nodes() {
            let named = report.span(id).name == self.name;
            if named && self.with_called {
                // Subtrees are ranges in pre-order, and nested ones lie within.
                concerned_until = concerned_until.max(report.tree.subtree(id).end);
            }
            if named || id.index() < concerned_until {
                *sum.get_or_insert(0) += report.critical_ns(id);
            }
        }
        sum
    }
}

/// That part of a time, rounded to whole nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a factor that somebody typed is not that exact"
)]
fn part(ns: i64, factor: f64) -> i64 {
    (ns as f64 * factor).round() as i64
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sample::{MS, SpanExt, span, trace};
    use crate::analysis::{By, analyse};
    use crate::model::Trace;

    fn report(traces: &[Trace], what_if: Option<Supposition>) -> ManyReport {
        let mut many = Many::new(Question {
            key: GroupKey::Span(By::Name),
            second: None,
            unit: Unit::Call,
            slowest: 2,
            what_if,
            plotted: None,
        });
        for trace in traces {
            many.add(&analyse(trace));
        }
        many.into_report(Sort::Critical)
    }

    fn supposed(name: &str, with_called: bool, factor: f64) -> Supposition {
        Supposition {
            name: name.to_owned(),
            with_called,
            factor,
        }
    }

    fn named(id: &str, work_ms: i64) -> Trace {
        let mut trace = trace([
            span("root", "", 0, work_ms + 10),
            span("work", "root", 5, work_ms + 5),
        ]);
        trace.info.trace_id = id.to_owned();
        trace
    }

    #[test]
    fn the_slowest_come_first_and_ties_by_id() {
        let traces = [
            named("a", 10),
            named("c", 50),
            named("b", 50),
            named("d", 30),
        ];
        let slowest = report(&traces, None).slowest;
        let ids: Vec<_> = slowest.iter().map(|s| s.trace_id.as_str()).collect();
        assert_eq!(ids, ["b", "c"]);
        assert_eq!(slowest[0].mostly, Some(("work".to_owned(), 50 * MS)));
    }

    #[test]
    fn traces_in_progress_count_but_are_no_sample() {
        let mut open = named("open", 10);
        open.spans[0].end_ns = None;
        let report = report(&[named("a", 10), open], Some(supposed("work", true, 0.5)));
        assert_eq!((report.traces, report.in_progress), (2, 1));
        assert_eq!(report.stats.map(|s| s.n), Some(1));
        let what_if = report.what_if.unwrap();
        assert_eq!((what_if.traces, what_if.saved_ns), (2, 10 * MS));
        assert_eq!(what_if.left.map(|s| (s.n, s.max_ns)), Some((1, 15 * MS)));
    }

    #[test]
    fn what_spans_called_is_supposed_to_go_with_them() {
        let traces = [trace([
            span("root", "", 0, 100),
            span("retrieve", "root", 10, 90),
            span("retrieve", "retrieve", 12, 88).with_id("again"),
            span("http", "again", 20, 80),
        ])];
        let saved = |name, with_called, factor| {
            let report = report(&traces, Some(supposed(name, with_called, factor)));
            let what_if = report.what_if.unwrap();
            (what_if.named, what_if.traces, what_if.saved_ns / MS)
        };
        assert_eq!(saved("retrieve", true, 0.0), (true, 1, 80));
        assert_eq!(saved("retrieve", true, 0.25), (true, 1, 60));
        assert_eq!(saved("retrieve", false, 0.0), (true, 1, 20));
        assert_eq!(saved("http", true, 0.0), (true, 1, 60));
        assert_eq!(saved("other", true, 0.0), (false, 0, 0));
    }

    #[test]
    fn traces_without_spans_are_counted_and_nothing_else() {
        let mut bare = trace([]);
        bare.info.state = crate::model::TraceState::Ok;
        bare.info.execution_duration_ns = Some(1_011 * MS);
        let mut begun = bare.clone();
        begun.info.state = crate::model::TraceState::InProgress;
        let report = report(
            &[bare, begun, named("a", 10)],
            Some(supposed("work", true, 0.0)),
        );
        assert_eq!(
            (report.traces, report.without_spans, report.in_progress),
            (3, 1, 1)
        );
        assert_eq!(report.stats.map(|s| (s.n, s.min_ns)), Some((1, 20 * MS)));
        assert_eq!(report.slowest.len(), 1);
    }

    #[test]
    fn a_row_over_traces_has_their_totals() {
        let two_roots = trace([span("a", "", 0, 100), span("b", "", 0, 90)]);
        let orphan = trace([span("a", "", 0, 100), span("late", "gone", 50, 150)]);
        let mut open = two_roots.clone();
        open.info.state = crate::model::TraceState::InProgress;
        let mut many = Many::new(Question {
            key: GroupKey::Trace(crate::field::Field::Name),
            second: None,
            unit: Unit::Trace,
            slowest: 0,
            what_if: None,
            plotted: None,
        });
        for trace in [&two_roots, &orphan, &open, &trace([])] {
            many.add(&analyse(trace));
        }
        let rows = many.into_report(Sort::Critical).rows;
        assert_eq!(rows.len(), 1);
        let stats = rows[0].stats.unwrap();
        assert_eq!(
            (stats.n, stats.min_ns, stats.max_ns),
            (2, 100 * MS, 100 * MS)
        );
        assert_eq!((rows[0].total_ns, rows[0].self_ns), (300 * MS, 580 * MS));
        assert_eq!(rows[0].in_progress, 0);
    }
}
