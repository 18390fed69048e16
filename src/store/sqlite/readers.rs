//! Connections for reading, and which state of the database each of them sees.
//!
//! With a write-ahead log all connections are opened together, on one and the same
//! state, and keep it for as long as the command runs. With a rollback journal, where
//! a reader keeps writers out, each question is a transaction of its own, and a version
//! tells whether something was changed between two of them.

use std::collections::HashMap;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::connection::{BUSY_TIMEOUT, Database, Open, Sharing, begin, data_version};
use crate::parallel;
use crate::store::StoreError;
use crate::store::local::{Doubts, lock};

/// The most connections with a write-ahead log, besides the first one.
const MOST: usize = 8;
/// How often all of them are opened anew, because somebody wrote in between.
const ATTEMPTS: usize = 200;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Searches and single traces.
    Search,
    /// The spans of many traces.
    Spans,
}

impl Purpose {
    const fn other(self) -> Self {
        match self {
            Self::Search => Self::Spans,
            Self::Spans => Self::Search,
        }
    }
}

/// A connection in a transaction.
pub(super) struct Reader {
    pub(super) open: Open,
    purpose: Purpose,
    /// Of the state that it sees.
    version: u64,
    epoch: usize,
}

impl Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.open.connection
    }
}

/// All connections for reading.
pub(super) struct Readers {
    pub(super) database: Database,
    doubts: Arc<Doubts>,
    crew: Mutex<Crew>,
    returned: Condvar,
    /// The version at which traces were first read.
    base: Mutex<Option<u64>>,
    /// Whether this program changes something itself.
    writes: AtomicBool,
}

/// Connections that nobody uses.
#[derive(Default)]
struct Crew {
    /// With a write-ahead log, those that have not been used yet.
    fresh: Vec<Open>,
    idle: HashMap<Purpose, Vec<Open>>,
    /// How many are in use of this epoch.
    out: usize,
    /// Goes up when all are to see a later state.
    epoch: usize,
}

impl Crew {
    fn any(&mut self, purpose: Purpose) -> Option<(Open, bool)> {
        let mut idle = |purpose| self.idle.entry(purpose).or_default().pop();
        if let Some(open) = idle(purpose) {
            return Some((open, true));
        }
        let open = self.fresh.pop();
        let open = open.or_else(|| self.idle.entry(purpose.other()).or_default().pop());
        Some((open?, false))
    }
}

