//! What a list of traces can show: each column has a name to ask for it, a cell
//! for people and a raw value for machines.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::cell::Cell;
use super::summary::lower_bound;
use super::{Glyphs, Layout, number, text};
use crate::model::{Assessment, AssessmentKind, TraceInfo, TraceState, last_user_text};

/// One column of a list of traces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Column {
    /// When the request began.
    Time,
    /// The trace's id.
    TraceId,
    /// The trace's name.
    Name,
    /// Whether it ended, and how.
    State,
    /// The server's duration.
    Duration,
    /// Total tokens.
    Tokens,
    /// Prompt tokens.
    InputTokens,
    /// Completion tokens.
    OutputTokens,
    /// Cost in US dollars.
    Cost,
    /// The start of the request.
    Request,
    /// The start of the response.
    Response,
    /// The session.
    Session,
    /// The end user.
    User,
    /// The experiment's id.
    Experiment,
    /// The run that the trace was made in.
    RunId,
    /// The logged model.
    ModelId,
    /// The calling application's own id.
    ClientRequestId,
    /// How many spans the trace's metadata promises.
    Spans,
    /// All assessments as `name=value`.
    Assessments,
    /// The value of one tag.
    Tag(String),
    /// The value of one metadata key.
    Metadata(String),
    /// The value of one assessment.
    Assessment(String),
}

/// How a column may be laid out where space is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Never cut.
    Rigid,
    /// Never cut, but there is a shorter form.
    Time,
    /// Never cut, but there is a mark for it.
    State,
    /// Never cut, but the beginning may do.
    Id,
    /// Cut to no less than that many columns.
    Text { at_least: usize },
    /// Cut before any other.
    Preview { at_least: usize },
}

/// Name, accepted other names and head of each column without a key.
const PLAIN: [(Column, &str, &[&str], &str); 19] = [
    (
        Column::Time,
        "time",
        &["request_time", "timestamp", "timestamp_ms"],
        "TIME",
    ),
    (
        Column::TraceId,
        "trace_id",
        &["id", "request_id"],
        "TRACE ID",
    ),
    (Column::Name, "name", &["trace_name"], "NAME"),
    (Column::State, "state", &["status"], "STATE"),
    (
        Column::Duration,
        "duration",
        &[
            "duration_ns",
            "execution_duration",
            "execution_time",
            "execution_time_ms",
            "latency",
        ],
        "DURATION",
    ),
    (Column::Tokens, "tokens", &["total_tokens"], "TOKENS"),
    (Column::InputTokens, "input_tokens", &[], "INPUT"),
    (Column::OutputTokens, "output_tokens", &[], "OUTPUT"),
    (Column::Cost, "cost", &["total_cost"], "COST"),
    (Column::Request, "request", &["request_preview"], "REQUEST"),
    (
        Column::Response,
        "response",
        &["response_preview"],
        "RESPONSE",
    ),
    (Column::Session, "session", &["session_id"], "SESSION"),
    (Column::User, "user", &["user_id"], "USER"),
    (
        Column::Experiment,
        "experiment",
        &["experiment_id"],
        "EXPERIMENT",
    ),
    (Column::RunId, "run_id", &["run"], "RUN ID"),
    (Column::ModelId, "model_id", &["model"], "MODEL ID"),
    (
        Column::ClientRequestId,
        "client_request_id",
        &[],
        "CLIENT REQUEST ID",
    ),
    (Column::Spans, "spans", &["num_spans"], "SPANS"),
    (
        Column::Assessments,
        "assessments",
        &["feedback"],
        "ASSESSMENTS",
    ),
];

impl Column {
    /// What `search` shows unless told otherwise.
    pub const DEFAULT: [Self; 7] = [
        Self::Time,
        Self::TraceId,
        Self::Name,
        Self::State,
        Self::Duration,
        Self::Tokens,
        Self::Request,
    ];

