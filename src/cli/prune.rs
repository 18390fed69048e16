//! What may be typed after `mlt prune`.

use clap::Args;

use super::{DeletionArgs, FilterArgs};
use crate::units::TimePoint;

/// What is to be kept, for the help of the command.
pub(super) const HELP: &str = "\
What to keep, of the traces that are old enough:
  errors        those in the state ERROR
  slowest:1%    the slowest, a share of them or (slowest:20) so many
  5/name        the newest five of each name; 1/session, 3/tags.env and other keys likewise
  a filter      those that match, such as \"tags.keep = 'yes'\" or \"feedback.helpful = false\"
A trace stays if any of these keeps it.";

/// Delete old traces but for those worth keeping, for good.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Only traces that began before: 30d (ago), 2026-11-22 or 2026-11-22T08:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub older_than: TimePoint,

    /// What to keep of them: errors, slowest:1%, slowest:20, 5/name, or a filter (repeatable)
    #[arg(long, value_name = "RULE", required = true)]
    pub keep: Vec<String>,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub belt: DeletionArgs,
}
