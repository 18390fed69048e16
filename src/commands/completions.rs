//! `mlt completions`: a shell's registration script. The candidates themselves
//! come from the program whenever the shell asks. Bash and zsh have scripts of
//! our own, since clap's does not complete behind a `:` or `=` in bash, such as
//! that of a tracking URI, and not at the first try when zsh loads it on demand.

use anyhow::Result;
use clap_complete::Shell;
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell};

use crate::cli::CompletionsArgs;
use crate::error::{CommandError, Exit};
use crate::terminal;

const BASH: &str = include_str!("../../completions/mlt.bash");
const ZSH: &str = include_str!("../../completions/_mlt");

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit> {
    let completer: &dyn EnvCompleter = match args.shell {
        Shell::Bash => return print(BASH.as_bytes()),
        Shell::Zsh => return print(ZSH.as_bytes()),
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::PowerShell => &Powershell,
        other => {
            return Err(
                CommandError::usage(format!("there are no completions for {other}")).into(),
            );
        }
    };
    let mut script = Vec::new();
    completer.write_registration("COMPLETE", "mlt", "mlt", "mlt", &mut script)?;
    print(&script)
}

fn print(script: &[u8]) -> Result<Exit> {
    terminal::print(script)?;
    Ok(Exit::Success)
}
