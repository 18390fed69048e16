//! `mlt get`: traces with their spans.

use std::io::Write;

use anyhow::Result;

use super::attachments::{Attachments, said_in};
use super::form::Form;
use super::gather::{Gathered, Need, fail_with, gather_found};
use super::selection::{filter_of, name_experiments};
use super::{Context, IN_TABLES, columns, link, resolve};
use crate::analysis::{
    LatencyReport, Node, NodeId, SpanTree, Warning, analyse, tool_uses, trace_usage,
};
use crate::cli::{FilterArgs, GetArgs, OF_TRANSCRIPTS, OutputFormat};
use crate::error::{CommandError, Exit};
use crate::export::JsonForm;
use crate::export::json::{self, DocumentList, RowList, TraceList};
use crate::export::transcript::transcript;
use crate::model::{Span, StatusCode, Trace, Unreadable};
use crate::render::brief::trace::Traces;
use crate::render::list::List;
use crate::render::transcript::TranscriptOptions;
use crate::render::{self, LeftOut, NO_MATCH};
use crate::store::{Detail, Query, StoreError, TraceRefs, Want};
use crate::table::Column;
use crate::table::delimited::DelimitedTable;
use crate::table::rows::spans::{SpanRow, Spans, is_of_payload, spans};
use crate::table::rows::tools::{ToolRow, Tools, tools};
use crate::terminal::Output;
use crate::text::Sheet;
use crate::units;

pub(super) fn run(context: &Context, args: &GetArgs) -> Result<Exit> {
    let form = form_of(context, args)?;
    context.only_brief(&[
        (args.chat, "--chat"),
        (args.io, "--io"),
        (args.span.is_some(), "--span"),
        (args.errors, "--errors"),
        (args.shown_type.is_some(), "--type"),
        (args.depth.is_some(), "--depth"),
        (args.max_chars.is_some(), "--max-chars"),
        (!args.columns.is_empty(), "--columns"),
        (args.link, "--link"),
    ])?;
    let columns = columns::chosen(&args.columns, &spans())?;
    // The shape of the output follows from what was typed, not from how much was found.
    let searches = searches(context, args)?;
    let single = match args.traces.as_slice() {
        [] => searches && args.limit.is_none(),
        [only] => only != "-",
        _ => false,
    };
    let mut unreadable = Vec::new();
    let mut limited = false;
    let (ids, mut failures) = if searches {
        let (ids, gathered) = matching(context, args)?;
        unreadable = gathered.unreadable;
        limited = gathered.limited;
        (ids, Vec::new())
    } else if single {
        (resolve::trace_ids(context, &args.traces)?, Vec::new())
    } else {
        resolve::known_and_missing(context, &args.traces)?
    };
    if args.link {
        return link::print(context, &ids, failures);
    }
    let store = context.store()?;
    // The table of spans shows of payloads nothing but what went wrong.
    let needs_payloads = match &columns {
        Some(columns) => columns.iter().any(is_of_payload),
        None => args.io || args.chat || args.tools || args.span.is_some() || context.is_brief(),
    };
    let detail = match form {
        Form::Text if !needs_payloads => Detail::Events,
        _ => Detail::Whole,
    };
    let as_rows = columns.is_some() || !matches!(form, Form::Json(_));
    let mut out = context.terminal.output();
    let mut progress = context.terminal.progress("fetching traces").of(ids.len());
    let mut done = 0;
    let mut attachments = Attachments::asked_for(context, args.attachments.as_deref())?;
    let left_out = {
        let mut printer = Printer::new(context, args, &mut out, columns, form, single, &ids)?;
        store.try_fetch_all(
            TraceRefs::Ids(ids),
            Want::spans(detail),
            |id, result| -> Result<()> {
                let outcome = result
                    .map_err(anyhow::Error::from)
                    .and_then(|trace| selected(trace, args, as_rows))
                    .and_then(|trace| {
                        progress.clear();
                        let outcome = printer.print(&trace, &mut attachments);
                        if single {
                            // The end of the process gives its memory back more quickly.
                            std::mem::forget(trace);
                        }
                        outcome
                    });
                match outcome {
                    Ok(()) => done += 1,
                    Err(error) if single || error.is::<std::io::Error>() => return Err(error),
                    Err(error) => match unreadable_of(id, error) {
                        Ok(one) => unreadable.push(one),
                        Err(error) => failures.push((id.to_owned(), error)),
                    },
                }
                progress.at(done + failures.len() + unreadable.len());
                Ok(())
            },
        )?;
        let truncated = limited || !failures.is_empty() || !unreadable.is_empty();
        printer.finish(truncated, &unreadable)?
    };
    progress.clear();
    out.finish()?;
    context.note_left_out(left_out, IN_TABLES);
    let mut exit = context.say_unreadable(done, &unreadable);
    if let Some(attachments) = attachments {
        exit = attachments.finish(exit);
    }
    fail_with(context, failures)?;
    Ok(exit)
}

