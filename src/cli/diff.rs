//! What may be typed after `mlt diff`.

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::values::at_least_one;
use super::{FilterArgs, LimitArgs};
use crate::analysis;
use crate::complete;

pub(super) const HELP: &str = "\
Sides:
  mlt diff BASE NEW                                  two traces
  mlt diff before.json after.jsonl                   two files of traces
  mlt diff --base-filter FILTER -f FILTER            two sets of traces
  Of sets and files, --base-filter chooses the base and -f the new side; all other flags hold for
  both, and -n for each:
  mlt diff --name checkout --base-filter \"tags.release = '1'\" -f \"tags.release = '2'\"
What is told:
  Spans belong together when all names from the root down are the same: the first to the first,
  the second to the second. Changes of the time on the critical path add up to the change of the
  duration; SHARE % is a row's part of it, and ERRORS are calls that failed, of sets as a share of
  all calls. SHARE % is negative for what changed the other way: for what got slower while the
  duration fell, and the reverse. Of sets, every other figure is the mean per trace. Durations are
  those of root spans, in nanoseconds, while mlt search, stats and check have MLflow's, in whole
  milliseconds.
  What chance explains of sets, from 20 traces on each side: whether durations changed is told by
  the typical one, the geometric mean, by Welch's test on logarithms (0 counts as 1 ns), and so
  are tokens and cost, by log(1 + x); p50 and p95 by bootstrap (a p95 from 40 traces on, where
  one side has over half as many more); failures and feedback of true and false by Newcombe's
  interval for two shares; other scores by Welch's test. The mean duration has a bootstrap interval
  and no verdict, since it has a long tail.
  Rows are judged together (Benjamini and Hochberg, 5 %), from 10 traces on each side that have
  such a span: by the time in traces that have some, or by how often there is some (Fisher). Where
  the duration is within noise, there are no shares of its change.
  -o json and csv have test, p, p_adjusted, intervals and verdict: higher, lower, noise or too_few.
  The exit code is 0 whatever differs.";

/// Show what differs between two traces, or two sets of traces.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// What to compare with: a trace id, the unique beginning of one, an MLflow UI link, latest, or a .json or .jsonl file
    #[arg(value_name = "BASE", add = ArgValueCompleter::new(complete::trace_ids))]
    pub base: Option<String>,

    /// What to compare: likewise
    #[arg(value_name = "NEW", add = ArgValueCompleter::new(complete::trace_ids))]
    pub new: Option<String>,

    /// A filter for the traces to compare with, while -f is for the new ones (repeatable; all must hold)
    #[arg(
        long = "base-filter",
        value_name = "FILTER",
        help_heading = "Which traces"
    )]
    #[arg(add = ArgValueCompleter::new(complete::filter))]
    pub base_filters: Vec<String>,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub limit: LimitArgs,

    /// What a row stands for
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "KEY",
        help_heading = "Rows"
    )]
    pub by: DiffBy,

    /// What rows are sorted by, the largest change first
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "COLUMN",
        alias = "order-by",
        help_heading = "Rows"
    )]
    pub sort: DiffSort,

    /// Only the first so many rows
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Rows")]
    pub top: Option<u64>,

    /// Which columns of the rows, separated by commas: name,critical_change_ns,verdict
    #[arg(long, value_name = "COLUMN,…", help_heading = "Rows", add = ArgValueCompleter::new(complete::diff_columns))]
    pub columns: Vec<String>,

    /// Which random numbers the intervals are drawn with: the same seed gives the same intervals
    #[arg(long, value_name = "N", default_value_t = analysis::DEFAULT_SEED, help_heading = "Rows")]
    pub seed: u64,
}

/// What a row of a comparison stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffBy {
    /// Spans with the same names from the root down
    #[default]
    Path,
    /// Spans of one name
    Name,
    /// Spans of one type
    Type,
}

impl From<DiffBy> for analysis::By {
    fn from(by: DiffBy) -> Self {
        match by {
            DiffBy::Path => Self::Path,
            DiffBy::Name => Self::Name,
            DiffBy::Type => Self::Type,
        }
    }
}

/// What the rows of a comparison are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffSort {
    /// Time on the critical path: what contributes most to the change of the duration
    #[default]
    Critical,
    /// Self time
    #[value(name = "self")]
    SelfTime,
    /// Number of calls
    Calls,
    /// Number of errors
    Errors,
    /// Key, ascending
    Name,
}

impl From<DiffSort> for analysis::DiffSort {
    fn from(sort: DiffSort) -> Self {
        match sort {
            DiffSort::Critical => Self::Critical,
            DiffSort::SelfTime => Self::SelfTime,
            DiffSort::Calls => Self::Calls,
            DiffSort::Errors => Self::Errors,
            DiffSort::Name => Self::Name,
        }
    }
}
