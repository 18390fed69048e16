use serde_json::{Value as Json, json};

use super::*;
use crate::analysis::sample::{MS, SpanExt, span, trace};
use crate::analysis::{DEFAULT_SEED, Test, analyse};
use crate::model::{Assessment, Trace, TraceState, metadata};

fn compared(before: &[Trace], after: &[Trace], by: By) -> Diff {
    let mut comparison = Comparison::new(by);
    for trace in before {
        comparison.add(Side::Before, &analyse(trace));
    }
    for trace in after {
        comparison.add(Side::After, &analyse(trace));
    }
    comparison.finish(DiffSort::Critical, DEFAULT_SEED)
}

fn row<'d>(diff: &'d Diff, key: &str) -> &'d DiffRow {
    diff.rows
        .iter()
        .find(|row| row.key.as_str() == key)
        .unwrap_or_else(|| panic!("no {key} in {:?}", diff.rows))
}

fn total(diff: &Diff, measure: Measure) -> Total {
    *diff.totals.iter().find(|t| t.measure == measure).unwrap()
}

/// A root of which one child takes so many milliseconds.
fn with_child(name: &str, ms: i64) -> Trace {
    trace([span("root", "", 0, 10 + ms), span(name, "root", 0, ms)])
}

#[test]
fn the_second_call_belongs_to_the_second_call() {
    let before = trace([
        span("root", "", 0, 100),
        span("1", "root", 0, 10).named("call"),
        span("2", "root", 20, 50).named("call"),
        span("3", "root", 60, 70).named("old"),
    ]);
    let after = trace([
        span("root", "", 0, 200),
        span("9", "root", 0, 15).named("call"),
        span("8", "root", 20, 90).named("call"),
        span("7", "root", 100, 107).named("call").failed(),
        span("6", "root", 110, 130).named("fresh"),
    ]);
    let diff = compared(&[before], &[after], By::Path);
    let call = row(&diff, "root > call");
    assert_eq!(
        call.calls,
        Sides {
            before: 2,
            after: 3
        }
    );
    assert_eq!(
        call.errors,
        Sides {
            before: 0,
            after: 1
        }
    );
    assert_eq!(call.critical_ns.change(), 52 * MS);
    let expected = Matching {
        matched: 2,
        new: 1,
        gone: 0,
        matched_change_ns: 45 * MS,
    };
    assert_eq!(call.matching, Some(expected));
    assert_eq!(row(&diff, "root > old").critical_ns.change(), -10 * MS);
    assert_eq!(row(&diff, "root > fresh").share, Some(0.2));
    assert_eq!(diff.change_ns(), 100 * MS);
}

#[test]
fn a_span_of_another_type_is_new_when_types_are_compared() {
    let typed = |kind: &str| trace([span("root", "", 0, 10), span("a", "root", 0, 5).typed(kind)]);
    let (before, after) = ([typed("LLM")], [typed("TOOL")]);
    let diff = compared(&before, &after, By::Type);
    let gone = row(&diff, "LLM").matching.unwrap();
    assert_eq!((gone.matched, gone.new, gone.gone), (0, 0, 1));
    assert_eq!(row(&diff, "TOOL").matching.unwrap().new, 1);
    assert!(compared(&before, &after, By::Path).is_empty());
}

#[test]
fn sets_are_compared_by_their_means() {
    let before = [with_child("a", 10), with_child("a", 20)];
    let after = [with_child("a", 30), with_child("b", 6), with_child("b", 6)];
    let diff = compared(&before, &after, By::Path);
    assert!(!diff.pair);
    let a = row(&diff, "root > a");
    assert_eq!(
        a.critical_ns,
        Sides {
            before: 15 * MS,
            after: 10 * MS
        }
    );
    assert_eq!(
        a.traces,
        Sides {
            before: 2,
            after: 1
        }
    );
    assert_eq!(a.finding.unwrap().verdict, Verdict::TooFew);
    assert_eq!(a.matching, None);
    let b = row(&diff, "root > b");
    assert_eq!(
        b.critical_ns,
        Sides {
            before: 0,
            after: 4 * MS
        }
    );
    assert_eq!(diff.change_ns(), -MS);
    assert_eq!((a.share, b.share), (Some(5.0), Some(-4.0)));
    // The root itself took 10 ms in every trace.
    assert_eq!((diff.rows.len(), diff.unchanged), (2, 1));
    assert_eq!(
        total(&diff, Measure::Typical).verdict,
        Some(Verdict::TooFew)
    );
    assert_eq!(total(&diff, Measure::Duration).verdict, None);
}

