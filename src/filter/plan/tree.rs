//! Filters for stores that take whole trees of conditions, as databases do, or none at
//! all, as folders and files do: what is put to the store in the place of a filter,
//! condition by condition, and what is checked here afterwards.

use super::super::ast::{Expr, Filter, Quantifier};
use super::super::terms::Condition;
use super::{Plan, PlanError, Support, checkable, residual};

type Supported<'s> = &'s dyn Fn(&Condition) -> Support;

impl Filter {
    pub(super) fn plan_tree(&self, support: Supported<'_>) -> Result<Plan, PlanError> {
        let conjuncts: Vec<&Expr> = self.effective_conjuncts().collect();
        // A bound on the time says which spans are looked at.
        let is_bound =
            |expr: &Expr| matches!(expr, Expr::Condition(c) if c.lower_bound_ms().is_some());
        let bounds_hold = conjuncts
            .iter()
            .all(|expr| !is_bound(expr) || is_exact(expr, support));
        // Without it the store looks at more spans, and finds more with a condition.
        let wider = |condition: &Condition| match support(condition) {
            Support::Exact if condition.field.needs_spans() => Support::Inexact(condition.clone()),
            other => other,
        };
        let support: Supported<'_> = if bounds_hold { support } else { &wider };
        let mut pushed = Vec::new();
        let mut checked = Vec::new();
        for (index, expr) in conjuncts.iter().enumerate() {
            if is_exact(expr, support) {
                pushed.push((*expr).clone());
            } else {
                pushed.extend(at_most(expr, support));
                checked.push(index);
            }
        }
        let search = if checked.is_empty() {
            self.clone()
        } else {
            pushed.into_iter().collect()
        };
        let has_floor = self.span_time_floor_ms().is_some();
        Ok(Plan {
            searches: vec![search],
            residual: checkable(residual(&conjuncts, checked, has_floor))?,
            outside: None,
        })
    }
}

/// Whether a store decides an expression as it is decided here.
fn is_exact(expr: &Expr, support: Supported<'_>) -> bool {
    match expr {
        Expr::Condition(condition) => support(condition) == Support::Exact,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(|part| is_exact(part, support)),
        Expr::Not(inner) => is_exact(inner, support),
        Expr::Spans(test) => is_exact(&test.expr, support),
        Expr::Assessed(test) => is_exact(&test.expr, support),
    }
}

/// What an expression implies, of what a store takes; `None` when that is nothing.
pub(super) fn at_most(expr: &Expr, support: Supported<'_>) -> Option<Expr> {
    match expr {
        Expr::Condition(condition) => match support(condition) {
            Support::Exact => Some(expr.clone()),
            Support::As(wider) | Support::Inexact(wider) => Some(Expr::Condition(wider)),
            Support::Unsupported => None,
        },
        Expr::And(parts) => {
            let kept = parts.iter().filter_map(|part| at_most(part, support));
            let kept: Vec<Expr> = kept.collect();
            (!kept.is_empty()).then(|| Expr::and(kept))
        }
        Expr::Or(parts) => {
            let all = parts.iter().map(|part| at_most(part, support));
            Some(Expr::or(all.collect::<Option<Vec<_>>>()?))
        }
        Expr::Not(inner) => at_least(inner, support).map(Expr::negated),
        Expr::Spans(_) if is_exact(expr, support) => Some(expr.clone()),
        Expr::Spans(test) if test.quantifier == Quantifier::Any => {
            let wider = at_most(&test.expr, support)?;
            Some(Expr::spans(Quantifier::Any, wider))
        }
        Expr::Assessed(_) => is_exact(expr, support).then(|| expr.clone()),
        Expr::Spans(_) => None,
    }
}

