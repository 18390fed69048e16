//! `mlt tag`: set and delete tags, on traces that are named or that a filter
//! finds. Each trace stands for itself: a failure is reported and the rest goes
//! on, and repeating the command finishes what is left.

mod printer;

use std::io::{BufRead, Write};

use anyhow::Result;

use self::printer::{Printer, changes_of};
use super::form::Form;
use super::gather::{Gathered, Need, gather, gather_found};
use super::resolve::Failures;
use super::selection::{filter_of, key_value, name_experiments};
use super::{Context, resolve};
use crate::cli::{FilterArgs, SelectionArgs, TagArgs};
use crate::error::{CommandError, Exit};
use crate::model::{Unreadable, tag as reserved};
use crate::parallel;
use crate::render::sanitize;
use crate::store::{Batches, FilterSource, InfoParts, Query, Store, StoreError, TagChanges};
use crate::units;

/// Servers store at most so many characters of a value …
const MAX_VALUE: usize = 8000;
/// … and give back at most so many.
const SHOWN_VALUE: usize = 4096;
const MAX_KEY: usize = 250;

pub(super) fn run(context: &Context, args: &TagArgs) -> Result<Exit> {
    let form = context.form("tag")?;
    let (changes, words) = changes(context, args)?;
    let by_filter = has_filter(&args.filter);
    if by_filter && !words.is_empty() {
        return Err(CommandError::usage("expected trace ids or a filter, found both").into());
    }
    if !by_filter && words.is_empty() {
        return Err(CommandError::usage("expected trace ids or a filter, found neither")
            .hint("`mlt tag latest reviewed=yes` tags one trace, `mlt tag --status ERROR triage=todo` those that match")
            .into());
    }
    let store = context.store()?;
    if !args.dry_run {
        store.check_writable()?;
    } else if let Err(refusal) = store.check_writable() {
        context.note(&format!("without --dry-run this fails: {refusal}"));
    }
    let (ids, missing) = resolve::known_and_missing(context, &words)?;
    if args.dry_run {
        return dry_run(context, args, form, ids, missing, &changes);
    }
    let (ids, unreadable) = if by_filter {
        matching(context, &args.filter)?
    } else {
        (ids, Vec::new())
    };
    if ids.is_empty() && missing.is_empty() && unreadable.is_empty() {
        context.note_no_match(&args.filter);
    }
    if by_filter && ids.len() > 1 && !args.yes && context.terminal.interactive {
        confirm(context, ids.len())?;
    }
    apply(context, store, form, &ids, (missing, unreadable), &changes)
}

/// Splits the words into traces and tags, and checks the tags.
fn changes(context: &Context, args: &TagArgs) -> Result<(TagChanges, Vec<String>)> {
    let (pairs, words): (Vec<&String>, Vec<&String>) = args
        .words
        .iter()
        .partition(|word| word.contains('=') && !resolve::is_link(word));
    let mut changes = TagChanges {
        set: Vec::new(),
        delete: args.delete.clone(),
    };
    for pair in pairs {
        let (key, value) = key_value("tag", pair)?;
        check_value(context, key, value)?;
        changes.set.push((key.to_owned(), value.to_owned()));
    }
    let keys: Vec<&String> = changes
        .set
        .iter()
        .map(|(key, _)| key)
        .chain(&changes.delete)
        .collect();
    for (at, key) in keys.iter().enumerate() {
        check_key(key)?;
        if keys[..at].contains(key) {
            return Err(CommandError::usage(format!("tag `{key}` is named twice")).into());
        }
    }
    if keys.is_empty() {
        return Err(
            CommandError::usage("expected a tag to set or delete, found none")
                .hint("write KEY=VALUE, or --delete KEY")
                .into(),
        );
    }
    Ok((changes, words.into_iter().cloned().collect()))
}

/// MLflow's own rules for keys, and no tag on which MLflow itself relies.
fn check_key(key: &str) -> Result<()> {
    let wrong = |what: String| Err(CommandError::usage(format!("tag key `{key}` {what}")).into());
    let length = key.chars().count();
    if length == 0 {
        return Err(CommandError::usage("a tag key is empty").into());
    }
    if length > MAX_KEY {
        return wrong(format!(
            "has {length} characters, at most {MAX_KEY} are allowed"
        ));
    }
    if let Some(bad) = key.chars().find(|c| !reserved::allows(*c)) {
        return wrong(format!(
            "holds `{bad}`; letters, digits, spaces and _ - . : / are allowed"
        ));
    }
    if reserved::leads_elsewhere(key) {
        return wrong("looks like a path that MLflow would change".to_owned());
    }
    if key.starts_with("mlflow.") && key != reserved::NAME {
        return wrong("is MLflow's own; of those, only mlflow.traceName can be changed".to_owned());
    }
    Ok(())
}

fn check_value(context: &Context, key: &str, value: &str) -> Result<()> {
    let length = value.chars().count();
    if length > MAX_VALUE {
        return Err(CommandError::usage(format!(
            "the value of tag `{key}` has {length} characters, at most {MAX_VALUE} are stored"
        ))
        .into());
    }
    if length > SHOWN_VALUE {
        context.note(&format!(
            "the value of tag {key} has {length} characters; servers give back the first {SHOWN_VALUE}"
        ));
    }
    Ok(())
}

fn has_filter(args: &FilterArgs) -> bool {
    *args != FilterArgs::default()
}

