//! The command line: what may be typed, as clap structs. Nothing is resolved
//! here; the values are what the user wrote, checked one by one.

mod assess;
mod check;
mod close;
mod delete;
mod diff;
mod errors;
mod examples;
mod experiments;
mod export;
mod filter;
mod get;
mod import;
mod instrument;
mod keys;
mod latency;
mod mistakes;
mod output;
mod over_time;
mod prune;
mod report;
mod run;
mod search;
mod selection;
mod session;
mod sessions;
mod stats;
mod tag;
mod values;

use std::ffi::OsString;

use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::{
    ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};
use clap_complete::engine::ArgValueCompleter;

use crate::complete;
use crate::settings::Flags;
use crate::units::Period;

pub use assess::AssessArgs;
pub use check::CheckArgs;
pub use close::CloseArgs;
pub use delete::{DeleteArgs, DeletionArgs};
pub use diff::{DiffArgs, DiffBy, DiffSort};
pub use errors::{ErrorsArgs, Kinds, Per};
pub use examples::of as examples;
pub use experiments::{ExperimentSort, ExperimentsArgs};
pub use export::ExportArgs;
pub use filter::FilterArgs;
pub use get::GetArgs;
pub use import::ImportArgs;
pub use instrument::InstrumentArgs;
pub use keys::KeysArgs;
pub use latency::{LatencyArgs, LatencySort, RowBy, SampleUnit, WhatIf};
pub use mistakes::made_safe;
pub use output::{
    FILES_OF_CHECKS, OF_CHECKS, OF_EXPORTS, OF_LISTS, OF_SESSIONS, OF_TRACES, OF_TRANSCRIPTS,
    OutputFormat, TABULAR, WITH_BRIEF, WITH_IDS,
};
pub use over_time::OverTimeArgs;
pub use prune::PruneArgs;
pub use report::ReportArgs;
pub use run::{EventArgs, RunArgs};
pub use search::SearchArgs;
pub use selection::{LimitArgs, MlflowIds, SelectionArgs};
pub use session::SessionArgs;
pub use sessions::{SessionSort, SessionsArgs};
pub use stats::{StatsArgs, StatsBy, Via};
pub use tag::TagArgs;

const STYLES: Styles = Styles::styled()
    .valid(Style::new().bold())
    .invalid(AnsiColor::Red.on_default());

/// Where traces come from, for people.
pub const CONNECTION: &str = include_str!("cli/connection.txt");
/// How results are printed, for people.
pub const OUTPUT: &str = include_str!("cli/output.txt");

/// Help is not wider than this, whatever the terminal.
pub const HELP_WIDTH: usize = 100;

const EXIT_CODES: &str = "\
Topics:
  mlt help filter      the language of -f
  mlt help rules       the language of mlt check and mlt stats
  mlt help connection  where traces come from: -u, -x, logging in
  mlt help output      how results are printed: -o and others

Exit codes:
  0    done
  1    a condition that you asked for failed (mlt check, --fail-empty, --max, --until-count, get --wait, a change that failed)
  2    usage or filter syntax
  3    not found: what you named, or any trace at all (mlt report, mlt diff)
  4    server or network
  5    not authorised
  6    data that cannot be read or written
  7    done, but some traces could not be read; 1 to 6 go before it
  130  interrupted
A filter that matches no traces is no failure of mlt search, sessions, stats, errors, latency, export,
tag, assess, close and delete: they say so on standard error and exit with 0. mlt check fails by it, unless there is --allow-empty.";

const COMPLETIONS: &str = "\
To load it:
  bash        source <(mlt completions bash)
  zsh         source <(mlt completions zsh)      (behind compinit)
  fish        mlt completions fish | source
  PowerShell  mlt completions powershell | Out-String | Invoke-Expression
  elvish      eval (mlt completions elvish | slurp)
To have it always, put the line into the file that the shell reads at its start.";

