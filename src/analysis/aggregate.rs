//! Spans summed up by name, type, status, model or path, over one trace or many.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use crate::model::StatusCode;

use super::group::{Grouper, Texts};
use super::{By, GroupKey, LatencyReport, Node, NodeId, RowKey, Summary, ratio};

#[cfg(test)]
mod tests;

/// What one sample of the statistics is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// One span.
    #[default]
    Call,
    /// The sum over one trace, each name counted at its outermost occurrence.
    Trace,
}

impl Unit {
    /// `call` or `trace`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Trace => "trace",
        }
    }
}

/// What rows are ordered by; the largest first, names in ascending order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Self time.
    #[default]
    SelfTime,
    /// Summed raw duration.
    Total,
    /// Time on the critical path.
    Critical,
    /// Number of spans.
    Count,
    /// Number of errors.
    Errors,
    /// Mean duration.
    Avg,
    /// Shortest duration.
    Min,
    /// Median duration.
    P50,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Longest duration.
    Max,
    /// The row's key.
    Name,
}

/// A span of one of the traces that were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// Which trace, in the order of adding, from 0.
    pub trace: usize,
    /// Its node in that trace's tree.
    pub node: NodeId,
}

/// One row: durations in nanoseconds, ratios relative to the total of all traces.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What its spans have in common.
    pub key: RowKey,
    /// The same by the second key, where there is one.
    pub second: Option<RowKey>,
    /// The types of its spans, the most common first; none for time without a span.
    pub types: Vec<String>,
    /// Spans, those in progress included.
    pub count: usize,
    /// Spans that ended in an error.
    pub errors: usize,
    /// Spans without an end; `total_ns` is then a lower bound.
    pub in_progress: usize,
    /// Spans that have no time in common with their parent.
    pub detached: usize,
    /// Σ raw duration; within the same key only the outermost span counts. Of a row
    /// over traces Σ total.
    pub total_ns: i64,
    /// Σ self time.
    pub self_ns: i64,
    /// Σ time on the critical path.
    pub critical_ns: i64,
    /// `total_ns` as a share of the total; may exceed 1.
    pub total_ratio: Option<f64>,
    /// `self_ns` as a share of the total.
    pub self_ratio: Option<f64>,
    /// `critical_ns` as a share of the total; adds up to 1 over all rows.
    pub critical_ratio: Option<f64>,
    /// Statistics of raw durations, spans in progress left out; `None` without samples.
    pub stats: Option<Summary>,
    /// The longest span.
    pub slowest: Option<Occurrence>,
}

/// Rows in the making, over one trace or many.
#[derive(Debug)]
pub struct Aggregation {
    unit: Unit,
    grouper: Grouper,
    groups: Vec<Group>,
    /// The duration of every sample of each group.
    samples: Vec<Vec<i64>>,
    types: Texts,
    /// Spans by group and type, but for the type that the group met first.
    other_types: HashMap<(usize, usize), usize>,
    traces: usize,
    total_ns: i64,
    no_span_ns: i64,
}

/// The sums of one row.
#[derive(Debug, Clone, Default)]
struct Group {
    count: usize,
    errors: usize,
    in_progress: usize,
    detached: usize,
    total_ns: i64,
    self_ns: i64,
    critical_ns: i64,
    slowest: Option<(i64, Occurrence)>,
    first_type: Option<usize>,
    first_type_count: usize,
    /// How many spans of the group are outermost ones, in the trace being added.
    here: usize,
    /// Σ duration in the trace being added.
    here_ns: i64,
    /// Whether a span in progress is part of it.
    here_in_progress: bool,
    /// Where the subtree of the last outermost span ends, in the trace being added.
    here_until: usize,
}

impl Aggregation {
    /// Without any trace yet.
    pub fn new(by: By, unit: Unit) -> Self {
        Self::with_keys(GroupKey::Span(by), None, unit)
    }

    /// Without any trace yet, by one key or by two at once.
    pub fn with_keys(key: GroupKey, second: Option<GroupKey>, unit: Unit) -> Self {
        Self {
            unit,
            grouper: Grouper::new(key, second),
            groups: Vec::new(),
            samples: Vec::new(),
            types: Texts::default(),
            other_types: HashMap::new(),
            traces: 0,
            total_ns: 0,
            no_span_ns: 0,
        }
    }

