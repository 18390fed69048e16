//! What may be typed after `mlt get`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::values::{at_least_one, whole_number};
use crate::complete;

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
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub depth: Option<u64>,

    /// Cut inputs, outputs and attributes to so many characters
    #[arg(long, value_name = "N", value_parser = whole_number::<usize>)]
    pub max_chars: Option<usize>,
}
