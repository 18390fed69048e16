//! Values by hand, by other means, and who is to blame for them.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::analysis::sample::{MS, SpanExt, span, trace};
use crate::analysis::{Quantile, percentile};
use crate::filter::Moment;
use crate::filter::aggregate::parse_rule;
use crate::model::{attribute, metadata};

mod bundles;

fn aggregate(text: &str) -> Aggregate {
    parse_rule(text, &Moment::utc())
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .aggregate
}

fn measured(text: &str, traces: &[Trace]) -> Measured {
    let mut tally = Tally::new(&[aggregate(text)]);
    for trace in traces {
        tally.add(trace);
    }
    tally.results().remove(0)
}

fn value(text: &str, traces: &[Trace]) -> Option<f64> {
    measured(text, traces).value.map(Number::as_f64)
}

/// A trace without spans that took so many milliseconds.
fn took(id: &str, ms: i64) -> Trace {
    let mut info = TraceInfo::new(id);
    info.state = TraceState::Ok;
    info.execution_duration_ns = Some(ms * MS);
    Trace {
        info,
        spans: Vec::new(),
    }
}

fn with(mut trace: Trace, change: impl FnOnce(&mut TraceInfo)) -> Trace {
    change(&mut trace.info);
    trace
}

fn three() -> [Trace; 3] {
    [took("tr-1", 10), took("tr-2", 40), took("tr-3", 20)]
}

#[test]
fn durations_are_those_of_traces() {
    let traces = three();
    assert_eq!(value("min(duration)", &traces), Some(1e7));
    assert_eq!(value("max(duration)", &traces), Some(4e7));
    assert_eq!(value("sum(duration)", &traces), Some(7e7));
    assert_eq!(
        measured("avg(duration)", &traces).value,
        Some(Number::Integer(23_333_333))
    );
    assert_eq!(value("median(duration)", &traces), Some(2e7));
    assert_eq!(value("p95(duration)", &traces), Some(3.8e7));
    assert_eq!(
        value("max(duration where trace_id != 'tr-2')", &traces),
        Some(2e7)
    );
}

#[test]
fn what_is_in_progress_has_no_duration() {
    let mut traces = three().to_vec();
    traces[1].info.state = TraceState::InProgress;
    let longest = measured("max(duration)", &traces);
    assert_eq!(
        (longest.value, longest.n),
        (Some(Number::Integer(20 * MS)), 2)
    );
    assert_eq!(value("count()", &traces), Some(3.0));

    let traces = [crate::analysis::sample::trace([
        span("root", "", 0, 100),
        span("done", "root", 0, 10),
        span("open", "root", 0, 90).unfinished(),
    ])];
    for text in [
        "count(span)",
        "max(span.duration)",
        "max(self)",
        "max(critical)",
    ] {
        let n = measured(text, &traces).n;
        assert_eq!(n, if text == "count(span)" { 3 } else { 2 }, "{text}");
    }
}

#[test]
fn nothing_has_no_value_but_can_be_counted() {
    for text in [
        "p95(duration)",
        "avg(tokens)",
        "sum(cost)",
        "min(feedback.a)",
        "error_rate()",
        "max(self)",
        "error_rate(span)",
    ] {
        let nothing = measured(text, &[]);
        assert_eq!((nothing.value, nothing.n), (None, 0), "{text}");
    }
    assert_eq!(value("count()", &[]), Some(0.0));
    let none = measured("count(where status = 'ERROR')", &three());
    assert_eq!((none.value, none.n), (Some(Number::Integer(0)), 3));
    assert!(none.first.is_empty());
    let none = measured("sum(tokens)", &three());
    assert_eq!((none.value, none.n), (None, 0));
}

