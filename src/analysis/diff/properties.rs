//! Invariants of comparisons of random traces.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::analysis::properties::{any_spans, sequential_spans};
use crate::analysis::sample::trace;
use crate::analysis::{ConfidenceInterval, DEFAULT_SEED, Noise, Told, analyse};
use crate::model::{Assessment, Span, Trace, TraceState, metadata};

const SORTS: [DiffSort; 5] = [
    DiffSort::Critical,
    DiffSort::SelfTime,
    DiffSort::Calls,
    DiffSort::Errors,
    DiffSort::Name,
];

fn compared(before: &[Trace], after: &[Trace], by: By, sort: DiffSort) -> Diff {
    let mut comparison = Comparison::new(by);
    for (side, traces) in [(Side::Before, before), (Side::After, after)] {
        for trace in traces {
            comparison.add(side, &analyse(trace));
        }
    }
    comparison.finish(sort, DEFAULT_SEED)
}

/// The same comparison seen from the other side.
fn exchanged(diff: Diff) -> Diff {
    fn swap<T: Copy>(sides: Sides<T>) -> Sides<T> {
        Sides {
            before: sides.after,
            after: sides.before,
        }
    }
    fn swap_verdict(verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Higher => Verdict::Lower,
            Verdict::Lower => Verdict::Higher,
            other => other,
        }
    }
    fn swap_change(typical: LogChange) -> LogChange {
        LogChange {
            change: -typical.change,
            low: -typical.high,
            high: -typical.low,
        }
    }
    let opposite = |m: Matching| Matching {
        matched: m.matched,
        new: m.gone,
        gone: m.new,
        matched_change_ns: -m.matched_change_ns,
    };
    let row = |row: DiffRow| DiffRow {
        key: row.key,
        traces: swap(row.traces),
        calls: swap(row.calls),
        errors: swap(row.errors),
        self_ns: swap(row.self_ns),
        critical_ns: swap(row.critical_ns),
        share: row.share,
        finding: row.finding.map(|finding| Finding {
            verdict: swap_verdict(finding.verdict),
            typical: finding.typical.map(swap_change),
            ..finding
        }),
        matching: row.matching.map(opposite),
    };
    let total = |total: Total| Total {
        measure: total.measure,
        n: swap(total.n),
        value: swap(total.value),
        interval: total.interval.map(|i| ConfidenceInterval {
            low: -i.high,
            high: -i.low,
        }),
        typical: total.typical.map(swap_change),
        test: total.test,
        p: total.p,
        verdict: total.verdict.map(swap_verdict),
    };
    let noise = |noise: Noise| match noise {
        Noise::Told(told) => Noise::Told(Told {
            interval: told.interval.map(|[low, high]| [-high, -low]),
            verdict: swap_verdict(told.verdict),
            ..told
        }),
        other => other,
    };
    let said = |total: FeedbackTotal| FeedbackTotal {
        n: swap(total.n),
        value: swap(total.value),
        noise: total.noise.map(noise),
        ..total
    };
    Diff {
        by: diff.by,
        pair: diff.pair,
        only: Sides {
            before: diff.only.after,
            after: diff.only.before,
        },
        intake: swap(diff.intake),
        total_ns: swap(diff.total_ns),
        totals: diff.totals.into_iter().map(total).collect(),
        feedback: diff.feedback.into_iter().map(said).collect(),
        rows: diff.rows.into_iter().map(row).collect(),
        found: diff.found,
        unchanged: diff.unchanged,
        matching: diff.matching.map(opposite),
    }
}

