//! What may be typed after `mlt sessions`.

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::FilterArgs;
use super::values::at_least_one;
use crate::complete;

pub(super) const HELP: &str = "\
Columns:
  A session has the traces with its id that match; filters choose traces, so that with --since 1d
  turns, tokens, cost and errors are those of a day.
  user            of the last turn that names one
  duration_ns     summed over the turns; the time between them is not in it
  errors          turns in the state ERROR; state is that of the last turn
  worst_feedback  the name of the feedback with the lowest value, and worst_value that value:
                  true and yes are 1, false and no are 0, other texts have none";

/// List conversations of several traces.
#[derive(Debug, Args)]
pub struct SessionsArgs {
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    /// At most so many sessions [default: 100]
    #[arg(short = 'n', long, alias = "max-results", value_name = "N", value_parser = at_least_one)]
    pub limit: Option<u64>,

    /// Every session
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,

    /// Sum up what is within a session: the outer ones on this level, by its name or its
    /// number, the outermost being 1
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<String>,

    /// What rows are sorted by
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "COLUMN",
        alias = "order-by"
    )]
    pub sort: SessionSort,

    /// Which columns, separated by commas: session,turns,cost
    #[arg(long, value_name = "COLUMN,…", add = ArgValueCompleter::new(complete::session_columns))]
    pub columns: Vec<String>,
}

/// What sessions are sorted by; ties by the newest last turn, then by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SessionSort {
    /// The last turn, newest first
    #[default]
    Last,
    /// The first turn, newest first
    First,
    /// Turns, most first
    Turns,
    /// Summed duration, longest first
    Duration,
    /// Tokens, most first
    Tokens,
    /// Cost, highest first
    Cost,
    /// Turns that failed, most first
    Errors,
    /// The worst feedback, lowest first
    Worst,
    /// The user, ascending
    User,
    /// The session's id, ascending
    Id,
}
