//! The Markdown of a job's page. Text from rules and traces is written in
//! character references wherever Markdown could read something into it, and so
//! makes no links, no images, no mentions, no HTML and no cells of its own.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::analysis::{Judgement, Ruling};
use crate::render::verdict::{blame, comparison, problem, summary, value};
use crate::text::sanitize;

/// Writes a heading and a table of the rules.
pub fn write_markdown(out: &mut dyn Write, verdict: &Judgement) -> io::Result<()> {
    let mark = if verdict.passed() { "✅" } else { "❌" };
    writeln!(out, "### {mark} mlt check: {}\n", escape(&summary(verdict)))?;
    if let Some(problem) = problem(verdict) {
        writeln!(out, "**{}**\n", escape(&problem))?;
    }
    let compares = verdict.rulings.iter().any(|r| r.change.is_some());
    let (head, rule) = if compares {
        (" Before |", " --- |")
    } else {
        ("", "")
    };
    writeln!(out, "| | Aggregate | Value | Limit | n |{head} To blame |")?;
    writeln!(out, "| --- | --- | ---: | --- | ---: |{rule} --- |")?;
    for ruling in &verdict.rulings {
        write_row(out, ruling, compares)?;
    }
    writeln!(out)
}

fn write_row(out: &mut dyn Write, ruling: &Ruling, compares: bool) -> io::Result<()> {
    let outcome = if ruling.skipped() {
        "⚪ skipped"
    } else if ruling.passed() {
        "✅ passed"
    } else {
        "❌ **failed**"
    };
    let limit = ruling.bound.map(|bound| bound.text(ruling.unit));
    let blamed = if ruling.passed() {
        String::new()
    } else {
        blame(ruling)
    };
    let mut cells = vec![
        outcome.to_owned(),
        format!(
            "<code>{}</code>",
            escape(&sanitize::line(&ruling.aggregate))
        ),
        escape(&value(ruling)),
        escape(&limit.unwrap_or_default()),
        ruling.measured.n.to_string(),
    ];
    if compares {
        cells.push(escape(&comparison(ruling).unwrap_or_default()));
    }
    cells.push(escape(&blamed));
    writeln!(out, "| {} |", cells.join(" | "))
}

/// Text that says nothing but itself.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '|' | '`' | '*' | '_' | '~' | '[' | ']' | '\\' | '#' | '!'
            | '@' | ':' | '^' | '$' | '{' | '}' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out.replace("www.", "www&#46;")
}
