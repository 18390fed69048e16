//! The experiments of a tracking server.

use std::collections::HashSet;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::http::Call;
use super::{RestStore, counted};
use crate::model::{Experiment, HIERARCHY, SessionLevels, level_names};
use crate::store::wire::null_as_default;
use crate::store::{Barren, Store as _, StoreError};

/// The experiments that are not deleted, in the server's words.
pub(super) const ACTIVE: &str = "ACTIVE_ONLY";
/// Those that are.
pub(super) const DELETED: &str = "DELETED_ONLY";
/// Both.
const ALL: &str = "ALL";

#[derive(Deserialize)]
struct WireExperiment {
    experiment_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    lifecycle_stage: String,
    /// Whatever they are, the experiment is there.
    #[serde(default)]
    tags: Value,
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
    pub(super) fn experiment_by_name_url(&self, name: &str) -> Url {
        let mut url = self
            .http
            .url(&["api", "2.0", "mlflow", "experiments", "get-by-name"]);
        url.query_pairs_mut().append_pair("experiment_name", name);
        url
    }

    pub(super) fn experiments_call(
        &self,
        view: &str,
        filter: Option<&str>,
        token: Option<&str>,
    ) -> Call {
        let mut body = json!({"max_results": 1000, "view_type": view});
        if let Some(filter) = filter {
            body["filter"] = json!(filter);
        }
        if let Some(token) = token {
            body["page_token"] = json!(token);
        }
        let url = self
            .http
            .url(&["api", "2.0", "mlflow", "experiments", "search"]);
        Call::json(Method::POST, url, body)
    }

    pub(super) fn experiment_by_id_url(&self, id: &str) -> Url {
        let mut url = self
            .http
            .url(&["api", "2.0", "mlflow", "experiments", "get"]);
        url.query_pairs_mut().append_pair("experiment_id", id);
        url
    }

    /// The experiment at a URL, or none.
    pub(super) fn one_experiment(&self, url: Url) -> Result<Vec<Experiment>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            experiment: WireExperiment,
        }
        match self.http.json::<Answer>(&Call::get(url)) {
            Ok(answer) => Ok(vec![answer.experiment.into()]),
            Err(StoreError::Refused {
                status: 400 | 404, ..
            }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Those that are active, or those that are deleted.
    pub(super) fn all_experiments(&self, view: &str) -> Result<Vec<Experiment>, StoreError> {
        let found = self.found_experiments(view, None)?;
        Ok(found.into_iter().map(Experiment::from).collect())
    }

    /// The names of the levels of sessions of those that have the tag for it.
    pub(super) fn named_levels(&self) -> Result<SessionLevels, StoreError> {
        let filter = format!("tags.`{HIERARCHY}` LIKE '%'");
        let found = self.found_experiments(ALL, Some(&filter))?;
        let names = |one: WireExperiment| {
            let mut tags = one.tags.as_array()?.iter();
            let tag = tags.find(|tag| tag["key"] == HIERARCHY)?;
            let names = level_names(tag["value"].as_str()?);
            Some((one.experiment_id, names))
        };
        Ok(found.into_iter().filter_map(names).collect())
    }

    fn found_experiments(
        &self,
        view: &str,
        filter: Option<&str>,
    ) -> Result<Vec<WireExperiment>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, deserialize_with = "null_as_default")]
            experiments: Vec<WireExperiment>,
            next_page_token: Option<String>,
        }
        let mut all = Vec::new();
        let mut known = HashSet::new();
        let mut tokens = HashSet::new();
        let mut token: Option<String> = None;
        let mut barren = Barren::default();
        loop {
            let call = self.experiments_call(view, filter, token.as_deref());
            let answer: Answer = self.http.json(&call)?;
            let before = all.len();
            let experiments = answer.experiments.into_iter();
            all.extend(experiments.filter(|e| known.insert(e.experiment_id.clone())));
            barren.page(all.len() > before, || {
                (self.describe(), counted(all.len(), "experiment"))
            })?;
            token = answer.next_page_token.filter(|t| !t.is_empty());
            match &token {
                None => return Ok(all),
                Some(token) if tokens.insert(token.clone()) => {}
                Some(_) => {
                    return Err(StoreError::RepeatedPage {
                        store: self.describe(),
                        received: counted(all.len(), "experiment"),
                    });
                }
            }
        }
    }
}
