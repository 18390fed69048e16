//! What a filter says, once it is known to be right: expressions that must all
//! hold. Those that are plain conditions of MLflow's own dialect can be sent to
//! a server as they are printed; `plan` sees to the others.

use super::diagnostics::Warning;
use super::parser::{MAX_CONDITIONS, MAX_JOINED, MAX_SERVER_TOKENS};
use super::terms::{Condition, Number, Value};
use crate::field::{Comparator, Field, OLDEST_SERVER};
use crate::model::Detail;

/// Spans that start this much earlier than the wanted traces are not looked at.
const CLOCK_SKEW_MS: f64 = 10_000.0;

/// Expressions that must all hold; an empty filter matches every trace.
///
/// Outside quantifiers, the conditions on spans in a region without `NOT` speak
/// of one and the same span: the region (the whole filter, or the operand of a
/// `NOT`) holds when it does with every such condition taken for false, or when
/// there is a span with which it does.
///
/// Two filters are equal when they have the same expressions in the same order;
/// the warnings and notes about the text that they were parsed from do not count.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub(super) conjuncts: Vec<Expr>,
    pub(super) warnings: Vec<Warning>,
    pub(super) notes: Vec<String>,
}

/// A statement about a trace.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A comparison.
    Condition(Condition),
    /// All of at least two, none of which is an `And`.
    And(Vec<Expr>),
    /// Any of at least two, none of which is an `Or`.
    Or(Vec<Expr>),
    /// The complement.
    Not(Box<Expr>),
    /// A statement about how many spans pass a test.
    Spans(Box<SpanTest>),
    /// That there is an assessment that passes a test.
    Assessed(Box<AssessmentTest>),
}

/// A test of single assessments, of those that were not replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct AssessmentTest {
    /// Of what kind the assessment is.
    pub of: Assessed,
    /// Conditions on pieces of an assessment under `And`, `Or` and `Not`, all of one.
    pub expr: Expr,
}

/// The kinds of assessments that filters tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assessed {
    /// Feedback.
    Feedback,
    /// Expectations.
    Expectation,
}

impl Assessed {
    /// The word before the parentheses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Feedback => "any_feedback",
            Self::Expectation => "any_expectation",
        }
    }
}

/// How many spans of a trace pass a test.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanTest {
    /// How many.
    pub quantifier: Quantifier,
    /// Conditions on spans under `And`, `Or` and `Not`, all of one span.
    pub expr: Expr,
}

/// How many spans have to pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantifier {
    /// At least one.
    Any,
    /// Every one; true of a trace without spans.
    All,
    /// So many; the comparator is one of `=`, `!=`, `<`, `<=`, `>` and `>=`, the number whole.
    Count(Comparator, Number),
}

impl Expr {
    /// All of these; one alone stays as it is.
    pub fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => Self::And(flat),
        }
    }

    /// Any of these; one alone stays as it is.
    pub fn or(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => Self::Or(flat),
        }
    }

    /// The complement.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// That there is an assessment of a kind that passes a test.
    pub fn assessed(of: Assessed, expr: Self) -> Self {
        Self::Assessed(Box::new(AssessmentTest { of, expr }))
    }

    /// A statement about how many spans pass a test.
    pub fn spans(quantifier: Quantifier, expr: Self) -> Self {
        Self::Spans(Box::new(SpanTest { quantifier, expr }))
    }

    /// Every condition in it, those on spans within quantifiers included.
    pub fn conditions(&self) -> Vec<&Condition> {
        let mut all = Vec::new();
        self.collect(&mut all);
        all
    }

    fn collect<'e>(&'e self, all: &mut Vec<&'e Condition>) {
        match self {
            Self::Condition(condition) => all.push(condition),
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.collect(all);
                }
            }
            Self::Not(inner) => inner.collect(all),
            Self::Spans(test) => test.expr.collect(all),
            Self::Assessed(test) => test.expr.collect(all),
        }
    }

    /// Whether it says something about the span that its region speaks of:
    /// whether a condition on spans is in it outside `NOT` and quantifiers.
    pub fn is_about_a_span(&self) -> bool {
        match self {
            Self::Condition(condition) => condition.field.is_span(),
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::is_about_a_span),
            Self::Not(_) | Self::Spans(_) | Self::Assessed(_) => false,
        }
    }

    pub(super) fn each_condition(&mut self, change: &mut impl FnMut(&mut Condition)) {
        match self {
            Self::Condition(condition) => change(condition),
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.each_condition(change);
                }
            }
            Self::Not(inner) => inner.each_condition(change),
            Self::Spans(test) => test.expr.each_condition(change),
            Self::Assessed(test) => test.expr.each_condition(change),
        }
    }

    /// Whether the spans are needed to decide it.
    pub fn needs_spans(&self) -> bool {
        match self {
            Self::Condition(condition) => condition.field.needs_spans(),
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::needs_spans),
            Self::Not(inner) => inner.needs_spans(),
            Self::Spans(_) => true,
            Self::Assessed(_) => false,
        }
    }
}

