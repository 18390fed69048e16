//! Which traces a command is about: filters and their shorthands become one
//! filter, experiment names become ids.

use anyhow::Result;

use super::Context;
use crate::cli::FilterArgs;
use crate::error::{CommandError, Exit, FilterError};
use crate::field;
use crate::filter::{self, Comparator, Condition, Expr, Field, Filter, Moment, diagnostics};
use crate::model::{Experiment, Timestamp, looks_like_trace_id, metadata, normalize_trace_id};
use crate::store::{FilterSource, Location, Query, Scope, Store};
use crate::units;

/// One of the conditions that were asked for.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// As it was typed, or as near to it as can be.
    pub(super) label: String,
    /// What it says.
    pub(super) meaning: Meaning,
}

/// What a condition says.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    /// This.
    Known(Expr),
    /// What the server makes of this text.
    Servers(String),
}

impl Part {
    /// What it says, where that is known.
    pub(super) fn expr(&self) -> Option<&Expr> {
        match &self.meaning {
            Meaning::Known(expr) => Some(expr),
            Meaning::Servers(_) => None,
        }
    }
}

/// The filter that the flags come to. Doubts about it go to standard error.
///
/// # Errors
/// A filter that does not parse, or a value that no filter can hold.
pub(super) fn filter_of(args: &FilterArgs, context: &Context) -> Result<FilterSource> {
    let mut filter = Filter::default();
    for (text, parsed) in args.filters.iter().zip(parsed(args, context)?) {
        for warning in parsed.warnings() {
            let color = context.terminal.error_color;
            context.warn(diagnostics::render_warning(text, warning, color));
        }
        for note in parsed.notes() {
            context.note(note);
        }
        filter = filter.and(parsed);
    }
    for (_, condition) in shorthands(args, context)? {
        filter = filter.and(condition.into());
    }
    Ok(match &args.raw_filter {
        None => FilterSource::Parsed(filter),
        Some(raw) if filter.is_empty() => FilterSource::Raw(raw.clone()),
        Some(_) if filter.server_conditions().is_none() => {
            return Err(CommandError::usage(
                "--raw-filter goes together only with filters that the server understands",
            )
            .hint(format!(
                "`{filter}` is more than that; leave one of the two out"
            ))
            .into());
        }
        Some(raw) => FilterSource::Raw(format!("{raw} AND {filter}")),
    })
}

fn parsed(args: &FilterArgs, context: &Context) -> Result<Vec<Filter>> {
    let moment = Moment {
        now: context.now,
        zone: filter::Zone::Local,
    };
    let parse = |text: &String| {
        filter::parse_in(text, &moment).map_err(|error| {
            FilterError {
                text: text.clone(),
                error,
            }
            .into()
        })
    };
    args.filters.iter().map(parse).collect()
}

/// The same, condition by condition.
///
/// # Errors
/// As for [`filter_of`].
pub(super) fn parts_of(args: &FilterArgs, context: &Context) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for filter in parsed(args, context)? {
        parts.extend(filter.effective_conjuncts().map(|expr| Part {
            label: expr.spelling(),
            meaning: Meaning::Known(expr.clone()),
        }));
    }
    let shorthands = shorthands(args, context)?.into_iter();
    parts.extend(shorthands.map(|(label, condition)| Part {
        label,
        meaning: Meaning::Known(condition.into()),
    }));
    parts.extend(args.raw_filter.iter().map(|raw| Part {
        label: format!("--raw-filter {raw}"),
        meaning: Meaning::Servers(raw.clone()),
    }));
    Ok(parts)
}

