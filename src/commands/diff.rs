//! `mlt diff`: what differs between two traces, or two sets of traces.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;

use super::form::Form;
use super::gather::{Gathered, Need, gather};
use super::{Context, IN_TABLES, columns, with_context};
use crate::analysis::{Comparison, Diff, Side, Sides, analyse};
use crate::cli::{DiffArgs, FilterArgs, GlobalArgs, SelectionArgs};
use crate::error::{CommandError, Exit};
use crate::export::{self, JsonForm};
use crate::render::{self, NO_MATCH};
use crate::settings::Env;
use crate::store::Detail;
use crate::table;
use crate::table::rows::diff as changes;
use crate::terminal::Terminal;
use crate::units;

pub(super) fn run(
    flags: &GlobalArgs,
    env: &Env,
    terminal: &Terminal,
    args: &DiffArgs,
) -> Result<Exit> {
    let sources = sources(args)?;
    let flags = sources.map(|source| match source {
        Source::File(path) => GlobalArgs {
            tracking_uri: Some(path.into()),
            ..flags.clone()
        },
        Source::Trace(_) | Source::Search => flags.clone(),
    });
    if !sources.before.is_file() && !sources.after.is_file() {
        return with_context(&flags.after, env, terminal, |context| {
            let both = Sides {
                before: context,
                after: context,
            };
            compare(both, &sources, args)
        });
    }
    with_context(&flags.before, env, terminal, |before| {
        with_context(&flags.after, env, terminal, |after| {
            compare(Sides { before, after }, &sources, args)
        })
    })
}

/// Where the traces of a side come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Trace(String),
    File(String),
    Search,
}

impl Source {
    fn of(word: &str) -> Self {
        let extension = Path::new(word).extension().and_then(|e| e.to_str());
        let is_file = extension.is_some_and(|extension| {
            ["json", "jsonl", "ndjson"].contains(&extension.to_ascii_lowercase().as_str())
        });
        // A link may end in anything.
        if is_file && !word.contains("://") {
            Self::File(word.to_owned())
        } else {
            Self::Trace(word.to_owned())
        }
    }

    const fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

fn sources(args: &DiffArgs) -> Result<Sides<Source>> {
    const WAYS: &str = "name two traces or two files, or choose two sets with --base-filter and -f";
    let filtered = args.filter != FilterArgs::default() || !args.base_filters.is_empty();
    match (&args.base, &args.new) {
        (Some(base), Some(new)) => {
            let sources = Sides {
                before: Source::of(base),
                after: Source::of(new),
            };
            let unfiltered = [&sources.before, &sources.after]
                .into_iter()
                .find(|source| !source.is_file());
            match unfiltered {
                Some(Source::Trace(word)) if filtered || args.limit.limit.is_some() => {
                    Err(CommandError::usage(format!(
                        "expected traces or filters, found both: `{word}` names a trace already"
                    ))
                    .hint(WAYS)
                    .into())
                }
                _ => Ok(sources),
            }
        }
        (Some(only), _) | (None, Some(only)) => Err(CommandError::usage(format!(
            "expected two things to compare, found only `{only}`"
        ))
        .hint(WAYS)
        .into()),
        (None, None) => {
            let missing = match (args.base_filters.is_empty(), args.filter.filters.is_empty()) {
                (false, false) => {
                    return Ok(Sides {
                        before: Source::Search,
                        after: Source::Search,
                    });
                }
                (false, true) => "expected a filter for the new side, found only that for the base",
                (true, false) => "expected a filter for the base, found only that for the new side",
                (true, true) => "expected two things to compare, found none",
            };
            Err(CommandError::usage(missing).hint(WAYS).into())
        }
    }
}

/// The traces of a side, as if they were chosen for a command of its own.
fn selection(source: &Source, side: Side, args: &DiffArgs) -> SelectionArgs {
    if let Source::Trace(word) = source {
        return SelectionArgs {
            traces: vec![word.clone()],
            ..SelectionArgs::default()
        };
    }
    let mut filter = args.filter.clone();
    if side == Side::Before {
        filter.filters.clone_from(&args.base_filters);
    }
    SelectionArgs {
        filter,
        limit: args.limit,
        all: true,
        ..SelectionArgs::default()
    }
}

/// What to call the traces of a side: the file and the filter that chose them.
fn described(source: &Source, selection: &SelectionArgs) -> Option<String> {
    let filters = &selection.filter.filters;
    let filter = match filters.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(format!("({})", several.join(") AND ("))),
    };
    match (source, filter) {
        (Source::File(path), Some(filter)) => Some(format!("{path}, {filter}")),
        (Source::File(path), None) => Some(path.clone()),
        (_, filter) => filter,
    }
}

