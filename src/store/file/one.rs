//! One trace of a file, by its id: where the last page has it, else by looking through the
//! file, from the second time on by an index.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use super::scan::{Odd, Place, ScanError, scan};
use super::{FileStore, Index};
use crate::model::{CATALOG_PREFIX, Detail, Unreadable, trace_id_digits};
use crate::store::local::lock;
use crate::store::wire::{DocumentSpans, DocumentTrace, Fault, Want as Parts, read_documents};
use crate::store::{Attempt, StoreError};

impl FileStore {
    /// The trace with this id among those at a place.
    pub(super) fn at(
        &self,
        place: Place,
        trace_id: &str,
        detail: Detail,
    ) -> Result<Option<DocumentTrace>, StoreError> {
        let mut room = std::mem::take(&mut *lock(&self.room));
        room.clear();
        // Reading to the end would write to more of the room than there is to read.
        room.resize(usize::try_from(place.len).unwrap_or_default(), 0);
        let mut reader = self.source.reader(place.start, place.len);
        let read = reader.read_exact(&mut room);
        read.map_err(|error| self.failed(&error))?;
        let json = room.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&room);
        // What comes next is about this trace, and may need the memory.
        self.among(json, place, trace_id, detail)
    }

    /// The trace with this id among those in the JSON of a place.
    fn among(
        &self,
        json: &[u8],
        place: Place,
        trace_id: &str,
        detail: Detail,
    ) -> Result<Option<DocumentTrace>, StoreError> {
        let traces = read_documents(json, Parts::SpansOf(trace_id, detail)).or_else(|error| {
            // Only what was not looked at before can be news.
            let is_as_before = read_documents(json, Parts::Infos)
                .is_ok_and(|all| all.iter().any(|trace| trace.info.trace_id == trace_id));
            if !is_as_before && self.source.has_changed() {
                return Err(self.changed());
            }
            // The others of that place do not make this one unreadable.
            if let Some(trace) = self.only(place, trace_id, detail)? {
                return Ok(vec![trace]);
            }
            let odd = Odd {
                trace_id: Some(trace_id.to_owned()),
                fault: place.locate(Fault::of_flaw(&error, json)),
            };
            Err(StoreError::from(self.unreadable(odd)))
        })?;
        let found = traces
            .into_iter()
            .filter(|trace| trace.info.trace_id == trace_id)
            .reduce(fuller);
        if found.is_none() && self.source.has_changed() {
            return Err(self.changed());
        }
        Ok(found)
    }

    /// One trace, by its id or, for one of Unity Catalog, by the digits in it.
    pub(super) fn look_up(
        &self,
        trace_id: &str,
        detail: Detail,
    ) -> Result<DocumentTrace, StoreError> {
        match self.look_up_exactly(trace_id, detail) {
            Err(StoreError::UnknownTrace { .. }) if !trace_id.starts_with(CATALOG_PREFIX) => {
                match self.in_catalog(trace_id)? {
                    Some(id) => self.look_up_exactly(&id, detail),
                    None => Err(self.unknown(trace_id)),
                }
            }
            found => found,
        }
    }

    /// The only id of Unity Catalog with these digits.
    fn in_catalog(&self, trace_id: &str) -> Result<Option<String>, StoreError> {
        let Some(digits) = trace_id_digits(trace_id).filter(|digits| digits.len() == 32) else {
            return Ok(None);
        };
        let mut ids = HashSet::new();
        self.scan(Parts::Infos, |trace, _| {
            let id = trace.info.trace_id;
            if id.starts_with(CATALOG_PREFIX) && trace_id_digits(&id) == Some(digits) {
                ids.insert(id);
            }
            ControlFlow::Continue(())
        })?;
        let is_only = ids.len() == 1;
        Ok(ids.into_iter().next().filter(|_| is_only))
    }

    /// One trace: where the last page has it, else by looking through the file;
    /// from the second time on, by an index.
    fn look_up_exactly(&self, trace_id: &str, detail: Detail) -> Result<DocumentTrace, StoreError> {
        let recent = lock(&self.recent).get(trace_id).copied();
        let (place, unreadable) = match recent {
            Some(place) => (Some(place), Vec::new()),
            None if self.asked_for_one.swap(true, Ordering::Relaxed) => {
                let mut index = lock(&self.index);
                if index.is_none() {
                    let (places, unreadable) =
                        self.distinct(Parts::Infos, HashMap::new, |places, trace, place| {
                            places.insert(self.fingerprint(&trace.info.trace_id), place);
                        })?;
                    *index = Some(Index { places, unreadable });
                }
                let id = self.fingerprint(trace_id);
                index
                    .as_ref()
                    .map_or((None, Vec::new()), |index| match index.places.get(&id) {
                        Some(place) => (Some(*place), Vec::new()),
                        None => (None, index.unreadable.clone()),
                    })
            }
            None => match self.first(trace_id, detail)? {
                (Some(found), _) => return Ok(found),
                (None, unreadable) => (None, unreadable),
            },
        };
        if let Some(place) = place
            && let Some(found) = self.at(place, trace_id, detail)?
        {
            return Ok(found);
        }
        Err(self.missing(trace_id, unreadable))
    }

    /// Looks through the file until the trace comes with its spans; gives what could
    /// not be read on the way, too.
    fn first(
        &self,
        trace_id: &str,
        detail: Detail,
    ) -> Result<(Option<DocumentTrace>, Vec<Unreadable>), StoreError> {
        let mut found: Option<DocumentTrace> = None;
        let unreadable = self.scan(Parts::SpansOf(trace_id, detail), |trace, _| {
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
        Ok((found, unreadable))
    }

    /// Why there is no such trace among those that can be read.
    fn missing(&self, trace_id: &str, unreadable: Vec<Unreadable>) -> StoreError {
        let count = unreadable
            .iter()
            .filter(|odd| odd.trace_id.is_none())
            .count();
        let own = |odd: &Unreadable| odd.trace_id.as_deref() == Some(trace_id);
        if let Some(odd) = unreadable.into_iter().find(own) {
            return odd.into();
        }
        if count > 0 {
            self.doubts.add(format!(
                "{count} of what is in {} could not be read, nor whether it is that trace",
                self.name
            ));
        }
        self.unknown(trace_id)
    }

    /// The trace from a place that holds others, too.
    fn only(
        &self,
        place: Place,
        trace_id: &str,
        detail: Detail,
    ) -> Result<Option<DocumentTrace>, StoreError> {
        let mut only = None;
        let want = Parts::SpansOf(trace_id, detail);
        let open = |at| self.source.reader(place.start + at, place.len - at);
        let mut room = Vec::new();
        let scanned = scan(open, want, None, &mut room, &mut |found, _| match found {
            Ok(trace) if trace.info.trace_id == trace_id => {
                only = Some(trace);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        match scanned {
            Err(ScanError::Io(error)) => Err(self.failed(&error)),
            _ => Ok(only),
        }
    }

    fn changed(&self) -> StoreError {
        StoreError::Data {
            path: self.name.clone(),
            reason: "it has changed while it was read".to_owned(),
        }
    }
}

pub(super) fn without_spans(trace_id: &str) -> StoreError {
    StoreError::NoSpans {
        id: trace_id.to_owned(),
        tried: vec![Attempt {
            way: "the file",
            outcome: "it was written without spans".to_owned(),
        }],
    }
}

/// The first one, unless only the second has spans.
fn fuller(first: DocumentTrace, second: DocumentTrace) -> DocumentTrace {
    match (&first.spans, &second.spans) {
        (DocumentSpans::Missing, DocumentSpans::Read(_) | DocumentSpans::Skipped) => second,
        _ => first,
    }
}
