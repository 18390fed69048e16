//! `mlt keys`: what can be filtered by, with the values that there are.

use std::cell::RefCell;

use anyhow::Result;

use super::form::Form;
use super::gather::{Need, gather_told};
use super::selection::{filter_of, name_experiments};
use super::{Context, IN_TABLES};
use crate::analysis::{Census, KeyCount};
use crate::cli::KeysArgs;
use crate::error::Exit;
use crate::export::keys as export;
use crate::filter::Field;
use crate::model::TraceInfo;
use crate::render;
use crate::store::{Detail, Query, Scope};
use crate::units;

pub(super) fn run(context: &Context, args: &KeysArgs) -> Result<Exit> {
    let form = context.form("keys")?;
    let prefix = args.prefix.as_deref().unwrap_or_default();
    let mut query = Query {
        filter: filter_of(&args.filter, context)?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let mut need = detail(prefix).map_or(Need::INFO, Need::with_spans);
    need.any_order = args.all;
    let census = RefCell::new(Census::default());
    let limit = args.limit().limit;
    let message = "reading keys";
    // What a trace has itself counts, too, where its spans are not to be had.
    let found = |info: &TraceInfo| census.borrow_mut().add_info(info);
    let gathered = gather_told(context, query, limit, need, message, &found, |trace| {
        census.borrow_mut().add_spans(&trace.spans);
        Ok(())
    })?;
    let census = census.into_inner();
    let mut keys = census.key_counts();
    name_experiments_of(context, &mut keys)?;
    keys.retain(|key| is_wanted(&key.field, prefix));
    let most = match args.values {
        Some(values) => usize::try_from(values).unwrap_or(usize::MAX),
        None if form == Form::Text && context.terminal.width.is_none() => 5,
        None => 10,
    };
    for key in &mut keys {
        key.more_values |= key.values.len() > most;
    }
    let mut out = context.terminal.output();
    let mut left_out = render::LeftOut::new();
    match form {
        Form::Text => {
            left_out = render::keys::write(&mut out.text(), &keys, most, &context.layout())?;
        }
        Form::Json(form) => {
            let truncated = gathered.truncated() || census.keys_left_out();
            export::write_json(out.data(), &keys, most, census.traces(), truncated, form)?;
        }
        Form::Delimited(format) => export::write_rows(out.data(), &keys, most, format)?,
    }
    out.finish()?;
    if census.traces() == 0 && gathered.failures.is_empty() {
        context.note_no_match(&args.filter);
    } else if keys.is_empty() {
        note_no_keys(context, prefix, &census);
    }
    if census.keys_left_out() {
        context.note_loss(&format!(
            "there are more keys than {}",
            units::whole(census.fields().count())
        ));
    }
    context.note_left_out(left_out, IN_TABLES);
    if gathered.limited {
        context.note_loss(&format!(
            "these are the keys of the newest {}; --all looks at every one",
            units::counted(gathered.traces, "trace")
        ));
    }
    let mut gathered = gathered;
    gathered.limited = false;
    gathered.finish(context)
}

/// Experiments are filtered by name as well, which says more.
fn name_experiments_of(context: &Context, keys: &mut [KeyCount]) -> Result<()> {
    if let Some(key) = keys.iter_mut().find(|key| key.field == Field::Experiment) {
        let known = context.store()?.experiments(Scope::Active)?;
        for (value, _) in &mut key.values {
            if let Some(experiment) = known.iter().find(|known| known.id == *value) {
                value.clone_from(&experiment.name);
            }
        }
    }
    Ok(())
}

/// How much of the spans tells all that the prefix may stand for.
fn detail(prefix: &str) -> Option<Detail> {
    let may_be = |kind: &str| kind.starts_with(prefix) || prefix.starts_with(kind);
    if may_be("span.attributes") {
        return Some(Detail::Whole);
    }
    if may_be("span.model") {
        return Some(Detail::Measures);
    }
    let of_times = ["span.name", "span.type", "span.status"];
    of_times
        .iter()
        .any(|kind| may_be(kind))
        .then_some(Detail::Times)
}

fn is_wanted(field: &Field, prefix: &str) -> bool {
    // `tag.x` and `metadata.mlflow.trace.user` are as good as `tags.x` and `user`.
    field.spelling().starts_with(prefix)
        || field.to_string().starts_with(prefix)
        || prefix
            .strip_prefix("tag.")
            .is_some_and(|key| matches!(field, Field::Tag(name) if name.starts_with(key)))
        || bare_key(field).is_some_and(|(kind, key)| {
            prefix
                .strip_prefix(kind)
                .is_some_and(|rest| key.starts_with(rest.trim_start_matches('`')))
        })
}

/// The key without the quotes that it may need.
fn bare_key(field: &Field) -> Option<(&'static str, &str)> {
    Some(match field {
        Field::Tag(key) => ("tags.", key),
        Field::Metadata(key) => ("metadata.", key),
        Field::Feedback(key) => ("feedback.", key),
        Field::Expectation(key) => ("expectation.", key),
        Field::SpanAttribute(key) => ("span.attributes.", key),
        _ => return None,
    })
}

fn note_no_keys(context: &Context, prefix: &str, census: &Census) {
    context.note(&format!("no key begins with `{prefix}`"));
    let word = prefix.rsplit('.').next().unwrap_or(prefix).to_lowercase();
    let keys = census.key_counts();
    let near = keys.iter().filter(|key| {
        let spelled = key.field.spelling().to_lowercase();
        !word.is_empty() && spelled.contains(&word)
    });
    let names: Vec<String> = near
        .take(5)
        .map(|key: &KeyCount| format!("`{}`", key.field.spelling()))
        .collect();
    if names.is_empty() {
        context.hint(
            "keys begin with tags, metadata, feedback, expectation, span or span.attributes; `mlt keys` lists all",
        );
    } else {
        context.hint(&format!("there is {}", names.join(", ")));
    }
}
