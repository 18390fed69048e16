//! Trace files: JSON or JSON lines from a path, a folder, a pipe, or the program itself.
//! They are read anew for each question, one trace at a time, so that memory
//! depends on the answer; only a fingerprint of each trace id is kept, to tell
//! a trace that comes twice. What cannot be read is named beside the rest.

mod elements;
pub(super) mod folder;
mod lines;
mod one;
mod prepare;
mod scan;
mod source;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};

use self::one::without_spans;
use self::prepare::{Origins, Prepared};
use self::scan::{Odd, Place, ScanError, scan};
use self::source::{Source, Trouble};
use super::fetch::{self, Ways};
use super::judge::Judge;
use super::local::{Answers, Best, Doubts, Sessions, lock, plan_of};
use super::wire::{DocumentSpans, DocumentTrace, Want as Parts};
use super::{
    Change, Detail, Notice, OnChange, OnTrace, Page, Pages, Query, Scope, Store, StoreError,
    TraceRef, Want, overview, plain_io_reason,
};
use crate::filter::{Filter, Nothing, OrderBy};
use crate::model::{Experiment, ExperimentOverview, Trace, TraceInfo, Unreadable};

/// Traces that can only be read.
pub(super) struct FileStore {
    name: String,
    /// What to do instead of changing traces here.
    read_only: &'static str,
    source: Source,
    origins: Origins,
    /// What could not be read before traces were put together.
    unreadable: Vec<Unreadable>,
    /// Known by name; those that only traces mention come after.
    named: Vec<Experiment>,
    experiments: OnceLock<Vec<Experiment>>,
    answers: Answers<Hit>,
    /// Where the traces of the last page are, which are likely asked for next.
    recent: Mutex<HashMap<String, Place>>,
    asked_for_one: AtomicBool,
    index: Mutex<Option<Index>>,
    fingerprints: RandomState,
    /// What lines were read into, and the next ones will be: a long one is read several times.
    room: Mutex<Vec<u8>>,
    doubts: Doubts,
}

/// So many documents that are no traces, and none that is, make a file of something else.
const PATIENCE: usize = 10_000;

/// Where each trace is, by the fingerprint of its id, and those that cannot be read.
struct Index {
    places: HashMap<u64, Place>,
    unreadable: Vec<Unreadable>,
}

/// A trace that matches.
#[derive(Clone)]
struct Hit {
    /// Whole, or only as much of it as the order needs.
    info: TraceInfo,
    /// Whether the asker needs no more than this.
    is_enough: bool,
    place: Place,
}

