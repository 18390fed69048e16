//! `mlt assess --list`: the assessments of traces, a row each.

use anyhow::Result;

use crate::cli::{AssessArgs, FilterArgs, SelectionArgs};
use crate::commands::Context;
use crate::commands::form::Form;
use crate::commands::gather::{Need, gather};
use crate::error::{CommandError, Exit};
use crate::export::json::RowList;
use crate::render::list::List;
use crate::table::delimited::DelimitedTable;
use crate::table::rows::assessments::{AssessmentRow, SHOWN, TOLD, assessments};

pub(super) fn run(context: &Context, args: &AssessArgs, form: Form) -> Result<Exit> {
    if let Some(pair) = args.words.iter().find(|word| super::is_pair(word)) {
        let message = format!("--list takes traces or a filter, found `{pair}`");
        return Err(CommandError::usage(message).into());
    }
    if args.words.is_empty() && args.filter == FilterArgs::default() {
        return Err(
            CommandError::usage("expected trace ids or a filter, found neither")
                .hint("`mlt assess --list latest` is about one trace, `--since 1d` about those of a day")
                .into(),
        );
    }
    let selection = SelectionArgs {
        traces: args.words.clone(),
        filter: args.filter.clone(),
        ..SelectionArgs::default()
    };
    let known = assessments();
    let columns = match form {
        Form::Text => known.some(&SHOWN),
        _ => known.some(&TOLD),
    };
    let mut out = context.terminal.output();
    let (mut traces, mut count) = (0_usize, 0_usize);
    let mut each = |push: &mut dyn FnMut(&AssessmentRow<'_>) -> std::io::Result<()>| {
        gather(
            context,
            &selection,
            Need::INFO,
            "finding assessments",
            |trace| {
                traces += 1;
                for assessment in &trace.info.assessments {
                    count += 1;
                    push(&AssessmentRow {
                        trace_id: &trace.info.trace_id,
                        assessment,
                    })?;
                }
                Ok(())
            },
        )
    };
    let gathered = match form {
        Form::Text => {
            let mut list = List::new(columns, context.layout());
            let mut text = out.text();
            let gathered = each(&mut |row| list.push(&mut text, row))?;
            list.flush(&mut text)?;
            gathered
        }
        Form::Json(form) => {
            let mut rows = RowList::new(form, "assessments", columns);
            let data = out.data();
            let gathered = each(&mut |row| rows.push(data, row))?;
            rows.finish(data, gathered.truncated(), &gathered.unreadable)?;
            gathered
        }
        Form::Delimited(format) => {
            let mut rows = DelimitedTable::new(out.data(), format, columns)?;
            let gathered = each(&mut |row| rows.push(row))?;
            rows.finish()?;
            gathered
        }
    };
    out.finish()?;
    if traces == 0 && !gathered.is_short() {
        context.note_no_match(&args.filter);
    } else if count == 0 && !gathered.is_short() {
        context.note("there are no assessments");
    }
    gathered.finish(context)
}
