//! Text for the log of a build. GitHub Actions and Azure Pipelines take lines that
//! begin with `::`, and `##[` or `##vso[` anywhere, for commands to themselves. What
//! a trace holds is not to give them any: the first sign of such a command is
//! written as an escape.

use std::borrow::Cow;
use std::io::{self, Write};

/// A writer that passes on whole lines, none of which is a command.
pub(crate) struct LogLines<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> LogLines<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            line: Vec::new(),
        }
    }

    /// Writes out what is left.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.pass_on()?;
        self.out.flush()
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.line);
        let outcome = self.out.write_all(without_command(&text).as_bytes());
        self.line.clear();
        outcome
    }
}

impl<W: Write> Write for LogLines<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.pass_on()?;
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A line that no machine obeys.
pub(crate) fn without_command(line: &str) -> Cow<'_, str> {
    let start = line.len() - line.trim_start().len();
    let begins = line[start..].starts_with("::");
    if !begins && !line.contains("##") {
        return Cow::Borrowed(line);
    }
    let mut safe = String::with_capacity(line.len() + 16);
    safe.push_str(&line[..start]);
    let mut rest = &line[start..];
    if begins {
        safe.push_str("\\x3a");
        rest = &rest[1..];
    }
    while let Some(at) = rest.find("##") {
        safe.push_str(&rest[..at]);
        let behind = rest[at + 2..].to_ascii_lowercase();
        let is_command = behind.starts_with('[') || behind.starts_with("vso[");
        safe.push_str(if is_command { "\\x23" } else { "#" });
        rest = &rest[at + 1..];
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_spelled_out_and_other_lines_stay() {
        for (line, shown) in [
            ("::set-output name=a::b\n", "\\x3a:set-output name=a::b\n"),
            ("  ::error::x", "  \\x3a:error::x"),
            (
                "a ##vso[task.x]y ##[add-mask]z",
                "a \\x23#vso[task.x]y \\x23#[add-mask]z",
            ),
            ("###[x]", "#\\x23#[x]"),
            ("##VSO[x]", "\\x23#VSO[x]"),
            ("std::fmt", "std::fmt"),
            ("## Heading", "## Heading"),
            (": :", ": :"),
            ("", ""),
        ] {
            assert_eq!(without_command(line), shown);
        }
    }

    #[test]
    fn a_command_is_found_however_it_is_written() {
        let mut out = Vec::new();
        let mut log = LogLines::new(&mut out);
        for part in ["a\n ", ":", ":x\n##", "[y]\n", "::z"] {
            log.write_all(part.as_bytes()).unwrap();
        }
        log.finish().unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "a\n \\x3a:x\n\\x23#[y]\n\\x3a:z");
    }
}
