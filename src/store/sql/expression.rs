//! Filters as SQL: how their expressions hang together, and which span the
//! conditions on spans speak of. What MLflow's server asks of its database is
//! asked in the same way; each condition on its own is in `condition`.

use super::{Dialect, Parameters, Probes, Schema};
use crate::filter::{Comparator, Condition, Expr, Field, Filter, Quantifier, SpanTest, Value};
use crate::model::{Span, metadata};

/// Of fewer spans than this, their traces are looked up; of more, the traces are
/// gone through and their spans looked up. Where all traces would be gone
/// through, their number counts if it is larger.
pub(in crate::store) const FEW_SPANS: i64 = 2_000;

/// The most questions about spans within one statement. Those within NOT and OR are asked
/// in two ways, so their number doubles with each NOT within another one.
const MAX_QUESTIONS: usize = 4_000;

/// Indexes of the table of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SpanIndex {
    /// Those on type and status.
    Kind,
    Duration,
}

/// Turns filters into conditions on `trace_info t`.
pub(in crate::store) struct Compiler<'a, P> {
    pub(super) schema: &'a Schema,
    probes: &'a P,
    pub(super) parameters: &'a mut Parameters,
    /// SQL for the experiments that are searched, as a list in parentheses.
    pub(super) scope: &'a str,
    few: i64,
    /// Whether all matches are wanted, so that it pays to look at all traces beforehand.
    all: bool,
    /// Whether all spans may be read where that is quicker.
    reads_all: bool,
    /// Spans that start before are not looked at.
    floor: Option<String>,
    /// Whether the spans that are spoken of are those that are not in the table.
    pub(super) outside: bool,
    aliases: usize,
}

/// A filter as SQL.
pub(in crate::store) struct Compiled {
    /// What must all hold.
    pub(in crate::store) conjuncts: Vec<String>,
    /// Whether an index leads to the few traces that can pass.
    pub(in crate::store) finds_few: bool,
    /// Whether nothing but spans decides, and those of most traces have to be looked at.
    pub(in crate::store) only_spans: bool,
    /// Whether spans that are not in the table may be looked at.
    pub(in crate::store) looks_outside: bool,
}

/// How a condition begins that is about the traces of spans that were found first.
pub(in crate::store) const AMONG: &str = "t.request_id IN (SELECT";

/// Every experiment that spans may say they are in: up to MLflow 3.10, it need
/// not be the one of their trace.
const ANY_EXPERIMENT: &str = "(SELECT experiment_id FROM experiments)";

impl<'a, P: Probes> Compiler<'a, P> {
    pub(in crate::store) fn new(
        schema: &'a Schema,
        probes: &'a P,
        parameters: &'a mut Parameters,
        scope: &'a str,
        few: i64,
        all: bool,
    ) -> Self {
        Self {
            schema,
            probes,
            parameters,
            scope,
            few,
            all,
            reads_all: false,
            floor: None,
            outside: false,
            aliases: 0,
        }
    }

    /// The conjuncts of a filter; `None` where they are too long for a statement.
    ///
    /// # Errors
    /// Those of the database.
    pub(in crate::store) fn filter(
        &mut self,
        filter: &Filter,
    ) -> Result<Option<Compiled>, P::Error> {
        self.floor = filter
            .span_time_floor_ms()
            .map(|ms| self.parameters.bind(ms * 1e6));
        let (of_spans, plain): (Vec<&Expr>, Vec<&Expr>) = filter
            .effective_conjuncts()
            .partition(|expr| expr.needs_spans());
        let mut finds_few = plain.iter().any(|expr| self.finds_few(expr));
        let mut conjuncts = self.region(&plain);
        let mut looks_outside = false;
        let only_spans = plain.is_empty()
            && self.floor.is_none()
            && !of_spans.is_empty()
            && self.schema.has_spans()
            && self.probes.is_most(self.scope)?;
        self.reads_all = self.all && only_spans;
        if !of_spans.is_empty() {
            let (table, few) = if self.schema.has_spans() {
                self.in_table(&of_spans)?
            } else {
                (vec![self.truth(false)], false)
            };
            // A search for a few traces finds them before all have been counted.
            let counts = self.all || few;
            looks_outside = !(counts && self.probes.all_are_in_table(self.schema)?);
            if looks_outside {
                conjuncts.push(self.wherever(&of_spans, &table));
            } else {
                conjuncts.extend(table);
                finds_few |= few;
            }
        }
        let compiled = Compiled {
            conjuncts,
            finds_few,
            only_spans: only_spans && !finds_few,
            looks_outside,
        };
        Ok((self.aliases <= MAX_QUESTIONS).then_some(compiled))
    }

