//! Aggregates of spans that the database computes by itself: counts, errors and durations,
//! by what it has in columns. They are the numbers that the traces give, spans and all: where
//! rows are not what these are made of, or a trace has no spans in the table, the question is
//! not answered, and the numbers come from the traces.

use std::fmt::Write as _;

use super::link::{Arg, Link};
use super::search::{Chosen, facts};
use super::{DatabaseStore, Odd};
use crate::analysis::{Quantile, mean_ns, percentile_by, share, sum_ns};
use crate::field::Field;
use crate::filter::Number;
use crate::filter::aggregate::{Aggregate, Function, Measure};
use crate::store::local::lock;
use crate::store::sql::{Cell, Row, row};
use crate::store::{
    FilterSource, MetricAnswer, MetricKey, MetricQuestion, MetricRow, Query, StoreError,
};

/// The columns of a group, after its keys.
const GROUP: &str = "count(s.span_id), \
    sum(CASE WHEN s.status = 'ERROR' THEN 1 ELSE 0 END), \
    sum(CASE WHEN s.span_id IS NULL OR octet_length(s.span_id) <> 16 \
    OR lower(s.span_id COLLATE \"C\") <> s.span_id \
    OR s.status NOT IN ('OK', 'ERROR', 'UNSET') THEN 1 ELSE 0 END), \
    count(s.took), CAST(sum(s.took) AS TEXT), min(s.took), max(s.took)";

/// How long a span took; nothing for one that has not ended.
const TOOK: &str = "CASE WHEN end_time_unix_nano > 0 THEN \
    greatest(end_time_unix_nano - start_time_unix_nano, 0) END";

/// What is known of a group.
struct Group {
    spans: usize,
    errors: usize,
    /// Spans that have ended.
    ended: usize,
    sum: i128,
    shortest: i64,
    longest: i64,
    /// The durations on either side of each percentile.
    sides: Vec<(i64, i64)>,
}

/// The numbers, or why they are not to be had.
///
/// # Errors
/// Those of the database.
pub(super) fn answer<L: Link>(
    store: &DatabaseStore<L>,
    question: &MetricQuestion<'_>,
) -> Result<MetricAnswer, StoreError> {
    let cannot = |reason: &str| Ok(MetricAnswer::Cannot(format!("{} {reason}", store.name)));
    if !lock(&store.link).sums_up() || !store.schema.has_spans() {
        return cannot("computes none");
    }
    if question.every_s.is_some() || question.no_assessments {
        return cannot("is asked for neither intervals nor assessments");
    }
    if !question.aggregates.iter().all(is_of_columns) {
        return cannot("is asked for nothing but counts, errors and durations of all spans");
    }
    let FilterSource::Parsed(filter) = question.filter else {
        return cannot("takes no raw filter");
    };
    let query = Query {
        experiments: question.experiments.to_vec(),
        filter: FilterSource::Parsed(filter.clone()),
        ..Query::default()
    };
    let needs_types = question.keys.contains(&MetricKey::SpanType);
    if needs_types && !facts(store)?.has_types {
        return cannot("does not have the type of every span in its column");
    }
    let keys = question.keys.iter().map(|key| column(*key));
    let Some(keys) = keys.collect::<Option<Vec<&str>>>() else {
        return cannot("is asked for groups by name, type and status of spans alone");
    };
    let chosen = Chosen::new(store, &query)?;
    if !chosen.residual.is_empty() {
        return cannot("does not decide the whole filter");
    }
    let values: Vec<Arg<'_>> = chosen.parameters.values().iter().map(Arg::from).collect();
    let conditions = chosen.conditions.join(" AND ");
    let count = format!("SELECT count(*) FROM trace_info t WHERE {conditions}");
    let traces = usize::try_from(store.number(&count, &values)?).unwrap_or(0);
    if traces == 0 {
        return cannot("has no such trace");
    }
    let sql = statement(&keys, &percentiles(question), &conditions);
    let rows = match store.ask(&sql, &values) {
        Ok(rows) => rows,
        // Numbers that are too large for it, and lists.
        Err(StoreError::Database { .. }) => return cannot("cannot add up so much"),
        Err(error) => return Err(error),
    };
    let read = rows.iter().map(|row| read(row, keys.len(), question));
    let read = read.collect::<Result<Option<Vec<MetricRow>>, Odd>>();
    match read.map_err(|odd| odd.of_store(&store.name))? {
        Some(rows) => Ok(MetricAnswer::Rows {
            rows,
            traces: Some(traces),
            exact: true,
        }),
        None => cannot("has traces without spans, or spans that are not MLflow's"),
    }
}

/// Whether it is one of all spans, and of what is in columns.
fn is_of_columns(aggregate: &Aggregate) -> bool {
    let is_count = matches!(aggregate.function, Function::Count | Function::ErrorRate);
    let is_known = match aggregate.measure {
        Measure::Span => is_count,
        Measure::Of(Field::SpanDuration) => !is_count,
        _ => false,
    };
    is_known && aggregate.filter.is_empty()
}

