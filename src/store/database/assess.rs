//! Making and deleting assessments as MLflow does.

use std::collections::HashMap;

use super::DatabaseStore;
use super::change::{self, Place};
use super::link::{Arg, Link};
use super::rollups::{self, Family};
use crate::model::Assessment;
use crate::store::assess::restored;
use crate::store::sql::assessed::{self, Datum};
use crate::store::{AssessmentChanges, AssessmentPlan, StoreError};

/// Changes the assessments of each trace; a result for each.
///
/// # Errors
/// Those of the database, which end the transaction.
pub(super) fn change<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
    plan: &AssessmentPlan,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    rollups::outdate(store, ids, &[Family::Assessments])?;
    let places = change::locked(store, ids)?;
    let mut now: HashMap<String, _> = store.infos_of(ids)?.into_iter().collect();
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        let (Some(place), Some(info)) = (places.get(*id), now.remove(*id)) else {
            results.push(Err(store.unknown(id)));
            continue;
        };
        results.push(match info {
            Err(error) => Err(error),
            Ok(info) => {
                one(store, id, *place, plan.of(id), &info.assessments)?;
                Ok(())
            }
        });
    }
    Ok(results)
}

fn one<L: Link>(
    store: &DatabaseStore<L>,
    id: &str,
    place: Place,
    changes: &AssessmentChanges,
    now: &[Assessment],
) -> Result<(), StoreError> {
    let doomed = changes.doomed(now);
    let (first, second) = (store.place(1), store.place(2));
    for old in doomed.iter().filter_map(|old| old.id.as_deref()) {
        store.run(
            &format!(
                "DELETE FROM assessments WHERE trace_id = {first} AND assessment_id = {second}"
            ),
            &[Arg::Text(id), Arg::Text(old)],
        )?;
    }
    for old in restored(&doomed) {
        set_valid(store, id, &old, true)?;
    }
    for new in changes.made(now) {
        if let Some(old) = &new.overrides {
            set_valid(store, id, old, false)?;
        }
        insert(store, id, place, &new)?;
    }
    Ok(())
}

fn set_valid<L: Link>(
    store: &DatabaseStore<L>,
    id: &str,
    assessment: &str,
    valid: bool,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE assessments SET valid = {} WHERE trace_id = {} AND assessment_id = {}",
        store.truth(valid),
        store.place(1),
        store.place(2),
    );
    store.run(&sql, &[Arg::Text(id), Arg::Text(assessment)])?;
    Ok(())
}

fn insert<L: Link>(
    store: &DatabaseStore<L>,
    id: &str,
    place: Place,
    new: &Assessment,
) -> Result<(), StoreError> {
    let row = assessed::row(id, new, place.experiment, place.time_ms);
    let (mut columns, mut places, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (column, value) in &row {
        if !store.schema.has(assessed::TABLE, column) {
            continue;
        }
        columns.push(*column);
        let bound = match value {
            // In the statement itself, since databases tell missing texts from missing
            // numbers, and truth from numbers.
            Datum::Null => {
                places.push("NULL".to_owned());
                continue;
            }
            Datum::Truth(holds) => {
                places.push(store.truth(*holds).to_owned());
                continue;
            }
            Datum::Integer(number) => Arg::Integer(*number),
            Datum::Real(number) => Arg::Real(*number),
            Datum::Text(text) => Arg::Text(text),
        };
        values.push(bound);
        places.push(store.place(values.len()));
    }
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        assessed::TABLE,
        columns.join(", "),
        places.join(", ")
    );
    store.run(&sql, &values)?;
    Ok(())
}
