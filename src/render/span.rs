//! One span in full: nothing of it is left out or cut, except on request.

use std::io;

use serde_json::{Map, Value};

use super::cell::Cell;
use super::fields::Fields;
use super::summary::at_least;
use super::{Layout, payload, trace, usage};
use crate::analysis::{LatencyReport, NodeId};
use crate::model::{Event, Span, StatusCode, Timestamp, attribute};
use crate::text::{Clean, Sheet};
use crate::units;

/// How the inputs, outputs and attributes of a span are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpanOptions {
    /// Cut each of them to so many characters; `None` for all of it.
    pub max_chars: Option<usize>,
    /// As they are recorded, not as they are best read.
    pub raw: bool,
}

impl SpanOptions {
    const fn form(self) -> payload::Form {
        payload::Form::of(self.raw)
    }
}

/// Writes everything about one span.
pub fn write(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    id: NodeId,
    options: SpanOptions,
    layout: &Layout,
) -> io::Result<()> {
    let span = report.span(id);
    write_head(out, report, id, layout)?;
    for (title, value) in [("INPUTS", span.inputs()), ("OUTPUTS", span.outputs())] {
        if let Some(value) = value {
            write_section(out, title, layout)?;
            write_payload(out, value, options, layout)?;
        }
    }
    write_attributes(out, span, options, layout)?;
    write_events(out, report, span, layout)?;
    write_links(out, span, layout)
}

fn write_head(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    id: NodeId,
    layout: &Layout,
) -> io::Result<()> {
    let (span, node, style) = (report.span(id), report.tree.node(id), layout.style);
    let name = crate::text::named(&span.name);
    let mark = match span.status {
        StatusCode::Error => layout.glyphs.pick("✗ ", "x "),
        _ => "",
    };
    let title = Cell::new(style.title(), name)
        .and(style.text(), "  ")
        .and(style.span_type(&span.span_type()), span.span_type())
        .and(style.text(), "  ")
        .and(
            style.status(span.status),
            format!("{mark}{}", trace::status(span, node, layout).1),
        )
        .and(style.text(), "  ")
        .and(
            style.title(),
            at_least(node.duration_ns(), node.in_progress),
        );
    out.line(title)?;

    let mut fields = Fields::new(layout);
    fields.add_id("span id", span.span_id.as_str());
    fields.add_id("trace id", &report.trace.info.trace_id);
    match (&span.parent_id, node.parent) {
        (_, Some(parent)) => {
            let parent = report.span(parent);
            let cell = Cell::new(style.id(), parent.span_id.as_str());
            fields.add(
                "parent",
                cell.and(style.muted(), format!("  {}", parent.name)),
            );
        }
        (Some(parent), None) => {
            let cell = Cell::new(style.id(), parent.as_str());
            let what = trace::place_mark(node).map_or("", |mark| match mark {
                "orphan" => "  not in the trace",
                _ => "  the edge closed a cycle and was cut",
            });
            fields.add("parent", cell.and(style.warning(), what));
        }
        (None, None) => {}
    }
    if node.detached {
        fields.add(
            "note",
            Cell::new(
                style.warning(),
                "detached: it ran outside its parent's time",
            ),
        );
    }
    let time = |ns: i64| units::time_with_nanos(Timestamp::from_nanos(ns), layout.zone);
    fields.add_whole("started", time(span.start_ns));
    match span.end_ns.filter(|_| !node.in_progress) {
        Some(end) => fields.add_whole("ended", time(end)),
        None => fields.add("ended", Cell::new(style.in_progress(), "still in progress")),
    }
    fields.add_text(
        "offset",
        Some(units::duration(report.tree.start_offset_ns(id))),
    );
    fields.add("duration", with_share(node.duration_ns(), report, layout));
    fields.add("self time", with_share(report.self_ns(id), report, layout));
    fields.add(
        "critical path",
        with_share(report.critical_ns(id), report, layout),
    );
    fields.add_text("model", span.model());
    fields.add_text("tokens", report.tokens(id).and_then(|t| usage::usage(&t)));
    fields.add_text(
        "cost",
        report.cost(id).and_then(|c| c.total()).map(units::cost),
    );
    fields.write(out)?;
    if !span.status_message.is_empty() {
        write_section(out, "STATUS", layout)?;
        write_block(out, &span.status_message, style.status(span.status))?;
    }
    Ok(())
}

fn with_share(ns: i64, report: &LatencyReport<'_>, layout: &Layout) -> Cell {
    let cell = Cell::new(layout.style.text(), units::duration(ns));
    match units::percent(ns, report.total_ns()).as_str() {
        units::NONE => cell,
        percent => cell.and(layout.style.muted(), format!("  {percent} % of trace")),
    }
}

fn write_section(out: &mut Sheet<'_>, title: &str, layout: &Layout) -> io::Result<()> {
    out.blank()?;
    out.styled(layout.style.heading(), title)
}

