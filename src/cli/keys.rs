//! What may be typed after `mlt keys`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::values::at_least_one;
use super::{FilterArgs, LimitArgs};
use crate::complete;

pub(super) const HELP: &str = "\
Numbers:
  TRACES and the number behind a value are traces, of those that were looked at: the newest 200,
  or as many as -n says, or every one with --all. Values longer than 200 characters, and records,
  are not listed. Without spans it goes quickly: mlt keys tags --all";

/// List keys to filter by, with their commonest values.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Only keys that begin like this, such as tags. or span.attributes.gen_ai
    #[arg(value_name = "PREFIX", add = ArgValueCompleter::new(complete::key_prefixes))]
    pub prefix: Option<String>,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Look at so many of the traces that match, the newest first
    #[arg(
        short = 'n',
        long,
        alias = "max-results",
        value_name = "N",
        default_value_t = 200
    )]
    #[arg(value_parser = at_least_one, help_heading = "Which traces")]
    pub limit: u64,

    /// Look at every trace that matches
    #[arg(long, help_heading = "Which traces", conflicts_with = "limit")]
    pub all: bool,

    /// At most so many values of each key [default: 10, in a piped table 5]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub values: Option<u64>,
}

impl KeysArgs {
    /// How many traces, `None` for all.
    pub fn limit(&self) -> LimitArgs {
        LimitArgs {
            limit: (!self.all).then_some(self.limit),
        }
    }
}
