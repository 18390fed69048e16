//! A trace is one sample, however much of it is measured.

use super::*;

/// So many traces, each with a root and as many spans of the same length below it.
fn bundles(traces: usize, spans: usize) -> Vec<Trace> {
    let one = |at: usize| {
        let ms = 10 + i64::try_from(at * 2_654_435_761 % 1_000_003).unwrap();
        let name = |span: usize| format!("s{span}");
        let below = (0..spans).map(|nth| span(&name(nth), "root", 0, ms));
        let mut found = trace(std::iter::once(span("root", "", 0, ms)).chain(below));
        found.info.trace_id = format!("tr-{at}");
        found
    };
    (0..traces).map(one).collect()
}

fn spread(text: &str, traces: &[Trace]) -> Spread {
    let mut tally = Tally::new(&[aggregate(text)]).with_spread();
    for trace in traces {
        tally.add(trace);
    }
    tally.results().remove(0).spread.unwrap()
}

#[test]
fn a_trace_is_one_sample_however_many_spans_it_has() {
    // Spans that all say the same tell no more than one of them.
    for text in [
        "max(span.duration)",
        "min(span.duration)",
        "p0(span.duration)",
        "p95(span.duration)",
        "p50(span.duration)",
        "avg(span.duration)",
    ] {
        let (one, ten) = (spread(text, &bundles(30, 0)), spread(text, &bundles(30, 9)));
        let n = |spread: &Spread| match spread {
            Spread::Extreme { n, samples } => {
                assert_eq!(samples.len(), *n, "{text}");
                *n
            }
            Spread::Drawn { n, .. } => *n,
            Spread::Logs(logs) => serde_json::to_value(logs).unwrap()["above"]["n"]
                .as_u64()
                .unwrap()
                .try_into()
                .unwrap(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!((n(&one), n(&ten)), (30, 30), "{text}");
        if !text.starts_with("p50") && !text.starts_with("p95") {
            assert_eq!(one, ten, "{text}");
        }
    }
}

#[test]
fn percentiles_of_bundles_vary_as_far_as_those_of_their_traces() {
    for text in ["p50(span.duration)", "p95(span.duration)"] {
        for traces in [40, 1_200] {
            let width = |spans: usize| {
                let Spread::Drawn { values, .. } = spread(text, &bundles(traces, spans)) else {
                    panic!("{text}");
                };
                values[194] - values[4]
            };
            let ratio = width(9) / width(0);
            assert!((0.7..=1.4).contains(&ratio), "{text} {traces}: {ratio}");
        }
    }
}

#[test]
fn the_order_of_traces_is_of_no_matter() {
    let mut traces = bundles(30, 3);
    let before = spread("p90(span.duration)", &traces);
    traces.reverse();
    assert_eq!(before, spread("p90(span.duration)", &traces));
}

#[test]
fn spans_that_fail_together_are_worth_as_much_as_their_traces() {
    let failing = |apart: bool| -> Vec<Trace> {
        let mut traces = bundles(40, 9);
        for (at, trace) in traces.iter_mut().enumerate() {
            for (nth, span) in trace.spans.iter_mut().enumerate() {
                let fails = if apart { nth == at % 10 } else { at % 10 == 0 };
                if fails {
                    span.status = StatusCode::Error;
                }
            }
        }
        traces
    };
    let worth = |apart| match spread("error_rate(span)", &failing(apart)) {
        Spread::Share {
            hits: 40,
            n: 400,
            bundled: Some(Bundled { traces: 40, worth }),
        } => worth,
        other => panic!("{other:?}"),
    };
    assert_eq!(worth(false), 39);
    assert_eq!(worth(true), 400);
    let of_traces = spread("error_rate()", &failing(false));
    assert!(matches!(
        of_traces,
        Spread::Share {
            bundled: None,
            n: 40,
            ..
        }
    ));
    // No failure at all says no more than so many traces without one.
    let none = spread("error_rate(span)", &bundles(40, 9));
    let expected = Some(Bundled {
        traces: 40,
        worth: 40,
    });
    assert!(matches!(none, Spread::Share { hits: 0, n: 400, bundled } if bundled == expected));
}
