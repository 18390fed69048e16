//! Deleting traces on the server, so many of one experiment in a request. Servers only say
//! how many they deleted: where that is fewer than were named, each is looked for.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::http::Call;
use super::{REQUESTS, RestStore};
use crate::parallel;
use crate::store::fetch::Ways as _;
use crate::store::{OnChange, StoreError, TraceRef};

/// Traces of one request: what MLflow's own client sends at most, and Databricks takes.
const BATCH: usize = 100;
/// Traces of which the requests are under way at the same time.
const ROUND: usize = BATCH * REQUESTS;

/// What became of a trace; `None` where nobody knows.
type Outcome = Option<Result<(), StoreError>>;

impl RestStore {
    /// Deletes traces, and gives `each` a result for each that was tried.
    ///
    /// # Errors
    /// A server that cannot be reached, or not asked for anything any more.
    pub(super) fn delete(&self, traces: &[TraceRef], each: OnChange<'_>) -> Result<(), StoreError> {
        for round in traces.chunks(ROUND) {
            let (outcomes, broken) = self.delete_round(round);
            for (trace, outcome) in round.iter().zip(outcomes) {
                if let Some(outcome) = outcome
                    && each(&trace.id, outcome).is_break()
                {
                    return Ok(());
                }
            }
            if let Some(error) = broken {
                return Err(error);
            }
        }
        Ok(())
    }

    fn delete_round(&self, round: &[TraceRef]) -> (Vec<Outcome>, Option<StoreError>) {
        let mut outcomes: Vec<Outcome> = round.iter().map(|_| None).collect();
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let indexes: Vec<usize> = (0..round.len()).collect();
        let experiment = |at: &usize| match &round[*at].experiment_id {
            Some(id) => Ok(Some(id.clone())),
            None => Ok(self.info(&round[*at].id)?.experiment_id),
        };
        let _ = parallel::for_each_in_order(REQUESTS, &indexes, experiment, |at, found| {
            match found {
                Ok(id) => places.entry(id.unwrap_or_default()).or_default().push(*at),
                Err(error) => outcomes[*at] = Some(Err(error)),
            }
            Ok::<(), ()>(())
        });
        let batches: Vec<(&str, &[usize])> = places
            .iter()
            .flat_map(|(id, all)| all.chunks(BATCH).map(|batch| (id.as_str(), batch)))
            .collect();
        let delete = |(experiment, batch): &(&str, &[usize])| {
            let ids: Vec<&str> = batch.iter().map(|at| round[*at].id.as_str()).collect();
            self.delete_batch(experiment, &ids)
        };
        let mut broken = None;
        let _ = parallel::for_each_in_order(REQUESTS, &batches, delete, |(_, batch), results| {
            match results {
                Ok(results) => {
                    for (at, result) in batch.iter().zip(results) {
                        outcomes[*at] = Some(result);
                    }
                }
                Err(error) => broken = broken.take().or(Some(error)),
            }
            Ok::<(), ()>(())
        });
        (outcomes, broken)
    }

    /// Deletes traces of an experiment. What the server does not like about one of them
    /// keeps none of the others.
    pub(super) fn delete_batch(
        &self,
        experiment: &str,
        ids: &[&str],
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        match self.ask_to_delete(experiment, ids) {
            Ok(deleted) if deleted >= ids.len() => Ok(ids.iter().map(|_| Ok(())).collect()),
            Ok(deleted) => Ok(self.look_for(ids, deleted)),
            Err(error) if !is_about_these(&error) => Err(error),
            Err(error) => match ids {
                [_] => Ok(vec![Err(error)]),
                several => {
                    let alone = several
                        .iter()
                        .map(|id| self.delete_batch(experiment, &[*id]));
                    let alone: Result<Vec<_>, _> = alone.collect();
                    Ok(alone?.into_iter().flatten().collect())
                }
            },
        }
    }

    /// How many traces the server deleted.
    fn ask_to_delete(&self, experiment: &str, ids: &[&str]) -> Result<usize, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            traces_deleted: usize,
        }
        // The 2.0 path is the one that every version has.
        let path = ["api", "2.0", "mlflow", "traces", "delete-traces"];
        let body = json!({"experiment_id": experiment, "request_ids": ids});
        let call = Call::json(Method::POST, self.http.url(&path), body);
        Ok(self.http.json::<Answer>(&call)?.traces_deleted)
    }

    /// Of traces of which so many were deleted, those that are there were not; and of those
    /// that are gone, no more were deleted now than the server says.
    fn look_for(&self, ids: &[&str], deleted: usize) -> Vec<Result<(), StoreError>> {
        let mut counted = 0;
        let mut results = Vec::with_capacity(ids.len());
        let look = |id: &&str| self.info(id);
        let _ = parallel::for_each_in_order(REQUESTS, ids, look, |id, found| {
            results.push(match found {
                Err(unknown @ StoreError::UnknownTrace { .. }) => {
                    counted += 1;
                    if counted <= deleted {
                        Ok(())
                    } else {
                        Err(unknown)
                    }
                }
                Err(error) if !error.is_about_one_trace() => Err(error),
                _ => Err(StoreError::Kept {
                    id: (*id).to_owned(),
                    store: self.http.host(),
                }),
            });
            Ok::<(), ()>(())
        });
        results
    }
}

/// Whether a failure may be that of one trace among those that were named.
fn is_about_these(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Refused {
            status: 400..=404 | 413 | 422,
            ..
        }
    )
}
