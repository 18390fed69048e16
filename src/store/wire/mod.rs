//! The JSON that MLflow writes, in every shape it has had since 2.14, read into
//! the model: tolerant of unknown, missing and differently spelt members.

mod any_value;
mod assessment;
mod attributes;
mod depth;
mod document;
mod fault;
#[allow(dead_code, reason = "the stores are about to read archives")]
mod flaw;
mod ids;
mod info;
#[allow(dead_code, reason = "the stores are about to read archives")]
mod otlp;
mod span;

pub(super) use assessment::{WireAssessment, as_protobuf_value, assessment_error, texts};
pub(super) use depth::{Brief, Depth, Eventful, Whole};
pub(super) use document::{DocumentSpans, DocumentTrace, Want, read_documents};
pub(super) use fault::{Fault, trace_id_in};
#[allow(unused_imports, reason = "the stores are about to read archives")]
pub(super) use flaw::Flaw;
pub(super) use ids::{otel_trace_id, span_id};
pub(super) use info::WireInfo;
#[allow(unused_imports, reason = "the stores are about to read archives")]
pub(super) use otlp::spans_from_protobuf;
pub(super) use span::{SpanList, span_from_slice, spans_from_slice, tells_more};

/// `null` and a missing member mean the same thing.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de> + Default,
{
    use serde::Deserialize as _;
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
