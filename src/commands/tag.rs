//! `mlt tag`: set and delete tags, on traces that are named or that a filter
//! finds. Each trace stands for itself: a failure is reported and the rest goes
//! on, and repeating the command finishes what is left.

use std::borrow::Cow;
use std::io::{BufRead, Write};

use anyhow::Result;
use serde_json::{Value, json};

use super::form::Form;
use super::selection::{check_experiments, explain, filter_of, key_value, name_experiments};
use super::{Context, resolve};
use crate::cli::{FilterArgs, TagArgs};
use crate::error::{CommandError, Exit};
use crate::export::delimited::RowWriter;
use crate::export::{self, JsonForm};
use crate::model::tag as reserved;
use crate::parallel;
use crate::render::{number, sanitize};
use crate::store::{FilterSource, Query, Search, Store, StoreError, TagChanges};
use crate::terminal::Output;

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
    }
    let ids = if by_filter {
        matching(context, &args.filter)?
    } else {
        resolve::trace_ids(context, &words)?
    };
    if ids.is_empty() {
        context.note("no trace matches, so there is nothing to tag");
    }
    if by_filter && ids.len() > 1 && !args.dry_run && !args.yes && context.terminal.interactive {
        confirm(ids.len())?;
    }
    apply(context, store, form, &ids, &changes, args.dry_run)
}

