//! What needs nothing but Rust, and the tools that every Unix has.

mod attachments;
mod brief;
mod chat;
mod columns;
mod common;
mod confined;
mod errors;
pub(crate) mod faults;
pub(crate) mod help;
mod hostile;
mod io;
mod numbers;
mod reading;
mod regression;
mod session;
mod sessions;
mod skill;
mod times;
mod tools;
mod writing;
