//! A search over all its pages: follows page tokens up to a limit, drops the
//! repetitions that inserts during paging cause, and knows whether there is more.

use std::collections::HashSet;

use super::{FilterSource, MAX_PAGE, Query, Store, StoreError};
use crate::filter::{Comparator, Condition, Field};
use crate::model::{TraceInfo, Unreadable};

/// The most pages in a row that bring nothing new. A server that goes on like that
/// would keep a command busy for ever.
pub const MAX_BARREN_PAGES: usize = 100;

/// Counts pages that bring nothing new.
#[derive(Debug, Default)]
pub(super) struct Barren(usize);

impl Barren {
    /// After a page; `place` gives the store and what had come until then.
    ///
    /// # Errors
    /// When it is one too many.
    pub(super) fn page(
        &mut self,
        brought_something: bool,
        place: impl FnOnce() -> (String, String),
    ) -> Result<(), StoreError> {
        self.0 = if brought_something { 0 } else { self.0 + 1 };
        if self.0 < MAX_BARREN_PAGES {
            return Ok(());
        }
        let (store, received) = place();
        Err(StoreError::BarrenPages {
            store,
            pages: self.0,
            received,
        })
    }
}

/// A search under way; iterate it to get the traces of each page.
pub struct Search<'a> {
    store: &'a dyn Store,
    query: Query,
    token: Option<String>,
    used_tokens: HashSet<String>,
    recent: Recent,
    barren: Barren,
    delivered: usize,
    scanned: usize,
    scan_limit: Option<usize>,
    end: Option<SearchEnd>,
    unreadable: Vec<Unreadable>,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchEnd {
    /// Every match was delivered.
    Complete,
    /// The limit was reached, and there are more matches.
    Limited,
    /// So many traces were looked at as were allowed, and there may be more matches.
    ScanLimited,
}

impl<'a> Search<'a> {
    /// A search for at most `limit` traces; `None` for all.
    pub fn new(store: &'a dyn Store, mut query: Query, limit: Option<usize>) -> Self {
        query.limit = limit;
        Self {
            store,
            query,
            token: None,
            used_tokens: HashSet::new(),
            recent: Recent::default(),
            barren: Barren::default(),
            delivered: 0,
            scanned: 0,
            scan_limit: None,
            end: None,
            unreadable: Vec::new(),
        }
    }

    /// Ends the search after so many traces were looked at.
    #[must_use]
    pub fn scan_limit(mut self, limit: Option<usize>) -> Self {
        self.scan_limit = limit;
        self
    }

    /// How many traces were looked at until now.
    pub fn scanned(&self) -> usize {
        self.scanned
    }

    /// The traces that cannot be read and that it has come across since the last call.
    pub fn take_unreadable(&mut self) -> Vec<Unreadable> {
        std::mem::take(&mut self.unreadable)
    }

    /// The size of the first page of a search for so many traces.
    pub fn first_page_size(limit: Option<usize>) -> usize {
        limit.map_or(MAX_PAGE, |limit| limit.saturating_add(1).min(MAX_PAGE))
    }

    /// How it ended; `None` while it is under way.
    pub fn end(&self) -> Option<SearchEnd> {
        self.end
    }

    /// The next page's traces, perhaps none; `None` at the end.
    ///
    /// # Errors
    /// Those of the store, and a page token that was used before.
    pub fn next_page(&mut self) -> Result<Option<Vec<TraceInfo>>, StoreError> {
        if self.end.is_some() {
            return Ok(None);
        }
        // One more than wanted tells whether there is more, in the same round trip.
        let wanted = self.query.limit.map(|limit| limit - self.delivered);
        let size = Self::first_page_size(wanted);
        let page = self
            .store
            .search(&self.query, size, self.token.as_deref())?;
        self.scanned += page.scanned;
        self.unreadable.extend(page.unreadable);
        let first_page = self.token.is_none();
        let mut traces = page.traces;
        if first_page && page.next.is_some() {
            self.query.pin(&traces);
        }
        let found = traces.len();
        traces.retain(|info| self.recent.insert(&info.trace_id));
        // Pages of which a filter left nothing were looked at all the same.
        let is_new = !traces.is_empty() || (found == 0 && page.scanned > 0);
        if page.next.is_some() {
            let delivered = self.delivered;
            self.barren.page(is_new, || {
                (self.store.describe(), format!("{delivered} traces"))
            })?;
        }

        if let Some(wanted) = wanted
            && traces.len() > wanted
        {
            traces.truncate(wanted);
            self.end = Some(SearchEnd::Limited);
        } else {
            match page.next {
                None => self.end = Some(SearchEnd::Complete),
                Some(token) if !self.used_tokens.insert(token.clone()) => {
                    return Err(StoreError::RepeatedPage {
                        store: self.store.describe(),
                        received: format!("{} traces", self.delivered + traces.len()),
                    });
                }
                Some(_) if self.scan_limit.is_some_and(|limit| self.scanned >= limit) => {
                    self.end = Some(SearchEnd::ScanLimited);
                }
                Some(token) => self.token = Some(token),
            }
        }
        self.delivered += traces.len();
        Ok(Some(traces))
    }
}

/// The ids of the traces before: what arrives between two pages pushes traces
/// over the border between them, and never farther than as many have arrived.
#[derive(Default)]
struct Recent {
    young: HashSet<String>,
    old: HashSet<String>,
}

impl Recent {
    /// How many at least are remembered.
    const LEAST: usize = 20_000;

    /// Whether the trace is new.
    fn insert(&mut self, trace_id: &str) -> bool {
        if self.old.contains(trace_id) || !self.young.insert(trace_id.to_owned()) {
            return false;
        }
        if self.young.len() == Self::LEAST {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }
}

impl Query {
    /// Pages are offsets into an answer that is computed anew each time. Newest
    /// first, traces that arrive meanwhile would push others across the border
    /// between pages; a bound at the first page's newest trace keeps them out.
    pub(super) fn pin(&mut self, first_page: &[TraceInfo]) {
        let newest = first_page.first().and_then(|info| info.request_time);
        if let (FilterSource::Parsed(filter), Some(newest), true) =
            (&mut self.filter, newest, self.order_by.items().is_empty())
        {
            let bound =
                Condition::number(Field::Timestamp, Comparator::LessOrEqual, newest.millis());
            if let Ok(bound) = bound {
                *filter = std::mem::take(filter).and(bound.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_traces_are_known_and_memory_is_bounded() {
        let mut recent = Recent::default();
        let id = |n: usize| format!("tr-{n:032x}");
        for n in 0..100_000 {
            assert!(recent.insert(&id(n)));
            assert!(!recent.insert(&id(n.saturating_sub(Recent::LEAST - 1))));
            assert!(recent.young.len() + recent.old.len() <= 2 * Recent::LEAST);
        }
    }
}
