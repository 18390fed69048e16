//! What may be typed after `mlt assess`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::{FilterArgs, MlflowIds};
use crate::complete;

/// Say how good traces are, or what would have been right.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "flags")]
pub struct AssessArgs {
    /// Traces, as for get, and feedback to give: a number, true, false, a text, or JSON
    #[arg(value_name = "TRACE… NAME=VALUE", add = ArgValueCompleter::new(complete::trace_ids))]
    pub words: Vec<String>,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub mlflow: MlflowIds,

    /// Say what would have been right, not how good it was
    #[arg(long)]
    pub expectation: bool,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub rationale: Option<String>,

    /// Who judged: human, code or llm, and a name [default: human and the name of your login]
    #[arg(long, value_name = "KIND[:ID]")]
    pub source: Option<String>,

    /// About this span of the trace alone, by its name or id
    #[arg(long, value_name = "NAME|ID")]
    pub span: Option<String>,

    /// Metadata of the assessment (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set_metadata: Vec<String>,

    /// Take the place of one of the same name, kind, source and span; it is kept, and valid no more
    #[arg(long)]
    pub replace: bool,

    /// An assessment to delete, by its name or id (repeatable); what it replaced is valid again
    #[arg(short, long = "delete", value_name = "NAME|ID")]
    pub delete: Vec<String>,

    /// Assessments from a file, or - for standard input: on each line a JSON object with trace_id,
    /// name and value, and perhaps rationale, kind, source, span_id and metadata
    #[arg(
        long,
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        conflicts_with_all = ["span", "delete"]
    )]
    pub from: Option<PathBuf>,

    /// List the assessments there are, those that were replaced among them, and change nothing
    #[arg(
        long,
        conflicts_with_all = [
            "expectation", "rationale", "source", "span", "set_metadata", "replace", "delete",
            "dry_run", "yes", "from",
        ]
    )]
    pub list: bool,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Look the traces up, show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask before assessing several matches of a filter; without a terminal nobody is asked
    #[arg(short, long)]
    pub yes: bool,
}
