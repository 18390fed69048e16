//! What may be typed after `mlt import`.

use std::ffi::OsString;

use clap::Args;

/// Take in traces from files and other stores, into a server or a SQLite database.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Files of traces or spans, folders of such files, an mlruns folder, a database, or - for standard input
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<OsString>,

    /// Show which traces would be taken in, and take none
    #[arg(long)]
    pub dry_run: bool,
}

/// Behind the help.
pub(super) const HELP: &str = "\
What is read:
  All that -u reads but servers: JSON and JSON lines of MLflow and of mlt, OpenTelemetry's spans in
  JSON or protobuf, packed by gzip or not, mlruns folders and SQLite databases.

Where it goes:
  Into the server or database that -u or $MLFLOW_TRACKING_URI names, into the experiment of the
  same name, else into Default; -x names another one. Ids, times, tags, metadata and assessments
  are kept. Traces that are there already stay as they are, so that the same command again goes on.";
