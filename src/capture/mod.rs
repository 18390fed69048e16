//! How traces come to be: a command that is one, and the lines that make a program leave them.

pub mod child;
mod frameworks;
mod lines;
mod mask;
mod parent;
pub mod spool;
mod trace;

pub use frameworks::{FRAMEWORKS, Framework, Kind, names};
pub use lines::{Login, Place};
pub use mask::Masks;
pub use parent::{Parent, TRACEPARENT};
pub use trace::{attributes, trace};
