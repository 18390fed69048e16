//! What programs that read by the token are shown: plain lines, the most telling first,
//! within a budget of tokens that is never exceeded. What was left out is said at the
//! end, with the command that shows it. A larger budget shows every line that a smaller
//! one does, and the same input gives the same bytes.

mod budget;
pub mod errors;
mod fold;
pub mod latency;
mod said;
pub mod search;
pub mod session;
#[cfg(test)]
mod tests;
mod tokens;
pub mod trace;

pub use budget::{Again, Budget};

use crate::analysis::LatencyReport;
use crate::model::TraceInfo;
use crate::text::Clean;
use crate::units;

/// Tokens where nobody says how many.
pub const TOKENS: usize = 2000;
/// Fewer than these have room for nothing.
pub const LEAST_TOKENS: usize = 50;

/// Tokens of names, of types and models, of a question or an answer, and of an error.
const NAME: usize = 14;
const WORD: usize = 8;
const SAID: usize = 80;
const ERROR: usize = 60;

/// The name of a trace, or of its root, cut.
fn name(info: &TraceInfo, report: Option<&LatencyReport<'_>>) -> Clean {
    let root = report.and_then(|report| Some(report.span(report.tree.root()?)));
    let root = root.map(|span| span.name.as_str());
    tokens::fit(info.name().or(root).unwrap_or("(no name)"), NAME)
}

/// `2 spans`, `1 span` and so on, or nothing where there are none.
fn some(number: usize, noun: &str) -> Option<String> {
    (number > 0).then(|| units::counted(number, noun))
}
