//! What is in each experiment, in few requests: small stores are read whole, of
//! large ones the server counts the traces of each experiment, and gives the
//! newest and the oldest. Servers without the metrics API have theirs read.

use super::{REQUESTS, RestStore};
use crate::filter::aggregate::{Aggregate, Function, Measure};
use crate::filter::{OrderBy, parse_order_by};
use crate::model::{Experiment, ExperimentOverview, Timestamp};
use crate::parallel;
use crate::store::overview::by_search;
use crate::store::{FilterSource, MetricAnswer, MetricQuestion, Query, Store as _, StoreError};

/// So many traces come in one answer.
const ONE_PAGE: usize = 499;

impl RestStore {
    pub(super) fn overview_of(
        &self,
        experiments: &[Experiment],
    ) -> Result<Vec<ExperimentOverview>, StoreError> {
        if let Some(all) = by_search(self, experiments.to_vec(), Some(ONE_PAGE))? {
            return Ok(all);
        }
        let mut all = Vec::with_capacity(experiments.len());
        let ask = |experiment: &Experiment| self.overview_of_one(experiment);
        parallel::for_each_in_order(REQUESTS, experiments, ask, |_, overview| {
            all.push(overview?);
            Ok::<(), StoreError>(())
        })?;
        Ok(all)
    }

    fn overview_of_one(&self, experiment: &Experiment) -> Result<ExperimentOverview, StoreError> {
        let mut overview = ExperimentOverview::empty(experiment.clone());
        overview.last = self.first_time(experiment, OrderBy::default())?;
        if overview.last.is_none() {
            return Ok(overview);
        }
        let ids = [experiment.id.clone()];
        let question = MetricQuestion {
            experiments: &ids,
            filter: &FilterSource::default(),
            aggregates: &[Aggregate::new(Function::Count, Measure::Trace)],
            keys: &[],
            every_s: None,
            exact: false,
            no_assessments: false,
        };
        let counted = match self.ask_metrics(&question)? {
            MetricAnswer::Rows { traces, .. } => traces,
            MetricAnswer::Cannot(_) => None,
        };
        if let Some(traces) = counted {
            overview.traces = traces;
            let oldest = parse_order_by("time ASC").unwrap_or_default();
            overview.first = self.first_time(experiment, oldest)?;
            return Ok(overview);
        }
        let all = by_search(self, vec![experiment.clone()], None)?;
        Ok(all.and_then(|mut all| all.pop()).unwrap_or(overview))
    }

    fn first_time(
        &self,
        experiment: &Experiment,
        order_by: OrderBy,
    ) -> Result<Option<Timestamp>, StoreError> {
        let query = Query {
            experiments: vec![experiment.id.clone()],
            order_by,
            limit: Some(1),
            ..Query::default()
        };
        let page = self.search(&query, 1, None)?;
        Ok(page.traces.first().and_then(|info| info.request_time))
    }
}
