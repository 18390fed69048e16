//! A transcript: what was said in a trace, one message under the other. Who speaks
//! stands in capitals at the margin, with the model, times, tokens and cost; what is
//! said stands below, wrapped within its own margin. Calls of tools are numbered, and
//! their results carry the same numbers.

pub(super) mod frame;
mod lookups;
pub mod markdown;

use std::collections::HashMap;
use std::io;

use serde_json::Value;

use super::cell::Cell;
use super::{Layout, payload};
use crate::analysis::{Conversation, LatencyReport, Lookup, Said};
use crate::messages::{self, CallUsage};
use crate::model::{Media, MediaKind, Part, Role, TokenUsage, ToolCall};
use crate::text::{Clean, Sheet};
use crate::units;

/// How a transcript is drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct TranscriptOptions {
    /// Whether all is shown of what models thought, and not a line of each.
    pub reasoning: bool,
}

/// Reasons for which a model mostly ends, which need not be said.
const USUAL_ENDS: [&str; 12] = [
    "stop",
    "end_turn",
    "tool_calls",
    "tool_call",
    "tool-calls",
    "tool_use",
    "function_call",
    "completed",
    "stop_sequence",
    "complete",
    "STOP",
    "FinishReason.STOP",
];

/// Whether a model ended as models mostly do.
pub(crate) fn is_usual_end(reason: &str) -> bool {
    USUAL_ENDS.contains(&reason)
}

/// Writes the transcript of one trace.
pub fn write(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    conversation: &Conversation,
    options: TranscriptOptions,
    layout: &Layout,
) -> io::Result<()> {
    frame::write_head(out, report, conversation, layout)?;
    write_messages(out, report, conversation, options, layout)
}

/// Writes what stands below the head.
pub(super) fn write_messages(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    conversation: &Conversation,
    options: TranscriptOptions,
    layout: &Layout,
) -> io::Result<()> {
    let mut page = Page {
        layout,
        options,
        origin_ns: report.tree.origin_ns,
        numbers: Numbers::default(),
    };
    let mut agent: Option<&str> = None;
    let names: std::collections::HashSet<&str> = conversation
        .said
        .iter()
        .filter_map(|said| said.agent.as_deref())
        .collect();
    let mut lookups = conversation.lookups.iter().peekable();
    for said in &conversation.said {
        while let Some(lookup) = lookups.next_if(|lookup| said.follows(lookup.time_ns)) {
            page.write_lookup(out, lookup, report)?;
        }
        out.blank()?;
        if names.len() > 1
            && let Some(name) = said.agent.as_deref()
            && agent != Some(name)
        {
            let indent = margin(said);
            let cell = Cell::new(layout.style.muted(), "agent ").and(layout.style.name(), name);
            out.line(Clean::from(cell.fit_if(layout.width)).indented(indent))?;
            out.blank()?;
            agent = Some(name);
        }
        page.write_said(out, said)?;
    }
    for lookup in lookups {
        page.write_lookup(out, lookup, report)?;
    }
    if conversation.said.is_empty() && conversation.lookups.is_empty() {
        let note = "nothing was said here: no call of a model, no tool, no messages";
        out.blank()?;
        out.styled(layout.style.muted(), note)?;
    }
    frame::write_failures(out, report, conversation, layout)?;
    frame::write_notes(out, conversation, layout)
}

fn margin(said: &Said) -> usize {
    2 * said.depth.min(16)
}

/// The numbers that calls of tools have in a transcript.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    last: usize,
    by_id: HashMap<String, usize>,
    /// Those without a result so far, by the tool's name, in their order.
    by_name: HashMap<String, Vec<usize>>,
}

impl Numbers {
    pub(super) fn of_call(&mut self, call: &ToolCall) -> usize {
        self.last += 1;
        if let Some(id) = &call.id {
            self.by_id.insert(id.clone(), self.last);
        }
        self.by_name
            .entry(call.name.clone())
            .or_default()
            .push(self.last);
        self.last
    }

    pub(super) fn of_result(&mut self, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        let own = id.and_then(|id| self.by_id.get(id)).copied();
        let open = name.and_then(|name| self.by_name.get_mut(name));
        let Some(open) = open else { return own };
        match own {
            Some(number) => {
                open.retain(|other| *other != number);
                Some(number)
            }
            None => (!open.is_empty()).then(|| open.remove(0)),
        }
    }
}

struct Page<'a> {
    layout: &'a Layout,
    options: TranscriptOptions,
    origin_ns: i64,
    numbers: Numbers,
}