/// Spans, and what is known of the trace as a whole.
fn any_trace() -> impl Strategy<Value = Trace> {
    let spans = prop_oneof![any_spans(), sequential_spans()];
    let known = (prop::option::of(0..5_000_i64), any::<bool>());
    let said = (prop::option::of(any::<bool>()), prop::option::of(0..5_u32));
    (spans, known, said).prop_map(|(spans, (tokens, failed), said): (Vec<Span>, _, _)| {
        let mut trace = trace(spans);
        let score = said.1.map(|score| json!(f64::from(score) / 5.0));
        let given = [
            ("correct", said.0.map(|said| json!(said))),
            ("score", score),
        ];
        trace.info.assessments = given
            .into_iter()
            .filter_map(|(name, value)| Some(Assessment::sample_feedback(name, value?)))
            .collect();
        if failed {
            trace.info.state = TraceState::Error;
        }
        if let Some(tokens) = tokens {
            let usage = format!(r#"{{"input_tokens": {tokens}, "output_tokens": 3}}"#);
            let cost = format!(
                r#"{{"total_cost": {}}}"#,
                f64::from(u32::try_from(tokens).unwrap()) / 7e4
            );
            trace.info.metadata = [(metadata::TOKEN_USAGE, usage), (metadata::COST, cost)]
                .map(|(key, value)| (key.to_owned(), value))
                .into();
        }
        trace
    })
}

fn any_set() -> impl Strategy<Value = Vec<Trace>> {
    prop_oneof![
        15 => prop::collection::vec(any_trace(), 1..5),
        // Enough of them for intervals.
        1 => prop::collection::vec(any_trace(), 20..24),
    ]
}

fn sum<T>(diff: &Diff, of: impl Fn(&DiffRow) -> T) -> T
where
    T: std::iter::Sum,
{
    diff.rows.iter().map(of).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_trace_does_not_differ_from_itself(trace in any_trace()) {
        for by in By::ALL.into_iter().filter(|by| *by != By::Span) {
            let traces = std::slice::from_ref(&trace);
            let diff = compared(traces, traces, by, DiffSort::Critical);
            prop_assert!(diff.is_empty(), "{diff:?}");
            prop_assert_eq!((diff.change_ns(), diff.rows.len()), (0, 0));
            prop_assert!(diff.unchanged > 0 && diff.pair);
        }
    }

    #[test]
    fn a_set_does_not_differ_from_itself(traces in any_set(), turn in any::<prop::sample::Index>()) {
        // Neither does it from the same set in another order.
        let mut turned = traces.clone();
        turned.rotate_left(turn.index(traces.len()));
        let diff = compared(&traces, &turned, By::Path, DiffSort::Critical);
        prop_assert!(diff.intake.before.traces == 0 || diff.is_empty(), "{diff:?}");
        for total in &diff.totals {
            prop_assert!(total.interval.is_none_or(|i| i.low == -i.high));
            prop_assert!(total.p.is_none_or(|p| p > 0.99));
            prop_assert!(matches!(total.verdict, None | Some(Verdict::Noise | Verdict::TooFew)));
        }
    }

    #[test]
    fn exchanging_the_sides_negates_every_change(a in any_set(), b in any_set()) {
        for (by, sort) in [By::Path, By::Name, By::Type].into_iter().cycle().zip(SORTS) {
            let (there, back) = (compared(&a, &b, by, sort), compared(&b, &a, by, sort));
            prop_assert_eq!(there.change_ns(), -back.change_ns());
            for (one, other) in there.rows.iter().zip(&back.rows) {
                prop_assert_eq!(one.critical_ns.change(), -other.critical_ns.change());
                prop_assert_eq!(one.self_ns.change(), -other.self_ns.change());
                prop_assert_eq!(one.is_beyond_noise(), other.is_beyond_noise());
            }
            prop_assert_eq!(exchanged(back), there);
        }
    }

    #[test]
    fn contributions_add_up_to_the_change(a in any_trace(), b in any_trace()) {
        let sides = [analyse(&a).total_ns(), analyse(&b).total_ns()];
        for by in [By::Path, By::Name, By::Type] {
            let diff = compared(std::slice::from_ref(&a), std::slice::from_ref(&b), by, DiffSort::Critical);
            prop_assert!(diff.pair);
            prop_assert_eq!(diff.change_ns(), sides[1] - sides[0]);
            prop_assert_eq!(sum(&diff, |row| row.critical_ns.change()), diff.change_ns());
            prop_assert!(diff.rows.is_sorted_by_key(|row| std::cmp::Reverse(row.critical_ns.change().abs())));
            let shares: Option<f64> = diff.rows.iter().map(|row| row.share).sum();
            prop_assert!(diff.rows.is_empty() || shares.is_none_or(|s| (s - 1.0).abs() < 1e-6));
            prop_assert_eq!(shares.is_some(), diff.rows.is_empty() || diff.change_ns() != 0);
        }
    }

    #[test]
    fn contributions_of_sets_add_up_but_for_rounding(a in any_set(), b in any_set()) {
        let diff = compared(&a, &b, By::Path, DiffSort::Critical);
        if diff.intake.before.traces > 0 && diff.intake.after.traces > 0 {
            let contributions = sum(&diff, |row| row.critical_ns.change());
            let most = i64::try_from(diff.rows.len() + 1).unwrap();
            prop_assert!((contributions - diff.change_ns()).abs() <= most);
            let mean = diff.totals.iter().find(|t| t.measure == Measure::Duration);
            prop_assert_eq!(mean.and_then(Total::change), Some(diff.change_ns()));
        }
    }

    #[test]
    fn every_span_is_matched_new_or_gone(a in any_trace(), b in any_trace()) {
        let count = |trace: &Trace| analyse(trace).tree.len();
        for by in [By::Path, By::Name, By::Type] {
            let diff = compared(std::slice::from_ref(&a), std::slice::from_ref(&b), by, DiffSort::Critical);
            let (mut before, mut after) = (0, 0);
            for row in &diff.rows {
                let Some(m) = row.matching else {
                    prop_assert_eq!(row.calls, Sides::default());
                    continue;
                };
                prop_assert_eq!(m.matched + m.gone, row.calls.before);
                prop_assert_eq!(m.matched + m.new, row.calls.after);
                if by == By::Path {
                    prop_assert_eq!(m.matched, row.calls.before.min(row.calls.after));
                }
                if m.new + m.gone == 0 {
                    prop_assert_eq!(m.matched_change_ns, row.critical_ns.change());
                }
                before += row.calls.before;
                after += row.calls.after;
            }
            let all = diff.matching.unwrap();
            prop_assert_eq!(all.matched + all.gone, count(&a));
            prop_assert_eq!(all.matched + all.new, count(&b));
            // What is not in these rows is in those that do not differ.
            prop_assert_eq!(count(&a) - before, count(&b) - after);
        }
    }
}