/// Inspect MLflow traces: find them, look into them, see where the time went.
///
/// Traces come from a tracking server, a SQLite database or mlruns folder of MLflow, a JSON file,
/// standard input or the built-in demo store; try `mlt -u demo: latency latest`.
#[derive(Debug, Parser)]
#[command(name = "mlt", version, styles = STYLES, after_long_help = EXIT_CODES)]
#[command(
    max_term_width = HELP_WIDTH,
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
    /// URL, database, mlruns folder, file, demo:, or - for standard input
    ///
    /// Where the traces are: demo:, http(s)://…, sqlite:///…, postgresql://…, mysql://…, databricks, an mlruns folder, a .json or .jsonl file, or standard input.
    /// The default is $MLFLOW_TRACKING_URI, else ./mlruns or ./mlflow.db, whichever MLflow would use here.
    #[arg(short = 'u', long, global = true, value_name = "URI", value_hint = clap::ValueHint::AnyPath)]
    #[arg(help_heading = "Connection")]
    pub tracking_uri: Option<OsString>,

    /// Only traces of this experiment, by id or name (repeatable)
    ///
    /// The default is $MLFLOW_EXPERIMENT_NAME or $MLFLOW_EXPERIMENT_ID, else every active experiment.
    #[arg(
        short = 'x',
        long = "experiment",
        aliases = ["experiment-id", "experiment-ids", "experiment-name"],
        global = true,
        value_name = "ID|NAME"
    )]
    #[arg(help_heading = "Connection", add = ArgValueCompleter::new(complete::experiments))]
    pub experiments: Vec<String>,

    /// Longest wait for a sign of life from the server [default: 30s]
    ///
    /// A number with a unit, such as 5s or 2m. The default is $MLFLOW_HTTP_REQUEST_TIMEOUT, else 30s.
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        help_heading = "Connection",
        hide_short_help = true
    )]
    pub timeout: Option<Period>,

    /// Longest time for one request as a whole [default: 10m]
    ///
    /// It ends answers that keep coming, but never end. Repetitions count anew.
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        help_heading = "Connection",
        hide_short_help = true
    )]
    pub max_time: Option<Period>,

    /// How often to repeat a request that failed in passing [default: 3]
    ///
    /// Requests are repeated after connection faults and the statuses 408, 429, 502, 503 and 504.
    /// The default is $MLFLOW_HTTP_REQUEST_MAX_RETRIES, else 3.
    #[arg(
        long,
        global = true,
        value_name = "N",
        help_heading = "Connection",
        hide_short_help = true
    )]
    #[arg(value_parser = values::whole_number::<u32>)]
    pub retries: Option<u32>,

    /// Read artifacts in this folder too, outside of the database or mlruns folder (repeatable)
    ///
    /// A database says of each trace where its spans are, and may say anything: without this, they
    /// are read beside it alone. The default is $MLT_ALLOW_ARTIFACTS, folders like those of $PATH.
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    #[arg(help_heading = "Connection", hide_short_help = true)]
    pub allow_artifacts: Vec<std::path::PathBuf>,

    /// How to print: json, csv and others, see `mlt help output`
    #[arg(
        short,
        long,
        global = true,
        value_parser = output::FormatParser::all(),
        hide_possible_values = true,
        default_value = "table",
        value_name = "FORMAT"
    )]
    #[arg(help_heading = "Output")]
    pub output: OutputFormat,

    /// With -o brief: print so many tokens at most [default: 2000]
    ///
    /// Tokens are counted for o200k_base, and rather too many than too few.
    #[arg(
        long,
        global = true,
        value_name = "TOKENS",
        help_heading = "Output",
        hide_short_help = true
    )]
    #[arg(value_parser = values::tokens)]
    pub budget: Option<usize>,

    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    #[arg(help_heading = "Output", hide_short_help = true)]
    pub color: ColorChoice,

    /// Do not page long output on a terminal
    #[arg(long, global = true, help_heading = "Output", hide_short_help = true)]
    pub no_pager: bool,

    /// Print no notes: only data, warnings and errors
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Output",
        hide_short_help = true,
        conflicts_with = "verbose"
    )]
    pub quiet: bool,

    /// Show each request on standard error
    #[arg(short, long, global = true, action = ArgAction::SetTrue, help_heading = "Output")]
    #[arg(hide_short_help = true)]
    pub verbose: bool,

    /// The words of the command line, the program's name first
    #[arg(skip)]
    pub words: Vec<OsString>,
}

