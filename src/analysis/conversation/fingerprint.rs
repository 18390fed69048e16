//! What a part says, without what differs from one recording of it to the next: ids,
//! nulls, the names of attachments, whether JSON is encoded once more.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use serde_json::Value;

use crate::messages;
use crate::model::{Media, Message, Part, Role};

/// How often each part was shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    counts: HashMap<u128, usize>,
    of_system: HashSet<u128>,
    alike: Arc<Alike>,
}

impl Shown {
    /// Counts a part as shown.
    pub(super) fn add(&mut self, role: &Role, part: &Part) {
        let key = self.key(role, part);
        *self.counts.entry(key).or_default() += 1;
    }

    /// Whether this occurrence of a part, the given one of its history, is new; it
    /// counts as shown then. `seen` counts the occurrences in the history.
    pub(super) fn is_new(&mut self, role: &Role, part: &Part, seen: &mut Seen) -> bool {
        let key = self.key(role, part);
        let occurrence = seen.0.entry(key).or_default();
        *occurrence += 1;
        let shown = self.counts.entry(key).or_default();
        let is_new = *shown < *occurrence;
        if is_new {
            *shown += 1;
            if *role == Role::System {
                self.of_system.insert(key);
            }
        }
        is_new
    }

    /// Forgets all but the system prompts.
    pub(super) fn keep_system_prompts(&mut self) {
        let of_system = &self.of_system;
        self.counts.retain(|key, _| of_system.contains(key));
    }

    /// Whether a part was shown at all.
    pub(super) fn has(&self, role: &Role, part: &Part) -> bool {
        self.counts
            .get(&self.key(role, part))
            .is_some_and(|count| *count > 0)
    }

    fn key(&self, role: &Role, part: &Part) -> u128 {
        self.alike.of(|hasher| write(role, part, hasher))
    }
}

/// Occurrences within one history.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<u128, usize>);

fn write(role: &Role, part: &Part, to: &mut impl Hasher) {
    match part {
        Part::Text(text) => (0, role, text.trim()).hash(to),
        Part::Reasoning(text) => (1, text.as_deref().map(str::trim)).hash(to),
        Part::Call(call) => {
            (2, &call.name).hash(to);
            canonical(&call.arguments, to);
        }
        Part::Result(result) => {
            3.hash(to);
            canonical(&result.response, to);
        }
        Part::Media(media) => write_media(media, to),
        Part::Refusal(text) => (5, text.trim()).hash(to),
        Part::Json(value) => {
            6.hash(to);
            canonical(value, to);
        }
    }
}

/// Each recording of an image makes an attachment of its own.
fn write_media(media: &Media, to: &mut impl Hasher) {
    let address = media
        .uri
        .as_deref()
        .filter(|_| media.attachment().is_none());
    (4, &media.mime_type, media.size, address, &media.data).hash(to);
}

/// Objects without order and nulls; a text that is JSON as what it holds.
fn canonical(value: &Value, to: &mut impl Hasher) {
    match value {
        Value::Null => 0.hash(to),
        Value::Bool(value) => (1, value).hash(to),
        Value::Number(number) => match number.as_f64() {
            Some(float) => (2, float.to_bits()).hash(to),
            None => (2, number.to_string()).hash(to),
        },
        Value::String(text) => {
            let decoded = messages::decoded(value);
            match &*decoded {
                Value::String(_) => (3, text.trim()).hash(to),
                other => canonical(other, to),
            }
        }
        Value::Array(items) => {
            (4, items.len()).hash(to);
            for item in items {
                canonical(item, to);
            }
        }
        Value::Object(object) => {
            let mut members: Vec<(&String, &Value)> = object
                .iter()
                .filter(|(_, value)| !value.is_null())
                .collect();
            members.sort_by_key(|(key, _)| *key);
            (5, members.len()).hash(to);
            for (key, value) in members {
                key.hash(to);
                canonical(value, to);
            }
        }
    }
}

/// Keys that are equal for values, and for messages, that say the same.
#[derive(Debug, Default)]
pub(super) struct Alike {
    seeds: (RandomState, RandomState),
}

impl Alike {
    pub(super) fn key(&self, value: &Value) -> u128 {
        self.of(|hasher| canonical(value, hasher))
    }

    pub(super) fn of_messages(&self, messages: &[Arc<Message>]) -> u128 {
        self.of(|hasher| {
            for message in messages {
                message.parts.len().hash(hasher);
                for part in &message.parts {
                    write(&message.role, part, hasher);
                }
            }
        })
    }

    /// Two hashes of 64 bits, with keys of this process.
    fn of(&self, write: impl Fn(&mut DefaultHasher)) -> u128 {
        let hash = |seed: &RandomState| {
            let mut hasher = seed.build_hasher();
            write(&mut hasher);
            u128::from(hasher.finish())
        };
        hash(&self.seeds.0) << 64 | hash(&self.seeds.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn same(a: &Value, b: &Value) -> bool {
        let alike = Alike::default();
        alike.key(a) == alike.key(b)
    }

    #[test]
    fn what_says_the_same_is_the_same() {
        assert!(same(&json!({"a": 1, "b": null}), &json!("{\"a\": 1}")));
        assert!(same(&json!({"a": 1, "b": 2.0}), &json!({"b": 2, "a": 1.0})));
        assert!(!same(&json!(["a", "b"]), &json!(["b", "a"])));
        assert!(!same(&json!("3"), &json!(3)));
    }

    #[test]
    fn a_person_may_say_the_same_twice() {
        let yes = Part::Text("yes".into());
        let mut shown = Shown::default();
        let mut first = Seen::default();
        assert!(shown.is_new(&Role::User, &yes, &mut first));
        // The second history has it twice: the second time is new.
        let mut second = Seen::default();
        assert!(!shown.is_new(&Role::User, &yes, &mut second));
        assert!(shown.is_new(&Role::User, &yes, &mut second));
        assert!(!shown.has(&Role::Assistant, &yes));
    }
}
