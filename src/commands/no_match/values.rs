//! What there is instead of what a condition asks for: the values of its key, the
//! keys that are there where nothing has that one, and the range of numbers.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::Instant;

use super::{CauseSearch, Part};
use crate::analysis::Census;
use crate::filter::{Comparator, Condition, Field, Value, parse_order_by};
use crate::model::{Timestamp, TokenUsage, Trace, TraceInfo};
use crate::store::{Detail, Scope, TraceRefs, Want};
use crate::text::{sanitize, width as text};
use crate::units;

/// Values and keys that are listed.
const LISTED: usize = 5;
/// Traces whose spans are looked at.
const WITH_SPANS: usize = 40;
/// Traces whose spans are asked for between two looks at the clock.
const BATCH: usize = 8;
/// Columns of one value.
const VALUE_WIDTH: usize = 40;
/// How like what was asked for a value has to be to be meant.
const LIKENESS: f64 = 0.8;

/// Traces that were looked at.
pub(super) struct Looked {
    pub(super) parts: Vec<Part>,
    pub(super) experiments: Vec<String>,
    pub(super) infos: Vec<TraceInfo>,
    /// Whether there are more.
    pub(super) more: bool,
}

/// What to say behind a condition, or behind several of one expression.
pub(super) fn tail(
    search: &CauseSearch<'_>,
    conditions: &[&Condition],
    looked: &Looked,
) -> Option<String> {
    let mut told: Vec<&Field> = Vec::new();
    let mut tails = Vec::new();
    for condition in conditions {
        if told.contains(&condition.field()) || told.len() == 2 {
            continue;
        }
        told.push(condition.field());
        tails.extend(of_one(search, condition, looked));
    }
    (!tails.is_empty()).then(|| tails.join("; "))
}

fn of_one(search: &CauseSearch<'_>, condition: &Condition, looked: &Looked) -> Option<String> {
    let field = condition.field();
    match field {
        Field::RequestId | Field::SpanContent | Field::Prompt | Field::IssueId => None,
        Field::Timestamp => time_told(search, condition, looked),
        Field::Experiment => experiments(search, condition),
        _ => {
            let traces = traces(search, field, &looked.infos)?;
            if field.is_numeric() {
                return range(field, &traces);
            }
            let mut census = Census::default();
            for trace in &traces {
                census.add(&trace.info, &trace.spans);
            }
            let sample = looked.more || census.traces() < looked.infos.len();
            Some(known_values(condition, &census, sample))
        }
    }
}

/// The traces; where the key is one of spans, the first ones, as far as their spans
/// can be read.
fn traces(search: &CauseSearch<'_>, field: &Field, infos: &[TraceInfo]) -> Option<Vec<Trace>> {
    if !field.needs_spans() {
        let without_spans = |info: &TraceInfo| Trace {
            info: info.clone(),
            spans: Vec::new(),
        };
        return Some(infos.iter().map(without_spans).collect());
    }
    let detail = field.detail().unwrap_or(Detail::Times);
    let mut all = Vec::new();
    for batch in infos[..infos.len().min(WITH_SPANS)].chunks(BATCH) {
        if Instant::now() >= search.end {
            break;
        }
        let before = all.len();
        let (batch, want) = (TraceRefs::Known(batch.to_vec()), Want::spans(detail));
        let fetched = search.store.fetch_all(batch, want, &mut |_, trace| {
            all.extend(trace);
            ControlFlow::Continue(())
        });
        fetched.ok()?;
        if all.len() == before {
            // Where none can be read, the next ones cannot either.
            break;
        }
    }
    (!all.is_empty()).then_some(all)
}

/// When the traces are, on the side that the condition leaves out.
fn time_told(search: &CauseSearch<'_>, condition: &Condition, looked: &Looked) -> Option<String> {
    let oldest_wanted = matches!(
        condition.comparator(),
        Comparator::Less | Comparator::LessOrEqual
    );
    let (word, time) = if oldest_wanted {
        let parts: Vec<&Part> = looked.parts.iter().collect();
        let order = parse_order_by("time ASC").ok()?;
        let first = search.look_in_order(&parts, &looked.experiments, order, 1);
        let first = first.ok()?.infos.into_iter().next()?;
        ("oldest", first.request_time?)
    } else {
        let newest = looked.infos.iter().filter_map(|info| info.request_time);
        ("newest", newest.max()?)
    };
    let second = time.millis() - time.millis().rem_euclid(1000);
    // Within the second that was asked about, the rest of it decides.
    let is_within = match condition.value() {
        Value::Number(asked) => {
            let asked = asked.as_f64();
            #[allow(clippy::cast_precision_loss, reason = "milliseconds are exact")]
            let second = second as f64;
            (second..second + 1000.0).contains(&asked)
        }
        _ => false,
    };
    let shown = if is_within {
        time
    } else {
        Timestamp::from_millis(second)
    };
    Some(format!("the {word} is of {shown}"))
}

