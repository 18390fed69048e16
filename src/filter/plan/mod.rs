//! How a store can be made to answer a filter that says more than it takes: searches
//! that it takes, which together find every match, and what is to be checked here on
//! what comes back.
//!
//! A part of the filter is either put exactly into the searches, or covered by
//! something that its matches all pass and repeated in the residual. Which it is, each
//! store says condition by condition ([`Capability`]). MLflow's servers take several
//! plain conjunctions (`cover`), all others one tree or nothing (`tree`).

mod condition;
mod cover;
mod outside;
mod tree;

use std::fmt;

use thiserror::Error;

use self::cover::{Alternative, At, Cover, Planner};
pub use self::outside::Outside;
use self::tree::{at_least, at_most};
use super::ast::{Expr, Filter};
use super::backend::Backend;
use super::readable;
use super::terms::Condition;
use crate::field::{Comparator, Field};

/// What a store makes of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Support {
    /// It decides as this program does.
    Exact,
    /// It takes this one in its place, and decides by it as this program does by the
    /// condition.
    As(Condition),
    /// It takes this one, which whatever passes the condition passes, too; the condition
    /// is checked here again.
    Inexact(Condition),
    /// It does not take it, and all is decided here.
    Unsupported,
}

/// What a store can be asked for.
pub trait Capability {
    /// What it makes of a condition.
    fn support(&self, condition: &Condition) -> Support;

    /// The server that it is, where it takes no trees of conditions.
    fn server(&self) -> Option<&Server> {
        None
    }
}

/// A store that takes no condition at all.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Capability for Nothing {
    fn support(&self, _condition: &Condition) -> Support {
        Support::Unsupported
    }
}

/// The first release in which conditions on spans speak of one and the same span.
const FIRST_OF_ONE_SPAN: (u32, u32) = (3, 10);
/// The first release that keeps texts of spans as they are.
const FIRST_WITH_TEXTS: (u32, u32) = (3, 17);

/// What there is to know about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// MLflow's release, as major and minor number.
    pub version: (u32, u32),
    /// What keeps its traces.
    pub backend: Backend,
    /// How many searches one filter may become; at least one.
    pub max_searches: usize,
}

impl Capability for Server {
    /// What it takes in the place of others is found with all of the filter in view.
    fn support(&self, condition: &Condition) -> Support {
        if !condition.is_server_dialect() || condition.minimum_server() > self.version {
            return Support::Unsupported;
        }
        // What is not ASCII stood in spans as JSON escapes it.
        if condition.looks_into_spans_beyond_ascii() && self.version < FIRST_WITH_TEXTS {
            return Support::Unsupported;
        }
        match self.backend.support(condition) {
            Support::Exact if condition.field.is_span() && self.version < FIRST_OF_ONE_SPAN => {
                Support::Inexact(condition.clone())
            }
            support => support,
        }
    }

    fn server(&self) -> Option<&Server> {
        Some(self)
    }
}

/// How a store answers a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Filters that the store takes, at least one; their answers together hold every match.
    pub searches: Vec<Filter>,
    /// What an answer must pass here to be a match; empty when there is nothing to check.
    pub residual: Filter,
    /// The traces about whose spans the server may be wrong, where it is asked about spans.
    pub outside: Option<Outside>,
}

/// A filter that no server of this version can be asked for.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "the pattern of `{condition}` looks around or refers back, which only the server can do, and this part of the filter cannot be sent to it"
)]
pub struct PlanError {
    /// The condition, as filters are printed.
    pub condition: String,
}

impl Plan {
    /// The one search that finds the matches and nothing else, if there is such a one,
    /// but for traces [outside](Outside).
    pub fn exact(&self) -> Option<&Filter> {
        match self.searches.as_slice() {
            [only] if self.residual.is_empty() => Some(only),
            _ => None,
        }
    }

    /// Whether the spans of what comes back are needed to check it.
    pub fn needs_spans(&self) -> bool {
        self.residual.needs_spans()
    }