    /// Expressions that must all hold, of spans in the table; `true` where an index
    /// leads to the few traces that can pass.
    fn in_table(&mut self, exprs: &[&Expr]) -> Result<(Vec<String>, bool), P::Error> {
        let (of_span, others): (Vec<&Expr>, Vec<&Expr>) =
            exprs.iter().partition(|expr| only_span(expr));
        let mut conjuncts = Vec::new();
        let mut rest = Vec::new();
        let few = if others.iter().any(|expr| expr.is_about_a_span()) {
            None
        } else {
            self.among_few_spans(&of_span)?
        };
        match few {
            Some(few) => conjuncts.push(few),
            None => rest.extend(of_span),
        }
        for expr in others {
            let few = match expr {
                Expr::Spans(test) if test.quantifier == Quantifier::Any => {
                    self.among_few_spans(&[&test.expr])?
                }
                _ => None,
            };
            match few {
                Some(few) => conjuncts.push(few),
                None => rest.push(expr),
            }
        }
        let mut finds_few = !conjuncts.is_empty();
        let rest = self.region(&rest);
        finds_few |= rest.iter().any(|one| one.starts_with(AMONG));
        conjuncts.extend(rest);
        Ok((conjuncts, finds_few))
    }

    /// Expressions that must all hold, of the spans of a trace wherever these are:
    /// `table` says it for those that are in the table. Others are fetched only
    /// where the trace alone does not decide, and where they are not to be had, the
    /// trace is left out.
    fn wherever(&mut self, exprs: &[&Expr], table: &[String]) -> String {
        let filter: Filter = exprs.iter().map(|expr| (*expr).clone()).collect();
        let at_most = self.conjunction(&filter.without_spans(false));
        let at_least = match filter.sufficient_without_spans(false) {
            Some(filter) => self.conjunction(&filter),
            None => self.truth(false),
        };
        let elsewhere = self.dialect().is_outside(self.schema, &filter);
        if !self.dialect().can_call() {
            return format!(
                "CASE WHEN NOT {elsewhere} THEN {} ELSE {at_most} END",
                self.all_of(table)
            );
        }
        let known = self.dialect().outside_is_known(&filter);
        self.outside = true;
        let outside = self.region(exprs);
        let outside = self.all_of(&outside);
        self.outside = false;
        format!(
            "CASE WHEN NOT {elsewhere} THEN {} WHEN {} THEN {never} WHEN {at_least} THEN {} \
             WHEN {known} THEN {outside} ELSE {never} END",
            self.all_of(table),
            not(&at_most),
            self.truth(true),
            never = self.truth(false),
        )
    }

    fn conjunction(&mut self, filter: &Filter) -> String {
        let all: Vec<&Expr> = filter.conjuncts().iter().collect();
        let all = self.region(&all);
        self.all_of(&all)
    }

    /// Whether the traces that pass are found by an index on traces.
    fn finds_few(&self, expr: &Expr) -> bool {
        let Expr::Condition(condition) = expr else {
            return false;
        };
        match (condition.field(), condition.comparator()) {
            (Field::RequestId, Comparator::Equal | Comparator::In) => true,
            (Field::Metadata(key), Comparator::Equal) => {
                key == metadata::SESSION && self.schema.has_trace_column("session_id")
            }
            _ => false,
        }
    }