fn experiments(search: &CauseSearch<'_>, condition: &Condition) -> Option<String> {
    let known = search.store.experiments(Scope::Active).ok()?;
    let names: Vec<&str> = known.iter().map(|e| e.name.as_str()).collect();
    let mut told = format!("experiments are {}", cut_list(&names));
    if let Some(meant) = wanted(condition).and_then(|wanted| nearest(&wanted, &names)) {
        told.push_str(&did_you_mean(meant));
    }
    Some(told)
}

#[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
fn range(field: &Field, traces: &[Trace]) -> Option<String> {
    let infos: Vec<&TraceInfo> = traces.iter().map(|trace| &trace.info).collect();
    let usage = |pick: fn(&TokenUsage) -> Option<i64>| {
        let of = move |info: &&TraceInfo| Some(pick(&info.usage()?)? as f64);
        infos.iter().filter_map(of).collect::<Vec<f64>>()
    };
    let values: Vec<f64> = match field {
        Field::ExecutionTime => infos
            .iter()
            .filter_map(|info| info.execution_duration_ns.map(|ns| ns as f64))
            .collect(),
        Field::Tokens => usage(TokenUsage::total),
        Field::InputTokens => usage(|usage| usage.input_tokens),
        Field::OutputTokens => usage(|usage| usage.output_tokens),
        Field::Cost => infos
            .iter()
            .filter_map(|info| info.cost().and_then(|cost| cost.total()))
            .collect(),
        Field::SpanCount => traces
            .iter()
            .map(|trace| trace.spans.len() as f64)
            .collect(),
        Field::SpanDuration => traces
            .iter()
            .flat_map(|trace| &trace.spans)
            .filter_map(|span| span.raw_duration_ns().map(|ns| ns as f64))
            .collect(),
        _ => return None,
    };
    let name = field.spelling();
    let Some(least) = values.iter().copied().reduce(f64::min) else {
        return Some(format!("none of them has {name}"));
    };
    let most = values.iter().copied().fold(least, f64::max);
    #[allow(clippy::cast_possible_truncation, reason = "rounded to be shown")]
    let shown = |value: f64| match field {
        Field::ExecutionTime => units::server_duration(value as i64),
        Field::SpanDuration => units::duration(value as i64),
        Field::Cost => units::cost(value),
        _ => units::count(value as i64),
    };
    Some(if shown(least) == shown(most) {
        format!("the value is {}", shown(least))
    } else {
        format!("values are from {} to {}", shown(least), shown(most))
    })
}

fn known_values(condition: &Condition, census: &Census, sample: bool) -> String {
    let field = condition.field();
    let name = field.spelling();
    let Some(key) = census.key_count(field) else {
        return missing_key(field, &name, census, sample);
    };
    if key.values.is_empty() {
        return format!("{name} has no short values to compare with");
    }
    let of = if sample {
        format!(" in the newest {}", census.traces())
    } else {
        String::new()
    };
    let word = if key.values.len() == 1 && !key.more_values {
        "the value is"
    } else {
        "values are"
    };
    let mut told = format!("{word} {}{of}", listed(&key.values, key.more_values));
    let names: Vec<&str> = key.values.iter().map(|(value, _)| value.as_str()).collect();
    if let Some(meant) = wanted(condition).and_then(|wanted| nearest(&wanted, &names)) {
        told.push_str(&did_you_mean(meant));
    }
    told
}

