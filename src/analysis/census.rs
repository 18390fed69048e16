//! Which keys traces have and with which values: what they can be filtered by.
//! Memory is bounded, however many traces, keys and values there are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::Value;

use crate::filter::Field;
use crate::model::{Assessment, AssessmentKind, Span, TraceInfo, metadata};

/// Keys that are counted; further ones are only known to exist.
const MOST_KEYS: usize = 2_000;
/// Values of one key that are told apart.
const MOST_VALUES: usize = 1_000;
/// Longer values are text to search in, and none to compare with.
const LONGEST_VALUE: usize = 200;

/// The keys of some traces with their values.
#[derive(Debug, Clone, Default)]
pub struct Census {
    traces: usize,
    /// What is counted now, by its number.
    turn: usize,
    keys: HashMap<Field, Entries>,
    keys_left_out: bool,
}

/// What is known of one key.
#[derive(Debug, Clone, Default)]
struct Entries {
    count: Count,
    values: HashMap<String, Count>,
    more_values: bool,
}

/// How many traces have something, each of which counts once.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    traces: usize,
    last: usize,
}

impl Count {
    fn add(&mut self, turn: usize) {
        if self.last != turn {
            self.last = turn;
            self.traces += 1;
        }
    }
}

/// A key and its commonest values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCount {
    /// The key.
    pub field: Field,
    /// Traces that have it.
    pub traces: usize,
    /// Values with the number of traces that have them, the commonest first.
    pub values: Vec<(String, usize)>,
    /// Whether there are values beyond those: too many, too long, or records.
    pub more_values: bool,
}

impl Census {
    /// Counts what a trace has; of its spans where there are some.
    pub fn add(&mut self, info: &TraceInfo, spans: &[Span]) {
        self.add_info(info);
        self.add_spans(spans);
    }

    /// Counts what a trace has besides its spans.
    pub fn add_info(&mut self, info: &TraceInfo) {
        self.traces += 1;
        self.turn += 1;
        self.value(Field::Status, info.state.as_str());
        for (field, value) in [
            (Field::Name, info.name()),
            (Field::RunId, info.run_id()),
            (Field::Experiment, info.experiment_id.as_deref()),
            (Field::ClientRequestId, info.client_request_id.as_deref()),
        ] {
            if let Some(value) = value {
                self.value(field, value);
            }
        }
        for (key, value) in &info.tags {
            if key != crate::model::tag::NAME {
                self.value(Field::Tag(key.clone()), value);
            }
        }
        for (key, value) in &info.metadata {
            if key != metadata::SOURCE_RUN {
                self.value(Field::Metadata(key.clone()), value);
            }
        }
        for assessment in info.assessments.iter().filter(|a| a.valid) {
            self.assessment(assessment);
        }
    }

    /// Counts what the spans of a trace have, which is counted itself.
    pub fn add_spans(&mut self, spans: &[Span]) {
        self.turn += 1;
        for span in spans {
            self.value(Field::SpanName, &span.name);
            self.value(Field::SpanType, &span.span_type());
            self.value(Field::SpanStatus, span.status.as_str());
            if let Some(model) = span.model() {
                self.value(Field::SpanModel, &model);
            }
            for (key, json) in &span.attributes {
                let field = Field::SpanAttribute(key.clone());
                // Most are long payloads, of which the text is not even looked at.
                if json.len() > 4 * LONGEST_VALUE {
                    self.key(field);
                } else if let Some(text) = span.attribute_text(key) {
                    self.value(field, &text);
                }
            }
        }
    }

    fn assessment(&mut self, assessment: &Assessment) {
        let name = assessment.name.clone();
        let field = match assessment.kind {
            AssessmentKind::Feedback { .. } => Field::Feedback(name),
            AssessmentKind::Expectation { .. } => Field::Expectation(name),
            AssessmentKind::Issue { .. } | AssessmentKind::Other => return,
        };
        match assessment.value() {
            Value::Null => self.key(field),
            Value::String(text) => self.value(field, text),
            other => self.value(field, &other.to_string()),
        }
    }

