//! A trace and what is known about it without its spans.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{Assessment, Cost, Span, Timestamp, TokenUsage};

/// Reserved keys of trace metadata.
pub mod metadata {
    /// The session (conversation) that the trace belongs to.
    pub const SESSION: &str = "mlflow.trace.session";
    /// The end user.
    pub const USER: &str = "mlflow.trace.user";
    /// Token usage as JSON text.
    pub const TOKEN_USAGE: &str = "mlflow.trace.tokenUsage";
    /// Cost in US dollars as JSON text.
    pub const COST: &str = "mlflow.trace.cost";
    /// Size statistics as JSON text, with the number of spans.
    pub const SIZE_STATS: &str = "mlflow.trace.sizeStats";
    /// The version of the trace's own format, which MLflow's clients write.
    pub const SCHEMA_VERSION: &str = "mlflow.trace_schema.version";
    /// `true` where a client of MLflow wrote everything but the spans, once these had ended.
    pub const FINALIZED: &str = "mlflow.trace.infoFinalized";
    /// What a client of MLflow leaves, which adds up tokens and cost when a trace ends.
    pub const OF_CLIENTS: [&str; 2] = [FINALIZED, SCHEMA_VERSION];
    /// The run that the trace was made in.
    pub const SOURCE_RUN: &str = "mlflow.sourceRun";
    /// The logged model that the trace belongs to.
    pub const MODEL_ID: &str = "mlflow.modelId";
    /// Request preview of old servers.
    pub const INPUTS: &str = "mlflow.traceInputs";
    /// Response preview of old servers.
    pub const OUTPUTS: &str = "mlflow.traceOutputs";
}

/// Reserved tag keys.
pub mod tag {
    /// The trace's name.
    pub const NAME: &str = "mlflow.traceName";
    /// Where the spans are: the tracking store, artifacts or an archive.
    pub const SPANS_LOCATION: &str = "mlflow.trace.spansLocation";
    /// The artifact folder.
    pub const ARTIFACT_LOCATION: &str = "mlflow.artifactLocation";
    /// The archive, for traces that are in one.
    pub const ARCHIVE_LOCATION: &str = "mlflow.trace.archiveLocation";

    /// Whether MLflow allows a character in a key.
    pub fn allows(c: char) -> bool {
        c.is_alphanumeric() || "_-. :/".contains(c)
    }

    /// Whether a key, taken as a path, would not be the one that it says.
    pub fn leads_elsewhere(key: &str) -> bool {
        key.split('/').any(|part| matches!(part, "" | "." | ".."))
    }
}

/// A trace with its spans, in the order of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Everything but the spans.
    pub info: TraceInfo,
    /// The spans; may be empty, and may lack parents.
    pub spans: Vec<Span>,
}

/// Everything about a trace but its spans.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceInfo {
    /// `tr-` and 32 hex digits, or 32 hex digits from MLflow 2.
    pub trace_id: String,
    /// The id that the calling application gave to the request.
    pub client_request_id: Option<String>,
    /// The experiment that holds the trace.
    pub experiment_id: Option<String>,
    /// What that experiment is called, where the trace says so itself.
    pub experiment_name: Option<String>,
    /// The place of a trace that no experiment holds, such as a schema of Unity
    /// Catalog, in MLflow's words.
    pub location: Option<Value>,
    /// When the request began, with millisecond resolution.
    pub request_time: Option<Timestamp>,
    /// The server's own duration in nanoseconds, with millisecond resolution.
    /// A trace in progress may have one, and broken sources give negative ones.
    pub execution_duration_ns: Option<i64>,
    /// Whether it ended, and how.
    pub state: TraceState,
    /// Written once, when the trace was made.
    pub metadata: BTreeMap<String, String>,
    /// May be changed afterwards.
    pub tags: BTreeMap<String, String>,
    /// The start of the request, as JSON text or plain text.
    pub request_preview: Option<String>,
    /// The start of the response, as JSON text or plain text.
    pub response_preview: Option<String>,
    /// Feedback and expectations.
    pub assessments: Vec<Assessment>,
    /// What other traces of its session hold about the whole session, where a filter asks
    /// for it: one on a name finds these, too, as it does on the server.
    pub of_session: Vec<Assessment>,
    /// What was added up from its spans, where somebody did.
    pub rolled_up: RolledUp,
    /// How many spans the store holds, where that was asked and it counts them.
    pub counted_spans: Option<usize>,
}

