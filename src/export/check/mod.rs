//! A check for other readers: JSON, JUnit XML, annotations of GitHub Actions and
//! the Markdown of a job's page. Whatever comes from a trace is escaped for each
//! of them.

mod github;
mod json;
mod junit;
mod markdown;

#[cfg(test)]
mod tests;

pub use github::write_github;
pub use json::{write_json, write_lines};
pub use junit::write_junit;
pub use markdown::write_markdown;