impl GlobalArgs {
    /// What of it says where the traces are, and how to reach them.
    pub fn settings(&self) -> Flags {
        Flags {
            tracking_uri: self.tracking_uri.clone(),
            experiments: self.experiments.clone(),
            timeout: self.timeout.map(Period::duration),
            max_time: self.max_time.map(Period::duration),
            retries: self.retries,
            allow_artifacts: self.allow_artifacts.clone(),
        }
    }
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
    #[command(visible_alias = "ls", after_long_help = search::HELP, arg(output::arg(WITH_IDS)))]
    Search(SearchArgs),
    /// Show traces with their spans
    #[command(visible_alias = "show", arg(output::arg(OF_TRACES)))]
    Get(GetArgs),
    /// Show a conversation of several traces
    #[command(arg(output::arg(OF_SESSIONS)))]
    Session(SessionArgs),
    /// List conversations of several traces
    #[command(after_long_help = sessions::HELP, arg(output::arg(OF_LISTS)))]
    Sessions(Box<SessionsArgs>),
    /// Set and delete tags of traces
    #[command(arg(output::arg(TABULAR)))]
    Tag(TagArgs),
    /// Say how good traces are, or what would have been right
    #[command(arg(output::arg(TABULAR)))]
    Assess(Box<AssessArgs>),
    /// Finish traces that are stuck in progress
    #[command(arg(output::arg(TABULAR)))]
    Close(Box<CloseArgs>),
    /// Delete traces, for good
    #[command(arg(output::arg(TABULAR)))]
    Delete(Box<DeleteArgs>),
    /// Delete old traces but for those worth keeping
    #[command(after_long_help = prune::HELP, arg(output::arg(TABULAR)))]
    Prune(Box<PruneArgs>),
    /// Show where the time of a trace, or of many, went
    #[command(after_long_help = latency::HELP, arg(output::arg(WITH_IDS)))]
    Latency(LatencyArgs),
    /// Show what differs between two traces, or two sets of traces
    #[command(after_long_help = diff::HELP, arg(output::arg(TABULAR)))]
    Diff(Box<DiffArgs>),
    /// Judge traces by rules
    #[command(after_long_help = check::HELP, arg(output::arg_of_checks()))]
    Check(Box<CheckArgs>),
    /// Write traces as one page for a browser
    #[command(after_long_help = report::HELP, arg(output::arg_of_reports()))]
    Report(ReportArgs),
    /// Write traces to files, for other tools and their viewers
    #[command(after_long_help = export::help(), arg(output::arg_of_exports()))]
    Export(Box<ExportArgs>),
    /// Take in traces from files, into a server or database
    #[command(after_long_help = import::HELP, arg(output::arg(TABULAR)))]
    Import(ImportArgs),
    /// Sum traces up: counts, errors, durations, tokens, cost
    #[command(after_long_help = stats::HELP, arg(output::arg(TABULAR)))]
    Stats(Box<StatsArgs>),
    /// Count failures: which there are, how often, and where they began
    #[command(after_long_help = errors::HELP, arg(output::arg(WITH_BRIEF)))]
    Errors(Box<ErrorsArgs>),
    /// List keys to filter by, with their commonest values
    #[command(after_long_help = keys::HELP, arg(output::arg(TABULAR)))]
    Keys(Box<KeysArgs>),
    /// List experiments with their traces
    #[command(arg(output::arg(TABULAR)))]
    Experiments(ExperimentsArgs),
    /// Run a command as a trace
    #[command(after_long_help = run::HELP, arg(output::no_arg()))]
    Run(Box<RunArgs>),
    /// Note something in the trace of the surrounding mlt run
    #[command(arg(output::no_arg()))]
    Event(EventArgs),
    /// Print the lines that make a program leave traces
    #[command(arg(output::no_arg()))]
    Instrument(InstrumentArgs),
    /// Print a shell's completion script
    #[command(after_long_help = COMPLETIONS, arg(output::no_arg()))]
    Completions(CompletionsArgs),
    /// Write man pages
    #[command(arg(output::no_arg()))]
    Man(ManArgs),
    /// Print how coding agents use mlt, as a skill file for them
    #[command(arg(output::no_arg()))]
    Skill,
    /// Explain a command, or a topic: filter, rules, limits, connection, output
    #[command(arg(output::no_arg()))]
    Help(HelpArgs),
}

