//! What may be typed after `mlt get`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;

use super::values::{at_least_one, whole_number};
use super::{FilterArgs, MlflowIds};
use crate::complete;
use crate::units::Period;

/// Show traces with their spans.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
#[command(
    override_usage = "mlt get [OPTIONS] <TRACE>...\n       mlt get [OPTIONS] --status ERROR [-n N]"
)]
pub struct GetArgs {
    /// Trace ids, unique beginnings of ids, MLflow UI links, latest, latest~1 (the one before), or - for ids on standard input
    #[arg(value_name = "TRACE", add = ArgValueCompleter::new(complete::trace_ids))]
    pub traces: Vec<String>,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub mlflow: MlflowIds,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    /// So many of the traces that match, the newest first [default: 1]
    #[arg(short = 'n', long, alias = "max-results", value_name = "N", help_heading = "Which traces", value_parser = at_least_one)]
    pub limit: Option<u64>,

    /// Wait so long for the traces to arrive and to finish; exit with 1 if they have not by then
    #[arg(long, value_name = "TIME")]
    pub wait: Option<Period>,

    /// Wait for the traces to finish, and meanwhile draw a trace on the terminal as far as it goes
    ///
    /// Where standard output is no terminal, nothing is printed before the end. --wait bounds it.
    #[arg(long)]
    pub follow: bool,

    /// Print the address of the trace's page in MLflow's UI, and nothing else
    #[arg(long, conflicts_with_all = ["io", "span", "errors", "shown_type", "depth", "max_chars"])]
    pub link: bool,

    /// Show what was said: messages, tool calls and their results, each once
    #[arg(long, conflicts_with_all = ["link", "io", "span", "errors", "shown_type", "depth", "columns", "max_chars"])]
    pub chat: bool,

    /// Show which tools were offered, which were called, and calls with arguments that their definition does not allow
    #[arg(long, conflicts_with_all = ["chat", "link", "io", "span", "errors", "shown_type", "depth", "columns", "max_chars"])]
    pub tools: bool,

    /// With --chat: show all of what the models thought
    #[arg(long, requires = "chat")]
    pub reasoning: bool,

    /// With --chat: save the images, sounds and files of what was said in this folder
    #[arg(long, requires = "chat", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub attachments: Option<PathBuf>,

    /// Show the inputs and outputs of each span
    #[arg(long, group = "payloads")]
    pub io: bool,

    /// With --io or --span: show all of it as it is recorded, unset members, vectors and data as well
    #[arg(long, requires = "payloads", conflicts_with_all = ["link", "chat", "columns"])]
    pub raw: bool,

    /// Show one span in full, by id, the unique beginning of it, or name
    #[arg(long, value_name = "ID|NAME", group = "payloads", conflicts_with_all = ["io", "errors", "shown_type", "depth"])]
    pub span: Option<String>,

    /// Only spans that failed
    #[arg(long)]
    pub errors: bool,

    /// Only spans of this type, such as LLM or TOOL
    #[arg(long = "type", value_name = "TYPE", add = ArgValueCompleter::new(complete::span_types))]
    pub shown_type: Option<String>,

    /// Only so many levels of the tree
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub depth: Option<u64>,

    /// A table of spans with these columns, separated by commas: trace_id,name,duration,tags.KEY
    #[arg(long, value_name = "COLUMN,…", conflicts_with_all = ["link", "io"], add = ArgValueCompleter::new(complete::span_columns))]
    pub columns: Vec<String>,

    /// Cut inputs, outputs and attributes to so many characters
    #[arg(long, value_name = "N", value_parser = whole_number::<usize>)]
    pub max_chars: Option<usize>,
}
