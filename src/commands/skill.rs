//! `mlt skill`: how coding agents use mlt, as a file that they read.

use anyhow::Result;

use crate::error::Exit;
use crate::terminal;

const SKILL: &str = include_str!("skill.md");

pub(super) fn run() -> Result<Exit> {
    let text = SKILL.replace("{version}", env!("CARGO_PKG_VERSION"));
    terminal::print(text.as_bytes())?;
    Ok(Exit::Success)
}
