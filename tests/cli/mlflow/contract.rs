//! The same questions to a real server, to its database and to an export of it,
//! through the binary: every byte of the answers must be the same.
//!
//! A server gives the keys of an object that is a feedback's value in any order,
//! so such answers are compared as JSON. What cannot be the same is left out here: names of experiments, which an
//! export does not have; links to runs; and what `differential/named.rs` names.

use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde_json::Value;

use crate::support::mlflow::{Seeded, early_v3, old, rich};
use crate::support::mysql::mysql;
use crate::support::postgres::postgres;
use crate::support::{Mlt, Outcome, mlt, without_link};

/// The places to ask, and which the expected answers come from.
struct Places {
    server: String,
    others: Vec<String>,
    /// Words that name the experiments to search, by id.
    scope: Vec<String>,
    /// Where the server keeps artifacts, as a database elsewhere cannot know.
    artifacts: String,
}

impl Places {
    /// The traces with spans of MLflow 3.17.
    fn current() -> &'static Self {
        static PLACES: OnceLock<Places> = OnceLock::new();
        PLACES.get_or_init(|| {
            let mut places = Self::of(
                rich(),
                &["rich", "rich-neighbour", "edges", "shop-assistant"],
            );
            places.others.extend([postgres().uri(), mysql().uri()]);
            places
        })
    }

    fn of(seeded: &Seeded, experiments: &[&str]) -> Self {
        let named = experiments.iter().flat_map(|name| ["-x", name]);
        let export = mlt()
            .on(seeded.uri())
            .args(named)
            .run("search --all --include-spans -o jsonl");
        let mut scope: Vec<String> = export.json_lines().iter().map(experiment).collect();
        scope.sort_unstable();
        scope.dedup();
        let path: PathBuf = seeded.dir.join("contract.jsonl");
        std::fs::write(&path, &export.stdout).unwrap();
        // Where `mlflow server` puts artifacts beside a database unless it is told otherwise.
        let artifacts = seeded.dir.join("mlartifacts");
        if !artifacts.exists() {
            std::os::unix::fs::symlink(seeded.dir.join("artifacts"), artifacts).unwrap();
        }
        Self {
            server: seeded.uri().to_owned(),
            others: vec![seeded.database_uri(), path.display().to_string()],
            scope: scope
                .into_iter()
                .flat_map(|id| ["-x".to_owned(), id])
                .collect(),
            artifacts: seeded.dir.join("artifacts").display().to_string(),
        }
    }

    /// mlt, asking one of the places.
    fn at(&self, place: &str) -> Mlt {
        mlt().on(place).env("MLT_ALLOW_ARTIFACTS", &self.artifacts)
    }

    /// Searches the experiments everywhere; gives the server's answer.
    #[track_caller]
    fn search(&self, words: &[&str]) -> Outcome {
        let scope = self.scope.iter().map(String::as_str);
        let words: Vec<&str> = words.iter().copied().chain(scope).collect();
        self.ask(&words)
    }

    /// Asks everywhere; gives the server's answer.
    #[track_caller]
    fn ask(&self, words: &[&str]) -> Outcome {
        let mut expected = mlt().on(&self.server).args(words).run("");
        expected.stdout = without_link(&expected.stdout);
        for place in &self.others {
            let found = self.at(place).args(words).run("");
            assert_eq!(
                (found.code, &found.stderr),
                (expected.code, &expected.stderr),
                "{words:.3?} on {place}"
            );
            if !same(&found.stdout, &expected.stdout) {
                let (line, (ours, theirs)) = found
                    .stdout
                    .lines()
                    .zip(expected.stdout.lines())
                    .enumerate()
                    .find(|(_, (ours, theirs))| ours != theirs)
                    .unwrap_or_default();
                let (ours, theirs) = around(ours, theirs);
                panic!(
                    "{words:.3?} on {place}, line {}:\n{ours}\nserver:\n{theirs}",
                    line + 1
                );
            }
        }
        expected
    }
}

fn experiment(trace: &Value) -> String {
    let id = &trace["info"]["trace_location"]["mlflow_experiment"]["experiment_id"];
    id.as_str().unwrap().to_owned()
}

fn same(ours: &str, theirs: &str) -> bool {
    static OBJECT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""value":\s*\{"#).unwrap());
    let same_line = |(ours, theirs): (&str, &str)| {
        ours == theirs || (OBJECT.is_match(theirs) && parsed(ours) == parsed(theirs))
    };
    ours == theirs
        || (ours.starts_with("{\"")
            && ours.lines().count() == theirs.lines().count()
            && ours.lines().zip(theirs.lines()).all(same_line))
        || same_line((ours, theirs))
}

fn parsed(json: &str) -> Option<Value> {
    serde_json::from_str(json).ok()
}

