//! What may be typed after `mlt experiments`.

use clap::{Args, ValueEnum};

/// List experiments with their traces.
#[derive(Debug, Args)]
pub struct ExperimentsArgs {
    /// Deleted experiments too (servers and databases)
    #[arg(long)]
    pub deleted: bool,

    /// What rows are sorted by
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "COLUMN",
        alias = "order-by"
    )]
    pub sort: ExperimentSort,
}

/// What experiments are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ExperimentSort {
    /// The time of the newest trace, newest first
    #[default]
    Last,
    /// The time of the oldest trace, oldest first
    First,
    /// The number of traces, largest first
    Traces,
    /// Name, ascending
    Name,
    /// Id, ascending
    Id,
}
