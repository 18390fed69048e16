//! What was said in a model's call, read from its span. Thirty clients and
//! frameworks keep it in as many shapes; here they become [`Message`]s. `sources`
//! knows where in a span to look, `formats` what the JSON there means, `stream` how
//! to put together an answer that was streamed, `about` what is known of the call
//! besides, `documents` what a retriever found. Reading never fails: what is in no known
//! shape becomes [`Part::Json`], or is not there.
//!
//! [`Message`]: crate::model::Message
//! [`Part::Json`]: crate::model::Part::Json

mod about;
mod bytes;
mod definitions;
mod documents;
mod formats;
mod media;
mod preview;
mod sources;
mod stream;
mod tool;
mod usage;
mod value;

pub use about::{About, about, answers, asks, embeds, is_call, is_silent};
pub use bytes::bytes;
pub use definitions::offered;
pub use documents::{Better, Document, Embedded, Retrieval, embedded, retrieval};
pub use formats::ended;
pub use media::{DATA_FROM, LongData, long_data};
pub use preview::{answered, asked};
pub use sources::{Content, read, read_lists, reads_output};
pub use tool::{tool_call, tool_result};
pub use usage::{CallUsage, used};

use serde_json::Value;

/// The object or list that a text holds, for showing what an API encoded twice.
pub fn decoded(value: &Value) -> std::borrow::Cow<'_, Value> {
    value::decoded(value)
}
