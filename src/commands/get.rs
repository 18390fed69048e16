//! `mlt get`: traces with their spans.

mod follow;
mod printer;
pub(in crate::commands) mod wanted;

use anyhow::Result;

use super::attachments::Attachments;
use super::form::Form;
use super::gather::{Gathered, Need, fail_with, gather_found};
use super::resolve::Failures;
use super::selection::{filter_of, name_experiments};
use super::{Context, IN_TABLES, columns, link, resolve};
use crate::cli::{FilterArgs, GetArgs, OF_TRANSCRIPTS, OutputFormat, TABULAR};
use crate::error::{CommandError, Exit};
use crate::model::Unreadable;
use crate::render::NO_MATCH;
use crate::store::{Detail, Query, StoreError, TraceRefs, Want};
use crate::table::rows::spans::{is_of_payload, spans};
use printer::{Printed, Printer};
use wanted::selected;

pub(super) fn run(context: &Context, args: &GetArgs) -> Result<Exit> {
    let form = form_of(context, args)?;
    context.only_brief(&[
        (args.chat, "--chat"),
        (args.io, "--io"),
        (args.span.is_some(), "--span"),
        (args.errors, "--errors"),
        (args.shown_type.is_some(), "--type"),
        (args.depth.is_some(), "--depth"),
        (args.max_chars.is_some(), "--max-chars"),
        (!args.columns.is_empty(), "--columns"),
        (args.link, "--link"),
    ])?;
    let columns = columns::chosen(&args.columns, &spans())?;
    // The shape of the output follows from what was typed, not from how much was found.
    let searches = searches(context, args)?;
    let single = match args.traces.as_slice() {
        [] => searches && args.limit.is_none(),
        [only] => only != "-",
        _ => false,
    };
    let Chosen {
        ids,
        mut failures,
        mut unreadable,
        limited,
    } = if args.wait.is_some() || args.follow {
        follow::until_finished(context, args, searches)?
    } else if searches {
        matching(context, args)?
    } else if single {
        resolve::trace_ids(context, &args.traces)?.into()
    } else {
        let (ids, failures) = resolve::known_and_missing(context, &args.traces)?;
        Chosen {
            failures,
            ..ids.into()
        }
    };
    if args.link {
        return link::print(context, &ids, failures);
    }
    let store = context.store()?;
    // The table of spans shows of payloads nothing but what went wrong.
    let needs_payloads = match &columns {
        Some(columns) => columns.iter().any(is_of_payload),
        None => args.io || args.chat || args.tools || args.span.is_some() || context.is_brief(),
    };
    let detail = match form {
        Form::Text if !needs_payloads => Detail::Events,
        _ => Detail::Whole,
    };
    let as_rows = columns.is_some() || !matches!(form, Form::Json(_));
    let mut out = context.terminal.output();
    let mut progress = context.terminal.progress("fetching traces").of(ids.len());
    let mut done = 0;
    let mut attachments = Attachments::asked_for(context, args.attachments.as_deref())?;
    let Printed {
        left_out,
        elsewhere,
    } = {
        let mut printer = Printer::new(context, args, &mut out, columns, form, single, &ids)?;
        store.try_fetch_all(
            TraceRefs::Ids(ids),
            Want::spans(detail),
            |id, result| -> Result<()> {
                progress.clear();
                let outcome = match result {
                    Err(error) => printer.print_head(store, id, error),
                    Ok(trace) => selected(trace, args, as_rows).and_then(|(trace, is_part)| {
                        let outcome = printer.print(&trace, is_part, &mut attachments);
                        if single {
                            // The end of the process gives its memory back more quickly.
                            std::mem::forget(trace);
                        }
                        outcome
                    }),
                };
                match outcome {
                    Ok(()) => done += 1,
                    Err(error) if single || error.is::<std::io::Error>() => return Err(error),
                    Err(error) => match unreadable_of(id, error) {
                        Ok(one) => unreadable.push(one),
                        Err(error) => failures.push((id.to_owned(), error)),
                    },
                }
                progress.at(done + failures.len() + unreadable.len());
                Ok(())
            },
        )?;
        let truncated = limited || !failures.is_empty() || !unreadable.is_empty();
        printer.finish(truncated, &unreadable)?
    };
    progress.clear();
    out.finish()?;
    context.note_left_out(left_out, IN_TABLES);
    let exit = context.say_unreadable(done, &unreadable);
    let mut exit = context.say_elsewhere(exit, &elsewhere);
    if let Some(attachments) = attachments {
        exit = attachments.finish(exit);
    }
    fail_with(context, failures)?;
    Ok(exit)
}