    /// Whether the assessments of what comes back are needed to check it.
    pub fn needs_assessments(&self) -> bool {
        self.residual.needs_assessments()
    }
}

/// What is asked of the server and what is checked here, one line each.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, search) in self.searches.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if search.is_empty() {
                f.write_str("server: every trace")?;
            } else {
                write!(f, "server: {search}")?;
            }
        }
        if !self.residual.is_empty() {
            write!(f, "\nhere: {}", self.residual.readable())?;
        }
        Ok(())
    }
}

impl Filter {
    /// How a store answers the filter.
    ///
    /// # Errors
    ///
    /// When a part that it does not take has a pattern that only a server can evaluate.
    pub fn plan(&self, store: &dyn Capability) -> Result<Plan, PlanError> {
        match store.server() {
            Some(server) => self.plan_searches(server),
            None => self.plan_tree(&|condition| store.support(condition)),
        }
    }

    /// Whether it matters for the plan what keeps the server's traces.
    #[must_use]
    pub fn depends_on_backend(&self, server: &Server) -> bool {
        let on = |backend| {
            self.plan(&Server {
                backend,
                ..server.clone()
            })
        };
        let here = on(Backend::Sqlite);
        [Backend::Postgres, Backend::Mysql]
            .into_iter()
            .any(|backend| on(backend) != here)
    }

    fn plan_searches(&self, server: &Server) -> Result<Plan, PlanError> {
        let limit = server.max_searches.max(1);
        let conjuncts: Vec<&Expr> = self.effective_conjuncts().collect();
        let mut planner = Planner::new(self, server);
        let mut covers: Vec<(usize, Cover)> = conjuncts
            .iter()
            .enumerate()
            .map(|(index, expr)| (index, planner.cover(expr, At::top())))
            .collect();
        // What needs few searches first: it should not be left out for want of them.
        covers.sort_by_key(|(index, cover)| {
            (
                cover.alternatives.len(),
                matches!(conjuncts[*index], Expr::Spans(_)),
            )
        });
        let mut whole = Cover::anything().exactly();
        let mut checked: Vec<usize> = Vec::new();
        for (index, cover) in covers {
            let exact = cover.exact;
            match whole.both(&cover, limit) {
                Some((both, complete)) => {
                    whole = both;
                    if !(exact && complete) {
                        checked.push(index);
                    }
                }
                None => checked.push(index),
            }
        }
        let has_floor = self.span_time_floor_ms().is_some();
        let residual = checkable(residual(&conjuncts, checked, has_floor))?;
        let mut searches: Vec<Filter> = Vec::new();
        for Alternative { conditions, .. } in whole.alternatives {
            let search: Filter = conditions.into_iter().collect();
            if !searches.contains(&search) {
                searches.push(search);
            }
        }
        if searches.is_empty() {
            searches.extend(never().map(Filter::from));
        }
        let outside = Outside::new(self, &searches, server);
        Ok(Plan {
            searches,
            residual,
            outside,
        })
    }

    /// A filter that every match passes and that can be decided without spans, or with
    /// nothing but their number where that is `counted`.
    #[must_use]
    pub fn without_spans(&self, counted: bool) -> Self {
        let parts = self.conjuncts.iter();
        let support = |condition: &Condition| without_span(condition, counted);
        parts.filter_map(|expr| at_most(expr, &support)).collect()
    }

    /// A filter that can be decided likewise, and that nothing but matches pass; `None`
    /// where spans decide about every trace.
    #[must_use]
    pub fn sufficient_without_spans(&self, counted: bool) -> Option<Self> {
        let parts = self.conjuncts.iter();
        let support = |condition: &Condition| without_span(condition, counted);
        parts.map(|expr| at_least(expr, &support)).collect()
    }

    /// Whether it asks for the number of all spans of a trace.
    #[must_use]
    pub fn counts_spans(&self) -> bool {
        let conditions = self.conditions();
        conditions.iter().any(|c| c.field == Field::SpanCount)
    }
}