impl Readers {
    /// Opens a database.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn open(path: &Path, doubts: Arc<Doubts>) -> Result<Self, StoreError> {
        let mut database = Database::new(path)?;
        let mut crew = Crew::default();
        if database.sharing == Sharing::Log {
            match together(&database) {
                Ok(fresh) => crew.fresh = fresh,
                Err(error) if no_files_can_be_made(&error) => {
                    let files = database.files();
                    let shown = path.display();
                    if files.has_log() {
                        return Err(StoreError::File {
                            path: shown.to_string(),
                            reason: "it has changes in a write-ahead log, and what it takes to \
                                     read them cannot be made beside it; copy it with its \
                                     `-wal` to a folder that can be written to"
                                .to_owned(),
                        });
                    }
                    if !files.is_on_read_only_disk() {
                        doubts.add(format!(
                            "{shown} is read as a file that nobody changes, since nothing can be \
                             written beside it"
                        ));
                    }
                    database.sharing = Sharing::Still(files.look());
                }
                Err(error) => return Err(database.error(&error)),
            }
        }
        Ok(Self {
            database,
            doubts,
            crew: Mutex::new(crew),
            returned: Condvar::new(),
            base: Mutex::default(),
            writes: AtomicBool::new(false),
        })
    }

    /// How many connections can be used at a time.
    pub(super) fn at_once(&self) -> usize {
        match self.database.sharing {
            Sharing::Log => parallel::cores().min(MOST),
            Sharing::Journal | Sharing::Still(_) => parallel::cores(),
        }
    }

    /// A connection in a transaction, which has to be given back.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn take(&self, purpose: Purpose) -> Result<Reader, StoreError> {
        let (open, epoch) = if self.database.sharing == Sharing::Log {
            self.one_of_crew(purpose)?
        } else {
            let idle = lock(&self.crew).idle.entry(purpose).or_default().pop();
            let open = match idle {
                Some(open) => Ok(open),
                None => self.database.reader().and_then(|o| tuned(o, purpose)),
            };
            (open.map_err(|e| self.database.error(&e))?, 0)
        };
        open.ask_anew();
        let mut reader = Reader {
            open,
            purpose,
            version: 0,
            epoch,
        };
        self.begin(&mut reader)?;
        Ok(reader)
    }

    fn one_of_crew(&self, purpose: Purpose) -> Result<(Open, usize), StoreError> {
        let error = |e: rusqlite::Error| self.database.error(&e);
        let mut crew = lock(&self.crew);
        loop {
            if let Some((open, is_tuned)) = crew.any(purpose) {
                let open = if is_tuned {
                    Ok(open)
                } else {
                    tuned(open, purpose)
                };
                let open = open.map_err(error)?;
                crew.out += 1;
                return Ok((open, crew.epoch));
            }
            if crew.out == 0 {
                crew.fresh = together(&self.database).map_err(error)?;
                continue;
            }
            let waited = self.returned.wait_timeout(crew, BUSY_TIMEOUT);
            let (back, time) = waited.unwrap_or_else(PoisonError::into_inner);
            crew = back;
            if time.timed_out() {
                // Rather a later state, which is said, than no answer.
                self.say_changed();
                let later = self.database.reader().and_then(|open| {
                    begin(&open.connection)?;
                    tuned(open, purpose)
                });
                return Ok((later.map_err(error)?, usize::MAX));
            }
        }
    }

    /// Gives a connection back, and its lock up.
    pub(super) fn give_back(&self, reader: Reader) {
        let Reader {
            open,
            purpose,
            epoch,
            ..
        } = reader;
        let mut crew = lock(&self.crew);
        if self.database.sharing == Sharing::Log {
            if epoch != crew.epoch {
                return;
            }
            crew.out -= 1;
            self.returned.notify_one();
            // An error may have ended its transaction; another one would be of a later state.
            if open.connection.is_autocommit() {
                return;
            }
        } else {
            let _ = open.connection.execute_batch("ROLLBACK");
        }
        crew.idle.entry(purpose).or_default().push(open);
    }

    /// Lets those in who wait to write, where readers keep them out.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn make_way(&self, reader: &mut Reader) -> Result<(), StoreError> {
        self.apart(reader, || ())
    }

    /// Does what may take any time, such as waiting for whoever takes the traces, without
    /// keeping those out who wait to write.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn apart<T>(
        &self,
        reader: &mut Reader,
        act: impl FnOnce() -> T,
    ) -> Result<T, StoreError> {
        if self.database.sharing != Sharing::Journal {
            return Ok(act());
        }
        self.end(reader)?;
        let done = act();
        self.begin(reader)?;
        Ok(done)
    }

    fn end(&self, reader: &Reader) -> Result<(), StoreError> {
        let ended = reader.execute_batch("ROLLBACK");
        ended.map_err(|e| self.database.error(&e))
    }

    fn begin(&self, reader: &mut Reader) -> Result<(), StoreError> {
        if self.database.sharing == Sharing::Log {
            return Ok(());
        }
        begin(reader).map_err(|e| self.database.error(&e))?;
        if self.database.sharing == Sharing::Journal {
            let version = self.database.files().version();
            reader.version = version.map_err(|error| StoreError::File {
                path: self.database.path().display().to_string(),
                reason: crate::store::plain_io_reason(&error),
            })?;
        }
        Ok(())
    }

    /// Whether traces that were found before may have been changed since. This is said.
    pub(super) fn is_later(&self, reader: &Reader) -> bool {
        let base = *lock(&self.base).get_or_insert(reader.version);
        let is_later = base != reader.version && !self.writes.load(Relaxed);
        if is_later {
            self.say_changed();
        }
        is_later
    }

    fn say_changed(&self) {
        self.doubts.add(format!(
            "{} changed while it was read: each trace is as it was at one moment, but not all \
             are of the same one",
            self.database.path().display()
        ));
    }

    /// That what was read was not changed under way, where no lock kept anybody from it.
    ///
    /// # Errors
    /// When it may have been.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &self.database.sharing {
            Sharing::Still(before) if self.database.files().look() != *before => {
                Err(StoreError::Data {
                    path: self.database.path().display().to_string(),
                    reason: "it was changed while it was read as a file that nobody changes; \
                             run the command again"
                        .to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// From now on this program writes, and what it writes is to be seen.
    pub(super) fn see_later_state(&self) {
        self.writes.store(true, Relaxed);
        self.see_present();
    }

    /// From now on the state is seen that there is by now.
    pub(super) fn see_present(&self) {
        *lock(&self.base) = None;
        if self.database.sharing == Sharing::Log {
            let mut crew = lock(&self.crew);
            *crew = Crew {
                epoch: crew.epoch + 1,
                ..Crew::default()
            };
            self.returned.notify_all();
        }
    }
}

/// Suits a connection to what it is for.
fn tuned(open: Open, purpose: Purpose) -> rusqlite::Result<Open> {
    // The cache, in KiB, holds what of the indexes is read again and again. To allocate a
    // larger one, page by page, takes longer than to read. Spans are read once, so a cache
    // for the upper levels of their index is enough.
    let cache = match purpose {
        Purpose::Search => "PRAGMA cache_size = -6000",
        Purpose::Spans => "PRAGMA cache_size = -2000",
    };
    open.connection.execute_batch(cache)?;
    // Or SQLite plans the statement anew for each id, in case an index suits it better.
    let is_for_spans = purpose == Purpose::Spans;
    open.connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, is_for_spans)?;
    Ok(open)
}

/// Connections with a write-ahead log that all see the same state.
fn together(database: &Database) -> rusqlite::Result<Vec<Open>> {
    let count = 1 + parallel::cores().min(MOST);
    let mut crew = vec![database.reader()?];
    // The first one makes the files that all share.
    begin(&crew[0].connection)?;
    for _ in 1..count {
        crew.push(database.reader()?);
    }
    let Some((last, others)) = crew.split_last() else {
        return Ok(crew);
    };
    for _ in 0..ATTEMPTS {
        let before = data_version(&last.connection)?;
        for open in others {
            if !open.connection.is_autocommit() {
                open.connection.execute_batch("ROLLBACK")?;
            }
            begin(&open.connection)?;
        }
        if begin(&last.connection)? == before {
            return Ok(crew);
        }
        last.connection.execute_batch("ROLLBACK")?;
    }
    // Somebody writes without a break.
    crew.truncate(1);
    Ok(crew)
}

/// Whether it failed for want of the right to write.
fn no_files_can_be_made(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}
