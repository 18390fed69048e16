//! End-to-end tests of the `mlt` binary, on real MLflow servers, on the demo
//! store and trace files, and on a server that misbehaves.

#![allow(clippy::unwrap_used)]

mod completions;
mod faults;
mod files;
mod filters;
mod get;
mod help;
mod hostile;
mod latency;
mod old_servers;
mod readme;
mod search;
mod support;
mod tag;
