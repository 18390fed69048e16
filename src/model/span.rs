//! One timed operation within a trace.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Cost, SpanId, TokenUsage};

/// Reserved attribute keys.
pub mod attribute {
    /// The id of the trace, as JSON text.
    pub const REQUEST_ID: &str = "mlflow.traceRequestId";
    /// The span's inputs.
    pub const INPUTS: &str = "mlflow.spanInputs";
    /// The span's outputs.
    pub const OUTPUTS: &str = "mlflow.spanOutputs";
    /// `LLM`, `TOOL`, `RETRIEVER` or any custom text.
    pub const TYPE: &str = "mlflow.spanType";
    /// Token usage of a model call.
    pub const TOKEN_USAGE: &str = "mlflow.chat.tokenUsage";
    /// Cost of a model call.
    pub const COST: &str = "mlflow.llm.cost";
    /// The model that was called.
    pub const MODEL: &str = "mlflow.llm.model";
    /// What names the model, by preference: what MLflow found, what answered, what was asked.
    pub const MODELS: [&str; 9] = [
        MODEL,
        "gen_ai.response.model",
        "llm.model_name",
        PLAIN_MODELS[0],
        PLAIN_MODELS[1],
        PLAIN_MODELS[2],
        "ai.model.id",
        "langfuse.observation.model.name",
        "gen_ai.request.model",
    ];
    /// The vendor's id of the response.
    pub const RESPONSE_ID: &str = "gen_ai.response.id";
    /// Those of [`MODELS`] that name something else on spans that are no calls of models.
    pub const PLAIN_MODELS: [&str; 3] = ["model", "model_id", "model_name"];
}

/// One timed operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Unique within the trace in a well-formed one.
    pub span_id: SpanId,
    /// The parent; it may not be in the trace.
    pub parent_id: Option<SpanId>,
    /// The OpenTelemetry trace id in hex. MLflow 2 gives one unrelated to the trace's own id.
    pub trace_id: String,
    /// What the operation is called.
    pub name: String,
    /// Its place between services, where somebody said so.
    pub kind: Option<SpanKind>,
    /// Nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Nanoseconds since the Unix epoch; `None` while in progress. May precede the start in broken sources.
    pub end_ns: Option<i64>,
    /// How it ended.
    pub status: StatusCode,
    /// The error's text, mostly empty.
    pub status_message: String,
    /// Keys with their values as JSON text, in the order of the source.
    /// A value that is not JSON in the source is kept as it is (for example `NaN`).
    pub attributes: Vec<(String, String)>,
    /// Timed notes, exceptions among them.
    pub events: Vec<Event>,
    /// References to spans of other traces.
    pub links: Vec<Link>,
}

impl Span {
    /// What stands for the type of a span that has none.
    pub const NO_TYPE: &str = "UNKNOWN";

