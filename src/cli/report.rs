//! What may be typed after `mlt report`.

use clap::Args;

use super::SelectionArgs;
use super::values::whole_number;

pub(super) const HELP: &str = "\
Examples:
  mlt report latest -o report.html
  mlt report --status ERROR --since 1d -o failed.html
  mlt report tr-3934 > report.html
  The page needs no network and runs nothing but its own script; it can be read without that, too.";

/// Write traces as one page for a browser.
#[derive(Debug, Args)]
pub struct ReportArgs {
    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Cut inputs, outputs, attributes and other texts to so many characters
    #[arg(long, value_name = "N", value_parser = whole_number::<usize>)]
    pub max_chars: Option<usize>,
}
