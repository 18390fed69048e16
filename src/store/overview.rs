//! What is in each experiment, from the traces themselves.

use std::collections::HashMap;

use super::{Query, Search, Store, StoreError};
use crate::model::{Experiment, ExperimentOverview, TraceInfo};

/// Counts for some experiments.
#[derive(Default)]
pub(super) struct Overviews {
    of: HashMap<String, ExperimentOverview>,
}

impl Overviews {
    /// One more trace.
    pub(super) fn add(&mut self, info: &TraceInfo) {
        let Some(id) = &info.experiment_id else {
            return;
        };
        let Some(overview) = self.of.get_mut(id) else {
            return;
        };
        overview.traces += 1;
        if let Some(time) = info.request_time {
            overview.first = Some(overview.first.map_or(time, |first| first.min(time)));
            overview.last = Some(overview.last.map_or(time, |last| last.max(time)));
        }
    }

    /// Of these experiments, none of which has a trace yet.
    pub(super) fn of(experiments: Vec<Experiment>) -> Self {
        let empty = |experiment: Experiment| {
            let id = experiment.id.clone();
            (id, ExperimentOverview::empty(experiment))
        };
        Self {
            of: experiments.into_iter().map(empty).collect(),
        }
    }

    pub(super) fn into_vec(self) -> Vec<ExperimentOverview> {
        self.of.into_values().collect()
    }
}

/// Looks at every trace of the experiments; with a limit, `None` where there are more.
///
/// # Errors
/// Those of the store.
pub(super) fn by_search(
    store: &dyn Store,
    experiments: Vec<Experiment>,
    limit: Option<usize>,
) -> Result<Option<Vec<ExperimentOverview>>, StoreError> {
    if experiments.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let query = Query {
        experiments: experiments.iter().map(|e| e.id.clone()).collect(),
        any_order: true,
        ..Query::default()
    };
    let mut overviews = Overviews::of(experiments);
    let mut search = Search::new(store, query, limit);
    while let Some(page) = search.next_page()? {
        for info in &page {
            overviews.add(info);
        }
    }
    let whole = search.end() == Some(super::SearchEnd::Complete);
    Ok(whole.then(|| overviews.into_vec()))
}
