use insta::assert_snapshot;

use super::*;
use crate::model::{TraceInfo, TraceState};
use crate::render::Column as Named;
use crate::render::sample::{coloured, hostile, info, printed, terminal, widest};

fn infos() -> Vec<TraceInfo> {
    let mut ok = info();
    ok.state = TraceState::Ok;
    ok.execution_duration_ns = Some(53_300_000);
    ok.metadata.clear();
    let mut running = info();
    running.state = TraceState::InProgress;
    running.execution_duration_ns = None;
    running.request_preview = None;
    running.tags.clear();
    vec![info(), hostile().info, ok, running]
}

fn columns(names: &str) -> Vec<Column<Trace>> {
    names.split(',').map(column).collect()
}

fn column(name: &str) -> Column<Trace> {
    name.parse::<Named>().unwrap().in_table()
}

fn default_ones() -> Vec<Column<Trace>> {
    Named::default_ones().iter().map(Named::in_table).collect()
}

fn list(columns: &[Column<Trace>], infos: &[TraceInfo], layout: Layout) -> String {
    printed(|out| {
        let mut table = SearchTable::new(columns.to_vec(), layout);
        for info in infos {
            let (info, spans) = (info.clone(), Vec::new());
            table.push(out, &Trace { info, spans })?;
        }
        table.flush(out)
    })
}

#[test]
fn a_pipe_gets_one_complete_line_for_each() {
    assert_snapshot!(list(&default_ones(), &infos(), Layout::piped()), @r"
    TIME                  TRACE ID                             NAME                              STATE        DURATION  TOKENS  REQUEST
    2026-11-22 20:56:36Z  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                             ERROR          1.64 s   1,234  How do I get my money back?
    2026-11-22 20:56:36Z  tr-b6df45fdeeac3d7f64f3de29e167bcbd  \x1b]0;owned\x07ag\u{202e}tne\nx  ERROR          1.64 s   1,234  日本語の質問です。とても長いので切れます。👩‍👩‍👧‍👦 é\t\u{9b}31m
    2026-11-22 20:56:36Z  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                             OK            53.3 ms       -  How do I get my money back?
    2026-11-22 20:56:36Z  tr-b6df45fdeeac3d7f64f3de29e167bcbd  -                                 IN_PROGRESS         -   1,234  -
    ");
}

#[test]
fn forty_columns_get_blocks() {
    assert_snapshot!(list(&default_ones(), &infos(), terminal(40)), @r"
    tr-b6df45fdeeac3d7f64f3de29e167bcbd
      2026-11-22 20:56:36Z  agent  ERROR
      1.64 s  tokens 1,234
      How do I get my money back?

    tr-b6df45fdeeac3d7f64f3de29e167bcbd
      2026-11-22 20:56:36Z
      \x1b]0;owned\x07ag\u{202e}tne\nx
      ERROR  1.64 s  tokens 1,234
      日本語の質問です。とても長いので切れ…

    tr-b6df45fdeeac3d7f64f3de29e167bcbd
      2026-11-22 20:56:36Z  agent  OK
      53.3 ms
      How do I get my money back?

    tr-b6df45fdeeac3d7f64f3de29e167bcbd
      2026-11-22 20:56:36Z  IN_PROGRESS
      tokens 1,234
    ");
}

#[test]
fn eighty_columns_get_one_line_for_each() {
    assert_snapshot!(list(&default_ones(), &infos(), terminal(80)), @r"
    TIME               TRACE ID     NAME             DURATION  TOKENS  REQUEST
    2026-11-22 20:56Z  tr-b6df45fd  agent         ✗    1.64 s   1,234  How do I get…
    2026-11-22 20:56Z  tr-b6df45fd  \x1b]0;owne…  ✗    1.64 s   1,234  日本語の質問…
    2026-11-22 20:56Z  tr-b6df45fd  agent         ✓   53.3 ms       -  How do I get…
    2026-11-22 20:56Z  tr-b6df45fd  -             …         -   1,234  -
    ");
}

#[test]
fn previews_shrink_first() {
    assert_snapshot!(list(&default_ones(), &infos(), terminal(130)), @r"
    TIME                  TRACE ID     NAME                              STATE        DURATION  TOKENS  REQUEST
    2026-11-22 20:56:36Z  tr-b6df45fd  agent                             ERROR          1.64 s   1,234  How do I get my money back?
    2026-11-22 20:56:36Z  tr-b6df45fd  \x1b]0;owned\x07ag\u{202e}tne\nx  ERROR          1.64 s   1,234  日本語の質問です。とても長い…
    2026-11-22 20:56:36Z  tr-b6df45fd  agent                             OK            53.3 ms       -  How do I get my money back?
    2026-11-22 20:56:36Z  tr-b6df45fd  -                                 IN_PROGRESS         -   1,234  -
    ");
    assert_snapshot!(list(&default_ones(), &infos(), terminal(200)), @r"
    TIME                  TRACE ID                             NAME                              STATE        DURATION  TOKENS  REQUEST
    2026-11-22 20:56:36Z  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                             ERROR          1.64 s   1,234  How do I get my money back?
    2026-11-22 20:56:36Z  tr-b6df45fdeeac3d7f64f3de29e167bcbd  \x1b]0;owned\x07ag\u{202e}tne\nx  ERROR          1.64 s   1,234  日本語の質問です。とても長いので切れます。👩‍👩‍👧‍👦 é\t\u{9b}31m
    2026-11-22 20:56:36Z  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                             OK            53.3 ms       -  How do I get my money back?
    2026-11-22 20:56:36Z  tr-b6df45fdeeac3d7f64f3de29e167bcbd  -                                 IN_PROGRESS         -   1,234  -
    ");
}

