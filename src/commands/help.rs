//! `mlt help`: the help of a command, or a page about a topic.

use std::io::Write as _;

use anyhow::Result;
use clap::CommandFactory as _;

use crate::cli::{Cli, HELP_WIDTH, HelpArgs};
use crate::error::{CommandError, Exit};
use crate::filter::{REFERENCE, aggregate};
use crate::terminal::Terminal;

pub(super) fn run(args: &HelpArgs, terminal: &Terminal) -> Result<Exit> {
    let mut root = Cli::command().term_width(terminal.width.unwrap_or(HELP_WIDTH).min(HELP_WIDTH));
    root.build();
    let topic = args.topic.as_deref();
    let command = match topic {
        Some("filter") => return page(REFERENCE, terminal),
        Some("rules") => return page(aggregate::REFERENCE, terminal),
        None => &mut root,
        Some(name) => match root.find_subcommand_mut(name) {
            Some(command) => command,
            None => {
                return Err(CommandError::usage(format!("no help on `{name}`"))
                    .hint("there is help on each command, and on `filter` and `rules`")
                    .into());
            }
        },
    };
    let help = command.render_long_help();
    let mut out = terminal.output();
    if terminal.color {
        write!(out, "{}", help.ansi())?;
    } else {
        write!(out, "{help}")?;
    }
    out.finish()?;
    Ok(Exit::Success)
}

fn page(text: &str, terminal: &Terminal) -> Result<Exit> {
    let mut out = terminal.output();
    out.write_all(text.as_bytes())?;
    out.finish()?;
    Ok(Exit::Success)
}
