//! What may be typed after `mlt run` and `mlt event`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use regex::Regex;

use crate::units::{Fraction, Period};

/// What a run passes on, for the help of the command.
pub(super) const HELP: &str = "\
The command has this terminal, these streams and signals, and mlt ends as it ends: with its exit
status or by its signal. What is not 0 is an error, told by the last lines of standard error where
that is no terminal. Within it, mlt run makes a span and mlt event a note, by TRACEPARENT;
programs with OpenTelemetry join likewise, and are told of a server that wants no login by
OTEL_EXPORTER_OTLP_TRACES_*, unless that is set or -x is a name. Secrets are hidden in command
lines, errors, events and tags, as far as their names and forms tell.";

/// Run a command as a trace.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What to call it [default: the name of the command]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// A tag of the trace (repeatable)
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,

    /// The type of the span
    #[arg(long, value_name = "TYPE", default_value = "TASK")]
    pub span_type: String,

    /// Begin a trace, also within another command that is one: in the same place and experiment,
    /// unless -u and -x name others
    #[arg(long)]
    pub root: bool,

    /// Hide what this regular expression finds, too (repeatable)
    #[arg(long, value_name = "REGEX")]
    pub mask: Vec<Regex>,

    /// Keep this share of the traces, such as 0.1 or 10%
    #[arg(long, value_name = "SHARE")]
    pub sample: Option<Fraction>,

    /// Keep in this folder what cannot be sent; `mlt import DIR` sends it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub spool: Option<PathBuf>,

    /// Wait at most so long for the store, once the command has ended
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub wait: Period,

    /// The command with its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, value_hint = clap::ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// Note something in the trace of the surrounding `mlt run`.
#[derive(Debug, Args)]
pub struct EventArgs {
    /// What happened
    #[arg(value_name = "NAME")]
    pub name: String,

    /// More about it: numbers, true, false, JSON, or else texts
    #[arg(value_name = "KEY=VALUE")]
    pub attributes: Vec<String>,
}
