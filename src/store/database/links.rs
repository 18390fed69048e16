//! Links from traces to runs and prompts, as the database knows them.

use super::DatabaseStore;
use super::link::{Arg, Facts, Link};
use super::search::Known;
use crate::filter::{Condition, Filter};
use crate::store::local::lock;
use crate::store::sql::{Compiler, Parameters, row};
use crate::store::{StoreError, links};

/// The filter with ids in the place of what it asks of links.
///
/// # Errors
/// Those of the database.
pub(super) fn resolved<L: Link>(
    store: &DatabaseStore<L>,
    filter: Filter,
    facts: Facts,
    scope: &str,
) -> Result<Filter, StoreError> {
    if !store.schema.has_links() || !links::asks(&filter) {
        return Ok(filter);
    }
    links::resolved(&filter, &|condition| by_id(store, condition, facts, scope))
}

/// That a trace is one of those for which a condition holds.
fn by_id<L: Link>(
    store: &DatabaseStore<L>,
    condition: &Condition,
    facts: Facts,
    scope: &str,
) -> Result<Condition, StoreError> {
    let mut parameters = Parameters::new(lock(&store.link).dialect(facts));
    let filter = Filter::from(condition.clone());
    let compiled = Compiler::new(
        &store.schema,
        &Known { facts },
        &mut parameters,
        scope,
        0,
        true,
    )
    .filter(&filter)?;
    let conjuncts = compiled.map(|compiled| compiled.conjuncts.join(" AND "));
    let sql = format!(
        "SELECT t.request_id FROM trace_info t WHERE t.experiment_id IN {scope} AND {}",
        conjuncts.unwrap_or_default()
    );
    let values: Vec<Arg<'_>> = parameters.values().iter().map(Arg::from).collect();
    let rows = store.ask(&sql, &values)?;
    let ids: Vec<String> = rows
        .iter()
        .filter_map(|row| row::own_text(row, "trace_info", 0).ok()?)
        .collect();
    links::one_of(ids).map_err(|_| StoreError::Unsupported {
        store: store.name.clone(),
        what: "way to check links together with the other conditions",
        instead: "join that condition to the others by AND",
    })
}
