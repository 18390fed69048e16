//! Opening MLflow's database: for reading without ever writing, or for changes, and in
//! either case without running anything that is written in the file itself.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::vtab::array;
use rusqlite::{Connection, MAIN_DB, OpenFlags, ffi};

use super::failure;
use super::files::{Files, Look};
use crate::store::StoreError;

/// How long to wait for a database that another program has locked.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Each connection is used by one thread at a time.
const READ_ONLY: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
const READ_WRITE: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Steps of SQLite's machine after which it is asked whether it may go on.
const STRIDE: i32 = 100_000;
/// The most strides of one question, and how many bytes of the file allow one more.
const STRIDES: u64 = 20_000;
const BYTES_OF_STRIDE: u64 = 2_000;

/// How a database is shared with those who write to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sharing {
    /// By a rollback journal: as long as somebody reads, nothing is written.
    Journal,
    /// By a write-ahead log: a reader sees one state for as long as it wants, and is in
    /// nobody's way. Its files are made and removed by whoever opens the database first
    /// and closes it last, and readers have to be able to do so.
    Log,
    /// Not at all: its write-ahead log is empty and nothing can be made beside it, so it
    /// is read as a file that does not change, and checked for having changed.
    Still(Look),
}

/// A database file that is known to be one.
#[derive(Debug)]
pub(super) struct Database {
    files: Files,
    pub(super) sharing: Sharing,
    /// Whether there was something in the log, which is then left as it was found.
    keeps_log: bool,
    strides: u64,
}

/// A connection, and how many strides the question to it may still take.
pub(super) struct Open {
    pub(super) connection: Connection,
    strides: Arc<AtomicU64>,
    most: u64,
}

impl Open {
    /// From here on it is another question.
    pub(super) fn ask_anew(&self) {
        self.strides.store(self.most, Relaxed);
    }

    /// The question ends at once.
    pub(super) fn strides(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.strides)
    }
}

impl Database {
    /// Looks at the file's header.
    ///
    /// # Errors
    /// When it cannot be read or is no database.
    pub(super) fn new(path: &Path) -> Result<Self, StoreError> {
        let files = Files::open(path)?;
        let sharing = if files.has_log_format {
            Sharing::Log
        } else {
            Sharing::Journal
        };
        Ok(Self {
            keeps_log: files.has_log(),
            strides: STRIDES + files.len() / BYTES_OF_STRIDE,
            files,
            sharing,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        self.files.path()
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn reader(&self) -> rusqlite::Result<Open> {
        let mut connection = match &self.sharing {
            Sharing::Journal => Connection::open_with_flags(self.path(), READ_ONLY)?,
            Sharing::Still(_) => {
                let uri = immutable_uri(self.path());
                Connection::open_with_flags(uri, READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?
            }
            Sharing::Log => self.log_reader()?,
        };
        harden(&connection)?;
        connection.busy_handler(Some(wait))?;
        connection.execute_batch("PRAGMA query_only = ON")?;
        array::load_module(&connection)?;
        self.limited(connection)
    }

    /// Only who may write can take the files of the log away again.
    fn log_reader(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(self.path(), READ_WRITE)?;
        // Files that somebody else could not write would lock the owner out.
        if connection.is_readonly(MAIN_DB)? && !self.files.has_log() && !self.files.has_log_files()
        {
            let failure = ffi::Error::new(ffi::SQLITE_CANTOPEN);
            return Err(rusqlite::Error::SqliteFailure(failure, None));
        }
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, self.keeps_log)?;
        Ok(connection)
    }

    fn limited(&self, mut connection: Connection) -> rusqlite::Result<Open> {
        let strides = Arc::new(AtomicU64::new(self.strides));
        let left = Arc::clone(&strides);
        let is_over = move || {
            let before = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
            before.is_err()
        };
        connection.progress_handler(STRIDE, Some(is_over))?;
        Ok(Open {
            connection,
            strides,
            most: self.strides,
        })
    }

    /// Opens it for reading what is there now and some of which another reader has
    /// read already. The transaction ends with the connection.
    ///
    /// # Errors
    /// Those of SQLite; that a writer is waiting for other readers is one.
    pub(super) fn reader_beside_another(&self) -> rusqlite::Result<Open> {
        let connection = Connection::open_with_flags(self.path(), READ_ONLY)?;
        harden(&connection)?;
        connection.busy_timeout(Duration::ZERO)?;
        keep_few_pages(&connection);
        array::load_module(&connection)?;
        begin(&connection)?;
        self.limited(connection)
    }

    /// Opens it for changing traces.
    ///
    /// # Errors
    /// Those of SQLite; a file or folder that cannot be written is one.
    pub(super) fn writer(&self) -> Result<Open, StoreError> {
        let open = || {
            let mut connection = Connection::open_with_flags(self.path(), READ_WRITE)?;
            harden(&connection)?;
            connection.busy_handler(Some(wait))?;
            connection.execute_batch("PRAGMA foreign_keys = ON")?;
            array::load_module(&connection)?;
            let is_protected = connection.is_readonly(MAIN_DB)?;
            Ok((is_protected, self.limited(connection)?))
        };
        match open().map_err(|e| self.error(&e))? {
            (false, open) => Ok(open),
            (true, _) => Err(StoreError::ReadOnly {
                path: self.path().display().to_string(),
            }),
        }
    }

    /// What an error of SQLite means here.
    pub(super) fn error(&self, error: &rusqlite::Error) -> StoreError {
        failure::of(self.path(), error)
    }
}

/// Waits for a lock, after so many attempts. SQLite's own waits grow to a tenth of a second,
/// and miss the moments between the transactions of somebody who writes all the time.
fn wait(attempts: i32) -> bool {
    const PAUSE: Duration = Duration::from_millis(4);
    std::thread::sleep(PAUSE);
    PAUSE * attempts.unsigned_abs() < BUSY_TIMEOUT
}

/// Whatever a stranger wrote into the file's schema, nothing of it is run.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    for (switch, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    ] {
        connection.set_db_config(switch, on)?;
    }
    // What a damaged page says of itself is not taken for true.
    connection.execute_batch("PRAGMA cell_size_check = ON")
}

/// Begins a transaction and takes its lock or snapshot at once, not at the first question.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<i64> {
    connection.execute_batch("BEGIN")?;
    data_version(connection)
}

/// What differs as soon as another connection has changed something, in one connection.
pub(super) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// For what reads no page twice. Without it, only more memory is used.
pub(super) fn keep_few_pages(connection: &Connection) {
    let _ = connection.execute_batch("PRAGMA cache_size = -256");
}

/// The path as a URI, so that the file can be said not to change.
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'%' | b'?' | b'#' | 0x80.. => {
                let _ = write!(uri, "%{byte:02x}");
            }
            plain => uri.push(char::from(*plain)),
        }
    }
    uri.push_str("?immutable=1");
    uri
}
