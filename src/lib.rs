//! `mlt` inspects the traces of GenAI applications that MLflow recorded: it
//! finds them, shows them with their spans, tags them, and tells where their
//! time went. This crate is the program's inside; the command line is its
//! interface.
//!
//! # The rooms
//!
//! Data flows downwards. One room still looks back: `table` draws cells with
//! `render`. Only `settings` makes what is below it: a [`store::Location`].
//!
//! | room | what is in it |
//! | --- | --- |
//! | `cli`, `complete` | the command line, its help and completions |
//! | `settings` | flags and environment to a place with a login |
//! | `commands` | one file a command; `gather`, `ordered` and `completing` find and fetch traces, `change` changes them |
//! | `capture` | how traces come to be: commands as traces, and the lines that make a program leave them |
//! | `render`, `export` | layouts for people, formats for machines |
//! | `table` | what a column is called and says of a row; a file a format |
//! | `store` | servers, databases, folders and files behind one trait |
//! | `analysis` | trees, latency, statistics, comparison, conversations |
//! | `messages` | what was said in a span, in the formats of clients and frameworks |
//! | `filter` | the filter language, and what of a filter a store is asked for and what is checked here |
//! | `field` | what there is to know of a trace and its spans, one definition each |
//! | `model` | plain data: traces, spans, assessments |
//! | `text`, `units`, `file`, `json`, `uri` | what of a text may be shown, and its width; times, durations, money and numbers in one grammar; files that are whole or not there; lenient JSON; escapes and logins in URIs |
//!
//! # To add something
//!
//! | to add | touch |
//! | --- | --- |
//! | a field that is a tag or a metadata entry | a row of `field::DEFS`, a line of `filter/reference.txt`, a test |
//! | any other field (filter, order, group, measure, column) | a variant and a row in `field`, its value there, the arms that the compiler asks for in `filter` and `store/sql`, a line of `filter/reference.txt`, a test |
//! | a column of another table | its line in `table/rows` |
//! | a format of tables | a file in `table` |
//! | a format of `export` | a file in `export`, a row in `export/registry.rs`, a test |
//! | a format of conversations | a file and a row in `messages/formats`, a trace in `tests/fixtures/conversations` |
//! | a subcommand | `cli`, `commands`, `render`, a test, two registrations |
//! | a kind of change | a variant of `store::Change`, an arm a store, a `Task` for `commands/change.rs` |
//! | a store that takes traces in | `Store::put` and `Store::can_put`, with what `store/put.rs` checks and cuts |
//! | a store | a file or room in `store` with `Store`, and `fetch::Ways` for its ways to traces; its `Location` |
//! | a database on a server | a `sql::Dialect` and a `store::database::link::Link`, its URIs in `settings` |
//! | a store that speaks SQL | a `sql::Dialect` and `sql::Probes`, and a store as `store/sqlite` for connections, rows and changes |

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod analysis;
mod build_log;
pub mod capture;
pub mod cli;
mod commands;
mod complete;
pub mod error;
pub mod export;
pub mod field;
mod file;
pub mod filter;
mod io_words;
mod json;
pub mod messages;
pub mod model;
mod otlp;
mod parallel;
mod progress;
mod regular;
pub mod render;
#[cfg(test)]
mod round_trips;
pub mod settings;
mod signals;
pub mod store;
pub mod table;
mod terminal;
pub mod text;
pub mod units;
mod uri;

use std::ffi::OsString;

use error::Exit;
use render::Style;
use settings::Env;
use terminal::Terminal;

/// Runs a command line, the program's name first, and gives the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = words.into_iter().collect();
    if let [_, only] = words.as_slice()
        && (only == "--version" || only == "-V")
    {
        // Building the whole command line takes longer than the rest of this answer.
        let version = concat!("mlt ", env!("CARGO_PKG_VERSION"), "\n");
        return printed(terminal::print(version.as_bytes()), Exit::Success);
    }
    if complete::answer(&words) {
        return Exit::Success.code();
    }
    let env = Env::from_process();
    let width = terminal::forced_width(&env);
    let cli = match cli::Cli::parse_words(words, width) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no failure.
            if error.use_stderr() {
                match cli::made_safe(&error) {
                    Some(text) => terminal::tell(&text),
                    None => error.print().unwrap_or_default(),
                }
                return Exit::Usage.code();
            }
            let shown = error.print().map_err(terminal::told);
            return printed(shown.and_then(|()| terminal::print(b"")), Exit::Success);
        }
    };
    let terminal = Terminal::detect(&cli.global, &env);
    let outcome = commands::run(&cli, &env, &terminal);
    terminal.end_progress();
    match outcome {
        Ok(exit) => exit.code(),
        Err(error) => failed(&error, terminal.error_color),
    }
}

fn printed(outcome: std::io::Result<()>, exit: Exit) -> u8 {
    match outcome {
        Ok(()) => exit.code(),
        Err(error) => failed(&error.into(), false),
    }
}

fn failed(error: &anyhow::Error, color: bool) -> u8 {
    match error::report(error, Style::new(color), color) {
        None => Exit::Success.code(),
        Some((text, exit)) => {
            terminal::tell(&text);
            exit.code()
        }
    }
}
