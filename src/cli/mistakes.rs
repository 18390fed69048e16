//! Options, commands and formats that a command does not have: what to type
//! instead, where another command has it, or another program calls it so. clap's
//! own advice, to pass them behind `--`, leads astray, since no trace is called
//! like that.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, Command};

use crate::text::{Clean, sanitize};

/// Puts advice that helps in the place of clap's, for these words.
pub(super) fn explain(root: &Command, words: &[OsString], mut error: Error) -> Error {
    match error.kind() {
        ErrorKind::UnknownArgument => unknown_option(root, words, &mut error),
        ErrorKind::InvalidSubcommand => {
            let tip = match error.get(ContextKind::InvalidSubcommand) {
                Some(ContextValue::String(typed)) => foreign_command(typed),
                _ => None,
            };
            if let Some(tip) = tip {
                error.remove(ContextKind::SuggestedSubcommand);
                advise(&mut error, tip);
            }
        }
        _ => {}
    }
    escape_typed(&mut error);
    error
}

/// Makes what clap shows of the command line safe to show.
fn escape_typed(error: &mut Error) {
    let safe = |text: &str| sanitize::line(text).into_owned();
    let typed: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(safe(text)))),
            ContextValue::Strings(all) => {
                let all = all.iter().map(|text| safe(text)).collect();
                Some((kind, ContextValue::Strings(all)))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in typed {
        error.insert(kind, value);
    }
}

/// An error that cannot be shown as clap prints it.
pub fn made_safe(error: &Error) -> Option<Clean> {
    let plain = error.render().to_string();
    // Reasons are our own, and quote what was typed.
    let safe = Clean::block(&plain);
    (safe.as_str() != plain).then_some(safe)
}

fn unknown_option(root: &Command, words: &[OsString], error: &mut Error) {
    let name = command(root, words).unwrap_or_default();
    error.remove(ContextKind::Suggested);
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else {
        return;
    };
    let option = typed.split('=').next().unwrap_or(typed).to_owned();
    let tip = match foreign_option(&option) {
        _ if option == "--older" && !lacks(root, &name, "--older-than") => {
            Some("write --older-than TIME, such as --older-than 30d".to_owned())
        }
        Some((ours, _)) if lacks(root, &name, ours) => tip(root, &name, ours),
        Some((_, tip)) => Some(tip.to_owned()),
        None => tip(root, &name, &option),
    };
    if let Some(tip) = tip {
        error.remove(ContextKind::SuggestedArg);
        advise(error, tip);
    }
}

fn advise(error: &mut Error, tip: impl Into<String>) {
    let tips = ContextValue::StyledStrs(vec![tip.into().into()]);
    error.insert(ContextKind::Suggested, tips);
}

/// The command that does not have the option: what clap understands all the same.
fn command(root: &Command, words: &[OsString]) -> Option<String> {
    let lenient = root.clone().ignore_errors(true);
    let matches = lenient.try_get_matches_from(words).ok()?;
    matches.subcommand_name().map(str::to_owned)
}

fn is_called(arg: &Arg, option: &str) -> bool {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    [long, short].iter().flatten().any(|known| known == option)
}

/// Whether a command does not have one of our options; `""` is none.
fn lacks(root: &Command, command: &str, option: &str) -> bool {
    let has = |command: &Command| command.get_arguments().any(|arg| is_called(arg, option));
    !option.is_empty() && !has(root) && !root.find_subcommand(command).is_some_and(has)
}