/// In which form what was asked for is printed; Markdown is text, too.
///
/// # Errors
/// A format that it does not have.
fn form_of(context: &Context, args: &GetArgs) -> Result<Form> {
    if args.chat && !context.is_brief() {
        context.formats("get --chat", OF_TRANSCRIPTS)?;
    }
    match context.flags.output {
        OutputFormat::Brief => Ok(Form::Text),
        OutputFormat::Markdown if args.chat => Ok(Form::Text),
        _ => context.form("get"),
    }
}

/// Whether the traces are those that match, and not some that are named.
///
/// # Errors
/// Both, or neither.
fn searches(context: &Context, args: &GetArgs) -> Result<bool> {
    let matches = args.limit.is_some() || args.filter != FilterArgs::default();
    match (args.traces.is_empty(), matches) {
        (false, true) => {
            let error = CommandError::usage("expected trace ids or a filter, found both");
            let hint =
                "filters and `-n` choose among all traces: `mlt get -n 2` shows the two newest";
            Err(error.hint(hint).into())
        }
        (true, false) if context.flags.experiments.is_empty() => Err(CommandError::usage(
            "expected trace ids or a filter, found neither",
        )
        .hint(
            "`mlt get latest` is the newest trace, `mlt get --status ERROR` the newest that failed",
        )
        .into()),
        (is_empty, _) => Ok(is_empty),
    }
}

