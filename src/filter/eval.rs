//! Decides whether a trace matches, as MLflow's SQLite backend would: a missing
//! value satisfies nothing but `IS NULL`, case counts, and all conditions on
//! spans must hold for one and the same span.
//!
//! What only the server knows is left out: links between traces and runs made
//! after the fact, and feedback on one trace of a session that the server
//! extends to the others.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;

use super::ast::{Comparator, Condition, Field, Filter, Number, Value};
use super::condition::LINKED_PROMPTS;
use super::content::stored_json;
use super::like::Like;
use super::python::write_json;
use super::regex::PythonRegex;
use super::usage;
use crate::model::{Assessment, AssessmentKind, Span, Timestamp, TraceInfo, metadata};

/// Spans that start this much earlier than the wanted traces are not looked at by the server.
const CLOCK_SKEW_MS: f64 = 10_000.0;

/// A filter made ready: its patterns are compiled once, for any number of traces.
#[derive(Debug, Clone)]
pub struct Matcher {
    traces: Vec<Test>,
    spans: Vec<Test>,
    first_span_start_ns: Option<f64>,
}

#[derive(Debug, Clone)]
struct Test {
    field: Field,
    comparator: Comparator,
    operand: Operand,
}

#[derive(Debug, Clone)]
enum Operand {
    None,
    Text(String),
    Number(Number),
    List(Vec<String>),
    Like(Like),
    Regex(PythonRegex),
}

impl Filter {
    /// Makes the filter ready to be used on many traces.
    pub fn matcher(&self) -> Matcher {
        let last_run = self
            .conditions
            .iter()
            .rposition(|c| c.field == Field::RunId && c.comparator == Comparator::Equal);
        let tests = self
            .conditions
            .iter()
            .enumerate()
            // Of several run ids, the server looks for the last alone.
            .filter(|(index, c)| {
                !(c.field == Field::RunId && c.comparator == Comparator::Equal)
                    || last_run == Some(*index)
            })
            .map(|(_, condition)| Test::new(condition));
        let (spans, traces): (Vec<_>, Vec<_>) = tests.partition(|test| test.field.is_span());
        let lower_bound = self
            .conditions
            .iter()
            .filter_map(Condition::lower_bound_ms)
            .max_by(f64::total_cmp);
        Matcher {
            traces,
            spans,
            first_span_start_ns: lower_bound.map(|ms| (ms - CLOCK_SKEW_MS) * 1e6),
        }
    }

    /// The first condition that only a server can decide: a regular expression
    /// that looks around or refers back.
    pub fn needs_server(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| {
            matches!(
                Test::new(condition).operand,
                Operand::Regex(PythonRegex::Unsupported)
            )
        })
    }

    /// Whether a trace matches; for many traces, make a [`Matcher`] first.
    ///
    /// Where [`Filter::needs_spans`] says no, `spans` may be empty.
    pub fn matches(&self, info: &TraceInfo, spans: &[Span]) -> bool {
        self.matcher().matches(info, spans)
    }
}

impl Condition {
    fn lower_bound_ms(&self) -> Option<f64> {
        match (&self.field, self.comparator, &self.value) {
            (
                Field::Timestamp,
                Comparator::Greater | Comparator::GreaterOrEqual,
                Value::Number(number),
            ) => Some(number.as_f64()),
            _ => None,
        }
    }
}

impl Matcher {
    /// Whether a trace matches.
    pub fn matches(&self, info: &TraceInfo, spans: &[Span]) -> bool {
        self.traces.iter().all(|test| test.matches_trace(info))
            && (self.spans.is_empty() || spans.iter().any(|span| self.matches_span(span)))
    }

    #[allow(clippy::cast_precision_loss, reason = "the bound is ten seconds wide")]
    fn matches_span(&self, span: &Span) -> bool {
        if self
            .first_span_start_ns
            .is_some_and(|first| (span.start_ns as f64) < first)
        {
            return false;
        }
        let content = OnceCell::new();
        let content = || content.get_or_init(|| stored_json(span)).as_str();
        self.spans.iter().all(|test| match &test.field {
            Field::SpanName => test.matches_text(Some(&span.name)),
            Field::SpanType => test.matches_text(span_type(span).as_deref()),
            Field::SpanStatus => test.matches_text(Some(span.status.as_str())),
            _ => test.matches_text(Some(content())),
        })
    }
}