fn column(key: MetricKey) -> Option<&'static str> {
    match key {
        MetricKey::SpanName => Some("coalesce(s.name, '')"),
        MetricKey::SpanType => Some("s.type"),
        MetricKey::SpanStatus => Some("s.status"),
        MetricKey::TraceName | MetricKey::TraceState | MetricKey::SpanModel => None,
    }
}

/// The percentiles that are asked for, in ten thousandths.
fn percentiles(question: &MetricQuestion<'_>) -> Vec<u16> {
    let parts = |aggregate: &Aggregate| match aggregate.function {
        Function::Percentile(parts) => Some(parts),
        _ => None,
    };
    question.aggregates.iter().filter_map(parts).collect()
}

fn statement(keys: &[&str], percentiles: &[u16], conditions: &str) -> String {
    let mut columns = String::new();
    for key in keys {
        let _ = write!(columns, "{key}, ");
    }
    columns.push_str(GROUP);
    for parts in percentiles {
        let all = "(array_agg(s.took ORDER BY s.took) FILTER (WHERE s.took IS NOT NULL))";
        let below = format!("((count(s.took) - 1) * {parts} / 10000)");
        let _ = write!(
            columns,
            ", {all}[CAST({below} + 1 AS INTEGER)], \
             {all}[CAST(least({below} + 2, count(s.took)) AS INTEGER)]"
        );
    }
    let mut group: Vec<String> = (1..=keys.len()).map(|at| at.to_string()).collect();
    // A group of its own for traces without spans.
    group.push("s.span_id IS NULL".to_owned());
    format!(
        "SELECT {columns} FROM trace_info t LEFT JOIN \
         (SELECT trace_id, span_id, name, type, status, {TOOK} AS took FROM spans \
         WHERE octet_length(content) > 0) s ON s.trace_id = t.request_id \
         WHERE {conditions} GROUP BY {}",
        group.join(", ")
    )
}

/// A group; `None` where some of its rows are not what spans are.
fn read<R: Row<Error = Odd>>(
    row: &R,
    keys: usize,
    question: &MetricQuestion<'_>,
) -> Result<Option<MetricRow>, Odd> {
    const TABLE: &str = "spans";
    let number = |at: usize| row::maybe_number(row, TABLE, keys + at);
    let count = |at: usize| Ok(usize::try_from(number(at)?.unwrap_or(0)).unwrap_or(0));
    let texts = (0..keys).map(|at| row::own_text(row, TABLE, at));
    let texts = texts.collect::<Result<Option<Vec<String>>, Odd>>()?;
    let (Some(texts), 0) = (texts, count(2)?) else {
        return Ok(None);
    };
    let mut group = Group {
        spans: count(0)?,
        errors: count(1)?,
        ended: count(3)?,
        sum: 0,
        shortest: number(5)?.unwrap_or(0),
        longest: number(6)?.unwrap_or(0),
        sides: Vec::new(),
    };
    if let Cell::Text(sum) = row.cell(keys + 4)? {
        let sum = std::str::from_utf8(sum)
            .ok()
            .and_then(|sum| sum.parse().ok());
        let Some(sum) = sum else {
            return Ok(None);
        };
        group.sum = sum;
    }
    for at in 0..percentiles(question).len() {
        let side = |more: usize| Ok(number(7 + 2 * at + more)?.unwrap_or(0));
        group.sides.push((side(0)?, side(1)?));
    }
    let mut sides = group.sides.iter();
    let value = |aggregate: &Aggregate| group.value(aggregate.function, &mut sides);
    Ok(Some(MetricRow {
        keys: texts,
        start_ms: None,
        values: question.aggregates.iter().map(value).collect(),
    }))
}

impl Group {
    /// A value, and how many samples it has.
    fn value<'s>(
        &self,
        function: Function,
        sides: &mut impl Iterator<Item = &'s (i64, i64)>,
    ) -> (Option<Number>, usize) {
        let n = self.ended;
        let any = |value: Number| Some(value).filter(|_| n > 0);
        match function {
            Function::Count => {
                let count = i64::try_from(self.spans).unwrap_or(i64::MAX);
                (Some(Number::Integer(count)), self.spans)
            }
            Function::ErrorRate => (
                share(self.errors, self.spans).map(Number::Float),
                self.spans,
            ),
            Function::Min => (any(Number::Integer(self.shortest)), n),
            Function::Max => (any(Number::Integer(self.longest)), n),
            Function::Sum => (any(sum_ns(self.sum)), n),
            Function::Avg => (mean_ns(self.sum, n), n),
            Function::Percentile(parts) => {
                let (low, high) = sides.next().copied().unwrap_or_default();
                let quantile = Quantile::new(parts);
                let value = quantile.and_then(|quantile| {
                    let mut of_rank = [low, high].into_iter();
                    percentile_by(n, quantile, |_| of_rank.next().unwrap_or(high))
                });
                (value.map(Number::Integer), n)
            }
        }
    }
}