/// The ids of the newest traces that match.
///
/// # Errors
/// When there are none.
fn matching(context: &Context, args: &GetArgs) -> Result<(Vec<String>, Gathered)> {
    let mut query = Query {
        filter: filter_of(&args.filter, context)?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let mut ids = Vec::new();
    let limit = Some(args.limit.unwrap_or(1));
    let mut gathered = gather_found(
        context,
        query,
        limit,
        Need::INFO,
        "finding traces",
        |trace| {
            ids.push(trace.info.trace_id);
            Ok(())
        },
    )?;
    if ids.is_empty() {
        if let Some(error) = gathered.take_error() {
            return Err(error);
        }
        context.remember_no_match(&args.filter);
        return Err(CommandError::new(Exit::NotFound, NO_MATCH).into());
    }
    if gathered.limited && args.limit.is_none() {
        context.note("more traces match than the newest one: `-n N` shows more");
    }
    Ok((ids, gathered))
}

/// A trace that is there and cannot be read.
///
/// # Errors
/// Any other error.
fn unreadable_of(id: &str, error: anyhow::Error) -> Result<Unreadable> {
    Ok(error.downcast::<StoreError>()?.into_unreadable(id)?)
}

/// The spans that were asked for, for JSON, which tells nothing of a span that
/// depends on the others. Tables show the rest as counts, and rows of figures are
/// chosen when the figures are known.
fn selected(mut trace: Trace, args: &GetArgs, as_rows: bool) -> Result<Trace> {
    let wanted = match &args.span {
        Some(wanted) => Some(require_span(&trace, wanted)?),
        None => None,
    };
    if as_rows {
        return Ok(trace);
    }
    if let Some(depth) = args.depth {
        let report = analyse(&trace);
        let kept: std::collections::HashSet<crate::model::SpanId> = report
            .nodes()
            .filter(|(_, node)| is_within(node, depth))
            .map(|(id, _)| report.span(id).span_id.clone())
            .collect();
        trace.spans.retain(|span| kept.contains(&span.span_id));
    }
    trace
        .spans
        .retain(|span| is_wanted(span, args, wanted.as_deref()));
    Ok(trace)
}

/// Whether a span is one of those asked for, whatever its depth.
fn is_wanted(span: &Span, args: &GetArgs, wanted: Option<&str>) -> bool {
    let of_type = |wanted: &String| span.span_type().eq_ignore_ascii_case(wanted);
    wanted.is_none_or(|wanted| is_span(span, wanted))
        && (!args.errors || span.status == StatusCode::Error)
        && args.shown_type.as_ref().is_none_or(of_type)
}

/// Digits of the id of a span at least, where it is told by its beginning.
const LEAST_OF_ID: usize = 4;

fn is_within(node: &Node, depth: u64) -> bool {
    u64::try_from(node.depth).is_ok_and(|own| own < depth)
}

fn is_span(span: &Span, wanted: &str) -> bool {
    span.span_id.as_str().eq_ignore_ascii_case(wanted) || span.name == wanted
}

/// The name or the id of the span that is wanted, of an id also by its beginning.
fn require_span(trace: &Trace, wanted: &str) -> Result<String> {
    if trace.spans.iter().any(|span| is_span(span, wanted)) {
        return Ok(wanted.to_owned());
    }
    let begins = |id: &&str| {
        let start = id.get(..wanted.len());
        wanted.len() >= LEAST_OF_ID && start.is_some_and(|start| start.eq_ignore_ascii_case(wanted))
    };
    let ids = trace.spans.iter().map(|span| span.span_id.as_str());
    let mut ids: Vec<&str> = ids.filter(begins).collect();
    ids.dedup();
    match ids.as_slice() {
        [] => {}
        [only] => return Ok((*only).to_owned()),
        [first, second, ..] => {
            let message = format!(
                "`{wanted}` begins the ids of {} in trace {}",
                units::counted(ids.len(), "span"),
                trace.info.trace_id
            );
            let hint = format!("write more of it: {first} or {second}");
            return Err(CommandError::usage(message).hint(hint).into());
        }
    }
    let error = CommandError::new(
        Exit::NotFound,
        format!("no span `{wanted}` in trace {}", trace.info.trace_id),
    );
    let near = trace
        .spans
        .iter()
        .map(|span| (strsim::jaro_winkler(&span.name, wanted), &span.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Err(match near {
        Some((likeness, name)) if likeness > 0.8 => error.hint(format!("did you mean `{name}`?")),
        _ => error.hint(format!("`mlt get {}` lists its spans", trace.info.trace_id)),
    }
    .into())
}

/// Prints traces in the format that was asked for.
struct Printer<'a> {
    context: &'a Context<'a>,
    args: &'a GetArgs,
    kind: Kind<'a>,
    printed: usize,
    left_out: LeftOut,
}

enum Kind<'a> {
    Text(Sheet<'a>),
    Single(&'a mut dyn Write, JsonForm),
    List(&'a mut dyn Write, TraceList),
    Table(Sheet<'a>, Box<List<Spans>>),
    Rows(&'a mut dyn Write, RowList<Spans>),
    Delimited(Box<DelimitedTable<'a, Spans>>),
    Transcript(Sheet<'a>),
    Markdown(Sheet<'a>),
    Brief(Sheet<'a>, Box<Traces>),
    TranscriptJson(&'a mut dyn Write, JsonForm),
    Transcripts(&'a mut dyn Write, DocumentList),
    Tools(Sheet<'a>),
    ToolRows(&'a mut dyn Write, RowList<Tools>),
    ToolTable(Box<DelimitedTable<'a, Tools>>),
}

impl<'a> Printer<'a> {
    fn new(
        context: &'a Context<'a>,
        args: &'a GetArgs,
        out: &'a mut Output,
        columns: Option<Vec<Column<Spans>>>,
        form: Form,
        single: bool,
        ids: &[String],
    ) -> Result<Self> {
        let kind = match (form, columns) {
            (Form::Text, None) if context.flags.output == OutputFormat::Markdown => {
                Kind::Markdown(out.text())
            }
            (Form::Text, None) if args.tools => Kind::Tools(out.text()),
            (Form::Json(form), None) if args.tools => {
                let columns = tools().plain().to_vec();
                Kind::ToolRows(out.data(), RowList::new(form, "tools", columns))
            }
            (Form::Delimited(format), None) if args.tools => {
                let columns = tools().plain().to_vec();
                Kind::ToolTable(Box::new(DelimitedTable::new(out.data(), format, columns)?))
            }
            (Form::Text, None) if context.is_brief() => {
                let (again, called) = (context.again(), context.called());
                let traces = Traces::new(context.tokens(), ids, &again, &called);
                Kind::Brief(out.text(), Box::new(traces))
            }
            (Form::Text, None) if args.chat => Kind::Transcript(out.text()),
            (Form::Json(JsonForm::Pretty), None) if args.chat && single => {
                Kind::TranscriptJson(out.data(), JsonForm::Pretty)
            }
            (Form::Json(form), None) if args.chat => {
                Kind::Transcripts(out.data(), DocumentList::new(form, "traces"))
            }
            (Form::Text, None) => Kind::Text(out.text()),
            (Form::Text, Some(columns)) => {
                Kind::Table(out.text(), Box::new(List::new(columns, context.layout())))
            }
            (Form::Json(form), Some(columns)) => {
                Kind::Rows(out.data(), RowList::new(form, "spans", columns))
            }
            (Form::Json(JsonForm::Pretty), None) if single => {
                Kind::Single(out.data(), JsonForm::Pretty)
            }
            (Form::Json(form), None) => Kind::List(out.data(), TraceList::new(form)),
            (Form::Delimited(format), columns) => {
                let columns = columns.unwrap_or_else(|| spans().plain().to_vec());
                Kind::Delimited(Box::new(DelimitedTable::new(out.data(), format, columns)?))
            }
        };
        Ok(Self {
            context,
            args,
            kind,
            printed: 0,
            left_out: LeftOut::new(),
        })
    }

    fn print(&mut self, trace: &Trace, attachments: &mut Option<Attachments<'_>>) -> Result<()> {
        let max_chars = self.args.max_chars;
        match &mut self.kind {
            Kind::Single(out, form) => {
                warn_of_negative_durations(self.context, trace);
                let link = link::of(self.context, &trace.info);
                let parts = json::TraceParts::whole(trace, max_chars);
                json::write_trace(out, &parts.with_link(link.as_deref()), *form)?;
            }
            Kind::List(out, list) => {
                warn_of_negative_durations(self.context, trace);
                let link = link::of(self.context, &trace.info);
                let parts = json::TraceParts::whole(trace, max_chars);
                list.push(out, &parts.with_link(link.as_deref()))?;
            }
            Kind::Table(out, list) => {
                warn_of_negative_durations(self.context, trace);
                each_wanted(trace, self.args, |row| list.push(out, row))?;
            }
            Kind::Rows(out, list) => {
                warn_of_negative_durations(self.context, trace);
                each_wanted(trace, self.args, |row| list.push(out, row))?;
            }
            Kind::Delimited(rows) => {
                warn_of_negative_durations(self.context, trace);
                each_wanted(trace, self.args, |row| rows.push(row))?;
            }
            Kind::Tools(out) => {
                if self.printed > 0 {
                    out.blank()?;
                }
                let report = analyse(trace);
                let uses = tool_uses(trace, &report.tree);
                render::tools::write(out, &report, &uses, &self.context.layout())?;
            }
            Kind::ToolRows(out, list) => {
                each_tool(trace, |row| list.push(out, row))?;
            }
            Kind::ToolTable(rows) => each_tool(trace, |row| rows.push(row))?,
            Kind::Transcript(out) => {
                if self.printed > 0 {
                    out.blank()?;
                }
                let options = TranscriptOptions {
                    reasoning: self.args.reasoning,
                };
                let report = analyse(trace);
                let said = said_in(trace, &report.tree, attachments);
                render::transcript::write(out, &report, &said, options, &self.context.layout())?;
            }
            Kind::Markdown(out) => {
                if self.printed > 0 {
                    out.blank()?;
                }
                let report = analyse(trace);
                let said = said_in(trace, &report.tree, attachments);
                render::transcript::markdown::write(out, &report, &said, None)?;
            }
            Kind::Brief(_, traces) => {
                let report = analyse(trace);
                let said = said_in(trace, &report.tree, attachments);
                traces.push(&report, &said);
                warn_of(self.context, &report);
            }
            Kind::TranscriptJson(out, form) => {
                json::write(out, &transcript_of(trace, attachments), *form)?;
            }
            Kind::Transcripts(out, list) => {
                list.push(out, &transcript_of(trace, attachments))?;
            }
            Kind::Text(out) => {
                if self.printed > 0 {
                    out.blank()?;
                }
                let left_out = print_text(self.context, self.args, out, trace)?;
                self.left_out.extend(left_out);
            }
        }
        self.printed += 1;
        Ok(())
    }

    /// Gives the columns left out.
    fn finish(self, truncated: bool, unreadable: &[Unreadable]) -> Result<LeftOut> {
        match self.kind {
            Kind::List(out, list) => list.finish(out, None, truncated, unreadable)?,
            Kind::Table(mut out, mut list) => list.flush(&mut out)?,
            Kind::Brief(mut out, traces) => out.put(traces.finish())?,
            Kind::Rows(out, list) => list.finish(out, truncated, unreadable)?,
            Kind::Transcripts(out, list) => list.finish(out, truncated, unreadable)?,
            Kind::Delimited(rows) => rows.finish()?,
            Kind::ToolRows(out, list) => list.finish(out, truncated, unreadable)?,
            Kind::ToolTable(rows) => rows.finish()?,
            Kind::Tools(_)
            | Kind::Text(_)
            | Kind::Single(..)
            | Kind::Transcript(_)
            | Kind::Markdown(_)
            | Kind::TranscriptJson(..) => {}
        }
        Ok(self.left_out)
    }
}

fn transcript_of(trace: &Trace, attachments: &mut Option<Attachments<'_>>) -> serde_json::Value {
    let tree = SpanTree::build(trace);
    let conversation = said_in(trace, &tree, attachments);
    transcript(trace, &conversation, &trace_usage(trace, &tree))
}

/// Does something with each tool of a trace.
fn each_tool(
    trace: &Trace,
    mut with: impl FnMut(&ToolRow<'_>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let uses = tool_uses(trace, &SpanTree::build(trace));
    let mut rows = uses.iter().map(|tool| ToolRow { trace, tool });
    rows.try_for_each(|row| with(&row))
}

/// The spans that were asked for, with the figures that they have among all of them.
fn each_wanted(
    trace: &Trace,
    args: &GetArgs,
    mut with: impl FnMut(&SpanRow<'_>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let report = analyse(trace);
    let only = args
        .span
        .as_deref()
        .and_then(|wanted| require_span(trace, wanted).ok());
    let wanted = report.nodes().filter(|(id, node)| {
        args.depth.is_none_or(|depth| is_within(node, depth))
            && is_wanted(report.span(*id), args, only.as_deref())
    });
    let mut rows = wanted.map(|(id, _)| SpanRow::new(&report, id, args.max_chars));
    rows.try_for_each(|row| with(&row))
}

/// Figures for programs are not as recorded here, which has to be said beside them.
fn warn_of_negative_durations(context: &Context, trace: &Trace) {
    let is_negative = |span: &Span| {
        span.end_ns
            .is_some_and(|end| end > 0 && end < span.start_ns)
    };
    if !trace.spans.iter().any(is_negative) {
        return;
    }
    let warnings = SpanTree::build(trace).warnings;
    let of_these = |warning: &&Warning| matches!(warning, Warning::NegativeDurations { .. });
    if let Some(warning) = warnings.iter().find(of_these) {
        context.warn(warning.to_string());
    }
}

fn print_text(
    context: &Context,
    args: &GetArgs,
    out: &mut Sheet<'_>,
    trace: &Trace,
) -> Result<LeftOut> {
    let mut left_out = LeftOut::new();
    let report = analyse(trace);
    let layout = context.layout();
    if let Some(wanted) = &args.span {
        let wanted = &require_span(trace, wanted)?;
        let options = render::span::SpanOptions {
            max_chars: args.max_chars,
            raw: args.raw,
        };
        for (at, id) in spans_named(&report, wanted).into_iter().enumerate() {
            if at > 0 {
                out.blank()?;
            }
            render::span::write(out, &report, id, options, &layout)?;
        }
    } else {
        let options = render::trace::TraceOptions {
            io: args.io,
            raw: args.raw,
            max_chars: args.max_chars,
            errors_only: args.errors,
            types: args.shown_type.clone().into_iter().collect(),
            max_depth: args.depth.map(|d| usize::try_from(d).unwrap_or(usize::MAX)),
        };
        left_out = render::trace::write(out, &report, &options, &layout)?;
    }
    warn_of(context, &report);
    Ok(left_out)
}

fn warn_of(context: &Context, report: &LatencyReport<'_>) {
    for warning in report.warnings() {
        context.warn(warning.to_string());
    }
}

fn spans_named(report: &LatencyReport<'_>, wanted: &str) -> Vec<NodeId> {
    report
        .nodes()
        .map(|(id, _)| id)
        .filter(|id| is_span(report.span(*id), wanted))
        .collect()
}