fn write_payload(
    out: &mut Sheet<'_>,
    value: &str,
    options: SpanOptions,
    layout: &Layout,
) -> io::Result<()> {
    let (lines, note) = payload::limited_lines(value, options.max_chars, options.form());
    for line in in_margin(&lines, 2, layout) {
        out.line(line.indented(2).trim_end())?;
    }
    match note {
        Some(note) => out.line(Clean::blank(2).and(layout.style.muted(), note)),
        None => Ok(()),
    }
}

/// Lines that begin at a column, as wide as the terminal lets them be.
fn in_margin(lines: &[Clean], margin: usize, layout: &Layout) -> impl Iterator<Item = Clean> {
    let room = layout.width.map(|width| width.saturating_sub(margin));
    lines
        .iter()
        .flat_map(move |line| payload::wrapped(line, room))
}

/// Text in lines of its own, escaped but not cut.
fn write_block(out: &mut Sheet<'_>, block: &str, style: anstyle::Style) -> io::Result<()> {
    for line in Clean::block(block.trim_end()).lines() {
        let mut text = Clean::blank(2);
        text.push(style, &line);
        out.line(text)?;
    }
    Ok(())
}

fn write_attributes(
    out: &mut Sheet<'_>,
    span: &Span,
    options: SpanOptions,
    layout: &Layout,
) -> io::Result<()> {
    let mut others = span
        .attributes
        .iter()
        .filter(|(key, _)| key != attribute::INPUTS && key != attribute::OUTPUTS)
        .peekable();
    if others.peek().is_none() {
        return Ok(());
    }
    write_section(out, "ATTRIBUTES", layout)?;
    let mut unset = 0;
    for (key, value) in others {
        if !options.raw && payload::is_unset(value) {
            unset += 1;
        } else {
            write_pair(out, key, value, options, layout)?;
        }
    }
    match options.form().note(unset) {
        Some(note) => {
            let note = format!("… {note}");
            out.line(Clean::blank(2).and(layout.style.muted(), note))
        }
        None => Ok(()),
    }
}

/// `key  value`, with a value of several lines below its key.
fn write_pair(
    out: &mut Sheet<'_>,
    key: &str,
    value: &str,
    options: SpanOptions,
    layout: &Layout,
) -> io::Result<()> {
    let beside = 2 + Clean::line(key).width() + 2;
    let fits = |line: &Clean| {
        let end = beside + line.width();
        layout.width.is_none_or(|width| end <= width)
    };
    let muted = layout.style.muted();
    let key = Clean::blank(2).and(muted, key);
    // An attribute that is text reads better without its quotes.
    let decoded: Option<String> = serde_json::from_str(value).ok();
    let plain = decoded.filter(|text| payload::is_plain(text, options.form()));
    let (lines, note) = match plain {
        Some(text)
            if options
                .max_chars
                .is_none_or(|max| text.chars().count() <= max) =>
        {
            (vec![Clean::line(text)], None)
        }
        _ => payload::limited_lines(value, options.max_chars, options.form()),
    };
    match lines.as_slice() {
        [only] if note.is_none() && fits(only) => {
            out.line(key.then(only.clone().indented(2)).trim_end())?;
        }
        many => {
            out.line(key)?;
            for line in in_margin(many, 4, layout) {
                out.line(line.indented(4).trim_end())?;
            }
        }
    }
    match note {
        Some(note) => out.line(Clean::blank(4).and(muted, note)),
        None => Ok(()),
    }
}

fn write_events(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    span: &Span,
    layout: &Layout,
) -> io::Result<()> {
    if span.events.is_empty() {
        return Ok(());
    }
    write_section(out, "EVENTS", layout)?;
    span.events
        .iter()
        .try_for_each(|event| write_event(out, report, event, layout))
}

fn write_event(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    event: &Event,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let offset = units::duration(event.time_ns.saturating_sub(report.tree.origin_ns));
    let exception = event.name == "exception";
    let look = if exception {
        style.error()
    } else {
        style.name()
    };
    let head = Cell::new(look, &event.name).and(style.muted(), format!("  at {offset}"));
    out.line(Clean::from(head).indented(2))?;
    for (key, value) in event.ordered_attributes() {
        match value {
            Value::String(text) if exception && key == "exception.stacktrace" => {
                out.line(Clean::blank(4).and(style.muted(), key))?;
                for line in Clean::block(text.trim_end()).lines() {
                    out.line(line.indented(6))?;
                }
            }
            Value::String(text) => write_event_pair(out, key, text, layout)?,
            other => write_event_pair(out, key, &other.to_string(), layout)?,
        }
    }
    Ok(())
}

fn write_event_pair(
    out: &mut Sheet<'_>,
    key: &str,
    value: &str,
    layout: &Layout,
) -> io::Result<()> {
    let key = Clean::blank(4).and(layout.style.muted(), key);
    let mut lines = Clean::block(value).lines().into_iter();
    let first = lines.next().unwrap_or_default();
    out.line(key.then(first.indented(2)))?;
    lines.try_for_each(|line| out.line(line.indented(6)))
}

