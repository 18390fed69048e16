//! What may be typed after `mlt tag`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::{FilterArgs, MlflowIds};
use crate::complete;

/// Set and delete tags of traces.
#[derive(Debug, Args)]
pub struct TagArgs {
    /// Traces, as for get, and tags to set
    #[arg(value_name = "TRACE… KEY=VALUE", add = ArgValueCompleter::new(complete::traces_and_tags))]
    pub words: Vec<String>,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub mlflow: MlflowIds,

    /// A tag to delete (repeatable)
    #[arg(short, long = "delete", value_name = "KEY")]
    pub delete: Vec<String>,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Look the traces up, show which tags would change and from what, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask before tagging several matches of a filter; without a terminal nobody is asked
    #[arg(short, long)]
    pub yes: bool,
}
