//! What may be typed after `mlt check`.

use std::path::PathBuf;

use clap::Args;

use super::SelectionArgs;
use crate::units::{Percent, Period};

pub(super) const HELP: &str = "\
Rules:
  aggregate(measure where filter) comparator value, for example
    p95(duration) <= 2s                  error_rate() <= 1%
    max(self where span.name = 'retrieve') <= 300ms
    count(span where span.type = 'TOOL') <= 5
    avg(feedback.correctness) >= 0.9     sum(tokens) <= 10k
  The duration of a trace is the one that was recorded with it, in whole milliseconds, as in mlt
  search and stats; mlt latency and diff take that of the root span, in nanoseconds.
  The language is explained by `mlt help rules`.

In CI:
  mlt check --since 1h --require 'p95(duration) <= 2s' --wait 60s --summary \"$GITHUB_STEP_SUMMARY\"
  exits with 0 when every rule holds and with 1 when one does not.";

/// Judge traces by rules: exit with 1 when one does not hold.
///
/// A rule without any trace or sample to measure fails, and so does a check of traces in progress.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct CheckArgs {
    #[allow(missing_docs)]
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Rules that must hold, such as 'p95(duration) <= 2s' (repeatable)
    #[arg(long = "require", value_name = "RULE", num_args = 1.., help_heading = "Rules")]
    pub rules: Vec<String>,

    /// A file of rules, one a line, or - for standard input; # begins a comment (repeatable)
    #[arg(long = "rules", value_name = "FILE", help_heading = "Rules")]
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Write the values of all aggregates to this file, for a later --baseline
    #[arg(long, value_name = "FILE", help_heading = "Rules")]
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub save: Option<PathBuf>,

    /// Compare each aggregate with its value in a file that --save wrote
    ///
    /// A rule may then be an aggregate alone. Less feedback and fewer good traces are worse, and
    /// more of time, tokens, money and errors.
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Rules",
        requires = "max_regression"
    )]
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub baseline: Option<PathBuf>,

    /// By how much a value may be worse than in the baseline, such as 10%
    ///
    /// A value fails that is worse by more than this and by more than chance explains at 95 %;
    /// chance is told from 20 traces on each side, each of which is one sample, however many
    /// spans of it are measured.
    #[arg(
        long,
        value_name = "PERCENT",
        help_heading = "Rules",
        requires = "baseline"
    )]
    pub max_regression: Option<Percent>,

    /// Fail values that are worse by more than --max-regression, whatever chance explains
    #[arg(long, help_heading = "Rules", requires = "max_regression")]
    pub strict: bool,

    /// Wait so long for the first trace, for traces in progress, and for counts that have to be larger
    ///
    /// It ends as soon as no trace is in progress and there are as many as the rules ask for by
    /// count() >= N. A trace that is not there yet is not waited for, so ask for as many as you
    /// expect: 'count() >= 1' is content with the first.
    #[arg(long, value_name = "TIME", help_heading = "Rules")]
    pub wait: Option<Period>,

    /// Leave traces in progress out, instead of failing
    #[arg(long, help_heading = "Rules")]
    pub ignore_in_progress: bool,

    /// Leave traces that cannot be read out, instead of failing
    #[arg(long, help_heading = "Rules")]
    pub ignore_unreadable: bool,

    /// Pass when no traces match, and rules that have nothing to measure
    #[arg(long, help_heading = "Rules")]
    pub allow_empty: bool,

    /// Add a Markdown summary to the end of this file, or with - to standard output
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub summary: Option<PathBuf>,
}
