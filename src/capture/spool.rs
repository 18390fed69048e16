//! The folder in which a command's own commands and events leave what belongs to its trace,
//! until the outermost one gathers it. Each thing is a file, there whole or not at all, so that
//! any number of programs may write at a time.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Masks;
use crate::model::random_digits;
use crate::regular::{self, Links};

/// The variable that names the folder.
pub const SPOOL: &str = "MLT_RUN_SPOOL";
/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;
/// So many files are read.
const MOST: usize = 10_000;
/// How the names of files end, once they are whole.
const ENDING: &str = "json";

/// Something that belongs to a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A command that ran within another.
    Span(Recorded),
    /// A note on a span.
    Event(Noted),
}

impl Record {
    /// Hides secrets in all that it says.
    pub fn hide(&mut self, masks: &Masks) {
        match self {
            Self::Span(command) => {
                command.name = masks.text(&command.name);
                for text in [&mut command.failure, &mut command.tail] {
                    *text = text.as_deref().map(|text| masks.text(text));
                }
                masks.hide(&mut command.attributes);
            }
            Self::Event(note) => {
                note.name = masks.text(&note.name);
                masks.hide(&mut note.attributes);
            }
        }
    }
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// 16 digits of hex.
    pub span_id: String,
    /// The same of the one that it ran in.
    pub parent_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// Nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// The same.
    pub end_ns: i64,
    /// What went wrong; `None` where nothing did.
    pub failure: Option<String>,
    /// What it said of errors at last.
    pub tail: Option<String>,
    /// Keys with plain values.
    pub attributes: Map<String, Value>,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    /// The span.
    pub span_id: String,
    /// What happened.
    pub name: String,
    /// Nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Keys with plain values.
    pub attributes: Map<String, Value>,
}

/// Puts a record into a folder.
///
/// # Errors
/// That it cannot be written there.
pub fn add(folder: &Path, record: &Record) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    let path = folder.join(format!("{}.{ENDING}", random_digits()));
    file.persist(path)?;
    Ok(())
}

/// What was put into a folder, and how much of it cannot be read.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The records, in no order.
    pub records: Vec<Record>,
    /// Files that are no records, and those beyond the limit.
    pub left_out: usize,
}

/// Reads what was put into a folder.
pub fn gather(folder: &Path) -> Gathered {
    let mut gathered = Gathered::default();
    let Ok(entries) = fs::read_dir(folder) else {
        return gathered;
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_whole = |path: &PathBuf| path.extension().is_some_and(|ending| ending == ENDING);
    for path in paths.filter(is_whole) {
        let read = || {
            let bytes = regular::read(&path, Links::Refuse, LARGEST).ok()?;
            serde_json::from_slice(&bytes).ok()
        };
        match read().filter(|_| gathered.records.len() < MOST) {
            Some(record) => gathered.records.push(record),
            None => gathered.left_out += 1,
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &str) -> Record {
        Record::Event(Noted {
            span_id: "00f067aa0ba902b7".to_owned(),
            name: name.to_owned(),
            time_ns: 5,
            attributes: Map::new(),
        })
    }

    #[test]
    fn what_is_put_in_comes_out_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        add(folder.path(), &note("a")).unwrap();
        add(folder.path(), &note("b")).unwrap();
        fs::write(folder.path().join("broken.json"), "{\"event\": {").unwrap();
        fs::write(folder.path().join("large.json"), " ".repeat(2 << 20)).unwrap();
        fs::write(folder.path().join("other.txt"), "x").unwrap();
        let mut gathered = gather(folder.path());
        gathered.records.sort_by_key(|record| format!("{record:?}"));
        assert_eq!(gathered.records, [note("a"), note("b")]);
        assert_eq!(gathered.left_out, 2);
        assert!(gather(Path::new("/nowhere")).records.is_empty());
    }
}
