//! What traces these are that are to be changed for good, in a few words before it is
//! done: how many, from when to when, and what they have in common.

use std::collections::BTreeMap;

use super::Words;
use crate::commands::Context;
use crate::model::{Timestamp, TraceInfo};
use crate::units;

/// Traces, as far as they have something in common.
#[derive(Debug, Default)]
pub(super) struct Overview {
    count: usize,
    time: Option<(Timestamp, Timestamp)>,
    /// The name and the tags that all have, but for MLflow's own tags.
    common: BTreeMap<String, String>,
}

/// How many tags are named, and so many characters of their values.
const SHOWN: usize = 8;
const LONGEST: usize = 60;

impl Overview {
    pub(super) fn add(&mut self, info: &TraceInfo) {
        if let Some(time) = info.request_time {
            let (first, last) = self.time.unwrap_or((time, time));
            self.time = Some((first.min(time), last.max(time)));
        }
        if self.count == 0 {
            self.common = described(info);
        } else if !self.common.is_empty() {
            let other = described(info);
            self.common
                .retain(|key, value| other.get(key) == Some(value));
        }
        self.count += 1;
    }

    /// A trace of which nothing is known but that it is there.
    pub(super) fn add_unknown(&mut self) {
        self.common.clear();
        self.count += 1;
    }

    /// Says it, to whoever is to decide or wants to know.
    pub(super) fn tell(&self, context: &Context, words: Words, is_question: bool) {
        let zone = context.layout().zone;
        let traces = units::counted(self.count, "trace");
        let when = match self.time {
            Some((first, last)) if first == last => {
                format!(", {}", units::time(first, zone))
            }
            Some((first, last)) => format!(
                ", {} to {}",
                units::time(first, zone),
                units::time(last, zone)
            ),
            None => String::new(),
        };
        let mut common: Vec<String> = self
            .common
            .iter()
            .take(SHOWN)
            .map(|(key, value)| match value.char_indices().nth(LONGEST) {
                Some((at, _)) => format!("{key}={}…", &value[..at]),
                None => format!("{key}={value}"),
            })
            .collect();
        if self.common.len() > SHOWN {
            common.push("…".to_owned());
        }
        let of = if self.count == 1 { "with" } else { "all with" };
        let common = match common.as_slice() {
            [] => String::new(),
            some => format!(", {of} {}", some.join(", ")),
        };
        let text = format!("to {}: {traces}{when}{common}", words.verb);
        if is_question {
            context.note_loss(&text);
        } else {
            context.note(&text);
        }
    }
}

/// By their keys in filters.
fn described(info: &TraceInfo) -> BTreeMap<String, String> {
    let tags = info.tags.iter();
    let own = tags.filter(|(key, _)| !key.starts_with("mlflow."));
    let mut all: BTreeMap<_, _> = own
        .map(|(key, value)| (format!("tags.{key}"), value.clone()))
        .collect();
    if let Some(name) = info.name() {
        all.insert("name".to_owned(), name.to_owned());
    }
    all
}