    /// Whether a trace is one of those that have a span that passes, where an
    /// index shows that there can be only few such spans.
    fn among_few_spans(&mut self, exprs: &[&Expr]) -> Result<Option<String>, P::Error> {
        // A planner that knows how many there are needs no advice.
        if self.few == 0 {
            return Ok(None);
        }
        let mut conditions = Vec::new();
        for expr in exprs {
            match expr {
                Expr::And(parts) => conditions.extend(parts),
                other => conditions.push(other),
            }
        }
        let alias = self.alias();
        let scope = format!("{alias}.experiment_id IN {ANY_EXPERIMENT}");
        let sql: Vec<(Option<SpanIndex>, String)> = conditions
            .iter()
            .map(|expr| (self.index_for(expr), self.of_span(expr, &alias)))
            .collect();
        // A type that is not in its column is in the JSON of the span.
        let untyped = format!("{alias}.type IS NULL");
        let types = conditions.iter().any(|expr| is_about_type(expr));
        let mut driving = None;
        let mut fewest = self.few;
        for index in [SpanIndex::Kind, SpanIndex::Duration] {
            let mut found: Vec<String> = conditions
                .iter()
                .zip(&sql)
                .filter(|(_, (by, _))| *by == Some(index))
                .map(|(expr, (_, general))| self.by_index(expr, &alias).unwrap_or(general.clone()))
                .collect();
            if found.is_empty() {
                continue;
            }
            let mut spans = self.count_few(&alias, &scope, &found.join(" AND "))?;
            if index == SpanIndex::Kind && types {
                found.clear();
                spans += self.count_few(&alias, &scope, &untyped)?;
            }
            if spans < fewest {
                driving = Some(index);
                fewest = spans;
            }
        }
        if driving.is_none() {
            return Ok(None);
        }
        let floor = match &self.floor {
            Some(floor) => self.after_floor(&alias, floor),
            None => String::new(),
        };
        let select = |all: &[String]| {
            format!(
                "SELECT {alias}.trace_id FROM spans {alias} WHERE {scope} AND {}{floor}",
                all.join(" AND ")
            )
        };
        let mut by_column = Vec::new();
        let mut by_json = vec![untyped];
        for (expr, (by, general)) in conditions.iter().zip(&sql) {
            // By no other index than the one with few spans.
            let unindexed = self.dialect().without_index(general);
            by_column.push(if *by == driving {
                let indexed = self.by_index(expr, &alias);
                indexed.unwrap_or_else(|| general.clone())
            } else {
                unindexed.clone()
            });
            by_json.push(unindexed);
        }
        let mut selects = select(&by_column);
        if driving == Some(SpanIndex::Kind) && types {
            selects = format!("{selects} UNION ALL {}", select(&by_json));
        }
        Ok(Some(format!("t.request_id IN ({selects})")))
    }

    /// How many spans a condition holds for, up to a few.
    fn count_few(&self, alias: &str, scope: &str, condition: &str) -> Result<i64, P::Error> {
        let probe = format!(
            "SELECT count(*) FROM (SELECT 1 FROM spans {alias} WHERE {scope} AND {condition} LIMIT {}) few",
            self.few
        );
        self.probes.number(&probe, self.parameters)
    }

    /// The index that MLflow's schema has for a condition on spans.
    fn index_for(&self, expr: &Expr) -> Option<SpanIndex> {
        use Comparator::{Between, Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual};
        let Expr::Condition(condition) = expr else {
            return None;
        };
        match (condition.field(), condition.comparator()) {
            (Field::SpanType, Equal | In) if names_no_missing_type(condition) => {
                Some(SpanIndex::Kind)
            }
            (Field::SpanStatus, Equal | In) => Some(SpanIndex::Kind),
            (
                Field::SpanDuration,
                Equal | Less | LessOrEqual | Greater | GreaterOrEqual | Between,
            ) if self.schema.has("spans", "duration_ns") => Some(SpanIndex::Duration),
            _ => None,
        }
    }

    /// Expressions that must all hold, in which conditions on spans speak of one span.
    fn region(&mut self, all: &[&Expr]) -> Vec<String> {
        let (of_span, of_trace): (Vec<&Expr>, Vec<&Expr>) =
            all.iter().copied().partition(|expr| expr.is_about_a_span());
        let mut conjuncts: Vec<String> = of_trace
            .into_iter()
            .map(|expr| self.expr(expr, None))
            .collect();
        if of_span.is_empty() || self.aliases > MAX_QUESTIONS {
            return conjuncts;
        }
        let alias = self.alias();
        let with_span: Vec<String> = of_span
            .iter()
            .map(|expr| self.expr(expr, Some(&alias)))
            .collect();
        let of_span_alone = of_span.iter().all(|expr| only_span(expr));
        let exists = self.exists(&alias, &with_span.join(" AND "), of_span_alone);
        conjuncts.push(if of_span.iter().any(|expr| only_span(expr)) {
            exists
        } else {
            // Perhaps no span is needed at all.
            let without: Vec<String> = of_span.iter().map(|expr| self.expr(expr, None)).collect();
            format!("({} OR {exists})", self.all_of(&without))
        });
        conjuncts
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("s{}", self.aliases)
    }

    /// That there is such a span; `of_span_alone` where nothing of its trace is asked.
    fn exists(&mut self, alias: &str, condition: &str, of_span_alone: bool) -> String {
        if of_span_alone
            && self.reads_all
            && !self.outside
            && let Some(found) = self
                .probes
                .among_all_spans(alias, condition, self.parameters)
        {
            return found;
        }
        format!(
            "EXISTS (SELECT 1 FROM {} AND {condition})",
            self.spans_of_trace(alias)
        )
    }

