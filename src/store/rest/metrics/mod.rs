//! Aggregates by the server's metrics API, which came with MLflow 3.10. It
//! counts a little differently than is done here: traces in progress may have a
//! duration, those without a name are in no group, and it does not say how many
//! samples it had. So the answer is taken only where two further counts say that
//! nothing of this makes a difference; durations of spans, which it cuts to whole
//! milliseconds, only where that will do.

mod filter;
mod values;

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use self::filter::Bounds;
use self::values::{Groups, Values};
use super::http::Call;
use super::{Generation, REQUESTS, RestStore};
use crate::field::Field;
use crate::filter::Number;
use crate::filter::aggregate::{Aggregate, Function, Measure};
use crate::parallel;
use crate::store::wire::null_as_default;
use crate::store::{
    Barren, FilterSource, MetricAnswer, MetricKey, MetricQuestion, Query, StoreError,
};

/// Groups that are asked for at once. The server cuts the rest off without a word.
const MOST_POINTS: usize = 10_000;
/// The end of the year 9999, for intervals without an end.
const END_MS: i64 = 253_402_300_799_999;

/// Why the server is not asked, or its answer is not taken.
type Reason = String;

/// What the server can be asked for in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Series {
    TraceCount,
    TraceDuration,
    Tokens,
    InputTokens,
    OutputTokens,
    SpanCount,
    SpanDuration,
    SpanCost,
    AssessmentCount,
}

impl Series {
    const ALL: [Self; 9] = [
        Self::TraceCount,
        Self::TraceDuration,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::SpanCount,
        Self::SpanDuration,
        Self::SpanCost,
        Self::AssessmentCount,
    ];

    /// View and metric, in the server's words.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::TraceCount => ("TRACES", "trace_count"),
            Self::TraceDuration => ("TRACES", "latency"),
            Self::Tokens => ("TRACES", "total_tokens"),
            Self::InputTokens => ("TRACES", "input_tokens"),
            Self::OutputTokens => ("TRACES", "output_tokens"),
            Self::SpanCount => ("SPANS", "span_count"),
            Self::SpanDuration => ("SPANS", "latency"),
            Self::SpanCost => ("SPANS", "total_cost"),
            Self::AssessmentCount => ("ASSESSMENTS", "assessment_count"),
        }
    }

    /// The one that an aggregate is read from.
    const fn of(measure: &Measure) -> Option<Self> {
        match measure {
            Measure::Trace => Some(Self::TraceCount),
            Measure::Of(Field::ExecutionTime) => Some(Self::TraceDuration),
            Measure::Of(Field::Tokens) => Some(Self::Tokens),
            Measure::Of(Field::InputTokens) => Some(Self::InputTokens),
            Measure::Of(Field::OutputTokens) => Some(Self::OutputTokens),
            Measure::Span => Some(Self::SpanCount),
            Measure::Of(Field::SpanDuration) => Some(Self::SpanDuration),
            Measure::Of(Field::SpanCost) => Some(Self::SpanCost),
            _ => None,
        }
    }

    /// By what it is divided into groups.
    const fn has(self, key: MetricKey) -> bool {
        match self {
            Self::TraceCount => matches!(key, MetricKey::TraceName | MetricKey::TraceState),
            Self::TraceDuration | Self::Tokens | Self::InputTokens | Self::OutputTokens => {
                matches!(key, MetricKey::TraceName)
            }
            Self::SpanCount => !matches!(key, MetricKey::TraceName | MetricKey::TraceState),
            Self::SpanDuration => matches!(key, MetricKey::SpanName | MetricKey::SpanStatus),
            Self::SpanCost => matches!(key, MetricKey::SpanModel),
            Self::AssessmentCount => false,
        }
    }

    /// What counts are divided by besides the keys, where errors or what is in
    /// progress have to be told from the rest.
    fn state(self, aggregates: &[Aggregate]) -> Option<MetricKey> {
        let wants = |measure: &Measure, function| {
            let asked = |a: &Aggregate| a.measure == *measure && a.function == function;
            aggregates.iter().any(asked)
        };
        match self {
            Self::TraceCount => Some(MetricKey::TraceState),
            Self::SpanCount if wants(&Measure::Span, Function::ErrorRate) => {
                Some(MetricKey::SpanStatus)
            }
            _ => None,
        }
    }
}

const fn dimension(key: MetricKey) -> &'static str {
    match key {
        MetricKey::TraceName => "trace_name",
        MetricKey::TraceState => "trace_status",
        MetricKey::SpanName => "span_name",
        MetricKey::SpanType => "span_type",
        MetricKey::SpanStatus => "span_status",
        MetricKey::SpanModel => "span_model_name",
    }
}

