//! What a search would ask a server, and what it would take.

use super::experiments::ACTIVE;
use super::http::{Body, Call};
use super::{NEWEST, RestStore, plan};
use crate::filter::{Backend, Filter, Plan, Server};
use crate::store::{DryRequest, Explanation, FilterSource, Query, StoreError};

impl RestStore {
    /// How the server is asked, and what is checked here.
    pub(super) fn explain_plan(&self, query: &Query) -> Result<Explanation, StoreError> {
        let FilterSource::Parsed(filter) = &query.filter else {
            return Ok(Explanation {
                sent: vec![query.filter.to_string()],
                ..Explanation::default()
            });
        };
        self.ask_release();
        let server = self.server_for(filter, &query.experiments);
        let plan = plan(filter, &server)?;
        let spans = plan.residual.needs_spans();
        let cost = match (plan.exact().is_some(), spans) {
            (true, _) => "one request for each page of traces",
            (false, true) => {
                "a request for each page of traces that the server finds, and one more for the \
                     spans of each trace that the rest of the filter lets through"
            }
            (false, false) => {
                "a request for each page of traces that the server finds, in each search"
            }
        };
        let mut cost = cost.to_owned();
        let mut sent: Vec<String> = plan.searches.iter().map(ToString::to_string).collect();
        let mut here = (!plan.residual.is_empty()).then(|| plan.residual.readable().to_string());
        if let Some(outside) = &plan.outside {
            sent.extend(outside.searches.iter().map(ToString::to_string));
            let checked = format!(
                "{} (of traces whose spans the server does not see, or not their types)",
                outside.residual.readable()
            );
            here = Some(here.map_or(checked.clone(), |here| format!("{here}; {checked}")));
            cost.push_str(
                "; the last searches, made at the same time, find traces whose spans are artifacts, \
                 archived or of OpenTelemetry, and those are fetched and judged here",
            );
        }
        cost.push_str(&why(filter, &server, &plan));
        if plan.residual.counts_spans() {
            cost.push_str(
                "; spans are counted by the metadata of their trace where it says how many",
            );
        }
        Ok(Explanation {
            sent,
            here,
            cost,
            requests: Vec::new(),
        })
    }

    /// The requests for the first page. Nothing is sent.
    pub(super) fn explain_requests(
        &self,
        query: &Query,
        size: usize,
    ) -> Result<Explanation, StoreError> {
        let shown = |call: Call| DryRequest {
            method: call.method.to_string(),
            url: call.url.to_string(),
            body: call.body.and_then(Body::into_json),
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
            requests.push(shown(self.experiments_call(ACTIVE, None, None)));
            ids.push("<id of each experiment>".to_owned());
        }
        let searches = match &query.filter {
            FilterSource::Parsed(filter) => {
                let plan = plan(filter, &self.server())?;
                let outside = plan.outside.map_or(Vec::new(), |outside| outside.searches);
                let searches = plan.searches.into_iter().chain(outside);
                searches.map(FilterSource::Parsed).collect()
            }
            raw @ FilterSource::Raw(_) => vec![raw.clone()],
        };
        for filter in searches {
            let query = Query {
                experiments: ids.clone(),
                filter,
                ..query.clone()
            };
            requests.push(shown(self.search_call(&query, size, None)));
        }
        Ok(Explanation {
            requests,
            ..Explanation::default()
        })
    }
}

/// What of the server it is that something is checked here for.
fn why(filter: &Filter, server: &Server, chosen: &Plan) -> String {
    let differs = |server: &Server| !plan(filter, server).is_ok_and(|plan| plan == *chosen);
    let on_sqlite = Server {
        backend: Backend::Sqlite,
        ..server.clone()
    };
    let newest = Server {
        version: NEWEST,
        ..server.clone()
    };
    if differs(&on_sqlite) {
        format!(
            "; {} means something else by it, or does not take it",
            server.backend
        )
    } else if differs(&newest) {
        let (major, minor) = server.version;
        format!("; MLflow {major}.{minor} means something else by it, or does not take it")
    } else {
        String::new()
    }
}
