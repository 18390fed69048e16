//! `mlt help`: the help of a command, or a page about a topic. A command's help
//! begins with examples, has a line for each option, and leaves what all commands
//! share to the pages about it.

use anyhow::Result;
use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _};

use crate::cli::{self, Cli, HELP_WIDTH, HelpArgs};
use crate::error::{CommandError, Exit};
use crate::filter::{REFERENCE, aggregate};
use crate::terminal::Terminal;
use crate::text::Clean;

/// What has a limit, and what happens beyond it.
const LIMITS: &str = include_str!("limits.txt");

const TEMPLATE: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

{all-args}{after-help}";

const SHARED: &str = "\
Where traces come from (-u, -x) is explained by `mlt help connection`, how results are printed
by `mlt help output`.";

pub(super) fn run(args: &HelpArgs, terminal: &Terminal) -> Result<Exit> {
    let mut root = Cli::command().term_width(terminal.width.unwrap_or(HELP_WIDTH).min(HELP_WIDTH));
    root.build();
    let help = match args.topic.as_deref() {
        Some("filter") => return page(REFERENCE, terminal),
        Some("rules") => return page(aggregate::REFERENCE, terminal),
        Some("limits") => return page(LIMITS, terminal),
        Some("connection") => return page(cli::CONNECTION, terminal),
        Some("output") => return page(cli::OUTPUT, terminal),
        None => root.render_long_help(),
        Some(name) => match root.find_subcommand(name) {
            Some(command) => of_command(command),
            None => {
                return Err(CommandError::usage(format!("no help on `{name}`"))
                    .hint(
                        "there is help on each command, and on `filter`, `rules`, `limits`, `connection` and `output`",
                    )
                    .into());
            }
        },
    };
    let mut out = terminal.output();
    out.text().put(if terminal.color {
        Clean::coloured(&help.ansi().to_string())
    } else {
        Clean::block(help.to_string())
    })?;
    out.finish()?;
    Ok(Exit::Success)
}

fn of_command(command: &Command) -> StyledStr {
    let mut command = command.clone().help_template(TEMPLATE);
    let ids: Vec<clap::Id> = command
        .get_arguments()
        .map(|arg| arg.get_id().clone())
        .collect();
    for id in ids {
        command = command.mut_arg(id, of_argument);
    }
    if let Some(examples) = cli::examples(command.get_name()) {
        let heading = command.get_styles().get_header();
        let examples = examples.trim_start();
        let examples = format!("{heading}Examples:{heading:#}\n  {examples}\n\n");
        command = command.before_help(StyledStr::from(examples));
    }
    let after = match command.get_after_long_help() {
        Some(text) => format!("{}\n\n{SHARED}", text.ansi()),
        None => SHARED.to_owned(),
    };
    command.after_help(StyledStr::from(after)).render_help()
}

/// All that there is to say about an option, unless every command has it.
fn of_argument(arg: Arg) -> Arg {
    // Each command has formats of its own.
    if arg.is_global_set() && arg.get_id() != "output" {
        return arg.hide(true);
    }
    match arg.get_long_help().cloned() {
        Some(help) => {
            // In a list of lines, paragraphs are sentences.
            let help = help.to_string();
            let lines: Vec<&str> = help.split("\n\n").map(str::trim).collect();
            arg.help(lines.join(". "))
        }
        None => arg,
    }
}

fn page(text: &str, terminal: &Terminal) -> Result<Exit> {
    let mut out = terminal.output();
    out.text().put(Clean::block(text))?;
    out.finish()?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::LIMITS;
    use crate::render::DEEPEST;
    use crate::settings::{MAX_BODY, MAX_TIME};
    use crate::store::{MAX_BARREN_PAGES, MAX_PAGE};
    use crate::units;

    #[test]
    fn the_page_of_limits_tells_what_holds() {
        for line in [
            format!(
                "one answer, decompressed        {},",
                units::bytes(MAX_BODY)
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
