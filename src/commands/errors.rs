//! `mlt errors`: which failures there are, how often, and where they began.

use anyhow::Result;

use super::form::Form;
use super::gather::{Gathered, Need, gather};
use super::{Context, columns};
use crate::analysis::{FailureReport, Failures, MOST_FAILURE_GROUPS};
use crate::cli::{ErrorsArgs, SelectionArgs, WITH_BRIEF};
use crate::error::Exit;
use crate::export::errors::{self as export, ErrorsParts};
use crate::export::{JsonForm, json};
use crate::render::{brief, list};
use crate::store::InfoParts;
use crate::table::rows::errors::{self as rows, Errors};
use crate::table::{Column, delimited};
use crate::units;

/// Rows of a table where nobody says how many.
const ROWS_SHOWN: usize = 20;

pub(super) fn run(context: &Context, args: &ErrorsArgs) -> Result<Exit> {
    context.formats("errors", WITH_BRIEF)?;
    context.only_brief(&[(!args.columns.is_empty(), "--columns")])?;
    let form = Form::of(&context.flags.output).unwrap_or(Form::Text);
    let columns = chosen(args, form)?;
    let mut failures = Failures::new(args.kinds(), args.per.into());
    // As with `mlt stats`, all traces are meant where none are named.
    let all = args.selection.traces.is_empty() && !args.selection.names_none;
    let selection = SelectionArgs {
        all,
        ..args.selection.clone()
    };
    let need = Need {
        spans: Some(failures.detail()),
        info: false,
        parts: InfoParts::NONE,
        usage: false,
        any_order: args.selection.limit.limit.is_none(),
    };
    let gathered = gather(context, &selection, need, "reading failures", |trace| {
        failures.add(&trace);
        Ok(())
    })?;
    let report = failures.finish();
    let most = match args.top {
        Some(top) => usize::try_from(top).unwrap_or(usize::MAX),
        None if form == Form::Text && !context.is_brief() => ROWS_SHOWN,
        None => usize::MAX,
    };
    if context.is_brief() {
        let mut again = context.again();
        if args.top.is_none() {
            again = format!("{again} --top {}", report.groups.len());
        }
        let text = brief::errors::brief(context.tokens(), &report, most, &again);
        let mut out = context.terminal.output();
        out.text().put(text)?;
        out.finish()?;
    } else {
        write(context, &report, &gathered, columns, most, form)?;
    }
    if report.traces == 0 && !gathered.is_short() {
        context.note_no_match(&args.selection.filter);
    } else if report.groups.is_empty() && report.traces > 0 {
        context.note(&format!(
            "no failures in {}",
            units::counted(report.traces, "trace")
        ));
    }
    if report.merged > 0 {
        context.warn(format!(
            "{} told together: there are more than {} that differ",
            units::counted(report.merged, "failure"),
            units::whole(MOST_FAILURE_GROUPS)
        ));
    }
    if !context.is_brief() {
        context.note_top(most.min(report.groups.len()), report.groups.len());
    }
    gathered.finish(context)
}

fn write(
    context: &Context,
    report: &FailureReport,
    gathered: &Gathered,
    columns: Vec<Column<Errors>>,
    most: usize,
    form: Form,
) -> Result<()> {
    let shown = rows::of(report, most);
    let mut out = context.terminal.output();
    match form {
        Form::Text => {
            list::write(&mut out.text(), columns, &shown, &context.layout())?;
        }
        Form::Json(JsonForm::Lines) => json::write_lines(out.data(), &columns, &shown)?,
        Form::Json(form) => {
            let parts = ErrorsParts {
                columns: &columns,
                rows: &shown,
                truncated: gathered.truncated()
                    || shown.len() < report.groups.len()
                    || report.merged > 0,
                unreadable: &gathered.unreadable,
            };
            export::write_json(out.data(), report, parts, form)?;
        }
        Form::Delimited(format) => delimited::write(out.data(), format, columns, &shown)?,
    }
    out.finish()?;
    Ok(())
}

/// The columns that were asked for, or those of the form.
fn chosen(args: &ErrorsArgs, form: Form) -> Result<Vec<Column<Errors>>> {
    let known = rows::errors();
    if let Some(columns) = columns::chosen(&args.columns, &known)? {
        return Ok(columns);
    }
    let mut columns = Vec::new();
    if args.kinds().len() > 1 {
        columns.extend(known.some(&["kind"]));
    }
    columns.extend(match form {
        Form::Text => known.some(&rows::SHOWN),
        _ => known.some(&rows::TOLD),
    });
    Ok(columns)
}
