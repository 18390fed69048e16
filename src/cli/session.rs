//! What may be typed after `mlt session`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;

use super::values::at_least_one;
use crate::complete;

/// Show a conversation of several traces.
#[derive(Debug, Args)]
#[command(override_usage = "mlt session [OPTIONS] <ID>\n       mlt session [OPTIONS] --latest")]
pub struct SessionArgs {
    /// The session's id
    #[arg(value_name = "ID", required_unless_present = "latest", add = ArgValueCompleter::new(complete::sessions))]
    pub id: Option<String>,

    /// The session with the newest trace
    #[arg(long, conflicts_with = "id")]
    pub latest: bool,

    /// Only traces of this end user
    #[arg(long, value_name = "ID", add = ArgValueCompleter::new(complete::users))]
    pub user: Option<String>,

    /// Only this turn, the first being 1
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "last")]
    pub turn: Option<u64>,

    /// Only the last turns
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub last: Option<u64>,

    /// Show all of what the models thought
    #[arg(long)]
    pub reasoning: bool,

    /// Save the images, sounds and files of what was said in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub attachments: Option<PathBuf>,
}