/// A condition that no trace passes.
fn never() -> Option<Condition> {
    Condition::text(Field::RequestId, Comparator::Equal, "").ok()
}

/// The conjuncts to check, with those that they cannot be understood without.
fn residual(conjuncts: &[&Expr], mut checked: Vec<usize>, has_floor: bool) -> Filter {
    let indices = 0..conjuncts.len();
    // They speak of the same span, so all of them are checked or none.
    if checked
        .iter()
        .any(|index| conjuncts[*index].is_about_a_span())
    {
        checked.extend(indices.clone().filter(|i| conjuncts[*i].is_about_a_span()));
    }
    let filter_of = |checked: &[usize]| -> Filter {
        indices
            .clone()
            .filter(|index| checked.contains(index))
            .map(|index| conjuncts[index].clone())
            .collect()
    };
    let residual = filter_of(&checked);
    if has_floor && residual.needs_spans() {
        // The bound on the time says which spans are looked at.
        checked.extend(indices.clone().filter(
            |index| matches!(conjuncts[*index], Expr::Condition(c) if c.lower_bound_ms().is_some()),
        ));
        return filter_of(&checked);
    }
    residual
}

/// A residual that can be evaluated here.
fn checkable(residual: Filter) -> Result<Filter, PlanError> {
    match residual.needs_server() {
        None => Ok(residual),
        Some(condition) => Err(PlanError {
            condition: readable::condition(condition),
        }),
    }
}