fn compare(contexts: Sides<&Context>, sources: &Sides<Source>, args: &DiffArgs) -> Result<Exit> {
    let context = contexts.after;
    let form = context.form("diff")?;
    let columns = columns::chosen(&args.columns, &changes::changes(args.by.into()))?;
    let selections = Sides::of(|side| selection(sources.get(side), side, args));
    let mut comparison = Comparison::new(args.by.into());
    let mut ids = HashSet::new();
    let mut on_both = 0;
    let mut take = |side: Side, message: &str| -> Result<Gathered> {
        let (context, source) = (*contexts.get(side), sources.get(side));
        let need = Need::with_spans(Detail::Measures);
        gather(context, selections.get(side), need, message, |trace| {
            if *source == Source::Search {
                match side {
                    Side::Before => drop(ids.insert(trace.info.trace_id.clone())),
                    Side::After => on_both += usize::from(ids.contains(&trace.info.trace_id)),
                }
            }
            let report = analyse(&trace);
            if matches!(source, Source::Trace(_)) {
                for warning in report.warnings() {
                    context.warn(warning.to_string());
                }
            }
            comparison.add(side, &report);
            Ok(())
        })
    };
    let mut gathered = Sides {
        before: take(Side::Before, "fetching the base")?,
        after: take(Side::After, "fetching the new side")?,
    };
    for (side, gathered) in [
        (Side::Before, &mut gathered.before),
        (Side::After, &mut gathered.after),
    ] {
        require_traces(&comparison, side, gathered).inspect_err(|_| {
            if gathered.traces == 0 && !matches!(sources.get(side), Source::Trace(_)) {
                contexts
                    .get(side)
                    .remember_no_match(&selections.get(side).filter);
            }
        })?;
    }

    let diff = comparison.finish(args.sort.into(), args.seed);
    let top = args
        .top
        .map_or(usize::MAX, |top| usize::try_from(top).unwrap_or(usize::MAX));
    let rows = &diff.rows[..diff.rows.len().min(top)];
    let truncated =
        rows.len() < diff.rows.len() || gathered.before.truncated() || gathered.after.truncated();
    let described = Sides::of(|side| described(sources.get(side), selections.get(side)));
    let mut out = context.terminal.output();
    let mut left_out = render::LeftOut::new();
    match form {
        Form::Text => {
            let layout = context.layout();
            left_out =
                render::diff::write(&mut out.text(), &diff, rows, &described, columns, &layout)?;
        }
        Form::Json(JsonForm::Lines) if let Some(columns) = &columns => {
            export::json::write_lines(out.data(), columns, &changes::of(rows))?;
        }
        Form::Json(form) => {
            let all = [&gathered.before, &gathered.after].map(|side| side.unreadable.as_slice());
            let missing = (truncated, &*all.concat());
            let columns = columns.as_deref();
            export::diff::write_json(out.data(), &diff, rows, &described, missing, columns, form)?;
        }
        Form::Delimited(format) if let Some(columns) = columns => {
            table::delimited::write(out.data(), format, columns, &changes::of(rows))?;
        }
        Form::Delimited(format) => {
            export::diff::write_delimited(out.data(), &diff, rows, format)?;
        }
    }
    out.finish()?;
    if on_both > 0 {
        context.note(&format!(
            "{} on both sides: choose filters that leave no trace to both",
            units::counted(on_both, "trace")
        ));
    }
    note_unmeasured(context, &diff);
    context.note_top(rows.len(), diff.rows.len());
    context.note_left_out(left_out, IN_TABLES);
    let before = gathered.before.finish(contexts.before);
    let after = gathered.after.finish(contexts.after)?;
    Ok(match before? {
        Exit::Success => after,
        exit => exit,
    })
}

const fn name(side: Side) -> &'static str {
    match side {
        Side::Before => "the base",
        Side::After => "the new side",
    }
}

/// A side with nothing to compare stops the command.
fn require_traces(comparison: &Comparison, side: Side, gathered: &mut Gathered) -> Result<()> {
    let intake = comparison.intake();
    let intake = intake.get(side);
    if intake.traces > 0 {
        return Ok(());
    }
    if let Some(error) = gathered.take_error() {
        return Err(error);
    }
    let side = name(side);
    let (message, hint) = if intake.in_progress > 0 {
        (
            format!("every trace of {side} is in progress"),
            "compare them once they have ended",
        )
    } else if intake.without_spans > 0 {
        (
            format!("no trace of {side} has spans"),
            "without spans there is nothing to tell about where the time went",
        )
    } else {
        (
            format!("{NO_MATCH} for {side}"),
            "`mlt search` with the same filter shows what there is",
        )
    };
    Err(CommandError::new(Exit::NotFound, message).hint(hint).into())
}

fn note_unmeasured(context: &Context, diff: &Diff) {
    for side in [Side::Before, Side::After] {
        let (intake, only) = (diff.intake.get(side), diff.only.get(side));
        match only {
            Some(trace) if trace.in_progress => context.note(&format!(
                "trace {} is in progress: its times are lower bounds",
                trace.trace_id
            )),
            _ if intake.in_progress > 0 => context.note_loss(&format!(
                "{} of {} left out: in progress",
                units::counted(intake.in_progress, "trace"),
                name(side)
            )),
            _ => {}
        }
        if intake.without_spans > 0 {
            context.note_loss(&format!(
                "{} of {} left out: without spans",
                units::counted(intake.without_spans, "trace"),
                name(side)
            ));
        }
    }
}
