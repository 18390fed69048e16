use proptest::prelude::*;

use super::*;
use crate::model::{Span, SpanId, StatusCode, TraceState};
use crate::render::sample::{START_NS, failed, span, trace, with};

fn of(spans: Vec<Span>) -> Trace {
    let mut trace = trace();
    trace.info.trace_id = "tr-1".to_owned();
    trace.info.state = TraceState::Ok;
    trace.spans = spans;
    trace
}

fn bad(id: &str, parent: &str, name: &str, start_ms: i64, message: &str) -> Span {
    failed(
        span(id, parent, name, "TOOL", start_ms, start_ms + 10),
        message,
    )
}

fn good(id: &str, parent: &str, kind: &str) -> Span {
    span(id, parent, kind, kind, 0, 10)
}

fn report(traces: &[Trace], kinds: &[FailureKind], per: CountedPer) -> FailureReport {
    let mut failures = Failures::new(kinds.iter().copied().collect(), per);
    for trace in traces {
        failures.add(trace);
    }
    failures.finish()
}

fn errors(traces: &[Trace]) -> FailureReport {
    report(traces, &[FailureKind::Error], CountedPer::Failure)
}

/// Count, type, message and span of each row.
fn told(report: &FailureReport) -> Vec<(usize, &str, &str, &str)> {
    let groups = report.groups.iter();
    groups
        .map(|group| {
            (
                group.count,
                group.class.as_deref().unwrap_or_default(),
                group.message.as_deref().unwrap_or_default(),
                group.span.as_deref().unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn a_failure_counts_where_it_began() {
    let passed_on = of(vec![
        bad("1", "", "root", 0, "ValueError: no order 1"),
        good("2", "1", "CHAIN"),
        bad("3", "2", "payment", 5, "ValueError: no order 1"),
        bad("4", "3", "charge", 6, "TimeoutError: no answer in 900 ms"),
        bad("5", "3", "charge", 7, "TimeoutError: no answer in 901 ms"),
        bad("6", "1", "mail", 1, "KeyError: 'to'"),
    ]);
    let found = errors(std::slice::from_ref(&passed_on));
    assert_eq!(
        told(&found),
        [
            (2, "TimeoutError", "no answer in <n> ms", "charge"),
            (1, "KeyError", "<…>", "mail"),
        ]
    );
    assert_eq!(
        (
            found.failures,
            found.failed_traces,
            found.without_error_state,
            found.counted
        ),
        (3, 1, 1, 3)
    );
    assert_eq!(found.groups[0].traces, 1);
    let once = report(&[passed_on], &[FailureKind::Error], CountedPer::Trace);
    assert_eq!(
        told(&once),
        [(1, "TimeoutError", "no answer in <n> ms", "charge")]
    );
    assert_eq!((once.failures, once.failed_traces, once.counted), (3, 1, 1));
}

#[test]
fn a_trace_may_fail_without_a_span_that_did() {
    let mut trace = of(Vec::new());
    trace.info.state = TraceState::Error;
    let whole = of(vec![good("1", "", "CHAIN")]);
    let found = errors(&[trace, whole]);
    assert_eq!(told(&found), [(1, "", "", "")]);
    assert_eq!(
        (
            found.failures,
            found.failed_traces,
            found.without_error_state,
            found.traces
        ),
        (1, 1, 0, 2)
    );
}

#[test]
fn types_are_found_in_messages() {
    let said = |message: &str| {
        let mut span = good("1", "", "CHAIN");
        (span.status, span.status_message) = (StatusCode::Error, message.to_owned());
        let group = errors(&[of(vec![span])]).groups.remove(0);
        (group.class, group.message.unwrap_or_default())
    };
    for (message, class, rest) in [
        ("RateLimitError: 429", "RateLimitError", "<n>"),
        ("openai.APIError: down: 3", "openai.APIError", "down: <n>"),
        ("PaymentTimeout: late", "PaymentTimeout", "late"),
        ("Error: x", "Error", "x"),
        ("std::io::Error: x", "std::io::Error", "x"),
    ] {
        assert_eq!(
            said(message),
            (Some(class.to_owned()), rest.to_owned()),
            "{message}"
        );
    }
    for message in [
        "upstream: closed",
        "Failed: x",
        "HTTP: x",
        "not A Class: x",
        "x",
    ] {
        assert_eq!(said(message), (None, message.to_owned()), "{message}");
    }
}

#[test]
fn the_type_of_the_exception_goes_first() {
    let mut doubled = bad("1", "", "x", 0, "a.b.RateLimitError: RateLimitError: slow");
    doubled.status_message = "Other: text".to_owned();
    assert_eq!(
        told(&errors(&[of(vec![doubled])])),
        [(1, "a.b.RateLimitError", "slow", "x")]
    );
    let mut silent = bad("1", "", "x", 0, "ValueError:  ");
    silent.status_message = "ValueError: from the state".to_owned();
    assert_eq!(
        told(&errors(&[of(vec![silent])])),
        [(1, "ValueError", "from the state", "x")]
    );
}

#[test]
fn rows_are_sorted_by_count_then_by_the_last() {
    let at = |id: &str, ms: i64, name: &str, message: &str| {
        let mut trace = of(vec![bad("1", "", name, ms, message)]);
        trace.info.trace_id = id.to_owned();
        trace
    };
    let traces = [
        at("tr-1", 100, "b", "A: x 1"),
        at("tr-2", 300, "a", "A: x 2"),
        at("tr-3", 200, "b", "A: x 3"),
        at("tr-4", 500, "c", "B: y"),
        at("tr-5", 900, "c", "C: z"),
        at("tr-6", 900, "c", "C: a"),
    ];
    let found = errors(&traces);
    let rows: Vec<_> = told(&found).into_iter().map(|row| (row.0, row.2)).collect();
    assert_eq!(rows, [(3, "x <n>"), (1, "a"), (1, "z"), (1, "y")]);
    let first = &found.groups[0];
    assert_eq!((first.span.as_deref(), first.other_spans), (Some("b"), 1));
    assert_eq!(first.trace_id, "tr-2");
    // The exception is a millisecond into its span.
    let ms = |time: Option<Timestamp>| time.map(|time| (time.nanos() - START_NS) / 1_000_000);
    assert_eq!((ms(first.first), ms(first.last)), (Some(101), Some(301)));
    let mut reversed = traces;
    reversed.reverse();
    assert_eq!(errors(&reversed), found);
}

#[test]
fn other_kinds_are_those_of_spans_without_an_error() {
    let http = |span: Span, status: &str| with(span, "http.status_code", status);
    let server = with(
        with(
            http(good("1", "", "SERVER"), "502"),
            "http.request.method",
            "\"POST\"",
        ),
        "http.route",
        "\"/orders/{id}\"",
    );
    let client = http(good("2", "1", "CLIENT"), "\"404\"");
    let found = |spans: Vec<Span>| {
        let found = report(&[of(spans)], &FailureKind::ALL, CountedPer::Failure);
        let groups = found.groups.into_iter();
        let rows = groups.map(|group| (group.kind.as_str(), group.class, group.message));
        rows.collect::<Vec<_>>()
    };
    let class = |text: &str| Some(text.to_owned());
    assert_eq!(
        found(vec![server.clone()]),
        [("http", class("HTTP 502"), class("POST /orders/{id}"))]
    );
    assert_eq!(
        found(vec![server.clone(), client]),
        [("http", class("HTTP 404"), None)]
    );
    let beneath = bad("2", "1", "x", 0, "ValueError: x");
    assert_eq!(
        found(vec![server, beneath]),
        [("error", class("ValueError"), class("x"))]
    );
    assert!(found(vec![http(good("1", "", "CLIENT"), "302")]).is_empty());
}

#[test]
fn models_that_stop_short_are_told_of_once() {
    let call = |reason: &str| {
        let outputs = format!(
            r#"{{"choices":[{{"finish_reason":"{reason}","message":{{"role":"assistant","content":"a"}}}}]}}"#
        );
        let inputs = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
        let span = good("2", "1", "CHAT_MODEL");
        let span = with(
            with(span, "mlflow.spanInputs", inputs),
            "mlflow.spanOutputs",
            &outputs,
        );
        of(vec![good("1", "", "CHAIN"), span])
    };
    for (reason, kind) in [
        ("length", Some(FailureKind::Length)),
        ("content_filter", Some(FailureKind::Refusal)),
        ("stop", None),
    ] {
        let found = report(&[call(reason)], &FailureKind::ALL, CountedPer::Failure);
        assert_eq!(
            found.groups.first().map(|group| group.kind),
            kind,
            "{reason}"
        );
        assert_eq!(found.failures, usize::from(kind.is_some()));
        assert!(errors(&[call(reason)]).groups.is_empty());
    }
}

#[test]
fn beyond_a_limit_failures_are_not_told_apart() {
    let mut failures = Failures::new([FailureKind::Error].into(), CountedPer::Failure);
    let mut add = |message: usize| {
        let failure = Occurred {
            kind: FailureKind::Error,
            class: None,
            message: message.to_string(),
            span: None,
            time: None,
        };
        failures.count(failure, "tr-1");
    };
    (0..MOST_FAILURE_GROUPS + 3).for_each(&mut add);
    add(7);
    let found = failures.finish();
    assert_eq!(found.groups.len(), MOST_FAILURE_GROUPS + 1);
    let rows: Vec<_> = told(&found).into_iter().take(3).collect();
    assert_eq!(rows[..2], [(3, "", "<…>", ""), (2, "", "7", "")]);
    assert_eq!(rows[2].0, 1);
}

proptest! {
    #[test]
    fn counts_sum_up(
        shapes in prop::collection::vec(
            prop::collection::vec((0_usize..6, any::<bool>(), 0_i64..50, 0_usize..4), 0..8),
            0..6,
        )
    ) {
        let traces: Vec<Trace> = shapes
            .iter()
            .enumerate()
            .map(|(number, shape)| {
                let spans = shape.iter().enumerate().map(|(at, (parent, fails, start, message))| {
                    // Parents may come later, be missing, or go in circles.
                    let mut one = span("", "", "s", "TOOL", *start, start + 5);
                    one.span_id = SpanId::new(format!("{at}"));
                    one.parent_id = (at > 0).then(|| SpanId::new(format!("{parent}")));
                    let message = ["A: x", "B: 1", "", "C: 'q'"][*message];
                    if *fails { failed(one, message) } else { one }
                });
                let mut trace = of(spans.collect());
                trace.info.trace_id = format!("tr-{number}");
                trace
            })
            .collect();
        let has_failed = |span: &Span| span.status == StatusCode::Error;
        let failed = traces.iter().filter(|trace| trace.spans.iter().any(has_failed)).count();
        for per in [CountedPer::Failure, CountedPer::Trace] {
            let found = report(&traces, &[FailureKind::Error], per);
            let sum: usize = found.groups.iter().map(|group| group.count).sum();
            prop_assert_eq!(sum, found.counted);
            prop_assert_eq!(found.failed_traces, failed);
            prop_assert!(found.failures >= failed);
            prop_assert!(found.groups.iter().all(|g| g.traces <= g.count && g.traces > 0));
        }
    }
}
