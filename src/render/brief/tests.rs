//! Whatever there is to tell: no budget is exceeded, more tokens lose nothing, and the
//! same is told in the same words.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::analysis::{
    By, Conversation, CountedPer, FailureKind, Failures, GroupKey, LatencyReport, Many, Question,
    Session, Sort, Unit, analyse, conversation,
};
use crate::model::{StatusCode, Trace, TraceState};
use crate::render::sample::{self, failed, span};
use crate::store::{Detail, Location, Query, Search, TraceRefs, Want, open};

use super::session::KeptTurn;
use super::{errors, latency, search, session, trace};

/// Traces of clients and frameworks, the demo's, and one with very many spans.
static TRACES: LazyLock<Vec<Trace>> = LazyLock::new(|| {
    let file = PathBuf::from("tests/fixtures/conversations/frameworks.jsonl");
    let mut all = Vec::new();
    for location in [Location::File(file), Location::Demo] {
        let store = open(&location, None).unwrap();
        let mut search = Search::new(store.as_ref(), Query::default(), None);
        let mut ids = Vec::new();
        while let Some(page) = search.next_page().unwrap() {
            ids.extend(page.into_iter().map(|info| info.trace_id));
        }
        let want = Want::spans(Detail::Whole);
        store
            .try_fetch_all(
                TraceRefs::Ids(ids),
                want,
                |_, trace| -> anyhow::Result<()> {
                    all.push(trace?);
                    Ok(())
                },
            )
            .unwrap();
    }
    all
});

