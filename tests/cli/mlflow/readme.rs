//! The README's examples on the demo store print what the README says.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::mlflow::{growing, of_its_own, python};
use crate::support::mlt;
#[cfg(feature = "parquet")]
use crate::support::venv;

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

/// A shell in a folder, with mlt on its path and a server for it.
fn sh(recipe: &str, folder: &Path, server: &str) -> Command {
    let binary = assert_cmd::cargo::cargo_bin("mlt");
    let searched = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = Command::new("sh");
    command
        .args(["-e", "-c", recipe])
        .current_dir(folder)
        .env("PATH", searched)
        .env("MLFLOW_TRACKING_URI", server);
    command
}

/// Judges a transcript by its length, and writes what it found as `mlt assess --from` reads it.
const SCORE: &str = r#"
import json, sys
trace = json.load(sys.stdin)
said = sum(len(part.get("content") or "") for m in trace["messages"] for part in m["parts"])
print(json.dumps({"trace_id": trace["trace_id"], "name": "brevity", "value": said < 100000,
                  "rationale": f"{said} characters"}))
"#;

#[test]
fn the_loop_of_evaluation_runs_as_it_stands_and_again() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.unwrap();
    let recipe = readme
        .split("```sh\n")
        .find(|block| block.contains("--from scores.jsonl"));
    let recipe = recipe.unwrap().split("```").next().unwrap();
    let seeded = of_its_own("3.17.2");
    let on = || {
        mlt()
            .on(seeded.uri())
            .env("MLFLOW_EXPERIMENT_NAME", "shop-assistant")
    };
    let count = |filter: &str| {
        let counted = on().args(["search", "--count", "-f", filter]).run("");
        counted.ok().trim().parse::<usize>().unwrap()
    };
    on().run("-q tag --name rag-answer pending_evaluation=true --yes")
        .ok();
    let pending = count("tags.pending_evaluation = 'true'");
    assert!(pending > 1);

    let folder = tempfile::tempdir().unwrap();
    let score = folder.path().join("score");
    fs::write(&score, format!("#!{}{SCORE}", python().display())).unwrap();
    fs::set_permissions(&score, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let run = |recipe: &str| {
        let mut shell = sh(recipe, folder.path(), seeded.uri());
        let output = shell
            .env("MLFLOW_EXPERIMENT_NAME", "shop-assistant")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{recipe}\n{output:?}");
    };
    // Whoever stops before the last line starts again from the first.
    let (most, _) = recipe.trim_end().rsplit_once('\n').unwrap();
    run(most);
    run(recipe);
    assert_eq!(count("tags.pending_evaluation = 'true'"), 0);
    assert_eq!(
        count("tags.reviewed = 'true' AND feedback.brevity = true"),
        pending
    );
    let said = on()
        .run("assess --list --tag reviewed=true -o jsonl")
        .json_lines();
    let ours: Vec<_> = said.iter().filter(|row| row["name"] == "brevity").collect();
    assert_eq!(
        ours.len(),
        pending,
        "a repetition makes no more of them: {ours:?}"
    );
    assert!(
        ours.iter().all(|row| row["source_id"] == "score"),
        "{ours:?}"
    );
    // With nothing left to do it is no failure.
    run(recipe);
}

/// The recipe for DuckDB finds in the parts what `mlt stats` finds in the traces.
#[cfg(feature = "parquet")]
#[test]
fn the_query_over_parts_runs_as_it_stands() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.unwrap();
    let query = blocks(&readme, "A tour", "python");
    let query = query.iter().find(|block| block.contains("duckdb")).unwrap();
    let export = readme.lines().find(|line| line.contains("--partition-by"));
    let export = export.unwrap().split('`').nth(1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = sh(export, folder.path(), "demo:").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = Command::new(venv::python("viewers"))
        .args(["-c", query])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{:?}", output.stderr);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter_map(|line| line.strip_prefix('│')?.strip_suffix('│'))
        .map(|line| line.split('│').map(str::trim).collect())
        .filter(|row: &Vec<&str>| row.len() == 3 && row[1].parse::<u64>().is_ok())
        .collect();
    let found = mlt().run("-u demo: latency --all --by name -o csv --columns name,type,n,p95_ns");
    let mut reader = csv::Reader::from_reader(found.ok().as_bytes());
    let mut tools: Vec<(f64, String, String)> = reader
        .records()
        .map(Result::unwrap)
        .filter(|row| &row[1] == "TOOL")
        .map(|row| {
            (
                row[3].parse().unwrap(),
                row[0].to_owned(),
                row[2].to_owned(),
            )
        })
        .collect();
    tools.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert_eq!(rows.len(), 3, "{table}");
    for (row, (p95_ns, name, count)) in rows.iter().zip(tools) {
        assert_eq!((row[0], row[1]), (name.as_str(), count.as_str()), "{table}");
        let p95_ms: f64 = row[2].parse().unwrap();
        assert!((p95_ms * 1e6 - p95_ns).abs() <= 1.0, "{p95_ns} in {table}");
    }
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
    let run = |recipe: &str, commit: &str| -> Output {
        sh(recipe, dir.path(), server)
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
