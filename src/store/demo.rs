//! The demo store: real traces, recorded by MLflow and built into the program.

use serde::Deserialize;

use super::StoreError;
use super::memory::MemoryStore;
use super::wire::read_documents;
use crate::model::Experiment;

const TRACES: &[u8] = include_bytes!("demo.jsonl");
const EXPERIMENTS: &[u8] = include_bytes!("demo-experiments.json");

/// Parses the embedded traces.
pub(super) fn open() -> Result<MemoryStore, StoreError> {
    #[derive(Deserialize)]
    struct WireExperiment {
        experiment_id: String,
        name: String,
    }
    let broken = |error: serde_json::Error| StoreError::Data {
        path: "the demo store".to_owned(),
        reason: error.to_string(),
    };
    let experiments: Vec<WireExperiment> = serde_json::from_slice(EXPERIMENTS).map_err(broken)?;
    Ok(MemoryStore::new(
        "the demo store".to_owned(),
        "set a tracking URI to tag real traces",
        experiments
            .into_iter()
            .map(|e| Experiment {
                id: e.experiment_id,
                name: e.name,
                active: true,
            })
            .collect(),
        read_documents(TRACES).map_err(broken)?,
    ))
}
