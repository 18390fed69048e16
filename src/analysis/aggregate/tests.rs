use super::*;
use crate::analysis::analyse;
use crate::analysis::sample::{MS, SpanExt, span, trace};
use crate::model::{Span, attribute};

fn rows(spans: impl IntoIterator<Item = Span>, by: By) -> Vec<Row> {
    let trace = trace(spans);
    analyse(&trace).rows(by, Sort::SelfTime)
}

/// Key, count, total, self and critical time in milliseconds.
fn table(rows: &[Row]) -> Vec<(&str, usize, i64, i64, i64)> {
    rows.iter()
        .map(|r| {
            let [total, own, critical] = [r.total_ns, r.self_ns, r.critical_ns];
            let key = r.key.as_str();
            (key, r.count, total / MS, own / MS, critical / MS)
        })
        .collect()
}

#[test]
fn a_name_nested_inside_itself_counts_once_in_the_total() {
    let rows = rows(
        [
            span("root", "", 0, 100),
            span("r1", "root", 0, 80).named("retry"),
            span("s", "r1", 10, 70).named("step"),
            span("r2", "s", 20, 60).named("retry"),
            span("r3", "root", 80, 90).named("retry"),
        ],
        By::Name,
    );
    assert_eq!(
        table(&rows),
        [
            ("retry", 3, 90, 70, 70),
            ("step", 1, 60, 20, 20),
            ("root", 1, 100, 10, 10),
        ]
    );
    let retry = &rows[0];
    assert_eq!(retry.self_ratio, Some(0.7));
    let stats = retry.stats.unwrap();
    assert_eq!((stats.n, stats.min_ns, stats.max_ns), (3, 10 * MS, 80 * MS));
    assert_eq!(stats.p50_ns, 40 * MS);
    assert_eq!(retry.slowest.unwrap().node.index(), 1);
}

#[test]
fn rows_carry_their_types_the_most_common_first() {
    let rows = rows(
        [
            span("root", "", 0, 100).typed("AGENT"),
            span("x1", "root", 0, 10).named("x").typed("TOOL"),
            span("x2", "root", 10, 20).named("x").typed("LLM"),
            span("x3", "root", 20, 30).named("x").typed("TOOL"),
            span("y1", "root", 30, 35).named("y").typed("TOOL"),
            span("y2", "root", 35, 40).named("y").typed("LLM"),
        ],
        By::Name,
    );
    let types: Vec<_> = rows
        .iter()
        .map(|r| (r.key.as_str(), r.types.join(" ")))
        .collect();
    assert_eq!(
        types,
        [
            ("root", "AGENT".to_owned()),
            ("x", "TOOL LLM".to_owned()),
            ("y", "LLM TOOL".to_owned()),
        ]
    );
}

#[test]
fn spans_in_progress_count_but_are_no_samples() {
    let rows = rows(
        [
            span("root", "", 0, 100),
            span("a1", "root", 0, 10).named("a").failed(),
            span("a2", "root", 20, 0).named("a").unfinished(),
            span("b", "root", 90, 0).unfinished(),
        ],
        By::Name,
    );
    let a = rows.iter().find(|r| r.key.as_str() == "a").unwrap();
    assert_eq!((a.count, a.errors, a.in_progress), (2, 1, 1));
    assert_eq!(a.total_ns, 90 * MS);
    assert_eq!(a.stats.unwrap().n, 1);
    let b = rows.iter().find(|r| r.key.as_str() == "b").unwrap();
    assert_eq!((b.total_ns, b.stats), (10 * MS, None));
}

#[test]
fn a_total_of_zero_has_no_ratios() {
    let rows = rows([span("root", "", 5, 5), span("a", "root", 5, 5)], By::Name);
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!((row.total_ratio, row.self_ratio), (None, None));
        assert_eq!(row.critical_ratio, None);
    }
}

#[test]
fn time_without_a_span_has_a_row_of_its_own() {
    let rows = rows(
        [span("a", "gone", 0, 30), span("b", "gone", 70, 90)],
        By::Name,
    );
    assert_eq!(
        table(&rows),
        [
            ("(no span)", 0, 40, 40, 40),
            ("a", 1, 30, 30, 30),
            ("b", 1, 20, 20, 20),
        ]
    );
}