/// What implies an expression, of what a store takes; `None` when nothing does.
pub(super) fn at_least(expr: &Expr, support: Supported<'_>) -> Option<Expr> {
    match expr {
        Expr::Condition(condition) => (support(condition) == Support::Exact).then(|| expr.clone()),
        Expr::And(parts) => {
            let all = parts.iter().map(|part| at_least(part, support));
            Some(Expr::and(all.collect::<Option<Vec<_>>>()?))
        }
        Expr::Or(parts) => {
            let kept = parts.iter().filter_map(|part| at_least(part, support));
            let kept: Vec<Expr> = kept.collect();
            (!kept.is_empty()).then(|| Expr::or(kept))
        }
        Expr::Not(inner) => at_most(inner, support).map(Expr::negated),
        Expr::Spans(_) | Expr::Assessed(_) => is_exact(expr, support).then(|| expr.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Comparator, Field, parse};
    use super::super::{Capability, Nothing};
    use super::*;

    /// Takes states, and of names no more than that there is one.
    struct Few;

    impl Capability for Few {
        fn support(&self, condition: &Condition) -> Support {
            match condition.field() {
                Field::Status | Field::SpanName => Support::Exact,
                Field::Name if condition.comparator() != Comparator::IsNull => {
                    let there = Condition::null(Field::Name, Comparator::IsNotNull);
                    there.map_or(Support::Unsupported, Support::Inexact)
                }
                _ => Support::Unsupported,
            }
        }
    }

    #[test]
    fn each_condition_is_pushed_down_as_far_as_the_store_takes_it() {
        for (filter, search, here) in [
            ("status = 'OK'", "status = 'OK'", ""),
            ("name = 'a'", "name IS NOT NULL", "name = 'a'"),
            ("tags.k = 'a'", "", "tags.k = 'a'"),
            (
                "status = 'OK' AND name = 'a' AND tags.k = 'b'",
                "status = 'OK' AND name IS NOT NULL",
                "name = 'a' AND tags.k = 'b'",
            ),
            (
                "status = 'OK' OR name = 'a'",
                "status = 'OK' OR name IS NOT NULL",
                "status = 'OK' OR name = 'a'",
            ),
            (
                "status = 'OK' OR tags.k = 'a'",
                "",
                "status = 'OK' OR tags.k = 'a'",
            ),
            ("NOT status = 'OK'", "NOT status = 'OK'", ""),
            ("NOT name = 'a'", "", "NOT name = 'a'"),
            (
                "time > 5 AND status = 'OK' AND NOT span.name = 'a'",
                "status = 'OK'",
                "timestamp_ms > 5 AND NOT span.name = 'a'",
            ),
            (
                "NOT (status = 'OK' OR name = 'a')",
                "NOT status = 'OK'",
                "NOT (status = 'OK' OR name = 'a')",
            ),
            (
                "any(span.name = 'a' AND span.type = 'b')",
                "any(span.name = 'a')",
                "any(span.name = 'a' AND span.type = 'b')",
            ),
            ("all(span.type = 'b')", "", "all(span.type = 'b')"),
            (
                "span.name = 'a' AND span.type = 'b'",
                "span.name = 'a'",
                "span.name = 'a' AND span.type = 'b'",
            ),
            (
                "time > 5 AND span.name = 'a'",
                "span.name = 'a'",
                "timestamp_ms > 5 AND span.name = 'a'",
            ),
        ] {
            let plan = parse(filter).unwrap().plan(&Few).unwrap();
            assert_eq!(plan.searches.len(), 1, "{filter}");
            assert_eq!(plan.searches[0].to_string(), search, "{filter}");
            assert_eq!(plan.residual.to_string(), here, "{filter}");
        }
    }

    #[test]
    fn of_a_store_that_takes_nothing_all_is_checked_here() {
        let filter = parse("status = 'OK' AND span.name = 'a'").unwrap();
        let plan = filter.plan(&Nothing).unwrap();
        assert!(plan.searches[0].is_empty());
        assert_eq!(plan.residual, filter);
        let only_a_server = parse("name RLIKE '(?!a)'").unwrap();
        assert!(only_a_server.plan(&Nothing).is_err());
    }
}
