//! Aggregates for each group of traces or of spans, as a whole and for each of
//! the intervals in which traces began. Traces are added one by one, and
//! only numbers and names are kept of them.

use std::collections::BTreeMap;

use super::assessed::Assessed;
use super::buckets::Numbering;
use super::group::Grouper;
use super::measure::{Prepared, is_rough};
use super::{Buckets, GroupKey, MOST_INTERVALS, Measured, NodeId, RowKey, Standing, Start, Tally};
use crate::filter::Number;
use crate::filter::aggregate::{Aggregate, Function};
use crate::model::Detail;
use crate::model::{Timestamp, Trace};

/// What is asked about many traces.
#[derive(Debug, Clone, Default)]
pub struct StatsQuestion {
    /// What is computed; all of it about spans where a key is one of spans.
    pub aggregates: Vec<Aggregate>,
    /// What a row stands for: none, one or two keys.
    pub keys: Vec<GroupKey>,
    /// The intervals, where it is asked over time.
    pub every: Option<Buckets>,
    /// Whether assessments are summed up by their names.
    pub assessments: bool,
}

/// A value, and how much is behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistic {
    /// In the unit of the aggregate: nanoseconds, a share from 0 to 1 or a plain
    /// number; `None` where there is no sample.
    pub value: Option<Number>,
    /// The number of samples; for counts, how many were looked at.
    pub n: usize,
    /// The percentile of so few samples says little.
    pub rough: bool,
}

impl Statistic {
    /// A value of so many samples.
    pub fn new(function: Function, value: Option<Number>, n: usize) -> Self {
        Self {
            value,
            n,
            rough: value.is_some() && is_rough(function, n),
        }
    }
}

impl From<Measured> for Statistic {
    fn from(measured: Measured) -> Self {
        Self {
            value: measured.value,
            n: measured.n,
            rough: measured.rough,
        }
    }
}

/// A group before its intervals are laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsGroup {
    /// What its traces or spans have in common, by the question's keys.
    pub keys: Vec<RowKey>,
    /// A value for each aggregate.
    pub values: Vec<Statistic>,
    /// The same for intervals in which there is something, by their number.
    pub intervals: BTreeMap<i64, Vec<Statistic>>,
}

/// A group.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsRow {
    /// What its traces or spans have in common, by the question's keys.
    pub keys: Vec<RowKey>,
    /// A value for each aggregate.
    pub values: Vec<Statistic>,
    /// The same for each interval.
    pub intervals: Vec<Vec<Statistic>>,
}