/// The type column: absent where the attribute is, unlike in what is shown to people.
fn span_type(span: &Span) -> Option<Cow<'_, str>> {
    span.attribute_text(crate::model::attribute::TYPE)
        .filter(|text| text != "null")
}

impl Test {
    fn new(condition: &Condition) -> Self {
        let operand = match (&condition.value, condition.comparator, &condition.field) {
            (Value::Text(pattern), Comparator::Rlike, Field::SpanAttribute(key)) => {
                Operand::Regex(PythonRegex::new(&attribute_regex(key, pattern)))
            }
            (Value::Text(text), comparator, Field::SpanAttribute(key)) => {
                let text = format!("%\"{key}\"{text}%");
                match comparator {
                    Comparator::Like => Operand::Like(Like::new(&text, false)),
                    Comparator::Ilike => Operand::Like(Like::new(&text, true)),
                    _ => Operand::Text(text),
                }
            }
            (Value::Text(text), Comparator::Like, _) => Operand::Like(Like::new(text, false)),
            (Value::Text(text), Comparator::Ilike, _) => Operand::Like(Like::new(text, true)),
            (Value::Text(text), Comparator::Rlike, _) => Operand::Regex(PythonRegex::new(text)),
            (Value::Text(text), ..) => Operand::Text(text.clone()),
            (Value::Number(number), ..) => Operand::Number(*number),
            (Value::List(texts), ..) => Operand::List(texts.clone()),
            (Value::None, ..) => Operand::None,
        };
        Self {
            field: condition.field.clone(),
            comparator: condition.comparator,
            operand,
        }
    }

    fn matches_trace(&self, info: &TraceInfo) -> bool {
        match &self.field {
            Field::Status => self.matches_text(Some(info.state.as_str())),
            Field::RequestId => self.matches_text(Some(&info.trace_id)),
            Field::ClientRequestId => self.matches_text(info.client_request_id.as_deref()),
            Field::Timestamp => self.matches_number(info.request_time.map(Timestamp::millis)),
            Field::ExecutionTime => self.matches_number(execution_ms(info)),
            Field::EndTime => self.matches_number(
                info.request_time
                    .map(|t| t.millis().saturating_add(execution_ms(info).unwrap_or(0))),
            ),
            Field::Name => self.matches_text(info.name()),
            Field::RunId => {
                let wanted = matches!(&self.operand, Operand::Text(run) if run.is_empty());
                (wanted && self.comparator == Comparator::Equal) || self.matches_text(info.run_id())
            }
            Field::Prompt => {
                matches!(&self.operand, Operand::Text(prompt) if has_prompt(info, prompt))
            }
            Field::Tag(key) => self.matches_text(info.tags.get(key).map(String::as_str)),
            Field::Metadata(key) if key == metadata::TOKEN_USAGE || key == metadata::COST => {
                self.matches_record(key, info.metadata.get(key))
            }
            Field::Metadata(key) => self.matches_text(info.metadata.get(key).map(String::as_str)),
            Field::Feedback(_) | Field::Expectation(_) => self.matches_assessments(info),
            Field::IssueId => info.assessments.iter().any(|a| {
                a.kind == AssessmentKind::Other
                    && matches!(&self.operand, Operand::Text(id) if *id == a.name)
            }),
            _ => true,
        }
    }

