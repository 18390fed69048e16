//! What of a trace's artifacts goes with the trace. Where they are, its tags say, which
//! anybody may have written: nothing is deleted but a folder that is named as MLflow names
//! the one of this trace, within the store's own folders.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{ARCHIVE_NAME, Artifacts, shown};
use crate::store::{StoreError, plain_io_reason};
use crate::uri::file_uri_path;

/// The folder of a trace's artifacts, in one that has the trace's id for a name.
const ARTIFACTS: &str = "artifacts";

/// A folder of one trace's.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Owned(PathBuf);

impl Owned {
    /// Deletes it with all that is in it; links are not followed.
    ///
    /// # Errors
    /// What is left, for a notice.
    pub(in crate::store) fn delete(self) -> Result<(), String> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(format!(
                "files of a deleted trace are left in {}: {}",
                self.0.display(),
                plain_io_reason(&error)
            )),
            _ => Ok(()),
        }
    }
}

impl Artifacts {
    /// The store's own folders that this artifact location names.
    pub(in crate::store) fn own_folders(&self, trace_id: &str, location: &str) -> Vec<Owned> {
        let folders = self.folders(location).flatten();
        let mut own: Vec<Owned> = folders
            .filter_map(|folder| self.own(trace_id, &folder))
            .collect();
        own.dedup();
        own
    }

    /// The store's own folder that this location of an archive names; `None` for one that
    /// is not there any more.
    ///
    /// # Errors
    /// That it is somebody else's.
    pub(in crate::store) fn own_archive(
        &self,
        trace_id: &str,
        location: &str,
    ) -> Result<Option<Owned>, StoreError> {
        let elsewhere = |reason: &'static str| StoreError::ArchivedElsewhere {
            id: trace_id.to_owned(),
            location: shown(location.trim()),
            reason,
        };
        let Some(folder) = file_uri_path(location.trim()) else {
            return Err(elsewhere("mlt only deletes files on this machine"));
        };
        let is_gone = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        if fs::symlink_metadata(folder.join(ARCHIVE_NAME)).is_err_and(is_gone) {
            return Ok(None);
        }
        let own = self.own(trace_id, &folder);
        own.map(Some)
            .ok_or_else(|| elsewhere("that is not in a folder of the store's own"))
    }

    fn own(&self, trace_id: &str, folder: &Path) -> Option<Owned> {
        let is_plain = |path: &Path| fs::symlink_metadata(path).is_ok_and(|it| it.is_dir());
        let named = |path: &Path, name: &str| path.file_name().is_some_and(|it| it == name);
        let whole = folder.parent()?;
        let climbs = folder.components().any(|part| part == Component::ParentDir);
        if climbs || !named(folder, ARTIFACTS) || !named(whole, trace_id) {
            return None;
        }
        if !is_plain(folder) || !is_plain(whole) {
            return None;
        }
        let real = fs::canonicalize(whole).ok()?;
        let is_within = |own: &PathBuf| real.starts_with(own) && real != *own;
        let is_own = named(&real, trace_id) && self.allowed.iter().any(is_within);
        is_own.then_some(Owned(real))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_but_the_folder_of_the_trace_itself() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let place = |path: &str| {
            fs::create_dir_all(root.join(path).join("artifacts")).unwrap();
            root.join(path)
        };
        let own = place("store/mlartifacts/1/traces/tr-1");
        let (other, outside) = (place("store/mlartifacts/1/traces/tr-2"), place("tr-1"));
        let linked = root.join("store/linked/tr-1");
        fs::create_dir(root.join("store/linked")).unwrap();
        std::os::unix::fs::symlink(&outside, &linked).unwrap();
        fs::write(own.join("artifacts/traces.json"), "{}").unwrap();
        fs::write(outside.join("artifacts").join(ARCHIVE_NAME), "").unwrap();
        let mut artifacts = Artifacts::of_database(&root.join("store/mlflow.db"));
        artifacts.allow(std::slice::from_ref(&root));
        let found = |location: &str| artifacts.own_folders("tr-1", location);
        let uri = |path: &Path| format!("file://{}/artifacts", path.display());
        for location in [
            "mlflow-artifacts:/1/traces/tr-2/artifacts".to_owned(),
            "mlflow-artifacts:/1/traces".to_owned(),
            "mlflow-artifacts:/".to_owned(),
            "s3://bucket/1/traces/tr-1/artifacts".to_owned(),
            uri(&other),
            uri(&outside),
            uri(&linked),
            uri(&root.join("store/mlartifacts/../../tr-1")),
            own.display().to_string(),
            root.display().to_string(),
            String::new(),
        ] {
            assert_eq!(found(&location), [], "{location}");
        }
        for location in [
            "mlflow-artifacts:/1/traces/tr-1/artifacts".to_owned(),
            uri(&own),
        ] {
            assert_eq!(found(&location), [Owned(own.clone())], "{location}");
        }
        let archive = |location: &str| artifacts.own_archive("tr-1", location);
        assert!(
            archive(&uri(&outside)).is_err(),
            "of the user's, not the store's"
        );
        assert!(archive("s3://bucket/tr-1/artifacts").is_err());
        assert_eq!(archive(&uri(&own)).unwrap(), None, "no archive is in there");
        fs::write(own.join("artifacts").join(ARCHIVE_NAME), "").unwrap();
        assert_eq!(archive(&uri(&own)).unwrap(), Some(Owned(own.clone())));
        for it in found(&uri(&own)) {
            it.delete().unwrap();
        }
        assert!(!own.exists() && other.exists() && outside.exists());
        Owned(own).delete().unwrap();
    }
}
