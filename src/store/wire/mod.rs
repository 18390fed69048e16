//! The JSON that MLflow writes, in every shape it has had since 2.14, read into
//! the model: tolerant of unknown, missing and differently spelt members.

use serde::de::DeserializeOwned;

use crate::json::parse_bytes;

mod any_value;
mod assessment;
mod attributes;
mod careful;
mod depth;
mod document;
mod fault;
mod flaw;
mod ids;
mod info;
mod otlp;
mod page;
mod span;
mod stored;
mod time;
mod write;

pub(super) use assessment::{as_protobuf_value, assessment_error, texts};
pub(super) use depth::{Brief, Depth, Eventful, Timed, Whole};
pub(super) use document::{DocumentSpans, DocumentTrace, Want, read_documents};
pub(super) use fault::{Fault, trace_id_in};
pub(super) use flaw::Flaw;
pub(super) use ids::{otel_trace_id, span_id};
#[allow(unused_imports, reason = "the stores are about to read archives")]
pub(super) use otlp::spans_from_protobuf;
pub(super) use otlp::{Collected, Piece, parts_from_protobuf};
pub(super) use stored::{Ids, stored_span};
pub(super) use write::write_trace;

/// Reads the spans of JSON documents of OpenTelemetry's, and such as stand alone.
///
/// # Errors
/// What is no JSON, and a document without spans.
pub(super) fn read_parts(json: &[u8]) -> Result<Vec<Piece>, Flaw> {
    careful::read_parts(json)
}
pub(super) use page::{InfoPage, assessment_of, info_of, read_info, read_page};
pub(super) use span::{SpanList, span_from_slice, spans_from_slice, tells_more};

/// Reads JSON, as Python may have written it: numbers that JSON does not have are
/// texts, and what is nested too deeply is one.
///
/// # Errors
/// Those of the parser.
pub(super) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(json)
        .or_else(|error| parse_bytes(json).map_or(Err(error), serde_json::from_value))
}

/// `null` and a missing member mean the same thing.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de> + Default,
{
    use serde::Deserialize as _;
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