    /// The JSON text of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// An attribute that holds text, without its quotes; other JSON values as they are written.
    pub fn attribute_text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.attribute(key).map(plain_text)
    }

    /// `LLM`, `TOOL` …; `UNKNOWN` where the span has none.
    pub fn span_type(&self) -> Cow<'_, str> {
        self.own_type().unwrap_or(Cow::Borrowed(Self::NO_TYPE))
    }

    /// `LLM`, `TOOL` …, where the span says so.
    pub fn own_type(&self) -> Option<Cow<'_, str>> {
        self.attribute_text(attribute::TYPE)
            .filter(|t| !t.is_empty() && t != "null")
    }

    /// The inputs as JSON text.
    pub fn inputs(&self) -> Option<&str> {
        self.attribute(attribute::INPUTS)
    }

    /// The outputs as JSON text.
    pub fn outputs(&self) -> Option<&str> {
        self.attribute(attribute::OUTPUTS)
    }

    /// The model that the span called, by its attributes.
    pub fn model(&self) -> Option<Cow<'_, str>> {
        attribute::MODELS.iter().find_map(|key| {
            let name = self.attribute(key).filter(|json| json.starts_with('"'))?;
            let is_plain = attribute::PLAIN_MODELS.contains(key);
            let is_call =
                || self.calls_model() || matches!(&*self.span_type(), "EMBEDDING" | "RERANKER");
            let name = plain_text(name);
            let is_name = !name.is_empty() && !is_repr(&name) && (!is_plain || is_call());
            is_name.then_some(name)
        })
    }

    /// The vendor's id of the response to the call, by its attribute. Two instrumentations of
    /// one call may both tell of it.
    pub fn response_id(&self) -> Option<Cow<'_, str>> {
        self.attribute_text(attribute::RESPONSE_ID)
            .filter(|id| !id.is_empty() && id != "null")
    }

    /// Token usage that the span reports; wrapper spans may repeat their descendants'.
    pub fn usage(&self) -> Option<TokenUsage> {
        TokenUsage::parse(self.attribute(attribute::TOKEN_USAGE)?)
    }

    /// Cost that the span reports.
    pub fn cost(&self) -> Option<Cost> {
        Cost::parse(self.attribute(attribute::COST)?)
    }

    /// Whether the span may tell of tokens in the words of a vendor: the call of a model,
    /// an agent's sum, and what does not say what it is.
    pub fn may_tell_usage(&self) -> bool {
        let kind = self.span_type();
        self.calls_model() || matches!(&*kind, "AGENT" | Self::NO_TYPE)
    }

    /// Whether the span is typed as the call of a model that says something. Sums of MLflow's
    /// clients are of these, and of no embeddings but those that it counts itself.
    pub fn calls_model(&self) -> bool {
        matches!(&*self.span_type(), "LLM" | "CHAT_MODEL")
    }

    /// Token counts that the span reports; zeros are none.
    pub fn reported_usage(&self) -> Option<TokenUsage> {
        self.usage().filter(TokenUsage::is_reported)
    }

    /// Cost that the span reports; none where there is no number.
    pub fn reported_cost(&self) -> Option<Cost> {
        self.cost().filter(|cost| *cost != Cost::default())
    }

    /// End minus start in nanoseconds as recorded; negative in broken sources, `None` while in progress.
    pub fn raw_duration_ns(&self) -> Option<i64> {
        self.end_ns.map(|end| end.saturating_sub(self.start_ns))
    }

    /// The last exception that the span recorded.
    pub fn exception(&self) -> Option<Exception<'_>> {
        let event = self.events.iter().rev().find(|e| e.name == "exception")?;
        let text = |key: &str| event.attributes.get(key).and_then(Value::as_str);
        Some(Exception {
            kind: text("exception.type"),
            message: text("exception.message"),
            stacktrace: text("exception.stacktrace"),
        })
    }

    /// What went wrong in one line's worth of text: the status message, else the exception.
    pub fn error_text(&self) -> Option<String> {
        if !self.status_message.is_empty() {
            return Some(self.status_message.clone());
        }
        let exception = self.exception()?;
        let kind = exception.kind.filter(|kind| !kind.is_empty());
        match (kind, exception.message) {
            (Some(kind), Some(message)) => Some(format!("{kind}: {message}")),
            (one, other) => one.or(other).map(str::to_owned),
        }
    }
}

impl Span {
    /// What went wrong in a span that failed; `None` of any other.
    pub fn failure(&self) -> Option<String> {
        let failed = self.status == StatusCode::Error;
        failed.then(|| self.error_text().unwrap_or_else(|| "failed".to_owned()))
    }
}

/// The repr of a Python object, which tells nothing of what was in it.
pub fn is_repr(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('<') && text.ends_with('>') && (text.contains(" at 0x") || text.contains("[2"))
        || text == "EventStream"
}

/// JSON text that holds a string becomes that string; anything else stays as it is.
fn plain_text(json: &str) -> Cow<'_, str> {
    if let Some(inner) = json.strip_prefix('"').and_then(|s| s.strip_suffix('"'))
        && !inner.contains(['\\', '"'])
    {
        return Cow::Borrowed(inner);
    }
    match serde_json::from_str::<String>(json) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(json),
    }
}

/// OpenTelemetry's kind of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Within an application.
    Internal,
    /// The server's side of a request.
    Server,
    /// The client's side of a request.
    Client,
    /// Where a message is sent.
    Producer,
    /// Where a message is received.
    Consumer,
}

impl SpanKind {
    /// By OpenTelemetry's numbers, from 1.
    const ALL: [Self; 5] = [
        Self::Internal,
        Self::Server,
        Self::Client,
        Self::Producer,
        Self::Consumer,
    ];

    /// OpenTelemetry's number.
    pub const fn number(self) -> i32 {
        self as i32 + 1
    }