/// Each with what was typed for it.
fn shorthands(args: &FilterArgs, context: &Context) -> Result<Vec<(String, Condition)>> {
    use Comparator::{Equal, GreaterOrEqual, Less, LessOrEqual, Like};
    let mut all = Vec::new();
    let mut text = |flag: &str, typed: &str, field: Field, comparator, value: &str| -> Result<()> {
        let condition = Condition::text(field, comparator, value)
            .map_err(|error| CommandError::usage(format!("{flag} `{value}`: {error}")))?;
        all.push((format!("{flag} {typed}"), condition));
        Ok(())
    };
    if let Some(name) = &args.name {
        let comparator = if name.contains('%') { Like } else { Equal };
        text("--name", name, Field::Name, comparator, name)?;
    }
    for pair in &args.tags {
        let (key, value) = key_value("--tag", pair)?;
        text("--tag", pair, Field::Tag(key.to_owned()), Equal, value)?;
    }
    for pair in &args.metadata {
        let (key, value) = key_value("--metadata", pair)?;
        let field = Field::Metadata(key.to_owned());
        text("--metadata", pair, field, Equal, value)?;
    }
    let metadata_field = |key: &str| Field::Metadata(key.to_owned());
    for (flag, value, field) in [
        (
            "--session",
            &args.session,
            metadata_field(metadata::SESSION),
        ),
        ("--user", &args.user, metadata_field(metadata::USER)),
        ("--run-id", &args.run_id, Field::RunId),
        (
            "--model-id",
            &args.model_id,
            metadata_field(metadata::MODEL_ID),
        ),
        (
            "--client-request-id",
            &args.client_request_id,
            Field::ClientRequestId,
        ),
        ("--span-name", &args.span_name, Field::SpanName),
    ] {
        if let Some(value) = value {
            text(flag, value, field, Equal, value)?;
        }
    }
    if let Some(kind) = &args.span_type {
        // MLflow's own types are in capitals; others are as they were written.
        let known = field::SPAN_TYPES
            .iter()
            .find(|known| known.eq_ignore_ascii_case(kind));
        let value = known.copied().unwrap_or(kind);
        text("--span-type", kind, Field::SpanType, Equal, value)?;
    }
    if !args.status.is_empty() {
        let states = args.status.iter().map(|s| s.to_ascii_uppercase());
        let condition = Condition::list(Field::Status, Comparator::In, states)?;
        all.push((format!("--status {}", args.status.join(",")), condition));
    }
    if let Some(words) = &args.text {
        all.push((format!("--text {words}"), text_condition(words)?));
    }
    for (flag, period, comparator) in [
        ("--min-duration", args.min_duration, GreaterOrEqual),
        ("--max-duration", args.max_duration, LessOrEqual),
    ] {
        if let Some(period) = period {
            let condition = Condition::number(Field::ExecutionTime, comparator, period.millis())?;
            let nanos = i64::try_from(period.duration().as_nanos()).unwrap_or(i64::MAX);
            all.push((format!("{flag} {}", units::duration(nanos)), condition));
        }
    }
    // Traces have whole milliseconds, spans finer times: one that began in the
    // millisecond of a span's time is at or after it, and not before what follows.
    let since = args.since.map(|point| point.resolve(context.now).millis());
    let until = args.until.map(|point| {
        let time = point.resolve_end(context.now);
        time.millis() + i64::from(time.nanos().rem_euclid(1_000_000) != 0)
    });
    for (flag, point, millis, comparator) in [
        ("--since", args.since, since, GreaterOrEqual),
        ("--until", args.until, until, Less),
    ] {
        if let (Some(point), Some(millis)) = (point, millis) {
            let condition = Condition::number(Field::Timestamp, comparator, millis)?;
            let typed = point.resolve(context.now).millis();
            // The fraction of a second is no more than when it was asked.
            let fraction = if point.is_relative() {
                typed.rem_euclid(1000)
            } else {
                0
            };
            let shown = Timestamp::from_millis(typed - fraction);
            all.push((format!("{flag} {shown}"), condition));
        }
    }
    Ok(all)
}

/// Says of a figure that asks for runs what it does not know.
pub(super) fn warn_of_links(context: &Context, filter: &Filter) {
    let mut conditions = filter.conditions().into_iter();
    let asks = conditions.any(|condition| *condition.field() == Field::RunId);
    let location = &context.settings.location;
    let has_links = matches!(
        location,
        Location::Server(_) | Location::Sqlite { .. } | Location::Database(_)
    );
    if asks && has_links {
        context.warn(
            "`run_id` in a figure is the run that a trace was made in; the traces that were \
             linked to a run later are found by -f alone",
        );
    }
}

/// Free text is looked for in the spans; a trace id is looked up as one.
fn text_condition(words: &str) -> Result<Condition> {
    let words = words.trim();
    let condition = if looks_like_trace_id(words) {
        let id = normalize_trace_id(words);
        if id.len() == "tr-".len() + 32 {
            Condition::text(Field::RequestId, Comparator::Equal, id)
        } else if id.starts_with("tr-") {
            Condition::text(Field::RequestId, Comparator::Like, format!("{id}%"))
        } else {
            let ids = [format!("tr-{id}"), id];
            Condition::list(Field::RequestId, Comparator::In, ids)
        }
    } else {
        Condition::text(
            Field::SpanContent,
            Comparator::Ilike,
            content_pattern(words),
        )
    };
    Ok(condition.map_err(|error| CommandError::usage(format!("--text `{words}`: {error}")))?)
}

/// Whether free text is a condition for which `-f` was forgotten.
pub(super) fn looks_like_filter(words: &str) -> bool {
    let Some(at) = words.find(['=', '!', '<', '>']) else {
        return filter::parse(words).is_ok_and(|filter| !filter.is_empty());
    };
    let key = &words[..at];
    ["= 'x'", "> 1"]
        .iter()
        .any(|rest| filter::parse(&format!("{key} {rest}")).is_ok())
}

/// A pattern for text within a stored span. There, values are JSON within JSON:
/// what had to be escaped is matched by `%`, however often it was escaped.
fn content_pattern(words: &str) -> String {
    let escaped = |c: char| matches!(c, '"' | '\\') || c.is_control();
    format!("%{}%", words.replace(escaped, "%"))
}

