//! Opening MLflow's database: for reading without ever writing, or for tags.
//! SQLite's errors become the store's here.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::vtab::array;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::StoreError;
use crate::store::plain_io_reason;

/// How long to wait for a database that another program has locked.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Each connection is used by one thread at a time.
const READ_ONLY: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// The first bytes of a database file.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// A database file that is known to be one.
#[derive(Debug, Clone)]
pub(super) struct Database {
    path: PathBuf,
    /// Whether readers and writers share the file by a write-ahead log.
    pub(super) wal: bool,
}

impl Database {
    /// Looks at the file's header.
    ///
    /// # Errors
    /// When it cannot be read or is no database.
    pub(super) fn new(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let unreadable = |reason: String| StoreError::File {
            path: shown.clone(),
            reason,
        };
        if path.is_dir() {
            return Err(unreadable(
                "it is a folder; expected a database file".to_owned(),
            ));
        }
        let mut header = Vec::with_capacity(100);
        File::open(path)
            .and_then(|file| file.take(100).read_to_end(&mut header))
            .map_err(|e| unreadable(plain_io_reason(&e)))?;
        let problem = if header.is_empty() {
            "it is empty; expected a SQLite database"
        } else if !header.starts_with(MAGIC) {
            "it is not a SQLite database"
        } else if header.len() < 100 {
            "it is cut short"
        } else {
            return Ok(Self {
                path: path.to_owned(),
                wal: header[18] == 2,
            });
        };
        Err(StoreError::Data {
            path: shown,
            reason: problem.to_owned(),
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn reader(&self) -> Result<Connection, StoreError> {
        // Even a reader makes the files of a write-ahead log where there are none. Without
        // them nobody has the database open, and it can be read as one that does not change.
        let connection = if self.wal && !self.has_log() {
            let uri = immutable_uri(&self.path);
            Connection::open_with_flags(uri, READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
        } else {
            Connection::open_with_flags(&self.path, READ_ONLY)
        };
        connection
            .and_then(|connection| {
                connection.busy_timeout(BUSY_TIMEOUT)?;
                // LIKE tells case apart, as MLflow asks it to.
                // The cache, in KiB, holds what of the indexes is read again and again. To
                // allocate a larger one, page by page, takes longer than to read.
                connection.execute_batch(
                    "PRAGMA case_sensitive_like = ON; PRAGMA query_only = ON; \
                     PRAGMA cache_size = -6000",
                )?;
                array::load_module(&connection)?;
                Ok(connection)
            })
            .map_err(|e| self.error(&e))
    }

    /// Opens it for reading what is there now and some of which another reader has
    /// read already. The transaction ends with the connection.
    ///
    /// # Errors
    /// Those of SQLite; that a writer is waiting for other readers is one.
    pub(super) fn reader_beside_another(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, READ_ONLY)?;
        connection.busy_timeout(Duration::ZERO)?;
        keep_few_pages(&connection);
        array::load_module(&connection)?;
        // Only with the first look at the file a transaction begins to read.
        connection.execute_batch("BEGIN; PRAGMA schema_version")?;
        Ok(connection)
    }

    /// Opens it for reading the spans of many traces.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn span_reader(&self) -> Result<Connection, StoreError> {
        let connection = self.reader()?;
        // Or SQLite plans the statement anew for each id, in case an index suits it better.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            // Spans are read once, so a cache for the upper levels of their index is enough.
            .and_then(|_| connection.execute_batch("PRAGMA cache_size = -2000"))
            .map_err(|e| self.error(&e))?;
        Ok(connection)
    }

    /// Opens it for changing tags.
    ///
    /// # Errors
    /// Those of SQLite; a file or folder that cannot be written is one.
    pub(super) fn writer(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)
            .and_then(|connection| {
                connection.busy_timeout(BUSY_TIMEOUT)?;
                connection.execute_batch("PRAGMA foreign_keys = ON")?;
                Ok(connection)
            })
            .map_err(|e| self.error(&e))?;
        match connection.is_readonly("main") {
            Ok(false) => Ok(connection),
            Ok(true) => Err(StoreError::ReadOnly {
                path: self.path.display().to_string(),
            }),
            Err(error) => Err(self.error(&error)),
        }
    }

    fn has_log(&self) -> bool {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
    }

    /// What an error of SQLite means here.
    pub(super) fn error(&self, error: &rusqlite::Error) -> StoreError {
        let path = self.path.display().to_string();
        let (code, extended) = match error {
            rusqlite::Error::SqliteFailure(failure, _) => {
                (Some(failure.code), failure.extended_code)
            }
            _ => (None, 0),
        };
        let file = |reason: &str| StoreError::File {
            path: path.clone(),
            reason: reason.to_owned(),
        };
        let data = |reason: String| StoreError::Data {
            path: path.clone(),
            reason,
        };
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked {
                path,
                seconds: BUSY_TIMEOUT.as_secs(),
            },
            Some(ErrorCode::NotADatabase) => data("it is not a SQLite database".to_owned()),
            Some(ErrorCode::DatabaseCorrupt) => data("the database is corrupt".to_owned()),
            // A journal that a crashed writer left must be rolled back first, which is writing.
            Some(ErrorCode::ReadOnly) if extended == rusqlite::ffi::SQLITE_READONLY_ROLLBACK => {
                file(
                    "a program ended in the middle of a change; open it once with MLflow to undo that",
                )
            }
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
            Some(ErrorCode::CannotOpen) => file("it cannot be opened"),
            Some(ErrorCode::PermissionDenied) => file("permission denied"),
            Some(ErrorCode::SystemIoFailure) => file("reading or writing failed"),
            Some(ErrorCode::DiskFull) => file("the disk is full"),
            _ => data(plain(error)),
        }
    }
}

/// For what reads no page twice. Without it, only more memory is used.
pub(super) fn keep_few_pages(connection: &Connection) {
    let _ = connection.execute_batch("PRAGMA cache_size = -256");
}

/// SQLite's own message.
fn plain(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    }
}

/// The path as a URI, so that the file can be said not to change.
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    let text = path.to_string_lossy();
    for c in text.chars() {
        match c {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            other => uri.push(other),
        }
    }
    uri.push_str("?immutable=1");
    uri
}
