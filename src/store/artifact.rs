//! Spans that MLflow keeps in a `traces.json` among a trace's artifacts: where
//! that file is, and what is in it.

mod outside;
mod owned;

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::wire::{Fault, spans_from_protobuf, spans_from_slice};
use super::{Detail, StoreError, plain_io_reason};
use crate::model::{Span, Unreadable};
use crate::regular::{self, Links};
use crate::uri::{file_uri_path, percent_decode, without_credentials};

pub(super) use owned::Owned;

/// The file in a trace's artifact folder that holds its spans.
pub(super) const FILE_NAME: &str = "traces.json";

/// What artifacts mostly hold.
const SPANS: &str = "spans";

/// The largest file of a trace's spans, and the largest attachment, in bytes.
const LARGEST: u64 = 1 << 30;
/// The folder beside a store in which a server keeps artifacts by default.
const SERVED: &str = "mlartifacts";
/// The same of a server without `--serve-artifacts`.
const LOCAL: &str = "mlruns";

/// The places that the artifacts of a store are read in. Where the spans of a trace are,
/// its tags say, and these can come from anywhere: no place but the store's own, and those
/// that the user names, is looked into.
#[derive(Debug)]
pub(super) struct Artifacts {
    /// What to call the store's own folder.
    own: PathBuf,
    /// What `mlflow-artifacts:` may stand for, the likeliest first.
    served: Vec<PathBuf>,
    /// The store's own folders as they are without links.
    allowed: Vec<PathBuf>,
    /// Folders that the user names, likewise.
    also: Vec<PathBuf>,
}

impl Artifacts {
    /// Those of a database: its folder, wherever links lead from there to, and what a
    /// server keeps beside it.
    pub(super) fn of_database(path: &Path) -> Self {
        let served = path.with_file_name(SERVED);
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let own = folder_of(path);
        Self {
            allowed: without_links([
                own.clone(),
                folder_of(&real),
                served.clone(),
                path.with_file_name(LOCAL),
            ]),
            also: Vec::new(),
            own: fs::canonicalize(&own).unwrap_or(own),
            served: vec![served],
        }
    }

    /// Those of a database on a server, which has no folder of its own: what a tracking
    /// server keeps is in one of these folders, if anywhere.
    pub(super) fn of_server(folders: &[PathBuf]) -> Self {
        Self {
            own: PathBuf::new(),
            served: folders.to_vec(),
            allowed: Vec::new(),
            also: Vec::new(),
        }
    }

