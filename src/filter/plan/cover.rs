//! Sets of searches that find at least what an expression says, and how they are
//! joined: each alternative is a conjunction that the server takes.

use super::super::ast::{Expr, Filter, Quantifier};
use super::super::parser::{MAX_CONDITIONS, MAX_JOINED, MAX_SERVER_TOKENS};
use super::super::terms::{Condition, Number, Value};
use super::{Capability as _, Server, Support};
use crate::field::{Comparator, Field};

/// Conditions that are searched for together.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Alternative {
    pub(super) conditions: Vec<Condition>,
    /// Which span its conditions on spans are about; the server knows only one.
    pub(super) span: Option<usize>,
}

/// Alternatives that every trace passes one of for which an expression holds.
#[derive(Debug, Clone)]
pub(super) struct Cover {
    pub(super) alternatives: Vec<Alternative>,
    /// Whether no other trace passes one.
    pub(super) exact: bool,
}

/// Where in a filter an expression stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// The span that conditions on spans are about.
    span: usize,
    /// Within a quantifier, where `NOT` is about one span.
    within_span: bool,
    /// A condition here must hold as it is.
    pub(super) top: bool,
}

impl At {
    pub(super) fn top() -> Self {
        Self {
            span: 0,
            within_span: false,
            top: true,
        }
    }

    fn below(self) -> Self {
        Self { top: false, ..self }
    }
}

impl Alternative {
    /// Both at once, and whether nothing of `other` had to be left out.
    fn and(&self, other: &Self) -> (Self, bool) {
        let mut both = self.clone();
        let mut complete = true;
        let other_span = matches!((self.span, other.span), (Some(a), Some(b)) if a != b);
        let run = self.conditions.iter().find(|c| c.is_run_equality());
        for condition in &other.conditions {
            let second_run = condition.is_run_equality() && run.is_some_and(|run| run != condition);
            if (other_span && condition.field.is_span()) || second_run {
                complete = false;
            } else if !both.conditions.contains(condition) {
                both.conditions.push(condition.clone());
            }
        }
        both.span = self.span.or(other.span);
        if both.fits() {
            (both, complete)
        } else {
            (self.clone(), false)
        }
    }

    /// Whether the server is up to so many conditions.
    fn fits(&self) -> bool {
        let joined = self.conditions.iter().filter(|c| c.is_joined()).count();
        let tokens: usize = self.conditions.iter().map(Condition::server_tokens).sum();
        joined <= MAX_JOINED
            && self.conditions.len() <= MAX_CONDITIONS
            && tokens <= MAX_SERVER_TOKENS
    }
}

impl Cover {
    /// What every trace passes, for expressions of which nothing better is known.
    pub(super) fn anything() -> Self {
        Self {
            alternatives: vec![Alternative::default()],
            exact: false,
        }
    }

    pub(super) fn exactly(mut self) -> Self {
        self.exact = true;
        self
    }

    pub(super) fn roughly(mut self) -> Self {
        self.exact = false;
        self
    }

    /// All of these conditions at once.
    pub(super) fn of(conditions: Vec<Condition>, at: At) -> Self {
        let span = conditions
            .iter()
            .any(|c| c.field.is_span())
            .then_some(at.span);
        Self {
            alternatives: vec![Alternative { conditions, span }],
            exact: true,
        }
    }

    /// Any of both.
    pub(super) fn either(mut self, other: Self) -> Self {
        for alternative in other.alternatives {
            if !self.alternatives.contains(&alternative) {
                self.alternatives.push(alternative);
            }
        }
        // What everything passes makes the others superfluous.
        if self.alternatives.iter().any(|a| a.conditions.is_empty()) {
            self.alternatives = vec![Alternative::default()];
        }
        self.exact &= other.exact;
        self
    }

