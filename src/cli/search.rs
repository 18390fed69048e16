//! What may be typed after `mlt search`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::FilterArgs;
use super::values::at_least_one;
use crate::complete;
use crate::render::Column;
use crate::units::{Fraction, Period};

pub(super) const HELP: &str = "\
Filters:
  Conditions are joined by AND, OR, NOT and parentheses, several -f by AND.
    status = 'ERROR' AND (duration > 2s OR tokens > 10k)
    tags.env = 'prod' AND name LIKE 'checkout%' AND time > -2h
    session = 'chat-7' AND NOT feedback.correctness >= 0.8
    span.type = 'TOOL' AND span.status = 'ERROR'      (both of the same span)
    any(span.duration > 500ms) AND count(span.type = 'TOOL') >= 3
  Keys: status, name, time, duration, end_time, experiment, session, user,
  tokens, cost, spans, trace_id, client_request_id, run_id, prompt, tags.K,
  metadata.K, feedback.K, expectation.K, issue.id, span.name, span.type,
  span.status, span.duration, span.model, span.error, span.tokens, span.cost,
  span.attributes.K, text.
  Comparators: = != < <= > >= BETWEEN IN LIKE ILIKE RLIKE, NOT before those,
  IS NULL, IS NOT NULL. Text is quoted; keys with spaces or dashes go in back
  quotes. All of it: mlt help filter";

/// Find traces.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct SearchArgs {
    /// Text to find in spans in any case (% and _ stand for any text and character), or a trace id; filters go behind -f
    #[arg(value_name = "TEXT", conflicts_with = "text")]
    pub query: Option<String>,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    /// MLflow's way to name a trace
    #[arg(long, hide = true, value_name = "ID", conflicts_with_all = ["query", "text"])]
    pub trace_id: Option<String>,

    /// Sort by any column, with ASC or DESC behind it or - before it (repeatable) [default: newest first]
    ///
    /// What the store does not sort by is sorted here, after a look at all that match.
    #[arg(long, alias = "sort", value_name = "KEY", allow_hyphen_values = true, add = ArgValueCompleter::new(complete::order_keys))]
    pub order_by: Vec<String>,

    /// At most so many traces [default: 100]
    #[arg(short = 'n', long, alias = "max-results", value_name = "N")]
    #[arg(value_parser = at_least_one, conflicts_with_all = ["all", "count"])]
    pub limit: Option<u64>,

    /// Every trace that matches
    #[arg(long)]
    pub all: bool,

    /// Print only how many traces match, however many these are
    #[arg(long, conflicts_with_all = ["include_spans", "columns", "sample"])]
    pub count: bool,

    /// Keep each match with this probability, 0 to 1
    #[arg(long, value_name = "FRACTION")]
    pub sample: Option<Fraction>,

    /// Which sample: the same seed keeps the same traces
    #[arg(long, value_name = "N", requires = "sample")]
    pub seed: Option<u64>,

    /// Which fields to show: trace_id, time, name, state, duration, tokens, cost, model, error, failed,
    /// spans, tags.KEY, feedback.NAME and so on
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', add = ArgValueCompleter::new(complete::columns))]
    pub columns: Vec<Column>,

    /// Fetch the spans of each trace too (json and jsonl)
    #[arg(long)]
    pub include_spans: bool,

    /// Exit with 1 when nothing matches
    #[arg(long)]
    pub fail_empty: bool,

    /// Look at so many traces at most, where the server cannot evaluate the whole filter
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub scan_limit: Option<u64>,

    /// Show what the server or database is asked, what is evaluated here, and what it takes
    #[arg(long, conflicts_with = "dry_run")]
    pub explain: bool,

    /// Print the request instead of sending it
    #[arg(long)]
    pub dry_run: bool,

    /// Go on: show each trace once it has finished, from now on or from --since, until Ctrl-C
    #[arg(long, conflicts_with_all = ["all", "limit", "count", "order_by", "scan_limit", "explain", "dry_run", "trace_id"])]
    pub follow: bool,

    /// With --follow: show traces that start, too
    #[arg(long, requires = "follow")]
    pub in_progress: bool,

    /// With --follow: end after so many that finished
    #[arg(long, value_name = "N", requires = "follow", value_parser = at_least_one)]
    pub until_count: Option<u64>,

    /// With --follow: end after so long, with 1 where --until-count was not reached
    #[arg(long = "for", value_name = "TIME", requires = "follow")]
    pub period: Option<Period>,
}