/// Whether a condition is decided without a look at spans.
fn without_span(condition: &Condition, counted: bool) -> Support {
    let field = &condition.field;
    if !field.needs_spans() || (counted && *field == Field::SpanCount) {
        Support::Exact
    } else {
        Support::Unsupported
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn plan_on(text: &str, version: (u32, u32), max_searches: usize) -> String {
        let server = Server {
            version,
            backend: Backend::Sqlite,
            max_searches,
        };
        parse(text).unwrap().plan(&server).unwrap().to_string()
    }

    #[track_caller]
    fn planned(text: &str, expected: &str) {
        assert_eq!(plan_on(text, (3, 17), 8), expected, "{text}");
    }

    #[test]
    fn what_the_server_can_say_is_asked_exactly() {
        planned("", "server: every trace");
        planned("status = 'OK'", "server: status = 'OK'");
        planned(
            "status = 'OK' OR name = 'a'",
            "server: status = 'OK'\nserver: name = 'a'",
        );
        planned(
            "status = 'OK' OR status = 'ERROR'",
            "server: status IN ('OK', 'ERROR')",
        );
        planned(
            "name = 'a.b' OR name = \"it's\"",
            r"server: name RLIKE '^(?:a\.b|it\u0027s)\Z'",
        );
        planned(
            "run_id IN ('a', 'b')",
            "server: run_id = 'a'\nserver: run_id = 'b'",
        );
        planned(
            "tags.k NOT IN ('a', 'b')",
            "server: tags.k != 'a' AND tags.k != 'b'",
        );
        planned("NOT status = 'OK'", "server: status != 'OK'");
        planned(
            "NOT tags.k = 'v'",
            "server: tags.k IS NULL\nserver: tags.k != 'v'",
        );
        planned(
            "NOT (name = 'a' OR status = 'OK')",
            "server: status != 'OK' AND name IS NULL\nserver: status != 'OK' AND name != 'a'",
        );
        planned(
            "time BETWEEN 1 AND 2",
            "server: timestamp_ms >= 1 AND timestamp_ms <= 2",
        );
        planned(
            "any(span.type = 'A' AND span.name = 'b')",
            "server: span.type = 'A' AND span.name = 'b'",
        );
        planned("count(span.type = 'A') >= 1", "server: span.type = 'A'");
        planned(
            "name RLIKE '(?!a)' AND status = 'OK' OR name = 'b'",
            "server: name RLIKE '(?!a)' AND status = 'OK'\nserver: name = 'b'",
        );
    }

    #[test]
    fn what_it_cannot_say_is_covered_and_checked_here() {
        planned(
            "tokens > 5 AND status = 'OK'",
            "server: metadata.mlflow.trace.tokenUsage IS NOT NULL AND status = 'OK'\nhere: tokens > 5",
        );
        planned(
            "span.attributes.k = 'v'",
            "server: span.attributes.k LIKE '%v%'\nhere: span.attributes.k = 'v'",
        );
        planned(
            "any(span.name = 'a') AND any(span.name = 'b')",
            "server: span.name = 'a'\nhere: any(span.name = 'b')",
        );
        planned(
            "time > 5 AND span.name = 'a' AND span.duration > 1s",
            "server: timestamp_ms > 5 AND span.name = 'a'\nhere: time > '1970-01-01T00:00:00.005Z' AND span.name = 'a' AND span.duration > 1s",
        );
        planned(
            "(time > 5 OR name = 'x') AND span.name = 'a'",
            "server: span.name = 'a'\nhere: time > '1970-01-01T00:00:00.005Z' OR name = 'x'",
        );
        planned(
            "all(span.status = 'OK')",
            "server: every trace\nhere: all(span.status = 'OK')",
        );
        planned(
            "experiment = 'a' AND name = 'b'",
            "server: name = 'b'\nhere: experiment = 'a'",
        );
        planned(
            "feedback.q = 3",
            "server: feedback.q >= 3 AND feedback.q <= 3\nhere: feedback.q = 3",
        );
    }

    #[test]
    fn old_servers_and_few_searches_are_minded() {
        assert_eq!(
            plan_on("name LIKE 'a%' AND status = 'OK'", (3, 2), 8),
            "server: status = 'OK'\nhere: name LIKE 'a%'"
        );
        assert_eq!(
            plan_on("name IN ('a', 'b')", (3, 2), 8),
            "server: name = 'a'\nserver: name = 'b'"
        );
        // Several conditions on spans were not about one span, texts in them were escaped,
        // and values of feedback were compared as JSON.
        assert_eq!(
            plan_on("span.name = 'a' AND span.status = 'OK'", (3, 8), 8),
            "server: span.name = 'a' AND span.status = 'OK'\nhere: span.name = 'a' AND span.status = 'OK'"
        );
        assert_eq!(
            plan_on("span.content LIKE '%é%'", (3, 14), 8),
            "server: every trace\nhere: span.content LIKE '%é%'"
        );
        assert_eq!(
            plan_on("feedback.q = 'good'", (3, 8), 8),
            "server: every trace\nhere: feedback.q = 'good'"
        );
        assert_eq!(
            plan_on("feedback.q > 3", (3, 14), 8),
            "server: feedback.q IS NOT NULL\nhere: feedback.q > 3"
        );
        assert_eq!(
            plan_on("name = 'a' OR status = 'OK'", (3, 17), 1),
            "server: every trace\nhere: name = 'a' OR status = 'OK'"
        );
    }

    #[test]
    fn patterns_that_only_a_server_can_evaluate_must_reach_it() {
        let server = Server {
            version: (3, 17),
            backend: Backend::Sqlite,
            max_searches: 8,
        };
        let error = parse("name RLIKE '(?!a)' OR tokens > 5")
            .unwrap()
            .plan(&server)
            .unwrap_err();
        assert_eq!(error.condition, "name RLIKE '(?!a)'");
    }

    #[test]
    fn many_conditions_do_not_reach_the_server_at_once() {
        let many: Vec<String> = (0..100).map(|n| format!("tags.k{n} = 'x'")).collect();
        let filter = parse(&many.join(" AND ")).unwrap();
        let plan = filter
            .plan(&Server {
                version: (3, 17),
                backend: Backend::Sqlite,
                max_searches: 8,
            })
            .unwrap();
        assert_eq!(plan.searches[0].conjuncts().len(), 60);
        assert_eq!(plan.residual.conjuncts().len(), 40);
    }
}
