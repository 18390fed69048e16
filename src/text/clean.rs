//! Text that may go to a terminal, by type: there is no way to make it but to
//! sanitise, so what takes it cannot be handed anything else.

use std::fmt::{self, Write as _};
use std::ops::Range;

use anstyle::Style;

use super::{sanitize, width};

/// Lines in which nothing is left that moves a cursor, hides or turns round, and
/// whose styles are our own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clean(String);

impl Clean {
    /// One line of text.
    pub fn line(text: impl AsRef<str>) -> Self {
        Self(sanitize::line(text.as_ref()).into_owned())
    }

    /// Text that keeps its lines.
    pub fn block(text: impl AsRef<str>) -> Self {
        Self(sanitize::block(text.as_ref()).into_owned())
    }

    /// The same with the colours that are in it already, as another printer of our own
    /// text left them.
    pub fn coloured(text: &str) -> Self {
        let mut parts = text.split("\x1b[");
        let mut clean = Self::block(parts.next().unwrap_or_default());
        for part in parts {
            let end = part.find(|c: char| !(c.is_ascii_digit() || c == ';'));
            let (style, rest) = part.split_at(end.unwrap_or(part.len()));
            match rest.strip_prefix('m') {
                Some(rest) => {
                    clean.0.extend(["\x1b[", style, "m"]);
                    clean.push(Style::new(), &Self::block(rest));
                }
                None => clean.push(Style::new(), &Self::block(format!("\x1b[{part}"))),
            }
        }
        clean
    }

    /// What a sheet took.
    pub(super) fn written(text: Vec<u8>) -> Self {
        Self(String::from_utf8(text).unwrap_or_default())
    }

    /// So many spaces.
    pub fn blank(columns: usize) -> Self {
        Self(" ".repeat(columns))
    }

    /// One line of text in a style.
    pub fn styled(style: Style, text: impl AsRef<str>) -> Self {
        Self::default().and(style, text)
    }

    /// And this on the same line, in a style.
    #[must_use]
    pub fn and(mut self, style: Style, text: impl AsRef<str>) -> Self {
        self.write(style, &sanitize::line(text.as_ref()));
        self
    }

    /// And this as it is shown.
    #[must_use]
    pub fn then(mut self, other: impl Into<Self>) -> Self {
        let other = other.into();
        if self.0.is_empty() {
            return other;
        }
        self.0.push_str(&other.0);
        self
    }

    /// And the end of a line.
    #[must_use]
    pub fn end(mut self) -> Self {
        self.0.push('\n');
        self
    }

    /// Said before it, in a style, as a word that tells what it is.
    #[must_use]
    pub fn labelled(self, style: Style, label: &str) -> Self {
        Self::styled(style, label).then(" ").then(self)
    }

    /// Behind so many spaces.
    #[must_use]
    pub fn indented(self, columns: usize) -> Self {
        Self::blank(columns).then(self)
    }

    /// Without blanks at its end.
    #[must_use]
    pub fn trim_end(mut self) -> Self {
        self.trim_end_from(0);
        self
    }

    /// Without the spaces at its beginning, and how many these are.
    pub fn trim_start(mut self) -> (usize, Self) {
        let spaces = self.0.len() - self.0.trim_start_matches(' ').len();
        (spaces, Self(self.0.split_off(spaces)))
    }

    /// Adds what is clean already, in a style.
    pub fn push(&mut self, style: Style, other: &Self) {
        self.write(style, &other.0);
    }

    /// Adds a part of what is clean already, in a style.
    pub fn push_part(&mut self, style: Style, other: &Self, part: Range<usize>) {
        self.write(style, &other.0[part]);
    }

    /// Adds so many spaces.
    pub fn push_blank(&mut self, columns: usize) {
        self.0.extend(std::iter::repeat_n(' ', columns));
    }

    /// Adds a line.
    pub fn push_line(&mut self, line: impl Into<Self>) {
        self.0.push_str(&line.into().0);
        self.push_end();
    }

    /// Adds the end of a line.
    pub fn push_end(&mut self) {
        self.0.push('\n');
    }

    /// Drops blanks at its end, down to so many bytes.
    pub fn trim_end_from(&mut self, start: usize) {
        let kept = self.0[start..].trim_end().len();
        self.0.truncate(start + kept);
    }

    /// Drops what comes after so many bytes.
    pub fn truncate(&mut self, bytes: usize) {
        self.0.truncate(bytes);
    }

    /// Removes everything, and keeps the room for it.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn write(&mut self, style: Style, clean: &str) {
        // Writing to a string cannot fail.
        let _ = if style.is_plain() {
            self.0.write_str(clean)
        } else {
            write!(self.0, "{style}{clean}{style:#}")
        };
    }

    /// What is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Columns that it takes, if it has no styles.
    pub fn width(&self) -> usize {
        width::width(&self.0)
    }

    /// Its first characters, so many of them.
    #[must_use]
    pub fn start(&self, characters: usize) -> Self {
        Self(self.0.chars().take(characters).collect())
    }

    /// Cut to so many columns, with a mark where there was more.
    #[must_use]
    pub fn fit(&self, columns: usize) -> Self {
        Self(width::fit(&self.0, columns).into_owned())
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<Self> {
        let lines = self.0.split('\n');
        lines.map(|line| Self(line.to_owned())).collect()
    }

    /// Lines of so many columns, where there is such a limit.
    pub fn wrapped(&self, columns: Option<usize>) -> Vec<Self> {
        match columns {
            Some(columns) => {
                let lines = width::wrap(&self.0, columns).into_iter();
                lines.map(Self).collect()
            }
            None => vec![self.clone()],
        }
    }
}

/// Whatever it is, it becomes a line that may be shown.
impl<T: AsRef<str>> From<T> for Clean {
    fn from(text: T) -> Self {
        Self::line(text)
    }
}

impl From<&Self> for Clean {
    fn from(clean: &Self) -> Self {
        clean.clone()
    }
}

impl PartialEq<&str> for Clean {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Style = anstyle::AnsiColor::Red.on_default();

    #[test]
    fn what_is_foreign_is_escaped_and_styles_are_ours() {
        let clean = Clean::line("a\nb")
            .and(RED, "\x1b[32mx")
            .then("\u{202e}y")
            .end()
            .then(Clean::block("1\n2\r"));
        assert_eq!(
            clean.as_str(),
            "a\\nb\x1b[31m\\x1b[32mx\x1b[0m\\u{202e}y\n1\n2\\r"
        );
        assert_eq!(
            Clean::coloured("\x1b[1;31ma\x1b[0m\x1b[2Jb\x1b[").as_str(),
            "\x1b[1;31ma\x1b[0m\\x1b[2Jb\\x1b["
        );
        let labelled = Clean::line("\x07").labelled(RED, "error:");
        assert_eq!(labelled.to_string(), "\x1b[31merror:\x1b[0m \\x07");
    }
}
