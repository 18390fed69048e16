//! Annotations of GitHub Actions. The runner takes lines that begin with `::`, and
//! `##[` anywhere in other lines, for commands: neither is left to what a trace or
//! a rule says.

use std::io::{self, Write};

use crate::analysis::Judgement;
use crate::render::verdict::{problem, sentence};
use crate::text::sanitize;

/// Writes an annotation for each rule that failed, and a line for each of the others.
pub fn write_github(out: &mut dyn Write, verdict: &Judgement) -> io::Result<()> {
    for ruling in &verdict.rulings {
        let rule = sanitize::line(&ruling.rule);
        let sentence = sentence(ruling);
        if ruling.passed() {
            let line = format!("{rule}: {sentence}").replace("##[", "# #[");
            writeln!(out, "passed  {line}")?;
        } else {
            writeln!(
                out,
                "::error title={}::{}",
                property(&rule),
                data(&sentence)
            )?;
        }
    }
    match problem(verdict) {
        Some(problem) => writeln!(out, "::error title=mlt check::{}", data(&problem)),
        None => Ok(()),
    }
}

/// A message, as the runner reads it.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property, which ends at `:` and `,`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
