//! `mlt stats`: traces summed up, by the server or here.

mod write;

use anyhow::Result;

use super::form::Form;
use super::gather::{Gathered, Need, gather_found, parts_of, with_usage};
use super::selection::{check_experiments, filter_of, name_experiments, warn_of_links};
use super::{Context, IN_TABLES, columns, resolve, too_many_intervals};
use crate::analysis::{
    Buckets, By, GroupKey, RowKey, Statistic, Stats, StatsGroup, StatsQuestion, StatsReport,
    StatsSort,
};
use crate::cli::{StatsArgs, StatsBy, Via};
use crate::error::{CommandError, Exit, FilterError};
use crate::export::stats::StatsParts;
use crate::field::Field;
use crate::filter::aggregate::{self, Aggregate, Function, Measure, parse_aggregates};
use crate::filter::{Expr, Filter, diagnostics};
use crate::model::Timestamp;
use crate::render;
use crate::store::{
    FilterSource, InfoParts, MetricAnswer, MetricKey, MetricQuestion, MetricRow, Query,
};
use crate::table::rows::stats as sums;
use crate::units::{self, Moment, Period, Zone};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

pub(super) fn run(context: &Context, args: &StatsArgs) -> Result<Exit> {
    let form = context.form("stats")?;
    let question = question(context, args)?;
    let sort = sort(context, args, &question)?;
    let columns = columns::chosen(&args.columns, &sums::sums(&question))?;
    let mut query = Query {
        filter: filter_of(&args.filter, context)?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let answer = answer(context, args, &question, query.clone())?;
    let mut report = answer.report;
    report.sort(sort);
    let all = report.rows.len();
    if let Some(top) = args.top {
        report
            .rows
            .truncate(usize::try_from(top).unwrap_or(usize::MAX));
    }
    let of_spans = |aggregate: &Aggregate| aggregate.measure == Measure::Of(Field::SpanDuration);
    let gathered = answer.gathered.as_ref();
    let by_server = gathered.is_none();
    let is_rough = by_server && !answer.exact;
    let is_short = gathered.is_some_and(Gathered::is_short);
    let parts = StatsParts {
        columns: columns.as_deref(),
        via: if by_server { "server" } else { "here" },
        whole_milliseconds: is_rough && question.aggregates.iter().any(of_spans),
        truncated: gathered.is_some_and(Gathered::truncated) || report.rows.len() < all,
        unreadable: gathered.map_or(&[], |gathered| &gathered.unreadable),
    };
    let mut out = context.terminal.output();
    let left_out = write::write(context, &mut out, &report, &question, parts, form)?;
    out.finish()?;
    if report.traces == Some(0) && !is_short {
        context.note_no_match(&args.filter);
    } else if report.rows.is_empty() && !is_short {
        context.note("no spans match");
    }
    if parts.whole_milliseconds {
        context.note("durations of spans are whole milliseconds, as the server computes them");
    }
    let partial = |key: &&GroupKey| matches!(key, GroupKey::Span(By::Type | By::Model));
    if let Some(key) = question.keys.iter().find(partial).filter(|_| is_rough) {
        let wrappers = match key {
            GroupKey::Span(By::Model) => "; what wraps the call of a model counts as one, too",
            _ => "",
        };
        context.note_loss(&format!(
            "spans for which the server has no {key} are in no row{wrappers}"
        ));
    }
    let of_totals = |aggregate: &Aggregate| {
        matches!(aggregate.function, Function::Sum | Function::Avg)
            && matches!(
                aggregate.measure,
                Measure::Of(Field::Tokens | Field::Cost | Field::SpanTokens | Field::SpanCost)
            )
    };
    if by_server && args.via == Via::Server && question.aggregates.iter().any(of_totals) {
        context
            .note("the server leaves out tokens and cost that were recorded without their total");
    }
    note_whole_traces(context, &query.filter, &question);
    if report.without_spans > 0 {
        context.note(&format!(
            "{} without spans {} no part in what is measured of spans",
            units::counted(report.without_spans, "trace"),
            if report.without_spans == 1 {
                "takes"
            } else {
                "take"
            },
        ));
    }
    if report.in_several > 0 {
        context.note(&format!(
            "{} in a row for each of several assessments",
            if report.in_several == 1 {
                "1 trace is".to_owned()
            } else {
                format!("{} are", units::counted(report.in_several, "trace"))
            }
        ));
    }
    if report.undated > 0 {
        context.note_loss(&format!(
            "{} without a time is in no interval",
            units::counted(report.undated, "trace")
        ));
    }
    if matches!(form, Form::Delimited(_)) && !report.assessments.is_empty() {
        context.note("assessments are a table of their own; `-o json` has them too");
    }
    context.note_top(report.rows.len(), all);
    context.note_left_out(left_out, IN_TABLES);
    match answer.gathered {
        Some(gathered) => gathered.finish(context),
        None => Ok(Exit::Success),
    }
}

/// A filter chooses traces, and all their spans are measured, which whoever wrote
/// a condition on spans may not mean.
fn note_whole_traces(context: &Context, filter: &FilterSource, question: &StatsQuestion) {
    let FilterSource::Parsed(filter) = filter else {
        return;
    };
    let is_whole =
        |aggregate: &&Aggregate| aggregate.measure.is_of_spans() && aggregate.filter.is_empty();
    let Some(aggregate) = question.aggregates.iter().find(is_whole) else {
        return;
    };
    let on_one_span = |expr: &Expr| {
        let conditions = expr.conditions();
        !matches!(expr, Expr::Spans(_))
            && !conditions.is_empty()
            && conditions.iter().all(|c| c.field().is_span())
    };
    let mut chosen = filter.conjuncts().iter().filter(|expr| on_one_span(expr));
    let Some(first) = chosen.next() else {
        return;
    };
    let narrower = chosen.fold(Filter::from(first.clone()), |all, expr| {
        all.and(expr.clone().into())
    });
    let narrower = Aggregate {
        filter: narrower,
        ..aggregate.clone()
    };
    context.note("the filter chooses traces, and all their spans are measured");
    context.hint(&format!("`{narrower}` measures the spans that match alone"));
}

fn parse(context: &Context, text: &str) -> Result<Vec<Aggregate>> {
    let moment = Moment {
        now: context.now,
        zone: Zone::Local,
    };
    let parsed = parse_aggregates(text, &moment).map_err(|error| FilterError {
        text: text.to_owned(),
        error,
    })?;
    Ok(parsed)
}

fn question(context: &Context, args: &StatsArgs) -> Result<StatsQuestion> {
    let mut aggregates = Vec::new();
    if let Some(text) = &args.aggregates {
        if resolve::names_a_trace(text) {
            return Err(CommandError::usage(format!(
                "`mlt stats` takes aggregates and a filter, and `{text}` names a trace"
            ))
            .hint(format!(
                "`mlt latency {text}` tells where its time went, `mlt get {text}` shows it"
            ))
            .into());
        }
        for aggregate in parse(context, text)? {
            for warning in aggregate.filter.warnings() {
                let color = context.terminal.error_color;
                context.warn(diagnostics::render_warning(text, warning, color));
            }
            for note in aggregate.filter.notes() {
                context.note(note);
            }
            warn_of_links(context, &aggregate.filter);
            if !aggregates.contains(&aggregate) {
                aggregates.push(aggregate);
            }
        }
    }
    let defaults = aggregates.is_empty();
    let is_of_spans = |by: &StatsBy| matches!(by, StatsBy::Key(key) if key.is_of_spans());
    let by_spans = args.by.iter().any(is_of_spans);
    if defaults {
        aggregates = default_aggregates(by_spans);
    }
    let mut of_traces = aggregates
        .iter()
        .filter(|aggregate| !aggregate.measure.is_of_spans());
    let trace_aggregate = of_traces.next();
    let keys: Vec<GroupKey> = args
        .by
        .iter()
        .map(|by| by.key(trace_aggregate.is_none()))
        .collect();
    if keys.len() > 2 || keys.first().is_some_and(|key| keys[1..].contains(key)) {
        return Err(CommandError::usage("--by takes one key or two different ones").into());
    }
    if keys.iter().filter(|key| key.is_of_assessments()).count() > 1 {
        return Err(CommandError::usage(
            "each assessment of a trace would be put beside each other one",
        )
        .hint("`--by assessment.value` has the names, too")
        .into());
    }
    let span_key = keys.iter().find(|key| key.is_of_spans());
    if let (Some(key), Some(aggregate)) = (span_key, trace_aggregate) {
        return Err(CommandError::usage(format!(
            "`--by {key}` tells spans apart, and `{aggregate}` is about traces"
        ))
        .hint(if *key == GroupKey::Span(By::Model) {
            "ask about spans, as in `p95(span.duration)`; `--by models` tells traces apart by all models that they used"
        } else {
            "ask about spans, as in `p95(span.duration)`, or tell traces apart, as in `--by trace`"
        })
        .into());
    }
    let is_nothing = |every: Period| every.duration().is_zero();
    if args.over_time.every.is_some_and(is_nothing) {
        return Err(CommandError::usage("--every takes a time longer than nothing").into());
    }
    Ok(StatsQuestion {
        assessments: defaults && keys.is_empty(),
        aggregates,
        keys,
        every: args.over_time.buckets(),
    })
}

fn default_aggregates(of_spans: bool) -> Vec<Aggregate> {
    let [all, duration, tokens, cost] = if of_spans {
        [
            Measure::Span,
            Measure::Of(Field::SpanDuration),
            Measure::Of(Field::SpanTokens),
            Measure::Of(Field::SpanCost),
        ]
    } else {
        [
            Measure::Trace,
            Measure::Of(Field::ExecutionTime),
            Measure::Of(Field::Tokens),
            Measure::Of(Field::Cost),
        ]
    };
    let percentile = |parts| Aggregate::new(Function::Percentile(parts), duration.clone());
    vec![
        Aggregate::new(Function::Count, all.clone()),
        Aggregate::new(Function::ErrorRate, all),
        percentile(5_000),
        percentile(9_500),
        percentile(9_900),
        Aggregate::new(Function::Sum, tokens),
        Aggregate::new(Function::Sum, cost),
    ]
}

fn sort(context: &Context, args: &StatsArgs, question: &StatsQuestion) -> Result<StatsSort> {
    let Some(text) = &args.sort else {
        return Ok(StatsSort::Column(0));
    };
    if text == "name" {
        return Ok(StatsSort::Name);
    }
    let titles = render::stats::titles(&question.aggregates);
    let mut titles = titles.iter();
    if let Some(at) = titles.position(|title| title.eq_ignore_ascii_case(text)) {
        return Ok(StatsSort::Column(at));
    }
    let found = match parse(context, text)?.as_slice() {
        [wanted] => question.aggregates.iter().position(|a| a == wanted),
        _ => None,
    };
    found.map(StatsSort::Column).ok_or_else(|| {
        let known: Vec<String> = question
            .aggregates
            .iter()
            .map(|a| format!("`{a}`"))
            .collect();
        CommandError::usage(format!("--sort `{text}` is none of the columns"))
            .hint(format!("they are {} and `name`", known.join(", ")))
            .into()
    })
}

/// The numbers, and what became of the traces where they were looked at here.
struct Answer {
    report: StatsReport,
    /// Whether they are what the traces give, spans and all.
    exact: bool,
    gathered: Option<Gathered>,
}

fn answer(
    context: &Context,
    args: &StatsArgs,
    question: &StatsQuestion,
    query: Query,
) -> Result<Answer> {
    if args.via != Via::Here {
        match by_server(context, args, question, &query)? {
            Ok((report, exact)) => {
                if report.traces == Some(0) || report.rows.is_empty() {
                    check_experiments(context.store()?, &context.settings.experiments)?;
                }
                return Ok(Answer {
                    report,
                    exact,
                    gathered: None,
                });
            }
            Err(reason) if args.via == Via::Server => {
                return Err(CommandError::usage(format!(
                    "the server cannot be asked for this: {reason}"
                ))
                .hint("leave `--via server` out, and the numbers are computed here")
                .into());
            }
            Err(reason) if context.flags.verbose => {
                context.note(&format!("the numbers are computed here: {reason}"));
            }
            Err(_) => {}
        }
    }
    let mut stats = Stats::new(question.clone());
    let needs_usage = question.aggregates.iter().any(|a| a.measure.is_usage())
        || question.keys.iter().any(GroupKey::is_usage);
    let spans = with_usage(stats.detail(), needs_usage);
    let parts = parts(question);
    let need = Need {
        spans,
        info: parts.is_none(),
        parts: parts.unwrap_or_default(),
        usage: needs_usage,
        // Numbers are the same in any order, but for sums of fractions.
        any_order: question.aggregates.iter().all(is_whole),
    };
    let gathered = gather_found(
        context,
        query,
        args.limit.limit,
        need,
        "fetching traces",
        |trace| {
            stats.add(&trace);
            Ok(())
        },
    )?;
    Ok(Answer {
        report: stats.into_report().map_err(too_many_intervals)?,
        exact: true,
        gathered: Some(gathered),
    })
}

/// What has to be known of traces besides their ids, states, times and spans;
/// `None` for all.
fn parts(question: &StatsQuestion) -> Option<InfoParts> {
    let of_filters = |aggregate: &Aggregate| {
        let conditions = aggregate.filter.conditions();
        conditions.iter().all(|c| c.field().needs_spans())
    };
    if !question.aggregates.iter().all(of_filters) {
        return None;
    }
    let of_keys = parts_of(&question.keys)?;
    let measures = |wanted: fn(&Measure) -> bool| {
        let mut aggregates = question.aggregates.iter();
        aggregates.any(|aggregate| wanted(&aggregate.measure))
    };
    Some(InfoParts {
        usage: measures(Measure::is_usage),
        assessments: of_keys.assessments
            || question.assessments
            || measures(Measure::is_assessment),
        ..of_keys
    })
}

/// Whether an aggregate comes to the same in whatever order its samples are added.
fn is_whole(aggregate: &Aggregate) -> bool {
    !matches!(aggregate.function, Function::Sum | Function::Avg)
        || matches!(
            aggregate.measure.unit(),
            aggregate::Unit::Time | aggregate::Unit::Amount
        )
}

/// The server's numbers and whether they are those of the traces, or why there are none.
fn by_server(
    context: &Context,
    args: &StatsArgs,
    question: &StatsQuestion,
    query: &Query,
) -> Result<Result<(StatsReport, bool), String>> {
    if args.limit.limit.is_some() {
        return Ok(Err(
            "the server does not stop at a number of traces".to_owned()
        ));
    }
    let keys: Option<Vec<MetricKey>> = question.keys.iter().map(metric_key).collect();
    let Some(keys) = keys else {
        return Ok(Err(
            "the server does not tell traces apart in this way".to_owned()
        ));
    };
    let every_ns = question.every.map_or(SECOND, |every| every.every_ns());
    if every_ns % SECOND != 0 {
        return Ok(Err("the server has intervals of whole seconds".to_owned()));
    }
    if question
        .every
        .is_some_and(|every| !is_of_server(every, context))
    {
        return Ok(Err("the server has no days of a calendar".to_owned()));
    }
    let store = context.store()?;
    let whole = MetricQuestion {
        experiments: &query.experiments,
        filter: &query.filter,
        aggregates: &question.aggregates,
        keys: &keys,
        every_s: None,
        exact: args.via == Via::Auto,
        no_assessments: question.assessments,
    };
    let (rows, traces, exact) = match store.metrics(&whole)? {
        MetricAnswer::Rows {
            rows,
            traces,
            exact,
        } => (rows, traces, exact),
        MetricAnswer::Cannot(reason) => return Ok(Err(reason)),
    };
    let mut groups: Vec<StatsGroup> = rows.into_iter().map(|row| group(row, question)).collect();
    if question.every.is_some() {
        let divided = MetricQuestion {
            every_s: Some(every_ns / SECOND),
            ..whole
        };
        let rows = match store.metrics(&divided)? {
            MetricAnswer::Rows { rows, .. } => rows,
            MetricAnswer::Cannot(reason) => return Ok(Err(reason)),
        };
        for row in rows {
            let start_ms = row.start_ms.unwrap_or(0);
            let interval = start_ms.saturating_mul(1_000_000).div_euclid(every_ns);
            let part = group(row, question);
            if let Some(whole) = groups.iter_mut().find(|whole| whole.keys == part.keys) {
                whole.intervals.insert(interval, part.values);
            }
        }
    }
    let mut report = StatsReport::new(groups, question).map_err(too_many_intervals)?;
    report.traces = traces;
    Ok(Ok((report, exact)))
}

/// Whether intervals are the server's, which has multiples of their length in
/// universal time: days where these are local ones all year round, and no weeks.
fn is_of_server(every: Buckets, context: &Context) -> bool {
    const HALF_A_YEAR: i64 = 182 * 86_400 * SECOND;
    let Some(days) = every.days() else {
        return true;
    };
    let is_utc = |ago: i64| {
        let time = Timestamp::from_nanos(context.now.nanos().saturating_sub(ago));
        Zone::Local.at(time.to_utc()).offset().local_minus_utc() == 0
    };
    days % 7 != 0 && (every.is_utc() || (is_utc(0) && is_utc(HALF_A_YEAR)))
}

fn metric_key(key: &GroupKey) -> Option<MetricKey> {
    Some(match key {
        GroupKey::Trace(Field::Name) => MetricKey::TraceName,
        GroupKey::Trace(Field::Status) => MetricKey::TraceState,
        GroupKey::Span(By::Name) => MetricKey::SpanName,
        GroupKey::Span(By::Type) => MetricKey::SpanType,
        GroupKey::Span(By::Status) => MetricKey::SpanStatus,
        GroupKey::Span(By::Model) => MetricKey::SpanModel,
        _ => return None,
    })
}

fn group(row: MetricRow, question: &StatsQuestion) -> StatsGroup {
    let values = question.aggregates.iter().zip(row.values);
    StatsGroup {
        keys: row.keys.into_iter().map(RowKey::Text).collect(),
        values: values
            .map(|(aggregate, (value, n))| Statistic::new(aggregate.function, value, n))
            .collect(),
        intervals: std::collections::BTreeMap::new(),
    }
}
