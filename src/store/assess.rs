//! What may be done to assessments of traces: some are made, perhaps in the place of others, and
//! some go. MLflow keeps those that others replace, and says that they are not valid.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::StoreError;
use crate::model::{Assessment, AssessmentKind, SpanId, Timestamp, random_digits};

/// What is to be done to the assessments of traces.
#[derive(Debug, Clone, Default)]
pub struct AssessmentPlan {
    /// To those that are not named.
    pub every: AssessmentChanges,
    /// To single ones, by their ids.
    pub single: HashMap<String, AssessmentChanges>,
}

impl AssessmentPlan {
    /// What is to be done to a trace.
    pub fn of(&self, trace_id: &str) -> &AssessmentChanges {
        self.single.get(trace_id).unwrap_or(&self.every)
    }
}

/// What is to be done to the assessments of a trace.
#[derive(Debug, Clone, Default)]
pub struct AssessmentChanges {
    /// Those that are made, without ids and times.
    pub make: Vec<Assessment>,
    /// Whether each takes the place of one of the same name and kind, of the same source
    /// and about the same thing.
    pub replace: bool,
    /// Names and ids of those that are deleted.
    pub delete: Vec<String>,
}

impl AssessmentChanges {
    /// The one that a new one would replace: the newest of those that are valid.
    pub fn replaced<'a>(&self, new: &Assessment, now: &'a [Assessment]) -> Option<&'a Assessment> {
        let same_kind = |old: &Assessment| {
            std::mem::discriminant(&old.kind) == std::mem::discriminant(&new.kind)
        };
        let is_it = |old: &&Assessment| {
            old.valid
                && old.id.is_some()
                && old.name == new.name
                && old.source == new.source
                && old.span_id == new.span_id
                && same_kind(old)
        };
        let found = now.iter().filter(is_it);
        found
            .max_by_key(|old| old.create_time)
            .filter(|_| self.replace)
    }

    /// Whether it says already what a new one in its place would say.
    pub fn is_same(old: &Assessment, new: &Assessment) -> bool {
        is_same_value(old.value(), new.value())
            && old.rationale == new.rationale
            && old.metadata == new.metadata
    }

    /// Those that would be deleted: of a name, the valid ones.
    pub fn doomed<'a>(&self, now: &'a [Assessment]) -> Vec<&'a Assessment> {
        let is_named = |old: &&Assessment| {
            let mut names = self.delete.iter();
            names.any(|name| old.id.as_ref() == Some(name) || (old.valid && old.name == *name))
        };
        now.iter()
            .filter(|old| old.id.is_some())
            .filter(is_named)
            .collect()
    }

    /// The ids of those that are valid again, since what took their place is deleted.
    pub fn restored(&self, now: &[Assessment]) -> Vec<String> {
        restored(&self.doomed(now))
    }

    /// Makes the assessments that are to be made on a trace, with ids and times.
    pub(super) fn made(&self, now: &[Assessment]) -> Vec<Assessment> {
        let time = Timestamp::from_millis(Timestamp::now().millis());
        let complete = |new: &Assessment| Assessment {
            id: Some(new_id()),
            create_time: Some(time),
            last_update_time: Some(time),
            overrides: self.replaced(new, now).and_then(|old| old.id.clone()),
            valid: true,
            ..new.clone()
        };
        let is_there = |new: &&Assessment| {
            let old = self.replaced(new, now);
            old.is_some_and(|old| Self::is_same(old, new))
        };
        let missing = self.make.iter().filter(|new| !is_there(new));
        missing.map(complete).collect()
    }
}

/// Whether two values are one, be their numbers whole or floating-point: servers make the
/// latter of all.
fn is_same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_value(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let is_there =
                |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| is_same_value(a, b));
            a.len() == b.len() && a.iter().all(is_there)
        }
        _ => one == other,
    }
}

/// Deletes some, and gives back what they replaced: their ids.
pub(super) fn restored(doomed: &[&Assessment]) -> Vec<String> {
    let gone: HashSet<&str> = doomed.iter().filter_map(|old| old.id.as_deref()).collect();
    let replaced = doomed.iter().filter_map(|old| old.overrides.as_deref());
    replaced
        .filter(|id| !gone.contains(id))
        .map(str::to_owned)
        .collect()
}

/// `a-` and 32 digits of hex that nobody has drawn before.
pub(super) fn new_id() -> String {
    format!("a-{}{}", random_digits(), random_digits())
}

