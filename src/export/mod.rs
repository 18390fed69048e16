//! What machines read: JSON in the shape that MLflow itself prints, and
//! delimited text. Model and analysis results in, bytes to a writer; nothing is rounded,
//! cut or coloured, and equal input gives equal bytes.

pub mod check;
pub mod delimited;
pub mod diff;
pub mod json;
pub mod many;

mod assessment;
mod latency;
mod trace;

pub use delimited::Delimited;
pub use json::JsonForm;
