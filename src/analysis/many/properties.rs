//! Sums that hold over any traces taken together.

use proptest::prelude::*;

use super::*;
use crate::analysis::properties::{any_spans, sequential_spans};
use crate::analysis::sample::trace;
use crate::analysis::{By, RowKey, Stats, StatsQuestion, analyse};
use crate::field::Field;
use crate::filter::aggregate::parse_aggregates;
use crate::filter::{Moment, Number};
use crate::model::{Span, Trace, tag};

/// Traces of which some share a tag.
fn tagged(spans: impl Strategy<Value = Vec<Span>>) -> impl Strategy<Value = Vec<Trace>> {
    let one = (spans, prop::option::of(0..2_u8)).prop_map(|(spans, team)| {
        let mut trace = trace(spans);
        if let Some(team) = team {
            trace.info.tags = [(tag::NAME.to_owned(), team.to_string())].into();
        }
        trace
    });
    prop::collection::vec(one, 0..5).prop_map(|mut traces| {
        for (at, trace) in traces.iter_mut().enumerate() {
            trace.info.trace_id = format!("tr-{at}");
        }
        traces
    })
}

fn taken_together(traces: &[Trace], question: Question) -> ManyReport {
    let mut many = Many::new(question);
    for trace in traces {
        many.add(&analyse(trace));
    }
    many.into_report(Sort::Critical)
}

/// What rows can stand for.
fn keys() -> Vec<(GroupKey, Option<GroupKey>)> {
    let single = By::ALL.map(|by| (GroupKey::Span(by), None));
    let name = || GroupKey::Trace(Field::Name);
    let mut keys = single.to_vec();
    keys.push((name(), None));
    keys.push((GroupKey::Span(By::Type), Some(name())));
    keys.push((name(), Some(GroupKey::Span(By::Path))));
    keys
}

fn question(key: GroupKey, second: Option<GroupKey>, unit: Unit) -> Question {
    Question {
        key,
        second,
        unit,
        slowest: 2,
        what_if: None,
        plotted: None,
    }
}

