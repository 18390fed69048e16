//! Which traces have finished since the last look, each once, as far as a store can be
//! asked. Traces appear in it late and out of order: MLflow's clients write most of them
//! when they end, some minutes after that, and a trace that began long before others may
//! end after them. So every look reaches back behind the one before, by times of the
//! traces and not of this machine, and what was shown of that time is remembered. Traces
//! in progress are remembered too, since one that is closed later may get an end of
//! before. A look may fail anywhere; what it has not shown comes with the next one.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::model::{Timestamp, TraceInfo, metadata};

/// Milliseconds.
type Ms = i64;

const SECOND: Ms = 1_000;
const MINUTE: Ms = 60 * SECOND;
const HOUR: Ms = 60 * MINUTE;

/// So long after its end a trace may appear, or so slow may the clock that timed it be.
pub(super) const LATE: Ms = 10 * MINUTE;
/// So long it may have taken, unless `--since` is longer ago.
pub(super) const LONG: Ms = 24 * HOUR;
/// What a look that is not to take long reaches back behind the one before …
const OVERLAP: Ms = 30 * SECOND;
/// … for traces that did not take longer than that.
const SHORT: Ms = 10 * MINUTE;
/// So much longer than looks reach back, ids are remembered: spans that come after the
/// end of a trace move it.
const REMEMBERED: Ms = HOUR;
/// Of a trace that is written bit by bit, the bits are waited for so long.
const GRACE: Ms = 2 * SECOND;
/// Ids in one question.
const NAMED: usize = 100;
/// A trace that is not among those in progress so often is not any more.
const MISSES: u8 = 2;

/// The traces that a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// They began then or later,
    pub(super) began: Ms,
    /// and ended then or later, where that matters.
    pub(super) ended: Option<Ms>,
}

/// How far a look reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// As far as traces may be late.
    Whole,
    /// As far as most of them are.
    Near,
}

/// What takes traces, one after the other.
pub(super) type Each<'e> = &'e mut dyn FnMut(TraceInfo) -> Result<()>;

/// A store, as it is asked by a look. Answers may lack traces that others push across
/// the border of a page, but none twice in a row.
pub(super) trait Source {
    /// When the newest trace began, be it what it may.
    fn newest(&mut self) -> Result<Option<Ms>>;