    fn entries(&mut self, field: Field) -> Option<&mut Entries> {
        let full = self.keys.len() >= MOST_KEYS;
        let turn = self.turn;
        let entries = match self.keys.entry(field) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if full => {
                self.keys_left_out = true;
                return None;
            }
            Entry::Vacant(entry) => entry.insert(Entries::default()),
        };
        entries.count.add(turn);
        Some(entries)
    }

    /// A key whose value is not told.
    fn key(&mut self, field: Field) {
        if let Some(entries) = self.entries(field) {
            entries.more_values = true;
        }
    }

    fn value(&mut self, field: Field, value: &str) {
        let turn = self.turn;
        let Some(entries) = self.entries(field) else {
            return;
        };
        let is_record = value.starts_with(['{', '[']);
        if let Some(count) = entries.values.get_mut(value) {
            count.add(turn);
        } else if is_record || value.len() > LONGEST_VALUE || entries.values.len() >= MOST_VALUES {
            entries.more_values = true;
        } else {
            let mut count = Count::default();
            count.add(turn);
            entries.values.insert(value.to_owned(), count);
        }
    }

    /// How many traces were counted.
    pub const fn traces(&self) -> usize {
        self.traces
    }

    /// Whether there were more keys than are counted.
    pub const fn keys_left_out(&self) -> bool {
        self.keys_left_out
    }

    /// Every key, without its values.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.keys.keys()
    }

    /// A key with its values; `None` where no trace has it.
    pub fn key_count(&self, field: &Field) -> Option<KeyCount> {
        let entries = self.keys.get(field)?;
        let mut values: Vec<(String, usize)> = entries
            .values
            .iter()
            .map(|(value, count)| (value.clone(), count.traces))
            .collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Some(KeyCount {
            field: field.clone(),
            traces: entries.count.traces,
            values,
            more_values: entries.more_values,
        })
    }

    /// Every key with its values: kind by kind, the commonest keys of a kind first.
    pub fn key_counts(&self) -> Vec<KeyCount> {
        let mut all: Vec<KeyCount> = self
            .keys
            .keys()
            .filter_map(|field| self.key_count(field))
            .collect();
        all.sort_by_cached_key(|key| {
            let text = key.field.to_string();
            (rank(&key.field), usize::MAX - key.traces, text)
        });
        all
    }
}

/// Where a kind of key stands in a list; MLflow's own after those of applications.
fn rank(field: &Field) -> usize {
    let own = |key: &str| usize::from(key.starts_with("mlflow."));
    match field {
        Field::Status => 0,
        Field::Name => 1,
        Field::Experiment => 2,
        Field::RunId => 3,
        Field::ClientRequestId => 4,
        Field::Metadata(key) if key == metadata::SESSION || key == metadata::USER => 5,
        Field::Tag(key) => 6 + own(key),
        Field::Metadata(key) => 8 + own(key),
        Field::Feedback(_) => 10,
        Field::Expectation(_) => 11,
        Field::SpanName => 12,
        Field::SpanType => 13,
        Field::SpanStatus => 14,
        Field::SpanModel => 15,
        Field::SpanAttribute(key) => 16 + own(key),
        _ => 18,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(tags: &[(&str, &str)]) -> TraceInfo {
        let mut info = TraceInfo::new("tr-1");
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        info.tags = tags.collect();
        info
    }

    #[test]
    fn each_trace_counts_once_for_each_value() {
        let mut census = Census::default();
        census.add(&info(&[("env", "prod")]), &[]);
        census.add(&info(&[("env", "test")]), &[]);
        census.add(&info(&[("env", "prod"), ("long", &"x".repeat(999))]), &[]);
        census.add(&info(&[("env", "[1]")]), &[]);
        let env = census.key_count(&Field::Tag("env".to_owned())).unwrap();
        assert_eq!(env.traces, 4);
        let expected = [("prod".to_owned(), 2), ("test".to_owned(), 1)];
        assert_eq!(env.values, expected);
        assert!(env.more_values);
        let long = census.key_count(&Field::Tag("long".to_owned())).unwrap();
        assert_eq!((long.traces, long.values.len()), (1, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut census = Census::default();
        for number in 0..MOST_KEYS + MOST_VALUES {
            let (key, value) = (format!("k{number}"), number.to_string());
            census.add(&info(&[("n", &value), (&key, "x")]), &[]);
        }
        assert!(census.keys_left_out());
        assert_eq!(census.fields().count(), MOST_KEYS);
        let many = census.key_count(&Field::Tag("n".to_owned())).unwrap();
        assert!(many.more_values);
        assert_eq!((many.traces, many.values.len()), (3_000, MOST_VALUES));
    }

    #[test]
    fn keys_of_applications_come_before_those_of_mlflow() {
        let mut census = Census::default();
        census.add(&info(&[("mlflow.a", "1"), ("env", "prod")]), &[]);
        let keys = census.key_counts();
        let names: Vec<String> = keys.iter().map(|key| key.field.to_string()).collect();
        assert_eq!(names, ["status", "tags.env", "tags.mlflow.a"]);
    }
}