impl FileStore {
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        Self::from_prepared(name, prepare::path(path))
    }

    /// Reads standard input to its end.
    ///
    /// # Errors
    /// When it cannot be read or kept.
    pub(super) fn stdin() -> Result<Self, StoreError> {
        let name = "standard input".to_owned();
        let prepared = prepare::stream(io::stdin().lock(), &name);
        Self::from_prepared(name, prepared)
    }

    /// Traces that are part of the program, in experiments with these names.
    pub(super) fn built_in(
        name: &str,
        read_only: &'static str,
        json: &'static [u8],
        experiments: Vec<Experiment>,
    ) -> Self {
        let prepared = Prepared::plain(Source::bytes(json));
        Self::new(name.to_owned(), read_only, prepared, experiments)
    }

    fn from_prepared(
        name: String,
        prepared: Result<Prepared, Trouble>,
    ) -> Result<Self, StoreError> {
        const READ_ONLY: &str = "change the traces on the server that they came from";
        let failed = |path: String, reason: String| Err(StoreError::File { path, reason });
        match prepared {
            Ok(prepared) => Ok(Self::new(name, READ_ONLY, prepared, Vec::new())),
            Err(Trouble::Read(error)) => failed(name, plain_io_reason(&error)),
            Err(Trouble::Refused(reason)) => Err(StoreError::Data { path: name, reason }),
            Err(Trouble::Keep(error)) => Err(StoreError::NotWritten {
                path: format!("a temporary file with {name}"),
                reason: plain_io_reason(&error),
            }),
        }
    }

    fn new(
        name: String,
        read_only: &'static str,
        prepared: Prepared,
        named: Vec<Experiment>,
    ) -> Self {
        let Prepared {
            source,
            origins,
            unreadable,
        } = prepared;
        Self {
            name,
            read_only,
            source,
            origins,
            unreadable,
            named,
            experiments: OnceLock::new(),
            answers: Answers::default(),
            recent: Mutex::default(),
            asked_for_one: AtomicBool::new(false),
            index: Mutex::default(),
            fingerprints: RandomState::new(),
            room: Mutex::default(),
            doubts: Doubts::default(),
        }
    }

    /// Every trace as often as it comes, until `take` has enough; gives those on the
    /// way that cannot be read.
    ///
    /// # Errors
    /// A file in which no trace can be read.
    fn scan(
        &self,
        want: Parts<'_>,
        mut take: impl FnMut(DocumentTrace, Place) -> ControlFlow<()>,
    ) -> Result<Vec<Unreadable>, StoreError> {
        let data = |reason: String| StoreError::Data {
            path: self.name.clone(),
            reason,
        };
        let mut odd: Vec<Odd> = Vec::new();
        let mut is_bare = true;
        let open = |at| self.source.reader(at, u64::MAX);
        let mut room = std::mem::take(&mut *lock(&self.room));
        let scanned = scan(
            open,
            want,
            None,
            &mut room,
            &mut |found, place| match found {
                Ok(trace) => {
                    is_bare = false;
                    if trace.is_truncated {
                        self.doubts.add(format!(
                            "{} has traces of which a part was left out when they were written",
                            self.name
                        ));
                    }
                    take(trace, place)
                }
                Err(one) => {
                    odd.push(one);
                    if is_bare && odd.len() >= PATIENCE {
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                }
            },
        );
        *lock(&self.room) = room;
        match scanned {
            Ok(()) => {}
            Err(ScanError::Refused(what)) => return Err(data(what.to_owned())),
            Err(ScanError::Empty) => {
                return Err(match self.unreadable.first() {
                    Some(first) => first.clone().into(),
                    None => data("it is empty; expected traces as JSON".to_owned()),
                });
            }
            Err(ScanError::Io(error)) => return Err(self.failed(&error)),
        }
        // Whoever writes to the file will finish that line.
        if odd.last().is_some_and(|last| last.fault.cut) && self.source.has_grown() {
            let fault = odd.pop().map(|last| last.fault.to_string());
            self.doubts.add(format!(
                "{} is being written to; left out its last trace: {}",
                self.name,
                fault.unwrap_or_default()
            ));
            is_bare &= !odd.is_empty();
        }
        match odd.first() {
            Some(first) if is_bare => {
                let reason = first.fault.to_string();
                Err(if first.fault.begins_otherwise() {
                    StoreError::NotTraces {
                        path: self.name.clone(),
                        reason,
                    }
                } else {
                    data(reason)
                })
            }
            _ => {
                let odd = odd.into_iter().map(|odd| self.unreadable(odd));
                Ok(self.unreadable.iter().cloned().chain(odd).collect())
            }
        }
    }

    fn unreadable(&self, odd: Odd) -> Unreadable {
        let Odd { trace_id, fault } = odd;
        let place = self.origins.place_of(fault.line);
        let (file, line) = place.unwrap_or((&self.name, fault.line));
        Unreadable {
            trace_id,
            file: Some(file.to_owned()),
            line: (line > 0).then_some(line),
            message: match fault.column {
                0 => fault.reason,
                column => format!("{} at column {column}", fault.reason),
            },
            member: fault.member,
        }
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        StoreError::File {
            path: self.name.clone(),
            reason: plain_io_reason(error),
        }
    }

    /// Every trace once, and those that cannot be read. Of a trace that comes again,
    /// perhaps from a search and then from a get, the first with spans counts, else
    /// the first.
    fn distinct<S>(
        &self,
        want: Parts<'_>,
        start: impl Fn() -> S,
        take: impl Fn(&mut S, DocumentTrace, Place),
    ) -> Result<(S, Vec<Unreadable>), StoreError> {
        let mut superseded = HashSet::new();
        loop {
            let mut state = start();
            let mut experiments = self.named.clone();
            let (mut whole, mut bare) = (HashSet::new(), HashSet::new());
            let mut is_late = false;
            let unreadable = self.scan(want, |trace, place| {
                let id = self.fingerprint(&trace.info.trace_id);
                let is_bare = matches!(trace.spans, DocumentSpans::Missing);
                let is_new = if is_bare {
                    !superseded.contains(&id) && !whole.contains(&id) && bare.insert(id)
                } else {
                    // What was done with the bare one before cannot be undone.
                    is_late |= bare.contains(&id) && superseded.insert(id);
                    !bare.contains(&id) && whole.insert(id)
                };
                if is_new {
                    learn_experiment(&mut experiments, &trace.info);
                    take(&mut state, trace, place);
                }
                ControlFlow::Continue(())
            })?;
            if !is_late {
                let _ = self.experiments.set(experiments);
                return Ok((state, unreadable));
            }
        }
    }

    fn fingerprint(&self, trace_id: &str) -> u64 {
        self.fingerprints.hash_one(trace_id)
    }

    fn all_experiments(&self) -> Result<&[Experiment], StoreError> {
        if self.experiments.get().is_none() {
            self.distinct(Parts::Infos, || (), |(), _, _| ())?;
        }
        Ok(self.experiments.get().map_or(&[], Vec::as_slice))
    }

    /// The first `wanted` traces that match, in the query's order, and those that
    /// cannot be read.
    fn find(
        &self,
        query: &Query,
        filter: &Filter,
        wanted: usize,
    ) -> Result<(Vec<Hit>, Vec<Unreadable>), StoreError> {
        let sessions = if filter.needs_assessments() {
            let learnt = self.distinct(Parts::Infos, Sessions::default, |sessions, trace, _| {
                if query.covers(&trace.info) {
                    sessions.learn(&trace.info);
                }
            });
            learnt?.0
        } else {
            Sessions::default()
        };
        let want = if filter.needs_spans() {
            Parts::Spans
        } else {
            Parts::Infos
        };
        let matcher = filter.matcher();
        let judge = Judge::new(filter);
        // All matches may be more than fits into memory.
        let in_outline = query.ids_only || query.limit.is_none();
        let (best, unreadable) = self.distinct(
            want,
            || Best::new(&query.order_by, wanted),
            |best, trace, place| {
                if !query.covers(&trace.info) {
                    return;
                }
                let judged = sessions.judged(&trace.info);
                let judged = judged.as_ref().unwrap_or(&trace.info);
                let passes = match &trace.spans {
                    DocumentSpans::Read(spans) => matcher.matches(judged, spans),
                    DocumentSpans::Missing | DocumentSpans::Skipped => {
                        let id = &trace.info.trace_id;
                        judge.passes(judged, &self.doubts, || Err(without_spans(id)))
                    }
                };
                if passes {
                    let info = if in_outline {
                        outline(trace.info, &query.order_by)
                    } else {
                        trace.info
                    };
                    best.push(info, place);
                }
            },
        )?;
        let hits = best.into_sorted().into_iter().map(|(info, place)| Hit {
            info,
            is_enough: query.ids_only || !in_outline,
            place,
        });
        Ok((hits.collect(), unreadable))
    }

    fn unknown(&self, trace_id: &str) -> StoreError {
        StoreError::UnknownTrace {
            id: trace_id.to_owned(),
            store: self.name.clone(),
        }
    }

    fn read_only(&self, change: &Change) -> StoreError {
        StoreError::Unsupported {
            store: self.name.clone(),
            what: change.lacking(),
            instead: self.read_only,
        }
    }
}