    /// The spans that are looked at, for behind `FROM`, up to further conditions.
    fn spans_of_trace(&mut self, alias: &str) -> String {
        let floor = match &self.floor {
            Some(floor) => self.after_floor(alias, floor),
            None => String::new(),
        };
        if self.outside {
            let spans = self.dialect().spans_outside();
            return format!("{spans} {alias} WHERE {}{floor}", self.truth(true));
        }
        format!("spans {alias} WHERE {alias}.trace_id = t.request_id{floor}")
    }

    /// One expression. `span` is the table alias of the span that conditions
    /// speak of; without one, no condition on a span holds.
    fn expr(&mut self, expr: &Expr, span: Option<&str>) -> String {
        match expr {
            Expr::Condition(condition) if condition.field().is_span() => match span {
                Some(alias) => self.span_condition(condition, alias),
                None => self.truth(false),
            },
            Expr::Condition(condition) => self.trace_condition(condition),
            Expr::And(all) => {
                let parts: Vec<String> = all.iter().map(|e| self.expr(e, span)).collect();
                self.all_of(&parts)
            }
            Expr::Or(any) => {
                let parts: Vec<String> = any.iter().map(|e| self.expr(e, span)).collect();
                self.any_of(&parts)
            }
            Expr::Not(inner) => {
                let region = self.region(&[inner.as_ref()]);
                not(&self.all_of(&region))
            }
            Expr::Spans(test) => self.quantified(test),
            Expr::Assessed(test) => self.judged(test),
        }
    }

    /// An expression within a quantifier, where all is about one span.
    fn of_span(&mut self, expr: &Expr, alias: &str) -> String {
        match expr {
            Expr::Condition(condition) => self.span_condition(condition, alias),
            Expr::And(all) => {
                let parts: Vec<String> = all.iter().map(|e| self.of_span(e, alias)).collect();
                self.all_of(&parts)
            }
            Expr::Or(any) => {
                let parts: Vec<String> = any.iter().map(|e| self.of_span(e, alias)).collect();
                self.any_of(&parts)
            }
            Expr::Not(inner) => not(&self.of_span(inner, alias)),
            Expr::Spans(test) => self.quantified(test),
            Expr::Assessed(test) => self.judged(test),
        }
    }

    fn quantified(&mut self, test: &SpanTest) -> String {
        let alias = self.alias();
        let body = self.of_span(&test.expr, &alias);
        match &test.quantifier {
            Quantifier::Any => self.exists(&alias, &body, only_span(&test.expr)),
            Quantifier::All => not(&self.exists(&alias, &not(&body), only_span(&test.expr))),
            Quantifier::Count(comparator, number) => {
                let number = self.parameters.number(*number);
                let spans = self.spans_of_trace(&alias);
                format!(
                    "((SELECT count(*) FROM {spans} AND {body}) {} {number})",
                    comparator.as_str()
                )
            }
        }
    }
}

impl<P> Compiler<'_, P> {
    pub(super) fn dialect(&self) -> &'static dyn Dialect {
        self.parameters.dialect
    }

    pub(super) fn truth(&self, holds: bool) -> String {
        self.dialect().truth(holds).to_owned()
    }

    pub(super) fn all_of(&self, parts: &[String]) -> String {
        match parts {
            [] => self.truth(true),
            [one] => one.clone(),
            all => format!("({})", all.join(" AND ")),
        }
    }

    pub(super) fn any_of(&self, parts: &[String]) -> String {
        match parts {
            [] => self.truth(false),
            [one] => one.clone(),
            any => format!("({})", any.join(" OR ")),
        }
    }

    /// That a span is not one of those that start too early; found by no index.
    fn after_floor(&self, alias: &str, floor: &str) -> String {
        let start = format!("{alias}.start_time_unix_nano");
        format!(" AND {} >= {floor}", self.dialect().without_index(&start))
    }
}

/// The logical complement: what is neither true nor false in SQL counts as false.
pub(super) fn not(sql: &str) -> String {
    format!("({sql} IS NOT TRUE)")
}

fn is_about_type(expr: &Expr) -> bool {
    matches!(expr, Expr::Condition(condition) if *condition.field() == Field::SpanType)
}

/// Whether spans without a type are none of those that a condition on types names.
fn names_no_missing_type(condition: &Condition) -> bool {
    match condition.value() {
        Value::Text(text) => text != Span::NO_TYPE,
        Value::List(texts) => texts.iter().all(|text| text != Span::NO_TYPE),
        _ => false,
    }
}

/// Whether an expression is made of nothing but conditions on one span.
fn only_span(expr: &Expr) -> bool {
    match expr {
        Expr::Condition(condition) => condition.field().is_span(),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(only_span),
        Expr::Not(_) | Expr::Spans(_) | Expr::Assessed(_) => false,
    }
}
