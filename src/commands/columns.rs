//! From `--columns` to the columns of a table.

use anyhow::Result;

use super::completing::Lack;
use crate::error::CommandError;
use crate::field::Field;
use crate::model::{Trace, TraceState, looks_like_trace_id};
use crate::render;
use crate::store::{FilterSource, Query};
use crate::table::rows::traces;
use crate::table::{Column, Columns, Rows, split_names};

/// The columns that were asked for; `None` where none were.
///
/// # Errors
/// A name that no column has.
pub(super) fn chosen<R: Rows>(
    typed: &[String],
    known: &Columns<R>,
) -> Result<Option<Vec<Column<R>>>> {
    if typed.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = typed.iter().flat_map(|list| split_names(list)).collect();
    let chosen = known.choose(&names);
    Ok(Some(chosen.map_err(|unknown| {
        CommandError::usage(unknown.to_string())
    })?))
}

/// Refuses columns of rows where another table is written.
///
/// # Errors
/// `other` has no columns to choose from.
pub(super) fn only_of_rows(typed: &[String], other: Option<&str>) -> Result<()> {
    match other {
        Some(flag) if !typed.is_empty() => Err(CommandError::usage(format!(
            "--columns chooses from the columns of rows, and {flag} writes another table"
        ))
        .into()),
        _ => Ok(()),
    }
}

/// The columns of a search, and what these need of each trace. Where people did not choose
/// any, what they searched for decides: failures show what failed, and texts where they are.
pub(super) fn of_search(
    typed: &[render::Column],
    searched: Option<(&Query, Option<&str>)>,
) -> (Vec<Column<Trace>>, Lack) {
    let requires_error = |query: &Query| match &query.filter {
        FilterSource::Parsed(filter) => filter.requires(&Field::Status, TraceState::Error.as_str()),
        FilterSource::Raw(_) => false,
    };
    let mut fields = match searched {
        Some((query, _)) if requires_error(query) => render::Column::of_failed_ones(),
        _ => render::Column::chosen(typed),
    };
    let text = searched.and_then(|(_, text)| text);
    let text = text.filter(|text| !looks_like_trace_id(text.trim()));
    if text.is_some() {
        fields.retain(|column| *column.field() != Field::Request);
    }
    let mut lack = Lack::of(fields.iter().map(render::Column::field));
    let mut columns: Vec<Column<Trace>> = fields.iter().map(render::Column::in_table).collect();
    if let Some(text) = text {
        let matched = traces::matched(text.trim().to_owned());
        lack.detail = lack.detail.max(matched.detail());
        columns.push(matched);
    }
    (columns, lack)
}