    /// Those of a file store: its folder, and what a server keeps beside it.
    pub(super) fn of_mlruns(root: &Path) -> Self {
        let beside = root.parent().map(|parent| parent.join(SERVED));
        let served: Vec<_> = beside.into_iter().chain([PathBuf::from(SERVED)]).collect();
        let places = served.iter().cloned().chain([root.to_owned()]);
        Self {
            own: fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()),
            allowed: without_links(places),
            also: Vec::new(),
            served,
        }
    }

    /// Reads in these folders too.
    pub(super) fn allow(&mut self, folders: &[PathBuf]) {
        self.also.extend(without_links(folders.iter().cloned()));
    }

    /// The spans of a trace whose artifacts are in `folder`.
    ///
    /// # Errors
    /// [`StoreError::OutsideArtifact`] for a place that is not looked into,
    /// [`StoreError::File`] when the file is missing or cannot be read, and
    /// [`StoreError::Unreadable`] when it holds no spans.
    pub(super) fn spans_in(&self, folder: &Path, detail: Detail) -> Result<Vec<Span>, StoreError> {
        let (path, json) = self.read(folder, FILE_NAME)?;
        spans_from_slice(&json, detail)
            .map_err(|flaw| unreadable(path, &Fault::of_flaw(&flaw, &json)))
    }

    /// The local folder that an artifact location names, which is what the tag
    /// `mlflow.artifactLocation` says: a `file:` URI, a path, or `mlflow-artifacts:` and a
    /// path below the folder that a server keeps artifacts in. Of several such folders, it
    /// is one with a file of spans.
    ///
    /// # Errors
    /// [`StoreError::RemoteArtifact`] for any other kind of location.
    pub(super) fn folder(&self, location: &str) -> Result<PathBuf, StoreError> {
        if self.own.as_os_str().is_empty() && self.served.is_empty() && is_served(location) {
            return Err(StoreError::RemoteArtifact {
                what: SPANS,
                location: shown(location),
                reason: "the folder for them is not known: `--allow-artifacts DIR` names it",
            });
        }
        let mut folders = self.served.iter().map(|root| folder(location, root));
        let first = folders
            .next()
            .unwrap_or_else(|| folder(location, &self.own))?;
        if self.has_spans(&first) {
            return Ok(first);
        }
        let other = folders.flatten().find(|folder| self.has_spans(folder));
        Ok(other.unwrap_or(first))
    }

    /// Whether a file of spans in this folder is there to be read.
    pub(super) fn has_spans(&self, folder: &Path) -> bool {
        let real = fs::canonicalize(folder.join(FILE_NAME));
        real.is_ok_and(|real| self.allows(&real) && real.is_file())
    }

    /// All folders that a location may stand for, the likeliest first.
    pub(super) fn folders(
        &self,
        location: &str,
    ) -> impl Iterator<Item = Result<PathBuf, StoreError>> {
        self.served.iter().map(move |root| folder(location, root))
    }

    fn allows(&self, real: &Path) -> bool {
        let mut all = self.allowed.iter().chain(&self.also);
        all.any(|folder| real.starts_with(folder))
    }

    /// A file in a folder, with what to call it.
    pub(super) fn read(&self, folder: &Path, name: &str) -> Result<(String, Vec<u8>), StoreError> {
        let path = folder.join(name);
        let refused = |error: &io::Error| StoreError::File {
            path: path.display().to_string(),
            reason: plain_io_reason(error),
        };
        let real = fs::canonicalize(&path).map_err(|error| refused(&error))?;
        if !self.allows(&real) {
            return Err(StoreError::OutsideArtifact {
                what: SPANS,
                folder: folder.display().to_string(),
                own: self.own.display().to_string(),
                allow: to_allow(real.parent().unwrap_or(&real))
                    .display()
                    .to_string(),
            });
        }
        let bytes =
            regular::read(&real, Links::Refuse, LARGEST).map_err(|error| refused(&error))?;
        Ok((path.display().to_string(), bytes))
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Folders as they are without links; those that are not there hold nothing.
fn without_links(folders: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    folders.into_iter().flat_map(fs::canonicalize).collect()
}

/// The folder to name for one trace's artifacts: where MLflow laid them out, the one that
/// holds those of all traces.
fn to_allow(folder: &Path) -> &Path {
    let laid_out = |folder: &&Path| folder.file_name().is_some_and(|name| name == "traces");
    match folder.ancestors().find(laid_out).and_then(Path::parent) {
        // Above the experiment, unless that is the whole disk.
        Some(experiment) => match experiment.parent() {
            Some(root) if root.parent().is_some() => root,
            _ => experiment,
        },
        None => folder,
    }
}

fn unreadable(path: String, fault: &Fault) -> StoreError {
    Unreadable {
        trace_id: None,
        file: Some(path),
        line: None,
        member: fault.member.clone(),
        message: fault.message(),
    }
    .into()
}

/// The file in an archive that holds the spans of a trace.
pub(super) const ARCHIVE_NAME: &str = "traces.pb";

impl Artifacts {
    /// The spans of an archived trace below a location, which is what the tag
    /// `mlflow.trace.archiveLocation` says: a `file:` URI.
    ///
    /// # Errors
    /// [`StoreError::RemoteArtifact`] for any other kind of location, and as
    /// [`Self::spans_in`] otherwise.
    pub(super) fn archived(&self, location: &str) -> Result<Vec<Span>, StoreError> {
        let elsewhere = |reason: &'static str| StoreError::RemoteArtifact {
            what: SPANS,
            location: shown(location.trim()),
            reason,
        };
        let folder = file_uri_path(location.trim()).ok_or_else(|| {
            elsewhere("mlt only reads archives in file:// places on this machine")
        })?;
        if folder.components().any(|part| part == Component::ParentDir) {
            return Err(elsewhere("it leads out of the folder that it names"));
        }
        let (path, bytes) = self.read(&folder, ARCHIVE_NAME)?;
        spans_from_protobuf(&bytes).map_err(|flaw| {
            let unreadable = Unreadable {
                trace_id: None,
                file: Some(path),
                line: None,
                member: (!flaw.member.is_empty()).then(|| flaw.member.clone()),
                message: flaw.reason.clone(),
            };
            unreadable.into()
        })
    }
}