    /// All columns without a key, the trace's id first.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = PLAIN.iter().map(|(column, ..)| column.clone()).collect();
        all.sort_by_key(|column| *column != Self::TraceId);
        all
    }

    /// The names of all columns, for help texts and completions; the last three take a key.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PLAIN.iter().map(|(_, name, ..)| *name).chain([
            "tags.<key>",
            "metadata.<key>",
            "assessments.<name>",
        ])
    }

    /// The name that asks for this column.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Tag(key) => Cow::Owned(format!("tags.{key}")),
            Self::Metadata(key) => Cow::Owned(format!("metadata.{key}")),
            Self::Assessment(name) => Cow::Owned(format!("assessments.{name}")),
            plain => Cow::Borrowed(plain.entry().1),
        }
    }

    /// The head of the machine-readable column: the name, with the unit where there is one.
    pub fn raw_name(&self) -> Cow<'_, str> {
        match self {
            Self::Duration => Cow::Borrowed("duration_ns"),
            Self::Cost => Cow::Borrowed("cost_usd"),
            other => other.name(),
        }
    }

    /// The head for people.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Tag(key) | Self::Metadata(key) | Self::Assessment(key) => key.to_uppercase(),
            plain => plain.entry().3.to_owned(),
        }
    }

    fn entry(&self) -> &'static (Self, &'static str, &'static [&'static str], &'static str) {
        // Every column without a key is in the list; a test holds it to that.
        PLAIN
            .iter()
            .find(|(column, ..)| column == self)
            .unwrap_or(&PLAIN[0])
    }

    /// Whether it holds a number.
    pub(crate) const fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Duration
                | Self::Tokens
                | Self::InputTokens
                | Self::OutputTokens
                | Self::Cost
                | Self::Spans
        )
    }

    pub(crate) const fn room(&self) -> Room {
        match self {
            Self::Time => Room::Time,
            Self::TraceId => Room::Id,
            Self::State => Room::State,
            Self::Request | Self::Response => Room::Preview { at_least: 10 },
            Self::Name
            | Self::Session
            | Self::User
            | Self::Assessments
            | Self::Tag(_)
            | Self::Metadata(_)
            | Self::Assessment(_) => Room::Text { at_least: 10 },
            _ => Room::Rigid,
        }
    }

    /// The value for machines: no rounding, no separators, durations in
    /// nanoseconds, times in RFC 3339; empty where there is none.
    pub fn raw<'a>(&self, info: &'a TraceInfo) -> Cow<'a, str> {
        let number = |n: Option<i64>| n.map_or(Cow::Borrowed(""), |n| Cow::Owned(n.to_string()));
        match self {
            Self::Time => info
                .request_time
                .map_or(Cow::Borrowed(""), |time| Cow::Owned(time.to_string())),
            Self::State => Cow::Borrowed(info.state.as_str()),
            Self::Duration => number(info.duration_ns()),
            Self::Tokens => number(info.usage().and_then(|u| u.total())),
            Self::InputTokens => number(info.usage().and_then(|u| u.input_tokens)),
            Self::OutputTokens => number(info.usage().and_then(|u| u.output_tokens)),
            Self::Cost => info
                .cost()
                .and_then(|c| c.total())
                .map_or(Cow::Borrowed(""), |usd| Cow::Owned(usd.to_string())),
            Self::Spans => info
                .span_count()
                .map_or(Cow::Borrowed(""), |n| Cow::Owned(n.to_string())),
            Self::Assessments => Cow::Owned(assessments(info, exact_assessment_value)),
            Self::Assessment(name) => {
                Cow::Owned(assessment_values(info, name, exact_assessment_value))
            }
            Self::Experiment => info.place().unwrap_or_default(),
            text => Cow::Borrowed(text.text(info).unwrap_or("")),
        }
    }

    /// The columns that hold text as it is.
    fn text<'a>(&self, info: &'a TraceInfo) -> Option<&'a str> {
        match self {
            Self::TraceId => Some(&info.trace_id),
            Self::Name => info.name(),
            Self::Request => info.previews().0,
            Self::Response => info.previews().1,
            Self::Session => info.session(),
            Self::User => info.user(),
            Self::RunId => info.run_id(),
            Self::ModelId => info.model_id(),
            Self::ClientRequestId => info.client_request_id.as_deref(),
            Self::Tag(key) => info.tags.get(key).map(String::as_str),
            Self::Metadata(key) => info.metadata.get(key).map(String::as_str),
            _ => None,
        }
    }

    /// The value for people, not yet cut to a width.
    pub(crate) fn cell(&self, info: &TraceInfo, layout: &Layout) -> Cell {
        let style = layout.style;
        let number = |n: Option<i64>| n.map(number::count);
        let text = |text: String| (style.text(), (!text.is_empty()).then_some(text));
        let in_progress = info.state == TraceState::InProgress;
        let (look, value) = match self {
            Self::Time => (
                style.text(),
                info.request_time
                    .map(|time| number::time(time, layout.zone)),
            ),
            Self::State => (style.state(&info.state), Some(state_word(info).to_owned())),
            Self::Duration => (
                style.text(),
                info.duration_ns()
                    .map(|ns| lower_bound(number::server_duration(ns), in_progress)),
            ),
            Self::Tokens => (style.text(), number(info.usage().and_then(|u| u.total()))),
            Self::InputTokens => (
                style.text(),
                number(info.usage().and_then(|u| u.input_tokens)),
            ),
            Self::OutputTokens => (
                style.text(),
                number(info.usage().and_then(|u| u.output_tokens)),
            ),
            Self::Cost => (
                style.text(),
                info.cost().and_then(|c| c.total()).map(number::cost),
            ),
            Self::TraceId | Self::RunId | Self::ModelId | Self::ClientRequestId => {
                (style.id(), self.text(info).map(str::to_owned))
            }
            Self::Request | Self::Response => (style.text(), self.preview(info, layout)),
            Self::Assessments => text(assessments(info, assessment_value)),
            Self::Assessment(name) => text(assessment_values(info, name, assessment_value)),
            plain => {
                let raw = plain.raw(info);
                (style.text(), (!raw.is_empty()).then(|| raw.into_owned()))
            }
        };
        let Some(value) = value else {
            return Cell::new(style.muted(), number::NONE);
        };
        let cell = Cell::new(look, value);
        match (self, layout.width) {
            (Self::Request, None) => cell.fit(PIPED_REQUEST),
            _ => cell,
        }
    }

    /// Of a request that is a conversation, what the user said last. Previews can be long and
    /// there may be many: a line in a pipe says which request it is, and on a terminal the part
    /// beyond its edge is not worth escaping and measuring.
    fn preview(&self, info: &TraceInfo, layout: &Layout) -> Option<String> {
        let full = self.text(info)?;
        let full = match self {
            Self::Request => last_user_text(full).unwrap_or(Cow::Borrowed(full)),
            _ => Cow::Borrowed(full),
        };
        // Most characters take a column or two; where they take none, less is shown.
        let most = match (layout.width, self) {
            (Some(width), _) => width.saturating_mul(2),
            (None, Self::Request) => 2 * PIPED_REQUEST,
            (None, _) => return Some(full.into_owned()),
        };
        let kept: String = full.chars().take(most).collect();
        if kept.len() < full.len() {
            return Some(kept + text::ELLIPSIS);
        }
        Some(kept)
    }
}

