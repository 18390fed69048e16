//! Trace files: JSON or JSON lines from a path, a pipe, or the program itself.
//! They are read anew for each question, one trace at a time, so that memory
//! depends on the answer; only a fingerprint of each trace id is kept, to tell
//! a trace that comes twice.

mod elements;
mod scan;
mod source;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use self::scan::{Place, ScanError, Sink, scan};
use self::source::{Source, Trouble};
use super::local::{Answers, Best, Doubts, Sessions, filter_of, lock};
use super::wire::{DocumentSpans, DocumentTrace, Want, read_documents};
use super::{Attempt, Detail, Page, Query, Store, StoreError, TagChanges, plain_io_reason};
use crate::filter::{Filter, OrderBy};
use crate::model::{Experiment, Trace, TraceInfo};

/// Traces that can only be read.
pub(super) struct FileStore {
    name: String,
    /// What to do instead of changing tags here.
    read_only: &'static str,
    source: Source,
    /// Known by name; those that only traces mention come after.
    named: Vec<Experiment>,
    experiments: OnceLock<Vec<Experiment>>,
    answers: Answers<Hit>,
    /// Where the traces of the last page are, which are likely asked for next.
    recent: Mutex<HashMap<String, Place>>,
    asked_for_one: AtomicBool,
    index: Mutex<Option<HashMap<u64, Place>>>,
    fingerprints: RandomState,
    doubts: Doubts,
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
        let source = Source::file(path);
        Self::from_source(name, source)
    }

    /// Reads standard input to its end.
    ///
    /// # Errors
    /// When it cannot be read or kept.
    pub(super) fn stdin() -> Result<Self, StoreError> {
        let source = Source::pipe(io::stdin().lock());
        Self::from_source("standard input".to_owned(), source)
    }

    /// Traces that are part of the program, in experiments with these names.
    pub(super) fn built_in(
        name: &str,
        read_only: &'static str,
        json: &'static [u8],
        experiments: Vec<Experiment>,
    ) -> Self {
        Self::new(name.to_owned(), read_only, Source::bytes(json), experiments)
    }

    fn from_source(name: String, source: Result<Source, Trouble>) -> Result<Self, StoreError> {
        const READ_ONLY: &str = "tag the traces on the server that they came from";
        let failed = |path: String, reason: String| Err(StoreError::File { path, reason });
        match source {
            Ok(source) => Ok(Self::new(name, READ_ONLY, source, Vec::new())),
            Err(Trouble::Read(error)) => failed(name, plain_io_reason(&error)),
            Err(Trouble::Folder) => failed(name, "it is a directory".to_owned()),
            Err(Trouble::Keep(error)) => Err(StoreError::NotWritten {
                path: format!("a temporary file with {name}"),
                reason: plain_io_reason(&error),
            }),
        }
    }

    fn new(name: String, read_only: &'static str, source: Source, named: Vec<Experiment>) -> Self {
        Self {
            name,
            read_only,
            source,
            named,
            experiments: OnceLock::new(),
            answers: Answers::default(),
            recent: Mutex::default(),
            asked_for_one: AtomicBool::new(false),
            index: Mutex::default(),
            fingerprints: RandomState::new(),
            doubts: Doubts::default(),
        }
    }

    /// Every trace as often as it comes, until the sink has enough.
    fn scan(&self, want: Want<'_>, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        let data = |reason: String| StoreError::Data {
            path: self.name.clone(),
            reason,
        };
        match scan(self.source.reader(0, u64::MAX), want, None, sink) {
            Ok(()) => Ok(()),
            // Whoever writes to the file will finish that line.
            Err(ScanError::Json { reason, cut: true }) if self.source.has_grown() => {
                self.doubts.add(format!(
                    "{} is being written to; left out its last trace: {reason}",
                    self.name
                ));
                Ok(())
            }
            Err(ScanError::Json { reason, .. }) => Err(data(reason)),
            Err(ScanError::Empty) => Err(data("it is empty; expected traces as JSON".to_owned())),
            Err(ScanError::Io(error)) => Err(StoreError::File {
                path: self.name.clone(),
                reason: plain_io_reason(&error),
            }),
        }
    }

    /// Every trace once. Of a trace that comes again, perhaps from a search and
    /// then from a get, the first with spans counts, else the first.
    fn distinct<S>(
        &self,
        want: Want<'_>,
        start: impl Fn() -> S,
        take: impl Fn(&mut S, DocumentTrace, Place),
    ) -> Result<S, StoreError> {
        let mut superseded = HashSet::new();
        loop {
            let mut state = start();
            let mut experiments = self.named.clone();
            let (mut whole, mut bare) = (HashSet::new(), HashSet::new());
            let mut is_late = false;
            self.scan(want, &mut |trace, place| {
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
                return Ok(state);
            }
        }
    }

    fn fingerprint(&self, trace_id: &str) -> u64 {
        self.fingerprints.hash_one(trace_id)
    }

    fn all_experiments(&self) -> Result<&[Experiment], StoreError> {
        if self.experiments.get().is_none() {
            self.distinct(Want::Infos, || (), |(), _, _| ())?;
        }
        Ok(self.experiments.get().map_or(&[], Vec::as_slice))
    }

    /// The first `wanted` traces that match, in the query's order.
    fn find(&self, query: &Query, filter: &Filter, wanted: usize) -> Result<Vec<Hit>, StoreError> {
        let sessions = if filter.needs_assessments() {
            self.distinct(Want::Infos, Sessions::default, |sessions, trace, _| {
                if query.covers(&trace.info) {
                    sessions.learn(&trace.info);
                }
            })?
        } else {
            Sessions::default()
        };
        let want = if filter.needs_spans() {
            Want::Spans
        } else {
            Want::Infos
        };
        let matcher = filter.matcher();
        // All matches may be more than fits into memory.
        let in_outline = query.ids_only || query.limit.is_none();
        let best = self.distinct(
            want,
            || Best::new(&query.order_by, wanted),
            |best, trace, place| {
                if !query.covers(&trace.info) {
                    return;
                }
                let judged = sessions.judged(&trace.info);
                let judged = judged.as_ref().unwrap_or(&trace.info);
                let spans = match &trace.spans {
                    DocumentSpans::Read(spans) => spans.as_slice(),
                    DocumentSpans::Missing | DocumentSpans::Skipped => &[],
                };
                if matcher.matches(judged, spans) {
                    let info = if in_outline {
                        outline(trace.info, &query.order_by)
                    } else {
                        trace.info
                    };
                    best.push(info, place);
                }
            },
        )?;
        Ok(best
            .into_sorted()
            .into_iter()
            .map(|(info, place)| Hit {
                info,
                is_enough: query.ids_only || !in_outline,
                place,
            })
            .collect())
    }

    /// The trace with this id among those at a place.
    fn at(
        &self,
        place: Place,
        trace_id: &str,
        detail: Detail,
    ) -> Result<Option<DocumentTrace>, StoreError> {
        let mut json = Vec::new();
        let mut reader = self.source.reader(place.start, place.len);
        reader
            .read_to_end(&mut json)
            .map_err(|error| StoreError::File {
                path: self.name.clone(),
                reason: plain_io_reason(&error),
            })?;
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&json);
        let traces = read_documents(json, Want::SpansOf(trace_id, detail)).map_err(|_| {
            // It was read before, so this is news.
            StoreError::Data {
                path: self.name.clone(),
                reason: "it has changed while it was read".to_owned(),
            }
        })?;
        Ok(traces
            .into_iter()
            .filter(|trace| trace.info.trace_id == trace_id)
            .reduce(fuller))
    }

    /// One trace: where the last page has it, else by looking through the file;
    /// from the second time on, by an index.
    fn look_up(&self, trace_id: &str, detail: Detail) -> Result<DocumentTrace, StoreError> {
        let recent = lock(&self.recent).get(trace_id).copied();
        let place = match recent {
            Some(place) => Some(place),
            None if self.asked_for_one.swap(true, Ordering::Relaxed) => {
                let mut index = lock(&self.index);
                if index.is_none() {
                    *index =
                        Some(
                            self.distinct(Want::Infos, HashMap::new, |index, trace, place| {
                                index.insert(self.fingerprint(&trace.info.trace_id), place);
                            })?,
                        );
                }
                let id = self.fingerprint(trace_id);
                index.as_ref().and_then(|index| index.get(&id).copied())
            }
            None => {
                let found = self.first(trace_id, detail)?;
                return found.ok_or_else(|| self.unknown(trace_id));
            }
        };
        match place {
            Some(place) => self.at(place, trace_id, detail)?,
            None => None,
        }
        .ok_or_else(|| self.unknown(trace_id))
    }

    /// Looks through the file until the trace comes with its spans.
    fn first(&self, trace_id: &str, detail: Detail) -> Result<Option<DocumentTrace>, StoreError> {
        let mut found: Option<DocumentTrace> = None;
        self.scan(Want::SpansOf(trace_id, detail), &mut |trace, _| {
            if trace.info.trace_id != trace_id {
                return ControlFlow::Continue(());
            }
            let best = match found.take() {
                Some(earlier) => fuller(earlier, trace),
                None => trace,
            };
            let is_bare = matches!(best.spans, DocumentSpans::Missing);
            found = Some(best);
            if is_bare {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(found)
    }

    fn unknown(&self, trace_id: &str) -> StoreError {
        StoreError::UnknownTrace {
            id: trace_id.to_owned(),
            store: self.name.clone(),
        }
    }

    fn read_only(&self) -> StoreError {
        StoreError::Unsupported {
            store: self.name.clone(),
            what: "tags to change: it is read-only",
            instead: self.read_only,
        }
    }
}

/// The first one, unless only the second has spans.
fn fuller(first: DocumentTrace, second: DocumentTrace) -> DocumentTrace {
    match (&first.spans, &second.spans) {
        (DocumentSpans::Missing, DocumentSpans::Read(_) | DocumentSpans::Skipped) => second,
        _ => first,
    }
}

fn learn_experiment(known: &mut Vec<Experiment>, info: &TraceInfo) {
    if let Some(id) = &info.experiment_id
        && !known.iter().any(|experiment| experiment.id == *id)
    {
        known.push(Experiment {
            id: id.clone(),
            name: id.clone(),
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

impl Store for FileStore {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn experiments(&self) -> Result<Vec<Experiment>, StoreError> {
        self.all_experiments().map(<[Experiment]>::to_vec)
    }

    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let filter = filter_of(query, &self.name)?;
        let (hits, next) = self.answers.page(query, size, token, |wanted| {
            self.find(query, filter, wanted)
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
        })
    }

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
            DocumentSpans::Missing | DocumentSpans::Skipped => Err(StoreError::NoSpans {
                id: trace_id.clone(),
                tried: vec![Attempt {
                    way: "the file",
                    outcome: "it was written without spans".to_owned(),
                }],
            }),
        }
    }

    fn change_tags(
        &self,
        _trace_ids: &[String],
        _changes: &TagChanges,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        Err(self.read_only())
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        Err(self.read_only())
    }

    fn take_doubts(&self) -> Vec<String> {
        self.doubts.take()
    }
}
