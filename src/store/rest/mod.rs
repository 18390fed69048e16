//! The tracking server as a store. MLflow 3.2 and later answer on the V3
//! endpoints; older servers are recognised by the first answer, and asked on
//! the V2 endpoints from then on.

mod http;
mod spans;

use std::collections::HashSet;
use std::sync::OnceLock;
use std::thread;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use self::http::{Call, Http};
use super::wire::{WireInfo, null_as_default};
use super::{DryRequest, FilterSource, Page, Query, Store, StoreError};
use crate::model::{Experiment, Trace, TraceInfo};
use crate::settings::Connection;

pub use self::http::{RequestLog, RequestRecord};

/// Traces on a tracking server.
pub(super) struct RestStore {
    http: Http,
    generation: OnceLock<Generation>,
}

/// Which trace endpoints a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    V3,
    V2,
}

#[derive(Deserialize)]
struct WirePage {
    #[serde(default, deserialize_with = "null_as_default")]
    traces: Vec<WireInfo>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct WireExperiment {
    experiment_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    lifecycle_stage: String,
}

impl From<WireExperiment> for Experiment {
    fn from(wire: WireExperiment) -> Self {
        Self {
            id: wire.experiment_id,
            name: wire.name,
            active: wire.lifecycle_stage != "deleted",
        }
    }
}

impl RestStore {
    pub(super) fn new(connection: &Connection, log: RequestLog) -> Result<Self, StoreError> {
        Ok(Self {
            http: Http::new(connection, log)?,
            generation: OnceLock::new(),
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
        let filter = filter_text(&query.filter);
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
            let filter = filter_text(&query.filter);
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
        if query.experiments.is_empty() {
            Ok(self.experiments()?.into_iter().map(|e| e.id).collect())
        } else {
            Ok(query.experiments.clone())
        }
    }

    fn unknown_trace(&self, trace_id: &str) -> StoreError {
        StoreError::UnknownTrace {
            id: trace_id.to_owned(),
            store: self.describe(),
        }
    }

    fn tag_call(&self, method: Method, trace_id: &str, body: Value) -> Call {
        // The 2.0 path is the one that every version has.
        let url = self
            .http
            .url(&["api", "2.0", "mlflow", "traces", trace_id, "tags"]);
        Call::json(method, url, body)
    }

    fn experiment_by_name_url(&self, name: &str) -> Url {
        let mut url = self
            .http
            .url(&["api", "2.0", "mlflow", "experiments", "get-by-name"]);
        url.query_pairs_mut().append_pair("experiment_name", name);
        url
    }

    fn experiments_call(&self, token: Option<&str>) -> Call {
        let mut body = json!({"max_results": 1000, "view_type": "ACTIVE_ONLY"});
        if let Some(token) = token {
            body["page_token"] = json!(token);
        }
        let url = self
            .http
            .url(&["api", "2.0", "mlflow", "experiments", "search"]);
        Call::json(Method::POST, url, body)
    }

    fn experiment_answer(&self, call: &Call) -> Result<Option<Experiment>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            experiment: WireExperiment,
        }
        match self.http.json::<Answer>(call) {
            Ok(answer) => Ok(Some(answer.experiment.into())),
            Err(StoreError::Refused {
                status: 400 | 404, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Store for RestStore {
    fn describe(&self) -> String {
        self.http.host()
    }

    fn experiments(&self) -> Result<Vec<Experiment>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, deserialize_with = "null_as_default")]
            experiments: Vec<WireExperiment>,
            next_page_token: Option<String>,
        }
        let mut all = Vec::new();
        let mut tokens = HashSet::new();
        let mut token: Option<String> = None;
        loop {
            let call = self.experiments_call(token.as_deref());
            let answer: Answer = self.http.json(&call)?;
            all.extend(answer.experiments.into_iter().map(Experiment::from));
            token = answer.next_page_token.filter(|t| !t.is_empty());
            match &token {
                None => return Ok(all),
                Some(token) if tokens.insert(token.clone()) => {}
                Some(_) => {
                    return Err(StoreError::RepeatedPage {
                        store: self.describe(),
                        received: format!("{} experiments", all.len()),
                    });
                }
            }
        }
    }

    fn experiment_named(&self, name: &str) -> Result<Option<Experiment>, StoreError> {
        self.experiment_answer(&Call::get(self.experiment_by_name_url(name)))
    }

    fn experiment_exists(&self, id: &str) -> Result<bool, StoreError> {
        let mut url = self
            .http
            .url(&["api", "2.0", "mlflow", "experiments", "get"]);
        url.query_pairs_mut().append_pair("experiment_id", id);
        Ok(self.experiment_answer(&Call::get(url))?.is_some())
    }

    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let mut query = query.clone();
        query.experiments = self.experiment_ids(&query)?;
        if query.experiments.is_empty() {
            return Ok(Page::default());
        }
        let page: WirePage = self.by_generation(
            || self.http.json(&self.search_call(&query, size, token)),
            || self.http.json(&self.search_call_v2(&query, size, token)),
        )?;
        Ok(Page {
            traces: page
                .traces
                .into_iter()
                .filter_map(WireInfo::into_info)
                .collect(),
            next: page.next_page_token.filter(|t| !t.is_empty()),
        })
    }

    fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        #[derive(Deserialize)]
        struct V3 {
            trace: V2,
        }
        #[derive(Deserialize)]
        struct V2 {
            trace_info: WireInfo,
        }
        let v3 = || {
            let url = self.http.url(&["api", "3.0", "mlflow", "traces", trace_id]);
            Ok(self.http.json::<V3>(&Call::get(url))?.trace)
        };
        let v2 = || {
            let url = self
                .http
                .url(&["api", "2.0", "mlflow", "traces", trace_id, "info"]);
            self.http.json::<V2>(&Call::get(url))
        };
        match self.by_generation(v3, v2) {
            Ok(answer) => answer
                .trace_info
                .into_info()
                .ok_or_else(|| self.unknown_trace(trace_id)),
            Err(StoreError::Refused { status: 404, .. }) => Err(self.unknown_trace(trace_id)),
            Err(error) => Err(error),
        }
    }

    fn trace(&self, trace_id: &str) -> Result<Trace, StoreError> {
        let (info, spans) = thread::scope(|scope| {
            let info = scope.spawn(|| self.info(trace_id));
            let spans = spans::fetch(&self.http, trace_id);
            (info.join(), spans)
        });
        let info = info.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        spans::attach(info, spans)
    }

    fn complete(&self, info: TraceInfo) -> Result<Trace, StoreError> {
        let spans = spans::fetch(&self.http, &info.trace_id);
        spans::attach(info, spans)
    }

    fn set_tag(&self, trace_id: &str, key: &str, value: &str) -> Result<(), StoreError> {
        let call = self.tag_call(Method::PATCH, trace_id, json!({"key": key, "value": value}));
        match self.http.send(&call) {
            Ok(_) => Ok(()),
            Err(StoreError::Refused { status: 404, .. }) => Err(self.unknown_trace(trace_id)),
            // SQL backends let the database notice that there is no such trace.
            Err(StoreError::Refused {
                status: 400,
                message,
                ..
            }) if message.to_ascii_lowercase().contains("foreign key") => {
                Err(self.unknown_trace(trace_id))
            }
            Err(error) => Err(error),
        }
    }

    fn delete_tag(&self, trace_id: &str, key: &str) -> Result<bool, StoreError> {
        let call = self.tag_call(Method::DELETE, trace_id, json!({"key": key}));
        match self.http.send(&call) {
            Ok(_) => Ok(true),
            // The server does not say whether the tag or the trace is missing.
            Err(StoreError::Refused { status: 404, .. }) => self.info(trace_id).map(|_| false),
            Err(error) => Err(error),
        }
    }

    fn dry_search(&self, query: &Query, size: usize) -> Result<Vec<DryRequest>, StoreError> {
        let shown = |call: Call| DryRequest {
            method: call.method.to_string(),
            url: call.url.to_string(),
            body: call.body,
        };
        let mut requests = Vec::new();
        let mut ids = Vec::new();
        for name in &query.experiments {
            if name.bytes().all(|b| b.is_ascii_digit()) {
                ids.push(name.clone());
            } else {
                requests.push(shown(Call::get(self.experiment_by_name_url(name))));
                ids.push(format!("<id of {name}>"));
            }
        }
        if ids.is_empty() {
            requests.push(shown(self.experiments_call(None)));
            ids.push("<id of each experiment>".to_owned());
        }
        let query = Query {
            experiments: ids,
            ..query.clone()
        };
        requests.push(shown(self.search_call(&query, size, None)));
        Ok(requests)
    }
}

fn filter_text(filter: &FilterSource) -> String {
    match filter {
        FilterSource::Parsed(filter) => filter.to_string(),
        FilterSource::Raw(text) => text.clone(),
    }
}