/// Columns of a request in a table that goes to a pipe.
const PIPED_REQUEST: usize = 80;

/// `IN_PROGRESS` and so on; `-` where the store does not say.
pub(crate) fn state_word(info: &TraceInfo) -> &str {
    match &info.state {
        crate::model::TraceState::Unspecified => number::NONE,
        known => known.as_str(),
    }
}

/// A state in one column: `✓`, `✗`, `…` while in progress, `?` for any other.
pub(crate) fn state_mark(word: &str, glyphs: Glyphs) -> &'static str {
    match word {
        "OK" => glyphs.pick("✓", "+"),
        "ERROR" => glyphs.pick("✗", "x"),
        "IN_PROGRESS" => glyphs.pick("…", "~"),
        number::NONE => number::NONE,
        _ => "?",
    }
}

/// All assessments that were not replaced, as `name=value, …`.
fn assessments(info: &TraceInfo, value: impl Fn(&Assessment) -> String) -> String {
    let valid = info.assessments.iter().filter(|a| a.valid);
    join(valid.map(|a| format!("{}={}", a.name, value(a))))
}

fn assessment_values(
    info: &TraceInfo,
    name: &str,
    value: impl Fn(&Assessment) -> String,
) -> String {
    let named = info
        .assessments
        .iter()
        .filter(|a| a.valid && a.name == name);
    join(named.map(value))
}