    /// Adds the spans of a trace. Nothing of the trace is kept but its keys.
    pub fn add(&mut self, report: &LatencyReport<'_>) {
        let assigned = self.grouper.assign(report.trace, &report.tree);
        self.groups.resize_with(self.grouper.len(), Group::default);
        self.samples.resize_with(self.grouper.len(), Vec::new);
        for (&group, (id, node)) in assigned.iter().zip(report.nodes()) {
            let span = report.span(id);
            let span_type = self.types.number(&span.span_type());
            if self.unit == Unit::Call && !node.in_progress {
                self.samples[group].push(node.duration_ns());
            }
            let sums = &mut self.groups[group];
            if *sums.first_type.get_or_insert(span_type) == span_type {
                sums.first_type_count += 1;
            } else {
                *self.other_types.entry((group, span_type)).or_default() += 1;
            }
            sums.errors += usize::from(span.status == StatusCode::Error);
            sums.self_ns = sums.self_ns.saturating_add(report.self_ns(id));
            sums.critical_ns = sums.critical_ns.saturating_add(report.critical_ns(id));
            let trace = self.traces;
            sums.add_node(
                node,
                report.tree.subtree(id),
                Occurrence { trace, node: id },
            );
        }
        for group in assigned {
            let sums = &mut self.groups[group];
            // Each group is closed once, at its first node.
            if std::mem::take(&mut sums.here) > 0 {
                sums.here_until = 0;
                if self.grouper.is_of_traces() {
                    let total = report.total_ns();
                    sums.total_ns = sums.total_ns.saturating_add(total - sums.here_ns);
                    sums.here_ns = total;
                    sums.here_in_progress = report.tree.total_in_progress;
                }
                if self.unit == Unit::Trace && !sums.here_in_progress {
                    self.samples[group].push(sums.here_ns);
                }
            }
        }
        self.traces += 1;
        self.total_ns = self.total_ns.saturating_add(report.total_ns());
        self.no_span_ns = self.no_span_ns.saturating_add(report.no_span_ns);
    }

    /// How many traces were added.
    pub fn traces(&self) -> usize {
        self.traces
    }

    /// How many spans were added.
    pub fn spans(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// The summed total of all traces in nanoseconds.
    pub fn total_ns(&self) -> i64 {
        self.total_ns
    }

    /// The rows in order; ties by key and then in order of occurrence.
    pub fn into_rows(mut self, sort: Sort) -> Vec<Row> {
        let types = self.types_of_groups();
        let mut rows = Vec::with_capacity(self.groups.len() + 1);
        let samples = self.samples.iter_mut();
        let keyed = self.grouper.row_keys().into_iter().zip(&self.groups);
        for (((key, sums), types), samples) in keyed.zip(types).zip(samples) {
            samples.sort_unstable();
            rows.push(Row {
                types,
                stats: Summary::of_sorted(samples),
                ..sums.row(key.0, key.1, self.total_ns)
            });
        }
        if self.no_span_ns > 0 {
            let sums = Group {
                total_ns: self.no_span_ns,
                self_ns: self.no_span_ns,
                critical_ns: self.no_span_ns,
                ..Group::default()
            };
            rows.push(sums.row(RowKey::NoSpan, None, self.total_ns));
        }
        sorted(rows, sort)
    }

    /// The types of each group, the most common first, and of equally common ones
    /// the alphabetically first.
    fn types_of_groups(&self) -> Vec<Vec<String>> {
        let names = self.types.in_order();
        let mut counted: Vec<Vec<(Reverse<usize>, &str)>> = self
            .groups
            .iter()
            .map(|group| {
                let first = group.first_type.map(|first| names[first]);
                let count = Reverse(group.first_type_count);
                first.map(|name| (count, name)).into_iter().collect()
            })
            .collect();
        for (&(group, span_type), &count) in &self.other_types {
            counted[group].push((Reverse(count), names[span_type]));
        }
        let in_order = |mut types: Vec<(Reverse<usize>, &str)>| {
            types.sort_unstable();
            types.into_iter().map(|(_, name)| name.to_owned()).collect()
        };
        counted.into_iter().map(in_order).collect()
    }
}

impl Row {
    /// The most common type of its spans; `None` for time without a span.
    pub fn span_type(&self) -> Option<&str> {
        self.types.first().map(String::as_str)
    }
}

impl Group {
    fn add_node(&mut self, node: &Node, subtree: Range<usize>, occurrence: Occurrence) {
        self.count += 1;
        self.in_progress += usize::from(node.in_progress);
        self.detached += usize::from(node.detached);
        let duration = node.duration_ns();
        if self.slowest.is_none_or(|(longest, _)| duration > longest) {
            self.slowest = Some((duration, occurrence));
        }
        // Subtrees are ranges in pre-order: a span that starts before the last
        // outermost one's subtree ends is nested inside it.
        if subtree.start < self.here_until {
            return;
        }
        self.here_until = subtree.end;
        if self.here == 0 {
            (self.here_ns, self.here_in_progress) = (0, false);
        }
        self.here += 1;
        // What does not fit is not added, so that it can be taken away again.
        let added = duration.min(i64::MAX - self.total_ns);
        self.total_ns += added;
        self.here_ns += added;
        self.here_in_progress |= node.in_progress;
    }

