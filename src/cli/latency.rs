//! What may be typed after `mlt latency`.

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::analysis;
use crate::complete;

pub(super) const HELP: &str = "\
Columns:
  TOTAL  durations as recorded, nested spans counted again; a name nested in itself counts once
  SELF   time in a span that none of its children covers
  CRIT   time on the critical path: what has to shrink for the trace to end sooner; adds up to 100 %
  The critical path is inferred from times alone and claims no causality.";

/// Show where the time of a trace went.
#[derive(Debug, Args)]
pub struct LatencyArgs {
    /// A trace id, the unique beginning of one, an MLflow UI link, or latest
    #[arg(value_name = "TRACE", add = ArgValueCompleter::new(complete::trace_ids))]
    pub trace: String,

    /// What a row stands for
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    pub by: LatencyBy,

    /// What rows are sorted by, largest first
    #[arg(long, value_enum, default_value_t, value_name = "COLUMN")]
    pub sort: LatencySort,

    /// Only the first so many rows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub top: Option<u64>,

    /// List the sections of the critical path in time order
    #[arg(long)]
    pub critical_path: bool,

    /// List the time in which no span but the root ran
    #[arg(long)]
    pub gaps: bool,
}

/// What a row of the latency table stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LatencyBy {
    /// Spans of one name
    #[default]
    Name,
    /// Spans of one type
    Type,
    /// Spans that ended alike
    Status,
    /// One span
    Span,
    /// Spans with the same names from the root down
    Path,
}

impl From<LatencyBy> for analysis::By {
    fn from(by: LatencyBy) -> Self {
        match by {
            LatencyBy::Name => Self::Name,
            LatencyBy::Type => Self::Type,
            LatencyBy::Status => Self::Status,
            LatencyBy::Span => Self::Span,
            LatencyBy::Path => Self::Path,
        }
    }
}

/// What latency rows are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LatencySort {
    /// Self time
    #[default]
    #[value(name = "self")]
    SelfTime,
    /// Duration
    Total,
    /// Time on the critical path
    Critical,
    /// Number of spans
    Count,
    /// Name, ascending
    Name,
}

impl From<LatencySort> for analysis::Sort {
    fn from(sort: LatencySort) -> Self {
        match sort {
            LatencySort::SelfTime => Self::SelfTime,
            LatencySort::Total => Self::Total,
            LatencySort::Critical => Self::Critical,
            LatencySort::Count => Self::Count,
            LatencySort::Name => Self::Name,
        }
    }
}
