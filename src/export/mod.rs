//! What machines read: JSON in the shape that MLflow itself prints, delimited
//! text, and the formats of other tools' viewers. Model and analysis results in,
//! bytes to a writer; nothing is rounded, cut or coloured, and equal input gives
//! equal bytes.

pub mod check;
pub mod chrome;
pub mod delimited;
pub mod diff;
pub mod errors;
pub mod folded;
pub mod format;
pub mod json;
pub mod keys;
pub mod many;
pub mod otlp;
pub mod registry;
pub mod speedscope;
pub mod stats;
pub mod transcript;

mod attachment_name;
mod file_name;
mod hash;
mod latency;
mod tables;
mod trace;
pub mod unreadable;

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod sample;

pub use attachment_name::attachment_name;
pub use delimited::Delimited;
pub use file_name::file_name;
pub use format::{Chosen, Document, End, Format, Order, What};
pub use json::JsonForm;
