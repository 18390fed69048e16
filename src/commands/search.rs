//! `mlt search`: find traces, page by page, and print them as they come.

mod follow;
mod printer;
mod sample;

use anyhow::Result;
use serde_json::json;

use super::Context;
use super::completing::Lack;
use super::form::Form;
use super::ordered::{Ordered, of_no_store};
use super::selection::{check_experiments, filter_of, looks_like_filter, name_experiments};
use super::usage::UsageLookup;
use crate::cli::{OutputFormat, SearchArgs, WITH_IDS};
use crate::error::{CommandError, Exit, FilterError};
use crate::export::JsonForm;
use crate::export::json as json_export;
use crate::export::unreadable::add_to;
use crate::field::Field;
use crate::filter::{OrderBy, parse_order_by};
use crate::model::Unreadable;
use crate::store::{Explain, Explanation, Query, Search, SearchEnd, Store};
use crate::units;
use printer::Printer;
use sample::Sample;

/// Traces that are shown where nobody says how many.
const SHOWN: u64 = 100;

pub(super) fn run(context: &Context, args: &SearchArgs) -> Result<Exit> {
    check(context, args)?;
    if let Some(words) = args
        .query
        .as_deref()
        .filter(|words| looks_like_filter(words))
    {
        return Err(
            CommandError::usage(format!("`{words}` is a filter and not a text to find"))
                .hint("write -f before it, or --text to search for it all the same")
                .into(),
        );
    }
    let mut filter_args = args.filter.clone();
    filter_args.text = filter_args
        .text
        .or_else(|| args.query.clone())
        .or_else(|| args.trace_id.clone());
    if args.follow {
        let filter = filter_of(&filter_args, context)?;
        return follow::run(context, args, filter, filter_args.text.as_deref());
    }
    let mut query = Query {
        filter: filter_of(&filter_args, context)?,
        order_by: order_by(&args.order_by)?,
        counts_spans: args.columns.iter().any(|c| *c.field() == Field::SpanCount),
        ids_only: args.count || context.flags.output == OutputFormat::Ids,
        ..Query::default()
    };
    let limit = args.limit.unwrap_or(SHOWN);
    let limit = (!args.all).then(|| usize::try_from(limit).unwrap_or(usize::MAX));
    let store = context.store()?;
    if args.dry_run {
        query.experiments.clone_from(&context.settings.experiments);
        if !query.order_by.is_of_stores() {
            query.order_by = OrderBy::default();
        }
        return dry_run(context, store, &query, limit);
    }
    name_experiments(context, store, &mut query)?;
    if args.explain {
        query.limit = limit;
        return show_explanation(context, store, &query);
    }
    let Outcome {
        found,
        unreadable,
        lacks_usage,
    } = if args.count {
        count(context, store, &query, args)?
    } else {
        list(
            context,
            store,
            &query,
            args,
            filter_args.text.as_deref(),
            limit,
        )?
    };
    let exit = context.say_unreadable(found, &unreadable);
    let exit = exit.but_incomplete(lacks_usage);
    if found == 0 {
        if !args.count && unreadable.is_empty() {
            context.note_no_match(&filter_args);
        }
        if args.fail_empty {
            return Ok(Exit::Condition);
        }
    }
    Ok(exit)
}

/// What a search came to.
struct Outcome {
    found: usize,
    unreadable: Vec<Unreadable>,
    /// Whether spans could not be read for tokens and cost that are shown.
    lacks_usage: bool,
}

/// Options that do not go together.
fn check(context: &Context, args: &SearchArgs) -> Result<()> {
    let output = &context.flags.output;
    context.formats("search", WITH_IDS)?;
    context.only_brief(&[
        (!args.columns.is_empty(), "--columns"),
        (args.count, "--count"),
        (args.explain, "--explain"),
        (args.dry_run, "--dry-run"),
    ])?;
    let is_json = matches!(output, OutputFormat::Json | OutputFormat::Jsonl);
    if args.include_spans && !is_json {
        return Err(CommandError::usage("--include-spans needs `-o json` or `-o jsonl`").into());
    }
    if !args.columns.is_empty() && *output == OutputFormat::Ids {
        return Err(CommandError::usage("--columns and `-o ids` cannot be used together").into());
    }
    if !args.columns.is_empty() && args.include_spans {
        return Err(
            CommandError::usage("--columns and --include-spans cannot be used together").into(),
        );
    }
    if args.count && *output == OutputFormat::Ids {
        return Err(CommandError::usage("--count and `-o ids` cannot be used together").into());
    }
    Ok(())
}