/// What the filter asks for.
fn query(context: &Context, args: &FilterArgs) -> Result<Query> {
    let filter = filter_of(args, context)?;
    if let FilterSource::Parsed(filter) = &filter
        && filter.is_empty()
    {
        return Err(CommandError::usage("the filter is empty and would match every trace").into());
    }
    let mut query = Query {
        filter,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    Ok(query)
}

/// The traces that a filter finds, and those of which nobody knows.
fn matching(context: &Context, args: &FilterArgs) -> Result<(Vec<String>, Vec<Unreadable>)> {
    const IDS: Need = Need {
        spans: None,
        info: false,
        parts: InfoParts::NONE,
        usage: false,
        any_order: false,
    };
    let mut ids = Vec::new();
    let query = query(context, args)?;
    let gathered = gather_found(context, query, None, IDS, "finding traces", |trace| {
        ids.push(trace.info.trace_id);
        Ok(())
    })?;
    Ok((ids, gathered.unreadable))
}

/// Looks the traces up and says what would become of their tags.
fn dry_run(
    context: &Context,
    args: &TagArgs,
    form: Form,
    ids: Vec<String>,
    mut failures: Failures,
    changes: &TagChanges,
) -> Result<Exit> {
    const MESSAGE: &str = "looking traces up";
    let mut out = context.terminal.output();
    let mut printer = Printer::new(context, form, changes, true, &mut out)?;
    let mut found = 0_usize;
    let plan = |trace: crate::model::Trace| {
        found += 1;
        let planned = changes_of(changes, &trace.info.tags);
        printer.planned(&trace.info.trace_id, &planned)
    };
    let gathered = if has_filter(&args.filter) {
        let query = query(context, &args.filter)?;
        gather_found(context, query, None, Need::INFO, MESSAGE, plan)?
    } else if ids.is_empty() {
        Gathered::default()
    } else {
        let named = SelectionArgs {
            traces: ids,
            ..SelectionArgs::default()
        };
        gather(context, &named, Need::INFO, MESSAGE, plan)?
    };
    failures.extend(gathered.failures);
    for (id, error) in &failures {
        printer.failed(id, &error.to_string())?;
    }
    printer.finish(found, failures.len(), &gathered.unreadable)?;
    out.finish()?;
    if found == 0 && failures.is_empty() && gathered.unreadable.is_empty() {
        context.note_no_match(&args.filter);
    }
    end(context, form, found, failures, &gathered.unreadable)
}

/// Says once of each failure what it is, and how to exit.
fn end(
    context: &Context,
    form: Form,
    done: usize,
    mut failures: Failures,
    unreadable: &[Unreadable],
) -> Result<Exit> {
    let failed = failures.len();
    let exit = context.say_unreadable(done, unreadable);
    if done == 0 && failed <= 1 {
        return match failures.pop() {
            None => Ok(exit),
            Some((_, only)) => Err(only),
        };
    }
    if failed == 0 {
        return Ok(exit);
    }
    if form == Form::Text {
        // The other formats have them among the results.
        for (id, error) in &failures {
            context.warn(&sanitize::line(&format!("{id}: {error}")));
        }
    }
    let (exit, hint) = if failures.iter().all(|(_, error)| resolve::is_missing(error)) {
        (Exit::NotFound, "`mlt search` lists traces")
    } else {
        let hint = "the same command again finishes the rest";
        (Exit::Condition, hint)
    };
    let traces = units::counted(done + failed, "trace");
    let error = CommandError::new(exit, format!("{failed} of {traces} cannot be tagged"));
    Err(error.hint(hint).into())
}

fn confirm(context: &Context, count: usize) -> Result<()> {
    context.terminal.leave_to_dialogue(true);
    let mut err = std::io::stderr();
    write!(err, "Tag {}? [y/N] ", units::counted(count, "trace"))?;
    err.flush()?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    context.terminal.leave_to_dialogue(false);
    read?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(CommandError::new(Exit::Condition, "nothing was changed").into())
    }
}

fn apply(
    context: &Context,
    store: &dyn Store,
    form: Form,
    ids: &[String],
    (mut failures, unreadable): (Failures, Vec<Unreadable>),
    changes: &TagChanges,
) -> Result<Exit> {
    let mut out = context.terminal.output();
    let mut printer = Printer::new(context, form, changes, false, &mut out)?;
    for (id, error) in &failures {
        printer.failed(id, &error.to_string())?;
    }
    let all = ids.len() + failures.len();
    let mut progress = context.terminal.progress("tagging").of(all);
    let mut done = 0_usize;
    let Batches { traces, at_once } = store.tag_batches();
    let batches: Vec<&[String]> = ids.chunks(traces).collect();
    parallel::for_each_in_order(
        at_once,
        &batches,
        |batch| store.change_tags(batch, changes),
        |batch, results| -> Result<()> {
            for (id, result) in batch.iter().zip(results?) {
                match result {
                    Ok(()) => {
                        printer.changed(id)?;
                        done += 1;
                    }
                    // Nobody is let in by asking again.
                    Err(
                        error @ (StoreError::Unauthorized { .. } | StoreError::Forbidden { .. }),
                    ) => {
                        return Err(error.into());
                    }
                    Err(error) => {
                        printer.failed(id, &error.to_string())?;
                        failures.push((id.clone(), error.into()));
                    }
                }
            }
            progress.at(done + failures.len());
            Ok(())
        },
    )?;
    progress.clear();
    printer.finish(done, failures.len(), &unreadable)?;
    out.finish()?;
    end(context, form, done, failures, &unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_mlflows_rules() {
        for good in [
            "env",
            "team name",
            "a/b",
            "Ünï.code-1:x",
            "mlflow.traceName",
        ] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a\"b",
            "a/../b",
            "/a",
            ".",
            "a//b",
            "mlflow.artifactLocation",
            "a\nb",
        ] {
            assert!(check_key(bad).is_err(), "{bad}");
        }
        assert!(check_key(&"k".repeat(250)).is_ok());
        assert!(check_key(&"k".repeat(251)).is_err());
    }
}
