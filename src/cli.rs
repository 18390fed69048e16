//! The command line: what may be typed, as clap structs. Nothing is resolved
//! here; the values are what the user wrote, checked one by one.

mod values;

use std::ffi::OsString;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::analysis;
use crate::complete;
use crate::render::Column;

pub use values::{Fraction, Period, TimePoint};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a condition that you asked for failed (--fail-empty, a tag that could not be set)
  2    usage or filter syntax
  3    not found
  4    server or network
  5    not authorised
  6    unreadable local data
  130  interrupted";

/// Inspect MLflow traces: find them, look into them, see where the time went.
///
/// Traces come from a tracking server, a JSON file, standard input or the
/// built-in demo store; try `mlt -u demo: latency latest`.
#[derive(Debug, Parser)]
#[command(name = "mlt", version, styles = STYLES, after_long_help = EXIT_CODES)]
#[command(
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// Where the traces are: http(s)://…, sqlite:///…, databricks, an mlruns folder, a .json or .jsonl file, - for standard input, or demo:
    ///
    /// The default is $MLFLOW_TRACKING_URI, else ./mlruns or ./mlflow.db, whichever MLflow would use here.
    #[arg(short = 'u', long, global = true, value_name = "URI", value_hint = clap::ValueHint::AnyPath)]
    #[arg(help_heading = "Connection")]
    pub tracking_uri: Option<String>,

    /// Only traces of this experiment, by id or name (repeatable)
    ///
    /// The default is $MLFLOW_EXPERIMENT_NAME or $MLFLOW_EXPERIMENT_ID, else every active experiment.
    #[arg(
        short = 'x',
        long = "experiment",
        global = true,
        value_name = "ID|NAME"
    )]
    #[arg(help_heading = "Connection", add = ArgValueCompleter::new(complete::experiments))]
    pub experiments: Vec<String>,

    /// Longest wait for a sign of life from the server [default: 30s]
    ///
    /// A number with a unit, such as 5s or 2m. The default is $MLFLOW_HTTP_REQUEST_TIMEOUT, else 30s.
    #[arg(long, global = true, value_name = "TIME", help_heading = "Connection")]
    pub timeout: Option<Period>,

    /// How often to repeat a request that failed in passing [default: 3]
    ///
    /// Requests are repeated after connection faults and the statuses 408, 429, 502, 503 and 504.
    /// The default is $MLFLOW_HTTP_REQUEST_MAX_RETRIES, else 3.
    #[arg(long, global = true, value_name = "N", help_heading = "Connection")]
    pub retries: Option<u32>,

    /// How to print
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    #[arg(help_heading = "Output")]
    pub output: OutputFormat,

    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    #[arg(help_heading = "Output")]
    pub color: ColorChoice,

    /// Do not page long output on a terminal
    #[arg(long, global = true, help_heading = "Output")]
    pub no_pager: bool,

    /// Show each request on standard error
    #[arg(short, long, global = true, action = ArgAction::SetTrue, help_heading = "Output")]
    pub verbose: bool,
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values
    Csv,
    /// Tab-separated values
    Tsv,
    /// Trace ids, one per line (search only)
    Ids,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR or CLICOLOR=0 is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find traces
    #[command(visible_alias = "ls", after_long_help = FILTER_HELP)]
    Search(SearchArgs),
    /// Show traces with their spans
    #[command(visible_alias = "show")]
    Get(GetArgs),
    /// Set and delete tags of traces
    Tag(TagArgs),
    /// Show where the time of a trace went
    #[command(after_long_help = LATENCY_HELP)]
    Latency(LatencyArgs),
    /// Print a shell's completion script
    ///
    /// For bash, for example: source <(mlt completions bash)
    Completions(CompletionsArgs),
    /// Write man pages
    Man(ManArgs),
    /// Explain a command, or the filter language: mlt help filter
    Help(HelpArgs),
}

const FILTER_HELP: &str = "\
Filters:
  A filter is conditions joined by AND, OR, NOT and parentheses; several -f are joined by AND.
    status = 'ERROR' AND (duration > 2s OR tokens > 10k)
    tags.env = 'prod' AND name LIKE 'checkout%' AND time > -2h
    session = 'chat-7' AND NOT feedback.correctness >= 0.8
    span.type = 'TOOL' AND span.status = 'ERROR'                    (both of the same span)
    any(span.duration > 500ms) AND count(span.type = 'TOOL') >= 3
  Keys: status, name, time, duration, end_time, experiment, session, user, tokens, cost, spans,
  trace_id, client_request_id, run_id, prompt, tags.K, metadata.K, feedback.K, expectation.K,
  issue.id, span.name, span.type, span.status, span.duration, span.model, span.error,
  span.attributes.K, text.
  Comparators: = != < <= > >= BETWEEN IN LIKE ILIKE RLIKE, NOT before those, IS NULL, IS NOT NULL.
  Text is quoted; keys with spaces or dashes go in back quotes. All of it: mlt help filter";

const LATENCY_HELP: &str = "\
Columns:
  TOTAL  durations as recorded, nested spans counted again; a name nested in itself counts once
  SELF   time in a span that none of its children covers
  CRIT   time on the critical path: what has to shrink for the trace to end sooner; adds up to 100 %
  The critical path is inferred from times alone and claims no causality.";

/// Which traces: a filter, and shorthands that become one.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Which traces")]
pub struct FilterArgs {
    /// A filter (repeatable; all must hold)
    #[arg(short, long = "filter", value_name = "FILTER", add = ArgValueCompleter::new(complete::filter))]
    pub filters: Vec<String>,

    /// Send this filter unchecked, for servers that know more than mlt
    #[arg(long, value_name = "FILTER")]
    pub raw_filter: Option<String>,

