//! The tracking server as a store. MLflow 3.2 and later answer on the V3
//! endpoints; older servers are recognised by the first answer, and asked on
//! the V2 endpoints from then on.

mod assess;
mod batch;
mod close;
mod delete;
mod experiments;
mod explain;
mod http;
mod ids;
mod learn;
mod linked;
mod metrics;
mod overview;
mod planned;
mod put;
mod spans;
mod tags;
mod ways;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use reqwest::Method;
use serde_json::{Value, json};

use self::batch::Together;
use self::experiments::{ACTIVE, DELETED};
use self::http::{Call, Http};
use self::learn::is_refusal;
use self::planned::Planned;
use super::fetch;
use super::local::{Doubts, lock};
use super::{
    Change, Connection, Explain, Explanation, FilterSource, MetricAnswer, MetricQuestion, Notice,
    OnChange, OnPut, OnTrace, Page, Pages, PutMode, Query, Scope, Store, StoreError, TraceRef,
    Want,
};
use crate::field::Field;
use crate::filter::order::is_of_stores;
use crate::filter::{Backend, Filter, OrderBy, Outside, Plan, Server, folded};
use crate::model::{Experiment, ExperimentOverview, SessionLevels, Trace, TraceInfo};
use crate::parallel;

pub use self::http::{Logged, RequestLog, RequestRecord};

/// Traces on a tracking server.
pub(super) struct RestStore {
    http: Http,
    generation: OnceLock<Generation>,
    /// The release that the server says it is, once it was asked.
    release: OnceLock<(u32, u32)>,
    /// What keeps its traces, once that mattered.
    backend: Mutex<Option<Backend>>,
    active: Mutex<Option<Vec<String>>>,
    /// Searches that are not over, by the token of their next page.
    searches: Mutex<HashMap<String, Planned>>,
    last_token: AtomicU64,
    together: Together,
    doubts: Doubts,
}

/// A filter becomes at most so many searches.
const MAX_SEARCHES: usize = 8;
/// Requests under way at a time: enough to hide the server's latency, few
/// enough not to crowd out others.
const REQUESTS: usize = 8;
/// A server that tells something else of itself each time is not listened to for ever.
const MAX_LESSONS: usize = 3;
/// What servers without the V3 endpoints understand.
const LAST_V2: (u32, u32) = (3, 1);
/// Taken for the release of a server until it refuses something.
const NEWEST: (u32, u32) = (u32::MAX, 0);

/// Which trace endpoints a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    V3,
    V2,
}

impl RestStore {
    pub(super) fn new(connection: &Connection, log: RequestLog) -> Result<Self, StoreError> {
        Ok(Self {
            http: Http::new(connection, log)?,
            generation: OnceLock::new(),
            release: OnceLock::new(),
            backend: Mutex::default(),
            active: Mutex::default(),
            searches: Mutex::default(),
            last_token: AtomicU64::new(0),
            together: Together::default(),
            doubts: Doubts::default(),
        })
    }

    /// Asks on the V3 endpoint, and on the V2 one where the server has no other.
    fn by_generation<T>(
        &self,
        v3: impl FnOnce() -> Result<T, StoreError>,
        v2: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.generation.get() == Some(&Generation::V2) {
            return v2();
        }
        match v3() {
            Err(missing @ StoreError::NoSuchEndpoint { .. }) => match v2() {
                // Neither: a wrong base path, and the newer endpoint is the better known.
                Err(StoreError::NoSuchEndpoint { .. }) => Err(missing),
                answer => {
                    let _ = self.generation.set(Generation::V2);
                    answer
                }
            },
            answer => {
                if answer.is_ok() {
                    let _ = self.generation.set(Generation::V3);
                }
                answer
            }
        }
    }

