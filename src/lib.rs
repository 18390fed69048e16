//! `mlt` inspects the traces of GenAI applications that MLflow recorded: it
//! finds them, shows them with their spans, tags them, and tells where their
//! time went. This crate is the program's inside; the command line is its
//! interface.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod analysis;
pub mod export;
pub mod filter;
pub mod model;
pub mod render;
