//! Prints the traces of `mlt get` one by one, in the format that was asked for.

use std::io::Write;

use anyhow::Result;

use super::wanted::{is_wanted, is_within, require_span, spans_named};
use crate::analysis::{LatencyReport, SpanTree, Warning, analyse, tool_uses, trace_usage};
use crate::cli::{GetArgs, OutputFormat};
use crate::commands::attachments::{Attachments, said_in};
use crate::commands::form::Form;
use crate::commands::{Context, link};
use crate::export::JsonForm;
use crate::export::json::{self, DocumentList, RowList, TraceList};
use crate::export::transcript::transcript;
use crate::model::{Span, Trace, Unreadable};
use crate::render::brief::trace::Traces;
use crate::render::list::List;
use crate::render::transcript::TranscriptOptions;
use crate::render::{self, LeftOut};
use crate::store::{Store, StoreError};
use crate::table::Column;
use crate::table::delimited::DelimitedTable;
use crate::table::rows::spans::{SpanRow, Spans, spans};
use crate::table::rows::tools::{ToolRow, Tools, tools};
use crate::terminal::Output;
use crate::text::Sheet;

/// Prints traces in the format that was asked for.
pub(super) struct Printer<'a> {
    context: &'a Context<'a>,
    args: &'a GetArgs,
    kind: Kind<'a>,
    printed: usize,
    done: Printed,
}

/// What was printed.
#[derive(Default)]
pub(super) struct Printed {
    /// The columns left out.
    pub(super) left_out: LeftOut,
    /// Of which traces the spans are kept elsewhere, and where.
    pub(super) elsewhere: Vec<String>,
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
    pub(super) fn new(
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
            done: Printed::default(),
        })
    }

    pub(super) fn print(
        &mut self,
        trace: &Trace,
        is_part: bool,
        attachments: &mut Option<Attachments<'_>>,
    ) -> Result<()> {
        let max_chars = self.args.max_chars;
        match &mut self.kind {
            Kind::Single(out, form) => {
                warn_of_negative_durations(self.context, trace);
                let link = link::of(self.context, &trace.info);
                let parts = json::TraceParts::whole(trace, max_chars).of_a_part(is_part);
                json::write_trace(out, &parts.with_link(link.as_deref()), *form)?;
            }
            Kind::List(out, list) => {
                warn_of_negative_durations(self.context, trace);
                let link = link::of(self.context, &trace.info);
                let parts = json::TraceParts::whole(trace, max_chars).of_a_part(is_part);
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
                self.done.left_out.extend(left_out);
            }
        }
        self.printed += 1;
        Ok(())
    }

    /// Prints what is known of a trace whose spans are kept elsewhere.
    ///
    /// # Errors
    /// The error itself, where it is another or the spans are what was asked for.
    pub(super) fn print_head(
        &mut self,
        store: &dyn Store,
        id: &str,
        error: StoreError,
    ) -> Result<()> {
        let out = match &mut self.kind {
            Kind::Text(out) if error.is_of_spans_elsewhere() && self.args.span.is_none() => out,
            _ => return Err(error.into()),
        };
        let info = store.info(id)?;
        if self.printed > 0 {
            out.blank()?;
        }
        let layout = self.context.layout();
        render::trace::write_info(out, &info, &layout)?;
        out.blank()?;
        out.styled(layout.style.muted(), "Its spans are kept elsewhere.")?;
        self.printed += 1;
        let reason = format!("{id} is shown without its spans: {error}");
        self.done.elsewhere.push(reason);
        Ok(())
    }

    /// Gives what was printed.
    pub(super) fn finish(self, truncated: bool, unreadable: &[Unreadable]) -> Result<Printed> {
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
        Ok(self.done)
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
        let options = options_of(args);
        left_out = render::trace::write(out, &report, &options, &layout)?;
    }
    warn_of(context, &report);
    Ok(left_out)
}

/// What is shown of a trace.
pub(super) fn options_of(args: &GetArgs) -> render::trace::TraceOptions {
    render::trace::TraceOptions {
        io: args.io,
        raw: args.raw,
        max_chars: args.max_chars,
        errors_only: args.errors,
        types: args.shown_type.clone().into_iter().collect(),
        max_depth: args.depth.map(|d| usize::try_from(d).unwrap_or(usize::MAX)),
    }
}

fn warn_of(context: &Context, report: &LatencyReport<'_>) {
    for warning in report.warnings() {
        context.warn(warning.to_string());
    }
}
