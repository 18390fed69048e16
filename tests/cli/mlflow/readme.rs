//! The README's examples on the demo store print what the README says.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::mlflow::growing;
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

/// What stands between a fence of this language and its end, in one section.
fn blocks<'r>(readme: &'r str, section: &str, language: &str) -> Vec<&'r str> {
    let text = readme.split(&format!("\n## {section}\n")).nth(1).unwrap();
    let text = text.split("\n## ").next().unwrap();
    let fence = format!("```{language}\n");
    let fenced = text.split(&fence).skip(1);
    fenced
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// The lines that a job's description gives to a shell: those under `|`.
fn shell_lines(yaml: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = yaml.lines().skip_while(|line| !line.ends_with('|'));
    let head = lines.next().unwrap();
    let script = lines.take_while(|line| indent(line) > indent(head));
    script.map(str::trim_start).collect::<Vec<_>>().join("\n")
}

#[test]
fn recipes_for_ci_run_as_they_stand() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).unwrap();
    let rules = blocks(&readme, "Checks in CI", "text");
    let recipes: Vec<String> = blocks(&readme, "Checks in CI", "yaml")
        .into_iter()
        .map(shell_lines)
        .collect();
    assert!(recipes.len() == 2 && recipes.iter().all(|r| r.contains("mlt check")));

    let server = growing().uri();
    for (commit, name) in [("good", "rag-answer"), ("bad", "checkout")] {
        let tag = format!("tag -x shop-assistant --name {name} --yes commit={commit}");
        assert_eq!(mlt().on(server).run(&tag).code, Some(0));
    }
    let dir = tempfile::tempdir().unwrap();
    let binary = assert_cmd::cargo::cargo_bin("mlt");
    let searched = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let run = |recipe: &str, commit: &str| -> Output {
        Command::new("sh")
            .args(["-e", "-c", recipe])
            .current_dir(dir.path())
            .env("PATH", &searched)
            .env("MLFLOW_TRACKING_URI", server)
            .env("GITHUB_SHA", commit)
            .env("CI_COMMIT_SHA", commit)
            .env("GITHUB_STEP_SUMMARY", dir.path().join("summary.md"))
            .output()
            .unwrap()
    };
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    fs::write(dir.path().join("traces.rules"), rules[0]).unwrap();
    for recipe in &recipes {
        // The second time, values of the first are there to compare with.
        for _ in 0..2 {
            let output = run(recipe, "good");
            assert_eq!(output.status.code(), Some(0), "{recipe}\n{output:?}");
        }
    }
    assert!(read("summary.md").contains("4 rules passed"));
    assert!(read("report.xml").contains("failures=\"0\""));
    assert!(read("values.json").contains("p95(duration)"));

    fs::write(dir.path().join("traces.rules"), "max(duration) <= 1ms\n").unwrap();
    for recipe in &recipes {
        let output = run(recipe, "bad");
        assert_eq!(output.status.code(), Some(1), "{recipe}\n{output:?}");
    }
    assert!(read("summary.md").contains("1 of 1 rule failed"));
    assert!(read("report.xml").contains("<failure "));
}