#[test]
fn a_change_beyond_noise_is_told_from_one_within() {
    let many = |base: i64, n: i64| -> Vec<Trace> {
        (0..n).map(|i| with_child("a", base + i * 7 % 10)).collect()
    };
    let verdict = |before: &[Trace], after: &[Trace]| {
        let diff = compared(before, after, By::Path);
        let beyond = diff.rows.first().and_then(DiffRow::is_beyond_noise);
        let typical = total(&diff, Measure::Typical).verdict;
        (typical, beyond, total(&diff, Measure::P95).verdict)
    };
    let (higher, noise) = (Some(Verdict::Higher), Some(Verdict::Noise));
    assert_eq!(
        verdict(&many(100, 80), &many(120, 80)),
        (higher, Some(true), higher)
    );
    assert_eq!(
        verdict(&many(100, 30), &many(120, 30)),
        (higher, Some(true), higher)
    );
    assert_eq!(
        verdict(&many(100, 80), &many(100, 75)),
        (noise, Some(false), noise)
    );
    assert_eq!(
        verdict(&many(100, 19), &many(900, 80)).0,
        Some(Verdict::TooFew)
    );
}

#[test]
fn a_path_that_is_rarely_there_on_a_side_is_not_judged() {
    let sets = |rare: i64| -> Vec<Trace> {
        let rare = (0..rare).map(|_| with_child("b", 10));
        (0..40).map(|_| with_child("a", 10)).chain(rare).collect()
    };
    let judged = |before: &[Trace], after: &[Trace]| {
        let diff = compared(before, after, By::Path);
        let verdict = |key: &str| row(&diff, key).finding.unwrap().verdict;
        assert_ne!(verdict("root > a"), Verdict::TooFew);
        verdict("root > b")
    };
    assert_eq!(judged(&sets(0), &sets(30)), Verdict::TooFew);
    assert_eq!(judged(&sets(9), &sets(30)), Verdict::TooFew);
    assert_eq!(judged(&sets(10), &sets(90)), Verdict::Higher);
}

#[test]
fn rows_are_judged_together_and_shares_of_noise_are_none() {
    // Thirty steps, of which the first takes longer by so much.
    let set = |more: i64, seed: i64| -> Vec<Trace> {
        let one = |i: i64| {
            let mut spans = vec![span("root", "", 0, 10_000)];
            let mut at = 0;
            for step in 0..30 {
                let jitter = (i * 7919 + step * 104_729 + seed * 31) % 97;
                let took = 40 + jitter + if step == 0 { more } else { 0 };
                let name = format!("s{step:02}");
                spans.push(span(&name, "root", at, at + took));
                at += took;
            }
            spans[0] = span("root", "", 0, at);
            trace(spans)
        };
        (0..40).map(one).collect()
    };
    let equal = compared(&set(0, 1), &set(0, 2), By::Path);
    assert_eq!(equal.found.beyond_noise, 0, "{equal:?}");
    assert!(equal.found.tested >= 25 && equal.found.by_chance() > 1.0);
    assert!(equal.is_within_noise());
    assert!(equal.rows.iter().all(|row| row.share.is_none()));
    let slower = compared(&set(60, 1), &set(0, 2), By::Path);
    assert_eq!(slower.found.beyond_noise, 1, "{slower:?}");
    let first = row(&slower, "root > s00");
    assert_eq!(first.is_beyond_noise(), Some(true));
    let finding = first.finding.unwrap();
    assert_eq!(
        (finding.verdict, finding.test),
        (Verdict::Lower, Some(Test::WelchLog))
    );
    assert!(finding.p_adjusted > finding.p);
}

