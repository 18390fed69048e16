//! What a trace is: plain data, the same for every store and every MLflow
//! version. Nothing here does I/O, and nothing here knows where a trace came
//! from. Times are integer nanoseconds since the Unix epoch, durations integer
//! nanoseconds, ids lower-case hex.

mod assessment;
mod decimal;
mod detail;
mod ids;
mod message;
mod session_path;
mod span;
mod time;
mod trace;
mod unreadable;
mod usage;

pub use assessment::{Assessment, AssessmentError, AssessmentKind, Source};
pub use decimal::DecimalSum;
pub use detail::Detail;
pub(crate) use ids::random_digits;
pub use ids::{CATALOG_PREFIX, SpanId, looks_like_trace_id, normalize_trace_id, trace_id_digits};
pub use message::{
    ATTACHMENT, Media, MediaKind, Message, Part, Role, ToolCall, ToolDefinition, ToolResult,
};
pub use session_path::{
    HIERARCHY, SessionLevels, is_within_session, level_names, session_on_level, session_path,
};
pub use span::{Event, Exception, Link, Span, SpanKind, StatusCode, attribute, is_repr};
pub use time::Timestamp;
pub use trace::{
    Experiment, ExperimentOverview, RolledUp, Trace, TraceInfo, TraceState, metadata, tag,
};
pub use unreadable::Unreadable;
pub(crate) use usage::whole;
pub use usage::{Cost, TokenUsage};