/// What keys there are, where nothing has the one that was asked for.
fn missing_key(field: &Field, name: &str, census: &Census, sample: bool) -> String {
    let none = if sample {
        format!("none of the newest {} has {name}", census.traces())
    } else {
        format!("nothing has {name}")
    };
    let Some((wanted, same_kind)) = kind(field) else {
        return none;
    };
    let mut keys = census.key_counts();
    keys.retain(|key| key.field != *field && kind(&key.field).is_some());
    let elsewhere = |key: &&crate::analysis::KeyCount| {
        kind(&key.field).is_some_and(|(key, _)| key.eq_ignore_ascii_case(wanted))
    };
    let likeness = |key: &crate::analysis::KeyCount| {
        let (known, known_kind) = kind(&key.field)?;
        let likeness = if known_kind == same_kind {
            like(wanted, known)
        } else {
            0.0
        };
        (likeness >= LIKENESS).then_some(likeness)
    };
    let near = keys
        .iter()
        .filter_map(|key| Some((likeness(key)?, key)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key);
    let meant = keys.iter().find(elsewhere).or(near);
    let own = |key: &&crate::analysis::KeyCount| {
        kind(&key.field).is_some_and(|(name, kind)| {
            kind == same_kind && (wanted.starts_with("mlflow.") || !name.starts_with("mlflow."))
        })
    };
    let known: Vec<String> = keys
        .iter()
        .filter(own)
        .map(|key| key.field.spelling())
        .collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut told = none;
    if !known.is_empty() {
        let _ = write!(told, "; keys are {}", cut_list(&known));
    }
    if let Some(key) = meant {
        let _ = write!(told, "; did you mean `{}`?", key.field.spelling());
    }
    told
}

/// A key with a name of its own, and a word for its kind.
fn kind(field: &Field) -> Option<(&str, &'static str)> {
    match field {
        Field::Tag(key) => Some((key, "tags")),
        Field::Metadata(key) => Some((key, "metadata")),
        Field::Feedback(key) => Some((key, "feedback")),
        Field::Expectation(key) => Some((key, "expectation")),
        Field::SpanAttribute(key) => Some((key, "attributes")),
        _ => None,
    }
}

/// The text that a condition looks for, without the signs of a pattern.
fn wanted(condition: &Condition) -> Option<String> {
    let positive = !condition.comparator().is_negated();
    match condition.value() {
        Value::Text(text) if positive => match condition.comparator() {
            Comparator::Like | Comparator::Ilike => Some(text.replace('%', "")),
            Comparator::Rlike => None,
            _ => Some(text.clone()),
        },
        Value::List(texts) if positive => texts.first().cloned(),
        _ => None,
    }
}

fn like(wanted: &str, known: &str) -> f64 {
    let (wanted, known) = (wanted.to_lowercase(), known.to_lowercase());
    if wanted.is_empty() || known.is_empty() {
        return 0.0;
    }
    if wanted == known {
        return 1.0;
    }
    let mut likeness = strsim::jaro_winkler(&wanted, &known);
    let letters = wanted.chars().count();
    let slips = if letters < 5 { 1 } else { 2 };
    if letters > 2 && strsim::osa_distance(&wanted, &known) <= slips {
        likeness = likeness.max(0.85);
    }
    let (short, long) = if wanted.len() < known.len() {
        (&wanted, &known)
    } else {
        (&known, &wanted)
    };
    if short.chars().count() >= 3 && long.contains(short.as_str()) {
        likeness.max(0.9)
    } else {
        likeness
    }
}

fn nearest<'v>(wanted: &str, values: &[&'v str]) -> Option<&'v str> {
    if values.contains(&wanted) {
        return None;
    }
    values
        .iter()
        .map(|value| (like(wanted, value), *value))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, value)| value)
}

fn did_you_mean(value: &str) -> String {
    format!("; did you mean '{}'?", short(value))
}

fn short(value: &str) -> String {
    text::fit(&sanitize::line(value), VALUE_WIDTH).into_owned()
}

/// `prod (28), test (7) and 3 more`.
pub(super) fn listed(values: &[(String, usize)], more: bool) -> String {
    let shown: Vec<String> = values
        .iter()
        .take(LISTED)
        .map(|(value, traces)| match value.as_str() {
            "" => format!("an empty one ({traces})"),
            value => format!("{} ({traces})", short(value)),
        })
        .collect();
    with_rest(&shown, values.len().saturating_sub(LISTED), more)
}

fn cut_list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| short(name)).collect();
    with_rest(&shown, names.len().saturating_sub(LISTED), false)
}

fn with_rest(shown: &[String], rest: usize, more: bool) -> String {
    let shown = shown.join(", ");
    match (rest, more) {
        (0, false) => shown,
        (0, true) => format!("{shown} and others"),
        (rest, false) => format!("{shown} and {rest} more"),
        (rest, true) => format!("{shown} and more than {rest} others"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Expr, parse};

    fn told(filter: &str, tags: &[(&str, &str)]) -> String {
        let mut census = Census::default();
        for (key, value) in tags {
            let mut info = TraceInfo::new("tr-1");
            info.tags.insert((*key).to_owned(), (*value).to_owned());
            census.add(&info, &[]);
        }
        let filter = parse(filter).unwrap();
        let [Expr::Condition(condition)] = filter.conjuncts() else {
            panic!("{filter}");
        };
        known_values(condition, &census, false)
    }

    #[test]
    fn the_nearest_value_is_named() {
        let tags = [("env", "prod"), ("env", "test"), ("env", "prod")];
        assert_eq!(
            told("tags.env = 'production'", &tags),
            "values are prod (2), test (1); did you mean 'prod'?"
        );
        assert_eq!(
            told("tags.env = 'PROD'", &tags[..1]),
            "the value is prod (1); did you mean 'prod'?"
        );
        assert_eq!(
            told("tags.env = 'xyz'", &tags),
            "values are prod (2), test (1)"
        );
        assert_eq!(
            told("tags.env != 'prod'", &tags[..1]),
            "the value is prod (1)"
        );
        assert_eq!(
            told("tags.env = 'x'", &[("env", "")]),
            "the value is an empty one (1)"
        );
    }

    #[test]
    fn the_nearest_key_is_named() {
        let tags = [("env", "prod"), ("mlflow.x", "1"), ("release", "7")];
        assert_eq!(
            told("tags.evn = 'prod'", &tags),
            "nothing has tags.evn; keys are tags.env, tags.release; did you mean `tags.env`?"
        );
        assert_eq!(
            told("metadata.env = 'prod'", &tags),
            "nothing has metadata.env; did you mean `tags.env`?"
        );
        assert_eq!(told("name = 'x'", &tags), "nothing has name");
    }
}
