//! Tables: what a column is called, what it says of a row, and how the rows are written.
//! A [`Column`] is defined once; text for people, delimited text, JSON, Parquet and HTML
//! each have a file here that takes its [`Datum`]s, so that they cannot differ in
//! names or values.

mod column;
mod columns;
mod datum;
pub mod delimited;
pub(crate) mod html;
pub mod json;
#[cfg(feature = "parquet")]
pub mod parquet;
pub(crate) mod parts;
pub mod rows;
mod text;

pub use column::{Column, Kind, Room, Rows};
pub use columns::{Columns, Keyed, UnknownColumn, split_names};
pub use datum::Datum;
