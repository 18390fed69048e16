//! `mlt latency`: where the time of a trace, or of many, went.

mod many;

use anyhow::Result;

use super::form::Form;
use super::{Context, IN_TABLES, columns, resolve};
use crate::analysis::{By, GroupKey, Sort, analyse};
use crate::cli::{LatencyArgs, WITH_BRIEF};
use crate::error::{CommandError, Exit};
use crate::export::json::{self, LatencyParts};
use crate::export::{JsonForm, delimited};
use crate::render::{self, brief};
use crate::store::Detail;
use crate::table;
use crate::table::rows::latency::{groups_of_one, of_one};

pub(super) fn run(context: &Context, args: &LatencyArgs) -> Result<Exit> {
    match (single(args), args.by.as_slice()) {
        (Some(word), [by]) if let GroupKey::Span(by) = &by.0 => one(context, args, word, *by),
        _ => many::run(context, args),
    }
}

/// The word that names the trace, where only one trace is asked about, and
/// nothing that would need several.
fn single(args: &LatencyArgs) -> Option<&String> {
    let [word] = args.selection.traces.as_slice() else {
        return None;
    };
    let for_many = args.per.is_some()
        || args.plot.is_some()
        || args.over_time.every.is_some()
        || args.slowest.is_some()
        || args.what_if.is_some();
    (word != "-" && !for_many && !args.selection.is_search()).then_some(word)
}

/// What a brief account chooses by itself, or does not draw.
fn only_brief(context: &Context, args: &LatencyArgs) -> Result<()> {
    context.only_brief(&[
        (!args.columns.is_empty(), "--columns"),
        (args.critical_path, "--critical-path"),
        (args.gaps, "--gaps"),
        (args.plot.is_some(), "--plot"),
        (args.over_time.every.is_some(), "--every"),
        (args.what_if.is_some(), "--what-if"),
    ])
}

fn one(context: &Context, args: &LatencyArgs, word: &str, by: By) -> Result<Exit> {
    context.formats("latency", WITH_BRIEF)?;
    only_brief(context, args)?;
    let form = Form::of(&context.flags.output).unwrap_or(Form::Text);
    let columns = columns::chosen(&args.columns, &groups_of_one(by))?;
    if matches!(form, Form::Delimited(_)) {
        let others = [
            (args.critical_path, "--critical-path"),
            (args.gaps, "--gaps"),
        ];
        let other = others.into_iter().find(|(given, _)| *given);
        columns::only_of_rows(&args.columns, other.map(|(_, flag)| flag))?;
    }
    let id = resolve::trace_id(context, word)?;
    let mut progress = context.terminal.progress("fetching the trace");
    progress.at(0);
    let trace = context.store()?.trace(&id, Detail::Measures)?;
    progress.clear();
    if trace.spans.is_empty() {
        return Err(
            CommandError::new(Exit::NotFound, format!("trace {id} has no spans"))
                .hint("without spans there is nothing to tell about its time")
                .into(),
        );
    }

    let report = analyse(&trace);
    let mut rows = report.rows(by, args.sort.map_or(Sort::SelfTime, Sort::from));
    let all = rows.len();
    if let Some(top) = args.top {
        rows.truncate(usize::try_from(top).unwrap_or(usize::MAX));
    }
    let parts = LatencyParts {
        by,
        critical_path: args.critical_path,
        gaps: args.gaps,
        truncated: rows.len() < all,
    };
    let mut out = context.terminal.output();
    let mut left_out = render::LeftOut::new();
    match form {
        Form::Json(JsonForm::Lines) if let Some(columns) = &columns => {
            json::write_lines(out.data(), columns, &of_one(&report, &rows, by))?;
        }
        Form::Json(form) => {
            json::write_latency(out.data(), &report, &rows, columns.as_deref(), parts, form)?;
        }
        Form::Delimited(format) => {
            if args.critical_path && args.gaps {
                return Err(CommandError::usage(
                    "`-o csv` and `-o tsv` hold one table: choose --critical-path or --gaps",
                )
                .into());
            }
            if args.critical_path {
                delimited::write_critical_path(out.data(), &report, format)?;
            } else if args.gaps {
                delimited::write_gaps(out.data(), &report, format)?;
            } else if let Some(columns) = columns {
                let groups = of_one(&report, &rows, by);
                table::delimited::write(out.data(), format, columns, &groups)?;
            } else {
                delimited::write_latency(out.data(), &report, &rows, by, format)?;
            }
        }
        Form::Text if context.is_brief() => {
            let again = context.again();
            let text = brief::latency::one(context.tokens(), &report, &rows, all, &again);
            out.text().put(text)?;
        }
        Form::Text => {
            let (layout, mut out) = (context.layout(), out.text());
            if let Some(columns) = columns {
                render::latency::write_chosen(&mut out, &report, &rows, by, columns, &layout)?;
            } else {
                left_out = render::latency::write(&mut out, &report, &rows, by, &layout)?;
            }
            if args.critical_path {
                out.blank()?;
                let more = render::timeline::write_critical_path(&mut out, &report, &layout)?;
                left_out.extend(more);
            }
            if args.gaps {
                out.blank()?;
                render::timeline::write_gaps(&mut out, &report, &layout)?;
            }
        }
    }
    out.finish()?;
    for warning in report.warnings() {
        context.warn(warning.to_string());
    }
    if !context.is_brief() {
        context.note_top(rows.len(), all);
    }
    context.note_left_out(left_out, IN_TABLES);
    Ok(Exit::Success)
}
