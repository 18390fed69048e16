//! What needs shells, Python or `openssl`, but no MLflow.

mod completions;
mod examples;
mod progress;
mod quoting;
mod tls;
