//! `mlt man`: man pages, made from the same definitions as the help.

use std::fs;
use std::io::Write;

use anyhow::Result;
use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::{Cli, ManArgs};
use crate::error::Exit;
use crate::file::{Existing, Place, Target, cannot};
use crate::terminal;

pub(super) fn run(args: &ManArgs) -> Result<Exit> {
    let mut command = Cli::command();
    command.build();
    let Some(dir) = &args.dir else {
        let mut text = Vec::new();
        Man::new(command).render(&mut text)?;
        terminal::print(&text)?;
        return Ok(Exit::Success);
    };
    fs::create_dir_all(dir).map_err(|e| cannot("write", dir, &e))?;
    let subcommands: Vec<clap::Command> = command
        .get_subcommands()
        .filter(|c| !c.is_hide_set() && c.get_name() != "help")
        .map(|c| c.clone().name(format!("mlt-{}", c.get_name())))
        .collect();
    for page in std::iter::once(command).chain(subcommands) {
        let path = dir.join(format!("{}.1", page.get_name()));
        let mut text = Vec::new();
        Man::new(page).render(&mut text)?;
        let mut file = Target::at(Place::find_file(&path)?, Existing::Replaced)?;
        file.write_all(&text)?;
        file.finish()?;
    }
    Ok(Exit::Success)
}
