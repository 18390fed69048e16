//! The folders and files of MLflow's file store, read: experiments, traces,
//! their tags, metadata and assessments. A store may come from anywhere, so that
//! nothing outside of it is read: links below its root are refused, and so is what
//! is neither a folder nor a file.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::yaml;
use crate::model::{Experiment, TraceInfo, Unreadable};
use crate::regular::{self, Links};
use crate::store::wire::{Flaw, as_protobuf_value, assessment_of, info_of};
use crate::store::{StoreError, plain_io_reason};

const TRASH: &str = ".trash";
const META: &str = "meta.yaml";
pub(super) const TRACE_INFO: &str = "trace_info.yaml";
/// The folder of a trace's tags, one file for each.
pub(super) const TAGS: &str = "tags";
/// The folder of its assessments, likewise.
pub(super) const ASSESSMENTS: &str = "assessments";

/// What MLflow's interface cuts keys and values to, in characters.
const MAX_KEY: usize = 250;
const MAX_METADATA: usize = 250;
const MAX_TAG: usize = 4096;

/// The largest text file, in bytes.
const LARGEST: u64 = 64 << 20;
/// Why a folder or file is not read.
const IS_A_LINK: &str = "it is a symbolic link, and none is followed within a store";
const IS_ODD: &str = "it is neither a folder nor a file";

/// The folders of experiments, the active ones first; the flag tells them from
/// the deleted ones. Folders that are no experiments may be among them.
///
/// # Errors
/// When the root cannot be listed.
pub(super) fn experiment_folders(root: &Path) -> Result<Vec<(PathBuf, bool)>, StoreError> {
    let mut all: Vec<(PathBuf, bool)> = subfolders(root)?
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.ends_with(TRASH) && name != "models"
        })
        .map(|path| (path, true))
        .collect();
    let trash = root.join(TRASH);
    if is_own_folder(&trash) {
        all.extend(subfolders(&trash)?.into_iter().map(|path| (path, false)));
    }
    Ok(all)
}

/// Whether a folder is MLflow's: it has an experiment, or the trash for them.
pub(in crate::store) fn is_store(root: &Path) -> bool {
    root.join(TRASH).is_dir()
        || experiment_folders(root).is_ok_and(|all| all.iter().any(|(path, _)| has_meta(path)))
}

pub(super) fn has_meta(experiment: &Path) -> bool {
    experiment.join(META).exists()
}

/// The experiment that a folder holds.
///
/// # Errors
/// When its description cannot be read, or is that of another one.
pub(super) fn experiment(folder: &Path, active: bool) -> Result<Experiment, StoreError> {
    if is_link(folder) {
        return Err(data(folder, IS_A_LINK));
    }
    let path = folder.join(META);
    let meta = read_yaml(&path)?;
    let text = |key: &str| match &meta[key] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let broken = |reason: String| data(&path, reason);
    let id = text("experiment_id").ok_or_else(|| broken("it has no experiment_id".to_owned()))?;
    if folder.file_name().is_none_or(|name| name != id.as_str()) {
        return Err(broken(format!("it is that of experiment {id}")));
    }
    Ok(Experiment {
        name: text("name").ok_or_else(|| broken("it has no name".to_owned()))?,
        id,
        active: active && text("lifecycle_stage").is_none_or(|stage| stage == "active"),
    })
}

/// The folders of an experiment's traces, in the order of the file system.
///
/// # Errors
/// When they cannot be listed.
pub(super) fn trace_folders(experiment: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let traces = experiment.join("traces");
    match fs::symlink_metadata(&traces) {
        Ok(metadata) if metadata.is_symlink() => Err(data(&traces, IS_A_LINK)),
        Ok(metadata) if metadata.is_dir() && !is_link(experiment) => subfolders(&traces),
        _ => Ok(Vec::new()),
    }
}

/// A file that is not what it should be.
fn flawed(path: &Path, flaw: &Flaw) -> StoreError {
    let unreadable = Unreadable {
        trace_id: None,
        file: Some(path.display().to_string()),
        line: None,
        member: (!flaw.member.is_empty()).then(|| flaw.member.clone()),
        message: flaw.reason.clone(),
    };
    unreadable.into()
}

/// Whether there is a folder itself, and not a link to one.
fn is_own_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

pub(super) fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

fn data(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Data {
        path: path.display().to_string(),
        reason: reason.into(),
    }
}

/// The folder of a trace, whichever experiment it is in.
///
/// # Errors
/// When the root cannot be listed.
pub(super) fn find_trace(root: &Path, trace_id: &str) -> Result<Option<PathBuf>, StoreError> {
    let is_name = !trace_id.contains(['/', '\\', '\0']) && !matches!(trace_id, "" | "." | "..");
    if !is_name {
        return Ok(None);
    }
    let folders = experiment_folders(root)?.into_iter();
    Ok(folders
        .filter(|(experiment, _)| !is_link(experiment) && !is_link(&experiment.join("traces")))
        .map(|(experiment, _)| experiment.join("traces").join(trace_id))
        .find(|folder| folder.is_dir()))
}