    /// SQL's comparison of text, where nothing compares with what is missing.
    fn matches_text(&self, actual: Option<&str>) -> bool {
        let Some(actual) = actual else {
            return self.comparator == Comparator::IsNull;
        };
        match (&self.operand, self.comparator) {
            (Operand::None, comparator) => comparator == Comparator::IsNotNull,
            (Operand::Text(text), Comparator::NotEqual) => actual != text,
            (Operand::Text(text), _) => actual == text,
            (Operand::List(texts), comparator) => {
                texts.iter().any(|text| text == actual) == (comparator == Comparator::In)
            }
            (Operand::Like(like), _) => like.matches(actual),
            (Operand::Regex(regex), _) => regex.is_match(actual),
            (Operand::Number(_), _) => false,
        }
    }

    fn matches_number(&self, actual: Option<i64>) -> bool {
        let Some(actual) = actual else {
            return false;
        };
        let ordering = match &self.operand {
            Operand::Number(number) => compare(actual, *number),
            // SQLite sorts every number before any text.
            _ => Ordering::Less,
        };
        holds(self.comparator, ordering)
    }

    /// Token usage and cost are columns on the server, and compared as a whole.
    fn matches_record(&self, key: &str, actual: Option<&String>) -> bool {
        let actual = actual.and_then(|text| usage::columns(key, text));
        match (&self.operand, actual) {
            (Operand::None, actual) => {
                actual.is_some() == (self.comparator == Comparator::IsNotNull)
            }
            (Operand::Text(wanted), Some(actual)) => {
                let equal = usage::canonical(key, wanted).is_some_and(|wanted| wanted == actual);
                equal == (self.comparator == Comparator::Equal)
            }
            _ => false,
        }
    }

    fn matches_assessments(&self, info: &TraceInfo) -> bool {
        let mut named = info
            .assessments
            .iter()
            .filter(|assessment| assessment.valid && self.is_about(assessment));
        match self.comparator {
            Comparator::IsNull => named.next().is_none(),
            Comparator::IsNotNull => named.next().is_some(),
            _ => named.any(|assessment| self.matches_assessment(assessment)),
        }
    }

    fn is_about(&self, assessment: &Assessment) -> bool {
        match (&self.field, &assessment.kind) {
            (Field::Feedback(name), AssessmentKind::Feedback { .. })
            | (Field::Expectation(name), AssessmentKind::Expectation { .. }) => {
                *name == assessment.name
            }
            _ => false,
        }
    }

    fn matches_assessment(&self, assessment: &Assessment) -> bool {
        let value = assessment.value();
        match &self.operand {
            Operand::Number(number) => value.as_f64().is_some_and(|actual| {
                actual
                    .partial_cmp(&number.as_f64())
                    .is_some_and(|ordering| holds(self.comparator, ordering))
            }),
            Operand::Text(wanted) => {
                let mut stored = String::new();
                write_json(&mut stored, value, true);
                let mut as_json = String::new();
                super::python::write_text(&mut as_json, wanted, true);
                (stored == *wanted || stored == as_json) == (self.comparator == Comparator::Equal)
            }
            _ => {
                let mut stored = String::new();
                write_json(&mut stored, value, true);
                self.matches_text(Some(&stored))
            }
        }
    }
}

fn execution_ms(info: &TraceInfo) -> Option<i64> {
    info.execution_duration_ns
        .map(|ns| ns.div_euclid(1_000_000))
}

/// Whether the trace is linked to a prompt version, written `name/version`.
fn has_prompt(info: &TraceInfo, prompt: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Linked {
        name: String,
        version: String,
    }
    let Some((name, version)) = prompt.split_once('/') else {
        return false;
    };
    info.tags
        .get(LINKED_PROMPTS)
        .and_then(|text| serde_json::from_str::<Vec<Linked>>(text).ok())
        .is_some_and(|prompts| {
            prompts
                .iter()
                .any(|linked| linked.name == name && linked.version == version)
        })
}

fn holds(comparator: Comparator, ordering: Ordering) -> bool {
    match comparator {
        Comparator::Equal => ordering.is_eq(),
        Comparator::NotEqual => ordering.is_ne(),
        Comparator::Less => ordering.is_lt(),
        Comparator::LessOrEqual => ordering.is_le(),
        Comparator::Greater => ordering.is_gt(),
        Comparator::GreaterOrEqual => ordering.is_ge(),
        _ => false,
    }
}

