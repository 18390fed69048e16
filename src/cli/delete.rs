//! What may be typed after `mlt delete`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::values::at_least_one;
use super::{FilterArgs, MlflowIds};
use crate::complete;

/// Delete traces with all that belongs to them, for good.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Trace ids, unique beginnings of ids, MLflow UI links, latest, latest~1 (the one before), or - for ids on standard input
    #[arg(value_name = "TRACE", add = ArgValueCompleter::new(complete::trace_ids))]
    pub traces: Vec<String>,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub mlflow: MlflowIds,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub belt: DeletionArgs,
}

/// How careful a deletion is.
#[derive(Debug, Args)]
pub struct DeletionArgs {
    /// Delete nothing where there are more traces to delete than that
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max: Option<u64>,

    /// Look the traces up, show which would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask; without a terminal to ask on, nothing is deleted unless this is given
    #[arg(short, long)]
    pub yes: bool,
}
