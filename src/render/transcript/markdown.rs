//! A transcript as Markdown, for an issue or a pull request. What was said is quoted,
//! so that its own headings and lists stay within it; tags, images and mentions in it
//! are made harmless, since a page would load and call them.

use std::io;

use serde_json::Value;

use super::{arguments, frame, placeholder};
use crate::analysis::{Conversation, Found, LatencyReport, Lookup, Said};
use crate::messages::{self, Document};
use crate::model::{Assessment, Cost, Part, Role, Timestamp, TokenUsage, ToolResult};
use crate::render::column::assessment_value;
use crate::render::summary;
use crate::text::{Clean, Sheet, sanitize};
use crate::units::{self, Zone};

/// Writes the transcript of one trace; of a session's turn with its number.
pub fn write(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    conversation: &Conversation,
    turn: Option<usize>,
) -> io::Result<()> {
    let info = &report.trace.info;
    let name = plain(info.name().unwrap_or("(no name)"));
    match turn {
        Some(number) => out.line(format!("## Turn {number}: {name}"))?,
        None => out.line(format!("## {name}"))?,
    }
    let mut facts = vec![
        format!("`{}`", code(&info.trace_id)),
        info.state.as_str().to_owned(),
    ];
    if !report.tree.is_empty() {
        facts.push(summary::total_text(report));
    }
    facts.extend(info.request_time.map(|time| units::time(time, Zone::Utc)));
    let used = report.usage();
    let tokens = used.tokens.value().and_then(TokenUsage::total);
    facts.extend(tokens.map(|tokens| format!("{} tokens", units::count(tokens))));
    let cost = used.cost.value().and_then(Cost::total);
    facts.extend(cost.map(units::cost));
    paragraph(out, facts.join(" · "))?;
    let mut lookups = conversation.lookups.iter().peekable();
    for said in &conversation.said {
        while let Some(lookup) = lookups.next_if(|lookup| said.follows(lookup.time_ns)) {
            write_lookup(out, lookup)?;
        }
        write_said(out, said)?;
    }
    lookups.try_for_each(|lookup| write_lookup(out, lookup))?;
    for at in &conversation.failures {
        let span = &report.trace.spans[*at];
        paragraph(out, format!("**failed** in `{}`", code(&span.name)))?;
        fenced(out, "", &span.failure().unwrap_or_default())?;
    }
    match frame::notes(conversation, frame::IO) {
        Some(notes) => paragraph(out, format!("*{}*", plain(&notes))),
        None => Ok(()),
    }
}

fn write_said(out: &mut Sheet<'_>, said: &Said) -> io::Result<()> {
    let message = &said.message;
    let mut head = vec![format!("**{}**", plain(message.role.as_str()))];
    let is_answer = message.role == Role::Assistant;
    let agent = said.agent.as_deref().filter(|_| is_answer);
    let named = message.name.as_deref().or(agent);
    head.extend(named.map(plain));
    if let Some((at, of)) = said.alternative {
        head.push(format!("{at} of {of}"));
    }
    if said.duration_ns.is_some() {
        head.extend(
            said.model
                .as_deref()
                .map(|model| format!("`{}`", code(model))),
        );
    }
    head.extend(said.duration_ns.map(units::duration));
    let end = message.finish_reason.as_deref();
    head.extend(end.filter(|end| !super::is_usual_end(end)).map(plain));
    paragraph(out, head.join(" · "))?;
    for part in &message.parts {
        // A tool that failed gave nothing; what went wrong follows.
        let is_nothing = matches!(part, Part::Result(result) if result.response.is_null());
        if !(is_nothing && said.error.is_some()) {
            write_part(out, part)?;
        }
    }
    if let Some(error) = &said.error {
        paragraph(out, "failed:")?;
        fenced(out, "", error)?;
    } else if message.parts.is_empty() {
        paragraph(out, super::nothing(said))?;
    }
    Ok(())
}

fn write_part(out: &mut Sheet<'_>, part: &Part) -> io::Result<()> {
    match part {
        Part::Text(text) => match messages::decoded(&Value::from(text.as_str())).as_ref() {
            Value::String(_) => quoted(out, text),
            structure => json(out, structure),
        },
        Part::Reasoning(Some(thought)) => {
            paragraph(out, "<details><summary>reasoning</summary>")?;
            quoted(out, thought)?;
            paragraph(out, "</details>")
        }
        Part::Reasoning(None) => paragraph(out, "(reasoning, not shown by the vendor)"),
        Part::Call(call) => {
            let call = format!("{}({})", call.shown_name(), arguments(&call.arguments));
            paragraph(out, "calls")?;
            fenced(out, "", &call)
        }
        Part::Result(result) => write_result(out, result),
        Part::Media(media) => paragraph(out, format!("`{}`", code(&placeholder(media)))),
        Part::Refusal(text) => {
            paragraph(out, "refused:")?;
            quoted(out, text)
        }
        Part::Json(value) => json(out, value),
    }
}

fn write_result(out: &mut Sheet<'_>, result: &ToolResult) -> io::Result<()> {
    let name = result.name.as_deref().unwrap_or("tool");
    let verb = if result.is_error == Some(true) {
        "failed with"
    } else {
        "gives"
    };
    paragraph(out, format!("`{}` {verb}", code(name)))?;
    match messages::decoded(&result.response).as_ref() {
        Value::String(text) => fenced(out, "", text),
        structure => json(out, structure),
    }
}