/// The local folder that an artifact location names.
///
/// # Errors
/// A location that is not on this machine.
fn folder(location: &str, root: &Path) -> Result<PathBuf, StoreError> {
    let location = location.trim();
    let remote = |reason: &'static str| StoreError::RemoteArtifact {
        what: SPANS,
        location: shown(location),
        reason,
    };
    if let Some(path) = file_uri_path(location) {
        return Ok(path);
    }
    let Some((_, rest)) = location.split_once(':').filter(|(s, _)| is_scheme(s)) else {
        if location.is_empty() {
            return Err(remote("it names no place"));
        }
        return Ok(PathBuf::from(location));
    };
    if !is_served(location) {
        return Err(remote("mlt only reads artifacts on this machine"));
    }
    let path = match rest.strip_prefix("//") {
        Some(with_host) => with_host.split_once('/').map_or("", |(_, path)| path),
        None => rest,
    };
    let path = percent_decode(path);
    let path = Path::new(path.trim_start_matches('/'));
    // The tag can be written by anybody who may tag the trace.
    if !path
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(remote("it leads out of the artifact folder"));
    }
    Ok(root.join(path))
}

/// Whether a location is one that only a tracking server knows the folder of.
fn is_served(location: &str) -> bool {
    let scheme = location
        .trim()
        .split_once(':')
        .map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("mlflow-artifacts")
}

/// A location without what may be secret in it.
pub(super) fn shown(location: &str) -> String {
    without_credentials(location.split(['?', '#']).next().unwrap_or_default())
}