    /// The kind of a number; `None` for what is unspecified or unknown.
    pub fn of_number(number: i64) -> Option<Self> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        Self::ALL.get(at).copied()
    }

    /// `SPAN_KIND_SERVER` and so on, as spans are stored.
    pub const fn as_otel_str(self) -> &'static str {
        match self {
            Self::Internal => "SPAN_KIND_INTERNAL",
            Self::Server => "SPAN_KIND_SERVER",
            Self::Client => "SPAN_KIND_CLIENT",
            Self::Producer => "SPAN_KIND_PRODUCER",
            Self::Consumer => "SPAN_KIND_CONSUMER",
        }
    }

    /// From any spelling that MLflow and OpenTelemetry have used, or a number; `None` for
    /// what is unspecified or unknown.
    pub fn of_json(json: &Value) -> Option<Self> {
        if let Some(number) = json.as_i64() {
            return Self::of_number(number);
        }
        let text = json.as_str()?;
        let name = text
            .strip_prefix("SPAN_KIND_")
            .or_else(|| text.strip_prefix("SpanKind."))?;
        let is_named = |kind: &Self| kind.as_otel_str().strip_prefix("SPAN_KIND_") == Some(name);
        Self::ALL.into_iter().find(is_named)
    }
}

/// OpenTelemetry's status of a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusCode {
    /// Nothing was said.
    #[default]
    Unset,
    /// Ended well.
    Ok,
    /// Ended in an error.
    Error,
}

impl StatusCode {
    /// `OK`, `ERROR` or `UNSET`, as filters spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Ok => "OK",
            Self::Error => "ERROR",
        }
    }

    /// `STATUS_CODE_OK` and so on, as spans are stored.
    pub const fn as_otel_str(self) -> &'static str {
        match self {
            Self::Unset => "STATUS_CODE_UNSET",
            Self::Ok => "STATUS_CODE_OK",
            Self::Error => "STATUS_CODE_ERROR",
        }
    }

    /// From any spelling that MLflow has used; `Unset` for what is unknown.
    pub fn parse(text: &str) -> Self {
        Self::from_name(text).unwrap_or_default()
    }

    /// From any spelling that MLflow and OpenTelemetry have used, no text meaning that
    /// nothing was said; `None` for what is unknown.
    pub fn from_name(text: &str) -> Option<Self> {
        let name = text
            .strip_prefix("STATUS_CODE_")
            .or_else(|| text.strip_prefix("StatusCode."))
            .unwrap_or(text);
        [
            ("", Self::Unset),
            ("UNSET", Self::Unset),
            ("OK", Self::Ok),
            ("ERROR", Self::Error),
        ]
        .into_iter()
        .find_map(|(known, code)| name.eq_ignore_ascii_case(known).then_some(code))
    }
}

/// A timed note on a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `exception` for exceptions.
    pub name: String,
    /// Nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Plain JSON values.
    pub attributes: Map<String, Value>,
}

impl Event {
    /// The attributes that hold a chunk of a stream: of MLflow's own events, and of those
    /// that are named like the vendor's.
    pub const CHUNKS: [&str; 2] = ["mlflow.chunk.value", "json"];

    /// The attributes in the order to read them in: of an exception what, why,
    /// and at last where.
    pub fn ordered_attributes(&self) -> Vec<(&String, &Value)> {
        let mut attributes: Vec<(&String, &Value)> = self.attributes.iter().collect();
        attributes.sort_by_key(|(key, _)| match key.as_str() {
            "exception.type" => 0,
            "exception.message" => 1,
            "exception.stacktrace" => 3,
            _ => 2,
        });
        attributes
    }
}

/// An exception that a span recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception<'a> {
    /// The class, for example `ValueError`.
    pub kind: Option<&'a str>,
    /// The message.
    pub message: Option<&'a str>,
    /// The stack trace, many lines.
    pub stacktrace: Option<&'a str>,
}

/// A reference to a span of another trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// `tr-` and hex where the source says so, else hex.
    pub trace_id: String,
    /// Hex.
    pub span_id: SpanId,
    /// Plain JSON values.
    pub attributes: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_text_is_decoded_once() {
        assert_eq!(plain_text(r#""LLM""#), "LLM");
        assert_eq!(plain_text(r#""a \"b\"""#), "a \"b\"");
        assert_eq!(plain_text("0.5"), "0.5");
        assert_eq!(plain_text("NaN"), "NaN");
    }
}