    /// A row without types and statistics.
    fn row(&self, key: RowKey, second: Option<RowKey>, total_ns: i64) -> Row {
        Row {
            key,
            second,
            types: Vec::new(),
            count: self.count,
            errors: self.errors,
            in_progress: self.in_progress,
            detached: self.detached,
            total_ns: self.total_ns,
            self_ns: self.self_ns,
            critical_ns: self.critical_ns,
            total_ratio: ratio(self.total_ns, total_ns),
            self_ratio: ratio(self.self_ns, total_ns),
            critical_ratio: ratio(self.critical_ns, total_ns),
            stats: None,
            slowest: self.slowest.map(|(_, occurrence)| occurrence),
        }
    }
}

fn sorted(rows: Vec<Row>, sort: Sort) -> Vec<Row> {
    // Rows are large, so their positions are sorted instead; those without
    // statistics come last.
    let mut order: Vec<(Reverse<i64>, usize)> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| (Reverse(sort.value(row).unwrap_or(-1)), i))
        .collect();
    order.sort_unstable_by(|a, b| {
        let key = |i: usize| (&rows[i].key, &rows[i].second);
        a.0.cmp(&b.0)
            .then_with(|| key(a.1).cmp(&key(b.1)))
            .then(a.1.cmp(&b.1))
    });
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    order.iter().filter_map(|&(_, i)| rows[i].take()).collect()
}

impl Sort {
    /// All orders.
    pub const ALL: [Self; 12] = [
        Self::SelfTime,
        Self::Total,
        Self::Critical,
        Self::Count,
        Self::Errors,
        Self::Avg,
        Self::Min,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::Max,
        Self::Name,
    ];

    /// `self`, `total`, `critical`, `count`, `errors`, `avg`, `min`, `p50`,
    /// `p95`, `p99`, `max` or `name`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SelfTime => "self",
            Self::Total => "total",
            Self::Critical => "critical",
            Self::Count => "count",
            Self::Errors => "errors",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Name => "name",
        }
    }

    /// What a row is ordered by: nanoseconds or a count; `None` for names and
    /// for rows without statistics.
    pub fn value(self, row: &Row) -> Option<i64> {
        let stat = |pick: fn(&Summary) -> i64| row.stats.as_ref().map(pick);
        let count = |n: usize| i64::try_from(n).ok();
        match self {
            Self::SelfTime => Some(row.self_ns),
            Self::Total => Some(row.total_ns),
            Self::Critical => Some(row.critical_ns),
            Self::Count => count(row.count),
            Self::Errors => count(row.errors),
            Self::Avg => stat(|s| s.avg_ns),
            Self::Min => stat(|s| s.min_ns),
            Self::P50 => stat(|s| s.p50_ns),
            Self::P95 => stat(|s| s.p95_ns),
            Self::P99 => stat(|s| s.p99_ns),
            Self::Max => stat(|s| s.max_ns),
            Self::Name => None,
        }
    }
}
