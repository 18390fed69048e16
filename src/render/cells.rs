//! The cells of a column, one piece of text each, side by side in one string:
//! for tables so long that a [`Cell`] for each would be most of the work.

use super::cell::Cell;
use super::style::Painted;
use super::{sanitize, text};

/// Cells in order. Whatever is put in is sanitised.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    text: String,
    pieces: Vec<Piece>,
    width: usize,
}

#[derive(Debug)]
struct Piece {
    style: anstyle::Style,
    /// Where it ends in the text.
    end: usize,
    width: usize,
}

impl Cells {
    /// None yet, with room for that many.
    pub(crate) fn with_capacity(cells: usize) -> Self {
        Self {
            pieces: Vec::with_capacity(cells),
            ..Self::default()
        }
    }

    /// One more.
    pub(crate) fn push(&mut self, style: anstyle::Style, content: impl AsRef<str>) {
        let content = sanitize::line(content.as_ref());
        let width = text::width(&content);
        self.text.push_str(&content);
        self.pieces.push(Piece {
            style,
            end: self.text.len(),
            width,
        });
        self.width = self.width.max(width);
    }

    /// Columns that the widest takes; 0 without any.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// The text of each, without its style.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        (0..self.pieces.len()).map(|at| self.text(at))
    }

    /// The text of one, without its style.
    pub(crate) fn text(&self, at: usize) -> &str {
        let start = at
            .checked_sub(1)
            .map_or(0, |before| self.pieces[before].end);
        &self.text[start..self.pieces[at].end]
    }

    /// Columns that one takes.
    pub(crate) fn width_of(&self, at: usize) -> usize {
        self.pieces[at].width
    }

    /// One with its style.
    pub(crate) fn painted(&self, at: usize) -> Painted<&str> {
        Painted(self.pieces[at].style, self.text(at))
    }

    /// One by itself.
    pub(crate) fn cell(&self, at: usize) -> Cell {
        Cell::default().and(self.pieces[at].style, self.text(at))
    }
}