    /// Both at once, and whether nothing of `other` had to be left out; `None` where
    /// that would be too many alternatives.
    pub(super) fn both(&self, other: &Self, limit: usize) -> Option<(Self, bool)> {
        if self.alternatives.len() * other.alternatives.len() > limit {
            return None;
        }
        let mut complete = true;
        let mut alternatives: Vec<Alternative> = Vec::new();
        for ours in &self.alternatives {
            for theirs in &other.alternatives {
                let (both, all) = ours.and(theirs);
                complete &= all;
                if !alternatives.contains(&both) {
                    alternatives.push(both);
                }
            }
        }
        let exact = self.exact && other.exact && complete;
        Some((
            Self {
                alternatives,
                exact,
            },
            complete,
        ))
    }
}

pub(super) struct Planner<'s> {
    server: &'s Server,
    limit: usize,
    /// How many spans are spoken of so far.
    spans: usize,
    about_spans: bool,
    /// The time before which the server ignores spans, and must.
    bound_ms: Option<f64>,
}

impl<'s> Planner<'s> {
    pub(super) fn new(filter: &Filter, server: &'s Server) -> Self {
        Self {
            server,
            limit: server.max_searches.max(1),
            spans: 0,
            about_spans: filter.conditions().iter().any(|c| c.field.is_span()),
            bound_ms: filter.lower_bound_ms(),
        }
    }

    /// What the server is asked for in the place of a condition of its dialect, there, and
    /// whether it means the same by it.
    pub(super) fn asked(&self, condition: &Condition, at: At) -> Option<(Condition, bool)> {
        // Any lower bound on the time hides early spans from the server.
        let hides_spans = !at.top
            && self.about_spans
            && condition
                .lower_bound_ms()
                .is_some_and(|bound| self.bound_ms.is_none_or(|top| bound > top));
        match self.server.support(condition) {
            _ if hides_spans => None,
            Support::Exact => Some((condition.clone(), true)),
            Support::As(other) => Some((other, true)),
            Support::Inexact(wider) => Some((wider, false)),
            Support::Unsupported => None,
        }
    }

    /// Whether it is not too many searches.
    pub(super) fn fits(&self, cover: &Cover) -> bool {
        cover.alternatives.len() <= self.limit
    }

    fn another_span(&mut self, within_span: bool) -> At {
        self.spans += 1;
        At {
            span: self.spans,
            within_span,
            top: false,
        }
    }

    pub(super) fn cover(&mut self, expr: &Expr, at: At) -> Cover {
        match expr {
            Expr::Condition(condition) => self.condition(condition, at),
            Expr::And(parts) => {
                let covers = parts.iter().map(|part| self.cover(part, at.below()));
                let covers = covers.collect();
                self.all(covers)
            }
            Expr::Or(parts) => {
                let parts = with_lists(parts);
                let covers = parts.iter().map(|part| self.cover(part, at.below()));
                let covers = covers.collect();
                self.any(covers)
            }
            Expr::Not(inner) => self.complement(inner, at.below()),
            Expr::Spans(test) => self.spans(test.quantifier, &test.expr),
            Expr::Assessed(_) => Cover::anything(),
        }
    }

    /// A cover of what the expression does not hold for.
    fn complement(&mut self, expr: &Expr, at: At) -> Cover {
        match expr {
            Expr::Condition(condition) if at.within_span => self.span_complement(condition, at),
            Expr::Condition(condition) => self.trace_complement(condition, at),
            // That no span passes several conditions says nothing about each of them.
            Expr::And(parts) if !at.within_span && parts.iter().any(Expr::is_about_a_span) => {
                Cover::anything()
            }
            Expr::And(parts) => {
                let covers = parts.iter().map(|part| self.complement(part, at)).collect();
                self.any(covers)
            }
            Expr::Or(parts) => {
                let covers = parts.iter().map(|part| self.complement(part, at)).collect();
                self.all(covers)
            }
            Expr::Assessed(_) => Cover::anything(),
            Expr::Not(inner) if at.within_span => self.cover(inner, at),
            Expr::Not(inner) => {
                let region = self.another_span(false);
                self.cover(inner, region)
            }
            Expr::Spans(test) => match test.quantifier {
                Quantifier::Any => Cover::anything(),
                Quantifier::All => {
                    let span = self.another_span(true);
                    let cover = self.complement(&test.expr, span);
                    of_some_span(cover)
                }
                Quantifier::Count(comparator, number) => {
                    self.spans(Quantifier::Count(comparator.opposite(), number), &test.expr)
                }
            },
        }
    }