/// Tokens and cost of the spans of a trace, for where its metadata has none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RolledUp {
    /// Tokens.
    pub usage: Option<TokenUsage>,
    /// US dollars.
    pub cost: Option<Cost>,
}

impl TraceInfo {
    /// A trace of which nothing but the id is known.
    pub fn new(trace_id: impl Into<String>) -> Self {
        Self {
            trace_id: trace_id.into(),
            client_request_id: None,
            experiment_id: None,
            experiment_name: None,
            location: None,
            request_time: None,
            execution_duration_ns: None,
            state: TraceState::Unspecified,
            metadata: BTreeMap::new(),
            tags: BTreeMap::new(),
            request_preview: None,
            response_preview: None,
            assessments: Vec::new(),
            of_session: Vec::new(),
            rolled_up: RolledUp::default(),
            counted_spans: None,
        }
    }

    /// What holds the trace: the experiment's id, or the schema or table of Unity Catalog.
    pub fn place(&self) -> Option<Cow<'_, str>> {
        if let Some(id) = &self.experiment_id {
            return Some(Cow::Borrowed(id));
        }
        let location = self.location.as_ref()?;
        let parts = ["uc_schema", "uc_table_prefix", "inference_table"]
            .into_iter()
            .find_map(|kind| location.get(kind))?;
        let names: Vec<&str> = [
            "catalog_name",
            "schema_name",
            "table_prefix",
            "full_table_name",
        ]
        .into_iter()
        .filter_map(|name| parts.get(name)?.as_str())
        .collect();
        (!names.is_empty()).then(|| Cow::Owned(names.join(".")))
    }

    /// The trace's name; OpenTelemetry traces have none unless tagged.
    pub fn name(&self) -> Option<&str> {
        self.tags.get(tag::NAME).map(String::as_str)
    }

    /// Puts assessments in the order in which they were made, and those of one time in that of
    /// their ids: stores give them in any.
    pub(crate) fn order_assessments(&mut self) {
        self.assessments
            .sort_by(|a, b| (a.create_time, &a.id).cmp(&(b.create_time, &b.id)));
    }

    /// The session (conversation).
    pub fn session(&self) -> Option<&str> {
        self.metadata.get(metadata::SESSION).map(String::as_str)
    }

    /// The end user.
    pub fn user(&self) -> Option<&str> {
        self.metadata.get(metadata::USER).map(String::as_str)
    }

    /// The run that the trace was made in.
    pub fn run_id(&self) -> Option<&str> {
        self.metadata.get(metadata::SOURCE_RUN).map(String::as_str)
    }

    /// The logged model that the trace belongs to.
    pub fn model_id(&self) -> Option<&str> {
        self.metadata.get(metadata::MODEL_ID).map(String::as_str)
    }

    /// The server's own duration in nanoseconds as it is shown: an end before the start is
    /// taken for the start.
    pub fn duration_ns(&self) -> Option<i64> {
        self.execution_duration_ns.map(|ns| ns.max(0))
    }

    /// Takes a duration that is written beside the server's own and has more digits. A
    /// negative one is written there as 0.
    pub fn be_exact_about_duration(&mut self, exact: Option<i64>) {
        if self.execution_duration_ns.is_none_or(|ns| ns >= 0) {
            self.execution_duration_ns = exact.or(self.execution_duration_ns);
        }
    }

    /// Token usage of the whole trace: the metadata's, else what its spans came to.
    pub fn usage(&self) -> Option<TokenUsage> {
        self.recorded_usage().or(self.rolled_up.usage)
    }

    /// Cost of the whole trace, likewise.
    pub fn cost(&self) -> Option<Cost> {
        self.recorded_cost().or(self.rolled_up.cost)
    }

    /// Token usage of the whole trace, where the metadata has it; zeros are none.
    pub fn recorded_usage(&self) -> Option<TokenUsage> {
        TokenUsage::parse(self.metadata.get(metadata::TOKEN_USAGE)?).filter(TokenUsage::is_reported)
    }

    /// Cost of the whole trace, where the metadata has it.
    pub fn recorded_cost(&self) -> Option<Cost> {
        Cost::parse(self.metadata.get(metadata::COST)?)
    }

    /// Whether the spans may have tokens or cost that the metadata lacks. MLflow's
    /// clients add these up when they write a trace's metadata.
    pub fn may_lack_usage(&self) -> bool {
        let recorded = self.recorded_usage().is_some() && self.recorded_cost().is_some();
        let mut by_client = metadata::OF_CLIENTS.iter();
        !recorded && !by_client.any(|key| self.metadata.contains_key(*key))
    }

    /// How many spans the trace's own metadata promises.
    pub fn declared_span_count(&self) -> Option<usize> {
        #[derive(serde::Deserialize)]
        struct SizeStats {
            num_spans: usize,
        }
        let stats = self.metadata.get(metadata::SIZE_STATS)?;
        serde_json::from_str::<SizeStats>(stats)
            .ok()
            .map(|s| s.num_spans)
    }

    /// How many spans there are, as far as that is known without a look at them: those that
    /// the store has counted, else those of the metadata.
    pub fn span_count(&self) -> Option<usize> {
        self.counted_spans.or_else(|| self.declared_span_count())
    }

    /// Whether there must be spans somewhere: the metadata counts some, or one of
    /// MLflow's clients, which never write a trace without, has ended it.
    pub fn promises_spans(&self) -> bool {
        match self.declared_span_count() {
            Some(count) => count > 0,
            None => {
                self.state != TraceState::InProgress
                    && self.metadata.contains_key(metadata::SCHEMA_VERSION)
            }
        }
    }

    /// Request and response previews, from the fields or, for old servers, the metadata.
    pub fn previews(&self) -> (Option<&str>, Option<&str>) {
        (
            self.request_preview
                .as_deref()
                .or_else(|| self.metadata.get(metadata::INPUTS).map(String::as_str)),
            self.response_preview
                .as_deref()
                .or_else(|| self.metadata.get(metadata::OUTPUTS).map(String::as_str)),
        )
    }
}

