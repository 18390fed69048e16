//! Filters as SQL. What MLflow's server asks of its database is asked in the
//! same way; what goes beyond is said in SQL where it can be, and tested by
//! functions of this program where it cannot, so that both always agree.

use rusqlite::Connection;
use rusqlite::types::Value as Bound;

use super::schema::Schema;
use super::statement::{ASSESSMENT, COST, Parameters, SPAN, TEXT, TOKENS};
use crate::filter::{
    Comparator, Condition, Expr, Field, Filter, Number, Quantifier, SpanTest, Value,
};
use crate::model::{metadata, tag};

/// Of fewer spans than this, their traces are looked up; of more, the traces are
/// gone through and their spans looked up.
const FEW_SPANS: i64 = 2_000;

/// Indexes of the table of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SpanIndex {
    /// Those on type and status.
    Kind,
    Duration,
}

/// Turns filters into conditions on `trace_info t`.
pub(super) struct Compiler<'a> {
    schema: &'a Schema,
    connection: &'a Connection,
    parameters: &'a mut Parameters,
    /// SQL for the experiments that are searched, as a list in parentheses.
    scope: &'a str,
    /// Spans that start before are not looked at.
    floor: Option<String>,
    aliases: usize,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        connection: &'a Connection,
        parameters: &'a mut Parameters,
        scope: &'a str,
    ) -> Self {
        Self {
            schema,
            connection,
            parameters,
            scope,
            floor: None,
            aliases: 0,
        }
    }

    /// The conjuncts of a filter. Where the schema has no spans, those that look
    /// at spans are left out.
    pub(super) fn filter(&mut self, filter: &Filter) -> rusqlite::Result<Vec<String>> {
        self.floor = filter
            .span_time_floor_ms()
            .map(|ms| self.parameters.bind(ms * 1e6));
        let is_run = |expr: &Expr| {
            matches!(expr, Expr::Condition(c)
                if *c.field() == Field::RunId && c.comparator() == Comparator::Equal)
        };
        // Of several run ids, the server looks for the last alone.
        let last_run = filter.conjuncts().iter().rposition(is_run);
        let looked_at: Vec<&Expr> = filter
            .conjuncts()
            .iter()
            .enumerate()
            .filter(|(at, expr)| !is_run(expr) || last_run == Some(*at))
            .map(|(_, expr)| expr)
            .filter(|expr| self.schema.has_spans() || !looks_at_spans(expr))
            .collect();
        let mut conjuncts = Vec::new();
        let (of_span, mut rest): (Vec<&Expr>, Vec<&Expr>) =
            looked_at.into_iter().partition(|expr| only_span(expr));
        if rest.iter().any(|expr| expr.is_about_a_span()) {
            rest.extend(of_span);
        } else if let Some(few) = self.among_few_spans(&of_span)? {
            conjuncts.push(few);
        } else {
            rest.extend(of_span);
        }
        for expr in std::mem::take(&mut rest) {
            match expr {
                Expr::Spans(test) if test.quantifier == Quantifier::Any => {
                    let few = self.among_few_spans(&[&test.expr])?;
                    match few {
                        Some(few) => conjuncts.push(few),
                        None => rest.push(expr),
                    }
                }
                _ => rest.push(expr),
            }
        }
        conjuncts.extend(self.region(&rest));
        Ok(conjuncts)
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
        let mut fewest = FEW_SPANS;
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
                 WHERE {scope} AND {} LIMIT {FEW_SPANS})",
                found.join(" AND ")
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
                let number = self.parameters.bind(bound(*number));
                let spans = self.spans_of_trace(&alias);
                format!(
                    "((SELECT count(*) FROM {spans} AND {body}) {} {number})",
                    comparator.as_str()
                )
            }
        }
    }

    fn trace_condition(&mut self, condition: &Condition) -> String {
        match condition.field() {
            Field::Status => self.text("t.status", condition),
            Field::RequestId => self.text("t.request_id", condition),
            Field::ClientRequestId if self.schema.has_promoted("client_request_id") => {
                self.text("t.client_request_id", condition)
            }
            Field::ClientRequestId => self.text("NULL", condition),
            Field::Experiment => self.text("CAST(t.experiment_id AS TEXT)", condition),
            Field::Timestamp => self.number("t.timestamp_ms", condition),
            Field::ExecutionTime => self.number("t.execution_time_ms", condition),
            Field::EndTime => self.number(
                "(t.timestamp_ms + coalesce(t.execution_time_ms, 0))",
                condition,
            ),
            Field::Name => {
                let name = self.tag(tag::NAME);
                self.text(&name, condition)
            }
            Field::Tag(key) => {
                let value = self.tag(key);
                self.text(&value, condition)
            }
            Field::RunId => self.run(condition),
            Field::Metadata(key) if is_record(key) => self.record(key, condition),
            Field::Metadata(key) => {
                let value = self.metadata(key);
                self.text(&value, condition)
            }
            Field::Prompt => self.prompt(condition),
            Field::IssueId => self.issue(condition),
            Field::Feedback(name) => self.assessment("feedback", name, condition),
            Field::Expectation(name) => self.assessment("expectation", name, condition),
            Field::Tokens => {
                let tokens = self.tokens("total");
                self.number(&tokens, condition)
            }
            Field::InputTokens => {
                let tokens = self.tokens("input");
                self.number(&tokens, condition)
            }
            Field::OutputTokens => {
                let tokens = self.tokens("output");
                self.number(&tokens, condition)
            }
            Field::Cost => {
                let cost = self.cost();
                self.number(&cost, condition)
            }
            Field::SpanCount => self.number(
                "(SELECT count(*) FROM spans c WHERE c.trace_id = t.request_id)",
                condition,
            ),
            _ => FALSE.to_owned(),
        }
    }

    fn span_condition(&mut self, condition: &Condition, s: &str) -> String {
        match condition.field() {
            Field::SpanName => self.text(&format!("{s}.name"), condition),
            Field::SpanType => self.text(&format!("{s}.type"), condition),
            Field::SpanStatus => self.text(&format!("{s}.status"), condition),
            Field::SpanModel if self.schema.has("spans", "model_name") => {
                self.text(&format!("{s}.model_name"), condition)
            }
            Field::SpanContent => self.text(&format!("{s}.content"), condition),
            Field::SpanDuration => self.duration(s, condition),
            Field::SpanAttribute(key) => self.attribute(key, condition, s),
            _ => {
                let test = self.parameters.test(condition);
                format!("{SPAN}({test}, {s}.content)")
            }
        }
    }

    /// A comparison of text that may be missing.
    fn text(&mut self, sql: &str, condition: &Condition) -> String {
        match (condition.comparator(), condition.value()) {
            (Comparator::Equal, Value::Text(text)) => {
                format!("({sql} = {})", self.parameters.bind(text.clone()))
            }
            (Comparator::NotEqual, Value::Text(text)) => {
                format!("({sql} <> {})", self.parameters.bind(text.clone()))
            }
            (Comparator::In, Value::List(texts)) => format!("({sql} IN ({}))", self.list(texts)),
            (Comparator::NotIn, Value::List(texts)) => {
                format!("({sql} NOT IN ({}))", self.list(texts))
            }
            (Comparator::Like, Value::Text(pattern)) => {
                format!("({sql} LIKE {})", self.parameters.bind(pattern.clone()))
            }
            (Comparator::IsNull, _) => format!("({sql} IS NULL)"),
            (Comparator::IsNotNull, _) => format!("({sql} IS NOT NULL)"),
            _ => {
                let test = self.parameters.test(condition);
                format!("{TEXT}({test}, {sql})")
            }
        }
    }

    fn list(&mut self, texts: &[String]) -> String {
        let all: Vec<String> = texts
            .iter()
            .map(|text| self.parameters.bind(text.clone()))
            .collect();
        all.join(", ")
    }

    /// A comparison of a number that may be missing.
    fn number(&mut self, sql: &str, condition: &Condition) -> String {
        let (comparator, value) = (condition.comparator(), condition.value());
        match value {
            Value::Number(number) => {
                let number = self.parameters.bind(bound(*number));
                format!("({sql} {} {number})", comparator.as_str())
            }
            // As on the server: no number equals text, and all come before it.
            Value::Text(text) => {
                let text = self.parameters.bind(text.clone());
                format!("(({sql}) + 0 {} {text})", comparator.as_str())
            }
            Value::Range(low, high) => {
                let low = self.parameters.bind(bound(*low));
                let high = self.parameters.bind(bound(*high));
                format!("({sql} {} {low} AND {high})", comparator.as_str())
            }
            _ if comparator == Comparator::IsNull => format!("({sql} IS NULL)"),
            _ if comparator == Comparator::IsNotNull => format!("({sql} IS NOT NULL)"),
            _ => FALSE.to_owned(),
        }
    }

    fn duration(&mut self, s: &str, condition: &Condition) -> String {
        let sql = if self.schema.has("spans", "duration_ns") {
            format!("{s}.duration_ns")
        } else {
            format!("({s}.end_time_unix_nano - {s}.start_time_unix_nano)")
        };
        // A span without an end is stored with an end of zero or none.
        let ended = format!("{s}.end_time_unix_nano > 0");
        let nanos = |number: &Number| match number {
            Number::Integer(ms) => Bound::Integer(ms.saturating_mul(1_000_000)),
            Number::Float(ms) => Bound::Real(ms * 1e6),
        };
        let word = condition.comparator().as_str();
        match condition.value() {
            Value::Number(number) => {
                let number = self.parameters.bind(nanos(number));
                format!("({sql} {word} {number} AND {ended})")
            }
            Value::Range(low, high) => {
                let low = self.parameters.bind(nanos(low));
                let high = self.parameters.bind(nanos(high));
                format!("({sql} {word} {low} AND {high} AND {ended})")
            }
            _ => FALSE.to_owned(),
        }
    }

    /// An attribute: only the spans that mention it are read.
    fn attribute(&mut self, key: &str, condition: &Condition, s: &str) -> String {
        let test = self.parameters.test(condition);
        let mentions = key
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if mentions && needs_attribute(condition.comparator()) {
            let quoted = self.parameters.bind(format!("\"{key}\""));
            format!("(instr({s}.content, {quoted}) > 0 AND {SPAN}({test}, {s}.content))")
        } else {
            format!("{SPAN}({test}, {s}.content)")
        }
    }

    fn tag(&mut self, key: &str) -> String {
        if key == tag::NAME && self.schema.has_promoted("trace_name") {
            return "t.trace_name".to_owned();
        }
        let key = self.parameters.bind(key.to_owned());
        format!(
            "(SELECT g.value FROM trace_tags g WHERE g.request_id = t.request_id AND g.key = {key})"
        )
    }

    fn metadata(&mut self, key: &str) -> String {
        self.metadata_of(key, "t")
    }

    fn metadata_of(&mut self, key: &str, trace: &str) -> String {
        if key == metadata::SESSION && self.schema.has_promoted("session_id") {
            return format!("{trace}.session_id");
        }
        let key = self.parameters.bind(key.to_owned());
        format!(
            "(SELECT m.value FROM trace_request_metadata m \
             WHERE m.request_id = {trace}.request_id AND m.key = {key})"
        )
    }

    fn record(&mut self, key: &str, condition: &Condition) -> String {
        let columns: &[&str] = if key == metadata::COST {
            &super::info::COSTS
        } else {
            &super::info::TOKENS
        };
        if !self.schema.has_promoted(columns[0]) {
            let value = self.metadata(key);
            return self.text(&value, condition);
        }
        let exists: Vec<String> = columns
            .iter()
            .filter(|column| self.schema.has_promoted(column))
            .map(|column| format!("t.{column} IS NOT NULL"))
            .collect();
        let exists = any_of(&exists);
        let matches = match condition.value() {
            Value::Text(text) => crate::filter::record_columns(key, text),
            _ => None,
        };
        let matches = match matches {
            None => FALSE.to_owned(),
            Some(numbers) => {
                let parts: Vec<String> = columns
                    .iter()
                    .zip(numbers)
                    .filter(|(column, _)| self.schema.has_promoted(column))
                    .map(|(column, number)| match number {
                        None => format!("t.{column} IS NULL"),
                        Some(number) => format!("t.{column} = {}", self.parameters.bind(number)),
                    })
                    .collect();
                all_of(&parts)
            }
        };
        match condition.comparator() {
            Comparator::IsNull => not(&exists),
            Comparator::IsNotNull => exists,
            Comparator::Equal => matches,
            _ => format!("({exists} AND {})", not(&matches)),
        }
    }

    /// A run's traces are those made in it, and those linked to it.
    fn run(&mut self, condition: &Condition) -> String {
        let source = self.metadata(metadata::SOURCE_RUN);
        match (condition.comparator(), condition.value()) {
            (Comparator::Equal, Value::Text(run)) if run.is_empty() => TRUE.to_owned(),
            (Comparator::Equal, Value::Text(run)) => {
                let run = self.parameters.bind(run.clone());
                let made = format!("{source} = {run}");
                if self.schema.has_links() {
                    let linked = linked("run", &format!("= {run}"));
                    format!("({made} OR {linked})")
                } else {
                    format!("({made})")
                }
            }
            (Comparator::In, Value::List(runs)) if self.schema.has_links() => {
                let runs = self.list(runs);
                let linked = linked("run", &format!("IN ({runs})"));
                format!("({source} IN ({runs}) OR {linked})")
            }
            _ => self.text(&source, condition),
        }
    }

    fn prompt(&mut self, condition: &Condition) -> String {
        if !self.schema.has_links() {
            return FALSE.to_owned();
        }
        let wanted = match (condition.comparator(), condition.value()) {
            (Comparator::Equal, Value::Text(prompt)) => {
                format!("= {}", self.parameters.bind(prompt.clone()))
            }
            (Comparator::In, Value::List(prompts)) => format!("IN ({})", self.list(prompts)),
            _ => return FALSE.to_owned(),
        };
        linked("prompt_version", &wanted)
    }

    fn issue(&mut self, condition: &Condition) -> String {
        if !self.schema.has_assessments() {
            return FALSE.to_owned();
        }
        let named = self.text("a.name", condition);
        format!(
            "EXISTS (SELECT 1 FROM assessments a WHERE a.trace_id = t.request_id \
             AND +a.assessment_type = 'issue' AND {named})"
        )
    }

    /// What was said of the trace, or of the whole session that it belongs to.
    fn assessment(&mut self, kind: &str, name: &str, condition: &Condition) -> String {
        let absent = condition.comparator() == Comparator::IsNull;
        if !self.schema.has_assessments() {
            return if absent { TRUE } else { FALSE }.to_owned();
        }
        let name = self.parameters.bind(name.to_owned());
        // The plus keeps SQLite to the index on traces.
        let mut wanted =
            format!("+a.assessment_type = '{kind}' AND a.name = {name} AND a.valid = 1");
        if !matches!(
            condition.comparator(),
            Comparator::IsNull | Comparator::IsNotNull
        ) {
            let test = self.parameters.test(condition);
            let passes = format!("{ASSESSMENT}({test}, a.value)");
            wanted = all_of(&[wanted, passes]);
        }
        let session = self.metadata_of(metadata::SESSION, "t");
        let theirs = self.metadata_of(metadata::SESSION, "o");
        let scope = self.scope;
        let found = format!(
            "(EXISTS (SELECT 1 FROM assessments a WHERE a.trace_id = t.request_id AND {wanted}) \
             OR {session} IN (SELECT {theirs} FROM assessments a JOIN trace_info o \
             ON o.request_id = a.trace_id WHERE {wanted} AND o.experiment_id IN {scope} \
             AND {theirs} IS NOT NULL \
             AND instr(a.assessment_metadata, '\"{key}\":') > 0))",
            key = metadata::SESSION
        );
        if absent { not(&found) } else { found }
    }

    fn tokens(&mut self, which: &str) -> String {
        if !self.schema.has_promoted("total_tokens") {
            let usage = self.metadata(metadata::TOKEN_USAGE);
            return format!("{TOKENS}('{which}', {usage})");
        }
        match which {
            "input" => "t.input_tokens".to_owned(),
            "output" => "t.output_tokens".to_owned(),
            _ => total("t.total_tokens", "t.input_tokens", "t.output_tokens"),
        }
    }

    fn cost(&mut self) -> String {
        if self.schema.has_promoted("total_cost") {
            total("t.total_cost", "t.input_cost", "t.output_cost")
        } else {
            let cost = self.metadata(metadata::COST);
            format!("{COST}({cost})")
        }
    }
}