fn join(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(", ")
}

/// The value in one line as people read it: numbers without the dust of their arithmetic.
pub(crate) fn assessment_value(assessment: &Assessment) -> String {
    match assessment.value() {
        Value::Number(n) => match n.as_f64().filter(|_| n.is_f64()) {
            Some(score) => number::score(score),
            None => n.to_string(),
        },
        _ => exact_assessment_value(assessment),
    }
}

/// The value in one line: text without quotes, other values as JSON, failures as such.
fn exact_assessment_value(assessment: &Assessment) -> String {
    if let AssessmentKind::Feedback {
        value: Value::Null,
        error: Some(error),
    } = &assessment.kind
    {
        return match &error.code {
            Some(code) => format!("error {code}"),
            None => "error".to_owned(),
        };
    }
    match assessment.value() {
        Value::String(text) => text.clone(),
        // Servers turn the integer 1 into 1.0.
        Value::Number(n) if n.is_f64() => {
            n.as_f64().map_or_else(|| n.to_string(), |f| f.to_string())
        }
        other => other.to_string(),
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// A column name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct UnknownColumn {
    /// What was asked for.
    pub name: String,
    /// An existing name that is close to it.
    pub suggestion: Option<String>,
}

impl UnknownColumn {
    fn new(name: &str) -> Self {
        let suggestion = PLAIN
            .iter()
            .flat_map(|(_, name, others, _)| {
                others
                    .iter()
                    .map(move |o| (*name, *o))
                    .chain([(*name, *name)])
            })
            .map(|(canonical, spelt)| (strsim::damerau_levenshtein(name, spelt), canonical))
            .filter(|(distance, _)| *distance <= 2.max(name.len() / 4) && *distance < name.len())
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, canonical)| canonical.to_owned());
        let keyed = || {
            let (prefix, key) = name.split_once('.')?;
            let near = ["tags", "metadata", "assessments"]
                .into_iter()
                .find(|known| strsim::damerau_levenshtein(prefix, known) <= 2)?;
            (!key.is_empty()).then(|| format!("{near}.{key}"))
        };
        Self {
            name: name.to_owned(),
            suggestion: keyed().or(suggestion),
        }
    }

    fn message(&self) -> String {
        let Self { name, suggestion } = self;
        let name = super::sanitize::line(name);
        if let Some(near) = suggestion {
            let near = super::sanitize::line(near);
            format!("unknown column `{name}`, did you mean `{near}`?")
        } else {
            let known = Column::names().collect::<Vec<_>>().join(", ");
            format!("unknown column `{name}`, expected one of {known}")
        }
    }
}

impl FromStr for Column {
    type Err = UnknownColumn;