/// A pair of filters of which the server says how many traces pass each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// Traces with a duration, and traces in progress.
    Durations,
    /// Traces with token usage, and traces with a cost.
    Usage,
}

impl Relation {
    const fn filters(self) -> (&'static str, &'static str) {
        match self {
            Self::Durations => (
                "execution_time_ms >= -9000000000000000",
                "status = 'IN_PROGRESS'",
            ),
            Self::Usage => (
                "metadata.mlflow.trace.tokenUsage IS NOT NULL",
                "metadata.mlflow.trace.cost IS NOT NULL",
            ),
        }
    }
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Series(Series),
    Relation(Relation),
}

/// What came of it.
enum Got {
    Points(Vec<Point>),
    Counts(Counts),
    Not(Reason),
}

#[derive(Debug, Deserialize)]
struct Point {
    #[serde(default, deserialize_with = "null_as_default")]
    dimensions: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_as_default")]
    values: BTreeMap<String, f64>,
}

/// How many traces pass two filters.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Counts {
    #[serde(rename = "filter1_count")]
    first: usize,
    #[serde(rename = "filter2_count")]
    second: usize,
    #[serde(rename = "joint_count")]
    both: usize,
    #[serde(rename = "total_count")]
    all: usize,
}

impl RestStore {
    /// Aggregates by the server, where it can be asked for them.
    ///
    /// # Errors
    /// Those of the connection, and of what any other way would meet as well.
    pub(super) fn ask_metrics(
        &self,
        question: &MetricQuestion<'_>,
    ) -> Result<MetricAnswer, StoreError> {
        let planned = requests(question).and_then(|asks| Ok((asks, Bounds::of(question.filter)?)));
        let (asks, bounds) = match planned {
            Ok(planned) => planned,
            Err(reason) => return Ok(MetricAnswer::Cannot(reason)),
        };
        if self.generation.get() == Some(&Generation::V2) {
            return Ok(MetricAnswer::Cannot(format!(
                "{} is too old to compute any",
                self.http.host()
            )));
        }
        let experiments = self.experiment_ids(&Query {
            experiments: question.experiments.to_vec(),
            ..Query::default()
        })?;
        if experiments.is_empty() {
            return Ok(MetricAnswer::Cannot("there is no experiment".to_owned()));
        }
        if let Some(reason) = self.cannot_compute(question, &bounds, &experiments) {
            return Ok(MetricAnswer::Cannot(reason));
        }
        let mut groups = Groups::new(question);
        let mut relations = Vec::new();
        let mut refused = None;
        parallel::for_each_in_order(
            REQUESTS,
            &asks,
            |ask| match ask {
                Ask::Series(series) => self.points(*series, question, &bounds, &experiments),
                Ask::Relation(relation) => self.relation(*relation, &bounds, &experiments),
            },
            |ask, got| -> Result<(), StoreError> {
                match (ask, got?) {
                    (Ask::Series(series), Got::Points(points)) => {
                        if let Err(reason) = groups.add(*series, points, question) {
                            refused.get_or_insert(reason);
                        }
                    }
                    (Ask::Relation(relation), Got::Counts(counts)) => {
                        relations.push((*relation, counts));
                    }
                    (_, Got::Not(reason)) => {
                        refused.get_or_insert(reason);
                    }
                    _ => {}
                }
                Ok(())
            },
        )?;
        if let Some(reason) = refused {
            return Ok(MetricAnswer::Cannot(reason));
        }
        let traces = asks
            .contains(&Ask::Series(Series::TraceCount))
            .then(|| groups.traces());
        Ok(match (Values { groups, relations }).rows(question) {
            Ok(rows) => MetricAnswer::Rows {
                rows,
                traces,
                exact: false,
            },
            Err(reason) => MetricAnswer::Cannot(reason),
        })
    }

    /// Why the server's database does not compute what is asked for as it is done here.
    fn cannot_compute(
        &self,
        question: &MetricQuestion<'_>,
        bounds: &Bounds,
        experiments: &[String],
    ) -> Option<Reason> {
        let is_text =
            |key: &MetricKey| !matches!(key, MetricKey::TraceState | MetricKey::SpanStatus);
        let texts = question.keys.iter().any(is_text) || bounds.compare_texts;
        let is_percentile = |a: &Aggregate| matches!(a.function, Function::Percentile(_));
        let percentiles = question.aggregates.iter().any(is_percentile);
        if !texts && !percentiles {
            return None;
        }
        let backend = self.backend(experiments);
        if percentiles && !backend.has_percentiles() {
            return Some("percentiles of the server's database are others".to_owned());
        }
        let merges = texts && !backend.groups_texts();
        merges.then(|| "the server's database takes different texts for the same".to_owned())
    }

