//! What people see: model and analysis results in, text to a [`Sheet`], which takes
//! only what is clean. A renderer never asks a store, the network, the environment or
//! the clock; everything it may depend on is in its [`Layout`].
//!
//! [`Sheet`]: crate::text::Sheet

#![deny(clippy::disallowed_types)]

pub mod brief;
pub mod column;
pub mod diff;
pub mod experiments;
pub mod keys;
pub mod latency;
pub mod list;
pub mod many;
pub mod plot;
pub(crate) mod preview;
pub mod quantity;
#[allow(clippy::disallowed_types, reason = "HTML has escapes of its own")]
pub mod report;
pub mod search;
pub mod session;
pub mod span;
pub mod stats;
pub mod style;
pub mod timeline;
pub mod tools;
pub mod trace;
pub mod transcript;
pub mod verdict;

pub(crate) mod cell;
mod cells;
mod fields;
mod figures;
#[allow(clippy::disallowed_types, reason = "HTML has escapes of its own")]
pub(crate) mod html;
mod payload;
mod short_id;
pub(crate) mod summary;
mod table;
mod tree;
mod usage;
mod waterfall;

#[cfg(test)]
#[allow(
    clippy::disallowed_types,
    reason = "formats for machines are tested, too"
)]
pub(crate) mod sample;

pub use column::Column;
pub use payload::DEEPEST;
pub use style::Style;

pub(crate) use crate::text::{sanitize, width as text};

use crate::units::Zone;

/// Titles of columns for which a terminal was too narrow. Bars are not among
/// them: they draw what a column says.
pub type LeftOut = Vec<String>;

/// Said wherever a filter finds nothing.
pub const NO_MATCH: &str = "no traces match";

/// Everything about the output that a renderer needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Columns of the terminal; `None` for a pipe or file, where nothing is cut but requests in lists.
    pub width: Option<usize>,
    /// Colours by meaning.
    pub style: Style,
    /// The characters for guides, bars and marks.
    pub glyphs: Glyphs,
    /// The zone in which times are shown.
    pub zone: Zone,
}

impl Layout {
    /// For a pipe or file: complete, without colour, times in UTC.
    pub fn piped() -> Self {
        Self {
            width: None,
            style: Style::plain(),
            glyphs: Glyphs::Unicode,
            zone: Zone::Utc,
        }
    }

    /// For a terminal of that many columns: colour, times in local time.
    pub const fn terminal(width: usize) -> Self {
        Self {
            width: Some(width),
            style: Style::coloured(),
            glyphs: Glyphs::Unicode,
            zone: Zone::Local,
        }
    }
}

/// Which characters draw guides, bars and marks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// Box drawing and block characters.
    #[default]
    Unicode,
    /// For terminals and fonts without them.
    Ascii,
}

impl Glyphs {
    /// The first for Unicode, the second for ASCII.
    pub(crate) const fn pick<T: Copy>(self, unicode: T, ascii: T) -> T {
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }
}