impl From<Condition> for Expr {
    fn from(condition: Condition) -> Self {
        Self::Condition(condition)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.conjuncts == other.conjuncts
    }
}

impl From<Condition> for Filter {
    fn from(condition: Condition) -> Self {
        Self::from(Expr::Condition(condition))
    }
}

impl From<Expr> for Filter {
    fn from(expr: Expr) -> Self {
        let conjuncts = match Expr::and([expr]) {
            Expr::And(parts) => parts,
            other => vec![other],
        };
        Self {
            conjuncts,
            ..Self::default()
        }
    }
}

impl FromIterator<Condition> for Filter {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Self {
        conditions.into_iter().map(Expr::Condition).collect()
    }
}

impl FromIterator<Expr> for Filter {
    fn from_iter<I: IntoIterator<Item = Expr>>(conjuncts: I) -> Self {
        Self::from(Expr::and(conjuncts))
    }
}

impl Filter {
    /// What must all hold, in the order in which it was written; never an `And`.
    pub fn conjuncts(&self) -> &[Expr] {
        &self.conjuncts
    }

    /// The conjuncts that count: of several run ids, the server looks for the last alone.
    pub fn effective_conjuncts(&self) -> impl Iterator<Item = &Expr> {
        let is_run = |expr: &Expr| matches!(expr, Expr::Condition(c) if c.is_run_equality());
        let last_run = self.conjuncts.iter().rposition(is_run);
        self.conjuncts
            .iter()
            .enumerate()
            .filter(move |(index, expr)| !is_run(expr) || last_run == Some(*index))
            .map(|(_, expr)| expr)
    }

    /// Whether nothing passes but what has one text for a field, by a condition that says
    /// just this.
    pub fn requires(&self, field: &Field, text: &str) -> bool {
        self.conjuncts.iter().any(|expr| match expr {
            Expr::Condition(condition) if condition.field == *field => {
                match (condition.comparator, &condition.value) {
                    (Comparator::Equal, Value::Text(wanted)) => wanted == text,
                    (Comparator::In, Value::List(wanted)) => wanted.iter().all(|one| one == text),
                    _ => false,
                }
            }
            _ => false,
        })
    }

    /// Whether every trace matches.
    pub fn is_empty(&self) -> bool {
        self.conjuncts.is_empty()
    }

