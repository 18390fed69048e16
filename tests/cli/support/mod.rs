//! What the tests run mlt with: a clean environment, real MLflow servers, and a
//! server that misbehaves.

pub(crate) mod browser;
pub(crate) mod env;
pub(crate) mod fake;
pub(crate) mod mlflow;
pub(crate) mod venv;

pub(crate) use env::{Mlt, Outcome, mlt, without_link};