/// Assessments of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct AssessmentRow {
    /// Whether they are feedback, and not expectations.
    pub is_feedback: bool,
    /// Their name.
    pub name: String,
    /// How many valid ones there are.
    pub count: usize,
    /// The mean of those that are numbers, yes or no.
    pub avg: Statistic,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatsReport {
    /// How many traces; `None` where spans alone were asked about.
    pub traces: Option<usize>,
    /// Traces without a time, which are in no interval.
    pub undated: usize,
    /// Traces that have ended and have no spans, where spans are looked at.
    pub without_spans: usize,
    /// Traces that are in several rows.
    pub in_several: usize,
    /// When intervals begin.
    pub starts: Vec<Start>,
    /// The groups.
    pub rows: Vec<StatsRow>,
    /// Assessments by name, feedback first.
    pub assessments: Vec<AssessmentRow>,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsSort {
    /// The aggregate at this place, the largest first.
    Column(usize),
    /// What rows are called.
    Name,
}

/// An answer in the making.
#[derive(Debug)]
pub struct Stats {
    question: StatsQuestion,
    /// Every group begins as a copy of it.
    empty: Tally,
    numbering: Option<Numbering>,
    grouper: Option<Grouper>,
    groups: Vec<Group>,
    traces: usize,
    undated: usize,
    /// Whether spans are looked at.
    with_spans: bool,
    without_spans: usize,
    in_several: usize,
    assessments: Assessed,
}

#[derive(Debug, Clone)]
struct Group {
    whole: Tally,
    intervals: BTreeMap<i64, Tally>,
}

impl Group {
    /// Adds a trace, or some spans of it, to the whole and to its interval.
    fn add(
        &mut self,
        prepared: &Prepared<'_>,
        nodes: Option<&[NodeId]>,
        interval: Option<i64>,
        empty: &Tally,
    ) {
        let mut tallies = vec![&mut self.whole];
        if let Some(interval) = interval {
            let tally = self.intervals.entry(interval);
            tallies.push(tally.or_insert_with(|| empty.clone()));
        }
        for tally in tallies {
            match nodes {
                None => tally.add_prepared(prepared),
                Some(nodes) => tally.add_spans(prepared, nodes),
            }
        }
    }
}

impl Stats {
    /// Of no trace yet.
    pub fn new(question: StatsQuestion) -> Self {
        let mut keys = question.keys.iter().cloned();
        let grouper = keys.next().map(|key| Grouper::new(key, keys.next()));
        let empty = Tally::new(&question.aggregates);
        let mut stats = Self {
            numbering: question.every.map(Numbering::new),
            question,
            empty,
            grouper,
            groups: Vec::new(),
            traces: 0,
            undated: 0,
            with_spans: false,
            without_spans: 0,
            in_several: 0,
            assessments: Assessed::default(),
        };
        stats.with_spans = stats.detail().is_some();
        // Where nothing is told apart there is a row, whatever is found.
        if stats.grouper.is_none() {
            stats.grow(1);
        }
        stats
    }

    /// How much of the spans is needed; `None` where they are not.
    pub fn detail(&self) -> Option<Detail> {
        let keys = self.question.keys.iter().map(GroupKey::detail);
        keys.fold(self.empty.detail(), Option::max)
    }

    /// Adds a trace.
    pub fn add(&mut self, trace: &Trace) {
        self.traces += 1;
        if self.with_spans && Standing::of(trace) == Standing::WithoutSpans {
            self.without_spans += 1;
        }
        let interval = self.interval(trace);
        let prepared = self.empty.prepare(trace);
        let whole = match &mut self.grouper {
            None => Some(vec![0]),
            Some(grouper) => grouper.assign_trace(trace),
        };
        if let Some(groups) = whole {
            self.in_several += usize::from(groups.len() > 1);
            for group in groups {
                self.grow(group + 1);
                self.groups[group].add(&prepared, None, interval, &self.empty);
            }
        } else if let (Some(grouper), Some(tree)) = (&mut self.grouper, prepared.tree()) {
            let assigned = grouper.assign(trace, tree);
            let mut nodes: BTreeMap<usize, Vec<NodeId>> = BTreeMap::new();
            for (group, (id, _)) in assigned.into_iter().zip(tree.preorder()) {
                nodes.entry(group).or_default().push(id);
            }
            for (group, nodes) in nodes {
                self.grow(group + 1);
                self.groups[group].add(&prepared, Some(&nodes), interval, &self.empty);
            }
        }
        if self.question.assessments {
            self.assessments.add(trace);
        }
    }

    fn grow(&mut self, len: usize) {
        let group = || Group {
            whole: self.empty.clone(),
            intervals: BTreeMap::new(),
        };
        if self.groups.len() < len {
            self.groups.resize_with(len, group);
        }
    }

    /// The number of the interval in which a trace began.
    fn interval(&mut self, trace: &Trace) -> Option<i64> {
        let numbering = self.numbering.as_mut()?;
        let start = trace.info.request_time.map(Timestamp::nanos);
        self.undated += usize::from(start.is_none());
        Some(numbering.number(start?))
    }

    /// The answer, groups in the order in which they were found.
    ///
    /// # Errors
    /// The number of intervals, where there would be more than [`MOST_INTERVALS`].
    pub fn into_report(self) -> Result<StatsReport, i64> {
        let keys: Vec<Vec<RowKey>> = match &self.grouper {
            None => vec![Vec::new()],
            Some(grouper) => {
                let keys = grouper.row_keys().into_iter();
                keys.map(|(first, second)| std::iter::once(first).chain(second).collect())
                    .collect()
            }
        };
        let groups = keys.into_iter().zip(&self.groups);
        let groups = groups.map(|(keys, group)| StatsGroup {
            keys,
            values: statistics(&group.whole),
            intervals: group
                .intervals
                .iter()
                .map(|(number, tally)| (*number, statistics(tally)))
                .collect(),
        });
        let mut report = StatsReport::new(groups.collect(), &self.question)?;
        report.traces = Some(self.traces);
        report.undated = self.undated;
        report.without_spans = self.without_spans;
        report.in_several = self.in_several;
        report.assessments = self
            .assessments
            .results()
            .map(|(subject, count, measured)| AssessmentRow {
                is_feedback: !subject.is_expectation,
                name: subject.name.clone(),
                count,
                avg: Statistic::from(measured),
            })
            .collect();
        Ok(report)
    }
}

fn statistics(tally: &Tally) -> Vec<Statistic> {
    tally.results().into_iter().map(Statistic::from).collect()
}

impl StatsReport {
    /// Lays the intervals of groups out beside each other, the empty ones included.
    ///
    /// # Errors
    /// The number of intervals, where there would be more than [`MOST_INTERVALS`].
    pub fn new(groups: Vec<StatsGroup>, question: &StatsQuestion) -> Result<Self, i64> {
        let numbers = || groups.iter().flat_map(|group| group.intervals.keys());
        let range = match (numbers().min(), numbers().max()) {
            (Some(&first), Some(&last)) => first..last + 1,
            _ => 0..0,
        };
        let count = range.end - range.start;
        if usize::try_from(count).is_ok_and(|count| count > MOST_INTERVALS) {
            return Err(count);
        }
        let nothing = statistics(&Tally::new(&question.aggregates));
        let rows = groups
            .into_iter()
            .map(|mut group| StatsRow {
                keys: group.keys,
                values: group.values,
                intervals: range
                    .clone()
                    .map(|number| group.intervals.remove(&number))
                    .map(|values| values.unwrap_or_else(|| nothing.clone()))
                    .collect(),
            })
            .collect();
        Ok(Self {
            starts: question.every.map_or(Vec::new(), |every| {
                range.map(|number| every.start(number)).collect()
            }),
            rows,
            ..Self::default()
        })
    }

    /// Puts the rows in order; those without a value come last.
    pub fn sort(&mut self, sort: StatsSort) {
        let value = |row: &StatsRow, at: usize| row.values.get(at).and_then(|s| s.value);
        self.rows.sort_by(|a, b| {
            let by_value = match sort {
                StatsSort::Name => std::cmp::Ordering::Equal,
                StatsSort::Column(at) => match (value(a, at), value(b, at)) {
                    (Some(a), Some(b)) => b.compare(a),
                    (a, b) => b.is_some().cmp(&a.is_some()),
                },
            };
            by_value.then_with(|| a.keys.cmp(&b.keys))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::analysis::By;
    use crate::analysis::sample::{MS, span, trace};
    use crate::field::Field;
    use crate::filter::{Moment, Zone, aggregate::parse_aggregates};
    use crate::model::Assessment;

    fn took(name: &str, start_ms: i64, work_ms: i64) -> Trace {
        let mut trace = trace([
            span("root", "", 0, work_ms + 10),
            span("work", "root", 5, work_ms + 5),
        ]);
        trace.info.request_time = Some(Timestamp::from_millis(start_ms));
        trace.info.execution_duration_ns = Some((work_ms + 10) * MS);
        trace.info.state = crate::model::TraceState::Ok;
        trace
            .info
            .tags
            .insert("mlflow.traceName".to_owned(), name.to_owned());
        trace
    }

    fn report(
        aggregates: &str,
        keys: Vec<GroupKey>,
        every_ms: Option<i64>,
        traces: &[Trace],
    ) -> StatsReport {
        let mut stats = Stats::new(StatsQuestion {
            aggregates: parse_aggregates(aggregates, &Moment::utc()).unwrap(),
            keys,
            every: every_ms.map(|ms| Buckets::new(ms * MS, Zone::Utc)),
            assessments: false,
        });
        for trace in traces {
            stats.add(trace);
        }
        stats.into_report().unwrap()
    }

    fn shown(row: &StatsRow) -> (String, Vec<(Option<f64>, usize)>) {
        let keys: Vec<&str> = row.keys.iter().map(RowKey::as_str).collect();
        let values = row
            .values
            .iter()
            .map(|s| (s.value.map(Number::as_f64), s.n));
        (keys.join("/"), values.collect())
    }

    #[test]
    fn traces_and_their_spans_are_grouped_by_what_traces_have_in_common() {
        let traces = [took("a", 0, 10), took("b", 0, 20), took("a", 0, 30)];
        let by = vec![GroupKey::Trace(Field::Name)];
        let mut report = report("max(duration), count(span)", by, None, &traces);
        report.sort(StatsSort::Column(0));
        let rows: Vec<_> = report.rows.iter().map(shown).collect();
        assert_eq!(
            rows,
            [
                ("a".to_owned(), vec![(Some(40e6), 2), (Some(4.0), 4)]),
                ("b".to_owned(), vec![(Some(30e6), 1), (Some(2.0), 2)]),
            ]
        );
        report.sort(StatsSort::Name);
        assert_eq!(report.traces, Some(3));
    }

    #[test]
    fn spans_are_grouped_by_what_they_have_in_common() {
        let traces = [took("a", 0, 10), took("b", 0, 20)];
        let by = vec![GroupKey::Span(By::Name), GroupKey::Trace(Field::Name)];
        let mut report = report("sum(span.duration), count(span)", by, None, &traces);
        report.sort(StatsSort::Name);
        let rows: Vec<_> = report.rows.iter().map(shown).collect();
        assert_eq!(
            rows,
            [
                ("root/a".to_owned(), vec![(Some(20e6), 1), (Some(1.0), 1)]),
                ("root/b".to_owned(), vec![(Some(30e6), 1), (Some(1.0), 1)]),
                ("work/a".to_owned(), vec![(Some(10e6), 1), (Some(1.0), 1)]),
                ("work/b".to_owned(), vec![(Some(20e6), 1), (Some(1.0), 1)]),
            ]
        );
    }

    #[test]
    fn a_trace_is_in_the_row_of_each_of_its_assessments() {
        let assessed = |mut trace: Trace, all: &[(&str, bool, bool)]| {
            let all = all.iter().map(|(name, value, valid)| Assessment {
                valid: *valid,
                ..Assessment::sample_feedback(name, json!(value))
            });
            trace.info.assessments.extend(all);
            trace
        };
        let traces = [
            assessed(
                took("a", 0, 10),
                &[("ok", true, true), ("ok", false, true), ("new", true, true)],
            ),
            assessed(
                took("b", 0, 20),
                &[("ok", true, true), ("old", true, false)],
            ),
            took("b", 0, 40),
        ];
        let rows = |keys| {
            let mut report = report("count(), max(duration)", keys, None, &traces);
            report.sort(StatsSort::Name);
            let rows: Vec<_> = report.rows.iter().map(shown).collect();
            let told = |(name, values): (String, Vec<(Option<f64>, usize)>)| {
                (name, values[0].1, values[1].0)
            };
            (
                report.in_several,
                rows.into_iter().map(told).collect::<Vec<_>>(),
            )
        };
        let row = |name: &str, count, most| (name.to_owned(), count, Some(most));
        let (several, by_name) = rows(vec![GroupKey::Assessment]);
        assert_eq!(several, 1);
        assert_eq!(
            by_name,
            [
                row("new", 1, 20e6),
                row("ok", 2, 30e6),
                row("(no assessment)", 1, 50e6)
            ]
        );
        let (_, by_value) = rows(vec![
            GroupKey::AssessmentValue,
            GroupKey::Trace(Field::Name),
        ]);
        assert_eq!(
            by_value,
            [
                row("new=true/a", 1, 20e6),
                row("ok=false/a", 1, 20e6),
                row("ok=true/a", 1, 20e6),
                row("ok=true/b", 1, 30e6),
                row("(no assessment)/b", 1, 50e6),
            ]
        );
    }

    #[test]
    fn intervals_are_multiples_of_their_length_and_none_is_left_out() {
        let mut undated = took("a", 0, 10);
        undated.info.request_time = None;
        let traces = [took("a", 125, 10), took("a", -1, 20), undated];
        let report = report("count(), max(duration)", Vec::new(), Some(100), &traces);
        let starts: Vec<i64> = report.starts.iter().map(|start| start.ns).collect();
        assert_eq!(starts, [-100 * MS, 0, 100 * MS]);
        assert_eq!((report.traces, report.undated), (Some(3), 1));
        let counts: Vec<_> = report.rows[0]
            .intervals
            .iter()
            .map(|v| v[0].value)
            .collect();
        let whole = |n| Some(Number::Integer(n));
        assert_eq!(counts, [whole(1), whole(0), whole(1)]);
        assert_eq!(report.rows[0].intervals[1][1].value, None);
    }

    #[test]
    fn without_keys_there_is_a_row_even_of_nothing() {
        let nothing = report("count(), p95(duration)", Vec::new(), None, &[]);
        assert_eq!(shown(&nothing.rows[0]).1, [(Some(0.0), 0), (None, 0)]);
        let by = vec![GroupKey::Trace(Field::Name)];
        assert_eq!(report("count()", by, None, &[]).rows, []);
    }

    #[test]
    fn too_many_intervals_are_refused() {
        let mut stats = Stats::new(StatsQuestion {
            aggregates: parse_aggregates("count()", &Moment::utc()).unwrap(),
            every: Some(Buckets::new(MS, Zone::Utc)),
            ..StatsQuestion::default()
        });
        stats.add(&took("a", 0, 1));
        stats.add(&took("a", 5_000, 1));
        assert_eq!(stats.into_report(), Err(5_001));
    }
}
