//! Deleting a trace as MLflow deletes it: its folder. The description goes first, without
//! which a folder is no trace: what is left of a deletion that was interrupted is not
//! taken for one.

use std::fs;
use std::io;

use super::Mlruns;
use super::folder::{self, is_link};
use super::write::unwritable;
use crate::model::tag;
use crate::store::StoreError;

impl Mlruns {
    /// Deletes a trace, and its artifacts where they are the store's own.
    ///
    /// # Errors
    /// A trace that is not there, and what the file system says.
    pub(super) fn delete(&self, trace_id: &str) -> Result<(), StoreError> {
        let folder = self.find_folder(trace_id)?;
        if is_link(&folder) {
            return Err(StoreError::NotWritten {
                path: folder.display().to_string(),
                reason: "it is a symbolic link".to_owned(),
            });
        }
        let location = folder::read(&folder.join(folder::TAGS).join(tag::ARTIFACT_LOCATION));
        let location = location.ok().flatten().unwrap_or_default();
        let own = self.artifacts.own_folders(trace_id, &location);
        let description = folder.join(folder::TRACE_INFO);
        let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match fs::remove_file(&description) {
            Err(error) if !is_gone(&error) => return Err(unwritable(&description, &error)),
            _ => {}
        }
        match fs::remove_dir_all(&folder) {
            Err(error) if is_gone(&error) => return Err(self.unknown(trace_id)),
            Err(error) => return Err(unwritable(&folder, &error)),
            Ok(()) => {}
        }
        for folder in own {
            if let Err(left) = folder.delete() {
                self.doubts.add(left);
            }
        }
        Ok(())
    }
}
