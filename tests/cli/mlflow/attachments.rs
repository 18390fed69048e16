//! `--attachments` on what MLflow's own client took out of payloads: through a server,
//! and in the artifacts of its database and of a file store.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::mlflow::{growing, python, script};
use crate::support::mlt;

/// Records the trace with the script; gives its id.
fn recorded(uri: &str, folder: &Path) -> String {
    let made = Command::new(python())
        .arg(script("make_attachments.py"))
        .current_dir(folder)
        .env("MLFLOW_TRACKING_URI", uri)
        .env("MLFLOW_ALLOW_FILE_STORE", "true")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{stderr}");
    let stdout = String::from_utf8(made.stdout).unwrap();
    stdout.lines().last().unwrap().trim().to_owned()
}

/// The files that are saved, by their types.
fn saved(uri: &str, id: &str) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let outcome = mlt()
        .on(uri)
        .within(dir.path())
        .run(&format!("get {id} --chat --attachments chat -o json"));
    assert_eq!(outcome.stderr, "", "{outcome}");
    let transcript = outcome.json();
    let parts = transcript["messages"][0]["parts"].as_array().unwrap();
    let media = parts.iter().filter(|part| part["path"].is_string());
    let files = media.map(|part: &Value| {
        let mime = part["mime_type"].as_str().unwrap().to_owned();
        let path = part["path"].as_str().unwrap();
        let bytes = fs::read(dir.path().join(path)).unwrap();
        assert_eq!(part["size"], bytes.len(), "{part}");
        (mime, bytes)
    });
    let files: Vec<_> = files.collect();
    assert_eq!(
        fs::read_dir(dir.path().join("chat")).unwrap().count(),
        files.len()
    );
    files
}

fn assert_both(files: &[(String, Vec<u8>)], place: &str) {
    let types: Vec<&str> = files.iter().map(|(mime, _)| &**mime).collect();
    assert_eq!(types, ["image/png", "audio/wav"], "{place}");
    assert!(
        files[0].1.starts_with(b"\x89PNG\r\n\x1a\n") && files[0].1.len() == 75,
        "{place}"
    );
    assert!(
        files[1].1.starts_with(b"RIFF") && files[1].1.ends_with(&[254, 255]),
        "{place}"
    );
}

#[test]
fn attachments_come_through_a_server_and_out_of_its_database() {
    let dir = tempfile::tempdir().unwrap();
    let server = growing();
    let id = recorded(server.uri(), dir.path());
    for place in [server.uri(), &server.database_uri()] {
        assert_both(&saved(place, &id), place);
    }
    // What is gone is said, and the transcript is told all the same.
    let database = server.database();
    let lost = database.with_file_name("artifacts");
    let folder = find(&lost, "attachments").expect("MLflow has a folder of attachments");
    for file in fs::read_dir(folder).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    for place in [server.uri(), &server.database_uri()] {
        let outcome = mlt()
            .on(place)
            .within(dir.path())
            .run(&format!("get {id} --chat --attachments lost"));
        assert_eq!(outcome.code, Some(7), "{outcome}");
        assert!(
            outcome.stdout.contains("[image/png, 75 B: attachment "),
            "{outcome}"
        );
        assert!(outcome.stdout.contains("It is worn."), "{outcome}");
        assert!(
            outcome
                .stderr
                .contains("0 attachments saved; 2 could not be"),
            "{outcome}"
        );
        assert!(!dir.path().join("lost").exists(), "{outcome}");
    }
}

#[test]
fn attachments_are_read_from_a_file_store() {
    let dir = tempfile::tempdir().unwrap();
    let uri = format!("file://{}", dir.path().join("mlruns").display());
    let id = recorded(&uri, dir.path());
    assert_both(&saved(&uri, &id), &uri);
}

/// A folder of this name, at any depth.
fn find(within: &Path, name: &str) -> Option<std::path::PathBuf> {
    let folders = fs::read_dir(within).ok()?.flatten();
    let mut folders = folders
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    folders.find_map(|path| {
        if path.ends_with(name) {
            Some(path)
        } else {
            find(&path, name)
        }
    })
}
