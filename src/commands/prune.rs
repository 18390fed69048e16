//! `mlt prune`: old traces go, but for those that are worth keeping.

use std::collections::HashSet;

use anyhow::Result;

use super::Context;
use super::change::{self, Found, Order};
use super::delete::Deletion;
use super::gather::{Need, gather_found};
use super::selection::{filter_of, name_experiments};
use crate::analysis::{Amount, GroupKey, Keep};
use crate::cli::{FilterArgs, PruneArgs};
use crate::error::{CommandError, Exit};
use crate::model::TraceInfo;
use crate::store::{InfoParts, Query};
use crate::units::{self, Fraction};

/// What to keep, as it was typed.
enum Rule<'t> {
    /// It says so by itself.
    Known(Keep),
    /// A filter, which the store answers.
    Filter(&'t str),
}

pub(super) fn run(context: &Context, args: &PruneArgs) -> Result<Exit> {
    let form = context.form("prune")?;
    if args.filter.until.is_some() {
        let message = "--older-than says already until when, found --until, too";
        return Err(CommandError::usage(message).into());
    }
    let rules: Vec<Rule> = args
        .keep
        .iter()
        .map(|text| rule(text))
        .collect::<Result<_>>()?;
    let old = FilterArgs {
        until: Some(args.older_than),
        ..args.filter.clone()
    };
    // All filters are read before any is answered.
    let kept: Vec<Query> = rules
        .iter()
        .filter_map(|rule| match rule {
            Rule::Known(_) => None,
            Rule::Filter(text) => Some(query(context, &with(&old, text))),
        })
        .collect::<Result<_>>()?;
    let mut traces: Vec<TraceInfo> = Vec::new();
    let gathered = gather_found(
        context,
        query(context, &old)?,
        None,
        Need::INFO,
        "finding traces",
        |trace| {
            traces.push(TraceInfo {
                request_preview: None,
                response_preview: None,
                ..trace.info
            });
            Ok(())
        },
    )?;
    let mut kept = kept.into_iter();
    let mut keeps = Vec::with_capacity(rules.len());
    for rule in rules {
        keeps.push(match rule {
            Rule::Known(keep) => keep,
            Rule::Filter(_) => Keep::Chosen(match kept.next() {
                Some(query) => matching(context, query)?,
                None => HashSet::new(),
            }),
        });
    }
    if traces.is_empty() && gathered.unreadable.is_empty() {
        context.note_no_match(&old);
        return Ok(Exit::Success);
    }
    let traces = without_kept(context, args, traces, &keeps);
    let order = Order {
        words: &[],
        filter: &old,
        dry_run: args.belt.dry_run,
        yes: args.belt.yes,
        most: args.belt.max,
    };
    let found = Found {
        traces,
        unreadable: gathered.unreadable,
    };
    change::run_on(context, form, order, &Deletion::new(context), found)
}

/// What a text says is to be kept.
fn rule(text: &str) -> Result<Rule<'_>> {
    let wrong = |expected: &str| {
        let message = format!("--keep: expected {expected}, found `{text}`");
        let hint = "it may also be errors, slowest:1%, 5/name, or a filter";
        CommandError::usage(message).hint(hint)
    };
    if text == "errors" {
        return Ok(Rule::Known(Keep::Failed));
    }
    if let Some(amount) = text.strip_prefix("slowest:") {
        let amount = match amount.parse() {
            Ok(count) => Amount::Count(count),
            Err(_) if amount.ends_with('%') => amount
                .parse::<Fraction>()
                .map(|share| Amount::Share(share.get()))
                .map_err(|_| wrong("a share such as slowest:1%"))?,
            Err(_) => return Err(wrong("a number or a share, such as slowest:1%").into()),
        };
        if matches!(amount, Amount::Count(0))
            || matches!(amount, Amount::Share(share) if share <= 0.0)
        {
            return Err(wrong("a number or a share above 0").into());
        }
        return Ok(Rule::Known(Keep::Slowest(amount)));
    }
    if let Some((count, key)) = text.split_once('/')
        && let Ok(count) = count.parse()
    {
        // What is the name or the status of a span elsewhere is that of a trace here.
        let of = GroupKey::of_traces(key).filter(|of| !of.needs_spans());
        let of = of.ok_or_else(|| wrong("a key of traces behind the `/`, such as 5/name"))?;
        if count == 0 {
            return Err(wrong("a number above 0 before the `/`").into());
        }
        return Ok(Rule::Known(Keep::Newest { count, of }));
    }
    // Of a filter with a mistake in it, its reader says what is wrong; a single word is none.
    if !text.contains(|c: char| c.is_whitespace() || "=<>!(".contains(c)) {
        return Err(wrong("what to keep").into());
    }
    Ok(Rule::Filter(text))
}

/// The same, with one filter more.
fn with(args: &FilterArgs, filter: &str) -> FilterArgs {
    let mut args = args.clone();
    args.filters.push(filter.to_owned());
    args
}

fn query(context: &Context, args: &FilterArgs) -> Result<Query> {
    let mut query = Query {
        filter: filter_of(args, context)?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    Ok(query)
}

/// The ids of the traces that a query finds. What cannot be had or judged may match, and is
/// not deleted.
fn matching(context: &Context, query: Query) -> Result<HashSet<String>> {
    let need = Need {
        info: false,
        parts: InfoParts::NONE,
        any_order: true,
        ..Need::INFO
    };
    let mut ids = HashSet::new();
    let gathered = gather_found(
        context,
        query,
        None,
        need,
        "finding what to keep",
        |trace| {
            ids.insert(trace.info.trace_id);
            Ok(())
        },
    )?;
    let unreadable = gathered.unreadable.into_iter();
    ids.extend(unreadable.filter_map(|one| one.trace_id));
    ids.extend(gathered.failures.into_iter().map(|(id, _)| id));
    ids.extend(context.store()?.unjudged());
    Ok(ids)
}

/// Those that nothing keeps; says what is kept.
fn without_kept(
    context: &Context,
    args: &PruneArgs,
    traces: Vec<TraceInfo>,
    keeps: &[Keep],
) -> Vec<TraceInfo> {
    let mut is_kept = vec![false; traces.len()];
    let mut by_rule = Vec::with_capacity(keeps.len());
    for (text, keep) in args.keep.iter().zip(keeps) {
        let places = keep.kept(&traces);
        by_rule.push(format!("{text} {}", units::whole(places.len())));
        for at in places {
            is_kept[at] = true;
        }
    }
    let kept = is_kept.iter().filter(|kept| **kept).count();
    if !traces.is_empty() {
        let all = units::counted(traces.len(), "old trace");
        let kept = units::whole(kept);
        context.note(&format!("kept: {kept} of {all} ({})", by_rule.join(", ")));
    }
    let mut is_kept = is_kept.into_iter();
    traces
        .into_iter()
        .filter(|_| !is_kept.next().unwrap_or(true))
        .collect()
}