#[test]
fn spans_are_grouped_by_what_was_asked_for() {
    let spans = || {
        let model = |name: &str, model: &str| {
            span(name, "root", 0, 10).with(attribute::MODEL, &format!("\"{model}\""))
        };
        [
            span("root", "", 0, 100).typed("AGENT"),
            model("a", "m1").typed("LLM").failed(),
            model("b", "m2").typed("LLM"),
            span("c", "b", 0, 5).named("a").typed("TOOL"),
        ]
    };
    let keys = |by| {
        let trace = trace(spans());
        let rows = analyse(&trace).rows(by, Sort::Name);
        let line = |r: Row| format!("{} {}", r.key, r.count);
        rows.into_iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(keys(By::Name), ["a 2", "b 1", "root 1"]);
    assert_eq!(keys(By::Type), ["AGENT 1", "LLM 2", "TOOL 1"]);
    assert_eq!(keys(By::Status), ["ERROR 1", "OK 3"]);
    assert_eq!(keys(By::Model), ["m1 1", "m2 1", "(no model) 2"]);
    // A wrapper and its client are one call, of the model that answered.
    let mut wrapped = spans().to_vec();
    wrapped.push(span("client", "b", 0, 8).with(attribute::MODEL, "\"m2-large\""));
    let trace = trace(wrapped);
    let rows = analyse(&trace).rows(By::Model, Sort::Name);
    let found = |model: &str| rows.iter().find(|r| r.key.to_string() == model);
    assert!(found("m2").is_none() && found("m2-large").is_some_and(|r| r.count == 1));
    assert!(found("m2 (wrapper)").is_some_and(|r| r.count == 1));
    assert_eq!(
        keys(By::Path),
        ["root 1", "root > a 1", "root > b 1", "root > b > a 1"]
    );
    assert_eq!(keys(By::Span), ["a 1", "a 1", "b 1", "root 1"]);
}

#[test]
fn over_many_traces_a_sample_is_a_call_or_a_trace() {
    let traces = [
        trace([
            span("root", "", 0, 100),
            span("a1", "root", 0, 10).named("a"),
            span("a2", "root", 10, 40).named("a"),
        ]),
        trace([
            span("root", "", 0, 300),
            span("a1", "root", 0, 60).named("a"),
        ]),
        trace([span("root", "", 0, 100)]),
    ];
    let row = |unit| {
        let mut all = Aggregation::new(By::Name, unit);
        for trace in &traces {
            all.add(&analyse(trace));
        }
        assert_eq!((all.traces(), all.total_ns()), (3, 500 * MS));
        all.into_rows(Sort::Name).swap_remove(0)
    };
    let (call, by_trace) = (row(Unit::Call), row(Unit::Trace));
    assert_eq!(call.stats.unwrap().n, 3);
    assert_eq!(call.stats.unwrap().p50_ns, 30 * MS);
    assert_eq!(by_trace.stats.unwrap().n, 2);
    assert_eq!(by_trace.stats.unwrap().p50_ns, 50 * MS);
    assert_eq!((call.total_ns, by_trace.total_ns), (100 * MS, 100 * MS));
    assert_eq!(call.total_ratio, Some(0.2));
    assert_eq!(call.slowest.unwrap().trace, 1);
}

#[test]
fn a_trace_with_a_span_in_progress_is_no_sample_of_its_group() {
    let trace = trace([
        span("root", "", 0, 100),
        span("a1", "root", 0, 10).named("a"),
        span("a2", "root", 10, 10).named("a").unfinished(),
    ]);
    let mut all = Aggregation::new(By::Name, Unit::Trace);
    all.add(&analyse(&trace));
    let rows = all.into_rows(Sort::Name);
    assert_eq!((rows[0].count, rows[0].stats), (2, None));
    assert_eq!(rows[1].stats.unwrap().n, 1);
}

#[test]
fn equal_rows_are_ordered_by_key() {
    let spans = [
        span("root", "", 0, 40),
        span("b", "root", 0, 10),
        span("a", "root", 10, 20),
        span("c", "root", 20, 40),
    ];
    let rows = rows(spans, By::Name);
    let keys: Vec<_> = rows.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(keys, ["c", "a", "b", "root"]);
}
