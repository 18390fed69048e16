//! Links from traces to runs and prompts, which are made after the fact and known to the store
//! alone: a check that asks for them is told the traces by their ids.

use crate::filter::{Comparator, Condition, ConditionError, Expr, Field, Filter, SpanTest};

/// Whether a filter asks for links.
pub(crate) fn asks(filter: &Filter) -> bool {
    filter.conditions().into_iter().any(is_about_links)
}

/// The filter with ids in the place of what it asks of links.
///
/// # Errors
/// Those of `ids`, which gives a condition on ids for one that asks for links.
pub(crate) fn resolved<E>(
    filter: &Filter,
    ids: &dyn Fn(&Condition) -> Result<Condition, E>,
) -> Result<Filter, E> {
    let parts = filter.conjuncts().iter().map(|expr| replaced(expr, ids));
    parts.collect()
}

/// That a trace is one of those with these ids.
///
/// # Errors
/// An id that no filter can hold.
pub(crate) fn one_of(mut ids: Vec<String>) -> Result<Condition, ConditionError> {
    // No trace is without an id.
    if ids.is_empty() {
        ids.push(String::new());
    }
    Condition::list(Field::RequestId, Comparator::In, ids)
}

fn is_about_links(condition: &Condition) -> bool {
    matches!(condition.field(), Field::RunId | Field::Prompt)
        && matches!(condition.comparator(), Comparator::Equal | Comparator::In)
}

fn replaced<E>(expr: &Expr, ids: &dyn Fn(&Condition) -> Result<Condition, E>) -> Result<Expr, E> {
    let all = |parts: &[Expr]| -> Result<Vec<Expr>, E> {
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
