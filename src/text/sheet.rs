//! Where text for people goes. Layouts write to this and to no other writer, so that
//! nothing from outside can pass by the sanitiser.

use std::io;

use anstyle::Style;

use super::Clean;

/// A writer that takes only what is clean. It makes so what is not.
pub struct Sheet<'o>(&'o mut dyn io::Write);

impl<'o> Sheet<'o> {
    /// One that ends in this writer.
    pub fn new(out: &'o mut dyn io::Write) -> Self {
        Self(out)
    }

    /// What is written, for later.
    ///
    /// # Errors
    /// Those of what writes it.
    pub fn kept<E>(write: impl FnOnce(&mut Sheet<'_>) -> Result<(), E>) -> Result<Clean, E> {
        let mut text = Vec::new();
        write(&mut Sheet::new(&mut text))?;
        Ok(Clean::written(text))
    }

    /// Writes text as it is shown.
    ///
    /// # Errors
    /// Those of writing.
    pub fn put(&mut self, text: impl Into<Clean>) -> io::Result<()> {
        self.0.write_all(text.into().as_str().as_bytes())
    }

    /// Writes a line.
    ///
    /// # Errors
    /// Those of writing.
    pub fn line(&mut self, line: impl Into<Clean>) -> io::Result<()> {
        self.put(line.into().end())
    }

    /// Writes a line in a style.
    ///
    /// # Errors
    /// Those of writing.
    pub fn styled(&mut self, style: Style, line: impl AsRef<str>) -> io::Result<()> {
        self.line(Clean::styled(style, line))
    }

    /// Writes what is clean already as a line in a style.
    ///
    /// # Errors
    /// Those of writing.
    pub fn painted(&mut self, style: Style, line: &Clean) -> io::Result<()> {
        let mut text = Clean::default();
        text.push(style, line);
        self.line(text)
    }

    /// Writes a line without anything on it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn blank(&mut self) -> io::Result<()> {
        self.put(Clean::default().end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_is_clean() {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out);
        sheet.line("a\x1b[2J\nb").unwrap();
        sheet.put(String::from("\u{202e}c")).unwrap();
        sheet.blank().unwrap();
        sheet.styled(Style::new(), "\r").unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a\\x1b[2J\\nb\n\\u{202e}c\n\\r\n"
        );
    }
}
