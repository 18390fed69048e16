//! Keys and values to ask about: those that the store has, those that differ
//! from them a little, and those that languages and databases stumble over.

use std::collections::BTreeSet;

use mlt::model::{AssessmentKind, Trace};

use super::chance::Chance;

/// What filters may speak of.
pub(super) struct Vocabulary {
    pub(super) times: Vec<i64>,
    pub(super) durations: Vec<i64>,
    pub(super) tags: Vec<String>,
    pub(super) metadata: Vec<String>,
    pub(super) feedback: Vec<String>,
    pub(super) expectations: Vec<String>,
    pub(super) attributes: Vec<String>,
    pub(super) numbers: Vec<String>,
    pub(super) issues: Vec<String>,
    /// Keys with values that they have: of tags, metadata, attributes, feedback and expectations.
    pairs: [Vec<(String, String)>; 5],
    /// By kind, so that a long list does not drown a short one.
    values: Vec<Vec<String>>,
}

/// Values that no trace needs to have.
const ODD: &[&str] = &[
    "",
    " ",
    "OK",
    "ok",
    "ERROR",
    "IN_PROGRESS",
    "UNSET",
    "it''s",
    "x\\",
    "\\",
    "a\\'b",
    "--",
    "/* */",
    "$$",
    "`x`",
    "a;b",
    "\u{a0}",
    "NULL",
    "true",
    "false",
    "null",
    "0",
    "1",
    "1.0",
    "0.8",
    "-0.0",
    "3",
    "3.0",
    "1e16",
    "1e+16",
    "1e-07",
    "NaN",
    "?",
    ":a",
    "{}",
    "[]",
    "%",
    "_",
    "%%",
    "\\%",
    "%a%",
    "A%",
    "%É%",
    "%é%",
    "%\\u00e9%",
    "%\\n%",
    "{%}",
    "[%",
    "%\"%",
    "%'%",
    "^a",
    "a$",
    "^gpt",
    "o$",
    "^(a|c)",
    "[A-Z]",
    "(",
    "(?i)AGENT",
    "\\d+",
    "^\\d+$",
    "a{,2}b",
    "[[]",
    "\\bhi\\b",
    "\\w+\\s\\w+",
    "^$",
    ".",
    "(?m)^b",
    "\\Ab",
    "o\\Z",
    "[^a-z]",
    "(?P<x>a)",
    "[\\w-]+",
    "\\u00e9",
    "\\x41",
    "a|b",
    "a??",
    "(?s).b",
    "é+",
    "greeting/1",
    "greeting/2",
    "fare.well/1",
    "nope/2",
    "a/b/c",
    "/",
    "0123456789abcdef0123456789abcdef",
    "%timeout%",
    "%Timeout%",
    "%gpt%",
    ": \"\\\"gpt%",
    "%hi%",
    "yes",
    "good",
    "\"good\"",
    "s-1",
    "s-0",
];

/// Keys that no trace needs to have, or that mean something else.
const ODD_KEYS: &[&str] = &[
    "nope",
    "name",
    "run_id",
    "prompt",
    "text",
    "timestamp",
    "execution_time",
    "end_time",
    "NAME",
    "Name",
    "in",
    "from",
    "order",
    "and",
    "null",
    "is",
    "mlflow.traceName",
    "mlflow.linkedPrompts",
    "mlflow.sourceRun",
    "a b",
    "a`b",
    "x\"y",
    "1x",
    "_u",
    "Ünï",
    "1",
    "1.5",
    "a.",
    "a..b",
    "status",
];

