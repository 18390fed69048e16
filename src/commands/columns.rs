//! From `--columns` to the columns of a table.

use anyhow::Result;

use crate::error::CommandError;
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