/// Splits the words into traces and tags, and checks the tags.
fn changes(context: &Context, args: &TagArgs) -> Result<(TagChanges, Vec<String>)> {
    let is_link = |word: &str| word.starts_with("http://") || word.starts_with("https://");
    let (pairs, words): (Vec<&String>, Vec<&String>) = args
        .words
        .iter()
        .partition(|word| word.contains('=') && !is_link(word));
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

fn matching(context: &Context, args: &FilterArgs) -> Result<Vec<String>> {
    let filter = filter_of(args, context)?;
    if let FilterSource::Parsed(filter) = &filter
        && filter.is_empty()
    {
        return Err(CommandError::usage("the filter is empty and would match every trace").into());
    }
    let store = context.store()?;
    let mut query = Query {
        filter,
        ids_only: true,
        ..Query::default()
    };
    name_experiments(context, store, &mut query)?;
    let mut progress = context.terminal.progress("finding traces");
    let mut ids = Vec::new();
    let mut search = Search::new(store, query.clone(), None);
    while let Some(page) = search.next_page().map_err(|e| explain(e, &query))? {
        ids.extend(page.into_iter().map(|info| info.trace_id));
        progress.found(search.scanned(), ids.len());
    }
    if ids.is_empty() {
        check_experiments(store, &context.settings.experiments)?;
    }
    Ok(ids)
}

fn confirm(count: usize) -> Result<()> {
    let mut err = std::io::stderr();
    write!(err, "Tag {}? [y/N] ", number::counted(count, "trace"))?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
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
    changes: &TagChanges,
    dry_run: bool,
) -> Result<Exit> {
    let mut out = context.terminal.output();
    let mut printer = Printer::new(context, form, changes, dry_run, &mut out)?;
    let mut progress = context.terminal.progress("tagging").of(ids.len());
    let (mut done, mut failures) = (0_usize, Vec::new());
    let batches: Vec<&[String]> = ids.chunks(store.tag_batch()).collect();
    parallel::for_each_in_order(
        store.at_once(),
        &batches,
        |batch| {
            if dry_run {
                Ok(batch.iter().map(|_| Ok(())).collect())
            } else {
                store.change_tags(batch, changes)
            }
        },
        |batch, results| -> Result<()> {
            for (id, result) in batch.iter().zip(results?) {
                printer.result(id, &result)?;
                match result {
                    Ok(()) => done += 1,
                    // Nobody is let in by asking again.
                    Err(
                        error @ (StoreError::Unauthorized { .. } | StoreError::Forbidden { .. }),
                    ) => {
                        return Err(error.into());
                    }
                    Err(error) => failures.push(error),
                }
            }
            progress.at(done + failures.len());
            Ok(())
        },
    )?;
    progress.clear();
    printer.finish(done, failures.len())?;
    out.finish()?;
    let failed = failures.len();
    match failures.pop() {
        None => Ok(Exit::Success),
        Some(only) if ids.len() == 1 => Err(only.into()),
        Some(_) => Err(CommandError::new(
            Exit::Condition,
            format!("{} could not be tagged", number::counted(failed, "trace")),
        )
        .hint("the same command again finishes the rest")
        .into()),
    }
}

/// One result for each trace, in the format that was asked for.
struct Printer<'a> {
    context: &'a Context<'a>,
    dry_run: bool,
    changes: &'a TagChanges,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Text(&'a mut Output),
    Lines(&'a mut Output),
    Document(&'a mut Output, Vec<Value>),
    Delimited(Box<RowWriter<'a>>),
}

impl<'a> Printer<'a> {
    fn new(
        context: &'a Context<'a>,
        form: Form,
        changes: &'a TagChanges,
        dry_run: bool,
        out: &'a mut Output,
    ) -> Result<Self> {
        let kind = match form {
            Form::Text => Kind::Text(out),
            Form::Json(JsonForm::Lines) => Kind::Lines(out),
            Form::Json(JsonForm::Pretty) => Kind::Document(out, Vec::new()),
            Form::Delimited(format) => {
                let mut rows = RowWriter::new(out, format);
                rows.row(["trace_id", "status", "error"].map(Cow::Borrowed))?;
                Kind::Delimited(Box::new(rows))
            }
        };
        Ok(Self {
            context,
            dry_run,
            changes,
            kind,
        })
    }

    fn result(&mut self, id: &str, result: &Result<(), StoreError>) -> Result<()> {
        let status = match result {
            Ok(()) if self.dry_run => "would_change",
            Ok(()) => "changed",
            Err(_) => "failed",
        };
        let error = result.as_ref().err().map(ToString::to_string);
        let changes = self.changes;
        let json = || {
            let set: serde_json::Map<String, Value> = changes
                .set
                .iter()
                .map(|(k, v)| (k.clone(), v.clone().into()))
                .collect();
            let mut line =
                json!({"trace_id": id, "status": status, "set": set, "deleted": changes.delete});
            if let Some(error) = &error {
                line["error"] = json!(error);
            }
            line
        };
        let described = match &error {
            Some(error) => format!("failed: {}", sanitize::line(error)),
            None => self.describe(),
        };
        match &mut self.kind {
            Kind::Text(out) => writeln!(out, "{}  {described}", sanitize::line(id))?,
            Kind::Lines(out) => export::json::write(out, &json(), JsonForm::Lines)?,
            Kind::Document(_, lines) => lines.push(json()),
            Kind::Delimited(rows) => {
                let error = error.as_deref().unwrap_or_default();
                rows.row([id, status, error].map(Cow::Borrowed))?;
            }
        }
        Ok(())
    }

    /// `env=prod, -old`, with `would set` before it in a dry run.
    fn describe(&self) -> String {
        let set = self.changes.set.iter().map(|(k, v)| format!("{k}={v}"));
        let deleted = self.changes.delete.iter().map(|k| format!("-{k}"));
        let all: Vec<String> = set.chain(deleted).collect();
        let all = sanitize::line(&all.join(", ")).into_owned();
        if self.dry_run {
            format!("would change: {all}")
        } else {
            all
        }
    }

    fn finish(self, done: usize, failed: usize) -> Result<()> {
        match self.kind {
            Kind::Document(out, results) => {
                let changed = if self.dry_run { 0 } else { done };
                let document = json!({"results": results, "changed": changed, "failed": failed});
                export::json::write(out, &document, JsonForm::Pretty)?;
            }
            Kind::Delimited(rows) => rows.finish()?,
            Kind::Text(_) | Kind::Lines(_) => {}
        }
        if done > 1 && !self.dry_run {
            self.context
                .note(&format!("changed {}", number::counted(done, "trace")));
        }
        Ok(())
    }
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