#[test]
fn colour_tells_states_apart() {
    assert_snapshot!(list(&columns("state,name"), &infos(), coloured(terminal(80))), @r"
    ␛[1mSTATE␛[0m        ␛[1mNAME␛[0m
    ␛[31mERROR␛[0m        agent
    ␛[31mERROR␛[0m        \x1b]0;owned\x07ag\u{202e}tne\nx
    OK           agent
    ␛[35mIN_PROGRESS␛[0m  ␛[2m-␛[0m
    ");
}

#[test]
fn the_duration_of_a_trace_in_progress_is_a_lower_bound() {
    let mut running = info();
    running.state = TraceState::InProgress;
    running.execution_duration_ns = Some(1_000_000);
    let chosen = columns("trace_id,state,duration");
    let listed = |layout| list(&chosen, std::slice::from_ref(&running), layout);
    assert_snapshot!(listed(Layout::piped()), @"
    TRACE ID                             STATE        DURATION
    tr-b6df45fdeeac3d7f64f3de29e167bcbd  IN_PROGRESS   >= 1 ms
    ");
    assert_snapshot!(listed(terminal(40)), @r"
    TRACE ID     STATE        DURATION
    tr-b6df45fd  IN_PROGRESS   >= 1 ms
    ");
    assert_eq!(
        columns("duration")[0]
            .value(&Trace {
                info: running.clone(),
                spans: Vec::new()
            })
            .raw(),
        "1000000"
    );
}

#[test]
fn any_column_can_be_shown() {
    let columns: Vec<Column<Trace>> = [
        "name",
        "tags.env",
        "metadata.mlflow.trace.user",
        "assessments",
        "cost",
        "spans",
    ]
    .map(column)
    .to_vec();
    assert_snapshot!(list(&columns, &infos()[..2], Layout::piped()), @r#"
    NAME                              ENV   USER  ASSESSMENTS         COST  SPANS
    agent                             prod  anna  correctness=0.8  $0.0123      -
    \x1b]0;owned\x07ag\u{202e}tne\nx  prod  anna  correctness=0.8  $0.0123      -
    "#);
}

#[test]
fn sixty_columns_get_two_lines_for_each() {
    assert_snapshot!(list(&default_ones(), &infos(), terminal(60)), @r"
    TIME                  TRACE ID        DURATION  TOKENS
      NAME                              REQUEST
    2026-11-22 20:56:36Z  tr-b6df45fd  ✗    1.64 s   1,234
      agent                             How do I get my money b…
    2026-11-22 20:56:36Z  tr-b6df45fd  ✗    1.64 s   1,234
      \x1b]0;owned\x07ag\u{202e}tne\nx  日本語の質問です。とて…
    2026-11-22 20:56:36Z  tr-b6df45fd  ✓   53.3 ms       -
      agent                             How do I get my money b…
    2026-11-22 20:56:36Z  tr-b6df45fd  …         -   1,234
      -                                 -
    ");
}

#[test]
fn a_hundred_columns_have_words_for_states() {
    let few = [infos().remove(0), infos().remove(2)];
    assert_snapshot!(list(&default_ones(), &few, terminal(100)), @r"
    TIME                  TRACE ID     NAME   STATE  DURATION  TOKENS  REQUEST
    2026-11-22 20:56:36Z  tr-b6df45fd  agent  ERROR    1.64 s   1,234  How do I get my money back?
    2026-11-22 20:56:36Z  tr-b6df45fd  agent  OK      53.3 ms       -  How do I get my money back?
    ");
}

#[test]
fn lines_fit_and_ids_are_there() {
    let id = "tr-b6df45fd";
    for width in (38..220).step_by(3) {
        let text = list(&default_ones(), &infos(), terminal(width));
        assert!(widest(&text) <= width, "{width}:\n{text}");
        assert_eq!(text.matches(id).count(), 4);
    }
}

#[test]
fn pages_do_not_show() {
    let many: Vec<TraceInfo> = infos().into_iter().cycle().take(1000).collect();
    let text = list(&default_ones(), &many, Layout::piped());
    assert_eq!(text.lines().count(), 1001);
    let starts: Vec<usize> = text
        .lines()
        .map(|l| l.find("ERROR").or(l.find("STATE")).unwrap_or(58))
        .collect();
    assert!(starts[1..].chunks(4).all(|chunk| chunk == &starts[1..5]));
}

#[test]
fn nothing_found_prints_nothing() {
    assert_eq!(list(&default_ones(), &[], terminal(80)), "");
}