    /// All that are in progress and began then or later: nothing but ids and times.
    fn in_progress(&mut self, since: Ms, each: Each<'_>) -> Result<()>;

    /// Those of them that match.
    fn started(&mut self, since: Ms, each: Each<'_>) -> Result<()>;

    /// Those that have finished and match, the oldest first.
    fn finished(&mut self, window: Window, each: Each<'_>) -> Result<()>;

    /// Those of these that have finished and match.
    fn finished_among(&mut self, ids: &[String], each: Each<'_>) -> Result<()>;
}

/// Shows traces, all of them or, with an error, none; and says whether to go on.
pub(super) type Show<'s> = &'s mut dyn FnMut(Vec<TraceInfo>) -> Result<bool>;

/// What is known of the traces of a store.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Whether those that start are shown, too.
    starts: bool,
    /// How long before the present traces may have begun.
    long: Ms,
    /// What had finished before then is not shown, unless it is asked for.
    from: Ms,
    /// The time of the store at the last look, and at the last one that was whole.
    seen: Option<Ms>,
    seen_whole: Option<Ms>,
    /// Traces that are sorted and shown together, at most.
    batch: usize,
    shown: HashMap<Box<str>, Times>,
    /// Traces that may not be there in whole yet, and when they were first seen.
    unsettled: HashMap<Box<str>, Ms>,
    pending: HashMap<Box<str>, Pending>,
}

/// When a trace began and ended.
#[derive(Debug, Clone, Copy)]
struct Times {
    began: Ms,
    ended: Ms,
}

/// A trace in progress.
#[derive(Debug, Clone, Copy)]
struct Pending {
    began: Ms,
    shown: bool,
    misses: u8,
}

impl Arrivals {
    /// Traces that finish from `now` on, and before that none, but for what
    /// [`Arrivals::catch_up`] shows; `batch` of them together.
    pub(super) fn new(now: Ms, since: Option<Ms>, starts: bool, batch: usize) -> Self {
        Self {
            starts,
            batch,
            long: since.map_or(LONG, |since| LONG.max(now.saturating_sub(since))),
            from: since.unwrap_or(now),
            seen: None,
            seen_whole: None,
            shown: HashMap::new(),
            unsettled: HashMap::new(),
            pending: HashMap::new(),
        }
    }

    /// Whether some traces are waited for that may be there in whole at the next look.
    pub(super) fn waits(&self) -> bool {
        !self.unsettled.is_empty()
    }

    /// What is there is taken to be whole from now on.
    pub(super) fn settle(&mut self) {
        for since in self.unsettled.values_mut() {
            *since = Ms::MIN / 2;
        }
    }

    /// Shows what began at `since` or later and has finished, the oldest first; where
    /// that fails, `since` is when it is to be gone on with.
    pub(super) fn catch_up(
        &mut self,
        source: &mut dyn Source,
        now: Ms,
        since: &mut Ms,
        show: Show<'_>,
    ) -> Result<bool> {
        let time = store_time(source, now)?;
        // Whatever ends from here on is for the next look, however long this one takes.
        self.seen_whole.get_or_insert(time);
        let window = Window {
            began: *since,
            ended: None,
        };
        let mut batch = Vec::new();
        let mut goes_on = true;
        source.finished(window, &mut |info| {
            if goes_on && !self.shown.contains_key(info.trace_id.as_str()) {
                batch.push(info);
                if batch.len() >= self.batch {
                    goes_on = self.show_some_of_before(&mut batch, show, since)?;
                }
            }
            Ok(())
        })?;
        Ok(goes_on && self.show_some_of_before(&mut batch, show, since)?)
    }

    fn show_some_of_before(
        &mut self,
        batch: &mut Vec<TraceInfo>,
        show: Show<'_>,
        reached: &mut Ms,
    ) -> Result<bool> {
        let latest = batch.iter().map(began_at).max();
        let goes_on = self.show(batch, show)?;
        *reached = latest.unwrap_or(*reached).max(*reached);
        // Others of the same millisecond may be on the next page.
        self.forget(Some(*reached));
        Ok(goes_on)
    }

    /// Shows what has finished since the last look, and whether to go on.
    pub(super) fn look(
        &mut self,
        source: &mut dyn Source,
        now: Ms,
        reach: Reach,
        show: Show<'_>,
    ) -> Result<bool> {
        let time = store_time(source, now)?;
        let whole = reach == Reach::Whole || self.seen.is_none();
        let window = self.window(time, whole);
        let began = window.began;
        let mut running = HashSet::new();
        if whole {
            let oldest = self.pending.values().map(|pending| pending.began).min();
            source.in_progress(
                oldest.map_or(began, |oldest| oldest.min(began)),
                &mut |info| {
                    let began = began_at(&info);
                    let id: Box<str> = info.trace_id.into();
                    self.pending.entry(id.clone()).or_insert(Pending {
                        began,
                        shown: false,
                        misses: 0,
                    });
                    running.insert(id);
                    Ok(())
                },
            )?;
        }
        if self.starts && !self.show_starts(source, window, show)? {
            return Ok(false);
        }
        if !self.show_finished(now, show, |each| source.finished(window, each))? {
            return Ok(false);
        }
        if !self.show_waited_for(source, now, show)? {
            return Ok(false);
        }
        if whole {
            let gone = self.pending.keys().filter(|id| !running.contains(*id));
            let gone: Vec<String> = gone.map(ToString::to_string).collect();
            for ids in gone.chunks(NAMED) {
                let ask = |each: Each<'_>| source.finished_among(ids, each);
                if !self.show_finished(now, show, ask)? {
                    return Ok(false);
                }
            }
            self.pending.retain(|id, pending| {
                pending.misses = if running.contains(id) {
                    0
                } else {
                    pending.misses + 1
                };
                pending.misses < MISSES
            });
            self.seen_whole = self.seen_whole.max(Some(time));
        }
        self.seen = self.seen.max(Some(time));
        self.forget(None);
        Ok(true)
    }

    /// What a look asks for at this time of the store.
    fn window(&self, time: Ms, whole: bool) -> Window {
        let (ended, took) = if whole {
            (self.seen_whole.unwrap_or(time).min(time) - LATE, self.long)
        } else {
            (self.seen.unwrap_or(time).min(time) - OVERLAP, SHORT)
        };
        Window {
            began: ended - took,
            ended: Some(ended),
        }
    }

    /// Shows those of traces that were waited for for long enough, where the questions before
    /// did not come across them again.
    fn show_waited_for(
        &mut self,
        source: &mut dyn Source,
        now: Ms,
        show: Show<'_>,
    ) -> Result<bool> {
        let due = self.unsettled.iter();
        let due = due.filter(|(_, since)| now.saturating_sub(**since) >= GRACE);
        let due: Vec<String> = due.map(|(id, _)| id.to_string()).collect();
        for ids in due.chunks(NAMED) {
            if !self.show_finished(now, show, |each| source.finished_among(ids, each))? {
                return Ok(false);
            }
            // What is not there any more, or does not match, is not waited for.
            for id in ids {
                self.unsettled.remove(id.as_str());
            }
        }
        Ok(true)
    }

    fn show_starts(
        &mut self,
        source: &mut dyn Source,
        window: Window,
        show: Show<'_>,
    ) -> Result<bool> {
        // What is in progress at the first look did not start since.
        let from = self.seen.is_none().then_some(self.from);
        let mut batch = Vec::new();
        source.started(window.began, &mut |info| {
            let id = info.trace_id.as_str();
            let is_new = !self.shown.contains_key(id)
                && self.pending.get(id).is_none_or(|pending| !pending.shown);
            if is_new && from.is_none_or(|from| began_at(&info) >= from) {
                batch.push(info);
            } else if is_new {
                self.has_started(&info);
            }
            Ok(())
        })?;
        for traces in sorted(batch).chunks(self.batch) {
            if !show(traces.to_vec())? {
                return Ok(false);
            }
            for info in traces {
                self.has_started(info);
            }
        }
        Ok(true)
    }

    fn has_started(&mut self, info: &TraceInfo) {
        let began = began_at(info);
        let pending = self.pending.entry(info.trace_id.as_str().into());
        let pending = pending.or_insert(Pending {
            began,
            shown: true,
            misses: 0,
        });
        pending.shown = true;
    }

    fn show_finished(
        &mut self,
        now: Ms,
        show: Show<'_>,
        ask: impl FnOnce(Each<'_>) -> Result<()>,
    ) -> Result<bool> {
        let mut batch = Vec::new();
        let mut goes_on = true;
        ask(&mut |info| {
            if goes_on && self.is_due(&info, now) {
                batch.push(info);
                if batch.len() >= self.batch {
                    goes_on = self.show(&mut batch, show)?;
                }
            }
            Ok(())
        })?;
        Ok(goes_on && self.show(&mut batch, show)?)
    }

    /// Whether a trace that has finished is to be shown now.
    fn is_due(&mut self, info: &TraceInfo, now: Ms) -> bool {
        let (id, ended) = (info.trace_id.as_str(), ended_at(info));
        if let Some(known) = self.shown.get_mut(id) {
            known.ended = ended.max(known.ended);
            return false;
        }
        // At the first look, nothing tells what has been there for long but its time.
        if self.seen_whole.is_none() && ended < self.from {
            self.remember(info);
            return false;
        }
        if is_whole(info) {
            return true;
        }
        let since = *self.unsettled.entry(id.into()).or_insert(now);
        now.saturating_sub(since) >= GRACE
    }

    /// Shows some, and remembers that.
    fn show(&mut self, batch: &mut Vec<TraceInfo>, show: Show<'_>) -> Result<bool> {
        let traces = sorted(std::mem::take(batch));
        if traces.is_empty() {
            return Ok(true);
        }
        let shown: Vec<TraceInfo> = traces.iter().map(times_of).collect();
        let goes_on = show(traces)?;
        for info in &shown {
            self.remember(info);
        }
        Ok(goes_on)
    }

    fn remember(&mut self, info: &TraceInfo) {
        let id = info.trace_id.as_str();
        self.unsettled.remove(id);
        self.pending.remove(id);
        let times = Times {
            began: began_at(info),
            ended: ended_at(info),
        };
        self.shown.insert(id.into(), times);
    }

    /// Forgets what no look will come across again, nor the rest of one that has come as far
    /// as traces that began at `reached`.
    fn forget(&mut self, reached: Option<Ms>) {
        let Some(whole) = self.seen_whole else {
            return;
        };
        let oldest = whole - LATE - REMEMBERED;
        self.shown.retain(|_, times| {
            times.ended >= oldest || reached.is_some_and(|reached| times.began >= reached)
        });
    }
}

/// By the time at which they ended; each once.
fn sorted(mut traces: Vec<TraceInfo>) -> Vec<TraceInfo> {
    let mut seen = HashSet::new();
    traces.retain(|info| seen.insert(info.trace_id.clone()));
    traces.sort_by(|a, b| {
        let key = |info: &TraceInfo| (ended_at(info), began_at(info));
        (key(a), &a.trace_id).cmp(&(key(b), &b.trace_id))
    });
    traces
}

/// The time by which the store's own traces are: that of the newest, and not one that has
/// not come here.
fn store_time(source: &mut dyn Source, now: Ms) -> Result<Ms> {
    Ok(source.newest()?.map_or(now, |newest| newest.min(now)))
}

/// A trace without all that takes room.
fn times_of(info: &TraceInfo) -> TraceInfo {
    TraceInfo {
        request_time: info.request_time,
        execution_duration_ns: info.execution_duration_ns,
        ..TraceInfo::new(info.trace_id.clone())
    }
}

fn began_at(info: &TraceInfo) -> Ms {
    info.request_time.map_or(0, Timestamp::millis)
}

fn ended_at(info: &TraceInfo) -> Ms {
    let took = info.duration_ns().unwrap_or_default() / 1_000_000;
    began_at(info).saturating_add(took)
}

/// Whether nothing more is written of a trace that has finished. Clients of MLflow may
/// send the spans, which end it, before its name, tags and metadata.
fn is_whole(info: &TraceInfo) -> bool {
    let by_client = [metadata::FINALIZED, metadata::SCHEMA_VERSION];
    by_client.iter().any(|key| info.metadata.contains_key(*key))
}

#[cfg(test)]
mod tests;
