//! Databases that scripts fill by MLflow's own API, without a server: made once, kept under
//! the target folder, and read there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::mlflow::{database, made_without_server};
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
