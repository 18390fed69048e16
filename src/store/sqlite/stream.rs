//! Searches that need more than a page run in a thread of their own, which hands their
//! rows out in pages, so that all come from one state of the database and memory does
//! not grow with their number. While whoever wants the pages stalls, no more than the
//! ids of the rest are read, and the database is let go.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::types::Value;

use super::Shared;
use super::readers::{Purpose, Reader};
use super::search::{Batch, Flow, Prepared, RowReader};
use crate::model::TraceInfo;
use crate::parallel;
use crate::store::StoreError;

/// Pages that may wait for their reader.
const AHEAD: usize = 4;
/// The same where the system gives no thread, and every page has to wait.
const ALL_AHEAD: usize = 1 << 16;
/// How long a reader may stall before the database is let go, so that nobody who
/// wants to write waits for a pager.
const PATIENCE: Duration = Duration::from_secs(1);

type Sender = SyncSender<Result<Batch, StoreError>>;

/// A search that is not over: where its next pages come from.
pub(super) struct Cursor {
    pages: Receiver<Result<Batch, StoreError>>,
}

impl Cursor {
    /// The next page; the cursor comes back when there are more.
    pub(super) fn next(self) -> Result<(Vec<TraceInfo>, Option<Self>), StoreError> {
        // The thread ends without a word only when it panics.
        let batch = self.pages.recv().unwrap_or_else(|_| Ok(Batch::default()))?;
        Ok((batch.traces, batch.more.then_some(self)))
    }
}

/// The thread of a search.
pub(super) struct Stream {
    thread: JoinHandle<()>,
    /// The steps that are left to its question.
    strides: Arc<AtomicU64>,
}

impl Stream {
    /// Waits until it has given back what it holds, which is soon when nobody wants more pages.
    pub(super) fn end(self) {
        self.strides.store(0, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

/// Runs a search in a thread of its own, if there is one.
pub(super) fn start(
    shared: &Arc<Shared>,
    search: Prepared,
    reader: Reader,
    size: usize,
) -> (Cursor, Option<Stream>) {
    let threads = parallel::has_threads();
    let (sender, pages) = sync_channel(if threads { AHEAD } else { ALL_AHEAD });
    let shared = Arc::clone(shared);
    let strides = reader.open.strides();
    let run = move || stream(&search, &shared, reader, size, &sender);
    let stream = if threads {
        let thread = thread::spawn(run);
        Some(Stream { thread, strides })
    } else {
        run();
        None
    };
    (Cursor { pages }, stream)
}

/// Sends every page, for as long as somebody wants them.
fn stream(search: &Prepared, shared: &Shared, reader: Reader, size: usize, sender: &Sender) {
    let mut waiting = None;
    let mut rest = Vec::new();
    let done = search.run(shared, &reader, size, &mut rest, |batch| {
        match send(sender, batch) {
            Sent::Taken => Flow::Continue,
            Sent::NobodyThere => Flow::Stop,
            Sent::Waiting(batch) => {
                waiting = Some(batch);
                Flow::OnlyIds
            }
        }
    });
    shared.readers.give_back(reader);
    // The database is free now, and who wants the pages may take all the time.
    if let Some(batch) = waiting
        && sender.send(Ok(batch)).is_err()
    {
        return;
    }
    let outcome = done.and_then(|()| look_up(search, shared, &rest, size, sender));
    if let Err(error) = outcome {
        let _ = sender.send(Err(error));
    }
}

/// Sends the traces with these ids, as they are by now.
fn look_up(
    search: &Prepared,
    shared: &Shared,
    ids: &[Box<str>],
    size: usize,
    sender: &Sender,
) -> Result<(), StoreError> {
    let mut parts = ids.chunks(size).peekable();
    while let Some(part) = parts.next() {
        let reader = shared.readers.take(Purpose::Search)?;
        let batch = named(search, shared, &reader, part);
        shared.readers.give_back(reader);
        let mut batch = batch?;
        batch.more = parts.peek().is_some();
        // All of them may have been deleted meanwhile.
        let is_page = !batch.traces.is_empty() || !batch.more;
        if is_page && sender.send(Ok(batch)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn named(
    search: &Prepared,
    shared: &Shared,
    reader: &Reader,
    ids: &[Box<str>],
) -> Result<Batch, StoreError> {
    shared.readers.is_later(reader);
    let error = |e: rusqlite::Error| shared.database().error(&e);
    let sql = format!(
        "SELECT {} FROM rarray(?1) AS ids CROSS JOIN trace_info t ON t.request_id = ids.value",
        search.columns
    );
    let values: Vec<Value> = ids.iter().map(|id| Value::from(id.to_string())).collect();
    let mut batch = Batch::default();
    let mut rows_of = RowReader::new(reader, shared, search.parts).map_err(error)?;
    let mut statement = reader.prepare_cached(&sql).map_err(error)?;
    let mut rows = statement.query([Rc::new(values)]).map_err(error)?;
    while let Some(row) = rows.next().map_err(error)? {
        batch.traces.extend(rows_of.read(shared, row)?);
    }
    shared.readers.check()?;
    Ok(batch)
}

enum Sent {
    Taken,
    NobodyThere,
    /// It was not taken in time.
    Waiting(Batch),
}

fn send(sender: &Sender, batch: Batch) -> Sent {
    let start = Instant::now();
    let mut unsent = Ok(batch);
    loop {
        match sender.try_send(unsent) {
            Ok(()) => return Sent::Taken,
            Err(TrySendError::Disconnected(_)) => return Sent::NobodyThere,
            Err(TrySendError::Full(back)) => match back {
                Ok(batch) if start.elapsed() > PATIENCE => return Sent::Waiting(batch),
                back => unsent = back,
            },
        }
        thread::sleep(Duration::from_millis(2));
    }
}
