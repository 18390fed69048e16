//! What a change did or would do, one result for each trace in the format that was
//! asked for.

use std::borrow::Cow;
use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::super::Context;
use super::super::form::Form;
use super::{Plan, Words};
use crate::export::delimited::RowWriter;
use crate::export::unreadable::add_to;
use crate::export::{self, JsonForm};
use crate::model::Unreadable;
use crate::terminal::Output;
use crate::text::Sheet;
use crate::units;

/// How many traces came to what.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::commands) struct Counts {
    pub(in crate::commands) changed: usize,
    /// In a dry run, those that would be changed.
    pub(in crate::commands) planned: usize,
    /// Those that needed no change.
    pub(in crate::commands) unchanged: usize,
    /// Those that it was not done to any more.
    pub(in crate::commands) left: usize,
}

impl Counts {
    /// All but those that failed or are left.
    pub(in crate::commands) const fn all(self) -> usize {
        self.changed + self.planned + self.unchanged
    }
}

/// What the JSON of the result for a trace has besides, by its id.
pub(in crate::commands) type Fields<'a> = Box<dyn Fn(&str) -> Map<String, Value> + 'a>;

/// Writes results.
pub(in crate::commands) struct Printer<'a> {
    context: &'a Context<'a>,
    pub(super) dry_run: bool,
    words: Words,
    fields: Fields<'a>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Text(Sheet<'a>),
    Lines(&'a mut dyn Write),
    Document(&'a mut dyn Write, Vec<Value>),
    Delimited(Box<RowWriter<'a>>),
}

/// What is told of a trace.
#[derive(Default)]
struct Told<'r> {
    status: &'r str,
    /// For people.
    described: String,
    error: &'r str,
    /// What the trace had, where that could be read.
    before: Option<Value>,
    /// What the JSON of this result has besides.
    more: Map<String, Value>,
}

impl<'a> Printer<'a> {
    pub(in crate::commands) fn new(
        context: &'a Context<'a>,
        form: Form,
        (words, fields): (Words, Fields<'a>),
        dry_run: bool,
        out: &'a mut Output,
    ) -> Result<Self> {
        let kind = match form {
            Form::Text => Kind::Text(out.text()),
            Form::Json(JsonForm::Lines) => Kind::Lines(out.data()),
            Form::Json(JsonForm::Pretty) => Kind::Document(out.data(), Vec::new()),
            Form::Delimited(format) => {
                let mut rows = RowWriter::new(out.data(), format);
                let heads = ["trace_id", "status", "error", "changes"];
                let heads = &heads[..if dry_run { 4 } else { 3 }];
                rows.row(heads.iter().copied().map(Cow::Borrowed))?;
                Kind::Delimited(Box::new(rows))
            }
        };
        Ok(Self {
            context,
            dry_run,
            words,
            fields,
            kind,
        })
    }

    /// A trace was changed.
    pub(in crate::commands) fn changed(&mut self, id: &str, plan: &Plan) -> Result<()> {
        let told = Told {
            status: self.words.changed,
            described: plan.done.clone(),
            before: plan.before.clone(),
            more: plan.more.clone(),
            ..Told::default()
        };
        self.write(id, &told)
    }

    /// A trace would be changed, or need not be.
    pub(in crate::commands) fn planned(&mut self, id: &str, plan: &Plan) -> Result<()> {
        let Words { would, nothing, .. } = self.words;
        let (status, words) = if plan.changes {
            (would.replace(' ', "_"), would)
        } else {
            ("unchanged".to_owned(), nothing)
        };
        let told = Told {
            status: &status,
            described: match self.kind {
                Kind::Text(_) => format!("{words}: {}", plan.planned),
                _ => plan.planned.clone(),
            },
            before: plan.before.clone(),
            more: plan.more.clone(),
            ..Told::default()
        };
        self.write(id, &told)
    }

    /// A trace was changed by somebody else meanwhile.
    pub(super) fn unchanged(&mut self, id: &str, why: &str) -> Result<()> {
        let plan = Plan {
            planned: why.to_owned(),
            ..Plan::default()
        };
        self.planned(id, &plan)
    }

    /// A trace is as it was, since nothing could be changed any more.
    pub(super) fn left(&mut self, id: &str) -> Result<()> {
        if matches!(self.kind, Kind::Text(_)) {
            return Ok(());
        }
        let told = Told {
            status: "left",
            ..Told::default()
        };
        self.write(id, &told)
    }

    /// It failed, or would. People read of that on standard error.
    pub(in crate::commands) fn failed(&mut self, id: &str, error: &str) -> Result<()> {
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
        let fields = &self.fields;
        let json = || {
            let mut line = json!({"trace_id": id, "status": told.status});
            for (key, value) in fields(id).into_iter().chain(told.more.clone()) {
                line[key] = value;
            }
            if let Some(before) = &told.before {
                line["before"] = before.clone();
            }
            if !told.error.is_empty() {
                line["error"] = json!(told.error);
            }
            line
        };
        match &mut self.kind {
            Kind::Text(out) => out.line(format!("{id}  {}", told.described))?,
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

    pub(in crate::commands) fn finish(
        self,
        counts: Counts,
        failed: usize,
        unreadable: &[Unreadable],
    ) -> Result<()> {
        let Counts {
            changed,
            unchanged,
            left,
            ..
        } = counts;
        let words = self.words;
        match self.kind {
            Kind::Document(out, results) => {
                let mut document = json!({
                    "results": results, words.changed: changed, "unchanged": unchanged, "failed": failed
                });
                if left > 0 {
                    document["left"] = json!(left);
                }
                add_to(&mut document, unreadable, JsonForm::Pretty);
                export::json::write(out, &document, JsonForm::Pretty)?;
            }
            Kind::Delimited(rows) => rows.finish()?,
            Kind::Text(_) | Kind::Lines(_) => {}
        }
        if counts.all() > 1 && !self.dry_run {
            let all = units::counted(counts.all(), "trace");
            let of = match unchanged {
                0 => all,
                _ => format!(
                    "{} of {all} ({} {})",
                    units::whole(changed),
                    units::whole(unchanged),
                    words.already
                ),
            };
            self.context.note(&format!("{} {of}", words.changed));
        }
        Ok(())
    }
}
