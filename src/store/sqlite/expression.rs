//! Filters as SQL: how their expressions hang together, and which span the
//! conditions on spans speak of. What MLflow's server asks of its database is
//! asked in the same way; each condition on its own is in `condition`.

use rusqlite::Connection;

use super::schema::Schema;
use super::statement::Parameters;
use crate::filter::{Comparator, Expr, Field, Filter, Quantifier, SpanTest};
use crate::model::metadata;

/// Of fewer spans than this, their traces are looked up; of more, the traces are
/// gone through and their spans looked up. Where all traces would be gone
/// through, their number counts if it is larger.
pub(super) const FEW_SPANS: i64 = 2_000;

/// Indexes of the table of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SpanIndex {
    /// Those on type and status.
    Kind,
    Duration,
}

/// Turns filters into conditions on `trace_info t`.
pub(super) struct Compiler<'a> {
    pub(super) schema: &'a Schema,
    connection: &'a Connection,
    pub(super) parameters: &'a mut Parameters,
    /// SQL for the experiments that are searched, as a list in parentheses.
    pub(super) scope: &'a str,
    few: i64,
    /// Spans that start before are not looked at.
    floor: Option<String>,
    aliases: usize,
}

/// A filter as SQL.
pub(super) struct Compiled {
    /// What must all hold.
    pub(super) conjuncts: Vec<String>,
    /// Whether an index leads to the few traces that can pass.
    pub(super) finds_few: bool,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        connection: &'a Connection,
        parameters: &'a mut Parameters,
        scope: &'a str,
        few: i64,
    ) -> Self {
        Self {
            schema,
            connection,
            parameters,
            scope,
            few,
            floor: None,
            aliases: 0,
        }
    }

    /// The conjuncts of a filter. Where the schema has no spans, those that look
    /// at spans are left out.
    pub(super) fn filter(&mut self, filter: &Filter) -> rusqlite::Result<Compiled> {
        self.floor = filter
            .span_time_floor_ms()
            .map(|ms| self.parameters.bind(ms * 1e6));
        let (of_span, others): (Vec<&Expr>, Vec<&Expr>) = filter
            .effective_conjuncts()
            .filter(|expr| self.schema.has_spans() || !expr.needs_spans())
            .partition(|expr| only_span(expr));
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
        let finds_few = !conjuncts.is_empty() || rest.iter().any(|expr| self.finds_few(expr));
        conjuncts.extend(self.region(&rest));
        Ok(Compiled {
            conjuncts,
            finds_few,
        })
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
    fn among_few_spans(&mut self, exprs: &[&Expr]) -> rusqlite::Result<Option<String>> {
        let mut conditions = Vec::new();
        for expr in exprs {
            match expr {
                Expr::And(parts) => conditions.extend(parts),
                other => conditions.push(other),
            }
        }
        let alias = self.alias();
        let scope = format!("{alias}.experiment_id IN {}", self.scope);
        let sql: Vec<(Option<SpanIndex>, String)> = conditions
            .iter()
            .map(|expr| (self.index_for(expr), self.of_span(expr, &alias)))
            .collect();
        let mut driving = None;
        let mut fewest = self.few;
        for index in [SpanIndex::Kind, SpanIndex::Duration] {
            let found: Vec<&str> = sql
                .iter()
                .filter(|(by, _)| *by == Some(index))
                .map(|(_, condition)| condition.as_str())
                .collect();
            if found.is_empty() {
                continue;
            }
            let probe = format!(
                "SELECT count(*) FROM (SELECT 1 FROM spans {alias} \
                 WHERE {scope} AND {} LIMIT {})",
                found.join(" AND "),
                self.few
            );
            let spans = self.parameters.query_number(self.connection, &probe)?;
            if spans < fewest {
                driving = Some(index);
                fewest = spans;
            }
        }
        if driving.is_none() {
            return Ok(None);
        }
        let all: Vec<String> = sql
            .iter()
            .map(|(by, condition)| {
                // The plus keeps SQLite from another index than the one with few spans.
                let plus = if *by == driving { "" } else { "+" };
                format!("{plus}{condition}")
            })
            .collect();
        let all = all.join(" AND ");
        let floor = match &self.floor {
            Some(floor) => format!(" AND +{alias}.start_time_unix_nano >= {floor}"),
            None => String::new(),
        };
        Ok(Some(format!(
            "t.request_id IN (SELECT {alias}.trace_id FROM spans {alias} \
             WHERE {scope} AND {all}{floor})"
        )))
    }

    /// The index that MLflow's schema has for a condition on spans.
    fn index_for(&self, expr: &Expr) -> Option<SpanIndex> {
        use Comparator::{Between, Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual};
        let Expr::Condition(condition) = expr else {
            return None;
        };
        match (condition.field(), condition.comparator()) {
            (Field::SpanType | Field::SpanStatus, Equal | In) => Some(SpanIndex::Kind),
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
        if of_span.is_empty() {
            return conjuncts;
        }
        let alias = self.alias();
        let with_span: Vec<String> = of_span
            .iter()
            .map(|expr| self.expr(expr, Some(&alias)))
            .collect();
        let exists = self.exists(&alias, &with_span.join(" AND "));
        conjuncts.push(if of_span.iter().any(|expr| only_span(expr)) {
            exists
        } else {
            // Perhaps no span is needed at all.
            let without: Vec<String> = of_span.iter().map(|expr| self.expr(expr, None)).collect();
            format!("({} OR {exists})", all_of(&without))
        });
        conjuncts
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("s{}", self.aliases)
    }

    fn exists(&self, alias: &str, condition: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {} AND {condition})",
            self.spans_of_trace(alias)
        )
    }

    /// The spans that are looked at, for behind `FROM`, up to further conditions.
    fn spans_of_trace(&self, alias: &str) -> String {
        let floor = match &self.floor {
            Some(floor) => format!(" AND +{alias}.start_time_unix_nano >= {floor}"),
            None => String::new(),
        };
        // The plus keeps SQLite to the index on traces, of which each has few spans.
        format!(
            "spans {alias} WHERE {alias}.trace_id = t.request_id \
             AND +{alias}.experiment_id = t.experiment_id{floor}"
        )
    }

    /// One expression. `span` is the table alias of the span that conditions
    /// speak of; without one, no condition on a span holds.
    fn expr(&mut self, expr: &Expr, span: Option<&str>) -> String {
        match expr {
            Expr::Condition(condition) if condition.field().is_span() => match span {
                Some(alias) => self.span_condition(condition, alias),
                None => FALSE.to_owned(),
            },
            Expr::Condition(condition) => self.trace_condition(condition),
            Expr::And(all) => {
                let parts: Vec<String> = all.iter().map(|e| self.expr(e, span)).collect();
                all_of(&parts)
            }
            Expr::Or(any) => {
                let parts: Vec<String> = any.iter().map(|e| self.expr(e, span)).collect();
                any_of(&parts)
            }
            Expr::Not(inner) => {
                let region = self.region(&[inner.as_ref()]);
                not(&all_of(&region))
            }
            Expr::Spans(test) => self.quantified(test),
        }
    }

    /// An expression within a quantifier, where all is about one span.
    fn of_span(&mut self, expr: &Expr, alias: &str) -> String {
        match expr {
            Expr::Condition(condition) => self.span_condition(condition, alias),
            Expr::And(all) => {
                let parts: Vec<String> = all.iter().map(|e| self.of_span(e, alias)).collect();
                all_of(&parts)
            }
            Expr::Or(any) => {
                let parts: Vec<String> = any.iter().map(|e| self.of_span(e, alias)).collect();
                any_of(&parts)
            }
            Expr::Not(inner) => not(&self.of_span(inner, alias)),
            Expr::Spans(test) => self.quantified(test),
        }
    }

    fn quantified(&mut self, test: &SpanTest) -> String {
        let alias = self.alias();
        let body = self.of_span(&test.expr, &alias);
        match &test.quantifier {
            Quantifier::Any => self.exists(&alias, &body),
            Quantifier::All => not(&self.exists(&alias, &not(&body))),
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

pub(super) const TRUE: &str = "1";
pub(super) const FALSE: &str = "0";

pub(super) fn all_of(parts: &[String]) -> String {
    match parts {
        [] => TRUE.to_owned(),
        [one] => one.clone(),
        all => format!("({})", all.join(" AND ")),
    }
}

pub(super) fn any_of(parts: &[String]) -> String {
    match parts {
        [] => FALSE.to_owned(),
        [one] => one.clone(),
        any => format!("({})", any.join(" OR ")),
    }
}

/// The logical complement: what is neither true nor false in SQL counts as false.
pub(super) fn not(sql: &str) -> String {
    format!("({sql} IS NOT TRUE)")
}

/// Whether an expression is made of nothing but conditions on one span.
fn only_span(expr: &Expr) -> bool {
    match expr {
        Expr::Condition(condition) => condition.field().is_span(),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(only_span),
        Expr::Not(_) | Expr::Spans(_) => false,
    }
}