    fn points(
        &self,
        series: Series,
        question: &MetricQuestion<'_>,
        bounds: &Bounds,
        experiments: &[String],
    ) -> Result<Got, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, deserialize_with = "null_as_default")]
            data_points: Vec<Point>,
            next_page_token: Option<String>,
        }
        let mut body = body(series, question, bounds, experiments);
        let url = self
            .http
            .url(&["api", "3.0", "mlflow", "traces", "metrics"]);
        let mut points = Vec::new();
        let mut barren = Barren::default();
        loop {
            let call = Call::json(Method::POST, url.clone(), body.clone());
            let answer: Answer = match self.http.json(&call) {
                Ok(answer) => answer,
                Err(error) => return not_supported(error),
            };
            let page = answer.data_points.len();
            points.extend(answer.data_points);
            barren.page(page > 0, || {
                (self.http.host(), format!("{} groups", points.len()))
            })?;
            match answer.next_page_token.filter(|token| !token.is_empty()) {
                Some(token) if body["page_token"] != json!(token) => {
                    body["page_token"] = json!(token);
                }
                Some(_) => {
                    return Err(StoreError::RepeatedPage {
                        store: self.http.host(),
                        received: format!("{} groups", points.len()),
                    });
                }
                None if page >= MOST_POINTS => {
                    return Ok(Got::Not(format!(
                        "there are more than {MOST_POINTS} groups"
                    )));
                }
                None => return Ok(Got::Points(points)),
            }
        }
    }

    fn relation(
        &self,
        relation: Relation,
        bounds: &Bounds,
        experiments: &[String],
    ) -> Result<Got, StoreError> {
        let (first, second) = relation.filters();
        let mut body = json!({
            "experiment_ids": experiments,
            "filter_string1": first,
            "filter_string2": second,
        });
        if !bounds.search.is_empty() {
            body["base_filter"] = json!(bounds.search);
        }
        let path = [
            "api",
            "3.0",
            "mlflow",
            "traces",
            "calculate-filter-correlation",
        ];
        let call = Call::json(Method::POST, self.http.url(&path), body);
        match self.http.json(&call) {
            Ok(counts) => Ok(Got::Counts(counts)),
            Err(error) => not_supported(error),
        }
    }
}

/// Servers that lack an endpoint, or a part of it, leave the work to others.
fn not_supported(error: StoreError) -> Result<Got, StoreError> {
    match error {
        StoreError::NoSuchEndpoint { .. }
        | StoreError::Refused {
            status: 400 | 404 | 405 | 500 | 501,
            ..
        } => Ok(Got::Not(error.to_string())),
        error => Err(error),
    }
}

fn body(
    series: Series,
    question: &MetricQuestion<'_>,
    bounds: &Bounds,
    experiments: &[String],
) -> Value {
    let (view, metric) = series.names();
    let mut body = json!({
        "experiment_ids": experiments,
        "view_type": view,
        "metric_name": metric,
        "aggregations": aggregations(series, question.aggregates),
        "max_results": MOST_POINTS,
    });
    if series != Series::AssessmentCount {
        let mut keys = question.keys.to_vec();
        let state = series.state(question.aggregates);
        keys.extend(state.filter(|state| !keys.contains(state)));
        let dimensions: Vec<&str> = keys.into_iter().map(dimension).collect();
        body["dimensions"] = json!(dimensions);
        if let Some(every_s) = question.every_s {
            body["time_interval_seconds"] = json!(every_s);
            body["start_time_ms"] = json!(0);
            body["end_time_ms"] = json!(END_MS);
        }
    }
    if !bounds.clauses.is_empty() {
        body["filters"] = json!(bounds.clauses);
    }
    if let Some(start_ms) = bounds.start_ms {
        body["start_time_ms"] = json!(start_ms);
    }
    if let Some(end_ms) = bounds.end_ms {
        body["end_time_ms"] = json!(end_ms);
    }
    body
}

/// What is asked of a series: for sums and sizes of samples, more than was asked for.
fn aggregations(series: Series, aggregates: &[Aggregate]) -> Vec<Value> {
    let mut types = Vec::new();
    let mut add = |kind: Value| {
        if !types.contains(&kind) {
            types.push(kind);
        }
    };
    let plain = |kind: &str| json!({"aggregation_type": kind});
    match series {
        Series::TraceCount | Series::SpanCount | Series::AssessmentCount => add(plain("COUNT")),
        Series::TraceDuration | Series::SpanDuration => add(plain("AVG")),
        Series::Tokens | Series::InputTokens | Series::OutputTokens => {
            add(plain("SUM"));
            add(plain("AVG"));
            // Whether there are zeros, which say that nothing was counted.
            add(plain("MIN"));
        }
        Series::SpanCost => {
            add(plain("SUM"));
            add(plain("AVG"));
        }
    }
    let own = aggregates
        .iter()
        .filter(|aggregate| Series::of(&aggregate.measure) == Some(series));
    for aggregate in own {
        match aggregate.function {
            Function::Min => add(plain("MIN")),
            Function::Max => add(plain("MAX")),
            Function::Percentile(parts) => add(json!({
                "aggregation_type": "PERCENTILE",
                "percentile_value": percentile(parts),
            })),
            Function::Count | Function::ErrorRate | Function::Avg | Function::Sum => {}
        }
    }
    types
}

