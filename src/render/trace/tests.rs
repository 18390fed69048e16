//! Pages about whole traces, as they look at several widths.

use insta::assert_snapshot;

use super::*;
use crate::analysis::analyse;
use crate::model::{SpanId, Trace};
use crate::render::Glyphs;
use crate::render::sample::{
    chain, coloured, hostile, info, printed, span, terminal, trace, widest,
};

fn page(trace: &Trace, options: &TraceOptions, layout: &Layout) -> String {
    let report = analyse(trace);
    printed(|out| write(out, &report, options, layout).map(drop))
}

/// The page without the summary.
fn spans(trace: &Trace, options: &TraceOptions, layout: &Layout) -> String {
    let page = page(trace, options, layout);
    let start = page.find("SPAN ").unwrap_or(0);
    page[start..].to_owned()
}

#[test]
fn a_pipe_gets_everything() {
    assert_snapshot!(page(&trace(), &TraceOptions::default(), &Layout::piped()), @r#"
    agent  ✗ ERROR  1.64 s
    tr-b6df45fdeeac3d7f64f3de29e167bcbd

    started     2026-11-22 20:56:36.791Z
    spans       7, 1 failed
    tokens      1,234 (1,180 in, 54 out)
    cost        $0.0123
    experiment  1
    session     s-1
    user        anna
    request     How do I get my money back?
    response    You can return it within 30 days.
    tags        env=prod
                team=search

    ASSESSMENTS
    correctness  0.8  LLM_JUDGE, gpt-5
      The answer names the right period but says nothing about the condition of the goods.

    SPAN                TYPE        STATUS    START  DURATION      %  TOKENS  SPAN ID           TIMELINE
    agent               AGENT       OK          0 s    1.64 s  100.0       -  00000000000000a1  ████████████████████████
    ├─ retrieve         RETRIEVER   OK      12.0 ms    298 ms   18.2       -  00000000000000a2  ████▌
    │  ├─ embed         EMBEDDING   OK      13.0 ms   53.0 ms    3.2       -  00000000000000a5  ▊
    │  └─ search index  UNKNOWN     OK      66.0 ms    243 ms   14.8       -  00000000000000a6   ███▌
    ├─ ✗ lookup_order   TOOL        ERROR    320 ms    370 ms   22.6       -  00000000000000a3      ▒▒▒▒▒▒
    │     TimeoutError: the order service did not answer
    └─ chat             CHAT_MODEL  OK       700 ms    930 ms   56.7   1,234  00000000000000a4            █████████████▉
       └─ stream        TASK        OK       1.63 s   1.00 ms   <0.1       -  00000000000000a7                         ▏
    "#);
}

#[test]
fn forty_columns_keep_names_and_durations() {
    assert_snapshot!(page(&trace(), &TraceOptions::default(), &terminal(40)), @r#"
    agent  ✗ ERROR  1.64 s
    tr-b6df45fdeeac3d7f64f3de29e167bcbd

    started     2026-11-22 20:56:36Z
    spans       7, 1 failed
    tokens      1,234 (1,180 in, 54 out)
    cost        $0.0123
    experiment  1
    session     s-1
    user        anna
    request     How do I get my money back?
    response    You can return it within 30…
    tags        env=prod
                team=search

    ASSESSMENTS
    correctness  0.8  LLM_JUDGE, gpt-5
      The answer names the right period but
      says nothing about the condition of
      the goods.

    SPAN                DURATION      %
    agent                 1.64 s  100.0
    ├─ retrieve           298 ms   18.2
    │  ├─ embed          53.0 ms    3.2
    │  └─ search index    243 ms   14.8
    ├─ ✗ lookup_order     370 ms   22.6
    │     TimeoutError: the order service d…
    └─ chat               930 ms   56.7
       └─ stream         1.00 ms   <0.1
    "#);
}

#[test]
fn eighty_columns_have_room_for_bars() {
    assert_snapshot!(spans(&trace(), &TraceOptions::default(), &terminal(80)), @r#"
    SPAN                TYPE          START  DURATION      %  TOKENS  TIMELINE
    agent               AGENT           0 s    1.64 s  100.0       -  ██████████████
    ├─ retrieve         RETRIEVER   12.0 ms    298 ms   18.2       -  ██▋
    │  ├─ embed         EMBEDDING   13.0 ms   53.0 ms    3.2       -  ▌
    │  └─ search index  UNKNOWN     66.0 ms    243 ms   14.8       -  ▐█▋
    ├─ ✗ lookup_order   TOOL         320 ms    370 ms   22.6       -    ▒▒▒▒
    │     TimeoutError: the order service did not answer
    └─ chat             CHAT_MODEL   700 ms    930 ms   56.7   1,234        ███████▉
       └─ stream        TASK         1.63 s   1.00 ms   <0.1       -               ▏
    "#);
}

#[test]
fn wide_terminals_show_span_ids() {
    assert_snapshot!(spans(&trace(), &TraceOptions::default(), &terminal(160)), @r#"
    SPAN                TYPE        STATUS    START  DURATION      %  TOKENS  SPAN ID           TIMELINE
    agent               AGENT       OK          0 s    1.64 s  100.0       -  00000000000000a1  ████████████████████████████████████████████████████████████████████
    ├─ retrieve         RETRIEVER   OK      12.0 ms    298 ms   18.2       -  00000000000000a2  ▐███████████▉
    │  ├─ embed         EMBEDDING   OK      13.0 ms   53.0 ms    3.2       -  00000000000000a5  ▐█▊
    │  └─ search index  UNKNOWN     OK      66.0 ms    243 ms   14.8       -  00000000000000a6    ▐█████████▊
    ├─ ✗ lookup_order   TOOL        ERROR    320 ms    370 ms   22.6       -  00000000000000a3               ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    │     TimeoutError: the order service did not answer
    └─ chat             CHAT_MODEL  OK       700 ms    930 ms   56.7   1,234  00000000000000a4                               ██████████████████████████████████████▋
       └─ stream        TASK        OK       1.63 s   1.00 ms   <0.1       -  00000000000000a7                                                                     ▏
    "#);
}

#[test]
fn hostile_names_and_odd_places_are_marked() {
    assert_snapshot!(page(&hostile(), &TraceOptions::default(), &terminal(110)), @r#"
    \x1b]0;owned\x07ag\u{202e}tne\nx  ✗ ERROR  1.64 s
    tr-b6df45fdeeac3d7f64f3de29e167bcbd

    started     2026-11-22 20:56:36.791Z
    spans       10, 1 failed
    tokens      1,234 (1,180 in, 54 out)
    cost        $0.0123
    experiment  1
    session     s-1
    user        anna
    request     日本語の質問です。とても長いので切れます。👩‍👩‍👧‍👦 é\t\u{9b}31m
    response    You can return it within 30 days.
    tags        env=prod
                k\u{200b}ey=v\r\nX
                team=search

    ASSESSMENTS
    correctness  0.8  LLM_JUDGE, gpt-5
      The answer names the right period but says nothing about the condition of the goods.

    SPAN                         TYPE        STATUS         START   DURATION      %  TOKENS  TIMELINE
    agent                        AGENT       OK               0 s     1.64 s  100.0       -  █████████████████████
    ├─ 検索サービス\x1b[31m      RETRIEVER   OK           12.0 ms     298 ms   18.2       -  ████
    │  ├─ embed                  EMBEDDING   OK           13.0 ms    53.0 ms    3.2       -  ▊
    │  ├─ search index           UNKNOWN     OK           66.0 ms     243 ms   14.8       -  ▐███
    │  └─ background (detached)  TASK        OK            1.00 s     200 ms   12.2       -              ▐██▍
    ├─ ✗ lookup_order            TOOL        ERROR         320 ms     370 ms   22.6       -      ▒▒▒▒▒
    │     TimeoutError: the order service did not answer
    ├─ chat                      CHAT_MODEL  OK            700 ms     930 ms   56.7   1,234           ███████████▉
    │  └─ stream                 TASK        OK            1.63 s    1.00 ms   <0.1       -                      ▏
    └─ still running             LLM         IN_PROGRESS   900 ms  >= 740 ms   45.1       -             ░░░░░░░░░░
    lost \u{2066}child (orphan)  LLM         OK            100 ms     100 ms    6.1       -   █▌
    "#);
}

#[test]
fn colour_changes_no_column() {
    let plain = page(&hostile(), &TraceOptions::default(), &terminal(100));
    let colours = page(
        &hostile(),
        &TraceOptions::default(),
        &coloured(terminal(100)),
    );
    assert_ne!(plain, colours);
    let stripped = anstream::adapter::strip_str(&colours.replace('␛', "\x1b")).to_string();
    assert_eq!(stripped, plain);
    let failed: Vec<&str> = colours.lines().filter(|line| line.contains('✗')).collect();
    assert_snapshot!(failed.join("\n"), @r"
    ␛[1m\x1b]0;owned\x07ag\u{202e}tne\nx␛[0m  ␛[31m✗ ERROR␛[0m  ␛[1m1.64 s␛[0m
    ␛[2m├─ ␛[0m␛[31m✗ lookup_order␛[0m          TOOL        ␛[31mERROR␛[0m         320 ms     370 ms   22.6       ␛[2m-␛[0m    ␛[31m▒▒▒▒␛[0m
    ");
}

#[test]
fn ascii_needs_no_box_drawing() {
    let layout = Layout {
        glyphs: Glyphs::Ascii,
        ..terminal(80)
    };
    assert_snapshot!(spans(&trace(), &TraceOptions::default(), &layout), @r#"
    SPAN                TYPE          START  DURATION      %  TOKENS  TIMELINE
    agent               AGENT           0 s    1.64 s  100.0       -  ==============
    |- retrieve         RETRIEVER   12.0 ms    298 ms   18.2       -  ===
    |  |- embed         EMBEDDING   13.0 ms   53.0 ms    3.2       -  =
    |  `- search index  UNKNOWN     66.0 ms    243 ms   14.8       -  ===
    |- x lookup_order   TOOL         320 ms    370 ms   22.6       -    !!!!
    |     TimeoutError: the order service did not answer
    `- chat             CHAT_MODEL   700 ms    930 ms   56.7   1,234        ========
       `- stream        TASK         1.63 s   1.00 ms   <0.1       -               =
    "#);
}

#[test]
fn inputs_and_outputs_stand_below_their_span() {
    let options = TraceOptions {
        io: true,
        max_chars: Some(120),
        ..TraceOptions::default()
    };
    assert_snapshot!(spans(&trace(), &options, &terminal(80)), @r#"
    SPAN                TYPE          START  DURATION      %  TOKENS  TIMELINE
    agent               AGENT           0 s    1.64 s  100.0       -  ██████████████
    │  inputs   {"question": "How do I get my money back?"}
    ├─ retrieve         RETRIEVER   12.0 ms    298 ms   18.2       -  ██▋
    │  ├─ embed         EMBEDDING   13.0 ms   53.0 ms    3.2       -  ▌
    │  └─ search index  UNKNOWN     66.0 ms    243 ms   14.8       -  ▐█▋
    ├─ ✗ lookup_order   TOOL         320 ms    370 ms   22.6       -    ▒▒▒▒
    │     TimeoutError: the order service did not answer
    │     inputs   {"order": 12345}
    └─ chat             CHAT_MODEL   700 ms    930 ms   56.7   1,234        ███████▉
       │  inputs
       │    {
       │      "messages": [
       │        {
       │          "role": "system",
       │          "content": "You are a helpful assistant of a shop for shoes."
       │        },
       │    … 63 more characters
       │  outputs
       │    You can return it
       │    within 30 days.
       └─ stream        TASK         1.63 s   1.00 ms   <0.1       -               ▏
    "#);
}

#[test]
fn filters_keep_the_way_to_what_they_find() {
    let errors = TraceOptions {
        errors_only: true,
        ..TraceOptions::default()
    };
    assert_snapshot!(spans(&trace(), &errors, &terminal(80)), @r#"
    SPAN               TYPE   STATUS   START  DURATION      %  TIMELINE
    agent              AGENT  OK         0 s    1.64 s  100.0  █████████████████████
    └─ ✗ lookup_order  TOOL   ERROR   320 ms    370 ms   22.6      ▒▒▒▒▒
          TimeoutError: the order service did not answer

    2 of 7 spans shown: the matching ones and what they are part of.
    "#);
    let types = TraceOptions {
        types: vec!["embedding".into()],
        ..TraceOptions::default()
    };
    assert_snapshot!(spans(&trace(), &types, &terminal(80)), @r#"
    SPAN         TYPE       STATUS    START  DURATION      %  TIMELINE
    agent        AGENT      OK          0 s    1.64 s  100.0  ██████████████████████
    └─ retrieve  RETRIEVER  OK      12.0 ms    298 ms   18.2  ████▏
       └─ embed  EMBEDDING  OK      13.0 ms   53.0 ms    3.2  ▊

    3 of 7 spans shown: the matching ones and what they are part of.
    "#);
    let none = TraceOptions {
        types: vec!["NOPE".into()],
        ..TraceOptions::default()
    };
    let page = page(&trace(), &none, &terminal(80));
    let kinds = "AGENT, CHAT_MODEL, EMBEDDING, RETRIEVER, TASK, TOOL, UNKNOWN";
    assert!(
        page.ends_with(&format!(
            "No span matches (7 spans in the trace: {kinds}).\n"
        )),
        "{page}"
    );
}

#[test]
fn a_limit_of_depth_counts_what_it_hides() {
    let options = TraceOptions {
        max_depth: Some(2),
        ..TraceOptions::default()
    };
    assert_snapshot!(spans(&trace(), &options, &terminal(80)), @r#"
    SPAN               TYPE          START  DURATION      %  TOKENS  TIMELINE
    agent              AGENT           0 s    1.64 s  100.0       -  ███████████████
    ├─ retrieve        RETRIEVER   12.0 ms    298 ms   18.2       -  ██▉
    │  └─ … 2 spans below
    ├─ ✗ lookup_order  TOOL         320 ms    370 ms   22.6       -    ▒▒▒▒
    │     TimeoutError: the order service did not answer
    └─ chat            CHAT_MODEL   700 ms    930 ms   56.7   1,234        ████████▉
       └─ … 1 span below

    4 of 7 spans shown.
    "#);
}

#[test]
fn deep_chains_stay_on_the_page() {
    let page = spans(&chain(120), &TraceOptions::default(), &terminal(60));
    assert!(widest(&page) <= 60, "{page}");
    let ends: Vec<&str> = page
        .lines()
        .filter(|l| l.contains("step 7 ") || l.contains("step 119 "))
        .collect();
    assert_snapshot!(ends.join("\n"), @r#"
    ⋯5       └─ step 7    CHAIN    226 ms   94.2  █████████████▋
    ⋯117     └─ step 119  CHAIN   2.00 ms    0.8         ▏
    "#);
}

#[test]
fn many_roots_are_a_flat_list() {
    let roots = (0..400).map(|at| span(&format!("{:016x}", at + 1), "", "job", "TASK", at, at + 5));
    let trace = Trace {
        info: crate::model::TraceInfo::new("tr-1"),
        spans: roots.collect(),
    };
    let page = page(&trace, &TraceOptions::default(), &terminal(80));
    assert!(page.contains("duration  404 ms from first start to last end"));
    assert_eq!(
        page.lines().filter(|line| line.starts_with("job ")).count(),
        400
    );
    assert!(widest(&page) <= 80);
}

#[test]
fn a_trace_without_spans_says_so() {
    let trace = Trace {
        info: info(),
        spans: Vec::new(),
    };
    let page = page(&trace, &TraceOptions::default(), &Layout::piped());
    assert!(page.ends_with("\nThis trace has no spans.\n"));
    let unknown =
        printed(|out| write_info(out, &crate::model::TraceInfo::new("tr-1"), &Layout::piped()));
    assert_snapshot!(unknown, @r#"
    (no name)
    tr-1
    "#);
    let mut running = info();
    running.state = crate::model::TraceState::InProgress;
    let title = printed(|out| write_info(out, &running, &Layout::piped()));
    assert!(
        title.starts_with("agent  IN_PROGRESS  >= 1.64 s\n"),
        "{title}"
    );
    running.execution_duration_ns = Some(72_000_000);
    let title = printed(|out| write_info(out, &running, &Layout::piped()));
    assert!(
        title.starts_with("agent  IN_PROGRESS  >= 72 ms\n"),
        "{title}"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in (40..200).step_by(3) {
        for trace in [trace(), hostile(), chain(60)] {
            let page = page(&trace, &TraceOptions::default(), &terminal(width));
            assert!(widest(&page) <= width, "{width}:\n{page}");
        }
    }
}

#[test]
fn long_tables_look_like_short_ones() {
    let mut crowd = trace();
    let root = crowd.spans[0].clone();
    for at in 0..40 {
        let mut span = root.clone();
        span.span_id = SpanId::new(format!("{at:016x}"));
        span.start_ns += at;
        span.parent_id = (at % 3 > 0).then(|| SpanId::new(format!("{:016x}", at / 2)));
        crowd.spans.push(span);
    }
    for trace in [trace(), hostile(), chain(60), crowd] {
        let report = analyse(&trace);
        for options in [
            TraceOptions::default(),
            TraceOptions {
                io: true,
                max_depth: Some(2),
                ..TraceOptions::default()
            },
            TraceOptions {
                errors_only: true,
                ..TraceOptions::default()
            },
        ] {
            for layout in [
                Layout::piped(),
                terminal(40),
                coloured(terminal(100)),
                coloured(Layout::piped()),
            ] {
                let page = Page {
                    report: &report,
                    options: &options,
                    layout: &layout,
                    selection: Selection::new(&report.tree, options.max_depth, |id, _| {
                        options.wants(report.span(id))
                    }),
                };
                let lines = |block, most| printed(|out| page.write(out, block, most).map(drop));
                let short = lines(BLOCK, usize::MAX);
                assert_eq!(lines(BLOCK, 0), short);
                assert_eq!(lines(3, 0), short);
                assert_eq!(lines(1, usize::MAX).lines().count(), short.lines().count());
            }
        }
    }
}
