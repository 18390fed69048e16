//! Failures as JSON, with how many there are in how many traces.

use std::io::{self, Write};

use serde_json::json;

use super::json::{JsonForm, write};
use super::unreadable::add_to;
use crate::analysis::FailureReport;
use crate::model::Unreadable;
use crate::table::Column;
use crate::table::json::RowsJson;
use crate::table::rows::errors::{ErrorRow, Errors};

/// What is written besides the numbers.
#[derive(Debug, Clone, Copy)]
pub struct ErrorsParts<'a> {
    /// What is said of each row.
    pub columns: &'a [Column<Errors>],
    /// The rows.
    pub rows: &'a [ErrorRow<'a>],
    /// Whether traces or rows are missing.
    pub truncated: bool,
    /// Traces that cannot be read.
    pub unreadable: &'a [Unreadable],
}

/// Writes what failed.
pub fn write_json(
    out: &mut dyn Write,
    report: &FailureReport,
    parts: ErrorsParts<'_>,
    form: JsonForm,
) -> io::Result<()> {
    let ErrorsParts { columns, rows, .. } = parts;
    let mut document = json!({
        "errors": RowsJson { columns, rows },
        "failures": report.failures,
        "failed_traces": report.failed_traces,
        "without_error_state": report.without_error_state,
        "traces": report.traces,
        "truncated": parts.truncated,
    });
    add_to(&mut document, parts.unreadable, form);
    write(out, &document, form)
}