    fn search_call(&self, query: &Query, size: usize, token: Option<&str>) -> Call {
        let locations: Vec<Value> = query
            .experiments
            .iter()
            .map(|id| {
                json!({"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": id}})
            })
            .collect();
        let mut body = json!({"locations": locations, "max_results": size});
        let filter = query.filter.to_string();
        if !filter.is_empty() {
            body["filter"] = json!(filter);
        }
        let order_by = query.order_by.clauses();
        if !order_by.is_empty() {
            body["order_by"] = order_by.into();
        }
        if let Some(token) = token {
            body["page_token"] = json!(token);
        }
        let url = self.http.url(&["api", "3.0", "mlflow", "traces", "search"]);
        Call::json(Method::POST, url, body)
    }

    fn search_call_v2(&self, query: &Query, size: usize, token: Option<&str>) -> Call {
        let mut url = self.http.url(&["api", "2.0", "mlflow", "traces"]);
        {
            let mut pairs = url.query_pairs_mut();
            for id in &query.experiments {
                pairs.append_pair("experiment_ids", id);
            }
            let filter = query.filter.to_string();
            if !filter.is_empty() {
                pairs.append_pair("filter", &filter);
            }
            for item in query.order_by.clauses() {
                pairs.append_pair("order_by", &item);
            }
            pairs.append_pair("max_results", &size.to_string());
            if let Some(token) = token {
                pairs.append_pair("page_token", token);
            }
        }
        Call::get(url)
    }

    /// Servers want experiments named; none in the query means all that are active.
    fn experiment_ids(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        if !query.experiments.is_empty() {
            return Ok(query.experiments.clone());
        }
        if let Some(active) = &*lock(&self.active) {
            return Ok(active.clone());
        }
        let active: Vec<String> = {
            let all = self.all_experiments(ACTIVE)?;
            all.into_iter().map(|e| e.id).collect()
        };
        *lock(&self.active) = Some(active.clone());
        Ok(active)
    }

    /// The first page of a search that may take several requests, or a filter
    /// that is evaluated here. A server that refuses it is looked at more closely, and
    /// searched in a way that it understands; at last for every trace.
    fn first_page(&self, query: &Query, filter: &Filter, size: usize) -> Result<Page, StoreError> {
        let mut server = self.server_for(filter, &query.experiments);
        let mut lessons = 0;
        loop {
            let planned = plan(filter, &server)?;
            let asks_for_all = planned.searches.iter().all(Filter::is_empty);
            let error = match self.search_by(planned, query, size) {
                Err(error) if is_refusal(&error) && !asks_for_all => error,
                answer => return answer,
            };
            lessons += 1;
            if lessons <= MAX_LESSONS && self.learn_from(&error, &server, query) {
                server = self.server_for(filter, &query.experiments);
                continue;
            }
            server.backend = Backend::Refusing;
            let Ok(all_here) = plan(filter, &server) else {
                return Err(error);
            };
            let answer = self.search_by(all_here, query, size);
            return match answer {
                Err(again) if is_refusal(&again) => Err(error),
                answer => {
                    self.http.remark(&format!(
                        "the server does not take `{filter}`, which is evaluated here: {error}"
                    ));
                    answer
                }
            };
        }
    }

    fn search_by(&self, mut plan: Plan, query: &Query, size: usize) -> Result<Page, StoreError> {
        if let Some(exact) = plan.exact() {
            let page = || {
                let query = Query {
                    filter: FilterSource::Parsed(exact.clone()),
                    ..query.clone()
                };
                self.search_page(&query, size, None)
            };
            let Some(outside) = &plan.outside else {
                return page();
            };
            let (page, searches) = self.beside(page, outside, query)?;
            if searches.is_empty() {
                return Ok(page);
            }
            let mut outside = outside.clone();
            outside.searches = searches;
            plan.outside = Some(outside);
        }
        plan.residual = self.with_links(plan.residual, query)?;
        if let Some(outside) = &mut plan.outside {
            outside.residual = self.with_links(std::mem::take(&mut outside.residual), query)?;
        }
        self.go_on(Planned::new(plan, query), size)
    }

    /// Asks for a page, and at the same time which of the searches outside find anything.
    fn beside(
        &self,
        page: impl FnOnce() -> Result<Page, StoreError>,
        outside: &Outside,
        query: &Query,
    ) -> Result<(Page, Vec<Filter>), StoreError> {
        let finds_any = |filter: &Filter| -> Result<bool, StoreError> {
            let query = Query {
                filter: FilterSource::Parsed(filter.clone()),
                order_by: OrderBy::default(),
                ..query.clone()
            };
            let found = self.search_page(&query, 1, None)?;
            Ok(!found.traces.is_empty() || !found.unreadable.is_empty())
        };
        let find = || -> Result<Vec<Filter>, StoreError> {
            let mut searches = Vec::new();
            let all = &outside.searches;
            parallel::for_each_in_order(REQUESTS, all, finds_any, |filter, found| {
                if found? {
                    searches.push(filter.clone());
                }
                Ok::<(), StoreError>(())
            })?;
            Ok(searches)
        };
        let (searches, page) = parallel::both(find, page);
        Ok((page?, searches?))
    }

    fn go_on(&self, mut search: Planned, size: usize) -> Result<Page, StoreError> {
        let (mut page, ended) = search.next_page(self, size)?;
        if !ended {
            let number = self.last_token.fetch_add(1, Ordering::Relaxed);
            let token = format!("mlt:{number}");
            lock(&self.searches).insert(token.clone(), search);
            page.next = Some(token);
        }
        Ok(page)
    }

    /// One page of a search that the server understands.
    fn search_page(
        &self,
        query: &Query,
        size: usize,
        token: Option<&str>,
    ) -> Result<Page, StoreError> {
        let page = self.by_generation(
            || self.http.page(&self.search_call(query, size, token)),
            || self.http.page(&self.search_call_v2(query, size, token)),
        )?;
        Ok(Page {
            scanned: page.traces.len() + page.unreadable.len(),
            traces: page.traces,
            next: page.next_page_token.filter(|t| !t.is_empty()),
            unreadable: page.unreadable,
        })
    }

    /// One page of a search of any kind.
    fn find(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let mut query = query.clone();
        query.experiments = self.experiment_ids(&query)?;
        if query.experiments.is_empty() {
            return Ok(Page::default());
        }
        if let Some(search) = token.and_then(|token| lock(&self.searches).remove(token)) {
            return self.go_on(search, size);
        }
        let FilterSource::Parsed(filter) = &query.filter else {
            return self.search_page(&query, size, token);
        };
        if token.is_none() {
            return self.first_page(&query, filter, size);
        }
        // Only searches that are exact leave the paging to the server.
        let plan = plan(filter, &self.server())?;
        if let Some(exact) = plan.exact() {
            query.filter = FilterSource::Parsed(exact.clone());
        }
        self.search_page(&query, size, token)
    }

    fn unknown_trace(&self, trace_id: &str) -> StoreError {
        StoreError::UnknownTrace {
            id: trace_id.to_owned(),
            store: self.describe(),
        }
    }
}

