//! How traces come to be: the lines that make a program leave them.

mod frameworks;
mod lines;

pub use frameworks::{FRAMEWORKS, Framework, Kind, names};
pub use lines::{Login, Place};
