//! What a store is asked while it is followed. Servers keep their connection; databases
//! and folders are opened anew for every look, so that nobody is kept from replacing them
//! and each look sees what is there by then.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::arrivals::{Each, Source, Window};
use crate::commands::Context;
use crate::commands::selection::{check_experiments, name_experiments};
use crate::filter::order::OrderItem;
use crate::filter::{Comparator, Condition, ConditionError, Field, Filter, OrderBy};
use crate::model::{Timestamp, TraceInfo, TraceState, Unreadable};
use crate::store::{FilterSource, Location, Query, Scope, Search, Store};

/// For so long the experiments of a server are taken to be the same.
const EXPERIMENTS_LAST: Duration = Duration::from_secs(2);

/// A store, asked for traces that match a filter.
pub(super) struct Questions<'a> {
    context: &'a Context<'a>,
    /// As it was asked for.
    filter: FilterSource,
    store: Arc<dyn Store>,
    /// Of these experiments, with names of experiments in it resolved.
    query: Query,
    named: Instant,
    /// Traces that cannot be read, of which nobody was told yet, and all of them.
    unreadable: Vec<Unreadable>,
    known_unreadable: HashSet<Unreadable>,
}

impl<'a> Questions<'a> {
    /// # Errors
    /// A store that cannot be opened or that does not change, and an unknown experiment.
    pub(super) fn new(context: &'a Context<'a>, filter: FilterSource) -> Result<Self> {
        let store = context.store_anew()?;
        let mut questions = Self {
            context,
            filter,
            store,
            query: Query::default(),
            named: Instant::now(),
            unreadable: Vec::new(),
            known_unreadable: HashSet::new(),
        };
        questions.name_experiments()?;
        // Nothing would ever come of one that is not there.
        check_experiments(questions.store(), &context.settings.experiments)?;
        Ok(questions)
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(super) fn shared_store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// What the columns of a table are chosen by.
    pub(super) fn query(&self) -> &Query {
        &self.query
    }

    /// To be called before each look.
    ///
    /// # Errors
    /// Those of opening the store, and of asking for experiments.
    pub(super) fn refresh(&mut self) -> Result<()> {
        let is_far = self.context.settings.location.is_far();
        match self.context.settings.location {
            // A connection is kept, and what it saw is not.
            Location::Database(_) => self.store.refresh(),
            _ if is_far => {}
            _ => self.store = self.context.store_anew()?,
        }
        if !is_far || self.named.elapsed() > EXPERIMENTS_LAST {
            self.name_experiments()?;
        }
        Ok(())
    }

    /// An experiment that is made meanwhile is looked into, too.
    fn name_experiments(&mut self) -> Result<()> {
        let store = self.store.as_ref();
        let mut query = Query {
            filter: self.filter.clone(),
            ..Query::default()
        };
        name_experiments(self.context, store, &mut query)?;
        if query.experiments.is_empty() && self.context.settings.location.is_far() {
            let active = store.experiments(Scope::Active)?;
            query.experiments = active.into_iter().map(|one| one.id).collect();
        }
        self.query = query;
        self.named = Instant::now();
        Ok(())
    }

    /// Traces that cannot be read, each once.
    pub(super) fn take_unreadable(&mut self) -> Vec<Unreadable> {
        std::mem::take(&mut self.unreadable)
    }

    pub(super) fn add_unreadable(&mut self, found: Vec<Unreadable>) {
        for one in found {
            if self.known_unreadable.insert(one.clone()) {
                self.unreadable.push(one);
            }
        }
    }

    /// Asks for traces that match and of which these conditions hold.
    fn ask(&mut self, conditions: Vec<Condition>, each: Each<'_>) -> Result<()> {
        let more = all_of(conditions);
        let filter = match &self.query.filter {
            FilterSource::Parsed(filter) => FilterSource::Parsed(filter.clone().and(more)),
            FilterSource::Raw(raw) => FilterSource::Raw(format!("{raw} AND {more}")),
        };
        self.search(
            Query {
                filter,
                ..self.query.clone()
            },
            each,
        )
    }

    fn search(&mut self, query: Query, each: Each<'_>) -> Result<()> {
        let query = Query {
            order_by: oldest_first(),
            ..query
        };
        let store = Arc::clone(&self.store);
        let mut search = Search::new(store.as_ref(), query.clone(), None);
        while let Some(page) = search.next_page()? {
            self.add_unreadable(search.take_unreadable());
            page.into_iter().try_for_each(&mut *each)?;
        }
        Ok(())
    }
}

impl Source for Questions<'_> {
    fn newest(&mut self) -> Result<Option<i64>> {
        let query = Query {
            experiments: self.query.experiments.clone(),
            ids_only: true,
            ..Query::default()
        };
        let mut search = Search::new(self.store.as_ref(), query, Some(1));
        let mut newest = None;
        while newest.is_none()
            && let Some(page) = search.next_page()?
        {
            newest = page.first().and_then(|info| info.request_time);
        }
        Ok(newest.map(Timestamp::millis))
    }

    fn in_progress(&mut self, since: i64, each: Each<'_>) -> Result<()> {
        let filter = all_of(vec![is_in_progress()?, began(since)?]);
        let query = Query {
            experiments: self.query.experiments.clone(),
            filter: FilterSource::Parsed(filter),
            ids_only: true,
            ..Query::default()
        };
        self.search(query, each)
    }

    fn started(&mut self, since: i64, each: Each<'_>) -> Result<()> {
        self.ask(vec![is_in_progress()?, began(since)?], each)
    }

    fn finished(&mut self, window: Window, each: Each<'_>) -> Result<()> {
        let mut conditions = vec![has_finished()?, began(window.began)?];
        if let Some(ended) = window.ended {
            let ended = Condition::number(Field::EndTime, Comparator::GreaterOrEqual, ended)?;
            conditions.push(ended);
        }
        self.ask(conditions, each)
    }

    fn finished_among(&mut self, ids: &[String], each: Each<'_>) -> Result<()> {
        let among = Condition::list(Field::RequestId, Comparator::In, ids)?;
        self.ask(vec![has_finished()?, among], each)
    }
}

fn all_of(conditions: Vec<Condition>) -> Filter {
    let all = conditions.into_iter().map(Filter::from);
    all.fold(Filter::default(), Filter::and)
}

fn oldest_first() -> OrderBy {
    let by_time = OrderItem {
        key: Field::Timestamp,
        descending: false,
    };
    std::iter::once(by_time).collect()
}

fn began(since: i64) -> Result<Condition, ConditionError> {
    Condition::number(Field::Timestamp, Comparator::GreaterOrEqual, since)
}

fn has_finished() -> Result<Condition, ConditionError> {
    let states = [TraceState::Ok, TraceState::Error];
    let states = states.iter().map(TraceState::as_str);
    Condition::list(Field::Status, Comparator::In, states)
}

fn is_in_progress() -> Result<Condition, ConditionError> {
    let state = TraceState::InProgress;
    Condition::text(Field::Status, Comparator::Equal, state.as_str())
}

/// Whether a trace has finished, for what is shown of it.
pub(super) fn is_finished(info: &TraceInfo) -> bool {
    matches!(info.state, TraceState::Ok | TraceState::Error)
}
