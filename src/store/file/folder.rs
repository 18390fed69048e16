//! The files of traces in a folder, by how their names end: those in it, and those of the days
//! that an export keeps apart.

use std::io;
use std::path::{Path, PathBuf};

use crate::file::PART;

/// How the folders begin in which exports keep the traces of a day.
const DAY: &str = "date=";

/// The names of files with traces.
const ENDINGS: [&str; 8] = [
    ".json",
    ".jsonl",
    ".ndjson",
    ".json.gz",
    ".jsonl.gz",
    ".ndjson.gz",
    ".pb",
    ".binpb",
];

/// The files in a folder that can hold traces, in the order of their names.
///
/// # Errors
/// Those of the operating system.
pub(in crate::store) fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = all_in(folder)?;
    let holds_traces = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        ENDINGS.iter().any(|ending| name.ends_with(ending))
    };
    files.retain(holds_traces);
    Ok(files)
}

/// The names of the folders in a folder that have files of traces themselves, and are read
/// where they are named alone.
pub(in crate::store) fn folders_of_files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            let is_read = name.starts_with(DAY) || name.starts_with('.');
            let has_files = || files_in(&path).is_ok_and(|files| !files.is_empty());
            (!is_read && path.is_dir() && has_files()).then_some(name)
        })
        .collect();
    names.sort();
    names
}

/// In which format the parts of an export in a folder are, where that is none of traces.
pub(in crate::store) fn other_parts_in(folder: &Path) -> Option<String> {
    let files = all_in(folder).ok()?;
    let mut formats = files.iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        let (number, format) = name.strip_prefix(PART)?.split_once('.')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| format.to_owned())
    });
    formats.next()
}

/// All files in a folder and in its folders for days, in the order of their names.
fn all_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut days = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_file() {
            files.push(path);
        } else if name.starts_with(DAY) && path.is_dir() {
            days.push(path);
        }
    }
    for day in days {
        for entry in std::fs::read_dir(day)? {
            files.push(entry?.path());
        }
    }
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}