/// Whether a trace has ended, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TraceState {
    /// Ended without error.
    Ok,
    /// Ended with an error.
    Error,
    /// The root span has not ended or has not arrived.
    InProgress,
    /// The store does not say.
    Unspecified,
    /// A state that this version of mlt does not know.
    Other(Box<str>),
}

impl TraceState {
    /// From MLflow's text, the V2 spelling of "unspecified" and Python's names included.
    pub fn parse(text: &str) -> Self {
        let name = text
            .strip_prefix("TraceState.")
            .or_else(|| text.strip_prefix("TraceStatus."))
            .unwrap_or(text);
        match name {
            "OK" => Self::Ok,
            "ERROR" => Self::Error,
            "IN_PROGRESS" => Self::InProgress,
            "STATE_UNSPECIFIED" | "TRACE_STATUS_UNSPECIFIED" => Self::Unspecified,
            other => Self::Other(other.into()),
        }
    }

    /// MLflow's text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ok => "OK",
            Self::Error => "ERROR",
            Self::InProgress => "IN_PROGRESS",
            Self::Unspecified => "STATE_UNSPECIFIED",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A named group of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Digits, as text: they may exceed 32 bits.
    pub id: String,
    /// Unique within a workspace.
    pub name: String,
    /// False for a deleted one.
    pub active: bool,
}

impl Experiment {
    /// The id of the one that MLflow makes in every store, and calls Default.
    pub const DEFAULT_ID: &str = "0";

    /// Whether a text can only be meant for an id.
    pub fn is_id(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// An experiment, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentOverview {
    /// The experiment.
    pub experiment: Experiment,
    /// How many traces it has.
    pub traces: usize,
    /// When the oldest of them began.
    pub first: Option<Timestamp>,
    /// When the newest of them began.
    pub last: Option<Timestamp>,
}

impl ExperimentOverview {
    /// Of an experiment without traces.
    pub const fn empty(experiment: Experiment) -> Self {
        Self {
            experiment,
            traces: 0,
            first: None,
            last: None,
        }
    }
}