/// One letter before a colon is a drive of Windows.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_name_folders() {
        let root = Path::new("/srv/mlartifacts");
        for (location, expected) in [
            ("file:///a/b%20c/artifacts", "/a/b c/artifacts"),
            ("/a/b%20c", "/a/b%20c"),
            ("mlruns/1/traces/x", "mlruns/1/traces/x"),
            (
                "mlflow-artifacts:/1/traces/x/artifacts",
                "/srv/mlartifacts/1/traces/x/artifacts",
            ),
            ("mlflow-artifacts://h:5000/1/x", "/srv/mlartifacts/1/x"),
            ("C:/mlruns/1", "C:/mlruns/1"),
        ] {
            assert_eq!(
                folder(location, root).unwrap(),
                Path::new(expected),
                "{location}"
            );
        }
    }

    /// The artifacts of a database in a folder.
    fn beside(folder: &Path) -> Artifacts {
        Artifacts::of_database(&folder.join("mlflow.db"))
    }

    fn spans(artifacts: &Artifacts, location: &str) -> Result<Vec<Span>, StoreError> {
        artifacts.spans_in(&artifacts.folder(location)?, Detail::Whole)
    }

    #[test]
    fn what_is_elsewhere_is_named_without_its_secrets() {
        let artifacts = beside(Path::new("/srv"));
        for (location, named) in [
            ("s3://bucket/1/x", "s3://bucket/1/x"),
            ("https://ann:hunter2@h/x?sig=hunter2", "https://h/x"),
            ("dbfs:/databricks/x", "dbfs:/databricks/x"),
            ("abfss://c@account.dfs.core.windows.net/x", "account.dfs"),
            ("mlflow-artifacts:/../../etc", "leads out"),
            ("file://host/x", "file://host/x"),
        ] {
            let error = spans(&artifacts, location).unwrap_err();
            assert!(
                matches!(error, StoreError::RemoteArtifact { .. }),
                "{error:?}"
            );
            let text = error.to_string();
            assert!(text.contains(named) && !text.contains("hunter2"), "{text}");
        }
    }

    fn at(path: &Path) -> String {
        format!("file://{}", path.display())
    }

    #[test]
    fn archives_are_read_in_places_on_this_machine_alone() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = beside(dir.path());
        let archive = dir.path().join("archive");
        fs::create_dir(&archive).unwrap();
        fs::write(archive.join(ARCHIVE_NAME), "").unwrap();
        assert_eq!(artifacts.archived(&at(&archive)).unwrap(), []);
        let missing = artifacts.archived(&at(dir.path())).unwrap_err();
        assert!(matches!(missing, StoreError::File { .. }), "{missing}");
        for location in [
            format!("{}/../archive", at(&archive)),
            format!("{}/%2e%2e/archive", at(&archive)),
            "s3://bucket/archive".to_owned(),
            archive.display().to_string(),
            String::new(),
        ] {
            let error = artifacts.archived(&location).unwrap_err();
            let refused = matches!(error, StoreError::RemoteArtifact { .. });
            assert!(refused, "{location}: {error}");
        }
        fs::write(archive.join(ARCHIVE_NAME), "no protobuf").unwrap();
        let broken = artifacts.archived(&at(&archive)).unwrap_err();
        assert!(matches!(broken, StoreError::Unreadable(_)), "{broken}");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_read_outside_of_the_folders_that_are_allowed() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (dir.path().join("own"), dir.path().join("out/1/traces/x"));
        fs::create_dir_all(&own).unwrap();
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join(FILE_NAME), "{\"spans\": []}").unwrap();
        fs::write(other.join(ARCHIVE_NAME), "").unwrap();
        symlink(&other, own.join("folder")).unwrap();
        fs::create_dir(own.join("file")).unwrap();
        symlink(other.join(FILE_NAME), own.join("file").join(FILE_NAME)).unwrap();
        symlink(
            other.join(ARCHIVE_NAME),
            own.join("file").join(ARCHIVE_NAME),
        )
        .unwrap();
        let mut artifacts = beside(&own);
        let places = [
            at(&other),
            other.display().to_string(),
            at(&own.join("folder")),
            at(&own.join("file")),
        ];
        let allow = fs::canonicalize(dir.path().join("out")).unwrap();
        for place in &places {
            let error = spans(&artifacts, place).unwrap_err();
            let told = error.to_string();
            let flag = format!("`--allow-artifacts {}`", allow.display());
            assert!(told.contains(&flag), "{place}: {told}");
        }
        for place in [&places[0], &places[2], &places[3]] {
            let error = artifacts.archived(place).unwrap_err();
            assert!(
                matches!(error, StoreError::OutsideArtifact { .. }),
                "{error}"
            );
        }
        artifacts.allow(&[dir.path().join("nothing"), allow]);
        for place in &places {
            assert_eq!(spans(&artifacts, place).unwrap(), [], "{place}");
        }
        assert_eq!(artifacts.archived(&places[0]).unwrap(), []);
    }

    #[test]
    fn the_folder_to_allow_holds_all_traces() {
        for (folder, expected) in [
            ("/srv/out/1/traces/tr-1/artifacts", "/srv/out"),
            ("/1/traces/tr-1/artifacts", "/1"),
            ("/srv/elsewhere/x", "/srv/elsewhere/x"),
        ] {
            assert_eq!(to_allow(Path::new(folder)), Path::new(expected), "{folder}");
        }
    }

    #[test]
    fn a_missing_and_a_broken_file_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = beside(dir.path());
        let found = || spans(&artifacts, &at(dir.path()));
        let missing = found().unwrap_err();
        assert!(matches!(missing, StoreError::File { .. }), "{missing}");
        fs::write(dir.path().join(FILE_NAME), "{\"spans\": [").unwrap();
        let broken = found().unwrap_err();
        assert!(matches!(broken, StoreError::Unreadable(_)), "{broken}");
        let span = r#"{"spans": [{"name": "a", "span_id": "1", "start_time_unix_nano": 5}]}"#;
        fs::write(dir.path().join(FILE_NAME), span).unwrap();
        assert_eq!(found().unwrap()[0].name, "a");
        assert!(artifacts.has_spans(dir.path()));
    }
}
