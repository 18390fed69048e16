//! The ledger of a folder of parts: which traces are in which file of it. It is a file in
//! the folder, which is locked as long as a program adds parts; engines that read the
//! folder pass over it for the `_` before its name. A line reaches the disk before its part
//! gets its name, so that no trace can be in two parts; a line whose part is not there
//! says nothing.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claim::{busy, difference, foreign, open};
use super::target::{open_to_others, rename_to_new};
use super::{cannot, sync, sync_folder, told};
use crate::error::{CommandError, Exit};

const NAME: &str = "_mlt_parts";
const VERSION: u32 = 1;
const AWAY: &str =
    "move the part away to have its traces written again, or write into another folder";

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    mlt_parts: u32,
    /// What all parts have in common.
    of: Map<String, Value>,
}

/// Any other.
#[derive(Serialize, Deserialize)]
struct Line {
    /// Its path within the folder, with `/` between.
    part: String,
    /// How long it is; earlier lines do not say it.
    bytes: Option<u64>,
    traces: Vec<String>,
}

/// What is in the parts of a folder.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    of: Map<String, Value>,
    /// None until there is something to keep.
    file: Option<File>,
}

impl Ledger {
    /// Finds out which traces the parts of a folder hold, if there are any. These have to
    /// be of the same kind.
    ///
    /// # Errors
    /// When somebody else is writing there, or what is there is of another kind or not
    /// ours; and those of the disk.
    pub(crate) fn open(
        folder: &Path,
        of: Map<String, Value>,
    ) -> Result<(Self, HashSet<String>), CommandError> {
        let mut ledger = Self {
            folder: folder.to_owned(),
            of,
            file: None,
        };
        let path = ledger.path();
        let Some(file) = open(&path)? else {
            ledger.check_parts(&HashMap::new())?;
            return Ok((ledger, HashSet::new()));
        };
        // Where files cannot be locked, nobody is asked.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(busy(folder));
        }
        let (held, end) = ledger.read(&file)?;
        let cut = || -> io::Result<()> {
            file.set_len(end)?;
            (&file).seek(SeekFrom::Start(end))?;
            Ok(())
        };
        cut().map_err(|error| cannot("write", &path, &error))?;
        ledger.file = Some(file);
        Ok((ledger, held))
    }

    /// The traces of the parts that are there, and where the last whole line ends.
    fn read(&self, file: &File) -> Result<(HashSet<String>, u64), CommandError> {
        let path = self.path();
        let mut parts: HashMap<String, Line> = HashMap::new();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let (mut line, mut end, mut is_known, mut number) = (Vec::new(), 0, false, 0);
        loop {
            line.clear();
            number += 1;
            let length = reader
                .read_until(b'\n', &mut line)
                .map_err(|error| cannot("read", &path, &error))?;
            if line.last() != Some(&b'\n') {
                break;
            }
            end += u64::try_from(length).unwrap_or(u64::MAX);
            if !is_known {
                self.check(&line)?;
                is_known = true;
                continue;
            }
            let line: Line = serde_json::from_slice(&line).map_err(|_| self.damaged(number))?;
            parts.insert(line.part.clone(), line);
        }
        if !is_known {
            return Err(self.strange(&line));
        }
        self.check_parts(&parts)?;
        let mut held = HashSet::new();
        for line in parts.into_values() {
            let path = self.folder.join(&line.part);
            if fs::symlink_metadata(&path).is_err() {
                continue;
            }
            let found = fs::metadata(&path).ok().map(|found| found.len());
            if line.bytes.is_some() && line.bytes != found {
                return Err(self.changed(&line.part));
            }
            held.extend(line.traces);
        }
        Ok((held, end))
    }

    /// That nobody knows what is left of a part.
    fn changed(&self, part: &str) -> CommandError {
        let folder = self.folder.display();
        let message = format!("{part} in {folder} is not as long as it was written");
        CommandError::new(Exit::Data, message).hint(AWAY)
    }

    /// Whether there is one in a folder.
    pub(crate) fn is_in(folder: &Path) -> bool {
        fs::symlink_metadata(folder.join(NAME)).is_ok()
    }

    /// Nobody knows which traces are in a part that has no line, and they are not to be in
    /// two.
    fn check_parts(&self, known: &HashMap<String, Line>) -> Result<(), CommandError> {
        let mut all = parts_in(&self.folder, "");
        for found in folders_in(&self.folder) {
            all.extend(parts_in(&self.folder.join(&found), &format!("{found}/")));
        }
        let Some(strange) = all.into_iter().find(|part| !known.contains_key(part)) else {
            return Ok(());
        };
        let message = format!(
            "{} says nothing of {strange}, which is in {}",
            self.path().display(),
            self.folder.display()
        );
        Err(CommandError::new(Exit::Data, message).hint(AWAY))
    }

    fn check(&self, line: &[u8]) -> Result<(), CommandError> {
        let head: Option<Head> = serde_json::from_slice(line).ok();
        let head = head.ok_or_else(|| self.strange(line))?;
        if head.mlt_parts != VERSION {
            let message = format!("{} is of another release of mlt", self.path().display());
            return Err(CommandError::new(Exit::Data, message).hint("write into another folder"));
        }
        let Some((key, before, now)) = difference(&head.of, &self.of) else {
            return Ok(());
        };
        let folder = self.folder.display();
        let message = format!(
            "{folder} has parts of another export: their {key} is {before}, and this one's is {now}"
        );
        Err(CommandError::usage(message).hint("write into another folder"))
    }

    /// Makes the ledger where there is none, before the first part is begun.
    ///
    /// # Errors
    /// When another program made one in the meantime, and those of the disk.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let path = self.path();
        let make = || -> io::Result<File> {
            let mut builder = tempfile::Builder::new();
            builder.prefix(".mlt-");
            open_to_others(&mut builder);
            let made = builder.tempfile_in(&self.folder)?;
            let _ = made.as_file().try_lock();
            let head = Head {
                mlt_parts: VERSION,
                of: self.of.clone(),
            };
            write(made.as_file(), &head)?;
            let (file, made) = made.keep().map_err(|failed| failed.error)?;
            match rename_to_new(&made, &path) {
                Ok(()) => Ok(file),
                Err(error) => {
                    let _ = fs::remove_file(made);
                    Err(error)
                }
            }
        };
        match make() {
            Ok(file) => {
                sync_folder(&self.folder);
                self.file = Some(file);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(io::Error::new(error.kind(), busy(&self.folder).message))
            }
            Err(error) => Err(told("write", &path, &error)),
        }
    }

    /// Keeps which traces are in a part of so many bytes, before that gets its name.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn add(&mut self, part: String, bytes: u64, traces: Vec<String>) -> io::Result<()> {
        self.begin()?;
        let Some(file) = &self.file else {
            return Ok(());
        };
        let bytes = Some(bytes);
        let line = Line {
            part,
            bytes,
            traces,
        };
        write(file, &line).map_err(|error| told("write", &self.path(), &error))
    }

    /// What is wrong with a first line that cannot be read.
    fn strange(&self, line: &[u8]) -> CommandError {
        if line.starts_with(b"{\"mlt_parts\"") {
            self.damaged(1)
        } else {
            foreign(&self.path())
        }
    }

    fn damaged(&self, line: usize) -> CommandError {
        let message = format!("{} is damaged in line {line}", self.path().display());
        CommandError::new(Exit::Data, message)
            .hint("without it nobody knows which traces the parts hold; write into another folder")
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }
}

