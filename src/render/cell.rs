//! A table cell: pieces of one line, each in its own style.

use std::borrow::Cow;
use std::fmt;

use super::text;
use crate::text::Clean;

/// One line of text in pieces. Whatever is put in is sanitised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    pieces: Vec<(anstyle::Style, Clean)>,
    /// Kept, since a long table asks for it again and again.
    width: usize,
}

impl Cell {
    /// A cell of one piece.
    pub(crate) fn new(style: anstyle::Style, content: impl AsRef<str>) -> Self {
        Self::default().and(style, content)
    }

    /// The cell and one more piece.
    pub(crate) fn and(mut self, style: anstyle::Style, content: impl AsRef<str>) -> Self {
        self.push(style, Clean::line(content));
        self
    }

    fn push(&mut self, style: anstyle::Style, content: Clean) {
        let text = content.as_str();
        if !text.is_empty() {
            let width = text.is_ascii().then_some(text.len());
            self.pieces.push((style, content));
            // Nothing before ASCII can join with it.
            match width {
                Some(width) => self.width += width,
                None => self.measure(),
            }
        }
    }

    /// The cell and all of another.
    pub(crate) fn then(mut self, other: &Self) -> Self {
        for (style, piece) in &other.pieces {
            self.push(*style, piece.clone());
        }
        self
    }

    /// Columns that it takes.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    fn measure(&mut self) {
        self.width = text::width(&self.plain());
    }

    /// The text without its styles.
    pub(crate) fn plain(&self) -> Cow<'_, str> {
        match self.pieces.as_slice() {
            [] => Cow::Borrowed(""),
            [(_, only)] => Cow::Borrowed(only.as_str()),
            many => Cow::Owned(many.iter().map(|(_, piece)| piece.as_str()).collect()),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Adds it with its styles to the end of a text.
    pub(crate) fn add_to(&self, text: &mut Clean) {
        for (style, piece) in &self.pieces {
            text.push(*style, piece);
        }
    }

    /// Cuts it to `max` columns, with `…` at the cut.
    pub(crate) fn fit(mut self, max: usize) -> Self {
        if self.width <= max {
            return self;
        }
        let mut left = match text::fit(&self.plain(), max) {
            Cow::Borrowed(kept) if !kept.is_empty() || self.is_empty() => return self,
            fitted => fitted.len().saturating_sub(text::ELLIPSIS.len()),
        };
        for at in 0..self.pieces.len() {
            let piece = &mut self.pieces[at].1;
            let length = piece.as_str().len();
            if length <= left {
                left -= length;
                continue;
            }
            piece.truncate(left);
            if max > 0 {
                *piece = std::mem::take(piece).then(text::ELLIPSIS);
            }
            self.pieces.truncate(at + 1);
            break;
        }
        self.measure();
        self
    }
}

impl Cell {
    /// Cuts it where there is a width to cut to.
    pub(crate) fn fit_if(self, max: Option<usize>) -> Self {
        match max {
            Some(max) => self.fit(max),
            None => self,
        }
    }

    /// Other text in the style of the first piece.
    pub(crate) fn like(&self, content: impl AsRef<str>) -> Self {
        let style = self
            .pieces
            .first()
            .map_or(anstyle::Style::new(), |(style, _)| *style);
        Self::new(style, content)
    }

    /// The other cell's pieces and then its own.
    pub(crate) fn after(mut self, mut other: Self) -> Self {
        if !self.is_empty() {
            other.pieces.append(&mut self.pieces);
            other.measure();
        }
        other
    }
}

/// With its styles, without padding.
impl From<&Cell> for Clean {
    fn from(cell: &Cell) -> Self {
        let mut text = Self::default();
        cell.add_to(&mut text);
        text
    }
}

impl From<Cell> for Clean {
    fn from(cell: Cell) -> Self {
        Self::from(&cell)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Clean::from(self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(pieces: &[&str]) -> Cell {
        pieces
            .iter()
            .fold(Cell::default(), |c, p| c.and(anstyle::Style::new(), p))
    }

    #[test]
    fn the_cut_may_be_in_any_piece() {
        assert_eq!(cell(&["ab", "cd"]).fit(4).to_string(), "abcd");
        assert_eq!(cell(&["ab", "cd"]).fit(3).to_string(), "ab…");
        assert_eq!(cell(&["ab", "cd"]).fit(2).to_string(), "a…");
        assert_eq!(cell(&["ab", "cd"]).fit(1).to_string(), "…");
        assert_eq!(cell(&["a\n"]).to_string(), "a\\n");
    }

    proptest! {
        #[test]
        fn a_fitted_cell_fits(pieces in prop::collection::vec("[a-c日é ]{0,6}", 0..5), max in 0usize..20) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let before = cell(&pieces);
            let fitted = before.clone().fit(max);
            prop_assert!(fitted.width() <= max);
            prop_assert_eq!(before.width() > max && max > 0, fitted.to_string().ends_with('…'));
        }
    }
}
