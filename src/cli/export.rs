//! What may be typed after `mlt export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::SelectionArgs;
use crate::complete;

pub(super) const HELP: &str = "\
Formats (-o):
  otlp        OpenTelemetry's JSON, the body of a request to a collector's /v1/traces
  otlp-proto  the same in protobuf
  chrome      trace events for ui.perfetto.dev and chrome://tracing: a process for each trace, which
              begins at 0, and a lane for what runs at the same time
  speedscope  for speedscope.app: a profile for each lane of each trace
  folded      name;name;name N for flame graphs: self time in whole microseconds
  json jsonl  as mlt get writes them
  csv tsv     a row for each span, or for each trace with --what traces
  parquet     the same columns and values for DuckDB, Spark and pandas

Files:
  A file gets its name when it is complete; until then, what was there stays. A link stays a link:
  the file behind it is replaced. A read-only file is not replaced, and a device or pipe is written
  into, with and without --force. Two exports to one file do not run at the same time.

Stopping and going on:
  With --to FOLDER, what is there already is passed over, so the same command goes on where it was
  stopped. With -o jsonl --to FILE, what was fetched is in FILE.part then, and what was asked for in
  FILE.part.state: the same command goes on with --resume, and no other. A finished file gets the
  traces that it lacks. In the other formats a file that was stopped is of no use: it is removed,
  and the export begins anew. Only kill -9 leaves a file that begins with .mlt- and may be removed.";

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

    /// Write spans with their traces, or traces alone (json, jsonl, csv, tsv, parquet)
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub what: ExportWhat,

    /// Which columns, separated by commas: trace_id,name,duration_ns,tags.KEY (csv, tsv, parquet)
    #[arg(long, value_name = "COLUMN,…", add = ArgValueCompleter::new(complete::span_columns))]
    pub columns: Vec<String>,

    /// Go on with a file of JSON lines: keep the traces that it has, add the others
    #[arg(long, requires = "to")]
    pub resume: bool,

    /// Overwrite what is there
    #[arg(long, requires = "to", conflicts_with = "resume")]
    pub force: bool,
}

/// What is written of traces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportWhat {
    /// Spans
    #[default]
    Spans,
    /// What is known without the spans
    Traces,
}
