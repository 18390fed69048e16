//! What a trace has of a field.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::Field;
use crate::model::{
    Assessment, AssessmentKind, Span, SpanId, StatusCode, Timestamp, Trace, TraceInfo,
};

/// The tag in which MLflow keeps the prompts that a trace is linked to.
pub const LINKED_PROMPTS: &str = "mlflow.linkedPrompts";

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text, as it is.
    Text(Cow<'a, str>),
    /// A point in time.
    Time(Timestamp),
    /// A duration in nanoseconds.
    Duration(i64),
    /// How many.
    Count(i64),
    /// US dollars.
    Money(f64),
    /// Another number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

impl<'a> Value<'a> {
    fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The same, kept for longer than the trace.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Time(time) => Value::Time(time),
            Self::Duration(ns) => Value::Duration(ns),
            Self::Count(n) => Value::Count(n),
            Self::Money(usd) => Value::Money(usd),
            Self::Number(number) => Value::Number(number),
            Self::Bool(yes) => Value::Bool(yes),
        }
    }

    /// As text, without rounding: times in RFC 3339, durations in nanoseconds.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Time(time) => Cow::Owned(time.to_string()),
            Self::Duration(n) | Self::Count(n) => Cow::Owned(n.to_string()),
            Self::Money(number) | Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Bool(yes) => Cow::Borrowed(if yes { "true" } else { "false" }),
        }
    }

    /// Numbers by their size, times by when they are, text by its characters; numbers
    /// come before text.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Text(_), _) => Ordering::Greater,
            (_, Self::Text(_)) => Ordering::Less,
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Duration(a) | Self::Count(a), Self::Duration(b) | Self::Count(b)) => a.cmp(b),
            (a, b) => a.number().total_cmp(&b.number()),
        }
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "whole numbers are compared as such before"
    )]
    fn number(&self) -> f64 {
        match self {
            Self::Text(_) => f64::INFINITY,
            Self::Time(time) => time.nanos() as f64,
            Self::Duration(n) | Self::Count(n) => *n as f64,
            Self::Money(number) | Self::Number(number) => *number,
            Self::Bool(yes) => f64::from(u8::from(*yes)),
        }
    }

    fn of_json(json: &'a Json) -> Option<Self> {
        Some(match json {
            Json::Null => return None,
            Json::String(text) => Self::text(text),
            Json::Bool(yes) => Self::Bool(*yes),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Count(whole),
                (None, Some(fraction)) if number.is_f64() => Self::Number(fraction),
                _ => Self::Text(Cow::Owned(number.to_string())),
            },
            other => Self::Text(Cow::Owned(other.to_string())),
        })
    }
}

impl Field {
    /// What a trace has; `None` where it has nothing of the kind, and for pieces of
    /// single spans. The spans have to be there as far as [`Field::detail`] says.
    pub fn value<'t>(&self, trace: &'t Trace) -> Option<Value<'t>> {
        let info = &trace.info;
        Some(match self {
            Self::Models => Value::Text(models(&trace.spans)?),
            Self::Error => Value::Text(Cow::Owned(error_of(first_failed(&trace.spans)?)?)),
            Self::Failed => Value::text(&first_failed(&trace.spans)?.name),
            Self::SpanCount => {
                let counted = (!trace.spans.is_empty()).then_some(trace.spans.len());
                let count = info.span_count().or(counted)?;
                Value::Count(i64::try_from(count).unwrap_or(i64::MAX))
            }
            of_info => return of_info.value_of_info(info),
        })
    }

    /// What is known without the spans.
    pub fn value_of_info<'t>(&self, info: &'t TraceInfo) -> Option<Value<'t>> {
        let usage = || info.usage();
        Some(match self {
            Self::Status => Value::text(info.state.as_str()),
            Self::RequestId => Value::text(&info.trace_id),
            Self::ClientRequestId => Value::text(info.client_request_id.as_deref()?),
            Self::Timestamp => Value::Time(info.request_time?),
            Self::ExecutionTime => Value::Duration(info.duration_ns()?),
            Self::EndTime => {
                let start = info.request_time?.nanos();
                Value::Time(Timestamp::from_nanos(
                    start.saturating_add(info.duration_ns()?),
                ))
            }
            Self::Name => Value::text(info.name()?),
            Self::RunId => Value::text(info.run_id()?),
            Self::Prompt => joined(prompts(info).into_iter())?,
            Self::Tag(key) => Value::text(info.tags.get(key)?),
            Self::Metadata(key) => Value::text(info.metadata.get(key)?),
            Self::Feedback(_) | Self::Expectation(_) | Self::Assessment(_) => {
                let mut named = info.assessments.iter().filter(|a| self.names(a));
                let first = named.next()?;
                if named.next().is_none() {
                    return assessed(first);
                }
                let all = info.assessments.iter().filter(|a| self.names(a));
                joined(all.map(assessment_text))?
            }
            Self::Assessments => {
                let valid = info.assessments.iter().filter(|a| a.valid);
                joined(valid.map(|a| format!("{}={}", a.title(), assessment_text(a))))?
            }
            Self::IssueId => joined(issues(info).map(str::to_owned))?,
            Self::Experiment => Value::Text(info.place()?),
            Self::Tokens => Value::Count(usage()?.total()?),
            Self::InputTokens => Value::Count(usage()?.input_tokens?),
            Self::OutputTokens => Value::Count(usage()?.output_tokens?),
            Self::Cost => Value::Money(info.cost()?.total()?),
            Self::SpanCount => Value::Count(i64::try_from(info.span_count()?).unwrap_or(i64::MAX)),
            Self::Request => Value::text(info.previews().0?),
            Self::Response => Value::text(info.previews().1?),
            Self::Models
            | Self::Error
            | Self::Failed
            | Self::SpanName
            | Self::SpanType
            | Self::SpanStatus
            | Self::SpanContent
            | Self::SpanAttribute(_)
            | Self::SpanDuration
            | Self::SpanTokens
            | Self::SpanCost
            | Self::SpanError
            | Self::SpanModel
            | Self::OfAssessment(_) => return None,
        })
    }

    /// What a span has of a piece of spans that tells them apart: its error, or an attribute.
    pub fn value_of_span<'s>(&self, span: &'s Span) -> Option<Cow<'s, str>> {
        match self {
            Self::SpanError if span.status == StatusCode::Error => error_of(span).map(Cow::Owned),
            Self::SpanAttribute(key) => span.attribute_text(key),
            _ => None,
        }
    }

    /// Whether the field is the value of this assessment.
    pub fn names(&self, assessment: &Assessment) -> bool {
        let named = |name: &String| assessment.valid && *name == assessment.name;
        match (self, &assessment.kind) {
            (Self::Feedback(name), AssessmentKind::Feedback { .. })
            | (Self::Expectation(name), AssessmentKind::Expectation { .. })
            | (Self::Assessment(name), _) => named(name),
            _ => false,
        }
    }
}

