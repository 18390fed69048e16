//! Sums in the format that was asked for.

use anyhow::Result;

use super::super::Context;
use super::super::form::Form;
use crate::analysis::{StatsQuestion, StatsReport};
use crate::export::stats::{self as export, StatsParts};
use crate::export::{JsonForm, json};
use crate::render;
use crate::table;
use crate::table::rows::stats as sums;
use crate::terminal::Output;

/// Writes what was found; gives the columns left out.
pub(super) fn write(
    context: &Context,
    out: &mut Output,
    report: &StatsReport,
    question: &StatsQuestion,
    parts: StatsParts<'_>,
    form: Form,
) -> Result<render::LeftOut> {
    let layout = context.layout();
    match (form, parts.columns) {
        (Form::Json(JsonForm::Lines), Some(columns)) => {
            json::write_lines(out.data(), columns, &sums::of(report, question))?;
        }
        (Form::Json(form), _) => export::write_json(out.data(), report, question, parts, form)?,
        (Form::Delimited(format), Some(columns)) => {
            let rows = sums::of(report, question);
            table::delimited::write(out.data(), format, columns.to_vec(), &rows)?;
        }
        (Form::Delimited(format), None) => {
            export::write_rows(out.data(), report, question, format)?;
        }
        (Form::Text, Some(columns)) => {
            let columns = columns.to_vec();
            render::stats::write_chosen(&mut out.text(), report, question, columns, &layout)?;
        }
        (Form::Text, None) => {
            return Ok(render::stats::write(
                &mut out.text(),
                report,
                question,
                &layout,
            )?);
        }
    }
    Ok(render::LeftOut::new())
}
