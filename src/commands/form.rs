//! From `-o` to what writes it.

use anyhow::Result;

use super::Context;
use crate::cli::{OutputFormat, TABULAR};
use crate::error::CommandError;
use crate::export::{Delimited, JsonForm};

/// What a table is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// As JSON.
    Json(JsonForm),
    /// As delimited text.
    Delimited(Delimited),
}

impl Form {
    /// `None` for formats that are not for tables.
    pub(super) fn of(format: &OutputFormat) -> Option<Self> {
        match format {
            OutputFormat::Table => Some(Self::Text),
            OutputFormat::Json => Some(Self::Json(JsonForm::Pretty)),
            OutputFormat::Jsonl => Some(Self::Json(JsonForm::Lines)),
            OutputFormat::Csv => Some(Self::Delimited(Delimited::Csv)),
            OutputFormat::Tsv => Some(Self::Delimited(Delimited::Tsv)),
            _ => None,
        }
    }
}

impl Context<'_> {
    /// The form in which a command that prints nothing but tables prints.
    ///
    /// # Errors
    /// A format that is not for tables.
    pub(super) fn form(&self, command: &str) -> Result<Form> {
        Form::of(&self.flags.output).ok_or_else(|| self.no_such_format(command, TABULAR))
    }

    /// Refuses formats in which a command does not print.
    ///
    /// # Errors
    /// A format that is not among `known`.
    pub(super) fn formats(&self, command: &str, known: &[OutputFormat]) -> Result<()> {
        if known.contains(&self.flags.output) {
            return Ok(());
        }
        Err(self.no_such_format(command, known))
    }

    pub(super) fn no_such_format(&self, command: &str, known: &[OutputFormat]) -> anyhow::Error {
        let names: Vec<String> = known.iter().map(|format| format!("`{format}`")).collect();
        let wanted = &self.flags.output;
        let error = CommandError::usage(format!("`mlt {command}` has no `-o {wanted}`"));
        error.hint(format!("it has {}", names.join(", "))).into()
    }
}
