//! What may be typed after `mlt export`.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::SelectionArgs;
use super::values::rows;
use crate::complete;
use crate::export::{Format, What, registry};

const FILES: &str = "\
Files:
  A file gets its name when it is complete; until then, what was there stays. A link stays a link:
  the file behind it is replaced. A read-only file is not replaced, and a device or pipe is written
  into, with and without --force. Two exports to one file do not run at the same time.

Stopping and going on:
  With --to FOLDER, what is there already is passed over, so the same command goes on where it was
  stopped; of parts, the file _mlt_parts in the folder says which traces are in which.
  With -o jsonl --to FILE, what was fetched is in FILE.part then, and what was asked for in
  FILE.part.state: the same command goes on with --resume, and no other. A finished file gets the
  traces that it lacks. In the other formats a file that was stopped is of no use: it is removed,
  and the export begins anew. Only kill -9 leaves a file that begins with .mlt- and may be removed.";

/// The formats, and how files are written.
pub(super) fn help() -> String {
    format!("Formats (-o):\n{}\n{FILES}", formats())
}

/// A line or more for each format, or for some that are told together.
fn formats() -> String {
    let mut text = String::new();
    for alike in registry::FORMATS.chunk_by(|a, b| a.about == b.about) {
        let names: Vec<&str> = alike.iter().map(|format| format.name).collect();
        let about = alike[0].about.replace('\n', INDENT);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<10}  {about}", names.join(" "));
    }
    text
}

/// Under what is said of a format.
const INDENT: &str = "\n              ";

fn what_help() -> String {
    let names = registry::names(Format::has_traces_alone).join(", ");
    format!("Write spans with their traces, or traces alone ({names})")
}

fn columns_help() -> String {
    let names = registry::names(|format| format.has_columns).join(", ");
    format!("Which columns, separated by commas: trace_id,name,duration_ns,tags.KEY ({names})")
}

fn parts_help() -> String {
    let names = registry::names(Format::goes_in_parts).join(", ");
    format!("In parts: a new file in the folder after so many rows, no trace in two ({names})")
}

/// Write traces to files, for other tools and their viewers.
#[derive(Debug, Args)]
pub struct ExportArgs {
    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Into this file, or with a file for each trace into this folder, named with a / behind it
    #[arg(long, value_name = "FILE|FOLDER/", value_hint = clap::ValueHint::AnyPath)]
    pub to: Option<PathBuf>,

    // The formats are told by their registry.
    #[allow(missing_docs)]
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help = what_help())]
    pub what: What,

    #[allow(missing_docs)]
    #[arg(long, value_name = "COLUMN,…", help = columns_help(), add = ArgValueCompleter::new(complete::span_columns))]
    pub columns: Vec<String>,

    #[allow(missing_docs)]
    #[arg(long, value_name = "N", requires = "to", help = parts_help(), value_parser = rows)]
    pub rows_per_file: Option<NonZeroUsize>,

    /// In parts, those of each day (UTC) in a folder such as date=2026-11-22, as Hive has it
    #[arg(long, value_enum, value_name = "WHAT", requires = "to")]
    pub partition_by: Option<PartitionBy>,

    /// Go on with a file of JSON lines: keep the traces that it has, add the others
    #[arg(long, requires = "to")]
    pub resume: bool,

    /// Overwrite what is there
    #[arg(long, requires = "to", conflicts_with = "resume")]
    pub force: bool,
}

/// What the parts of an export are set apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartitionBy {
    /// The day on which a trace began
    Date,
}

impl PartitionBy {
    /// As it is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Date => "date",
        }
    }
}

impl ValueEnum for What {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Spans, Self::Traces]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Spans => PossibleValue::new(self.as_str()).help("Spans"),
            Self::Traces => {
                PossibleValue::new(self.as_str()).help("What is known without the spans")
            }
        })
    }
}