/// 20,000 spans: calls of a tool below each of some steps, a chain, and names that all differ.
fn long() -> Trace {
    let mut trace = sample::trace();
    trace.info.state = TraceState::Error;
    let id_of = |step: usize| format!("{:016x}", (step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    trace.spans = vec![span(&id_of(0), "", "agent", "AGENT", 0, 60_000)];
    for step in 1..20_000_usize {
        let id = id_of(step);
        let start = i64::try_from(step).unwrap();
        let (parent, name) = match step {
            1..=20 => (id_of(0), "plan".to_owned()),
            21..=15_000 => (id_of(step % 20 + 1), "check_stock".to_owned()),
            15_001..=18_000 => (id_of(step - 1), "deeper".to_owned()),
            _ => (id_of(0), format!("task {step}")),
        };
        let end = if step <= 20 { 59_000 } else { start + 12 };
        let one = span(&id, &parent, &name, "TOOL", start, end);
        trace.spans.push(match step {
            7_000 => sample::failed(one, "StockError: shelf B7 is gone"),
            _ => one,
        });
    }
    trace
}

fn of_trace(trace: &Trace, tokens: usize) -> String {
    let report = analyse(trace);
    let said = conversation(trace, &report.tree);
    of_report(&report, &said, tokens)
}

fn of_report(report: &LatencyReport<'_>, said: &Conversation, tokens: usize) -> String {
    let ids = [report.trace.info.trace_id.clone()];
    let mut traces = trace::Traces::new(tokens, &ids, "mlt get", "mlt");
    traces.push(report, said);
    traces.finish().to_string()
}

fn of_traces(all: &[Trace], tokens: usize) -> String {
    let ids: Vec<String> = all.iter().map(|t| t.info.trace_id.clone()).collect();
    let mut traces = trace::Traces::new(tokens, &ids, "mlt get -n 9", "mlt");
    for trace in all {
        let report = analyse(trace);
        traces.push(&report, &conversation(trace, &report.tree));
    }
    traces.finish().to_string()
}

fn of_session(all: &[Trace], tokens: usize) -> String {
    let mut session = Session::default();
    let turns = all.iter().map(|trace| {
        let report = analyse(trace);
        let turn = session.turn(trace, &report.tree);
        KeptTurn::new(&report, &turn, tokens)
    });
    let turns: Vec<KeptTurn> = turns.collect();
    session::brief(tokens, "chat", &session, turns, "mlt session chat").to_string()
}

fn of_search(all: &[Trace], tokens: usize) -> String {
    let mut found = search::Found::new(tokens, "mlt search");
    for trace in all {
        found.push(trace);
    }
    found.finish(true).to_string()
}

fn of_errors(all: &[Trace], tokens: usize) -> String {
    let kinds = FailureKind::ALL.into_iter().collect();
    let mut failures = Failures::new(kinds, CountedPer::Failure);
    for trace in all {
        failures.add(trace);
    }
    errors::brief(
        tokens,
        &failures.finish(),
        usize::MAX,
        "mlt errors --top 99",
    )
    .to_string()
}

fn of_latency(report: &LatencyReport<'_>, tokens: usize) -> String {
    let rows = report.rows(By::Name, Sort::SelfTime);
    latency::one(tokens, report, &rows, rows.len(), "mlt latency latest").to_string()
}

fn of_latencies(all: &[Trace], tokens: usize) -> String {
    let mut many = Many::new(Question {
        key: GroupKey::Span(By::Name),
        second: None,
        unit: Unit::Call,
        slowest: 9,
        what_if: None,
        plotted: None,
    });
    for trace in all {
        many.add(&analyse(trace));
    }
    let report = many.into_report(Sort::Critical);
    let rows = report.rows.len();
    latency::many(tokens, &report, rows, "mlt latency --all").to_string()
}

fn real(text: &str) -> usize {
    super::tokens::real(text)
}

/// What is told of the input, without the mark of what is cut and what tells of the rest.
fn told(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .map(|line| line.strip_suffix(" …").unwrap_or(line));
    lines
        .filter(|line| !line.contains(": mlt") && *line != super::budget::UNTOLD)
        .collect()
}

fn holds(what: &str, brief: impl Fn(usize) -> String) {
    let mut before: Vec<String> = Vec::new();
    for tokens in [50, 120, 600, 5000] {
        let text = brief(tokens);
        assert!(
            real(&text) <= tokens,
            "{what} {tokens}: {} of\n{text}",
            real(&text)
        );
        assert!(!text.is_empty(), "{what} {tokens}");
        if tokens == 120 {
            assert_eq!(brief(tokens), text, "{what}");
        }
        let lines = told(&text);
        for line in &before {
            assert!(
                lines.contains(&line.as_str()),
                "{what} {tokens}: {line}\n{text}"
            );
        }
        before = lines.into_iter().map(str::to_owned).collect();
    }
}

#[test]
fn every_trace_keeps_within_every_budget() {
    assert!(TRACES.len() > 140);
    for trace in TRACES.iter() {
        let (id, report) = (&trace.info.trace_id, analyse(trace));
        let said = conversation(trace, &report.tree);
        holds(id, |tokens| of_report(&report, &said, tokens));
        if !trace.spans.is_empty() {
            holds(id, |tokens| of_latency(&report, tokens));
        }
    }
}

#[test]
fn many_traces_keep_within_every_budget() {
    let all = TRACES.as_slice();
    holds("traces", |tokens| of_traces(&all[..40], tokens));
    holds("session", |tokens| of_session(&all[..60], tokens));
    holds("search", |tokens| of_search(all, tokens));
    holds("errors", |tokens| of_errors(all, tokens));
    holds("latencies", |tokens| of_latencies(all, tokens));
}

#[test]
fn traces_share_a_budget() {
    let text = of_traces(&TRACES[..3], 300);
    let heads = text.lines().filter(|line| line.starts_with("trace "));
    assert_eq!(heads.count(), 3, "{text}");
    let asked = text.lines().filter(|line| line.starts_with("asked: "));
    assert!(asked.count() > 1, "{text}");
}

#[test]
fn twenty_thousand_spans_fit() {
    let trace = long();
    assert_eq!(trace.spans.len(), 20_000);
    let text = of_trace(&trace, 2000);
    assert!(real(&text) <= 2000);
    for part in [
        ": StockError: shelf B7 is gone",
        "failed: check_stock ",
        "- check_stock TOOL ×",
        " ok p50 12.0 ms max 12.0 ms, self ",
        "- check_stock TOOL ERROR ",
        "more spans: mlt get tr-",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let shown: usize = text.lines().filter(|line| line.contains("- ")).count();
    assert!(shown > 40, "{text}");
    let report = analyse(&trace);
    let said = conversation(&trace, &report.tree);
    holds("long", |tokens| of_report(&report, &said, tokens));
    holds("long", |tokens| of_latency(&report, tokens));
}

#[test]
fn what_is_left_out_is_counted() {
    let trace = long();
    let text = of_trace(&trace, 2000);
    let count = |line: &str| -> usize {
        let number = line
            .split('×')
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        number.map_or(1, |number| number.replace(',', "").parse().unwrap())
    };
    let spans = text
        .lines()
        .filter(|line| line.trim_start().starts_with("- "));
    let shown: usize = spans.map(count).sum();
    let left = text
        .lines()
        .find(|line| line.contains("more spans: "))
        .unwrap();
    let left: usize = left
        .split(' ')
        .next()
        .unwrap()
        .replace(',', "")
        .parse()
        .unwrap();
    assert_eq!(shown + left, 20_000, "{text}");
}

#[test]
fn siblings_of_a_name_are_told_together() {
    let mut trace = sample::trace();
    let mut spans = vec![span("a1", "", "agent", "AGENT", 0, 100)];
    for at in 0..5 {
        let id = format!("b{at}");
        let one = span(&id, "a1", "look", "TOOL", at * 10, at * 10 + at);
        spans.push(if at == 3 {
            failed(one, "KeyError: x")
        } else {
            one
        });
        spans.push(span(
            &format!("c{at}"),
            &id,
            "read",
            "LLM",
            at * 10,
            at * 10 + 1,
        ));
    }
    spans.push(span("d", "a1", "wait", "TOOL", 60, 90));
    spans[0].status = StatusCode::Unset;
    trace.spans = spans;
    let text = of_trace(&trace, 2000);
    let start = text.find("spans: ").unwrap();
    let end = text.find("assistant agent: ").unwrap();
    insta::assert_snapshot!(&text[start..end], @r"
    spans: duration, self time and its share, * on the critical path
    - agent AGENT 100 ms, self 60.0 ms 60.0 % *
     - look TOOL ×4 ok p50 1.50 ms max 4.00 ms, self 4.00 ms 4.0 % *
      - read LLM ×4 ok p50 1.00 ms max 1.00 ms, self 3.00 ms 3.0 % *
     - look TOOL ERROR b3 3.00 ms, self 2.00 ms 2.0 % *
      - read LLM 1.00 ms, self 1.00 ms 1.0 % *
     - wait TOOL 30.0 ms, self 30.0 ms 30.0 % *
    ");
}
