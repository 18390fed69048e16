//! Databases that scripts fill by MLflow's own API, without a server: made once, kept under
//! the target folder, and read there.

use std::path::PathBuf;

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