/// What to type for an option by which `mlt search` chooses traces.
fn tip(root: &Command, command: &str, option: &str) -> Option<String> {
    let search = root.find_subcommand("search")?;
    let arg = search.get_arguments().find(|arg| is_called(arg, option))?;
    let chooses = arg.get_help_heading() == Some("Which traces");
    if !chooses && !matches!(arg.get_id().as_str(), "all" | "limit") {
        return None;
    }
    let value = if arg.get_action().takes_values() {
        " …"
    } else {
        ""
    };
    match command {
        "get" | "assess" | "tag" | "close" | "delete" => {
            let pair = match command {
                "assess" => " NAME=VALUE",
                "tag" => " KEY=VALUE",
                _ => "",
            };
            Some(format!(
                "ids may be piped in: mlt search {option}{value} -o ids | mlt {command} -{pair}"
            ))
        }
        "diff" => Some(
            "two sets are chosen by --base-filter FILTER and -f FILTER: all that match, or the newest -n N"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Our option for what others call so, and how to say it.
fn foreign_option(option: &str) -> Option<(&'static str, &'static str)> {
    Some(match option {
        "--json" => ("-o", "write -o json"),
        "--jsonl" | "--ndjson" => ("-o", "write -o jsonl"),
        "--csv" => ("-o", "write -o csv"),
        "--tsv" => ("-o", "write -o tsv"),
        "--ids" | "--ids-only" => ("-o", "write -o ids"),
        "--format" | "--output-format" | "--fmt" => ("-o", "write -o FORMAT, such as -o json"),
        "--html" => (
            "",
            "mlt report writes a page of HTML: mlt report latest -o report.html",
        ),
        "--last" | "--recent" | "--latest" => (
            "--since",
            "for a time write --since 1h, for a number -n 5; one trace is called latest",
        ),
        "--from" | "--start" | "--start-time" | "--after" | "--newer" | "--begin" | "--age" => {
            ("--since", "write --since TIME, such as --since 1h")
        }
        "--end" | "--end-time" | "--before" | "--older" | "--to" => {
            ("--until", "write --until TIME, such as --until 2026-11-22")
        }
        "--where" | "--query" | "--expr" | "--condition" => {
            ("--filter", "write -f FILTER; mlt help filter explains it")
        }
        "--order" | "--sort" | "--sort-by" => (
            "--order-by",
            "write --order-by KEY, such as --order-by duration or --order-by -time",
        ),
        "--group-by" | "--groupby" => ("--by", "write --by KEY"),
        "--state" => ("--status", "write --status STATE, such as --status ERROR"),
        "--error" | "--errors" | "--failed" | "--failures" => ("--status", "write --status ERROR"),
        "--head" | "--first" | "--max" | "--size" | "--page-size" | "--number" | "--num" => {
            ("-n", "write -n N, or --all for every one")
        }
        "--page-token" | "--page" | "--offset" => (
            "--all",
            "pages are followed as far as needed: -n N, or --all for every one",
        ),
        "--extract-fields" | "--fields" | "--select" => (
            "",
            "mlt search has --columns, and `-o json` and `-o csv` have all there is",
        ),
        "--key" | "--value" => ("", "a tag is set by mlt tag TRACE KEY=VALUE"),
        "--uri"
        | "--url"
        | "--host"
        | "--server"
        | "--backend-store-uri"
        | "--db"
        | "--file"
        | "--input" => (
            "-u",
            "write -u URI, such as -u http://localhost:5000 or -u traces.jsonl",
        ),
        "--follow" | "--watch" | "--tail" => (
            "",
            "mlt search --follow shows traces as they finish, mlt get --follow one of them, mlt check --wait 60s waits",
        ),
        "--debug" => ("--verbose", "write --verbose"),
        "--token" | "--username" | "--password" | "--user-name" => (
            "",
            "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ),
        "--profile" => ("-u", "write -u databricks://PROFILE"),
        _ => return None,
    })
}

/// What others call a command, and how to say it.
fn foreign_command(typed: &str) -> Option<&'static str> {
    Some(match typed {
        "traces" | "trace" => {
            "all commands are about traces: mlt search finds them, mlt get shows them"
        }
        "list" | "find" | "query" | "ps" => "mlt search lists traces, the newest first",
        "tail" | "head" | "watch" | "follow" | "log" | "logs" => {
            "mlt search -n 10 lists the newest, mlt search --follow shows traces as they finish"
        }
        "view" | "cat" | "describe" | "inspect" | "open" | "info" => {
            "mlt get TRACE shows a trace with its spans"
        }
        "count" => "mlt search --count counts the traces that match",
        "summary" | "aggregate" | "metrics" | "top" => {
            "mlt stats sums traces up, mlt latency tells where their time went"
        }
        "error" | "failures" | "exceptions" => {
            "mlt errors counts failures, mlt search --status ERROR lists the traces that failed"
        }
        "compare" => "mlt diff compares two traces or two sets",
        "test" | "assert" | "gate" => "mlt check judges traces by rules",
        "flamegraph" | "flame" | "profile" => {
            "mlt export -o speedscope and -o folded write flame graphs, mlt report a page"
        }
        "html" | "page" => "mlt report writes a page of HTML: mlt report latest -o report.html",
        "download" | "dump" | "backup" | "save" => {
            "mlt export writes traces: mlt export --all -o jsonl --to traces.jsonl"
        }
        "set-tag" | "delete-tag" | "label" => {
            "tags are set by mlt tag TRACE KEY=VALUE, and deleted by --delete KEY"
        }
        "rm" | "remove" | "drop" => {
            "traces are deleted by mlt delete, and tags by mlt tag TRACE --delete KEY"
        }
        "session" | "sessions" => {
            "mlt search --session ID lists a conversation, mlt keys session the sessions there are"
        }
        "fields" | "columns" | "attributes" | "schema" => "mlt keys lists the keys to filter by",
        "experiment" => "mlt experiments lists them; -x NAME chooses one",
        "filter" | "filters" | "rules" | "connection" => {
            "mlt help filter, mlt help rules and mlt help connection explain it"
        }
        "version" => "write mlt --version",
        _ => return None,
    })
}

/// What to do for a format that a command does not have.
pub(super) fn foreign_format(typed: &str) -> Option<&'static str> {
    Some(match typed.to_ascii_lowercase().as_str() {
        "html" | "htm" | "page" => {
            "mlt report writes a page of HTML: mlt report latest -o report.html"
        }
        "text" | "txt" | "pretty" | "plain" => {
            "tables are for people, and what is printed without -o"
        }
        "ndjson" => "lines of JSON are called jsonl",
        "yaml" | "yml" => "json and jsonl are for other programs",
        "xls" | "xlsx" | "excel" => "spreadsheets read csv",
        "xml" => "mlt check -o junit writes JUnit's XML",
        "md" | "markdown" => "mlt check --summary FILE writes Markdown",
        "otel" | "opentelemetry" | "protobuf" | "pb" => "mlt export has otlp and otlp-proto",
        "perfetto" => "mlt export -o chrome is what Perfetto reads",
        "flamegraph" | "flame" | "svg" => "mlt export has speedscope and folded for flame graphs",
        _ => return None,
    })
}