/// The command line as shells complete it: aliases are known and not offered,
/// since zsh would show them in the place of their commands.
pub fn completed() -> clap::Command {
    let hidden = |alias: &'static str| {
        move |command: clap::Command| command.visible_alias(None::<&str>).alias(alias)
    };
    let command = Cli::command().mut_subcommand("search", hidden("ls"));
    command.mut_subcommand("get", hidden("show"))
}

/// What the short help has no room for: `mlt --help` has it.
const RARE: [&str; 2] = ["event", "man"];

impl Command {
    /// Puts what was typed in MLflow's way, behind `--trace-id`, to the other traces.
    fn take_trace_ids(&mut self) {
        let (traces, more) = match self {
            Self::Get(args) => (&mut args.traces, &mut args.mlflow.trace_ids),
            Self::Tag(args) => (&mut args.words, &mut args.mlflow.trace_ids),
            Self::Assess(args) => (&mut args.words, &mut args.mlflow.trace_ids),
            Self::Close(args) => (&mut args.traces, &mut args.mlflow.trace_ids),
            Self::Delete(args) => (&mut args.traces, &mut args.mlflow.trace_ids),
            Self::Latency(args) => args.selection.trace_words(),
            Self::Report(args) => args.selection.trace_words(),
            Self::Check(args) => args.selection.trace_words(),
            Self::Export(args) => args.selection.trace_words(),
            Self::Errors(args) => args.selection.trace_words(),
            _ => return,
        };
        traces.append(more);
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

/// Explain a command, the filter language, rules or limits.
#[derive(Debug, Args)]
pub struct HelpArgs {
    /// A command, or filter, rules, limits, connection or output; without it, the commands are listed
    #[arg(value_name = "TOPIC", add = ArgValueCompleter::new(complete::help_topics))]
    pub topic: Option<String>,
}

impl Cli {
    /// Parses words of a command line, the program's name first. Help is laid out
    /// for a terminal of that many columns, where it is not to be found out.
    ///
    /// # Errors
    /// clap's own, help and version included.
    pub fn parse_words(
        words: impl IntoIterator<Item = OsString>,
        width: Option<usize>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        if let Some(width) = width {
            command = command.term_width(width.min(HELP_WIDTH));
        }
        let words: Vec<OsString> = words.into_iter().collect();
        if words.get(1).is_some_and(|word| word == "-h") {
            command = RARE.into_iter().fold(command, |command, name| {
                command.mut_subcommand(name, |rare| rare.hide(true))
            });
        }
        let topic = help_topic(&command, &words);
        let matches = command.clone().try_get_matches_from(&words);
        // Help in whole is that of `mlt help`.
        if let (Err(error), Some(topic)) = (&matches, topic)
            && error.kind() == clap::error::ErrorKind::DisplayHelp
        {
            return Self::parse_words(["mlt", "help", &topic].map(OsString::from), width);
        }
        let mut matches = matches.map_err(|error| mistakes::explain(&command, &words, error))?;
        let cli = Self::from_arg_matches_mut(&mut matches);
        let mut cli = cli.map_err(|error| error.format(&mut command))?;
        cli.command.take_trace_ids();
        cli.global.words = words;
        Ok(cli)
    }
}

/// The command that `--help` asks about.
fn help_topic(root: &clap::Command, words: &[OsString]) -> Option<String> {
    if !words.iter().any(|word| word == "--help") {
        return None;
    }
    let named = |word: &OsString| root.find_subcommand(word);
    let command = words.iter().skip(1).find_map(named)?;
    Some(command.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