#[test]
fn errors_are_counted_and_named() {
    let traces: Vec<Trace> = (0..10)
        .map(|i| {
            with(took(&format!("tr-{i}"), i), |info| {
                if i % 2 == 1 {
                    info.state = TraceState::Error;
                }
            })
        })
        .collect();
    let rate = measured("error_rate()", &traces);
    assert_eq!((rate.value, rate.n), (Some(Number::Float(0.5)), 10));
    let ids: Vec<&str> = rate.first.iter().map(|s| s.trace_id.as_str()).collect();
    assert_eq!(ids, ["tr-1", "tr-3", "tr-5"]);
    assert_eq!(
        value("error_rate(where duration >= 8ms)", &traces),
        Some(0.5)
    );
    assert_eq!(value("count(where status = 'ERROR')", &traces), Some(5.0));
}

#[test]
fn spans_are_measured_one_by_one_and_named_by_their_path() {
    let traces = [trace([
        span("root", "", 0, 100),
        span("llm", "root", 0, 40).typed("LLM"),
        span("tool", "root", 50, 90).typed("TOOL").failed(),
        span("inner", "tool", 60, 90).typed("LLM"),
    ])];
    assert_eq!(value("count(span)", &traces), Some(4.0));
    assert_eq!(
        value("count(span where span.type = 'LLM')", &traces),
        Some(2.0)
    );
    assert_eq!(
        value("error_rate(span where span.type IS NOT NULL)", &traces),
        Some(1.0 / 3.0)
    );
    assert_eq!(
        value("max(self where NOT span.type = 'LLM')", &traces),
        Some(2e7)
    );
    assert_eq!(value("sum(self)", &traces), Some(1e8));
    assert_eq!(value("sum(critical)", &traces), Some(1e8));
    assert_eq!(value("max(spans)", &traces), Some(4.0));
    // A trace has the one span that is slow and the other that is a tool.
    assert_eq!(
        value(
            "max(span.duration where span.type = 'LLM' AND any(span.status = 'ERROR'))",
            &traces
        ),
        Some(4e7)
    );
    let longest = measured("max(span.duration where span.name != 'root')", &traces);
    let blamed: Vec<(&str, Option<i64>)> = longest
        .largest
        .iter()
        .map(|sample| {
            let ns = match sample.value {
                Some(Number::Integer(ns)) => Some(ns / MS),
                _ => None,
            };
            (sample.span.as_ref().unwrap().path.as_str(), ns)
        })
        .collect();
    assert_eq!(
        blamed,
        [
            ("root > llm", Some(40)),
            ("root > tool", Some(40)),
            ("root > tool > inner", Some(30))
        ]
    );
    assert_eq!(
        longest.smallest[0].span.as_ref().unwrap().path,
        "root > tool > inner"
    );
    let error = &measured("error_rate(span)", &traces).first[0];
    assert_eq!(error.span.as_ref().unwrap().path, "root > tool");
}

#[test]
fn detached_spans_are_not_on_any_path() {
    let traces = [trace([
        span("root", "", 0, 100),
        span("late", "root", 200, 900),
    ])];
    assert_eq!(value("max(span.duration)", &traces), Some(7e8));
    assert_eq!(measured("avg(self)", &traces).n, 1);
    assert_eq!(measured("avg(critical)", &traces).n, 1);
}