/// How the names of parts begin.
pub(crate) const PART: &str = "part-";

/// The parts right in a folder, after something.
fn parts_in(folder: &Path, after: &str) -> Vec<String> {
    let names = names_in(folder).into_iter();
    let parts = names.filter(|name| name.starts_with(PART));
    parts.map(|name| format!("{after}{name}")).collect()
}

/// Folders in which parts are set apart: `date=2026-11-22`.
fn folders_in(folder: &Path) -> Vec<String> {
    let names = names_in(folder).into_iter();
    names.filter(|name| name.contains('=')).collect()
}

/// None where there is no such folder: then it is made.
fn names_in(folder: &Path) -> Vec<String> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    found
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Adds a line, which is then on the disk.
fn write(mut file: &File, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    sync(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(format: &str) -> Map<String, Value> {
        Map::from_iter([("format".to_owned(), format.into())])
    }

    fn held(folder: &Path) -> Vec<String> {
        let (_, held) = Ledger::open(folder, of("parquet")).unwrap();
        let mut held: Vec<String> = held.into_iter().collect();
        held.sort();
        held
    }

    #[test]
    fn traces_count_whose_part_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, known) = Ledger::open(folder.path(), of("parquet")).unwrap();
        assert!(known.is_empty() && !folder.path().join(NAME).exists());
        for (part, trace) in [("a", "tr-1"), ("b", "tr-2"), ("a", "tr-3")] {
            ledger
                .add(part.to_owned(), 0, vec![trace.to_owned()])
                .unwrap();
        }
        drop(ledger);
        fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(held(folder.path()), ["tr-3"]);
        fs::write(folder.path().join("b"), "").unwrap();
        assert_eq!(held(folder.path()), ["tr-2", "tr-3"]);
    }

    #[test]
    fn a_part_that_was_cut_is_not_taken_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(folder.path(), of("parquet")).unwrap();
        ledger
            .add("a".to_owned(), 3, vec!["tr-1".to_owned()])
            .unwrap();
        drop(ledger);
        fs::write(folder.path().join("a"), "abc").unwrap();
        assert_eq!(held(folder.path()), ["tr-1"]);
        fs::write(folder.path().join("a"), "ab").unwrap();
        let refused = Ledger::open(folder.path(), of("parquet")).unwrap_err();
        let said = refused.message;
        assert!(said.ends_with("is not as long as it was written"), "{said}");
        fs::remove_file(folder.path().join("a")).unwrap();
        assert!(held(folder.path()).is_empty(), "it is written again");
        // What earlier releases wrote says nothing of lengths.
        let path = folder.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"bytes\":3,", "")).unwrap();
        fs::write(folder.path().join("a"), "ab").unwrap();
        assert_eq!(held(folder.path()), ["tr-1"]);
    }

    #[test]
    fn a_part_that_no_line_tells_of_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let day = folder.path().join("date=2026-11-22");
        fs::create_dir(&day).unwrap();
        let part = day.join("part-00001.parquet");
        fs::write(&part, "").unwrap();
        let refused = Ledger::open(folder.path(), of("parquet")).unwrap_err();
        let said = "says nothing of date=2026-11-22/part-00001.parquet";
        assert!(refused.message.contains(said), "{refused}");
        fs::remove_file(&part).unwrap();
        let (mut ledger, _) = Ledger::open(folder.path(), of("parquet")).unwrap();
        let name = "date=2026-11-22/part-00001.parquet";
        ledger
            .add(name.to_owned(), 0, vec!["tr-1".to_owned()])
            .unwrap();
        drop(ledger);
        fs::write(&part, "").unwrap();
        assert_eq!(held(folder.path()), ["tr-1"]);
        let path = folder.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        let refused = Ledger::open(folder.path(), of("parquet")).unwrap_err();
        assert!(refused.message.contains(said), "{refused}");
    }

    #[test]
    fn half_a_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        let (mut ledger, _) = Ledger::open(folder.path(), of("parquet")).unwrap();
        ledger
            .add("a".to_owned(), 0, vec!["tr-1".to_owned()])
            .unwrap();
        drop(ledger);
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole, &b"{\"part\":\"a\",\"tra"[..]].concat()).unwrap();
        assert_eq!(held(folder.path()), ["tr-1"]);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn parts_of_another_kind_and_foreign_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(folder.path(), of("parquet")).unwrap();
        ledger.begin().unwrap();
        let refused = Ledger::open(folder.path(), of("parquet")).unwrap_err();
        assert!(refused.message.ends_with("another mlt is writing there"));
        let mut second = Ledger {
            folder: folder.path().to_owned(),
            of: of("parquet"),
            file: None,
        };
        let refused = second.begin().unwrap_err().to_string();
        assert!(
            refused.ends_with("another mlt is writing there"),
            "{refused}"
        );
        drop(ledger);
        let refused = Ledger::open(folder.path(), of("csv")).unwrap_err().message;
        assert!(
            refused.ends_with("their format is \"parquet\", and this one's is \"csv\""),
            "{refused}"
        );
        fs::write(folder.path().join(NAME), "x\n").unwrap();
        let refused = Ledger::open(folder.path(), of("parquet")).unwrap_err();
        assert!(refused.message.contains("is in the way"), "{refused}");
    }

    #[test]
    fn a_damaged_one_and_one_of_another_release_are_told_from_foreign_files() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(folder.path(), of("parquet")).unwrap();
        ledger
            .add("a".to_owned(), 0, vec!["tr-1".to_owned()])
            .unwrap();
        drop(ledger);
        let path = folder.path().join(NAME);
        let whole = fs::read_to_string(&path).unwrap();
        for (text, said) in [
            (whole.replace("tr-1\"]", "tr-1\""), "is damaged in line 2"),
            (
                whole.replacen("{\"format", "\"format", 1),
                "is damaged in line 1",
            ),
            (whole[..9 + 8].to_owned(), "is damaged in line 1"),
            (
                whole.replace("\"mlt_parts\":1", "\"mlt_parts\":2"),
                "is of another release of mlt",
            ),
        ] {
            fs::write(&path, &text).unwrap();
            let refused = Ledger::open(folder.path(), of("parquet")).unwrap_err();
            assert!(refused.message.ends_with(said), "{text}: {refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "it stays");
        }
    }
}