fn dry_run(
    context: &Context,
    store: &dyn Store,
    query: &Query,
    limit: Option<usize>,
) -> Result<Exit> {
    let size = Search::first_page_size(limit);
    let requests = store.explain(query, Explain::Requests { size })?.requests;
    let mut out = context.terminal.output();
    if context.flags.output == OutputFormat::Table {
        for request in requests {
            let line = format!("{} {}", request.method, request.url);
            out.text().line(line)?;
            if let Some(body) = request.body {
                json_export::write(out.data(), &body, JsonForm::Pretty)?;
            }
        }
    } else {
        let list: Vec<_> = requests
            .iter()
            .map(|r| json!({"method": r.method, "url": r.url, "body": r.body}))
            .collect();
        json_export::write(out.data(), &list, JsonForm::Pretty)?;
    }
    out.finish()?;
    Ok(Exit::Success)
}

fn show_explanation(context: &Context, store: &dyn Store, query: &Query) -> Result<Exit> {
    let explanation = explanation(store, query)?;
    let mut out = context.terminal.output();
    if context.flags.output == OutputFormat::Table {
        let mut text = out.text();
        for sent in &explanation.sent {
            let sent = if sent.is_empty() { "everything" } else { sent };
            text.line(format!("asked:  {sent}"))?;
        }
        let here = explanation.here.as_deref().filter(|here| !here.is_empty());
        let here = here.unwrap_or("nothing");
        text.line(format!("here:   {here}"))?;
        text.line(format!("takes:  {}", explanation.cost))?;
    } else {
        let document = json!({
            "asked": explanation.sent,
            "here": explanation.here,
            "takes": explanation.cost,
        });
        json_export::write(out.data(), &document, JsonForm::Pretty)?;
    }
    out.finish()?;
    Ok(Exit::Success)
}

/// How the store finds what matches, and what the order takes besides.
fn explanation(store: &dyn Store, query: &Query) -> Result<Explanation> {
    let keys = of_no_store(store, query);
    if keys.is_empty() {
        return Ok(store.explain(query, Explain::Plan)?);
    }
    let unordered = Query {
        order_by: OrderBy::default(),
        limit: None,
        ..query.clone()
    };
    let explained = store.explain(&unordered, Explain::Plan);
    let mut explanation = explained?;
    let lack = Lack::of(keys.iter());
    let names: Vec<String> = keys.iter().map(Field::spelling).collect();
    let spans = match lack {
        Lack {
            detail: Some(_), ..
        } => ", with the spans of each",
        Lack { usage: true, .. } => ", with the spans of those without tokens or cost",
        _ => "",
    };
    explanation.cost = format!(
        "{}; all that match are sorted here by {}{spans}",
        explanation.cost,
        names.join(" and ")
    );
    Ok(explanation)
}

fn order_by(texts: &[String]) -> Result<OrderBy> {
    let mut items = Vec::new();
    for text in texts {
        let parsed = parse_order_by(text).map_err(|error| FilterError {
            text: text.clone(),
            error,
        })?;
        items.extend(parsed.items().iter().cloned());
    }
    Ok(items.into_iter().collect())
}

fn count(
    context: &Context,
    store: &dyn Store,
    query: &Query,
    args: &SearchArgs,
) -> Result<Outcome> {
    let mut progress = context.terminal.progress("counting");
    // No order changes how many there are.
    let unordered = Query {
        order_by: OrderBy::default(),
        ..query.clone()
    };
    let mut search = Search::new(store, unordered, None).scan_limit(scan_limit(args));
    let mut found = 0;
    let mut unreadable = Vec::new();
    while let Some(page) = search.next_page()? {
        unreadable.extend(search.take_unreadable());
        found += page.len();
        progress.found(search.scanned(), found);
    }
    progress.clear();
    let scan_limited = note_scan_limit(context, search.end(), search.scanned());
    if found == 0 && !scan_limited && unreadable.is_empty() {
        check_experiments(store, &context.settings.experiments)?;
    }
    let mut counted = json!({"count": found});
    if scan_limited {
        counted["truncated"] = true.into();
    }

    let mut out = context.terminal.output();
    match Form::of(&context.flags.output) {
        Some(Form::Json(form)) => {
            add_to(&mut counted, &unreadable, form);
            json_export::write(out.data(), &counted, form)?;
        }
        Some(Form::Delimited(_)) => writeln!(out.data(), "count\n{found}")?,
        Some(Form::Text) | None => out.text().line(found.to_string())?,
    }
    out.finish()?;
    Ok(Outcome {
        found,
        unreadable,
        lacks_usage: false,
    })
}