#[test]
fn usage_is_what_metadata_and_spans_say() {
    let used = |id: &str, tokens: &str, cost: f64| {
        with(took(id, 1), |info| {
            info.metadata
                .insert(metadata::TOKEN_USAGE.to_owned(), tokens.to_owned());
            info.metadata.insert(
                metadata::COST.to_owned(),
                json!({"total_cost": cost}).to_string(),
            );
        })
    };
    let traces = [
        used("tr-1", r#"{"input_tokens": 10, "output_tokens": 2}"#, 0.1),
        used("tr-2", r#"{"input_tokens": 5, "total_tokens": 9}"#, 0.2),
        took("tr-3", 1),
    ];
    assert_eq!(
        measured("sum(tokens)", &traces).value,
        Some(Number::Integer(21))
    );
    assert_eq!(
        measured("avg(tokens)", &traces).value,
        Some(Number::Float(10.5))
    );
    assert_eq!(
        measured("p50(tokens)", &traces).value,
        Some(Number::Float(10.5))
    );
    assert_eq!(
        measured("p25(tokens)", &traces).value,
        Some(Number::Float(9.75))
    );
    assert_eq!(measured("sum(output_tokens)", &traces).n, 1);
    assert_eq!(value("max(input_tokens)", &traces), Some(10.0));
    assert_eq!(measured("avg(cost)", &traces).n, 2);

    let traces = [trace([
        span("a", "", 0, 1)
            .with(attribute::TOKEN_USAGE, r#"{"total_tokens": 7}"#)
            .with(attribute::COST, r#"{"total_cost": 0.25}"#)
            .with("k", "3"),
        span("b", "a", 0, 1).with("k", "true"),
        span("c", "a", 0, 1).with("k", "\"3\""),
    ])];
    assert_eq!(value("sum(span.tokens)", &traces), Some(7.0));
    assert_eq!(value("sum(span.cost)", &traces), Some(0.25));
    let attributes = measured("avg(span.attributes.k)", &traces);
    assert_eq!(
        (attributes.value, attributes.n),
        (Some(Number::Float(2.0)), 2)
    );
}

#[test]
fn feedback_counts_as_on_the_server() {
    let values = [
        json!(1),
        json!(0.5),
        json!(true),
        json!(false),
        json!("Yes"),
        json!(" no"),
    ];
    let mut given: Vec<Assessment> = values
        .into_iter()
        .map(|v| Assessment::sample_feedback("q", v))
        .collect();
    given.push(Assessment::sample_feedback("q", json!("fine")));
    given.push(Assessment::sample_feedback("q", Json::Null));
    given.push(Assessment::sample_feedback("other", json!(100)));
    given.push(Assessment {
        valid: false,
        ..Assessment::sample_feedback("q", json!(100))
    });
    let traces = [with(took("tr-1", 1), |info| info.assessments = given)];
    let average = measured("avg(feedback.q)", &traces);
    assert_eq!(
        (average.value, average.n),
        (Some(Number::Float(3.5 / 6.0)), 6)
    );
    assert_eq!(measured("avg(expectation.q)", &traces).n, 0);
}

#[test]
fn sums_neither_overflow_nor_lose_cents() {
    let huge = [took("tr-1", i64::MAX / MS), took("tr-2", i64::MAX / MS)];
    assert_eq!(
        measured("avg(duration)", &huge).value,
        huge[0].info.execution_duration_ns.map(Number::Integer)
    );
    assert_eq!(
        measured("sum(duration)", &huge).value,
        Some(Number::Integer(i64::MAX))
    );
    let dimes: Vec<Trace> = (0..10)
        .map(|i| {
            with(took(&format!("tr-{i}"), 1), |info| {
                info.metadata.insert(
                    metadata::COST.to_owned(),
                    r#"{"total_cost": 0.1}"#.to_owned(),
                );
            })
        })
        .collect();
    assert_eq!(
        measured("sum(cost)", &dimes).value,
        Some(Number::Float(1.0))
    );
}

#[test]
fn percentiles_of_few_samples_are_rough() {
    let traces: Vec<Trace> = (0..100).map(|i| took(&format!("tr-{i}"), i)).collect();
    let rough = |text: &str, n: usize| measured(text, &traces[..n]).rough;
    assert!(rough("p95(duration)", 19) && !rough("p95(duration)", 20));
    assert!(rough("p99(duration)", 99) && !rough("p99(duration)", 100));
    assert!(rough("p90(duration)", 9) && !rough("p90(duration)", 10));
    assert!(!rough("p50(duration)", 1) && !rough("max(duration)", 1));
}

#[test]
fn groups_are_made_from_an_empty_tally() {
    let empty = Tally::new(&[aggregate("count()"), aggregate("max(duration)")]);
    let mut groups = [empty.clone(), empty];
    groups[0].add(&took("tr-1", 1));
    groups[1].add(&took("tr-2", 2));
    groups[1].add(&took("tr-3", 3));
    let values = groups.map(|group| group.results().iter().map(|m| m.value).collect::<Vec<_>>());
    let pair = |count, ms: i64| vec![Some(Number::Integer(count)), Some(Number::Integer(ms * MS))];
    assert_eq!(values, [pair(1, 1), pair(2, 3)]);
}

#[test]
fn very_deep_spans_are_named_in_time() {
    let mut spans = vec![span("s0", "", 0, 100_000)];
    for depth in 1..50_000 {
        let (id, parent) = (format!("s{depth}"), format!("s{}", depth - 1));
        spans.push(span(&id, &parent, depth, 100_000));
    }
    let smallest = measured("min(span.duration)", &[trace(spans)]).smallest;
    let path = &smallest[0].span.as_ref().unwrap().path;
    assert!(path.starts_with("s0 > s1 > s2 > (49976 more) > "), "{path}");
    assert!(path.ends_with(" > s49999"), "{path}");
}

fn numbers(texts: &[&str], traces: &[Trace]) -> Vec<Option<Number>> {
    let aggregates: Vec<Aggregate> = texts.iter().map(|text| aggregate(text)).collect();
    let mut tally = Tally::new(&aggregates);
    for trace in traces {
        tally.add(trace);
    }
    tally.results().into_iter().map(|m| m.value).collect()
}

proptest! {
    #[test]
    fn statistics_are_those_of_sorted_numbers(ms in prop::collection::vec(0_i64..5_000, 1..60), parts in 0_u16..=10_000) {
        let traces: Vec<Trace> = ms.iter().enumerate().map(|(i, ms)| took(&format!("tr-{i}"), *ms)).collect();
        let mut sorted: Vec<i64> = ms.iter().map(|ms| ms * MS).collect();
        sorted.sort_unstable();
        let function = format!("p{}.{:02}(duration)", parts / 100, parts % 100);
        let found = numbers(&[&function, "min(duration)", "max(duration)", "sum(duration)", "p0(duration)", "p100(duration)"], &traces);
        let expected = [
            percentile(&sorted, Quantile::new(parts).unwrap()),
            sorted.first().copied(),
            sorted.last().copied(),
            Some(sorted.iter().sum()),
            sorted.first().copied(),
            sorted.last().copied(),
        ];
        prop_assert_eq!(found, expected.map(|n| n.map(Number::Integer)));
        let blamed = measured("max(duration)", &traces);
        let largest: Vec<f64> = blamed.largest.iter().map(|s| s.value.unwrap().as_f64()).collect();
        let expected: Vec<f64> = sorted.iter().rev().take(3).map(|ns| Number::Integer(*ns).as_f64()).collect();
        prop_assert_eq!(largest, expected);
    }

    #[test]
    fn parts_add_up_to_the_whole(failed in prop::collection::vec(any::<bool>(), 0..40)) {
        let traces: Vec<Trace> = failed.iter().enumerate().map(|(i, failed)| with(took(&format!("tr-{i}"), 1), |info| {
            if *failed {
                info.state = TraceState::Error;
            }
        })).collect();
        let found = numbers(&["count(where status = 'ERROR')", "count(where NOT status = 'ERROR')", "count()"], &traces);
        let whole: Vec<i64> = found.iter().map(|n| match n { Some(Number::Integer(n)) => *n, _ => -1 }).collect();
        prop_assert_eq!(whole[0] + whole[1], whole[2]);
        prop_assert_eq!(whole[2], i64::try_from(failed.len()).unwrap());
    }
}

#[test]
fn six_costs_of_eighty_cents_are_four_dollars_eighty() {
    let costs: Vec<Trace> = (0..6)
        .map(|at| {
            with(took(&format!("tr-{at}"), 10), |info| {
                let cost = r#"{"input_cost": 0.1, "output_cost": 0.7}"#;
                info.metadata
                    .insert(metadata::COST.to_owned(), cost.to_owned());
            })
        })
        .collect();
    for (text, expected) in [("sum(cost)", 4.8), ("avg(cost)", 0.8)] {
        let found = value(text, &costs).unwrap();
        assert_eq!(found.to_bits(), f64::to_bits(expected), "{text}: {found}");
    }
}