impl Page<'_> {
    fn write_lookup(
        &self,
        out: &mut Sheet<'_>,
        lookup: &Lookup,
        report: &LatencyReport<'_>,
    ) -> io::Result<()> {
        out.blank()?;
        let span = report.trace.spans.get(lookup.span);
        lookups::write(out, lookup, span, self.origin_ns, self.layout)
    }

    fn write_said(&mut self, out: &mut Sheet<'_>, said: &Said) -> io::Result<()> {
        let indent = margin(said);
        let mut lines = Vec::new();
        let mut number = None;
        for part in &said.message.parts {
            let before = lines.len();
            self.add_part(&mut lines, part, said, &mut number);
            // A paragraph between two texts of one message.
            if before > 0 && matches!(part, Part::Text(_)) && lines.len() > before {
                lines.insert(before, (anstyle::Style::new(), Clean::default()));
            }
        }
        let head = self.head(said, number);
        let head_width = self
            .layout
            .width
            .map(|width| width.saturating_sub(indent).max(16));
        out.line(Clean::from(head.fit_if(head_width)).indented(indent))?;
        if let Some(error) = &said.error {
            let mark = self.layout.glyphs.pick("✗", "x");
            self.add_text(
                &mut lines,
                &format!("{mark} {error}"),
                self.layout.style.error(),
                said,
            );
        } else if lines.is_empty() {
            lines.push((self.layout.style.muted(), nothing(said).into()));
        }
        for (style, line) in lines {
            if line.as_str().is_empty() {
                out.blank()?;
            } else {
                let mut text = Clean::blank(indent + 2);
                text.push(style, &line);
                out.line(text)?;
            }
        }
        Ok(())
    }

    fn head(&self, said: &Said, number: Option<usize>) -> Cell {
        let style = self.layout.style;
        let role = said.message.role.as_str().to_uppercase();
        let mut head = Cell::new(style.heading(), role);
        if let Some((at, of)) = said.alternative {
            head = head.and(style.muted(), format!(" {at} of {of}"));
        }
        if said.message.role == Role::Tool {
            if let Some(number) = number {
                head = head.and(style.text(), format!("  {number}"));
            }
            let name = said.message.parts.iter().find_map(|part| match part {
                Part::Result(result) => result.name.as_deref(),
                Part::Call(call) => Some(call.name.as_str()),
                _ => None,
            });
            if let Some(name) = name {
                head = head.and(
                    style.name(),
                    format!("{}{name}", if number.is_some() { " " } else { "  " }),
                );
            }
        } else if let Some(name) = &said.message.name {
            head = head.and(style.name(), format!("  {name}"));
        }
        if said.message.role == Role::Assistant
            && let Some(model) = &said.model
        {
            head = head.and(style.text(), format!("  {model}"));
        }
        let mut facts = Vec::new();
        if let Some(time) = said.time_ns {
            facts.push(format!(
                "+{}",
                units::duration(time.saturating_sub(self.origin_ns))
            ));
        }
        facts.extend(said.duration_ns.map(units::duration));
        facts.extend(said.usage.as_ref().and_then(tokens));
        facts.extend(said.cost_usd.map(units::cost));
        if said.parallel && said.duration_ns.is_some() {
            facts.push("in parallel".to_owned());
        }
        for fact in facts {
            head = head.and(style.muted(), format!("  {fact}"));
        }
        let end = said.message.finish_reason.as_deref();
        if let Some(reason) = end.filter(|reason| !is_usual_end(reason)) {
            head = head.and(style.warning(), format!("  {reason}"));
        }
        head
    }

    fn add_part(
        &mut self,
        lines: &mut Vec<(anstyle::Style, Clean)>,
        part: &Part,
        said: &Said,
        number: &mut Option<usize>,
    ) {
        let style = self.layout.style;
        match part {
            Part::Text(text) => match &*messages::decoded(&Value::from(text.as_str())) {
                Value::String(_) => self.add_text(lines, text, style.text(), said),
                structure => self.add_json(lines, structure, said),
            },
            Part::Reasoning(None) => {
                lines.push((style.muted(), "~ (thought, not shown by the vendor)".into()));
            }
            Part::Reasoning(Some(thought)) if self.options.reasoning => {
                self.add_text(lines, &format!("~ {thought}"), style.muted(), said);
            }
            Part::Reasoning(Some(thought)) => {
                let line = thought.split_whitespace().collect::<Vec<_>>().join(" ");
                let room = self.room(said).unwrap_or(PREVIEW);
                let line = Clean::line(line).fit(room.saturating_sub(2));
                lines.push((style.muted(), Clean::line("~ ").then(line)));
            }
            Part::Call(call) => {
                let given = self.numbers.of_call(call);
                if said.message.role == Role::Tool {
                    *number = Some(given);
                }
                self.add_call(lines, call, given, said);
            }
            Part::Result(result) => {
                let known = self
                    .numbers
                    .of_result(result.id.as_deref(), result.name.as_deref());
                *number = number.or(known);
                if said.message.role != Role::Tool {
                    let name = result.name.as_deref().unwrap_or("result");
                    let head = format!(
                        "{} {name}:",
                        known.map(|n| n.to_string()).unwrap_or_default()
                    );
                    lines.push((style.muted(), Clean::line(head.trim_start())));
                }
                if result.is_error == Some(true) && said.error.is_none() {
                    lines.push((
                        style.error(),
                        format!("{} failed", self.layout.glyphs.pick("✗", "x")).into(),
                    ));
                }
                match &*messages::decoded(&result.response) {
                    Value::Null if said.error.is_some() => {}
                    Value::Null => lines.push((style.muted(), "(no result)".into())),
                    Value::String(text) if text.is_empty() => {
                        lines.push((style.muted(), "(empty)".into()));
                    }
                    Value::String(text) => self.add_text(lines, text, style.text(), said),
                    structure => self.add_json(lines, structure, said),
                }
            }
            Part::Media(media) => self.add_text(lines, &placeholder(media), style.muted(), said),
            Part::Refusal(text) => {
                self.add_text(lines, &format!("refused: {text}"), style.warning(), said);
            }
            Part::Json(value) => self.add_json(lines, value, said),
        }
    }

    /// Columns for the lines of a message.
    fn room(&self, said: &Said) -> Option<usize> {
        self.layout
            .width
            .map(|width| width.saturating_sub(margin(said) + 2).max(16))
    }

    fn add_text(
        &self,
        lines: &mut Vec<(anstyle::Style, Clean)>,
        text: &str,
        style: anstyle::Style,
        said: &Said,
    ) {
        let room = self.room(said);
        for line in Clean::block(text.trim_end_matches(['\n', ' '])).lines() {
            let wrapped = line.wrapped(room).into_iter();
            lines.extend(wrapped.map(|line| (style, line)));
        }
    }

    fn add_json(&self, lines: &mut Vec<(anstyle::Style, Clean)>, value: &Value, said: &Said) {
        let (laid_out, _) = payload::limited_lines(&value.to_string(), None, payload::Form::Raw);
        let style = self.layout.style.text();
        let room = self.room(said);
        for line in laid_out {
            lines.extend(
                payload::wrapped(&line, room)
                    .into_iter()
                    .map(|line| (style, line)),
            );
        }
    }

    /// `1 check_stock(article="Nordwind 54")`, or the arguments below the name where
    /// they do not fit beside it.
    fn add_call(
        &self,
        lines: &mut Vec<(anstyle::Style, Clean)>,
        call: &ToolCall,
        number: usize,
        said: &Said,
    ) {
        let style = self.layout.style;
        let name = call.shown_name();
        let line = format!("{number} {name}({})", arguments(&call.arguments));
        let line = Clean::line(line);
        let fits = self.room(said).is_none_or(|room| line.width() <= room);
        if fits || !call.arguments.is_object() {
            self.add_text(lines, line.as_str(), style.text(), said);
            return;
        }
        lines.push((style.text(), format!("{number} {name}").into()));
        let from = lines.len();
        self.add_json(lines, &call.arguments, said);
        for (_, line) in &mut lines[from..] {
            *line = std::mem::take(line).indented(2);
        }
    }
}

