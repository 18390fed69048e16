//! `mlt tag`: set and delete tags, on traces that are named or that a filter finds.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::change::{self, Order, Plan, Task, Words};
use super::selection::key_value;
use super::{Context, resolve};
use crate::cli::TagArgs;
use crate::error::{CommandError, Exit};
use crate::model::{TraceInfo, tag as reserved};
use crate::store::{Change, Store, TagChanges};

/// Servers store at most so many characters of a value …
const MAX_VALUE: usize = 8000;
/// … and give back at most so many.
const SHOWN_VALUE: usize = 4096;
const MAX_KEY: usize = 250;

/// What of a trace is named like a key of filters, and is no tag.
const NO_TAGS: [(&str, &str); 5] = [
    ("feedback", "is feedback, which is no tag"),
    ("expectation", "is an expectation, which is no tag"),
    ("assessments", "is an assessment, which is no tag"),
    ("metadata", "is metadata, which cannot be changed"),
    ("tags", "has a prefix that tags have in filters alone"),
];

pub(super) fn run(context: &Context, args: &TagArgs) -> Result<Exit> {
    let form = context.form("tag")?;
    let (changes, words) = changes(context, args)?;
    let tagging = Tagging {
        changes,
        store: context.store()?,
    };
    tagging.check()?;
    let order = Order {
        words: &words,
        filter: &args.filter,
        dry_run: args.dry_run,
        yes: args.yes,
        most: None,
    };
    change::run(context, form, order, &tagging)
}

/// Tags that are to be set and deleted.
struct Tagging<'s> {
    changes: TagChanges,
    store: &'s dyn Store,
}

impl Tagging<'_> {
    /// # Errors
    /// Two keys one of which would take the other's place.
    fn check(&self) -> Result<()> {
        let set = self.changes.set.iter().map(|(key, _)| key);
        let keys: Vec<&String> = set.chain(&self.changes.delete).collect();
        for (at, one) in keys.iter().enumerate() {
            let alike = |other: &&&String| self.store.same_key(one, other);
            if let Some(other) = keys[at + 1..].iter().find(alike) {
                let store = self.store.describe();
                let message = format!("`{one}` and `{other}` are the same key of a tag in {store}");
                return Err(CommandError::usage(message).hint("name one of them").into());
            }
        }
        Ok(())
    }

    /// The tag that a trace has now under a key, or under another one that is the same to
    /// the store.
    fn tag_of<'t>(&self, info: &'t TraceInfo, key: &str) -> Option<(&'t str, &'t str)> {
        let same = info.tags.get_key_value(key).or_else(|| {
            let mut all = info.tags.iter();
            all.find(|(other, _)| self.store.same_key(key, other))
        });
        same.map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl Task for Tagging<'_> {
    fn change(&self) -> Change {
        Change::Tags(self.changes.clone())
    }

    fn plan(&self, _id: &str, info: Option<&TraceInfo>) -> Plan {
        let Some(info) = info else {
            let all = changes_of(&self.changes, |_| None);
            return Plan {
                changes: true,
                done: list(&all, TagChange::sent),
                ..Plan::default()
            };
        };
        let all = changes_of(&self.changes, |key| self.tag_of(info, key));
        let before = all
            .iter()
            .map(|change| (change.key.to_owned(), change.before.into()));
        Plan {
            changes: all.iter().any(TagChange::is_one),
            planned: list(&all, TagChange::planned),
            done: list(&all, TagChange::done),
            before: Some(Value::Object(before.collect())),
            ..Plan::default()
        }
    }

    fn fields(&self, _id: &str) -> Map<String, Value> {
        let TagChanges { set, delete } = &self.changes;
        let set: Map<String, Value> = set
            .iter()
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        [("set", Value::Object(set)), ("deleted", json!(delete))]
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect()
    }

    fn words(&self) -> Words {
        let TagChanges { set, delete } = &self.changes;
        Words {
            verb: "tag",
            doing: "tagging",
            done: "tagged",
            changed: "changed",
            would: "would change",
            nothing: "nothing to change",
            already: match (set.len(), delete.len()) {
                (1, 0) => "had it already",
                (_, 0) => "had them already",
                (0, 1) => "did not have it",
                (0, _) => "did not have them",
                _ => "were so already",
            },
        }
    }
}

