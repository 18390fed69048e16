//! The spans of a large part of all traces: the table is read once from one end
//! to the other, which costs a fraction of looking each trace up, and a trace is
//! handed over as soon as its last span has been seen.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rusqlite::Connection;

use super::connection::keep_few_pages;
use super::readers::{Purpose, Reader};
use super::{Shared, odd, search};
use crate::model::{Span, Trace, TraceInfo};
use crate::store::sql::row;
use crate::store::sql::spans::{self, Place};
use crate::store::wire::otel_trace_id;
use crate::store::{Detail, OnTrace, StoreError};

/// Rows that are read before those who want to write are let in.
const ROWS: u32 = 2048;
/// Traces that are looked up before the same.
const LOOK_UPS: usize = 256;
/// Slices of the table that may wait for their reader.
const AHEAD: usize = 4;
/// A look-up takes about so many times as long as reading a trace on the way.
const LOOK_UP: usize = 3;

/// What became of the traces of a slice, by id.
type Finished = Vec<(String, Result<Trace, StoreError>)>;

/// From how many traces on it is quicker to read the whole table.
///
/// # Errors
/// Those of SQLite.
pub(super) fn least(connection: &Connection) -> rusqlite::Result<usize> {
    let count = search::count(connection)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX) / LOOK_UP)
}