/// A trace without its spans, whole; `None` for a folder without a description,
/// which MLflow passes over.
///
/// # Errors
/// A part that cannot be read.
pub(super) fn trace_info(folder: &Path) -> Result<Option<TraceInfo>, StoreError> {
    if is_link(folder) {
        return Err(data(folder, IS_A_LINK));
    }
    let path = folder.join(TRACE_INFO);
    let description = match read_yaml(&path) {
        Ok(description) => description,
        Err(StoreError::File { .. }) if fs::symlink_metadata(&path).is_err() => return Ok(None),
        Err(error) => return Err(error),
    };
    let broken = |reason: String| data(&path, reason);
    let mut info = info_of(&description).map_err(|flaw| flawed(&path, &flaw))?;
    if folder
        .file_name()
        .is_none_or(|name| name != info.trace_id.as_str())
    {
        return Err(broken(format!("it is that of trace {}", info.trace_id)));
    }
    info.metadata = texts(&folder.join("request_metadata"))?;
    info.tags = texts(&folder.join(TAGS))?;
    info.assessments = Vec::new();
    for path in files(&folder.join(ASSESSMENTS))? {
        let mut value = read_yaml(&path)?;
        for kind in ["feedback", "expectation"] {
            if let Some(value) = value.get_mut(kind).and_then(|kind| kind.get_mut("value")) {
                *value = as_protobuf_value(value.take());
            }
        }
        let assessment = assessment_of(&value).map_err(|flaw| flawed(&path, &flaw))?;
        info.assessments.push(assessment);
    }
    info.order_assessments();
    Ok(Some(info))
}

/// The trace as MLflow's interface gives it: keys and values of metadata and
/// tags are cut to what it allows.
pub(super) fn cut(mut info: TraceInfo) -> TraceInfo {
    fn shorten(texts: &mut BTreeMap<String, String>, max_value: usize) {
        let is_long = |text: &str, max: usize| text.len() > max && text.chars().nth(max).is_some();
        for value in texts.values_mut() {
            if is_long(value, max_value) {
                *value = value.chars().take(max_value).collect();
            }
        }
        if texts.keys().any(|key| is_long(key, MAX_KEY)) {
            *texts = std::mem::take(texts)
                .into_iter()
                .map(|(key, value)| (key.chars().take(MAX_KEY).collect(), value))
                .collect();
        }
    }
    shorten(&mut info.metadata, MAX_METADATA);
    shorten(&mut info.tags, MAX_TAG);
    info
}

/// A folder of texts, one file for each key; subfolders are parts of keys.
fn texts(folder: &Path) -> Result<BTreeMap<String, String>, StoreError> {
    let mut texts = BTreeMap::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        for entry in entries(&folder)? {
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                return Err(data(&path, "its name is not UTF-8"));
            };
            let key = format!("{prefix}{name}");
            if is_folder(&entry)? {
                open.push((path, format!("{key}/")));
            } else if let Some(text) = read(&path)? {
                // A tag that was deleted meanwhile is not there.
                texts.insert(key, text);
            }
        }
    }
    Ok(texts)
}

/// The YAML files in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = Vec::new();
    for entry in entries(folder)? {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "yaml") && !is_folder(&entry)? {
            files.push(path);
        }
    }
    Ok(files)
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let list = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut all = Vec::new();
    for entry in list {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        // Of links to folders, whoever reads these has to say that they are refused.
        if entry.path().is_dir() {
            all.push(entry.path());
        }
    }
    Ok(all)
}

/// What a folder holds; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<DirEntry>, StoreError> {
    if is_link(folder) {
        return Err(data(folder, IS_A_LINK));
    }
    match fs::read_dir(folder) {
        Ok(list) => list
            .collect::<io::Result<_>>()
            .map_err(|error| unreadable(folder, &error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unreadable(folder, &error)),
    }
}

/// Whether an entry is a folder and no file.
///
/// # Errors
/// That it is neither.
fn is_folder(entry: &DirEntry) -> Result<bool, StoreError> {
    let path = entry.path();
    let kind = entry
        .file_type()
        .map_err(|error| unreadable(&path, &error))?;
    if kind.is_symlink() {
        return Err(data(&path, IS_A_LINK));
    }
    if !kind.is_dir() && !kind.is_file() {
        return Err(data(&path, IS_ODD));
    }
    Ok(kind.is_dir())
}

/// A file of keys with values.
///
/// # Errors
/// That it is not there, or holds something else.
pub(super) fn read_yaml(path: &Path) -> Result<Value, StoreError> {
    let broken = |reason: String| data(path, reason);
    let text = read(path)?.ok_or_else(|| {
        unreadable(path, &io::Error::from_raw_os_error(2 /* ENOENT */))
    })?;
    match yaml::parse(&text).map_err(broken)? {
        Value::Null => Err(broken("it is empty".to_owned())),
        value @ Value::Object(_) => Ok(value),
        _ => Err(broken("it does not hold keys with values".to_owned())),
    }
}

/// A text file, with U+FFFD for what is not UTF-8; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match regular::read(path, Links::Refuse, LARGEST) {
        Ok(bytes) => Ok(Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) if is_link(path) => Err(data(path, IS_A_LINK)),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// A failure of the operating system on a path.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::File {
        path: path.display().to_string(),
        reason: plain_io_reason(error),
    }
}
