//! `mlt assess`: feedback and expectations, on traces that are named or that a filter finds.

mod from;
mod list;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::change::{self, Order, Plan, Task, Words};
use super::form::Form;
use super::get::wanted::{is_span, require_span};
use super::selection::key_value;
use super::{Context, resolve};
use crate::cli::{AssessArgs, FilterArgs};
use crate::error::{CommandError, Exit};
use crate::field::assessment_text;
use crate::model::{Assessment, AssessmentKind, Detail, Source, SpanId, TraceInfo};
use crate::settings::Env;
use crate::store::{AssessmentChanges, AssessmentPlan, Change};
use crate::units;

/// MLflow's databases have room for so many characters of a name.
const MAX_NAME: usize = 250;
/// What MLflow calls a source that nobody named.
const NOBODY: &str = "default";

pub(super) fn run(context: &Context, args: &AssessArgs) -> Result<Exit> {
    let form = context.form("assess")?;
    if args.list {
        return list::run(context, args, form);
    }
    if let Some(from) = &args.from {
        return from::run(context, args, from, form);
    }
    let (mut changes, mut words) = changes(args)?;
    if let Some(wanted) = &args.span {
        let (id, span) = span_of(context, args, &words, wanted)?;
        for new in &mut changes.make {
            new.span_id = Some(span.clone());
        }
        // The trace of that span: `latest` may be another by now, and a pipe has been read.
        words = vec![id];
    }
    let plan = AssessmentPlan {
        every: changes,
        ..AssessmentPlan::default()
    };
    carry_out(context, args, form, &words, plan)
}

/// Changes the assessments of the traces that are named, or that the filter finds.
fn carry_out(
    context: &Context,
    args: &AssessArgs,
    form: Form,
    words: &[String],
    plan: AssessmentPlan,
) -> Result<Exit> {
    let order = Order {
        words,
        filter: &args.filter,
        dry_run: args.dry_run,
        yes: args.yes,
        most: None,
    };
    change::run(context, form, order, &Assessing(Arc::new(plan)))
}

/// Assessments that are to be made and deleted.
struct Assessing(Arc<AssessmentPlan>);

impl Assessing {
    /// `score=0.7`
    fn sent(new: &Assessment) -> String {
        format!("{}={}", new.name, assessment_text(new))
    }

    /// Whether it changes anything, and what it would do: `score=0.7 (was 0.5)`.
    fn making(changes: &AssessmentChanges, new: &Assessment, now: &[Assessment]) -> (bool, String) {
        let sent = Self::sent(new);
        match changes.replaced(new, now) {
            Some(old) if AssessmentChanges::is_same(old, new) => {
                (false, format!("{sent} (as it is)"))
            }
            Some(old) => (true, format!("{sent} (was {})", assessment_text(old))),
            None => {
                let same = now.iter().filter(|old| old.valid && old.name == new.name);
                let more = if same.count() == 0 { "new" } else { "one more" };
                (true, format!("{sent} ({more})"))
            }
        }
    }

    fn deleting(named: &str, now: &[Assessment]) -> (bool, String) {
        let one = AssessmentChanges {
            delete: vec![named.to_owned()],
            ..AssessmentChanges::default()
        };
        let doomed = one.doomed(now);
        if doomed.is_empty() {
            return (false, format!("-{named} (not there)"));
        }
        let values = |all: &[&Assessment]| {
            let all: Vec<String> = all.iter().map(|one| assessment_text(one)).collect();
            all.join(", ")
        };
        let mut text = format!("-{named} (was {}", values(&doomed));
        let ids = one.restored(now);
        let is_back = |old: &&Assessment| old.id.as_ref().is_some_and(|id| ids.contains(id));
        let back: Vec<&Assessment> = now.iter().filter(is_back).collect();
        if !back.is_empty() {
            text = format!("{text}; {} is valid again", values(&back));
        }
        (true, format!("{text})"))
    }
}

impl Task for Assessing {
    fn change(&self) -> Change {
        Change::Assess(Arc::clone(&self.0))
    }

