//! The demo store: real traces, recorded by MLflow and built into the program.

use serde::Deserialize;

use super::StoreError;
use super::file::FileStore;
use crate::model::Experiment;

const NAME: &str = "the demo store";
const TRACES: &[u8] = include_bytes!("demo.jsonl");
const EXPERIMENTS: &[u8] = include_bytes!("demo-experiments.json");

/// Opens the embedded traces.
pub(super) fn open() -> Result<FileStore, StoreError> {
    #[derive(Deserialize)]
    struct WireExperiment {
        experiment_id: String,
        name: String,
    }
    let experiments: Vec<WireExperiment> =
        serde_json::from_slice(EXPERIMENTS).map_err(|error| StoreError::Data {
            path: NAME.to_owned(),
            reason: error.to_string(),
        })?;
    Ok(FileStore::built_in(
        NAME,
        "set a tracking URI to change real traces",
        TRACES,
        experiments
            .into_iter()
            .map(|e| Experiment {
                id: e.experiment_id,
                name: e.name,
                active: true,
            })
            .collect(),
    ))
}
