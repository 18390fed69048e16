//! Which traces a command over many of them is about.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;

use super::FilterArgs;
use super::values::at_least_one;
use crate::complete;

/// Traces by name, or by what a filter finds.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize)]
pub struct SelectionArgs {
    /// Trace ids, unique beginnings of ids, MLflow UI links, latest, latest~1 (the one before), or - for ids on standard input
    #[arg(value_name = "TRACE", add = ArgValueCompleter::new(complete::trace_ids))]
    pub traces: Vec<String>,

    #[allow(missing_docs)]
    #[command(flatten)]
    #[serde(flatten)]
    pub mlflow: MlflowIds,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    #[serde(flatten)]
    pub filter: FilterArgs,

    #[allow(missing_docs)]
    #[command(flatten)]
    #[serde(flatten)]
    pub limit: LimitArgs,

    /// Whether a list of traces was named that is empty.
    #[arg(skip)]
    #[serde(skip)]
    pub names_none: bool,

    /// Every trace, where there is no filter
    #[arg(long, help_heading = "Which traces", conflicts_with_all = ["traces", "limit"])]
    pub all: bool,
}

/// Traces that are named in MLflow's way.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize)]
pub struct MlflowIds {
    /// Trace ids
    #[arg(
        long = "trace-id",
        hide = true,
        value_name = "ID",
        value_delimiter = ','
    )]
    pub trace_ids: Vec<String>,
}

/// How many of the traces that match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Args, Serialize)]
pub struct LimitArgs {
    /// At most so many of the traces that match, the newest first [default: all]
    #[arg(
        short = 'n',
        long,
        alias = "max-results",
        value_name = "N",
        help_heading = "Which traces"
    )]
    #[arg(value_parser = at_least_one)]
    pub limit: Option<u64>,
}

impl SelectionArgs {
    pub(super) fn trace_words(&mut self) -> (&mut Vec<String>, &mut Vec<String>) {
        (&mut self.traces, &mut self.mlflow.trace_ids)
    }

    /// Whether traces are chosen by a filter, a limit or as all there are.
    pub fn is_search(&self) -> bool {
        self.all || self.limit.limit.is_some() || self.filter != FilterArgs::default()
    }
}
