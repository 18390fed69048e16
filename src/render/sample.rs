//! Traces to render in tests.

use std::io::{self, Write};

use serde_json::{Map, json};

use super::{Layout, Style};
use crate::text::Sheet;

use crate::model::{
    Assessment, AssessmentKind, Event, Link, Source, Span, SpanId, StatusCode, Timestamp, Trace,
    TraceInfo, TraceState, metadata, tag,
};

/// 2026-11-22 20:56:36.791 UTC.
pub(crate) const START_NS: i64 = 1_795_380_996_791_000_000;

/// A span by id, parent, name and type, with its times in milliseconds since the start.
pub(crate) fn span(
    id: &str,
    parent: &str,
    name: &str,
    kind: &str,
    start_ms: i64,
    end_ms: i64,
) -> Span {
    let at = |ms: i64| START_NS + ms * 1_000_000;
    Span {
        span_id: SpanId::new(id),
        parent_id: (!parent.is_empty()).then(|| SpanId::new(parent)),
        trace_id: "b6df45fdeeac3d7f64f3de29e167bcbd".into(),
        name: name.into(),
        start_ns: at(start_ms),
        end_ns: (end_ms >= 0).then(|| at(end_ms)),
        status: StatusCode::Ok,
        status_message: String::new(),
        attributes: vec![("mlflow.spanType".into(), format!("{kind:?}"))],
        events: Vec::new(),
        links: Vec::new(),
        kind: None,
    }
}

pub(crate) fn with(mut span: Span, key: &str, json: &str) -> Span {
    span.attributes.push((key.into(), json.into()));
    span
}

pub(crate) fn failed(mut span: Span, message: &str) -> Span {
    let (kind, text) = message.split_once(": ").unwrap_or(("Exception", message));
    let mut attributes = Map::new();
    attributes.insert("exception.type".into(), json!(kind));
    attributes.insert("exception.message".into(), json!(text));
    attributes.insert(
        "exception.stacktrace".into(),
        json!(format!("Traceback (most recent call last):\n  File \"tools.py\", line 12, in call\n    raise {kind}\n{message}\n")),
    );
    span.events.push(Event {
        name: "exception".into(),
        time_ns: span.start_ns + 1_000_000,
        attributes,
    });
    span.status = StatusCode::Error;
    span.status_message = message.into();
    span
}