/// Splits `KEY=VALUE`.
///
/// # Errors
/// When there is no `=`, or nothing before it.
pub(super) fn key_value<'a>(flag: &str, pair: &'a str) -> Result<(&'a str, &'a str)> {
    match pair.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(CommandError::usage(format!("{flag}: expected KEY=VALUE, found `{pair}`")).into()),
    }
}

/// Experiments as ids. Digits are taken for an id, and checked only when
/// nothing was found (see [`check_experiments`]).
///
/// # Errors
/// A name that no experiment has, with near ones.
pub(super) fn experiment_ids(store: &dyn Store, named: &[String]) -> Result<Vec<String>> {
    named
        .iter()
        .map(|name| {
            if Experiment::is_id(name) {
                return Ok(name.clone());
            }
            match store.experiments(Scope::Named(name))?.pop() {
                Some(experiment) => Ok(experiment.id),
                None => Err(unknown_experiment(store, name)),
            }
        })
        .collect()
}

/// The experiment of this name or id, where something is to be put into it.
///
/// # Errors
/// That there is none, with near names, and that it is deleted.
pub(super) fn living_experiment(store: &dyn Store, name: &str) -> Result<Experiment> {
    let scope = if Experiment::is_id(name) {
        Scope::WithId(name)
    } else {
        Scope::Named(name)
    };
    match store.experiments(scope)?.pop() {
        Some(experiment) if experiment.active => Ok(experiment),
        Some(_) => {
            let message = format!("the experiment `{name}` is deleted");
            Err(CommandError::new(Exit::NotFound, message)
                .hint("restore it, or name another one with -x")
                .into())
        }
        None => Err(unknown_experiment(store, name)),
    }
}

/// The experiment that was named, where there can be only one: what `to_do` says is done with it.
///
/// # Errors
/// That there are several.
pub(super) fn only_experiment<'c>(context: &'c Context, to_do: &str) -> Result<Option<&'c str>> {
    match context.settings.experiments.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => {
            let found = units::counted(several.len(), "experiment");
            let message = format!("expected one experiment to {to_do}, found {found}");
            Err(CommandError::usage(message).into())
        }
    }
}

/// Puts ids for the experiments that a query is about, and for those that its
/// filter names.
///
/// # Errors
/// A name that no experiment has, with near ones.
pub(super) fn name_experiments(
    context: &Context,
    store: &dyn Store,
    query: &mut Query,
) -> Result<()> {
    query.experiments = experiment_ids(store, &context.settings.experiments)?;
    if let FilterSource::Parsed(filter) = &mut query.filter
        && filter.names_experiments()
    {
        let known: Vec<(String, String)> = store
            .experiments(Scope::Active)?
            .into_iter()
            .map(|experiment| (experiment.id, experiment.name))
            .collect();
        filter.resolve_experiments(&known);
    }
    Ok(())
}

/// After an empty answer: whether the ids that were asked for exist at all.
///
/// # Errors
/// An id that no experiment has, with near names.
pub(super) fn check_experiments(store: &dyn Store, named: &[String]) -> Result<()> {
    for id in named.iter().filter(|name| Experiment::is_id(name)) {
        if store.experiments(Scope::WithId(id))?.is_empty() {
            return Err(unknown_experiment(store, id));
        }
    }
    Ok(())
}

fn unknown_experiment(store: &dyn Store, name: &str) -> anyhow::Error {
    const SHOWN: usize = 5;
    let error = CommandError::new(
        Exit::NotFound,
        format!("no experiment `{name}` in {}", store.describe()),
    );
    let experiments = match store.experiments(Scope::Active) {
        Ok(experiments) => experiments,
        Err(error) => return error.into(),
    };
    let mut near: Vec<(f64, &Experiment)> = experiments
        .iter()
        .map(|e| {
            let (given, known) = (name.to_lowercase(), e.name.to_lowercase());
            let contained = known.contains(&given) || given.contains(&known);
            let likeness = strsim::jaro_winkler(&given, &known);
            (
                if contained {
                    likeness.max(0.9)
                } else {
                    likeness
                },
                e,
            )
        })
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let likely: Vec<_> = near
        .iter()
        .filter(|(likeness, _)| *likeness >= 0.75)
        .collect();
    let list = |chosen: &mut dyn Iterator<Item = &Experiment>| {
        let names: Vec<String> = chosen
            .take(SHOWN)
            .map(|e| format!("`{}` (id {})", e.name, e.id))
            .collect();
        names.join(", ")
    };
    if experiments.is_empty() {
        return error.hint("there is no experiment at all").into();
    }
    if likely.is_empty() {
        let more = experiments.len().saturating_sub(SHOWN);
        let tail = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        // Servers and databases have orders of their own.
        let mut in_order: Vec<&Experiment> = experiments.iter().collect();
        in_order.sort_by(|a, b| a.name.cmp(&b.name));
        let all = list(&mut in_order.into_iter());
        return error.hint(format!("there are {all}{tail}")).into();
    }
    error
        .hint(format!(
            "did you mean {}?",
            list(&mut likely.iter().map(|(_, e)| *e))
        ))
        .into()
}
