//! `mlt help`: the help of a command, or a page about a topic.

use std::io::Write as _;

use anyhow::Result;
use clap::CommandFactory as _;

use crate::cli::{Cli, HELP_WIDTH, HelpArgs};
use crate::error::{CommandError, Exit};
use crate::filter::{REFERENCE, aggregate};
use crate::terminal::Terminal;

/// What has a limit, and what happens beyond it.
const LIMITS: &str = include_str!("limits.txt");

pub(super) fn run(args: &HelpArgs, terminal: &Terminal) -> Result<Exit> {
    let mut root = Cli::command().term_width(terminal.width.unwrap_or(HELP_WIDTH).min(HELP_WIDTH));
    root.build();
    let topic = args.topic.as_deref();
    let command = match topic {
        Some("filter") => return page(REFERENCE, terminal),
        Some("rules") => return page(aggregate::REFERENCE, terminal),
        Some("limits") => return page(LIMITS, terminal),
        None => &mut root,
        Some(name) => match root.find_subcommand_mut(name) {
            Some(command) => command,
            None => {
                return Err(CommandError::usage(format!("no help on `{name}`"))
                    .hint("there is help on each command, and on `filter`, `rules` and `limits`")
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

#[cfg(test)]
mod tests {
    use super::LIMITS;
    use crate::render::DEEPEST;
    use crate::render::number;
    use crate::settings::{MAX_BODY, MAX_TIME};
    use crate::store::{MAX_BARREN_PAGES, MAX_PAGE};

    #[test]
    fn the_page_of_limits_tells_what_holds() {
        for line in [
            format!(
                "one answer, decompressed        {},",
                number::bytes(MAX_BODY)
            ),
            format!(
                "one request as a whole          {} minutes,",
                MAX_TIME.as_secs() / 60
            ),
            format!("pages without anything new      {MAX_BARREN_PAGES} in a row"),
            format!("traces of a page                {MAX_PAGE} "),
            format!("nested lists and objects        {DEEPEST} levels"),
        ] {
            assert!(LIMITS.contains(&line), "{line}");
        }
        assert!(LIMITS.lines().all(|line| line.chars().count() <= 100));
    }
}