    fn plan(&self, id: &str, info: Option<&TraceInfo>) -> Plan {
        let changes = self.0.of(id);
        let AssessmentChanges { make, delete, .. } = changes;
        let Some(info) = info else {
            let made = make.iter().map(Self::sent);
            let all: Vec<String> = made
                .chain(delete.iter().map(|it| format!("-{it}")))
                .collect();
            return Plan {
                changes: true,
                done: all.join(", "),
                ..Plan::default()
            };
        };
        let now = &info.assessments;
        let made = make.iter().map(|new| Self::making(changes, new, now));
        let all: Vec<(bool, String)> = made
            .chain(delete.iter().map(|named| Self::deleting(named, now)))
            .collect();
        let planned: Vec<&str> = all.iter().map(|(_, text)| text.as_str()).collect();
        let planned = planned.join(", ");
        let names = make.iter().map(|new| &new.name).chain(delete);
        let before = names.map(|name| {
            let same = now.iter().filter(|old| old.valid && old.name == *name);
            (name.clone(), same.map(|old| old.value().clone()).collect())
        });
        Plan {
            changes: all.iter().any(|(changes, _)| *changes),
            done: planned.clone(),
            planned,
            before: Some(Value::Object(before.collect())),
            ..Plan::default()
        }
    }

    fn fields(&self, id: &str) -> Map<String, Value> {
        let AssessmentChanges { make, delete, .. } = self.0.of(id);
        let made: Vec<Value> = make.iter().map(described).collect();
        let fields = [("assessments", json!(made)), ("deleted", json!(delete))];
        fields
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect()
    }

    fn words(&self) -> Words {
        Words {
            verb: "assess",
            doing: "assessing",
            done: "assessed",
            changed: "changed",
            would: "would change",
            nothing: "nothing to change",
            already: "were so already",
        }
    }
}

fn described(new: &Assessment) -> Value {
    let mut all = json!({
        "name": new.name,
        "kind": new.kind.as_str(),
        "value": new.value(),
        "source": {"type": new.source.kind, "id": new.source.id},
    });
    if let Some(rationale) = &new.rationale {
        all["rationale"] = rationale.as_str().into();
    }
    if let Some(span) = &new.span_id {
        all["span_id"] = span.as_str().into();
    }
    if !new.metadata.is_empty() {
        all["metadata"] = json!(new.metadata);
    }
    all
}

/// Whether a word is `NAME=VALUE`, and no trace.
fn is_pair(word: &str) -> bool {
    word.contains('=') && !resolve::is_link(word)
}

/// Splits the words into traces and assessments, and checks these.
fn changes(args: &AssessArgs) -> Result<(AssessmentChanges, Vec<String>)> {
    let (pairs, words): (Vec<&String>, Vec<&String>) =
        args.words.iter().partition(|word| is_pair(word));
    let source = source(args.source.as_deref(), &Env::from_process())?;
    let metadata = metadata(args)?;
    let mut make = Vec::new();
    for pair in pairs {
        let (name, text) = key_value("assess", pair)?;
        check_name(name)?;
        if make.iter().any(|new: &Assessment| new.name == name) {
            return Err(CommandError::usage(format!("`{name}` is named twice")).into());
        }
        make.push(Assessment {
            id: None,
            name: name.to_owned(),
            span_id: None,
            source: source.clone(),
            create_time: None,
            last_update_time: None,
            kind: kind(args.expectation, name, text)?,
            rationale: args.rationale.clone(),
            metadata: metadata.clone(),
            overrides: None,
            valid: true,
        });
    }
    if make.is_empty() && args.delete.is_empty() {
        return Err(
            CommandError::usage("expected an assessment to make or delete, found none")
                .hint("write NAME=VALUE, or --delete NAME")
                .into(),
        );
    }
    if make.is_empty() {
        refuse_without_new(args)?;
    }
    if let Some(both) = make.iter().find(|new| args.delete.contains(&new.name)) {
        let message = format!("`{}` is given and deleted at once", both.name);
        let hint = "--replace takes the place of what there is";
        return Err(CommandError::usage(message).hint(hint).into());
    }
    let changes = AssessmentChanges {
        make,
        replace: args.replace,
        delete: args.delete.clone(),
    };
    Ok((changes, words.into_iter().cloned().collect()))
}

fn metadata(args: &AssessArgs) -> Result<BTreeMap<String, String>> {
    let pairs = args.set_metadata.iter();
    pairs
        .map(|pair| {
            let (key, value) = key_value("--set-metadata", pair)?;
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
}

fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(CommandError::usage("the name of an assessment is empty").into());
    }
    let length = name.chars().count();
    if length > MAX_NAME {
        let message = format!(
            "the name of an assessment has {length} characters, at most {MAX_NAME} are allowed"
        );
        return Err(CommandError::usage(message).into());
    }
    for prefix in ["feedback.", "expectation."] {
        if let Some(name) = name.strip_prefix(prefix) {
            let message = format!("`{prefix}` belongs to filters, and not to the name `{name}`");
            let flag = if prefix == "expectation." {
                " --expectation"
            } else {
                ""
            };
            let hint = format!("write {name}=…{flag}");
            return Err(CommandError::usage(message).hint(hint).into());
        }
    }
    Ok(())
}

