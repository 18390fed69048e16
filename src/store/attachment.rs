//! Attachments: images, sounds and files that MLflow took out of the payloads of a trace
//! and keeps in a folder among the trace's artifacts, each in a file that is called by
//! its id.

use std::fs;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::artifact::Artifacts;

/// The folder of attachments among a trace's artifacts.
const FOLDER: &str = "attachments";
/// MLflow's ids are UUIDs, of 36 characters.
const LONGEST: usize = 64;

/// Refuses an id that would lead to another place.
///
/// # Errors
/// [`StoreError::NoAttachment`].
pub(super) fn check(id: &str) -> Result<(), StoreError> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !id.is_empty() && id.len() <= LONGEST && id.bytes().all(is_plain) {
        return Ok(());
    }
    Err(missing(
        &id.chars().take(LONGEST).collect::<String>(),
        "that is none of MLflow's ids",
    ))
}

/// An attachment that is not to be had.
pub(super) fn missing(id: &str, reason: impl Into<String>) -> StoreError {
    StoreError::NoAttachment {
        id: id.to_owned(),
        reason: reason.into(),
    }
}

impl Artifacts {
    /// The bytes of an attachment of a trace whose artifacts are in `own`, or else at the
    /// location that its tag names.
    ///
    /// # Errors
    /// [`StoreError::NoAttachment`] where there is none, and those of reading a file.
    pub(super) fn attachment(
        &self,
        own: Option<&Path>,
        location: Option<&str>,
        id: &str,
    ) -> Result<Vec<u8>, StoreError> {
        check(id)?;
        let mut folders: Vec<PathBuf> = own.map(Path::to_owned).into_iter().collect();
        let mut elsewhere = None;
        for folder in location.into_iter().flat_map(|at| self.folders(at)) {
            match folder {
                Ok(folder) => folders.push(folder),
                Err(error) => elsewhere = Some(error),
            }
        }
        let has_it = |folder: &&PathBuf| fs::symlink_metadata(folder.join(id)).is_ok();
        for folder in &mut folders {
            folder.push(FOLDER);
        }
        let found = match folders.iter().find(has_it) {
            Some(folder) => self.read(folder, id).map(|(_, bytes)| bytes),
            None => Err(elsewhere.unwrap_or_else(|| match folders.first() {
                Some(folder) => missing(id, format!("it is not in {}", folder.display())),
                None => missing(id, "nothing tells where the trace's artifacts are"),
            })),
        };
        found.map_err(StoreError::of_attachments)
    }
}

impl StoreError {
    /// The same, said of attachments.
    fn of_attachments(mut self) -> Self {
        if let Self::RemoteArtifact { what, .. } | Self::OutsideArtifact { what, .. } = &mut self {
            *what = FOLDER;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3db96171-b6b8-485f-b5a2-3221fbeb5b46";

    #[test]
    fn ids_lead_nowhere_else() {
        let long = "a".repeat(65);
        for id in ["", "..", "a/b", "a\\b", "%2e%2e", "a b", "é", &long] {
            let refused = check(id).unwrap_err();
            assert!(matches!(refused, StoreError::NoAttachment { .. }), "{id}");
        }
        check(ID).unwrap();
    }

    #[test]
    fn attachments_are_read_where_the_artifacts_of_the_store_are() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        let outside = dir.path().join("out/1/traces/x/artifacts");
        let served = store.join("mlartifacts/1/traces/x/artifacts");
        for folder in [&served, &outside] {
            fs::create_dir_all(folder.join(FOLDER)).unwrap();
            fs::write(folder.join(FOLDER).join(ID), b"\x89PNG").unwrap();
        }
        let artifacts = Artifacts::of_database(&store.join("mlflow.db"));
        let at = |location: &str| artifacts.attachment(None, Some(location), ID);
        let location = "mlflow-artifacts:/1/traces/x/artifacts";
        assert_eq!(at(location).unwrap(), b"\x89PNG");
        assert_eq!(
            artifacts.attachment(Some(&served), None, ID).unwrap(),
            b"\x89PNG"
        );
        let told = at(&format!("file://{}", outside.display()))
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("the attachments are kept in") && told.contains("--allow-artifacts"),
            "{told}"
        );
        let told = at("s3://bucket/1").unwrap_err().to_string();
        assert!(
            told.contains("the attachments are kept at s3://bucket/1"),
            "{told}"
        );
        let other = artifacts.attachment(None, Some(location), "0").unwrap_err();
        assert!(matches!(other, StoreError::NoAttachment { .. }), "{other}");
        let nowhere = artifacts.attachment(None, None, ID).unwrap_err();
        assert!(
            matches!(nowhere, StoreError::NoAttachment { .. }),
            "{nowhere}"
        );
    }
}