    /// Both filters at once.
    ///
    /// The result has no warnings, as these point into the text of one of the two:
    /// ask for them before.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.conjuncts.extend(other.conjuncts);
        self.notes.extend(other.notes);
        self.warnings.clear();
        self
    }

    /// What was accepted but cannot do what it says, in the order of the text.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How times without a zone and durations without a unit were read, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Every condition, wherever it stands.
    pub fn conditions(&self) -> Vec<&Condition> {
        let mut all = Vec::new();
        for expr in &self.conjuncts {
            expr.collect(&mut all);
        }
        all
    }

    /// The conditions, when the filter is a conjunction of nothing else and MLflow's
    /// server takes it as it is printed, with the same meaning.
    pub fn server_conditions(&self) -> Option<Vec<&Condition>> {
        let mut joined = 0;
        let mut tokens = 0;
        let mut all = Vec::with_capacity(self.conjuncts.len());
        for expr in &self.conjuncts {
            let Expr::Condition(condition) = expr else {
                return None;
            };
            if !condition.is_server_dialect() {
                return None;
            }
            joined += usize::from(condition.is_joined());
            tokens += condition.server_tokens();
            all.push(condition);
        }
        let fits =
            joined <= MAX_JOINED && all.len() <= MAX_CONDITIONS && tokens <= MAX_SERVER_TOKENS;
        fits.then_some(all)
    }

    /// Whether the spans are needed to decide if a trace matches.
    pub fn needs_spans(&self) -> bool {
        self.conjuncts.iter().any(Expr::needs_spans)
    }

    /// How much of the spans is needed to decide if a trace matches.
    pub fn detail(&self) -> Option<Detail> {
        let conditions = self.conditions();
        conditions
            .into_iter()
            .filter_map(|c| c.field.detail())
            .max()
    }

    /// Whether the assessments are needed to decide if a trace matches.
    pub fn needs_assessments(&self) -> bool {
        self.conditions()
            .iter()
            .any(|c| c.field.needs_assessments())
    }

    /// The first MLflow release, as major and minor number, whose server understands
    /// all the conditions that servers understand at all.
    pub fn minimum_server(&self) -> (u32, u32) {
        self.conditions()
            .into_iter()
            .filter(|condition| condition.is_server_dialect())
            .map(Condition::minimum_server)
            .max()
            .unwrap_or(OLDEST_SERVER)
    }

    /// When spans must start to be looked at, in milliseconds since the Unix epoch:
    /// ten seconds before the greatest lower bound on the time of the trace that must hold.
    pub fn span_time_floor_ms(&self) -> Option<f64> {
        self.lower_bound_ms().map(|ms| ms - CLOCK_SKEW_MS)
    }

    /// The greatest lower bound on the time of the trace that must hold.
    pub(super) fn lower_bound_ms(&self) -> Option<f64> {
        self.conjuncts
            .iter()
            .filter_map(|expr| match expr {
                Expr::Condition(condition) => condition.lower_bound_ms(),
                _ => None,
            })
            .max_by(f64::total_cmp)
    }

    /// Whether a condition names an experiment, so that
    /// [`resolve_experiments`](Self::resolve_experiments) must come before matching.
    pub fn names_experiments(&self) -> bool {
        self.conditions()
            .iter()
            .any(|c| c.field == Field::Experiment)
    }

    /// Replaces conditions on experiments by such on their ids alone.
    ///
    /// `experiments` are all ids with their names. An experiment is meant when its
    /// id or its name is; with a negated comparator, when neither is. Call it once.
    pub fn resolve_experiments(&mut self, experiments: &[(String, String)]) {
        for expr in &mut self.conjuncts {
            expr.each_condition(&mut |condition| {
                if condition.field == Field::Experiment {
                    condition.resolve_experiments(experiments);
                }
            });
        }
    }
}

impl Condition {
    pub(super) fn is_run_equality(&self) -> bool {
        self.field == Field::RunId && self.comparator == Comparator::Equal
    }

    pub(super) fn lower_bound_ms(&self) -> Option<f64> {
        match (&self.field, self.comparator, &self.value) {
            (
                Field::Timestamp,
                Comparator::Greater | Comparator::GreaterOrEqual,
                Value::Number(number),
            )
            | (Field::Timestamp, Comparator::Between, Value::Range(number, _)) => {
                Some(number.as_f64())
            }
            _ => None,
        }
    }
}
