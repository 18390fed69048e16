//! The examples with which the help of each command begins: they are there, and
//! each of them runs on the demo store.

use crate::alone::help::COMMANDS;
use crate::support::{line_on_the_demo, mlt};

fn help(command: &str) -> String {
    mlt().run(&format!("help {command}")).ok().to_owned()
}

fn examples(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Examples:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect()
}

#[test]
fn every_example_of_the_help_runs() {
    for command in COMMANDS.iter().copied().chain(["help"]) {
        let help = help(command);
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command}: {help}");
        for example in examples {
            // Pages are on servers alone, and commands are traces in stores that can be written to.
            if example.contains("--link") || ["run", "event"].contains(&command) {
                continue;
            }
            assert!(
                example.starts_with(&format!("mlt {command}"))
                    || example.contains(&format!("| mlt {command}")),
                "{example}"
            );
            let output = line_on_the_demo(example);
            assert!(output.status.success(), "{example}: {output:?}");
        }
    }
}

#[test]
fn help_begins_with_examples_and_fits_on_two_screens() {
    for command in COMMANDS.iter().copied().chain(["help"]) {
        for words in [format!("help {command}"), format!("{command} --help")] {
            let outcome = mlt().terminal(80).env("NO_COLOR", "1").run(&words);
            let lines: Vec<&str> = outcome.ok().lines().collect();
            let at = lines.iter().position(|line| *line == "Examples:");
            assert!(at.is_some_and(|at| at <= 4), "{words}: {outcome}");
            assert!(
                lines.len() <= if command == "search" { 100 } else { 140 },
                "{words} has {} lines: {outcome}",
                lines.len()
            );
            assert!(
                lines.iter().all(|line| line.chars().count() <= 100),
                "{words}"
            );
        }
    }
}

#[test]
fn what_every_command_takes_is_said_once() {
    let (connection, output) = (help("connection"), help("output"));
    for option in ["--tracking-uri", "--experiment", "--timeout", "--retries"] {
        assert!(connection.contains(option), "{option}");
    }
    for option in ["--output", "--color", "--no-pager", "--verbose"] {
        assert!(output.contains(option), "{option}");
    }
    for command in ["search", "stats", "get"] {
        let help = help(command);
        for option in [
            "--tracking-uri",
            "--timeout",
            "--retries",
            "--color",
            "--no-pager",
        ] {
            assert!(!help.contains(option), "{command} {option}: {help}");
        }
        assert!(help.contains("mlt help connection"), "{command}");
    }
    for topic in ["filter", "rules", "connection", "output"] {
        let page = help(topic);
        assert!(
            page.lines().all(|line| line.chars().count() <= 90),
            "{topic}"
        );
        let listed = mlt().run("help");
        assert!(
            listed.ok().contains(&format!("mlt help {topic}")),
            "{listed}"
        );
    }
    mlt()
        .on("demo:")
        .run("search -n 1 --retries 0 --timeout 5s --color never")
        .stdout
        .lines()
        .next()
        .unwrap();
}
