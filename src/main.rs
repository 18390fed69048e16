//! The `mlt` binary: all of it is in the library.

use std::process::ExitCode;

use clap::CommandFactory as _;

fn main() -> ExitCode {
    clap_complete::CompleteEnv::with_factory(mlt::cli::Cli::command).complete();
    ExitCode::from(mlt::run(std::env::args_os()))
}