/// What stands in the place of an answer that says nothing.
pub(super) fn nothing(said: &Said) -> &'static str {
    if said.is_unrecorded() {
        "(not recorded)"
    } else {
        "(no content)"
    }
}

/// How much of a thought is shown on its line, in a pipe.
const PREVIEW: usize = 160;

/// Arguments as they stand in a call: `article="Nordwind 54", count=2`.
pub(crate) fn arguments(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            members.join(", ")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `[image/png, 75 B: attachment 886efd5b]`, with the file that it was saved in instead
/// of its id where there is one.
pub(crate) fn placeholder(media: &Media) -> String {
    let mut about: Vec<String> = vec![
        media
            .mime_type
            .clone()
            .unwrap_or_else(|| "media".to_owned()),
    ];
    about.extend(media.name.clone());
    about.extend(media.size.map(units::bytes));
    let at = match (&media.path, media.attachment(), &media.uri, media.kind) {
        (Some(path), ..) => format!(": {path}"),
        (None, Some(id), ..) => format!(": attachment {id}"),
        (None, None, Some(id), MediaKind::File) => format!(": file {id}"),
        (None, None, Some(uri), _) => format!(": {uri}"),
        (None, None, None, _) => String::new(),
    };
    format!("[{}{at}]", about.join(", "))
}

/// `30 in (1,024 cached), 25 out (12 thinking)`.
pub(super) fn tokens(usage: &CallUsage) -> Option<String> {
    let TokenUsage {
        input_tokens,
        output_tokens,
        cache_read_input_tokens,
        cache_creation_input_tokens,
        ..
    } = usage.tokens;
    let beside = |count: Option<i64>, what: &str| {
        count
            .filter(|count| *count != 0)
            .map(|count| format!("{} {what}", units::count(count)))
    };
    let with = |count: i64, what: &str, notes: Vec<String>| {
        let notes = if notes.is_empty() {
            String::new()
        } else {
            format!(" ({})", notes.join(", "))
        };
        format!("{} {what}{notes}", units::count(count))
    };
    let cached: Vec<String> = [
        beside(cache_read_input_tokens, "cached"),
        beside(cache_creation_input_tokens, "written to cache"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let thought: Vec<String> = beside(usage.reasoning_tokens, "thinking")
        .into_iter()
        .collect();
    let parts: Vec<String> = [
        input_tokens.map(|count| with(count, "in", cached)),
        output_tokens.map(|count| with(count, "out", thought)),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