/// JSON where it is some, else a text.
fn kind(is_expectation: bool, name: &str, text: &str) -> Result<AssessmentKind> {
    if text.is_empty() {
        let message = format!("`{name}` has no value");
        let hint = format!("`{name}='\"\"'` is an empty text, and --delete {name} takes it back");
        return Err(CommandError::usage(message).hint(hint).into());
    }
    let value: Value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
    if value.is_null() {
        let message = format!("`{name}` has no value: null says nothing");
        return Err(CommandError::usage(message).into());
    }
    Ok(if is_expectation {
        AssessmentKind::Expectation { value }
    } else {
        AssessmentKind::Feedback { value, error: None }
    })
}

/// `human`, `code:score.sh`, `llm:gpt-4.1`.
fn source(typed: Option<&str>, env: &Env) -> Result<Source> {
    let typed = typed.unwrap_or("human");
    let (kind, id) = match typed.split_once(':') {
        Some((kind, id)) => (kind, Some(id).filter(|id| !id.is_empty())),
        None => (typed, None),
    };
    let login = || ["USER", "LOGNAME"].iter().find_map(|name| env.get(name));
    let (kind, nobody) = match kind.to_ascii_lowercase().as_str() {
        "human" => ("HUMAN", login().unwrap_or(NOBODY)),
        "code" => ("CODE", NOBODY),
        "llm" | "llm_judge" => ("LLM_JUDGE", NOBODY),
        _ => {
            let message = format!("--source: expected human, code or llm, found `{kind}`");
            let hint = "a name may follow, such as llm:gpt-4.1";
            return Err(CommandError::usage(message).hint(hint).into());
        }
    };
    Ok(Source {
        kind: kind.to_owned(),
        id: Some(id.unwrap_or(nobody).to_owned()),
    })
}

/// The trace and the span that an assessment is about, this by its name or id.
fn span_of(
    context: &Context,
    args: &AssessArgs,
    words: &[String],
    wanted: &str,
) -> Result<(String, SpanId)> {
    if words.len() != 1 || args.filter != FilterArgs::default() {
        let message = "--span is about one trace, which is named";
        return Err(CommandError::usage(message).into());
    }
    let (ids, missing) = resolve::known_and_missing(context, words)?;
    if let Some((_, error)) = missing.into_iter().next() {
        return Err(error);
    }
    let [id] = ids.as_slice() else {
        let found = units::counted(ids.len(), "trace");
        return Err(
            CommandError::usage(format!("--span is about one trace, found {found}")).into(),
        );
    };
    let trace = context.store()?.trace(id, Detail::Times)?;
    let wanted = require_span(&trace, wanted)?;
    let mut found = trace.spans.iter().filter(|span| is_span(span, &wanted));
    match (found.next(), found.count()) {
        (Some(span), 0) => Ok((id.clone(), span.span_id.clone())),
        (_, more) => {
            let message = format!("{} are named `{wanted}`", units::counted(more + 1, "span"));
            let hint = format!("name one by its id; `mlt get {id}` lists them");
            Err(CommandError::usage(message).hint(hint).into())
        }
    }
}

/// What is said of new assessments says nothing of those that are deleted.
fn refuse_without_new(args: &AssessArgs) -> Result<()> {
    let given = [
        (args.expectation, "--expectation"),
        (args.rationale.is_some(), "--rationale"),
        (args.source.is_some(), "--source"),
        (args.span.is_some(), "--span"),
        (!args.set_metadata.is_empty(), "--set-metadata"),
        (args.replace, "--replace"),
    ];
    match given.iter().find(|(is_given, _)| *is_given) {
        Some((_, flag)) => {
            let message = format!("{flag} is about an assessment to make, found only --delete");
            let hint = "--delete takes an id, too; `mlt assess TRACE --list` shows them";
            Err(CommandError::usage(message).hint(hint).into())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_else_texts() {
        for (text, value) in [
            ("0.7", json!(0.7)),
            ("3", json!(3)),
            ("true", json!(true)),
            ("yes", json!("yes")),
            ("\"5\"", json!("5")),
            ("[1, \"a\"]", json!([1, "a"])),
            ("{\"a\": 1}", json!({"a": 1})),
            ("{not json", json!("{not json")),
            ("\"\"", json!("")),
            ("30 days", json!("30 days")),
        ] {
            let AssessmentKind::Expectation { value: found } = kind(true, "x", text).unwrap()
            else {
                panic!("{text}");
            };
            assert_eq!(found, value, "{text}");
        }
        assert!(kind(false, "x", "null").is_err());
        assert!(kind(false, "x", "").is_err());
    }
}