fn joined<'a>(texts: impl Iterator<Item = String>) -> Option<Value<'a>> {
    let all: Vec<String> = texts.collect();
    (!all.is_empty()).then(|| Value::Text(Cow::Owned(all.join(", "))))
}

/// The prompt versions that a trace is linked to, each as `name/version`.
pub(crate) fn prompts(info: &TraceInfo) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Linked {
        name: String,
        version: String,
    }
    info.tags
        .get(LINKED_PROMPTS)
        .and_then(|text| serde_json::from_str::<Vec<Linked>>(text).ok())
        .unwrap_or_default()
        .into_iter()
        .map(|linked| format!("{}/{}", linked.name, linked.version))
        .collect()
}

/// The issues that a trace is linked to.
pub(crate) fn issues(info: &TraceInfo) -> impl Iterator<Item = &str> {
    let issues = info.assessments.iter().filter(|a| !a.is_judgement());
    issues.map(|assessment| assessment.name.as_str())
}

fn assessed(assessment: &Assessment) -> Option<Value<'_>> {
    let failed = matches!(
        &assessment.kind,
        AssessmentKind::Feedback {
            value: Json::Null,
            error: Some(_)
        }
    );
    if failed {
        return Some(Value::Text(Cow::Owned(assessment_text(assessment))));
    }
    Value::of_json(assessment.value())
}

/// The value of an assessment in one line: text without quotes, other values as JSON,
/// failures as such.
pub(crate) fn assessment_text(assessment: &Assessment) -> String {
    if let AssessmentKind::Feedback {
        value: Json::Null,
        error: Some(error),
    } = &assessment.kind
    {
        return match &error.code {
            Some(code) => format!("error {code}"),
            None => "error".to_owned(),
        };
    }
    if let AssessmentKind::Issue { name } = &assessment.kind {
        let is_named = !name.is_empty();
        return if is_named { name } else { &assessment.name }.clone();
    }
    match assessment.value() {
        Json::String(text) => text.clone(),
        // Servers turn the integer 1 into 1.0.
        Json::Number(n) if n.is_f64() => {
            n.as_f64().map_or_else(|| n.to_string(), |f| f.to_string())
        }
        // Servers give the members of an object in any order.
        Json::Object(_) | Json::Array(_) => {
            let mut sorted = assessment.value().clone();
            sorted.sort_all_objects();
            sorted.to_string()
        }
        other => other.to_string(),
    }
}

/// The models that spans called, several with commas between them.
fn models(spans: &[Span]) -> Option<Cow<'_, str>> {
    let mut names: BTreeSet<Cow<'_, str>> = spans.iter().filter_map(Span::model).collect();
    if names.len() < 2 {
        return names.pop_first();
    }
    let names: Vec<Cow<'_, str>> = names.into_iter().collect();
    Some(Cow::Owned(names.join(", ")))
}

