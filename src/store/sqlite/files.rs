//! The file of a database and those beside it, as the file system sees them: whether
//! SQLite may open them at all, and whether they have changed.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use crate::store::local::lock;
use crate::store::{StoreError, plain_io_reason};

/// The first bytes of a database file.
const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER: usize = 100;
/// Where the header has the version of its format.
const FORMAT: usize = 18;
/// Where it counts the changes that were made without a write-ahead log.
const COUNTER: usize = 24;
/// The version of the format with a write-ahead log.
const WITH_LOG: u8 = 2;

/// The files of a database.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// Kept open, since to close any handle of a file ends all of SQLite's locks on it.
    file: Mutex<File>,
    pub(super) has_log_format: bool,
}

/// What tells one state of a file from another where nobody is asked for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    len: u64,
    modified: Option<SystemTime>,
    log: u64,
}

impl Files {
    /// Looks at the file's header, and at what lies beside it.
    ///
    /// # Errors
    /// When it cannot be read or is no database, and files that reading could wait for forever.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let refused = |reason: String| StoreError::File {
            path: shown.clone(),
            reason,
        };
        let kind = fs::metadata(path).map_err(|e| refused(plain_io_reason(&e)))?;
        if !kind.is_file() {
            let kind = kind_of(kind.file_type());
            return Err(refused(format!("it is {kind}; expected a database file")));
        }
        for ending in ["-wal", "-shm", "-journal"] {
            if let Ok(beside) = fs::metadata(beside(path, ending))
                && !beside.is_file()
            {
                let kind = kind_of(beside.file_type());
                return Err(refused(format!("beside it, `{ending}` is {kind}")));
            }
        }
        let mut header = Vec::with_capacity(HEADER);
        let file = File::open(path).map_err(|e| refused(plain_io_reason(&e)))?;
        (&file)
            .take(HEADER as u64)
            .read_to_end(&mut header)
            .map_err(|e| refused(plain_io_reason(&e)))?;
        let problem = if header.is_empty() {
            "it is empty; expected a SQLite database"
        } else if !header.starts_with(MAGIC) {
            "it is not a SQLite database"
        } else if header.len() < HEADER {
            "it is cut short"
        } else {
            return Ok(Self {
                path: path.to_owned(),
                file: Mutex::new(file),
                has_log_format: header[FORMAT] == WITH_LOG,
            });
        };
        Err(StoreError::Data {
            path: shown,
            reason: problem.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What differs after every change that is made without a write-ahead log. Only who has
    /// a lock on the file can rely on it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn version(&self) -> io::Result<u64> {
        let mut part = [0; COUNTER + 4 - FORMAT];
        let mut file = lock(&self.file);
        file.seek(SeekFrom::Start(FORMAT as u64))?;
        file.read_exact(&mut part)?;
        let counter = part[COUNTER - FORMAT..]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        Ok(u64::from(part[0]) << 32 | counter)
    }

    pub(super) fn look(&self) -> Look {
        let kind = fs::metadata(&self.path).ok();
        Look {
            len: kind.as_ref().map_or(0, fs::Metadata::len),
            modified: kind.and_then(|kind| kind.modified().ok()),
            log: self.log_len(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        let file = lock(&self.file);
        file.metadata().map_or(0, |kind| kind.len()) + self.log_len()
    }

    /// Whether there is something in the write-ahead log.
    pub(super) fn has_log(&self) -> bool {
        self.log_len() > 0
    }

    /// Whether both files of a write-ahead log are there, so that no reader has to make them.
    pub(super) fn has_log_files(&self) -> bool {
        let is_there = |ending| beside(&self.path, ending).is_file();
        is_there("-wal") && is_there("-shm")
    }

    /// Whether nobody at all can write here.
    pub(super) fn is_on_read_only_disk(&self) -> bool {
        let opened = OpenOptions::new().write(true).open(&self.path);
        opened.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
    }

    fn log_len(&self) -> u64 {
        fs::metadata(beside(&self.path, "-wal")).map_or(0, |log| log.len())
    }
}

/// The file with the same name and an ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    name.into()
}

fn kind_of(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "a pipe";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if kind.is_dir() {
        "a folder"
    } else {
        "no regular file"
    }
}