fn learn_experiment(known: &mut Vec<Experiment>, info: &TraceInfo) {
    if let Some(id) = &info.experiment_id
        && !known.iter().any(|experiment| experiment.id == *id)
    {
        known.push(Experiment {
            id: id.clone(),
            name: info.experiment_name.as_ref().unwrap_or(id).clone(),
            active: true,
        });
    }
}

/// As much of a trace as an order can look at.
fn outline(info: TraceInfo, order: &OrderBy) -> TraceInfo {
    let mut outline = TraceInfo {
        request_preview: None,
        response_preview: None,
        assessments: Vec::new(),
        client_request_id: None,
        ..info
    };
    if order.items().is_empty() {
        outline.metadata.clear();
        outline.tags.clear();
    }
    outline
}

impl Ways for FileStore {
    fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        Ok(self.look_up(trace_id, Detail::Times)?.info)
    }

    fn trace(&self, trace_id: &str, detail: Detail) -> Result<Trace, StoreError> {
        self.complete(TraceInfo::new(trace_id), detail)
    }

    fn complete(&self, info: TraceInfo, detail: Detail) -> Result<Trace, StoreError> {
        let trace_id = &info.trace_id;
        let found = self.look_up(trace_id, detail)?;
        match found.spans {
            DocumentSpans::Read(spans) => Ok(Trace {
                info: found.info,
                spans,
            }),
            _ if !found.info.promises_spans() => Ok(Trace {
                info: found.info,
                spans: Vec::new(),
            }),
            DocumentSpans::Missing | DocumentSpans::Skipped => Err(without_spans(trace_id)),
        }
    }
}

