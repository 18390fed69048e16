//! What `mlt tag` did or would do, one result for each trace in the format that
//! was asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::Context;
use super::super::form::Form;
use crate::export::delimited::RowWriter;
use crate::export::unreadable::add_to;
use crate::export::{self, JsonForm};
use crate::model::Unreadable;
use crate::render::sanitize;
use crate::store::TagChanges;
use crate::terminal::Output;
use crate::units;

/// What becomes of one tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TagChange<'a> {
    key: &'a str,
    before: Option<&'a str>,
    /// `None` for none any more.
    after: Option<&'a str>,
}

/// What the changes are to a trace with these tags, in their order.
pub(super) fn changes_of<'a>(
    changes: &'a TagChanges,
    tags: &'a BTreeMap<String, String>,
) -> Vec<TagChange<'a>> {
    let set = changes.set.iter().map(|(key, value)| (key, Some(value)));
    let deleted = changes.delete.iter().map(|key| (key, None));
    set.chain(deleted)
        .map(|(key, after)| TagChange {
            key,
            before: tags.get(key).map(String::as_str),
            after: after.map(String::as_str),
        })
        .collect()
}

impl TagChange<'_> {
    fn is_one(&self) -> bool {
        self.before != self.after
    }

    /// `env=dev (was prod)`, `new=x (new)`, `-old (was 1)`.
    fn described(&self) -> String {
        let Self { key, before, after } = self;
        match (before, after) {
            (None, Some(after)) => format!("{key}={after} (new)"),
            (Some(before), Some(after)) if before == after => format!("{key}={after} (as it is)"),
            (Some(before), Some(after)) => format!("{key}={after} (was {before})"),
            (Some(before), None) => format!("-{key} (was {before})"),
            (None, None) => format!("-{key} (not there)"),
        }
    }
}

/// Writes results.
pub(super) struct Printer<'a> {
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

/// What is told of a trace.
#[derive(Default)]
struct Told<'r> {
    status: &'r str,
    /// For people.
    described: String,
    error: &'r str,
    /// The tags that the trace has now, where they were looked up.
    before: Option<Value>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(
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
                let heads = ["trace_id", "status", "error", "changes"];
                let heads = &heads[..if dry_run { 4 } else { 3 }];
                rows.row(heads.iter().copied().map(Cow::Borrowed))?;
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

    /// The tags of a trace were changed.
    pub(super) fn changed(&mut self, id: &str) -> Result<()> {
        let set = self.changes.set.iter().map(|(k, v)| format!("{k}={v}"));
        let deleted = self.changes.delete.iter().map(|k| format!("-{k}"));
        let described = set.chain(deleted).collect::<Vec<_>>().join(", ");
        let told = Told {
            status: "changed",
            described,
            ..Told::default()
        };
        self.write(id, &told)
    }

    /// They would be changed like this.
    pub(super) fn planned(&mut self, id: &str, planned: &[TagChange<'_>]) -> Result<()> {
        let described: Vec<String> = planned.iter().map(TagChange::described).collect();
        let described = described.join(", ");
        let before = planned
            .iter()
            .map(|change| (change.key.to_owned(), change.before.into()));
        let (status, words) = if planned.iter().any(TagChange::is_one) {
            ("would_change", "would change")
        } else {
            ("unchanged", "nothing to change")
        };
        let told = Told {
            status,
            described: match self.kind {
                Kind::Text(_) => format!("{words}: {described}"),
                _ => described,
            },
            before: Some(Value::Object(before.collect())),
            ..Told::default()
        };
        self.write(id, &told)
    }

    /// It failed, or would. People read of that on standard error.
    pub(super) fn failed(&mut self, id: &str, error: &str) -> Result<()> {
        if matches!(self.kind, Kind::Text(_)) {
            return Ok(());
        }
        let told = Told {
            status: "failed",
            error,
            ..Told::default()
        };
        self.write(id, &told)
    }

    fn write(&mut self, id: &str, told: &Told<'_>) -> Result<()> {
        let changes = self.changes;
        let json = || {
            let set: serde_json::Map<String, Value> = changes
                .set
                .iter()
                .map(|(k, v)| (k.clone(), v.clone().into()))
                .collect();
            let mut line = json!({"trace_id": id, "status": told.status, "set": set, "deleted": changes.delete});
            if let Some(before) = &told.before {
                line["before"] = before.clone();
            }
            if !told.error.is_empty() {
                line["error"] = json!(told.error);
            }
            line
        };
        match &mut self.kind {
            Kind::Text(out) => {
                let (id, described) = (sanitize::line(id), sanitize::line(&told.described));
                writeln!(out, "{id}  {described}")?;
            }
            Kind::Lines(out) => export::json::write(out, &json(), JsonForm::Lines)?,
            Kind::Document(_, lines) => lines.push(json()),
            Kind::Delimited(rows) => {
                let cells = [id, told.status, told.error, &told.described];
                let cells = &cells[..if self.dry_run { 4 } else { 3 }];
                rows.row(cells.iter().copied().map(Cow::Borrowed))?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(
        self,
        done: usize,
        failed: usize,
        unreadable: &[Unreadable],
    ) -> Result<()> {
        match self.kind {
            Kind::Document(out, results) => {
                let changed = if self.dry_run { 0 } else { done };
                let mut document =
                    json!({"results": results, "changed": changed, "failed": failed});
                add_to(&mut document, unreadable, JsonForm::Pretty);
                export::json::write(out, &document, JsonForm::Pretty)?;
            }
            Kind::Delimited(rows) => rows.finish()?,
            Kind::Text(_) | Kind::Lines(_) => {}
        }
        if done > 1 && !self.dry_run {
            self.context
                .note(&format!("changed {}", units::counted(done, "trace")));
        }
        Ok(())
    }
}