fn write_links(out: &mut Sheet<'_>, span: &Span, layout: &Layout) -> io::Result<()> {
    if span.links.is_empty() {
        return Ok(());
    }
    write_section(out, "LINKS", layout)?;
    for link in &span.links {
        let style = layout.style;
        let line = Clean::blank(2)
            .and(style.muted(), "trace ")
            .and(style.id(), &link.trace_id)
            .and(style.muted(), "  span ")
            .and(style.id(), link.span_id.as_str());
        out.line(line.then(attributes_in_line(&link.attributes)))?;
    }
    Ok(())
}

fn attributes_in_line(attributes: &Map<String, Value>) -> Clean {
    if attributes.is_empty() {
        return Clean::default();
    }
    let json = serde_json::to_string(attributes).unwrap_or_default();
    Clean::line(json).indented(2)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::analysis::analyse;
    use crate::model::Trace;
    use crate::render::sample::{hostile, printed, terminal, trace};

    fn page(trace: &Trace, name: &str, max_chars: Option<usize>, layout: &Layout) -> String {
        let report = analyse(trace);
        let (id, _) = report
            .nodes()
            .find(|(id, _)| report.span(*id).name.contains(name))
            .unwrap();
        let options = SpanOptions {
            max_chars,
            raw: false,
        };
        printed(|out| write(out, &report, id, options, layout))
    }

    #[test]
    fn a_failed_span_shows_its_stack() {
        assert_snapshot!(page(&trace(), "lookup_order", None, &terminal(80)), @r#"
        lookup_order  TOOL  ✗ ERROR  370 ms
        span id        00000000000000a3
        trace id       tr-b6df45fdeeac3d7f64f3de29e167bcbd
        parent         00000000000000a1  agent
        started        2026-11-22 20:56:37.111000000Z
        ended          2026-11-22 20:56:37.481000000Z
        offset         320 ms
        duration       370 ms  22.6 % of trace
        self time      370 ms  22.6 % of trace
        critical path  370 ms  22.6 % of trace

        STATUS
          TimeoutError: the order service did not answer

        INPUTS
          {"order": 12345}

        ATTRIBUTES
          mlflow.spanType  TOOL

        EVENTS
          exception  at 321 ms
            exception.type  TimeoutError
            exception.message  the order service did not answer
            exception.stacktrace
              Traceback (most recent call last):
                File "tools.py", line 12, in call
                  raise TimeoutError
              TimeoutError: the order service did not answer

        LINKS
          trace tr-77  span 00000000000000b1
        "#);
    }

    #[test]
    fn a_model_call_shows_tokens_and_messages() {
        assert_snapshot!(page(&trace(), "chat", Some(200), &Layout::piped()), @r#"
        chat  CHAT_MODEL  OK  930 ms
        span id        00000000000000a4
        trace id       tr-b6df45fdeeac3d7f64f3de29e167bcbd
        parent         00000000000000a1  agent
        started        2026-11-22 20:56:37.491000000Z
        ended          2026-11-22 20:56:38.421000000Z
        offset         700 ms
        duration       930 ms  56.7 % of trace
        self time      929 ms  56.6 % of trace
        critical path  929 ms  56.6 % of trace
        tokens         1,234 (1,180 in, 54 out)

        INPUTS
          {
            "messages": [
              {
                "role": "system",
                "content": "You are a helpful assistant of a shop for shoes."
              },
              {"role": "user", "content": "How do I get my money back?"}
            ]
          }

        OUTPUTS
          You can return it
          within 30 days.

        ATTRIBUTES
          mlflow.spanType  CHAT_MODEL
          mlflow.chat.tokenUsage
            {
              "input_tokens": 1180,
              "output_tokens": 54,
              "total_tokens": 1234
            }
        "#);
    }

    #[test]
    fn odd_places_are_explained() {
        let lost = page(&hostile(), "lost", None, &Layout::piped());
        assert!(
            lost.contains("parent         0000000000000fff  not in the trace\n"),
            "{lost}"
        );
        let background = page(&hostile(), "background", None, &Layout::piped());
        assert!(
            background.contains("note           detached: it ran outside its parent's time\n"),
            "{background}"
        );
        let running = page(&hostile(), "running", None, &Layout::piped());
        assert!(
            running.contains("ended          still in progress\n"),
            "{running}"
        );
    }

    #[test]
    fn nothing_of_a_span_reaches_the_terminal_as_it_is() {
        let mut trace = trace();
        let evil = "\x1b[2J\u{202e}\u{9b}m";
        let span = &mut trace.spans[4];
        span.name = format!("lookup_order{evil}");
        span.status_message = evil.into();
        span.attributes.push((evil.into(), evil.into()));
        span.attributes.push((
            "text".into(),
            serde_json::to_string(&format!("{evil}\n{evil}")).unwrap(),
        ));
        span.events[0].name = evil.into();
        span.events[0].attributes.insert(evil.into(), evil.into());
        span.links[0].trace_id = evil.into();
        span.links[0].attributes.insert(evil.into(), evil.into());
        let page = page(&trace, "lookup_order", None, &terminal(80));
        assert!(
            page.chars()
                .all(|c| c == '\n' || !(c.is_control() || c == '␛' || c == '\u{202e}')),
            "{page}"
        );
        assert!(page.contains("\\x1b[2J\\u{202e}\\u{9b}m"));
    }
}
