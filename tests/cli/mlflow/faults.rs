//! What went wrong in twenty ways, found as `tests/bench/faults.py` finds it: by the
//! commands that lead there from what somebody noticed.

use std::process::Command;

use regex::Regex;
use serde::Deserialize;

use crate::support::databases::{bench, on_faults};
use crate::support::venv;

#[derive(Deserialize)]
struct Fault {
    name: String,
    commands: Vec<Vec<String>>,
    evidence: Vec<Evidence>,
}

#[derive(Deserialize)]
struct Evidence {
    pattern: String,
    count: usize,
}

fn faults() -> Vec<Fault> {
    let output = Command::new(venv::python("3.17.2"))
        .arg(bench().join("faults.py"))
        .arg("--list")
        .output()
        .expect("Python starts");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// The word of a command, with the first trace that the output before it names.
fn filled(word: &str, before: &str) -> String {
    if word != "{trace}" {
        assert!(!word.contains("{trace"), "{word}");
        return word.to_owned();
    }
    let id = Regex::new("tr-[0-9a-f]+").unwrap().find(before);
    id.unwrap_or_else(|| panic!("no trace in {before}"))
        .as_str()
        .to_owned()
}

#[test]
fn each_is_found_by_the_commands_of_the_benchmark() {
    let faults = faults();
    assert_eq!(faults.len(), 20);
    for fault in &faults {
        assert!(!fault.evidence.is_empty(), "{}", fault.name);
        let mut output = String::new();
        for command in &fault.commands {
            let words = command.iter().map(|word| filled(word, &output));
            let outcome = on_faults().args(words).run("");
            assert_eq!(outcome.code, Some(0), "{}: {outcome}", fault.name);
            output = outcome.stdout;
        }
        // Bytes are the other half of the benchmark: what an agent has to read.
        assert!(output.len() < 4_000, "{}: {output}", fault.name);
        for Evidence { pattern, count } in &fault.evidence {
            let found = Regex::new(pattern).unwrap().find_iter(&output).count();
            assert!(found >= *count, "{}: {pattern} in:\n{output}", fault.name);
        }
    }
}

#[test]
fn the_prompt_of_a_trace_is_told_wherever_the_trace_is() {
    let text = ["get", "--text", "20 kg"];
    let page = on_faults().args(text).run("");
    assert!(
        page.ok().contains("\nprompts     policy-system/1\n"),
        "{page}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let report = on_faults().args(["report", "--text", "20 kg", "-o", file.to_str().unwrap()]);
    assert_eq!(report.run("").code, Some(0));
    let html = std::fs::read_to_string(file).unwrap();
    assert!(html.contains("<dt>prompts</dt><dd>policy-system/1</dd>"));
}

#[test]
fn a_failed_call_is_told_once_with_what_it_failed_with() {
    let brief = on_faults()
        .args(["get", "--text", "TD481", "-o", "brief"])
        .run("");
    let failed = "hold_seat failed: SeatMapBusy: seat map is locked, attempt 2\n";
    assert!(brief.ok().contains(failed), "{brief}");
    let errors = on_faults().run("errors --kinds length,refusal -o brief");
    assert!(
        errors.ok().contains("- 1× length in Completions, "),
        "{errors}"
    );
    let said = "- 1× refusal: I can't help with medical matters. in Completions, ";
    assert!(errors.ok().contains(said), "{errors}");
}