impl Store for RestStore {
    fn describe(&self) -> String {
        self.http.host()
    }

    fn experiments(&self, scope: Scope<'_>) -> Result<Vec<Experiment>, StoreError> {
        match scope {
            Scope::Active => self.all_experiments(ACTIVE),
            Scope::Deleted => self.all_experiments(DELETED),
            Scope::Named(name) => {
                let mut found = self.one_experiment(self.experiment_by_name_url(name))?;
                // Some databases take another case for the same name.
                found.retain(|one| one.name == name);
                Ok(found)
            }
            Scope::WithId(id) => self.one_experiment(self.experiment_by_id_url(id)),
        }
    }

    fn session_levels(&self) -> Result<SessionLevels, StoreError> {
        self.named_levels()
    }

    fn overview(
        &self,
        experiments: Vec<Experiment>,
    ) -> Result<Vec<ExperimentOverview>, StoreError> {
        self.overview_of(&experiments)
    }

    fn refresh(&self) {
        *lock(&self.active) = None;
    }

    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let mut page = self.find(query, size, token)?;
        page.unreadable.extend(self.doubts.take_unreadable());
        Ok(page)
    }

    fn fetch(&self, traces: Pages<'_>, want: Want, each: OnTrace<'_>) -> Result<(), StoreError> {
        fetch::in_rounds(self, traces, want, each)
    }

    fn attachment(&self, trace: &TraceInfo, id: &str) -> Result<Vec<u8>, StoreError> {
        spans::attachment(&self.http, &trace.trace_id, id)
    }

    fn explain(&self, query: &Query, what: Explain) -> Result<Explanation, StoreError> {
        match what {
            Explain::Plan => self.explain_plan(query),
            Explain::Requests { size } => self.explain_requests(query, size),
        }
    }

    fn change(
        &self,
        traces: &[TraceRef],
        change: &Change,
        each: OnChange<'_>,
    ) -> Result<(), StoreError> {
        match change {
            Change::Tags(changes) => {
                let set = |id: &str, key: &str, value: &str| self.set_tag(id, key, value);
                let delete = |id: &str, key: &str| self.delete_tag(id, key);
                changes.one_by_one(REQUESTS, traces, set, delete, each);
                Ok(())
            }
            Change::Assess(plan) => {
                let assess = |id: &str| self.assess(id, plan.of(id));
                TraceRef::each_of(REQUESTS, traces, assess, each);
                Ok(())
            }
            Change::Close(closing) => {
                let close = |id: &str| self.close(id, closing);
                TraceRef::each_of(REQUESTS, traces, close, each);
                Ok(())
            }
            Change::Delete => self.delete(traces, each),
        }
    }

    fn put(&self, traces: &[Trace], mode: PutMode, each: OnPut<'_>) -> Result<(), StoreError> {
        match mode {
            PutMode::Try => super::put::try_by_asking(self, traces, put::is_finished, each),
            PutMode::Write => self.put_all(traces, each),
        }
    }

    fn join(&self, part: &Trace) -> Result<(), StoreError> {
        self.takes_spans()?;
        self.add_spans(part)
    }

    fn can_put(&self) -> Result<(), StoreError> {
        self.takes_spans()
    }

    fn same_key(&self, one: &str, other: &str) -> bool {
        // What is behind the server is asked for where it matters alone.
        one == other || folded(one) == folded(other) && self.backend(&[]).folds_keys()
    }

    fn sorts_by(&self, key: &Field, query: &Query) -> bool {
        is_of_stores(key) && RestStore::sorts_by(self, key, &query.experiments)
    }

    fn notices(&self) -> Vec<Notice> {
        self.doubts.notices()
    }

    fn unjudged(&self) -> Vec<String> {
        self.doubts.unjudged()
    }

    fn metrics(&self, question: &MetricQuestion<'_>) -> Result<MetricAnswer, StoreError> {
        self.ask_metrics(question)
    }
}

fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

fn plan(filter: &Filter, server: &Server) -> Result<Plan, StoreError> {
    filter
        .plan(server)
        .map_err(|error| StoreError::FilterNeedsServer {
            reason: error.to_string(),
        })
}
