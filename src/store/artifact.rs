//! Spans that MLflow keeps in a `traces.json` among a trace's artifacts: where
//! that file is, and what is in it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::wire::{Fault, spans_from_protobuf, spans_from_slice};
use super::{Detail, StoreError, plain_io_reason};
use crate::model::{Span, Unreadable};
use crate::settings::{file_uri_path, percent_decode, without_credentials};

/// The file in a trace's artifact folder that holds its spans.
pub(super) const FILE_NAME: &str = "traces.json";

/// The spans below an artifact location, which is what the tag
/// `mlflow.artifactLocation` says: a `file:` URI, a path, or `mlflow-artifacts:`
/// and a path below `root`, the folder that a server keeps artifacts in.
///
/// # Errors
/// [`StoreError::RemoteArtifact`] for any other kind of location,
/// [`StoreError::File`] when the file is missing or cannot be read, and
/// [`StoreError::Unreadable`] when it holds no spans.
pub(super) fn spans(location: &str, root: &Path, detail: Detail) -> Result<Vec<Span>, StoreError> {
    spans_in(&folder(location, root)?, detail)
}

/// The spans of a trace whose artifacts are in `folder`.
///
/// # Errors
/// Those of [`spans`], but the first.
pub(super) fn spans_in(folder: &Path, detail: Detail) -> Result<Vec<Span>, StoreError> {
    let path = folder.join(FILE_NAME);
    let shown = || path.display().to_string();
    let json = fs::read(&path).map_err(|error| StoreError::File {
        path: shown(),
        reason: plain_io_reason(&error),
    })?;
    spans_from_slice(&json, detail)
        .map_err(|flaw| unreadable(shown(), &Fault::of_flaw(&flaw, &json)))
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

/// The spans of an archived trace below a location, which is what the tag
/// `mlflow.trace.archiveLocation` says: a `file:` URI.
///
/// # Errors
/// [`StoreError::RemoteArtifact`] for any other kind of location and for a file that is
/// not really there, [`StoreError::File`] when the file is missing or cannot be read,
/// and [`StoreError::Unreadable`] when it holds no spans.
pub(super) fn archived(location: &str) -> Result<Vec<Span>, StoreError> {
    let elsewhere = |reason: &'static str| StoreError::RemoteArtifact {
        location: shown(location.trim()),
        reason,
    };
    let folder = file_uri_path(location.trim())
        .ok_or_else(|| elsewhere("mlt only reads archives in file:// places on this machine"))?;
    if folder.components().any(|part| part == Component::ParentDir) {
        return Err(elsewhere("it leads out of the folder that it names"));
    }
    let path = folder.join(ARCHIVE_NAME);
    let missing = |error: &std::io::Error| StoreError::File {
        path: path.display().to_string(),
        reason: plain_io_reason(error),
    };
    let real = fs::canonicalize(&path).map_err(|error| missing(&error))?;
    let root = fs::canonicalize(&folder).map_err(|error| missing(&error))?;
    if !real.starts_with(root) || !real.is_file() {
        return Err(elsewhere("it leads out of the folder that it names"));
    }
    let bytes = fs::read(&real).map_err(|error| missing(&error))?;
    spans_from_protobuf(&bytes).map_err(|flaw| {
        let unreadable = Unreadable {
            trace_id: None,
            file: Some(path.display().to_string()),
            line: None,
            member: (!flaw.member.is_empty()).then(|| flaw.member.clone()),
            message: flaw.reason.clone(),
        };
        unreadable.into()
    })
}

/// Whether the spans below a location are a file that can be read.
pub(super) fn is_there(location: &str, root: &Path) -> bool {
    folder(location, root).is_ok_and(|folder| folder.join(FILE_NAME).is_file())
}

/// The local folder that an artifact location names.
///
/// # Errors
/// A location that is not on this machine.
pub(super) fn folder(location: &str, root: &Path) -> Result<PathBuf, StoreError> {
    let location = location.trim();
    let remote = |reason: &'static str| StoreError::RemoteArtifact {
        location: shown(location),
        reason,
    };
    if let Some(path) = file_uri_path(location) {
        return Ok(path);
    }
    let Some((scheme, rest)) = location.split_once(':').filter(|(s, _)| is_scheme(s)) else {
        if location.is_empty() {
            return Err(remote("it names no place"));
        }
        return Ok(PathBuf::from(location));
    };
    if !scheme.eq_ignore_ascii_case("mlflow-artifacts") {
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

/// A location without what may be secret in it.
fn shown(location: &str) -> String {
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

    #[test]
    fn what_is_elsewhere_is_named_without_its_secrets() {
        let root = Path::new("/srv");
        for (location, named) in [
            ("s3://bucket/1/x", "s3://bucket/1/x"),
            ("https://ann:hunter2@h/x?sig=hunter2", "https://h/x"),
            ("dbfs:/databricks/x", "dbfs:/databricks/x"),
            ("abfss://c@account.dfs.core.windows.net/x", "account.dfs"),
            ("mlflow-artifacts:/../../etc", "leads out"),
            ("file://host/x", "file://host/x"),
        ] {
            let error = spans(location, root, Detail::Whole).unwrap_err();
            assert!(
                matches!(error, StoreError::RemoteArtifact { .. }),
                "{error:?}"
            );
            let text = error.to_string();
            assert!(text.contains(named) && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn archives_are_read_in_places_on_this_machine_alone() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join(ARCHIVE_NAME), "").unwrap();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        let at = |path: &Path| format!("file://{}", path.display());
        assert_eq!(archived(&at(&secret)).unwrap(), []);
        let missing = archived(&at(&open)).unwrap_err();
        assert!(matches!(missing, StoreError::File { .. }), "{missing}");
        #[cfg(unix)]
        std::os::unix::fs::symlink(secret.join(ARCHIVE_NAME), open.join(ARCHIVE_NAME)).unwrap();
        for location in [
            format!("{}/../secret", at(&open)),
            format!("{}/%2e%2e/secret", at(&open)),
            at(&open),
            "s3://bucket/archive".to_owned(),
            secret.display().to_string(),
            String::new(),
        ] {
            let error = archived(&location).unwrap_err();
            let refused = matches!(error, StoreError::RemoteArtifact { .. });
            assert!(refused, "{location}: {error}");
        }
        fs::write(secret.join(ARCHIVE_NAME), "no protobuf").unwrap();
        let broken = archived(&at(&secret)).unwrap_err();
        assert!(matches!(broken, StoreError::Unreadable(_)), "{broken}");
    }

    #[test]
    fn a_missing_and_a_broken_file_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let location = format!("file://{}", dir.path().display());
        let missing = spans(&location, Path::new(""), Detail::Whole).unwrap_err();
        assert!(matches!(missing, StoreError::File { .. }), "{missing}");
        fs::write(dir.path().join(FILE_NAME), "{\"spans\": [").unwrap();
        let broken = spans(&location, Path::new(""), Detail::Whole).unwrap_err();
        assert!(matches!(broken, StoreError::Unreadable(_)), "{broken}");
        let span = r#"{"spans": [{"name": "a", "span_id": "1", "start_time_unix_nano": 5}]}"#;
        fs::write(dir.path().join(FILE_NAME), span).unwrap();
        assert_eq!(
            spans(&location, Path::new(""), Detail::Whole).unwrap()[0].name,
            "a"
        );
        assert!(is_there(&location, Path::new("")));
    }
}