/// An assessment as MLflow sends and keeps it, but for numbers.
pub(super) fn as_json(trace_id: &str, new: &Assessment) -> Value {
    let mut all = json!({
        "assessment_name": new.name,
        "trace_id": trace_id,
        "source": {"source_type": new.source.kind, "source_id": new.source.id},
        "valid": new.valid,
    });
    match &new.kind {
        AssessmentKind::Feedback { value, error } => {
            all["feedback"] = json!({"value": value});
            if let Some(error) = error {
                all["feedback"]["error"] = json!({
                    "error_code": error.code,
                    "error_message": error.message,
                    "stack_trace": error.stack_trace,
                });
            }
        }
        AssessmentKind::Expectation { value } if value.is_array() || value.is_object() => {
            all["expectation"] = json!({"serialized_value": {
                "serialization_format": "JSON_FORMAT", "value": python_json(value),
            }});
        }
        AssessmentKind::Expectation { value } => all["expectation"] = json!({"value": value}),
        AssessmentKind::Issue { name } => all["issue"] = json!({"issue_name": name}),
        AssessmentKind::Other => {}
    }
    let times = [
        ("create_time", new.create_time),
        ("last_update_time", new.last_update_time),
    ];
    for (key, time) in times {
        if let Some(time) = time {
            all[key] = time.to_string().into();
        }
    }
    let span = new.span_id.as_ref().map(SpanId::as_str);
    let texts = [
        ("assessment_id", new.id.as_deref()),
        ("span_id", span),
        ("rationale", new.rationale.as_deref()),
        ("overrides", new.overrides.as_deref()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            all[key] = text.into();
        }
    }
    if !new.metadata.is_empty() {
        all["metadata"] = json!(new.metadata);
    }
    all
}

/// JSON as Python writes it, with spaces and in ASCII.
pub(super) fn python_json(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python_json).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                format!(
                    "{}: {}",
                    python_json(&key.as_str().into()),
                    python_json(value)
                )
            };
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::String(_) => {
            let mut ascii = String::new();
            for c in value.to_string().chars() {
                if matches!(c, ' '..='~') {
                    ascii.push(c);
                } else {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        let _ = write!(ascii, "\\u{unit:04x}");
                    }
                }
            }
            ascii
        }
        other => other.to_string(),
    }
}

/// The error of a store that keeps none.
pub(super) fn none_are_kept(store: String) -> StoreError {
    StoreError::Unsupported {
        store,
        what: "assessments: it is of a release of MLflow before 3.2",
        instead: "a newer server over the same store has them",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_as_python_writes_it() {
        for (json, python) in [
            (
                r#"{"a":[1,null,"x"],"b":{}}"#,
                r#"{"a": [1, null, "x"], "b": {}}"#,
            ),
            (
                "\"é\u{1f6d2}\\n\\\"\u{7f}\"",
                r#""\u00e9\ud83d\uded2\n\"\u007f""#,
            ),
            ("0.25", "0.25"),
            ("[]", "[]"),
        ] {
            assert_eq!(python_json(&serde_json::from_str(json).unwrap()), python);
        }
    }

    #[test]
    fn the_newest_valid_one_of_the_same_source_is_replaced() {
        let feedback = |id: &str, time: i64, valid: bool| Assessment {
            id: Some(id.to_owned()),
            create_time: Some(Timestamp::from_millis(time)),
            valid,
            ..Assessment::sample_feedback("x", json!(1))
        };
        let mut other = feedback("other", 9, true);
        other.source.kind = "CODE".to_owned();
        let now = [
            feedback("a", 1, true),
            feedback("b", 2, true),
            feedback("c", 3, false),
            other,
        ];
        let mut changes = AssessmentChanges {
            make: vec![Assessment::sample_feedback("x", json!(2))],
            ..AssessmentChanges::default()
        };
        assert_eq!(changes.made(&now)[0].overrides, None);
        changes.replace = true;
        let made = changes.made(&now);
        assert_eq!(made[0].overrides.as_deref(), Some("b"));
        assert_ne!(made[0].id, changes.made(&now)[0].id);
        changes.make[0] = Assessment::sample_feedback("x", json!(1.0));
        assert_eq!(changes.made(&now), [], "it is so already");
        let said = |value| Assessment::sample_feedback("x", value);
        let large = 9_007_199_254_740_993_i64;
        for (old, new, is_same) in [
            (
                json!({"a": [1.0, 2.0], "b": "x"}),
                json!({"b": "x", "a": [1, 2]}),
                true,
            ),
            (json!({"a": [1.0, 2.0]}), json!({"a": [1, 2, 3]}), false),
            (json!({"a": 1}), json!({"b": 1}), false),
            (json!(large), json!(large - 1), false),
            (json!(true), json!(1), false),
        ] {
            let (old, new) = (said(old), said(new));
            let found = AssessmentChanges::is_same(&old, &new);
            assert_eq!(found, is_same, "{old:?} {new:?}");
        }
        changes.delete = vec!["x".to_owned(), "c".to_owned()];
        let doomed = changes.doomed(&now);
        assert_eq!(doomed.len(), 4);
        assert!(restored(&doomed).is_empty());
    }
}