/// What becomes of one tag.
#[derive(Debug, PartialEq, Eq)]
struct TagChange<'a> {
    key: &'a str,
    before: Option<&'a str>,
    /// The key of the tag that is there before, where that is another one.
    other: Option<&'a str>,
    /// `None` for none any more.
    after: Option<&'a str>,
}

/// What the changes are to a trace with these tags, in their order.
fn changes_of<'a>(
    changes: &'a TagChanges,
    now: impl Fn(&str) -> Option<(&'a str, &'a str)>,
) -> Vec<TagChange<'a>> {
    let set = changes.set.iter().map(|(key, value)| (key, Some(value)));
    let deleted = changes.delete.iter().map(|key| (key, None));
    set.chain(deleted)
        .map(|(key, after)| {
            let now = now(key);
            TagChange {
                key,
                before: now.map(|(_, value)| value),
                other: now.map(|(known, _)| known).filter(|known| known != key),
                after: after.map(String::as_str),
            }
        })
        .collect()
}

fn list<'a>(all: &[TagChange<'a>], text: fn(&TagChange<'a>) -> String) -> String {
    all.iter().map(text).collect::<Vec<_>>().join(", ")
}

impl TagChange<'_> {
    fn is_one(&self) -> bool {
        self.before != self.after || self.other.is_some()
    }

    /// `env=dev`, `-old`.
    fn sent(&self) -> String {
        let Self { key, after, .. } = self;
        match after {
            Some(after) => format!("{key}={after}"),
            None => format!("-{key}"),
        }
    }

    /// The same, and that there was nothing to do where that is so.
    fn done(&self) -> String {
        if self.is_one() && self.other.is_none() {
            self.sent()
        } else {
            self.planned()
        }
    }

    /// `env=dev (was prod)`, `new=x (new)`, `-old (was 1)`, and `Env=dev (was env=prod)`
    /// where both are the same key to the store.
    fn planned(&self) -> String {
        let sent = self.sent();
        if let Some(other) = self.other {
            return format!("{sent} (was {other}={})", self.before.unwrap_or_default());
        }
        match (self.before, self.after) {
            (None, Some(_)) => format!("{sent} (new)"),
            (before, after) if before == after => match after {
                Some(_) => format!("{sent} (as it is)"),
                None => format!("{sent} (not there)"),
            },
            (before, _) => format!("{sent} (was {})", before.unwrap_or_default()),
        }
    }
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
        check_is_tag(key)?;
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

/// Checks a tag that is to be made.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_tag(context: &Context, key: &str, value: &str) -> Result<()> {
    check_is_tag(key)?;
    check_key(key)?;
    check_value(context, key, value)
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

/// Whoever means something else of a trace would get a tag of that name. One that is there
/// can be deleted.
fn check_is_tag(key: &str) -> Result<()> {
    let meant = NO_TAGS.iter().find_map(|(kind, what)| {
        let name = key.strip_prefix(kind)?.strip_prefix(['.', ':'])?;
        Some((*kind, *what, name))
    });
    let Some((kind, what, name)) = meant.filter(|(.., name)| !name.is_empty()) else {
        return Ok(());
    };
    let error = CommandError::usage(format!("`{key}` {what}"));
    Err(match kind {
        "tags" => error.hint(format!("write {name}=…")),
        "metadata" => error.hint(format!("a tag of another name can hold it: {name}=…")),
        "expectation" => error.hint(format!("write `mlt assess TRACE {name}=… --expectation`")),
        _ => error.hint(format!("write `mlt assess TRACE {name}=…`")),
    }
    .into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tag_is_refused_with_a_hint() {
        for key in [
            "feedback.x",
            "expectation.answer",
            "assessments.x",
            "metadata.k",
            "tags.env",
            "tags:env",
        ] {
            assert!(check_is_tag(key).is_err(), "{key}");
        }
        for key in ["feedback", "feedbacks.x", "my.feedback.x", "tags", "tags."] {
            assert!(check_is_tag(key).is_ok(), "{key}");
        }
    }

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