/// Two lines from a little before their first difference on.
fn around<'a>(ours: &'a str, theirs: &'a str) -> (&'a str, &'a str) {
    let same = ours
        .char_indices()
        .zip(theirs.chars())
        .find(|((_, a), b)| a != b)
        .map_or(0, |((at, _), _)| at);
    let start = (0..=same.saturating_sub(80))
        .rev()
        .find(|&at| ours.is_char_boundary(at))
        .unwrap_or(0);
    let cut = |text: &'a str| {
        let end = (start..=text.len().min(start + 400))
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or(start);
        text.get(start..end).unwrap_or_default()
    };
    (cut(ours), cut(theirs))
}

#[test]
fn a_database_and_an_export_of_mlflow_3_17_answer_as_its_server() {
    let places = Places::current();
    for words in [
        vec!["search", "-o", "json"],
        vec!["search", "--all", "-o", "jsonl"],
        vec!["search", "--all", "-o", "csv"],
        vec![
            "search",
            "--all",
            "--order-by",
            "execution_time_ms, -name",
            "-o",
            "json",
        ],
        vec!["search", "-n", "7", "--order-by", "tag.team", "-o", "json"],
        vec!["search", "-n", "150", "-o", "ids"],
        vec!["search", "--count"],
        vec!["search", "--status", "ERROR", "--count"],
        vec!["get", "--chat", "-n", "40", "-o", "jsonl"],
        vec!["get", "--status", "ERROR", "--chat"],
        vec!["session", "--latest", "-o", "json"],
        vec!["errors", "--all", "-o", "json"],
        vec![
            "search",
            "--all",
            "-o",
            "json",
            "-f",
            "status = 'ERROR' OR duration > 1s",
        ],
        vec![
            "search",
            "--all",
            "-o",
            "json",
            "-f",
            "tags.team IN ('search', \"pay's\") AND NOT name LIKE 'a%'",
        ],
        vec![
            "search",
            "--all",
            "-o",
            "json",
            "-f",
            "feedback.quality >= 0.5",
        ],
        vec![
            "search",
            "--all",
            "-o",
            "json",
            "-f",
            "tokens BETWEEN 20 AND 40 OR cost > 0.52",
        ],
        vec![
            "search",
            "--all",
            "-o",
            "ids",
            "-f",
            "name RLIKE '^(agent|checkout)$' AND execution_time_ms < 10",
        ],
        vec!["search", "--all", "-o", "ids", "-f", "name = 'nobody'"],
        vec![
            "search",
            "--all",
            "--include-spans",
            "-o",
            "jsonl",
            "-f",
            "tags.env IS NULL",
        ],
    ] {
        let answer = places.search(&words);
        assert_eq!(answer.code, Some(0), "{answer}");
    }
}

#[test]
fn every_trace_of_mlflow_3_17_is_the_same_in_a_database_and_in_an_export() {
    let places = Places::current();
    let list = places.search(&["search", "--all", "-o", "ids"]);
    let ids = list.lines();
    assert!(ids.len() > 100, "{}", ids.len());
    let words: Vec<&str> = ["get", "-o", "jsonl"]
        .into_iter()
        .chain(ids.iter().copied())
        .collect();
    places.ask(&words);
    for id in ids.iter().step_by(29) {
        places.ask(&["get", id, "-o", "json"]);
        places.ask(&["latency", id, "-o", "json"]);
    }
    places.search(&["latency", "--all", "-o", "json"]);
    places.search(&["get", "latest", "-o", "json"]);
}

fn an_old_store(seeded: &Seeded) {
    let places = Places::of(seeded, &["plain"]);
    let [good, bad] = [seeded.case("good"), seeded.case("bad")];
    for words in [
        vec!["search", "-o", "json"],
        vec!["search", "--all", "--include-spans", "-o", "jsonl"],
        vec!["search", "--count", "-f", "status = 'ERROR'"],
        vec![
            "search",
            "-o",
            "ids",
            "-f",
            "span.name = 'lookup' AND span.type = 'RETRIEVER'",
        ],
        vec![
            "search",
            "-o",
            "ids",
            "-f",
            "NOT tags.`case` = 'good' AND duration > 1ms",
        ],
        vec![
            "search",
            "-o",
            "ids",
            "-f",
            "any(span.error LIKE '%overloaded%')",
        ],
        vec![
            "search",
            "-n",
            "1",
            "--order-by",
            "-execution_time_ms",
            "-o",
            "ids",
        ],
        vec!["get", good, bad, "-o", "jsonl"],
        vec!["get", bad, "-o", "json"],
        vec!["latency", good, "-o", "json"],
        vec!["get", "latest", "-o", "json"],
    ] {
        let answer = places.ask(&words);
        assert_eq!(answer.code, Some(0), "{words:?}: {answer}");
    }
}

#[test]
fn a_database_and_an_export_of_mlflow_2_22_answer_as_its_server() {
    an_old_store(old());
}

#[test]
#[ignore = "extended run: installs a third MLflow; `cargo test -- --ignored`"]
fn a_database_and_an_export_of_mlflow_3_1_answer_as_its_server() {
    an_old_store(early_v3());
}