fn list(
    context: &Context,
    store: &dyn Store,
    query: &Query,
    args: &SearchArgs,
    text: Option<&str>,
    limit: Option<usize>,
) -> Result<Outcome> {
    let sample = Sample::of(context, args);
    // A sample is taken from everything that matches, so the limit counts what is kept.
    let mut search = Ordered::new(
        store,
        query.clone(),
        limit.filter(|_| sample.is_none()),
        scan_limit(args),
    );
    let mut out = context.terminal.output();
    let mut progress = context.terminal.progress("searching");
    let (mut scanned, mut kept) = (0, 0);
    let mut usage = UsageLookup::new(context);
    let mut cut = false;
    let mut unreadable = Vec::new();
    {
        let mut printer = Printer::new(context, args, query, text, &mut out)?;
        while let Some(mut page) = search.next_page()? {
            unreadable.extend(search.take_unreadable());
            scanned += page.len();
            if let Some(sample) = &sample {
                page.retain(|info| sample.keeps(&info.trace_id));
                let room = limit.map_or(usize::MAX, |limit| limit - kept);
                cut = page.len() > room;
                page.truncate(room);
            }
            kept += page.len();
            if printer.shows_usage() {
                usage.complete(store, &mut page);
            }
            let found = page.len();
            kept -= found - printer.push_page(store, page, args.include_spans, &mut unreadable)?;
            progress.found(search.scanned(), kept);
            if cut {
                break;
            }
        }
        cut |= search.end() == Some(SearchEnd::Limited);
        progress.clear();
        let scan_limited = note_scan_limit(context, search.end(), search.scanned());
        if scanned == 0 && !scan_limited && unreadable.is_empty() {
            // An empty answer must not pass for that of an experiment that exists.
            check_experiments(store, &context.settings.experiments)?;
        }
        let truncated = cut || scan_limited || !unreadable.is_empty();
        let more_match = cut && args.limit.is_none();
        printer.finish(truncated, more_match, &unreadable)?;
    }
    out.finish()?;
    if let Some(sample) = &sample {
        context.note(&format!(
            "kept {} of {} with --seed {}",
            units::counted(kept, "trace"),
            units::whole(scanned),
            sample.seed
        ));
    }
    usage.note(context);
    if let Some((keys, looked_at)) = search.sorted_here()
        && looked_at > kept
    {
        let keys: Vec<String> = keys.into_iter().map(Field::spelling).collect();
        context.note(&format!(
            "sorted here by {}, after a look at {}{} matching traces",
            keys.join(" and "),
            if search.end() == Some(SearchEnd::ScanLimited) {
                ""
            } else {
                "all "
            },
            units::whole(looked_at)
        ));
    }
    if cut && args.limit.is_none() && !context.is_brief() {
        context.note(&format!(
            "more traces match than the {kept} shown; see them with -n N or --all"
        ));
    }
    Ok(Outcome {
        found: kept,
        unreadable,
        lacks_usage: usage.lacks_some(),
    })
}

fn scan_limit(args: &SearchArgs) -> Option<usize> {
    args.scan_limit
        .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Whether `--scan-limit` ended a search, which is then said.
fn note_scan_limit(context: &Context, end: Option<SearchEnd>, scanned: usize) -> bool {
    let limited = end == Some(SearchEnd::ScanLimited);
    if limited {
        context.note_loss(&format!(
            "stopped after looking at {} (--scan-limit); there may be more matches",
            units::counted(scanned, "trace")
        ));
    }
    limited
}
