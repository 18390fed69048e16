//! Links from traces to runs and prompts, which only the database knows: a check that asks
//! for them is told the traces by their ids.

use super::DatabaseStore;
use super::link::{Arg, Facts, Link};
use super::search::Known;
use crate::filter::{Comparator, Condition, Expr, Field, Filter, SpanTest};
use crate::store::StoreError;
use crate::store::local::lock;
use crate::store::sql::{Compiler, Parameters, row};

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
    let asks = |condition: &&Condition| is_about_links(condition);
    if !store.schema.has_links() || !filter.conditions().iter().any(asks) {
        return Ok(filter);
    }
    let ids = |condition: &Condition| by_id(store, condition, facts, scope);
    let parts = filter.conjuncts().iter().map(|expr| replaced(expr, &ids));
    parts.collect()
}

fn is_about_links(condition: &Condition) -> bool {
    matches!(condition.field(), Field::RunId | Field::Prompt)
        && matches!(condition.comparator(), Comparator::Equal | Comparator::In)
}

fn replaced(
    expr: &Expr,
    ids: &dyn Fn(&Condition) -> Result<Condition, StoreError>,
) -> Result<Expr, StoreError> {
    let all = |parts: &[Expr]| -> Result<Vec<Expr>, StoreError> {
        parts.iter().map(|part| replaced(part, ids)).collect()
    };
    Ok(match expr {
        Expr::Condition(condition) if is_about_links(condition) => Expr::Condition(ids(condition)?),
        Expr::Condition(_) | Expr::Assessed(_) => expr.clone(),
        Expr::And(parts) => Expr::And(all(parts)?),
        Expr::Or(parts) => Expr::Or(all(parts)?),
        Expr::Not(inner) => Expr::Not(Box::new(replaced(inner, ids)?)),
        Expr::Spans(test) => Expr::Spans(Box::new(SpanTest {
            quantifier: test.quantifier,
            expr: replaced(&test.expr, ids)?,
        })),
    })
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
    let mut ids: Vec<String> = rows
        .iter()
        .filter_map(|row| row::own_text(row, "trace_info", 0).ok()?)
        .collect();
    // No trace is without an id.
    if ids.is_empty() {
        ids.push(String::new());
    }
    Condition::list(Field::RequestId, Comparator::In, ids).map_err(|_| StoreError::Unsupported {
        store: store.name.clone(),
        what: "way to check links together with the other conditions",
        instead: "join that condition to the others by AND",
    })
}
