//! The cells of a column, one piece of text each, side by side in one string:
//! for tables so long that a [`Cell`] for each would be most of the work.

use std::ops::Range;

use super::cell::Cell;
use crate::text::Clean;

/// Cells in order. Whatever is put in is sanitised.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    text: Clean,
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
        let content = Clean::line(content);
        let width = content.width();
        self.text.push(anstyle::Style::new(), &content);
        self.pieces.push(Piece {
            style,
            end: self.text.as_str().len(),
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
        &self.text.as_str()[self.place(at)]
    }

    fn place(&self, at: usize) -> Range<usize> {
        let before = at.checked_sub(1);
        before.map_or(0, |before| self.pieces[before].end)..self.pieces[at].end
    }

    /// Columns that one takes.
    pub(crate) fn width_of(&self, at: usize) -> usize {
        self.pieces[at].width
    }

    /// Adds one with its style to the end of a text.
    pub(crate) fn add_to(&self, text: &mut Clean, at: usize) {
        text.push_part(self.pieces[at].style, &self.text, self.place(at));
    }

    /// One by itself.
    pub(crate) fn cell(&self, at: usize) -> Cell {
        Cell::default().and(self.pieces[at].style, self.text(at))
    }
}