const TRUE: &str = "1";
const FALSE: &str = "0";

fn all_of(parts: &[String]) -> String {
    match parts {
        [] => TRUE.to_owned(),
        [one] => one.clone(),
        all => format!("({})", all.join(" AND ")),
    }
}

fn any_of(parts: &[String]) -> String {
    match parts {
        [] => FALSE.to_owned(),
        [one] => one.clone(),
        any => format!("({})", any.join(" OR ")),
    }
}

/// Token usage and cost are compared as a whole.
fn is_record(key: &str) -> bool {
    key == metadata::TOKEN_USAGE || key == metadata::COST
}

/// The logical complement: what is neither true nor false in SQL counts as false.
fn not(sql: &str) -> String {
    format!("({sql} IS NOT TRUE)")
}

/// The reported total, else the sum of its parts, else null.
fn total(total: &str, input: &str, output: &str) -> String {
    format!(
        "coalesce({total}, CASE WHEN {input} IS NULL AND {output} IS NULL THEN NULL \
         ELSE coalesce({input}, 0) + coalesce({output}, 0) END)"
    )
}

fn linked(kind: &str, wanted: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM entity_associations e WHERE e.source_type = 'trace' \
         AND e.source_id = t.request_id AND e.destination_type = '{kind}' \
         AND e.destination_id {wanted})"
    )
}

fn bound(number: Number) -> Bound {
    match number {
        Number::Integer(value) => Bound::Integer(value),
        Number::Float(value) => Bound::Real(value),
    }
}

/// Whether a span without the attribute cannot pass.
fn needs_attribute(comparator: Comparator) -> bool {
    use Comparator::{IsNull, NotIlike, NotLike, NotRlike};
    !matches!(comparator, IsNull | NotLike | NotIlike | NotRlike)
}

/// Whether an expression is made of nothing but conditions on one span.
fn only_span(expr: &Expr) -> bool {
    match expr {
        Expr::Condition(condition) => condition.field().is_span(),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(only_span),
        Expr::Not(_) | Expr::Spans(_) => false,
    }
}

/// Whether spans decide about an expression.
pub(super) fn looks_at_spans(expr: &Expr) -> bool {
    match expr {
        Expr::Condition(condition) => {
            condition.field().is_span() || *condition.field() == Field::SpanCount
        }
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(looks_at_spans),
        Expr::Not(inner) => looks_at_spans(inner),
        Expr::Spans(_) => true,
    }
}