/// The deepest failed span, the first by time of several: where a failure began.
pub(crate) fn first_failed(spans: &[Span]) -> Option<&Span> {
    let failed = || spans.iter().filter(|span| span.status == StatusCode::Error);
    let first = failed().next()?;
    if failed().nth(1).is_none() {
        return Some(first);
    }
    let parents: HashMap<&str, Option<&str>> = spans
        .iter()
        .map(|span| {
            let parent = span.parent_id.as_ref().map(SpanId::as_str);
            (span.span_id.as_str(), parent)
        })
        .collect();
    let mut depths = HashMap::new();
    failed().min_by_key(|span| {
        let depth = depth(span.span_id.as_str(), &parents, &mut depths);
        (Reverse(depth), span.start_ns)
    })
}

/// How many ancestors a span has, each of which is looked at once for all spans.
fn depth<'s>(
    id: &'s str,
    parents: &HashMap<&'s str, Option<&'s str>>,
    depths: &mut HashMap<&'s str, usize>,
) -> usize {
    let (mut path, mut at) = (Vec::new(), Some(id));
    let mut above = None;
    while let Some(id) = at.filter(|id| parents.contains_key(id)) {
        // Odd data has parents in a circle, which ends where it was entered.
        if let Some(known) = depths.insert(id, 0) {
            depths.insert(id, known);
            above = Some(known);
            break;
        }
        path.push(id);
        at = parents.get(id).copied().flatten();
    }
    let first = above.map_or(0, |above| above + 1);
    for (depth, id) in (first..).zip(path.iter().rev()) {
        depths.insert(id, depth);
    }
    depths.get(id).copied().unwrap_or_default()
}

/// `type: message` of the exception, else the status message, in one line's worth of text.
fn error_of(span: &Span) -> Option<String> {
    let exception = span.exception();
    let said = exception.map(|exception| {
        [exception.kind, exception.message].map(|text| text.filter(|text| !text.is_empty()))
    });
    match said.map(|[kind, message]| (kind, message)) {
        Some((Some(kind), Some(message))) => Some(format!("{kind}: {message}")),
        Some((Some(one), None) | (None, Some(one))) if span.status_message.is_empty() => {
            Some(one.to_owned())
        }
        _ => span.error_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::trace;

    #[test]
    fn a_failure_is_told_by_where_it_began() {
        let mut trace = trace();
        trace.spans[0].status = StatusCode::Error;
        let told = |field: Field| field.value(&trace).map(|v| v.into_text().into_owned());
        assert_eq!(told(Field::Failed).as_deref(), Some("lookup_order"));
        assert_eq!(
            told(Field::Error).as_deref(),
            Some("TimeoutError: the order service did not answer")
        );
    }

    #[test]
    fn parents_in_a_circle_and_long_chains_have_an_end() {
        let span = |id: usize, parent: Option<usize>| {
            let id_of = |n: usize| SpanId::new(format!("{n:016x}"));
            let mut span = trace().spans.swap_remove(0);
            (span.span_id, span.parent_id) = (id_of(id), parent.map(id_of));
            span.name = id.to_string();
            span.status = StatusCode::Error;
            span
        };
        let circle = [(1, 2), (2, 1), (3, 2), (4, 3)].map(|(id, parent)| span(id, Some(parent)));
        assert_eq!(first_failed(&circle).unwrap().name, "4");
        let chain: Vec<Span> = (0..20_000)
            .map(|n: usize| span(n, n.checked_sub(1)))
            .collect();
        assert_eq!(first_failed(&chain).unwrap().name, "19999");
    }

    #[test]
    fn whole_numbers_keep_their_digits() {
        let shown = |json: Json| Value::of_json(&json).map(|v| v.into_text().into_owned());
        for (json, text) in [
            (
                serde_json::json!(9_007_199_254_740_993_i64),
                "9007199254740993",
            ),
            (serde_json::json!(u64::MAX), "18446744073709551615"),
            (serde_json::json!(1.0), "1"),
            (serde_json::json!(0.5), "0.5"),
        ] {
            assert_eq!(shown(json).as_deref(), Some(text));
        }
    }

    #[test]
    fn numbers_are_ordered_as_numbers_and_before_text() {
        let text = |text: &'static str| Value::text(text);
        let mut all = vec![
            text("b"),
            Value::Number(10.0),
            text("10"),
            Value::Number(-2.5),
            Value::Bool(true),
        ];
        all.sort_by(Value::compare);
        let shown: Vec<_> = all.into_iter().map(Value::into_text).collect();
        assert_eq!(shown, ["-2.5", "true", "10", "10", "b"]);
    }
}
