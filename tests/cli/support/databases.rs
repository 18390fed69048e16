//! Databases that scripts fill by MLflow's own API, without a server: made once, kept under
//! the target folder, and read there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::mlflow::{database, made_without_server, rich};
use super::{Mlt, mlt, venv};

/// The folder of the benchmarks.
pub(crate) fn bench() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bench")
}

/// mlt, reading traces with a fault each among healthy ones, fewer than the benchmark has.
pub(crate) fn on_faults() -> Mlt {
    let (python, script) = (venv::python("3.17.2"), bench().join("make_faults.py"));
    let args = ["--healthy", "120"];
    let made = made_without_server("faults-3.17.2", &python, &script, &args, database);
    mlt().on(&database(&made))
}

/// A database with a trace of each client, and what the vendors' stand-in remembers of them.
pub(crate) struct Clients {
    pub(crate) uri: String,
    pub(crate) cases: Value,
}

/// Traces of the vendors' own clients and of frameworks, by MLflow's autologging.
pub(crate) fn clients() -> Clients {
    let (python, script) = (venv::clients(), venv::scripts().join("make_clients.py"));
    let made = made_without_server("clients-3.17.2", &python, &script, &[], database);
    let cases = fs::read_to_string(made.join("cases.json")).expect("the store has its cases");
    Clients {
        uri: database(&made),
        cases: serde_json::from_str(&cases).expect("cases are JSON"),
    }
}

/// What a client with OpenTelemetry's conventions sent to a server, and what the vendor's
/// stand-in remembers of it.
pub(crate) fn opentelemetry_client(uri: &str) -> Value {
    let output = Command::new(venv::clients())
        .arg(venv::scripts().join("make_clients.py"))
        .args(["--tracking-uri", uri])
        .output()
        .expect("Python starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let last = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// Puts the rows of [`rich`] into an empty database, whose tables are made.
pub(crate) fn copy_rich_to(uri: &str) {
    let output = Command::new(venv::backends())
        .arg(venv::scripts().join("copy_store.py"))
        .args(["--tracking-uri", uri])
        .arg(rich().database())
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{output:?}");
}

/// Checks that a database with the rows of [`rich`] answers as these do in SQLite: to
/// commands of all kinds, and to these besides, in which words have no-break spaces.
pub(crate) fn answers_are_those_of_the_same_rows(uri: &str, more: &[&str]) {
    let mut lines: Vec<String> = [
        "experiments",
        "sessions --all",
        "stats --all",
        "stats p95(span.duration) --by span.name --all",
        "stats p50(duration) --by trace --all",
        "latency --all",
        "latency --all --by name",
        "errors --all",
        "export --all -o jsonl",
        "export --all -o csv",
        "search --all -o json --include-spans",
        "get latest",
    ]
    .iter()
    .chain(more)
    .map(|line| (*line).to_owned())
    .collect();
    for order in [
        "name",
        "name DESC",
        "status",
        "duration",
        "tokens DESC",
        "cost",
        "session",
        "experiment",
        "spans DESC",
        "tags.team DESC",
        "metadata.k",
    ] {
        let order = order.replace(' ', "\u{a0}");
        lines.push(format!("search --all -o ids --order-by {order}"));
    }
    // What the database decides, and the same where it is checked here.
    let run = rich().case("run");
    for filter in [
        format!("run_id='{run}'"),
        format!("run_id='{run}'\u{a0}OR\u{a0}name\u{a0}RLIKE\u{a0}'^nothing'"),
    ] {
        lines.push(format!("search --all -o ids -f {filter}"));
    }
    let artifacts = rich().dir.join("artifacts").display().to_string();
    for line in lines {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| word.replace('\u{a0}', " "))
            .collect();
        let [ours, expected] = [uri, &rich().database_uri()].map(|uri| {
            mlt()
                .on(uri)
                .env("MLT_ALLOW_ARTIFACTS", &artifacts)
                .args(&words)
                .run("")
        });
        assert_eq!(ours.code, expected.code, "{line}: {}", ours.stderr);
        assert!(expected.stdout.len() > 50, "{line}: {}", expected.stderr);
        assert!(ours.stdout == expected.stdout, "{line} differs");
    }
}