    /// Case does not matter, `-` is as good as `_`, and a key may stand in backticks, as in filters.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some((prefix, key)) = text.split_once('.') {
            let key = key
                .strip_prefix('`')
                .and_then(|k| k.strip_suffix('`'))
                .unwrap_or(key);
            let keyed = match prefix.to_ascii_lowercase().as_str() {
                "tags" | "tag" => Some(Self::Tag(key.to_owned())),
                "metadata" | "request_metadata" | "trace_metadata" => {
                    Some(Self::Metadata(key.to_owned()))
                }
                "assessments" | "assessment" | "feedback" | "expectation" => {
                    Some(Self::Assessment(key.to_owned()))
                }
                _ => None,
            };
            return keyed
                .filter(|_| !key.is_empty())
                .ok_or_else(|| UnknownColumn::new(text));
        }
        let name = text.to_ascii_lowercase().replace('-', "_");
        PLAIN
            .iter()
            .find(|(_, known, others, _)| *known == name || others.contains(&name.as_str()))
            .map(|(column, ..)| column.clone())
            .ok_or_else(|| UnknownColumn::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_name_asks_for_its_column() {
        for (column, name, others, _) in &PLAIN {
            assert_eq!(column.name(), *name);
            for spelt in others.iter().chain([name]) {
                assert_eq!(&spelt.parse::<Column>().unwrap(), column);
            }
        }
        assert_eq!("Trace-ID".parse(), Ok(Column::TraceId));
        assert_eq!("tags.a.b".parse(), Ok(Column::Tag("a.b".into())));
        assert_eq!("tag.`a b`".parse(), Ok(Column::Tag("a b".into())));
        assert_eq!("metadata.k".parse(), Ok(Column::Metadata("k".into())));
        assert_eq!(
            "assessments.score".parse::<Column>().unwrap().name(),
            "assessments.score"
        );
    }

    #[test]
    fn errors_suggest_near_names() {
        for (text, message) in [
            (
                "durtion",
                "unknown column `durtion`, did you mean `duration`?",
            ),
            ("statsu", "unknown column `statsu`, did you mean `state`?"),
            (
                "tgs.env",
                "unknown column `tgs.env`, did you mean `tags.env`?",
            ),
            (
                "metdata.a",
                "unknown column `metdata.a`, did you mean `metadata.a`?",
            ),
        ] {
            assert_eq!(text.parse::<Column>().unwrap_err().to_string(), message);
        }
        let message = "x\n".repeat(9).parse::<Column>().unwrap_err().to_string();
        assert!(message.starts_with("unknown column `x\\nx"));
        assert!(message.ends_with("expected one of time, trace_id, name, state, duration, tokens, input_tokens, output_tokens, cost, request, response, session, user, experiment, run_id, model_id, client_request_id, spans, assessments, tags.<key>, metadata.<key>, assessments.<name>"));
    }

    fn feedback(name: &str, value: Value, valid: bool) -> Assessment {
        Assessment {
            valid,
            ..Assessment::sample_feedback(name, value)
        }
    }

    #[test]
    fn raw_values_are_not_rounded() {
        let mut info = TraceInfo::new("tr-1");
        info.execution_duration_ns = Some(1_640_000_000);
        info.request_time = crate::model::Timestamp::parse_rfc3339("2026-11-22T20:56:36.791Z");
        info.metadata.insert(
            "mlflow.trace.tokenUsage".into(),
            r#"{"input_tokens":1200}"#.into(),
        );
        info.assessments = vec![
            feedback("score", json!(1.0), true),
            feedback("score", json!(0.5), false),
            feedback("tone", json!("kind"), true),
        ];
        let raw = |name: &str| name.parse::<Column>().unwrap().raw(&info).into_owned();
        assert_eq!(raw("duration"), "1640000000");
        assert_eq!(raw("time"), "2026-11-22T20:56:36.791Z");
        assert_eq!(raw("tokens"), "1200");
        assert_eq!(raw("output_tokens"), "");
        assert_eq!(raw("name"), "");
        assert_eq!(raw("assessments"), "score=1, tone=kind");
        assert_eq!(raw("assessments.tone"), "kind");
    }
}