/// Hands over each of the traces with the times of its spans, in no order, until
/// `each` breaks it off. The table is read in a thread of its own.
///
/// # Errors
/// Those of SQLite.
pub(super) fn run(
    shared: &Shared,
    infos: Vec<TraceInfo>,
    each: OnTrace<'_>,
) -> Result<(), StoreError> {
    thread::scope(|scope| {
        let (sender, slices) = sync_channel(AHEAD);
        let reading = scope.spawn(move || {
            shared.readers.take(Purpose::Spans).and_then(|mut reader| {
                let done = read(shared, &mut reader, infos, &sender);
                shared.readers.give_back(reader);
                done
            })
        });
        for (id, trace) in slices.into_iter().flatten() {
            if each(&id, trace).is_break() {
                return Ok(());
            }
        }
        reading.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// A trace whose spans have not all been seen.
struct Waiting {
    info: TraceInfo,
    otel_id: String,
    left: u32,
    spans: Vec<Span>,
    is_odd: bool,
}

fn read(
    shared: &Shared,
    reader: &mut Reader,
    infos: Vec<TraceInfo>,
    sender: &SyncSender<Finished>,
) -> Result<(), StoreError> {
    keep_few_pages(reader);
    // Nothing but the id may be known; then it is not known either where the spans are.
    let (here, mut elsewhere): (Vec<_>, Vec<_>) = infos
        .into_iter()
        .partition(|info| info.experiment_id.is_none() || Place::of(info) == Place::Table);
    let mut waiting = expected(shared, reader, here, &mut elsewhere)?;
    let mut after = 0;
    // Once something was changed, spans that are read from here on and those before may be
    // of two moments.
    while !waiting.is_empty() && !shared.readers.is_later(reader) {
        let mut done = Vec::new();
        let rows = slice(reader, &mut after, &mut waiting, &mut done)
            .map_err(|e| shared.database().error(&e))?;
        let finished = done
            .into_iter()
            .map(|trace| finish(shared, reader, trace))
            .collect();
        shared.readers.check()?;
        let send = || sender.send(finished);
        if shared.readers.apart(reader, send)?.is_err() {
            return Ok(());
        }
        if rows < ROWS {
            break;
        }
    }
    elsewhere.extend(waiting.into_values().map(|trace| trace.info));
    for infos in elsewhere.chunks(LOOK_UPS) {
        let look_up = |info: &TraceInfo| {
            let trace = shared.complete_found(reader, info.clone(), Detail::Times);
            (info.trace_id.clone(), trace)
        };
        let found = infos.iter().map(look_up).collect();
        shared.readers.check()?;
        let send = || sender.send(found);
        if shared.readers.apart(reader, send)?.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// How many rows each of the traces has; those without any are moved `elsewhere`.
fn expected(
    shared: &Shared,
    reader: &mut Reader,
    infos: Vec<TraceInfo>,
    elsewhere: &mut Vec<TraceInfo>,
) -> Result<HashMap<String, Box<Waiting>>, StoreError> {
    let mut unseen: HashMap<String, TraceInfo> = infos
        .into_iter()
        .map(|info| (info.trace_id.clone(), info))
        .collect();
    let mut waiting = HashMap::with_capacity(unseen.len());
    let mut after = String::new();
    loop {
        let mut groups = 0;
        let mut count = || -> rusqlite::Result<()> {
            let mut statement = reader.prepare_cached(
                "SELECT trace_id, count(*) FROM spans WHERE trace_id > ?1 \
                 GROUP BY trace_id ORDER BY trace_id LIMIT ?2",
            )?;
            let mut rows = statement.query((&after, ROWS))?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                groups += 1;
                let id = row::text(row, "spans", 0)?.into_owned();
                if let Some(info) = unseen.remove(&id) {
                    let left: u32 = row.get(1)?;
                    let trace = Box::new(Waiting {
                        otel_id: otel_trace_id(&id),
                        info,
                        left,
                        spans: Vec::new(),
                        is_odd: false,
                    });
                    waiting.insert(id.clone(), trace);
                }
                last = Some(id);
            }
            after = last.unwrap_or_default();
            Ok(())
        };
        count().map_err(|e| shared.database().error(&e))?;
        if groups < ROWS {
            break;
        }
        shared.readers.make_way(reader)?;
    }
    elsewhere.extend(unseen.into_values());
    Ok(waiting)
}

/// Reads the rows `after` one; gives how many there were.
fn slice(
    connection: &Connection,
    after: &mut i64,
    waiting: &mut HashMap<String, Box<Waiting>>,
    done: &mut Vec<Waiting>,
) -> rusqlite::Result<u32> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {}, trace_id, octet_length(content) > 0, rowid FROM spans NOT INDEXED \
         WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
        spans::COLUMNS
    ))?;
    let at = spans::COLUMN_COUNT;
    let mut rows = statement.query((*after, ROWS))?;
    let mut count = 0;
    // Spans of a trace mostly lie side by side.
    let mut current: Option<(String, Box<Waiting>)> = None;
    while let Some(row) = rows.next()? {
        count += 1;
        *after = row.get(at + 2)?;
        let id = row.get_ref(at)?.as_bytes_or_null()?.unwrap_or_default();
        if current.as_ref().is_none_or(|(own, _)| own.as_bytes() != id) {
            waiting.extend(current.take());
            let next = std::str::from_utf8(id).ok();
            current = next.and_then(|id| waiting.remove_entry(id));
        }
        let Some((_, trace)) = &mut current else {
            continue;
        };
        if row.get(at + 1)? {
            match spans::span(row, &trace.otel_id) {
                Ok(span) => trace.spans.push(span),
                // Looked up alone, the trace tells what is wrong.
                Err(error) if odd::told_by(&error).is_some() => trace.is_odd = true,
                Err(error) => return Err(error),
            }
        }
        trace.left -= 1;
        if trace.left == 0 {
            done.extend(current.take().map(|(_, trace)| *trace));
        }
    }
    waiting.extend(current);
    Ok(count)
}

fn finish(
    shared: &Shared,
    connection: &Connection,
    trace: Waiting,
) -> (String, Result<Trace, StoreError>) {
    let Waiting {
        info,
        mut spans,
        is_odd,
        ..
    } = trace;
    let id = info.trace_id.clone();
    if spans.is_empty() || is_odd {
        return (id, shared.complete(connection, info, Detail::Times));
    }
    spans::sort(&mut spans);
    (id, Ok(Trace { info, spans }))
}
