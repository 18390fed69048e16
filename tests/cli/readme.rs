//! The README's examples on the demo store print what the README says.

use std::path::Path;

use crate::support::mlt;

/// Commands and their output, from the blocks of the README that are sessions at a terminal.
fn examples(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ mlt ") {
                found.push((command.to_owned(), String::new()));
            } else {
                let output = &mut found.last_mut().expect("a command comes first").1;
                output.push_str(line);
                output.push('\n');
            }
        }
    }
    found
}

/// Splits a command line as a shell does, with quotes but nothing more.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn examples_print_what_the_readme_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let examples = examples(&readme);
    assert!(examples.len() >= 4);
    for (command, expected) in examples {
        let outcome = mlt().args(words(&command)).run("");
        let printed = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(printed, expected, "mlt {command}");
    }
}