#[test]
fn failures_are_compared_as_shares() {
    let set = |n: usize, failed: usize| -> Vec<Trace> {
        let mut traces = vec![with_child("a", 10); n];
        for trace in &mut traces[..failed] {
            trace.info.state = TraceState::Error;
        }
        traces
    };
    let rate = |before: &[Trace], after: &[Trace]| {
        let rate = total(&compared(before, after, By::Path), Measure::ErrorRate);
        (rate.verdict.unwrap(), rate.interval.unwrap())
    };
    let (verdict, interval) = rate(&set(20, 0), &set(200, 5));
    assert_eq!(verdict, Verdict::Noise);
    assert_eq!((interval.low, interval.high), (-136_756, 57_178));
    let (verdict, interval) = rate(&set(20, 0), &set(20, 0));
    assert_eq!(verdict, Verdict::Noise);
    assert_eq!((interval.low, interval.high), (-161_125, 161_125));
    assert_eq!(rate(&set(50, 1), &set(50, 20)).0, Verdict::Higher);
}

#[test]
fn traces_in_progress_count_only_where_they_are_all_there_is() {
    let running = || {
        let mut trace = with_child("a", 500);
        trace.info.state = TraceState::InProgress;
        trace
    };
    let empty = || trace([]);
    let set = compared(
        &[with_child("a", 10), running(), empty()],
        &[running()],
        By::Path,
    );
    let expected = Intake {
        traces: 1,
        in_progress: 1,
        without_spans: 1,
    };
    assert_eq!(set.intake.before, expected);
    assert_eq!((set.intake.after.traces, set.pair), (1, true));
    assert_eq!(set.change_ns(), 490 * MS);
    let none = compared(&[with_child("a", 10)], &[running(), running()], By::Path);
    assert_eq!(none.intake.after.traces, 0);
}

