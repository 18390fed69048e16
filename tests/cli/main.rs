//! End-to-end tests of the `mlt` binary, on real MLflow servers, on the demo
//! store and trace files, and on a server that misbehaves: in groups by what they need.

#![allow(clippy::unwrap_used)]

mod alone;
mod browser;
mod mlflow;
mod shells;
mod support;