impl Store for FileStore {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn experiments(&self, scope: Scope<'_>) -> Result<Vec<Experiment>, StoreError> {
        let wanted = |one: &&Experiment| match scope {
            Scope::Active => true,
            Scope::Deleted => false,
            Scope::Named(name) => one.name == name,
            Scope::WithId(id) => one.id == id,
        };
        if scope == Scope::Deleted {
            return Ok(Vec::new());
        }
        Ok(self
            .all_experiments()?
            .iter()
            .filter(wanted)
            .cloned()
            .collect())
    }

    fn overview(
        &self,
        experiments: Vec<Experiment>,
    ) -> Result<Vec<ExperimentOverview>, StoreError> {
        Ok(overview::by_search(self, experiments, None)?.unwrap_or_default())
    }

    fn grows(&self) -> bool {
        false
    }

    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let plan = plan_of(query, &self.name, &Nothing)?;
        let mut unreadable = Vec::new();
        let (hits, next) = self.answers.page(query, size, token, |wanted| {
            let (hits, odd) = self.find(query, &plan.residual, wanted)?;
            unreadable = odd;
            Ok(hits)
        })?;
        *lock(&self.recent) = hits
            .iter()
            .map(|hit| (hit.info.trace_id.clone(), hit.place))
            .collect();
        let mut traces = Vec::with_capacity(hits.len());
        for hit in hits {
            if hit.is_enough {
                traces.push(hit.info);
            } else {
                let id = &hit.info.trace_id;
                let found = self.at(hit.place, id, Detail::Times)?;
                traces.push(found.ok_or_else(|| self.unknown(id))?.info);
            }
        }
        Ok(Page {
            scanned: traces.len(),
            traces,
            next,
            unreadable,
        })
    }

    fn fetch(&self, traces: Pages<'_>, want: Want, each: OnTrace<'_>) -> Result<(), StoreError> {
        fetch::in_rounds(self, traces, want, each)
    }

    fn change(
        &self,
        _traces: &[TraceRef],
        change: &Change,
        _each: OnChange<'_>,
    ) -> Result<(), StoreError> {
        Err(self.read_only(change))
    }

    fn can(&self, change: &Change) -> Result<(), StoreError> {
        Err(self.read_only(change))
    }

    fn notices(&self) -> Vec<Notice> {
        self.doubts.notices()
    }

    fn unjudged(&self) -> Vec<String> {
        self.doubts.unjudged()
    }
}
