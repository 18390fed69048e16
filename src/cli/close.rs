//! What may be typed after `mlt close`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::{FilterArgs, MlflowIds};
use crate::complete;
use crate::units::Period;

/// Finish traces that are stuck in progress, since the program that made them is gone.
///
/// They end when their last span did, or where there is none, when they began.
#[derive(Debug, Args)]
pub struct CloseArgs {
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

    /// The state that they get
    #[arg(long, value_name = "STATE", ignore_case = true, default_value = "ERROR", value_parser = ["ERROR", "OK"])]
    pub state: String,

    /// Only those without a sign of life for so long [default: 1h]
    ///
    /// A sign of life is the start of the trace, and the start and the end of a span. With this
    /// and without ids and filters, all such traces are closed.
    #[arg(long, value_name = "TIME")]
    pub older_than: Option<Period>,

    /// Look the traces up, show which would be closed and with what end, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask before closing several matches; without a terminal nobody is asked
    #[arg(short, long)]
    pub yes: bool,
}
