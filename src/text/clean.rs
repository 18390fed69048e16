//! Text that may go to a terminal, by type: there is no way to make it but to
//! sanitise, so what takes it cannot be handed anything else.

use std::fmt::{self, Write as _};

use super::sanitize;

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

    /// And this on the same line, in a style.
    #[must_use]
    pub fn and(mut self, style: anstyle::Style, text: impl AsRef<str>) -> Self {
        let text = sanitize::line(text.as_ref());
        // Writing to a string cannot fail.
        let _ = if style.is_plain() {
            self.0.write_str(&text)
        } else {
            write!(self.0, "{style}{text}{style:#}")
        };
        self
    }

    /// And this as it is shown.
    #[must_use]
    pub fn then(mut self, other: impl Into<Self>) -> Self {
        self.0.push_str(&other.into().0);
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
    pub fn labelled(self, style: anstyle::Style, label: &str) -> Self {
        Self::default().and(style, label).then(" ").then(self)
    }

    /// What is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whatever it is, it becomes a line that may be shown.
impl<T: AsRef<str>> From<T> for Clean {
    fn from(text: T) -> Self {
        Self::line(text)
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

    const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default();

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
        let labelled = Clean::line("\x07").labelled(RED, "error:");
        assert_eq!(labelled.to_string(), "\x1b[31merror:\x1b[0m \\x07");
    }
}