/// Compares without losing digits of large whole numbers.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the float is known to be in range, and whole numbers below 2^53 are exact"
)]
fn compare(actual: i64, number: Number) -> Ordering {
    match number {
        Number::Integer(wanted) => actual.cmp(&wanted),
        Number::Float(wanted) if wanted >= i64::MAX as f64 => Ordering::Less,
        Number::Float(wanted) if wanted < i64::MIN as f64 => Ordering::Greater,
        Number::Float(wanted) => {
            actual
                .cmp(&(wanted.floor() as i64))
                .then(if wanted.fract() == 0.0 {
                    Ordering::Equal
                } else {
                    Ordering::Less
                })
        }
    }
}

/// The expression that the server searches a span's text for: a string value after the key.
fn attribute_regex(key: &str, pattern: &str) -> String {
    let (prefix, pattern) = match pattern.strip_prefix('^') {
        Some(rest) => (r#""\\""#, rest),
        None => (r#""\\".*"#, pattern),
    };
    let (pattern, suffix) = match pattern.strip_suffix('$') {
        Some(rest) => (rest, r#"\\""#),
        None => (pattern, ""),
    };
    format!(r#""{key}": {prefix}{pattern}{suffix}"#)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::filter::parse;
    use crate::model::{Source, SpanId, StatusCode, TraceState, attribute, tag};

    fn assessment(name: &str, kind: AssessmentKind) -> Assessment {
        Assessment {
            id: None,
            name: name.to_owned(),
            span_id: None,
            source: Source::default(),
            create_time: None,
            last_update_time: None,
            kind,
            rationale: None,
            metadata: std::collections::BTreeMap::default(),
            overrides: None,
            valid: true,
        }
    }

    fn feedback(name: &str, value: Json) -> Assessment {
        assessment(name, AssessmentKind::Feedback { value, error: None })
    }

    fn span(name: &str, kind: &str, attributes: &[(&str, &str)]) -> Span {
        let kind = (attribute::TYPE, format!("\"{kind}\""));
        Span {
            span_id: SpanId::new("00f067aa0ba902b7"),
            parent_id: None,
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            name: name.to_owned(),
            start_ns: 1_000_000_000_000_000,
            end_ns: Some(1_000_000_002_500_000),
            status: StatusCode::Ok,
            status_message: String::new(),
            attributes: std::iter::once((kind.0.to_owned(), kind.1))
                .chain(
                    attributes
                        .iter()
                        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
                )
                .collect(),
            events: Vec::new(),
            links: Vec::new(),
        }
    }

    fn example() -> (TraceInfo, Vec<Span>) {
        let mut info = TraceInfo::new("tr-1");
        info.state = TraceState::Ok;
        info.request_time = Some(Timestamp::from_millis(1_000_000_000));
        info.execution_duration_ns = Some(2_500_000_000);
        for (key, value) in [
            (tag::NAME, "agent"),
            ("team", "search"),
            (LINKED_PROMPTS, r#"[{"name": "greeting", "version": "4"}]"#),
        ] {
            info.tags.insert(key.to_owned(), value.to_owned());
        }
        for (key, value) in [
            (metadata::SOURCE_RUN, "run-1"),
            (
                metadata::TOKEN_USAGE,
                r#"{"input_tokens": 10, "output_tokens": 5}"#,
            ),
        ] {
            info.metadata.insert(key.to_owned(), value.to_owned());
        }
        info.assessments = vec![
            feedback("score", json!(0.8)),
            feedback("good", json!(true)),
            feedback("words", json!("fine \"é\"")),
            feedback("failed", Json::Null),
            assessment("issue-9", AssessmentKind::Other),
            Assessment {
                valid: false,
                ..feedback("old", json!(1))
            },
        ];
        let spans = vec![
            span(
                "root",
                "AGENT",
                &[("mlflow.spanInputs", "{\"q\": \"Naïve\"}")],
            ),
            span(
                "llm",
                "CHAT_MODEL",
                &[("model", "\"gpt-4o\""), ("temperature", "0.5")],
            ),
        ];
        (info, spans)
    }

    #[track_caller]
    fn check(expected: bool, filters: &[&str]) {
        let (info, spans) = example();
        for text in filters {
            let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(filter.matches(&info, &spans), expected, "{text}");
        }
    }

    #[test]
    fn conditions_hold_as_they_do_on_the_server() {
        check(
            true,
            &[
                "",
                "status = 'OK' AND name = 'agent'",
                "status NOT IN ('ERROR')",
                "name LIKE 'a%' AND name ILIKE 'A%' AND name RLIKE 'gen'",
                "timestamp >= 1000000000 AND timestamp < 1000000000.5",
                "execution_time = 2500 AND end_time = 1000002500",
                "execution_time > '12.5'",
                "end_time < '0'",
                "tags.team != 'x' AND tags.nope IS NULL AND metadata.nope IS NULL",
                "run_id = 'run-1' AND prompt = 'greeting/4' AND issue.id = 'issue-9'",
                "run_id = ''",
                "run_id = 'other' AND run_id = 'run-1'",
                "metadata.mlflow.trace.tokenUsage = '{\"input_tokens\": 10, \"output_tokens\": 5}'",
                "feedback.score = '0.8' AND feedback.score >= 0.8 AND feedback.good = 'true'",
                "feedback.words LIKE '\"fine%' AND feedback.words LIKE '%\\u00e9%'",
                "feedback.failed = 'null' AND feedback.old IS NULL",
                "span.name = 'llm' AND span.type = 'CHAT_MODEL' AND span.status = 'OK'",
                "span.attributes.model LIKE '%gpt%' AND span.attributes.model RLIKE '^gpt-4o$'",
                "span.attributes.temperature LIKE ': \"0.5%' AND span.attributes.model != 'gpt-4o'",
                "trace.text LIKE '%Naïve%' AND tags.text ILIKE '%NAïVE%'",
            ],
        );
    }

    #[test]
    fn conditions_fail_as_they_do_on_the_server() {
        check(
            false,
            &[
                "status = 'ok'",
                "name LIKE 'A%'",
                "name RLIKE '('",
                "client_request_id != 'x'",
                "client_request_id NOT IN ('x')",
                "tags.nope != 'x'",
                "end_time > '0'",
                "prompt = 'greeting/3'",
                "metadata.mlflow.trace.tokenUsage = '{\"output_tokens\": 5, \"input_tokens\": 10}'",
                "metadata.mlflow.trace.cost IS NOT NULL",
                "feedback.good > 0",
                "feedback.words LIKE 'fine%'",
                "feedback.score IS NULL",
                "expectation.score IS NOT NULL",
                "span.name = 'llm' AND span.type = 'AGENT'",
                "span.name NOT IN ('root', 'llm')",
                "span.attributes.model = 'gpt-4o'",
                "span.attributes.temperature RLIKE '0.5'",
                "trace.text LIKE 'Naïve'",
                "trace.text ILIKE '%NAÏVE%'",
                "timestamp > 999999 AND span.name = 'nope'",
            ],
        );
    }

    #[test]
    fn spans_long_before_the_lower_bound_are_not_looked_at() {
        let (mut info, spans) = example();
        info.request_time = Some(Timestamp::from_millis(1_000_020_000));
        let matches = |text: &str| parse(text).unwrap().matches(&info, &spans);
        assert!(matches("timestamp > 1000010000 AND span.name = 'llm'"));
        assert!(!matches("timestamp > 1000010001 AND span.name = 'llm'"));
    }

    #[test]
    fn what_is_missing_satisfies_only_is_null() {
        let info = TraceInfo::new("tr-1");
        for (text, expected) in [
            ("name IS NULL", true),
            ("name != 'x'", false),
            ("execution_time >= 0", false),
            ("execution_time < 0", false),
            ("run_id IS NULL", true),
            ("span.name != 'x'", false),
        ] {
            assert_eq!(parse(text).unwrap().matches(&info, &[]), expected, "{text}");
        }
    }
}