impl Vocabulary {
    pub(super) fn of(traces: &[Trace]) -> Self {
        let mut values: [BTreeSet<String>; 9] = Default::default();
        let (mut tags, mut metadata, mut attributes) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut feedback, mut expectations, mut issues) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut times, mut durations, mut numbers) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut pairs: [BTreeSet<(String, String)>; 5] = Default::default();
        let mut pair = |kind: usize, key: &str, value: &str| {
            if value.len() < 300 {
                pairs[kind].insert((key.to_owned(), value.to_owned()));
            }
        };
        for trace in traces {
            let info = &trace.info;
            info.tags
                .iter()
                .for_each(|(key, value)| pair(0, key, value));
            info.metadata
                .iter()
                .for_each(|(key, value)| pair(1, key, value));
            times.extend(info.request_time.map(mlt::model::Timestamp::millis));
            durations.extend(info.execution_duration_ns.map(|ns| ns / 1_000_000));
            values[0].insert(info.trace_id.clone());
            values[0].extend(info.client_request_id.clone());
            values[1].insert(info.state.as_str().to_owned());
            values[2].extend(info.name().map(str::to_owned));
            values[3].extend(info.tags.values().cloned());
            values[4].extend(info.metadata.values().cloned());
            tags.extend(info.tags.keys().cloned());
            metadata.extend(info.metadata.keys().cloned());
            for assessment in &info.assessments {
                match &assessment.kind {
                    AssessmentKind::Feedback { .. } => feedback.insert(assessment.name.clone()),
                    AssessmentKind::Expectation { .. } => {
                        expectations.insert(assessment.name.clone())
                    }
                    AssessmentKind::Issue { .. } | AssessmentKind::Other => {
                        issues.insert(assessment.name.clone())
                    }
                };
                let value = assessment.value();
                let expected = matches!(assessment.kind, AssessmentKind::Expectation { .. });
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                pair(if expected { 4 } else { 3 }, &assessment.name, &text);
                values[5].extend(value.as_str().map(str::to_owned));
                values[5].insert(value.to_string());
                numbers.extend(value.is_number().then(|| value.to_string()));
            }
            for span in &trace.spans {
                values[6].insert(span.name.clone());
                values[7].insert(span.span_type().into_owned());
                for (key, value) in &span.attributes {
                    attributes.insert(key.clone());
                    values[8].insert(value.clone());
                    pair(2, key, value.trim_matches('"'));
                    values[8].extend(span.attribute_text(key).map(std::borrow::Cow::into_owned));
                }
            }
        }
        let list = |set: BTreeSet<String>| {
            set.into_iter()
                .chain(ODD_KEYS.iter().map(|&key| key.to_owned()))
                .filter(|key| key.len() < 100)
                .collect()
        };
        Self {
            times: times.into_iter().collect(),
            durations: durations.into_iter().collect(),
            tags: list(tags),
            metadata: list(metadata),
            feedback: list(feedback),
            expectations: list(expectations),
            attributes: list(attributes),
            numbers: numbers.into_iter().collect(),
            issues: issues.into_iter().chain(["issue-9".to_owned()]).collect(),
            pairs: pairs.map(|set| set.into_iter().collect()),
            values: values
                .into_iter()
                .map(|set| set.into_iter().filter(|value| value.len() < 300).collect())
                .collect(),
        }
    }

    /// A text to compare with: one of the store's, a near miss, a part of one
    /// between wildcards, or an odd one.
    pub(super) fn value(&self, chance: &mut Chance) -> String {
        if chance.percent(35) {
            return (*chance.of(ODD)).to_owned();
        }
        let kind = chance.below(self.values.len());
        let value = self.stored(kind, chance);
        match chance.below(10) {
            0 => near_miss(&value, chance),
            1 | 2 => format!("%{}%", part(&value, chance)),
            3 => part(&value, chance),
            _ => value,
        }
    }

    /// A key that the store has with one of its values: a [`pair`].
    pub(super) fn pair(&self, kind: usize, chance: &mut Chance) -> &(String, String) {
        chance.of(&self.pairs[kind])
    }

    /// A value of the store as it is: of assessments (5), span names (6) …
    pub(super) fn stored(&self, kind: usize, chance: &mut Chance) -> String {
        chance.of(&self.values[kind]).clone()
    }
}

/// Kinds of stored values, for [`Vocabulary::stored`].
pub(super) mod kind {
    pub(in super::super) const ID: usize = 0;
    pub(in super::super) const STATE: usize = 1;
    pub(in super::super) const NAME: usize = 2;
    pub(in super::super) const TAG: usize = 3;
    pub(in super::super) const METADATA: usize = 4;
    pub(in super::super) const ASSESSMENT: usize = 5;
    pub(in super::super) const SPAN_NAME: usize = 6;
    pub(in super::super) const SPAN_TYPE: usize = 7;
    pub(in super::super) const ATTRIBUTE: usize = 8;
}

/// Kinds of keys with values, for [`Vocabulary::pair`].
pub(super) mod pair {
    pub(in super::super) const TAG: usize = 0;
    pub(in super::super) const METADATA: usize = 1;
    pub(in super::super) const ATTRIBUTE: usize = 2;
    pub(in super::super) const FEEDBACK: usize = 3;
    pub(in super::super) const EXPECTATION: usize = 4;
}

pub(super) fn part(value: &str, chance: &mut Chance) -> String {
    let letters: Vec<char> = value.chars().collect();
    if letters.is_empty() {
        return String::new();
    }
    let start = chance.below(letters.len());
    let length = 1 + chance.below(5);
    letters[start..letters.len().min(start + length)]
        .iter()
        .collect()
}

fn near_miss(value: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = value.chars().collect();
    match chance.below(5) {
        0 => return value.to_uppercase(),
        1 => return value.to_lowercase(),
        2 => letters.push(' '),
        3 if !letters.is_empty() => {
            letters.remove(chance.below(letters.len()));
        }
        _ if !letters.is_empty() => {
            let at = chance.below(letters.len());
            letters[at] = '_';
        }
        _ => letters.push('x'),
    }
    letters.into_iter().collect()
}
