//! Assessments written as MLflow writes them: a YAML file for each, named by its id, and
//! replaced in one step.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::Mlruns;
use super::folder::{self, ASSESSMENTS, is_link};
use super::write::{replace, unwritable};
use super::yaml_write;
use crate::store::assess::{as_json, restored};
use crate::store::wire::as_protobuf_value;
use crate::store::{AssessmentChanges, StoreError};

impl Mlruns {
    /// Changes the assessments of a trace.
    ///
    /// # Errors
    /// A trace that is not there, and what the file system says.
    pub(super) fn assess(
        &self,
        trace_id: &str,
        changes: &AssessmentChanges,
    ) -> Result<(), StoreError> {
        let (info, folder) = self.read(trace_id)?;
        let place = folder.join(ASSESSMENTS);
        if is_link(&folder) || is_link(&place) {
            return Err(StoreError::NotWritten {
                path: place.display().to_string(),
                reason: "it is a symbolic link".to_owned(),
            });
        }
        let now = info.assessments;
        // New ones come before old ones go: whoever stops in between has both.
        for new in changes.made(&now) {
            let id = new.id.clone().unwrap_or_default();
            write(&folder, &id, &stored(as_json(trace_id, &new)))?;
            if let Some(old) = &new.overrides {
                set_valid(&folder, old, false)?;
            }
        }
        let doomed = changes.doomed(&now);
        for id in restored(&doomed) {
            set_valid(&folder, &id, true)?;
        }
        for id in doomed.iter().filter_map(|old| old.id.as_deref()) {
            let path = file(&folder, id)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unwritable(&path, &error));
                }
                _ => {}
            }
        }
        // MLflow leaves no empty folder; of one that is not empty nothing goes.
        if !doomed.is_empty() {
            let _ = fs::remove_dir(&place);
        }
        Ok(())
    }
}

/// Numbers are floating-point, as everywhere that they were a message of protobuf.
fn stored(mut all: Value) -> Value {
    for kind in ["feedback", "expectation"] {
        if let Some(value) = all.get_mut(kind).and_then(|kind| kind.get_mut("value")) {
            *value = as_protobuf_value(value.take());
        }
    }
    all
}

fn file(folder: &Path, id: &str) -> Result<std::path::PathBuf, StoreError> {
    let is_name = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_name {
        return Ok(folder.join(ASSESSMENTS).join(format!("{id}.yaml")));
    }
    Err(StoreError::NotWritten {
        path: folder.join(ASSESSMENTS).display().to_string(),
        reason: format!("the assessment id `{id}` is no name of a file"),
    })
}

fn set_valid(folder: &Path, id: &str, valid: bool) -> Result<(), StoreError> {
    let path = file(folder, id)?;
    if fs::symlink_metadata(&path).is_err() {
        return Ok(());
    }
    let mut all = folder::read_yaml(&path)?;
    all["valid"] = json!(valid);
    write(folder, id, &all)
}

fn write(folder: &Path, id: &str, all: &Value) -> Result<(), StoreError> {
    replace(folder, &file(folder, id)?, &yaml_write::block(all))
}