fn percentile(parts: u16) -> f64 {
    f64::from(parts) / 100.0
}

/// The requests that a question takes.
///
/// # Errors
/// Why the server cannot answer it.
fn requests(question: &MetricQuestion<'_>) -> Result<Vec<Ask>, Reason> {
    if let FilterSource::Raw(_) = question.filter {
        return Err("the filter is not understood".to_owned());
    }
    let mut wanted = Vec::new();
    let mut relations = Vec::new();
    for aggregate in question.aggregates {
        if !aggregate.filter.is_empty() {
            return Err(format!("`{aggregate}` has a condition of its own"));
        }
        match &aggregate.measure {
            // Traces without any are all that can be said of.
            Measure::Of(Field::Cost) => {
                relations.push(Relation::Usage);
                wanted.push(Series::TraceCount);
            }
            measure => {
                let series = Series::of(measure)
                    .ok_or_else(|| format!("the server does not compute `{aggregate}`"))?;
                check(series, aggregate, question)?;
                wanted.push(series);
            }
        }
    }
    if question.no_assessments {
        wanted.push(Series::AssessmentCount);
    }
    let of_traces = |series: &Series| series.names().0 == "TRACES";
    let divided = !question.keys.is_empty() || question.every_s.is_some();
    let samples = wanted.iter().any(|s| *s != Series::TraceCount);
    if wanted.iter().any(of_traces) {
        wanted.push(Series::TraceCount);
        if divided || samples {
            relations.push(Relation::Durations);
        }
    }
    if wanted.contains(&Series::SpanDuration) {
        wanted.push(Series::SpanCount);
    }
    if wanted.contains(&Series::Tokens)
        || wanted.contains(&Series::InputTokens)
        || wanted.contains(&Series::OutputTokens)
    {
        relations.push(Relation::Usage);
    }
    let series = Series::ALL
        .into_iter()
        .filter(|series| wanted.contains(series))
        .map(Ask::Series);
    let relations = [Relation::Durations, Relation::Usage]
        .into_iter()
        .filter(|relation| relations.contains(relation))
        .map(Ask::Relation);
    Ok(series.chain(relations).collect())
}

fn check(
    series: Series,
    aggregate: &Aggregate,
    question: &MetricQuestion<'_>,
) -> Result<(), Reason> {
    let of_spans = aggregate.measure.is_of_spans();
    if of_spans && question.exact {
        return Err("the server cuts the durations of spans to milliseconds".to_owned());
    }
    if of_spans && question.every_s.is_some() {
        return Err("the server puts spans, not traces, into intervals".to_owned());
    }
    if let Some(key) = question.keys.iter().find(|key| !series.has(**key)) {
        return Err(format!(
            "the server does not divide `{aggregate}` by {}",
            dimension(*key).replace('_', " ")
        ));
    }
    if series == Series::SpanDuration && aggregate.function == Function::Sum {
        return Err(format!("the server does not compute `{aggregate}`"));
    }
    Ok(())
}

/// Values of a group, as the server gave them.
fn value(values: &BTreeMap<String, f64>, function: Function) -> Option<f64> {
    let named = |name: &str| values.get(name).copied();
    match function {
        Function::Min => named("MIN"),
        Function::Max => named("MAX"),
        Function::Avg => named("AVG"),
        Function::Sum => named("SUM"),
        Function::Percentile(parts) => {
            // Python writes 95 as 95.0.
            let mut name = "P".to_owned();
            crate::filter::write_float(&mut name, percentile(parts));
            named(&name)
        }
        Function::Count | Function::ErrorRate => named("COUNT"),
    }
}

/// A whole number that came as a fraction.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the value is known to be whole and small enough"
    )]
    (value.abs() < EXACT).then(|| value.round() as i64)
}

/// `sum / n` where it is not whole.
fn fraction(sum: i64, n: i64) -> Number {
    if sum % n == 0 {
        Number::Integer(sum / n)
    } else {
        Number::Float(Number::Integer(sum).as_f64() / Number::Integer(n).as_f64())
    }
}
