//! A search in any order. What stores sort by is left to them; for everything else
//! all that matches is looked at, with what it is sorted by, and the first traces
//! are kept.

use std::cmp::Ordering;
use std::vec::IntoIter;

use anyhow::Result;

use super::completing::{Lack, complete};
use crate::field::{Field, Value};
use crate::filter::OrderBy;
use crate::model::{TraceInfo, Unreadable};
use crate::store::{MAX_PAGE, Query, Search, SearchEnd, Store};

/// A search under way.
pub(super) struct Ordered<'a> {
    search: Search<'a>,
    here: Option<Here<'a>>,
}

/// What is sorted here.
struct Here<'a> {
    store: &'a dyn Store,
    /// What the store does not sort by.
    keys: Vec<Field>,
    order: OrderBy,
    lack: Lack,
    limit: Option<usize>,
    kept: Vec<Entry>,
    looked_at: usize,
    unreadable: Vec<Unreadable>,
    sorted: Option<IntoIter<Entry>>,
    end: Option<SearchEnd>,
}

struct Entry {
    values: Vec<Option<Value<'static>>>,
    info: TraceInfo,
}

/// What the store does not sort by as is done here.
pub(super) fn of_no_store(store: &dyn Store, query: &Query) -> Vec<Field> {
    let keys = query.order_by.items().iter().map(|item| &item.key);
    keys.filter(|key| !store.sorts_by(key, query))
        .cloned()
        .collect()
}

impl<'a> Ordered<'a> {
    /// A search for at most `limit` traces, `None` for all, that ends after having
    /// looked at `scan_limit`.
    pub(super) fn new(
        store: &'a dyn Store,
        mut query: Query,
        limit: Option<usize>,
        scan_limit: Option<usize>,
    ) -> Self {
        let keys = of_no_store(store, &query);
        let here = (!keys.is_empty()).then(|| {
            let order = std::mem::take(&mut query.order_by);
            let lack = Lack::of(order.items().iter().map(|item| &item.key));
            query.counts_spans |= lack.count;
            query.ids_only = false;
            Here {
                store,
                keys,
                order,
                lack,
                limit,
                kept: Vec::new(),
                looked_at: 0,
                unreadable: Vec::new(),
                sorted: None,
                end: None,
            }
        });
        let limit = limit.filter(|_| here.is_none());
        Self {
            search: Search::new(store, query, limit).scan_limit(scan_limit),
            here,
        }
    }

    /// The next traces, perhaps none; `None` at the end.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn next_page(&mut self) -> Result<Option<Vec<TraceInfo>>> {
        let Some(here) = &mut self.here else {
            return Ok(self.search.next_page()?);
        };
        if here.sorted.is_some() {
            return Ok(here.next_page());
        }
        match self.search.next_page()? {
            Some(page) => here.add(page)?,
            None => here.sort(self.search.end()),
        }
        Ok(Some(Vec::new()))
    }

    /// How many traces were looked at until now.
    pub(super) fn scanned(&self) -> usize {
        self.search.scanned()
    }

    /// How it ended; `None` while it is under way.
    pub(super) fn end(&self) -> Option<SearchEnd> {
        match &self.here {
            Some(here) => here.end,
            None => self.search.end(),
        }
    }

    /// The traces that cannot be read and that it has come across since the last call.
    pub(super) fn take_unreadable(&mut self) -> Vec<Unreadable> {
        let mut all = self.search.take_unreadable();
        if let Some(here) = &mut self.here {
            all.append(&mut here.unreadable);
        }
        all
    }

    /// What the order took: the keys that the store does not sort by, and how many traces were
    /// looked at for them.
    pub(super) fn sorted_here(&self) -> Option<(Vec<&Field>, usize)> {
        let here = self.here.as_ref()?;
        Some((here.keys.iter().collect(), here.looked_at))
    }
}

impl Here<'_> {
    fn add(&mut self, page: Vec<TraceInfo>) -> Result<()> {
        self.looked_at += page.len();
        let (kept, order) = (&mut self.kept, &self.order);
        let unreadable = complete(self.store, page, self.lack, |trace| {
            kept.push(Entry {
                values: order.values(&trace),
                info: trace.info,
            });
            Ok(())
        })?;
        self.unreadable.extend(unreadable);
        // Sorted once for as many again, so that memory grows with the limit at most.
        if let Some(limit) = self.limit
            && self.kept.len() >= limit.saturating_add(1).saturating_mul(2)
        {
            self.keep_first(limit.saturating_add(1));
        }
        Ok(())
    }

    fn keep_first(&mut self, most: usize) {
        let order = &self.order;
        self.kept.sort_by(|a, b| compare(order, a, b));
        self.kept.truncate(most);
    }

    fn sort(&mut self, end: Option<SearchEnd>) {
        self.keep_first(usize::MAX);
        self.end = end;
        if let Some(limit) = self.limit
            && self.kept.len() > limit
        {
            self.kept.truncate(limit);
            // The first of those that were looked at may not be the first of all, which
            // is more to say than that there are others.
            if end == Some(SearchEnd::Complete) {
                self.end = Some(SearchEnd::Limited);
            }
        }
        self.sorted = Some(std::mem::take(&mut self.kept).into_iter());
    }

    fn next_page(&mut self) -> Option<Vec<TraceInfo>> {
        let page: Vec<TraceInfo> = self
            .sorted
            .as_mut()?
            .by_ref()
            .take(MAX_PAGE)
            .map(|entry| entry.info)
            .collect();
        (!page.is_empty()).then_some(page)
    }
}

fn compare(order: &OrderBy, a: &Entry, b: &Entry) -> Ordering {
    order
        .compare_values(&a.values, &b.values)
        .then_with(|| order.compare_last(&a.info, &b.info))
}