fn check_rows(traces: &[Trace], report: &ManyReport) -> Result<(), TestCaseError> {
    let (mut total_ns, mut self_ns, mut spans, mut errors) = (0, 0, 0, 0);
    for report in traces.iter().map(analyse) {
        total_ns += report.total_ns();
        self_ns += report.self_sum_ns + report.no_span_ns;
        spans += report.tree.len();
        let failed = |(id, _)| report.span(id).status == StatusCode::Error;
        errors += report
            .nodes()
            .filter(|(id, node)| failed((*id, *node)))
            .count();
    }
    let rows = &report.rows;
    prop_assert_eq!((report.traces, report.spans), (traces.len(), spans));
    prop_assert_eq!(report.total_ns, total_ns);
    prop_assert_eq!(rows.iter().map(|r| r.critical_ns).sum::<i64>(), total_ns);
    prop_assert_eq!(rows.iter().map(|r| r.self_ns).sum::<i64>(), self_ns);
    prop_assert_eq!(rows.iter().map(|r| r.count).sum::<usize>(), spans);
    prop_assert_eq!(rows.iter().map(|r| r.errors).sum::<usize>(), errors);
    prop_assert!(rows.is_sorted_by(|a, b| a.critical_ns >= b.critical_ns));
    for row in rows {
        prop_assert_eq!(row.critical_ratio.is_none(), total_ns == 0);
        prop_assert!(row.critical_ns >= 0 && row.self_ns >= 0 && row.total_ns >= 0);
    }
    if total_ns > 0 {
        let shares: f64 = rows.iter().filter_map(|r| r.critical_ratio).sum();
        prop_assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_add_up_whatever_they_stand_for(traces in tagged(any_spans())) {
        for (key, second) in keys() {
            for unit in [Unit::Call, Unit::Trace] {
                let report = taken_together(&traces, question(key.clone(), second.clone(), unit));
                check_rows(&traces, &report)?;
            }
        }
    }

    #[test]
    fn self_times_are_the_total_where_nothing_runs_at_the_same_time(traces in tagged(sequential_spans())) {
        for (key, second) in keys() {
            let report = taken_together(&traces, question(key, second, Unit::Call));
            for row in &report.rows {
                prop_assert_eq!(row.self_ns, row.critical_ns);
            }
            check_rows(&traces, &report)?;
        }
    }

    #[test]
    fn the_order_of_the_traces_changes_no_number(
        (traces, shuffled) in tagged(any_spans())
            .prop_flat_map(|traces| (Just(traces.clone()), Just(traces).prop_shuffle()))
    ) {
        let ask = |traces: &[Trace]| {
            let report = taken_together(traces, question(GroupKey::Span(By::Name), None, Unit::Call));
            let numbers = |r: &Row| (r.key.clone(), r.count, r.errors, [r.total_ns, r.self_ns, r.critical_ns], r.stats);
            let mut rows: Vec<_> = report.rows.iter().map(numbers).collect();
            rows.sort_by_key(|(key, ..)| key.as_str().to_owned());
            let slowest: Vec<i64> = report.slowest.iter().map(|slow| slow.total_ns).collect();
            format!("{rows:?} {slowest:?} {:?} {} {}", report.stats, report.traces, report.in_progress)
        };
        prop_assert_eq!(ask(&shuffled), ask(&traces));
    }

    #[test]
    fn the_slowest_are_those_with_the_largest_totals(traces in tagged(any_spans())) {
        let report = taken_together(&traces, question(GroupKey::Span(By::Name), None, Unit::Call));
        let mut totals: Vec<i64> = traces.iter().map(|trace| analyse(trace).total_ns()).collect();
        totals.sort_unstable_by_key(|ns| std::cmp::Reverse(*ns));
        totals.truncate(2);
        let slowest: Vec<i64> = report.slowest.iter().map(|slow| slow.total_ns).collect();
        prop_assert_eq!(slowest, totals);
    }

    #[test]
    fn what_is_saved_is_the_path_through_the_named_spans_and_below(traces in tagged(any_spans())) {
        let mut asked = question(GroupKey::Span(By::Name), None, Unit::Call);
        asked.what_if = Some(Supposition {
            name: "a".to_owned(),
            with_called: true,
            factor: 0.0,
        });
        let what_if = taken_together(&traces, asked).what_if.unwrap();
        let mut expected = 0;
        for trace in &traces {
            let report = analyse(trace);
            for section in &report.sections {
                let mut at = section.node;
                while let Some(id) = at {
                    if report.span(id).name == "a" {
                        expected += section.duration_ns;
                        break;
                    }
                    at = report.tree.node(id).parent;
                }
            }
        }
        prop_assert_eq!(what_if.saved_ns, expected);
    }

    #[test]
    fn rows_over_traces_have_the_totals_of_their_traces(traces in tagged(any_spans())) {
        let key = GroupKey::Trace(Field::Name);
        let report = taken_together(&traces, question(key, None, Unit::Trace));
        let total: i64 = report.rows.iter().filter(|r| r.key != RowKey::NoSpan).map(|r| r.total_ns).sum();
        prop_assert_eq!(total, report.total_ns);
        let n: usize = report.rows.iter().filter_map(|r| r.stats).map(|s| s.n).sum();
        prop_assert_eq!(n, report.stats.map_or(0, |s| s.n));
        let longest = report.rows.iter().filter_map(|r| r.stats).map(|s| s.max_ns).max();
        prop_assert_eq!(longest, report.stats.map(|s| s.max_ns));
    }

    #[test]
    fn sums_of_times_are_those_of_the_rows(traces in tagged(any_spans())) {
        let mut stats = Stats::new(StatsQuestion {
            aggregates: parse_aggregates("sum(self), sum(critical)", &Moment::utc()).unwrap(),
            keys: vec![GroupKey::Span(By::Name)],
            ..StatsQuestion::default()
        });
        for trace in &traces {
            stats.add(trace);
        }
        let sums = stats.into_report().unwrap().rows;
        let table = taken_together(&traces, question(GroupKey::Span(By::Name), None, Unit::Call));
        for row in table.rows.iter().filter(|row| row.key != RowKey::NoSpan) {
            let same = sums.iter().find(|sums| sums.keys[0] == row.key).unwrap();
            let whole = |at: usize| match same.values[at].value {
                Some(Number::Integer(ns)) => ns,
                _ => 0,
            };
            prop_assert_eq!((whole(0), whole(1)), (row.self_ns, row.critical_ns));
        }
    }

    #[test]
    fn no_more_is_saved_than_was_waited_for(traces in tagged(any_spans()), percent in 0..=100_u8) {
        let factor = f64::from(percent) / 100.0;
        let mut asked = question(GroupKey::Span(By::Name), None, Unit::Call);
        asked.what_if = Some(Supposition {
            name: "a".to_owned(),
            with_called: false,
            factor,
        });
        let report = taken_together(&traces, asked);
        let what_if = report.what_if.unwrap();
        let is_named = |row: &&Row| row.key.as_str() == "a";
        let critical = report.rows.iter().find(is_named).map_or(0, |row| row.critical_ns);
        prop_assert!((0..=critical).contains(&what_if.saved_ns), "{what_if:?} of {critical}");
        prop_assert!(percent > 0 || what_if.saved_ns == critical);
        prop_assert!(percent < 100 || what_if.saved_ns == 0);
        prop_assert_eq!(what_if.left.map(|s| s.n), report.stats.map(|s| s.n));
    }
}
