//! End-to-end tests of the `mlt` binary, on real MLflow servers, on the demo
//! store and trace files, and on a server that misbehaves.

#![allow(clippy::unwrap_used)]

mod artifacts;
mod chat;
mod check;
mod columns;
mod common;
mod completions;
mod confined;
mod contract;
mod detail;
mod diff;
mod differential;
mod examples;
mod experiments;
mod export;
mod faults;
mod fields;
mod files;
mod filters;
mod fuzz;
mod get;
mod help;
mod hostile;
mod keys;
mod latencies;
mod latency;
mod local;
mod mlruns;
mod no_match;
mod numbers;
mod old_servers;
mod progress;
mod quoting;
mod reading;
mod readme;
mod regression;
mod report;
mod search;
mod sqlite;
mod stats;
mod support;
mod tag;
mod times;
mod unreadable;
mod workspaces;
mod writing;