pub(crate) fn info() -> TraceInfo {
    let mut info = TraceInfo::new("tr-b6df45fdeeac3d7f64f3de29e167bcbd");
    info.experiment_id = Some("1".into());
    info.request_time = Some(Timestamp::from_nanos(START_NS));
    info.execution_duration_ns = Some(1_640_000_000);
    info.state = TraceState::Error;
    info.request_preview = Some(r#"{"question": "How do I get my money back?"}"#.into());
    info.response_preview = Some(r#""You can return it within 30 days.""#.into());
    let metadata = [
        (metadata::SESSION, "s-1"),
        (metadata::USER, "anna"),
        (
            metadata::TOKEN_USAGE,
            r#"{"input_tokens": 1180, "output_tokens": 54, "total_tokens": 1234}"#,
        ),
        (metadata::COST, r#"{"total_cost": 0.0123}"#),
    ];
    info.metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let tags = [
        (tag::NAME, "agent"),
        (tag::SPANS_LOCATION, "TRACKING_STORE"),
        ("env", "prod"),
        ("team", "search"),
    ];
    info.tags = tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    info.assessments = vec![Assessment {
        id: Some("a-1".into()),
        name: "correctness".into(),
        span_id: None,
        source: Source {
            kind: "LLM_JUDGE".into(),
            id: Some("gpt-5".into()),
        },
        create_time: None,
        last_update_time: None,
        kind: AssessmentKind::Feedback {
            value: json!(0.8),
            error: None,
        },
        rationale: Some(
            "The answer names the right period but says nothing about the condition of the goods."
                .into(),
        ),
        metadata: std::collections::BTreeMap::new(),
        overrides: None,
        valid: true,
    }];
    info
}

/// An agent that retrieves, calls a tool that fails, and asks a model.
pub(crate) fn trace() -> Trace {
    let usage = r#"{"input_tokens": 1180, "output_tokens": 54, "total_tokens": 1234}"#;
    let llm = with(
        span(
            "00000000000000a4",
            "00000000000000a1",
            "chat",
            "CHAT_MODEL",
            700,
            1630,
        ),
        "mlflow.chat.tokenUsage",
        usage,
    );
    let llm = with(
        llm,
        "mlflow.spanInputs",
        r#"{"messages": [{"role": "system", "content": "You are a helpful assistant of a shop for shoes."}, {"role": "user", "content": "How do I get my money back?"}]}"#,
    );
    let llm = with(
        llm,
        "mlflow.spanOutputs",
        r#""You can return it\nwithin 30 days.""#,
    );
    let mut tool = failed(
        span(
            "00000000000000a3",
            "00000000000000a1",
            "lookup_order",
            "TOOL",
            320,
            690,
        ),
        "TimeoutError: the order service did not answer",
    );
    tool.links.push(Link {
        trace_id: "tr-77".into(),
        span_id: SpanId::new("00000000000000b1"),
        attributes: Map::new(),
    });
    Trace {
        info: info(),
        spans: vec![
            with(
                span("00000000000000a1", "", "agent", "AGENT", 0, 1640),
                "mlflow.spanInputs",
                r#"{"question": "How do I get my money back?"}"#,
            ),
            span(
                "00000000000000a2",
                "00000000000000a1",
                "retrieve",
                "RETRIEVER",
                12,
                310,
            ),
            span(
                "00000000000000a5",
                "00000000000000a2",
                "embed",
                "EMBEDDING",
                13,
                66,
            ),
            span(
                "00000000000000a6",
                "00000000000000a2",
                "search index",
                "UNKNOWN",
                66,
                309,
            ),
            with(tool, "mlflow.spanInputs", r#"{"order": 12345}"#),
            llm,
            span(
                "00000000000000a7",
                "00000000000000a4",
                "stream",
                "TASK",
                1629,
                1630,
            ),
        ],
    }
}

/// What a hostile or broken source may send.
pub(crate) fn hostile() -> Trace {
    let mut trace = trace();
    trace
        .info
        .tags
        .insert(tag::NAME.into(), "\x1b]0;owned\x07ag\u{202e}tne\nx".into());
    trace.info.request_preview =
        Some("日本語の質問です。とても長いので切れます。👩‍👩‍👧‍👦 e\u{301}\t\u{9b}31m".into());
    trace
        .info
        .tags
        .insert("k\u{200b}ey".into(), "v\r\nX".into());
    trace.spans[1].name = "検索サービス\x1b[31m".into();
    trace.spans.push(span(
        "00000000000000c1",
        "0000000000000fff",
        "lost \u{2066}child",
        "LLM",
        100,
        200,
    ));
    trace.spans.push(span(
        "00000000000000c2",
        "00000000000000a2",
        "background",
        "TASK",
        1000,
        1200,
    ));
    let mut running = span(
        "00000000000000c3",
        "00000000000000a1",
        "still running",
        "LLM",
        900,
        -1,
    );
    running.status = StatusCode::Unset;
    trace.spans.push(running);
    trace
}

/// A chain of so many spans, each in the one before.
pub(crate) fn chain(length: i64) -> Trace {
    let spans = (0..length).map(|at| {
        let parent = if at == 0 {
            String::new()
        } else {
            format!("{at:016x}")
        };
        span(
            &format!("{:016x}", at + 1),
            &parent,
            &format!("step {at}"),
            "CHAIN",
            at,
            2 * length - at,
        )
    });
    let mut trace = Trace {
        info: TraceInfo::new("tr-1"),
        spans: spans.collect(),
    };
    trace.info.state = TraceState::Ok;
    trace
}

/// A terminal of that width without colour, times in UTC.
pub(crate) fn terminal(width: usize) -> Layout {
    Layout {
        width: Some(width),
        ..Layout::piped()
    }
}

/// With colour, for which escape characters are made visible by [`printed`].
pub(crate) fn coloured(layout: Layout) -> Layout {
    Layout {
        style: Style::coloured(),
        ..layout
    }
}

/// What a printer prints, with escape characters as `␛`.
pub(crate) fn printed(print: impl FnOnce(&mut Sheet<'_>) -> io::Result<()>) -> String {
    visible(Sheet::kept(print).unwrap().as_str())
}

/// The same for a format for machines.
pub(crate) fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    visible(&String::from_utf8(out).unwrap())
}

fn visible(text: &str) -> String {
    // One accent stands alone in the samples; composed, it keeps the sources in one normal form.
    text.replace('\x1b', "␛").replace("e\u{301}", "é")
}

/// The widest line.
pub(crate) fn widest(text: &str) -> usize {
    text.lines().map(super::text::width).max().unwrap_or(0)
}