    fn spans(&mut self, quantifier: Quantifier, expr: &Expr) -> Cover {
        let some = match quantifier {
            Quantifier::Any => Some(true),
            Quantifier::All => None,
            Quantifier::Count(comparator, number) => at_least_one(comparator, number),
        };
        let Some(exact) = some else {
            return Cover::anything();
        };
        let span = self.another_span(true);
        let cover = of_some_span(self.cover(expr, span));
        if exact { cover } else { cover.roughly() }
    }

    fn any(&self, covers: Vec<Cover>) -> Cover {
        let none = Cover {
            alternatives: Vec::new(),
            exact: true,
        };
        let any = covers.into_iter().fold(none, Cover::either);
        if any.alternatives.len() > self.limit {
            Cover::anything()
        } else {
            any
        }
    }

    fn all(&self, mut covers: Vec<Cover>) -> Cover {
        covers.sort_by_key(|cover| cover.alternatives.len());
        let mut all = Cover::anything().exactly();
        for cover in covers {
            all = match all.both(&cover, self.limit) {
                Some((both, _)) => both,
                None => all.roughly(),
            };
        }
        all
    }
}

/// Alternatives without a condition on the span do not say that there is one.
fn of_some_span(cover: Cover) -> Cover {
    if cover.alternatives.iter().all(|a| a.span.is_some()) {
        cover
    } else {
        cover.roughly()
    }
}

/// Whether a number of spans is at least one: `Some(true)` when that is all it says.
fn at_least_one(comparator: Comparator, number: Number) -> Option<bool> {
    let number = number.as_f64();
    match comparator {
        Comparator::GreaterOrEqual if number >= 1.0 => Some(number <= 1.0),
        Comparator::Greater if number >= 0.0 => Some(number < 1.0),
        Comparator::NotEqual if number == 0.0 => Some(true),
        Comparator::Equal if number >= 1.0 => Some(false),
        _ => None,
    }
}

/// The parts, with equalities on one key made one list.
fn with_lists(parts: &[Expr]) -> Vec<Expr> {
    let mut merged: Vec<Expr> = Vec::new();
    let mut lists: Vec<(usize, Field, Vec<String>)> = Vec::new();
    let mut several: Vec<Field> = Vec::new();
    for part in parts {
        let Some((field, texts)) = equality(part) else {
            merged.push(part.clone());
            continue;
        };
        if let Some((_, _, all)) = lists.iter_mut().find(|(_, known, _)| *known == field) {
            all.extend(texts);
            several.push(field);
        } else {
            lists.push((merged.len(), field, texts));
            merged.push(part.clone());
        }
    }
    lists.retain(|(_, field, _)| several.contains(field));
    for (index, field, texts) in lists {
        if let Ok(list) = Condition::list(field.clone(), Comparator::In, texts.clone()) {
            merged[index] = Expr::Condition(list);
        } else {
            // Too long for one list.
            let others = parts
                .iter()
                .filter(|part| equality(part).is_some_and(|(known, _)| known == field));
            merged.extend(others.skip(1).cloned());
        }
    }
    merged
}

fn equality(expr: &Expr) -> Option<(Field, Vec<String>)> {
    let Expr::Condition(condition) = expr else {
        return None;
    };
    let texts = match (&condition.value, condition.comparator) {
        (Value::Text(text), Comparator::Equal) => vec![text.clone()],
        (Value::List(texts), Comparator::In) => texts.clone(),
        _ => return None,
    };
    // An empty run id means any, but not in a list.
    let odd = condition.field == Field::RunId && texts.iter().any(String::is_empty);
    (!odd && condition.field != Field::EndTime).then(|| (condition.field.clone(), texts))
}