    /// In this state: OK, ERROR or IN_PROGRESS (repeatable; any may hold)
    #[arg(long, value_name = "STATE", ignore_case = true, value_parser = ["OK", "ERROR", "IN_PROGRESS"])]
    pub status: Vec<String>,

    /// With this name; with a % in it, % stands for any text and _ for any character
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::trace_names))]
    pub name: Option<String>,

    /// With this tag (repeatable)
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,

    /// With this metadata (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,

    /// Of this session (conversation)
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,

    /// Of this end user
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,

    /// Of this run
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,

    /// Of this logged model
    #[arg(long, value_name = "ID")]
    pub model_id: Option<String>,

    /// With this client request id
    #[arg(long, value_name = "ID")]
    pub client_request_id: Option<String>,

    /// With a span of this name
    #[arg(long, value_name = "NAME")]
    pub span_name: Option<String>,

    /// With a span of this type, such as LLM or TOOL
    #[arg(long, value_name = "TYPE", add = ArgValueCompleter::new(complete::span_types))]
    pub span_type: Option<String>,

    /// With this text in a span, in any case; a trace id is looked up; % and _ stand for any text and character
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,

    /// That took at least this long, such as 500ms or 2s
    #[arg(long, value_name = "TIME")]
    pub min_duration: Option<Period>,

    /// That took at most this long
    #[arg(long, value_name = "TIME")]
    pub max_duration: Option<Period>,

    /// That began at or after: 1h, 7d, 2026-11-22, or RFC 3339
    ///
    /// A date without a time is midnight in the local time zone.
    #[arg(long, value_name = "TIME")]
    pub since: Option<TimePoint>,

    /// That began before: 1h, 7d, 2026-11-22, or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub until: Option<TimePoint>,
}

/// Find traces.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct SearchArgs {
    /// Text to find in spans in any case, or a trace id; filters go behind -f
    #[arg(value_name = "TEXT", conflicts_with = "text")]
    pub query: Option<String>,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Sort by a key, with ASC or DESC behind it (repeatable) [default: newest first]
    #[arg(long, value_name = "KEY", allow_hyphen_values = true, add = ArgValueCompleter::new(complete::order_keys))]
    pub order_by: Vec<String>,

    /// At most so many traces
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "all")]
    pub limit: u64,

    /// Every trace that matches
    #[arg(long)]
    pub all: bool,

    /// Print only how many traces match
    #[arg(long, conflicts_with_all = ["include_spans", "columns", "sample"])]
    pub count: bool,

    /// Keep each match with this probability, 0 to 1
    #[arg(long, value_name = "FRACTION")]
    pub sample: Option<Fraction>,

    /// Which sample: the same seed keeps the same traces
    #[arg(long, value_name = "N", requires = "sample")]
    pub seed: Option<u64>,

    /// Which columns, separated by commas
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', add = ArgValueCompleter::new(complete::columns))]
    pub columns: Vec<Column>,

    /// Fetch the spans of each trace too (json and jsonl)
    #[arg(long)]
    pub include_spans: bool,

    /// Exit with 1 when nothing matches
    #[arg(long)]
    pub fail_empty: bool,

    /// Look at so many traces at most, where the server cannot evaluate the whole filter
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub scan_limit: Option<u64>,

    /// Show what the server or database is asked, what is evaluated here, and what it takes
    #[arg(long, conflicts_with = "dry_run")]
    pub explain: bool,

    /// Print the request instead of sending it
    #[arg(long)]
    pub dry_run: bool,
}

/// Show traces with their spans.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Trace ids, unique beginnings of ids, MLflow UI links, latest, or - for ids on standard input
    #[arg(required = true, value_name = "TRACE", add = ArgValueCompleter::new(complete::trace_ids))]
    pub traces: Vec<String>,

    /// Show the inputs and outputs of each span
    #[arg(long)]
    pub io: bool,

    /// Show one span in full, by id or name
    #[arg(long, value_name = "ID|NAME", conflicts_with_all = ["io", "errors", "span_type", "depth"])]
    pub span: Option<String>,

    /// Only spans that failed
    #[arg(long)]
    pub errors: bool,

    /// Only spans of this type, such as LLM or TOOL
    #[arg(long = "type", value_name = "TYPE", add = ArgValueCompleter::new(complete::span_types))]
    pub span_type: Option<String>,

    /// Only so many levels of the tree
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub depth: Option<u64>,

    /// Cut inputs, outputs and attributes to so many characters
    #[arg(long, value_name = "N")]
    pub max_chars: Option<usize>,
}

/// Set and delete tags of traces.
#[derive(Debug, Args)]
pub struct TagArgs {
    /// Traces, as for get, and tags to set
    #[arg(value_name = "TRACE… KEY=VALUE", add = ArgValueCompleter::new(complete::trace_ids))]
    pub words: Vec<String>,

    /// A tag to delete (repeatable)
    #[arg(short, long = "delete", value_name = "KEY")]
    pub delete: Vec<String>,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Show what would be done and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask before tagging several matches of a filter; without a terminal nobody is asked
    #[arg(short, long)]
    pub yes: bool,
}

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

/// Print a shell's completion script.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Write man pages.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page per command into this folder; without it, mlt(1) goes to standard output
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub dir: Option<std::path::PathBuf>,
}

/// Explain a command, or the filter language.
#[derive(Debug, Args)]
pub struct HelpArgs {
    /// A command, or filter; without it, the commands are listed
    #[arg(value_name = "TOPIC", add = ArgValueCompleter::new(complete::help_topics))]
    pub topic: Option<String>,
}

impl Cli {
    /// Parses words of a command line, the program's name first.
    ///
    /// # Errors
    /// clap's own, help and version included.
    pub fn parse_words(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(words)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