fn write_lookup(out: &mut Sheet<'_>, lookup: &Lookup) -> io::Result<()> {
    let time = units::time(Timestamp::from_nanos(lookup.time_ns), Zone::Utc);
    match &lookup.found {
        Found::Vectors(size) => {
            let vectors = units::counted(size.count, "vector");
            let numbers = units::whole(size.dimensions);
            paragraph(
                out,
                format!("**embedded** · {time} · {vectors} × {numbers} numbers"),
            )?;
        }
        Found::Documents(found) => {
            let verb = if found.before.is_some() {
                "reranked"
            } else {
                "retrieved"
            };
            let query = found.query.as_deref().map(plain).unwrap_or_default();
            paragraph(out, format!("**{verb}** · {time} · {query}"))?;
            for (at, document) in found.documents.iter().enumerate() {
                write_document(out, at + 1, document)?;
            }
        }
    }
    match &lookup.error {
        Some(error) => {
            paragraph(out, "failed:")?;
            fenced(out, "", error)
        }
        None => Ok(()),
    }
}

fn write_document(out: &mut Sheet<'_>, rank: usize, document: &Document) -> io::Result<()> {
    let score = document.score.map(units::score).unwrap_or_default();
    let source = document.source.as_deref().or(document.id.as_deref());
    let source = plain(source.unwrap_or_default());
    paragraph(out, format!("{rank}. {score} {source}"))?;
    quoted(out, &document.text)
}

fn json(out: &mut Sheet<'_>, value: &Value) -> io::Result<()> {
    fenced(
        out,
        "json",
        &serde_json::to_string_pretty(value).unwrap_or_default(),
    )
}

/// What was judged, an item each.
pub fn write_assessments(out: &mut Sheet<'_>, all: &[Assessment]) -> io::Result<()> {
    for one in all {
        let value = plain(&assessment_value(one));
        let notes = plain(&summary::assessment_notes(one));
        let why = one.rationale.as_deref().map(plain).unwrap_or_default();
        paragraph(
            out,
            format!("- **{}** {value} ({notes}) {why}", plain(&one.name)),
        )?;
    }
    Ok(())
}

/// A line by itself. As every block it is set apart from what stands above it.
fn paragraph(out: &mut Sheet<'_>, line: impl Into<Clean>) -> io::Result<()> {
    out.blank()?;
    out.line(line)
}

/// A block of code behind a fence that is longer than any in it.
fn fenced(out: &mut Sheet<'_>, language: &str, text: &str) -> io::Result<()> {
    let safe = Clean::block(text.trim_end());
    let ticks = safe.as_str().split(|c| c != '`').map(str::len);
    let fence = "`".repeat(ticks.max().unwrap_or(0).max(2) + 1);
    paragraph(out, format!("{fence}{language}"))?;
    out.line(safe)?;
    out.line(fence)
}

/// Text for a span of code.
fn code(text: &str) -> String {
    sanitize::line(text).replace('`', "'")
}

/// Text on one line.
pub fn plain(text: &str) -> String {
    harmless(&sanitize::line(text))
}

/// A quotation, code in it as it is.
fn quoted(out: &mut Sheet<'_>, text: &str) -> io::Result<()> {
    let safe = sanitize::block(text.trim_end());
    let mut is_inside = false;
    out.blank()?;
    for line in safe.split('\n') {
        let is_fence = line.trim_start().starts_with("```");
        let shown = if is_inside || is_fence {
            line.to_owned()
        } else {
            harmless(line)
        };
        is_inside ^= is_fence;
        out.line(format!("> {shown}"))?;
    }
    // A fence that was never closed would swallow what follows.
    if is_inside {
        out.line("> ```")?;
    }
    Ok(())
}

/// Without tags, images and mentions outside of spans of code.
fn harmless(line: &str) -> String {
    let pieces: Vec<&str> = line.split('`').collect();
    let last = pieces.len() - 1;
    let made = pieces.iter().enumerate().map(|(at, piece)| {
        // A mark without its partner begins no code.
        let is_code = at % 2 == 1 && at < last;
        if is_code {
            (*piece).to_owned()
        } else {
            piece
                .replace('<', "\\<")
                .replace("![", "!\\[")
                .replace('@', "@<!-- -->")
        }
    });
    made.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted_text(text: &str) -> String {
        let text = Sheet::kept(|out| quoted(out, text));
        text.unwrap().to_string()
    }

    #[test]
    fn a_page_loads_and_calls_nothing() {
        assert_eq!(
            quoted_text("<img src=x> ![a](http://t) @team `<b>` \u{1b}[2J"),
            "\n> \\<img src=x> !\\[a](http://t) @<!-- -->team `<b>` \\x1b[2J\n"
        );
        assert_eq!(quoted_text("`<b>"), "\n> `\\<b>\n");
    }

    #[test]
    fn code_is_kept_and_closed() {
        assert_eq!(quoted_text("```py\na < b"), "\n> ```py\n> a < b\n> ```\n");
        let text = Sheet::kept(|out| fenced(out, "", "```\nx\n```"));
        assert_eq!(text.unwrap().as_str(), "\n````\n```\nx\n```\n````\n");
    }
}