/// The traces that are to be shown, and what of the choice cannot be.
#[derive(Default)]
struct Chosen {
    ids: Vec<String>,
    failures: Failures,
    unreadable: Vec<Unreadable>,
    /// Whether more match.
    limited: bool,
}

impl From<Vec<String>> for Chosen {
    fn from(ids: Vec<String>) -> Self {
        Self {
            ids,
            ..Self::default()
        }
    }
}

/// In which form what was asked for is printed; Markdown is text, too.
///
/// # Errors
/// A format that it does not have.
fn form_of(context: &Context, args: &GetArgs) -> Result<Form> {
    if args.chat && !context.is_brief() {
        context.formats("get --chat", OF_TRANSCRIPTS)?;
    }
    if args.tools {
        context.formats("get --tools", TABULAR)?;
    }
    match context.flags.output {
        OutputFormat::Brief => Ok(Form::Text),
        OutputFormat::Markdown if args.chat => Ok(Form::Text),
        _ => context.form("get"),
    }
}

/// Whether the traces are those that match, and not some that are named.
///
/// # Errors
/// Both, or neither.
fn searches(context: &Context, args: &GetArgs) -> Result<bool> {
    let matches = args.limit.is_some() || args.filter != FilterArgs::default();
    match (args.traces.is_empty(), matches) {
        (false, true) => {
            let error = CommandError::usage("expected trace ids or a filter, found both");
            let hint =
                "filters and `-n` choose among all traces: `mlt get -n 2` shows the two newest";
            Err(error.hint(hint).into())
        }
        (true, false) if context.flags.experiments.is_empty() => Err(CommandError::usage(
            "expected trace ids or a filter, found neither",
        )
        .hint(
            "`mlt get latest` is the newest trace, `mlt get --status ERROR` the newest that failed",
        )
        .into()),
        (is_empty, _) => Ok(is_empty),
    }
}

/// The newest traces that match.
///
/// # Errors
/// When there are none.
fn matching(context: &Context, args: &GetArgs) -> Result<Chosen> {
    let mut query = Query {
        filter: filter_of(&args.filter, context)?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let mut ids = Vec::new();
    let limit = Some(args.limit.unwrap_or(1));
    let mut gathered = gather_found(
        context,
        query,
        limit,
        Need::INFO,
        "finding traces",
        |trace| {
            ids.push(trace.info.trace_id);
            Ok(())
        },
    )?;
    if ids.is_empty() {
        if let Some(error) = gathered.take_error() {
            return Err(error);
        }
        context.remember_no_match(&args.filter);
        return Err(CommandError::new(Exit::NotFound, NO_MATCH).into());
    }
    if gathered.limited && args.limit.is_none() {
        context.note("more traces match than the newest one: `-n N` shows more");
    }
    let Gathered {
        failures,
        unreadable,
        limited,
        ..
    } = gathered;
    Ok(Chosen {
        ids,
        failures,
        unreadable,
        limited,
    })
}

/// A trace that is there and cannot be read.
///
/// # Errors
/// Any other error.
fn unreadable_of(id: &str, error: anyhow::Error) -> Result<Unreadable> {
    Ok(error.downcast::<StoreError>()?.into_unreadable(id)?)
}