#[test]
fn tokens_and_cost_are_compared_where_both_sides_have_them() {
    let with = |cost: Option<&str>, tokens: i64| {
        let mut trace = with_child("a", 10);
        let usage = format!(r#"{{"input_tokens": {tokens}, "output_tokens": 1}}"#);
        trace
            .info
            .metadata
            .insert(metadata::TOKEN_USAGE.to_owned(), usage);
        if let Some(cost) = cost {
            let cost = format!(r#"{{"total_cost": {cost}}}"#);
            trace.info.metadata.insert(metadata::COST.to_owned(), cost);
        }
        trace
    };
    let diff = compared(&[with(Some("0.1"), 10)], &[with(Some("0.3"), 7)], By::Path);
    assert_eq!(total(&diff, Measure::Tokens).change(), Some(-3));
    assert_eq!(
        total(&diff, Measure::Cost).change(),
        Some(UNITS_PER_DOLLAR / 5)
    );
    assert!(diff.rows.is_empty() && !diff.is_empty());
    let diff = compared(&[with(None, 10)], &[with(Some("0.3"), 10)], By::Path);
    assert_eq!(total(&diff, Measure::Cost).change(), None);
    assert!(!diff.is_empty());
}

#[test]
fn long_paths_that_are_shown_alike_keep_their_order() {
    // 30 names deep; the fifth, which is not shown, is x on one branch and y on the other.
    let deep = |length: i64| {
        let mut spans = vec![span("root", "", 0, 10_000)];
        for branch in ["x", "y"] {
            let mut parent = "root".to_owned();
            for level in 0..30 {
                let id = format!("{branch}{level:02}");
                let name = if level == 4 { branch } else { "n" };
                spans.push(span(&id, &parent, 0, length).named(name));
                parent = id;
            }
        }
        trace(spans)
    };
    let (a, b) = ([deep(100)], [deep(200)]);
    let there = compared(&a, &b, By::Path);
    let back = compared(&b, &a, By::Path);
    let changes = |diff: &Diff, sign: i64| -> Vec<(String, i64)> {
        let of = |row: &DiffRow| (row.key.to_string(), sign * row.self_ns.change());
        diff.rows.iter().map(of).collect()
    };
    assert_eq!(changes(&there, 1), changes(&back, -1));
}

/// As many traces as there are values of this feedback.
fn said(name: &str, values: impl IntoIterator<Item = Json>) -> Vec<Trace> {
    values
        .into_iter()
        .map(|value| {
            let mut trace = with_child("call", 10);
            trace.info.assessments = vec![Assessment::sample_feedback(name, value)];
            trace
        })
        .collect()
}

#[test]
fn true_and_false_are_told_as_shares() {
    let votes = |yes: usize, all: usize| said("ok", (0..all).map(|i| json!(i < yes)));
    let diff = compared(&votes(18, 20), &votes(60, 200), By::Path);
    let [total] = diff.feedback.as_slice() else {
        panic!("{:?}", diff.feedback);
    };
    assert!(total.is_share);
    assert_eq!(
        total.value.map(|v| v.unwrap()),
        Sides {
            before: 0.9,
            after: 0.3
        }
    );
    assert_eq!(total.change(), Some(-0.6));
    assert_eq!(total.verdict(), Some(Verdict::Lower));
    let told = total.told().unwrap();
    assert_eq!(told.test, Test::Newcombe);
    // Method 10 of Newcombe, 1998, computed apart.
    let [low, high] = told.interval.unwrap();
    assert!(
        (low + 0.693_349_395).abs() < 1e-9 && (high + 0.388_161_566).abs() < 1e-9,
        "{told:?}"
    );

    let few = compared(&votes(19, 19), &votes(0, 200), By::Path);
    assert_eq!(few.feedback[0].verdict(), Some(Verdict::TooFew));
    let none = compared(&votes(0, 20), &votes(0, 20), By::Path);
    assert_eq!(none.feedback[0].verdict(), Some(Verdict::Noise));
    assert!(none.is_empty());
}

#[test]
fn scores_are_told_by_their_means() {
    let scores = |from: u32, all: u32| said("q", (0..all).map(|i| json!(f64::from(from + i % 5))));
    let diff = compared(&scores(1, 25), &scores(3, 25), By::Path);
    let total = &diff.feedback[0];
    assert!(!total.is_share);
    assert_eq!(total.change(), Some(2.0));
    assert_eq!(total.told().unwrap().test, Test::Welch);
    assert_eq!(total.verdict(), Some(Verdict::Higher));
    // The lowest of a scale from 1 to 5 is no 100 %.
    let lowest = said("q", vec![json!(1), json!(1)]);
    assert!(!compared(&lowest, &lowest, By::Path).feedback[0].is_share);
    let same = compared(&scores(1, 25), &scores(1, 30), By::Path);
    assert_eq!(same.feedback[0].verdict(), Some(Verdict::Noise));
}

#[test]
fn feedback_of_one_side_and_what_is_no_number_are_not_compared() {
    let before = said("tone", (0..25).map(|_| json!("friendly")));
    let after = said("ok", (0..25).map(|_| json!("yes")));
    let diff = compared(&before, &after, By::Path);
    let [total] = diff.feedback.as_slice() else {
        panic!("{:?}", diff.feedback);
    };
    assert_eq!((total.name.as_str(), total.change()), ("ok", None));
    assert_eq!(
        total.value,
        Sides {
            before: None,
            after: Some(1.0)
        }
    );
    // Of single traces, chance says nothing.
    let pair = compared(&before[..1], &after[..1], By::Path);
    assert_eq!(
        (pair.feedback[0].verdict(), pair.feedback[0].n.after),
        (None, 1)
    );
}

#[test]
fn a_p95_of_few_beside_many_is_not_told() {
    let set = |n: i64| {
        (0..n)
            .map(|i| with_child("call", 10 + i))
            .collect::<Vec<_>>()
    };
    let verdict = |before: i64, after: i64| {
        total(&compared(&set(before), &set(after), By::Path), Measure::P95).verdict
    };
    assert_eq!(verdict(20, 31), Some(Verdict::TooFew));
    assert_eq!(verdict(31, 20), Some(Verdict::TooFew));
    for (before, after) in [(20, 20), (20, 30), (40, 90)] {
        let verdict = verdict(before, after);
        assert!(
            verdict.is_some_and(|v| v != Verdict::TooFew),
            "{before} {after}"
        );
    }
}
