//! `mlt completions`: a shell's script. The candidates themselves come from the
//! program whenever the shell asks. The scripts are our own: clap's hand names
//! to bash unquoted, the line itself to PowerShell's `Invoke-Expression`, and
//! complete neither within quotes nor behind the `:` of a tracking URI.

use anyhow::Result;
use clap_complete::Shell;

use crate::cli::CompletionsArgs;
use crate::error::{CommandError, Exit};
use crate::terminal;

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit> {
    let script = match args.shell {
        Shell::Bash => include_str!("../../completions/mlt.bash"),
        Shell::Zsh => include_str!("../../completions/_mlt"),
        Shell::Fish => include_str!("../../completions/mlt.fish"),
        Shell::Elvish => include_str!("../../completions/mlt.elv"),
        Shell::PowerShell => include_str!("../../completions/_mlt.ps1"),
        other => {
            return Err(
                CommandError::usage(format!("there are no completions for {other}")).into(),
            );
        }
    };
    terminal::print(script.as_bytes())?;
    Ok(Exit::Success)
}
