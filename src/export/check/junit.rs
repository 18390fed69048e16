//! JUnit XML, as Jenkins, GitLab and others read it: a test case for each rule.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::analysis::Judgement;
use crate::render::verdict::{problem, sentence};
use crate::text::sanitize;

/// Writes the report.
pub fn write_junit(out: &mut dyn Write, verdict: &Judgement) -> io::Result<()> {
    let problem = problem(verdict);
    let tests = verdict.rulings.len() + usize::from(problem.is_some());
    let failures = verdict.failed() + usize::from(problem.is_some());
    let skipped = verdict.rulings.iter().filter(|r| r.skipped()).count();
    let counts = format!(
        "name=\"mlt check\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\""
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites {counts}>")?;
    writeln!(out, "  <testsuite {counts}>")?;
    for ruling in &verdict.rulings {
        let sentence = escape(&sentence(ruling));
        let content = if ruling.skipped() {
            format!("<skipped message=\"{sentence}\"/>")
        } else if ruling.passed() {
            format!("<system-out>{sentence}</system-out>")
        } else {
            format!("<failure type=\"rule\" message=\"{sentence}\">{sentence}</failure>")
        };
        write_case(out, &ruling.rule, &content)?;
    }
    if let Some(problem) = problem {
        let problem = escape(&problem);
        let content = format!("<failure type=\"traces\" message=\"{problem}\">{problem}</failure>");
        write_case(out, "traces", &content)?;
    }
    writeln!(out, "  </testsuite>")?;
    writeln!(out, "</testsuites>")
}

fn write_case(out: &mut dyn Write, name: &str, content: &str) -> io::Result<()> {
    let name = escape(&sanitize::line(name));
    writeln!(
        out,
        "    <testcase classname=\"mlt check\" name=\"{name}\" time=\"0\">"
    )?;
    writeln!(out, "      {content}")?;
    writeln!(out, "    </testcase>")
}

/// Text for an attribute or an element. Characters that XML cannot hold at all are
/// left out; line breaks are kept from being read as spaces.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}
