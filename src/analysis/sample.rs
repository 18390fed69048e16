//! Traces for tests, written as one line per span.

use std::collections::BTreeMap;

use crate::model::{
    Assessment, AssessmentKind, Source, Span, SpanId, StatusCode, Trace, TraceInfo, attribute,
};

pub(super) const MS: i64 = 1_000_000;

/// All sample times count from here, since a recorded time of 0 means "none".
pub(super) const EPOCH_NS: i64 = 1_700_000_000_000_000_000;

/// A span whose id is its name, from and to milliseconds after the epoch of the samples.
pub(super) fn span(name: &str, parent: &str, from_ms: i64, to_ms: i64) -> Span {
    span_ns(name, parent, from_ms * MS, to_ms * MS)
}

/// The same in nanoseconds.
pub(super) fn span_ns(name: &str, parent: &str, from_ns: i64, to_ns: i64) -> Span {
    Span {
        span_id: SpanId::new(name),
        parent_id: (!parent.is_empty()).then(|| SpanId::new(parent)),
        trace_id: String::new(),
        name: name.to_owned(),
        start_ns: EPOCH_NS + from_ns,
        end_ns: Some(EPOCH_NS + to_ns),
        status: StatusCode::Ok,
        status_message: String::new(),
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        kind: None,
    }
}

pub(super) fn trace(spans: impl IntoIterator<Item = Span>) -> Trace {
    Trace {
        info: TraceInfo::new("tr-1"),
        spans: spans.into_iter().collect(),
    }
}

/// Feedback that says nothing yet.
pub(super) fn assessment() -> Assessment {
    Assessment {
        id: None,
        name: String::new(),
        span_id: None,
        source: Source {
            kind: "HUMAN".to_owned(),
            id: None,
        },
        create_time: None,
        last_update_time: None,
        kind: AssessmentKind::Other,
        rationale: None,
        metadata: BTreeMap::new(),
        overrides: None,
        valid: true,
    }
}

/// What tests change about a span.
pub(super) trait SpanExt: Sized {
    fn named(self, name: &str) -> Self;
    fn with_id(self, id: &str) -> Self;
    fn typed(self, span_type: &str) -> Self;
    fn with(self, key: &str, json: &str) -> Self;
    fn unfinished(self) -> Self;
    fn failed(self) -> Self;
}

impl SpanExt for Span {
    fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    fn with_id(mut self, id: &str) -> Self {
        self.span_id = SpanId::new(id);
        self
    }

    fn typed(self, span_type: &str) -> Self {
        self.with(attribute::TYPE, &format!("\"{span_type}\""))
    }

    fn with(mut self, key: &str, json: &str) -> Self {
        self.attributes.push((key.to_owned(), json.to_owned()));
        self
    }

    fn unfinished(mut self) -> Self {
        self.end_ns = None;
        self
    }

    fn failed(mut self) -> Self {
        self.status = StatusCode::Error;
        self
    }
}
