//! Why a trace cannot be read: the member that is at fault, and what is wrong with it. It
//! never quotes what stands there, which may be anything, and large or secret.

use std::fmt;

use crate::json::Trouble;

/// What keeps a trace from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Flaw {
    /// The path of the member, such as `spans[2].end_time_unix_nano`; empty for the whole.
    pub(in crate::store) member: String,
    /// What was expected, and what kind of thing was found.
    pub(in crate::store) reason: String,
    /// Where in the text it stands, in bytes, where there is a text.
    pub(in crate::store) offset: Option<usize>,
    /// The text ends before the value does.
    pub(in crate::store) is_cut: bool,
    /// It is no JSON, or JSON of a kind in which no traces are.
    pub(in crate::store) is_alien: bool,
    /// It holds spans of traces of which other parts may stand elsewhere.
    pub(in crate::store) is_part: bool,
}

impl Flaw {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            member: String::new(),
            reason: reason.into(),
            offset: None,
            is_cut: false,
            is_alien: false,
            is_part: false,
        }
    }

    /// Spans that are put together with others.
    pub(super) fn parts(what: &str) -> Self {
        Self {
            is_part: true,
            ..Self::new(what)
        }
    }

    /// Something in which no traces are.
    pub(super) fn alien(self) -> Self {
        Self {
            is_alien: true,
            ..self
        }
    }

    /// Where it stands, unless that is known more exactly.
    pub(super) fn at(self, offset: usize) -> Self {
        Self {
            offset: self.offset.or(Some(offset)),
            ..self
        }
    }

    /// How many lines into a text it stands, and in which column, from one; zero where
    /// that is not known.
    pub(in crate::store) fn place_in(&self, text: &[u8]) -> (usize, usize) {
        let Some(before) = self.offset.and_then(|offset| text.get(..offset)) else {
            return (0, 0);
        };
        let lines = before.split(|b| *b == b'\n').count() - 1;
        let start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        (lines, before.len() - start + 1)
    }

    /// Where it stands in a text around the one that it was found in.
    pub(super) fn moved_to(self, offset: usize) -> Self {
        Self {
            offset: Some(offset),
            is_cut: false,
            ..self
        }
    }

    /// Within a member of something larger.
    #[must_use]
    pub(super) fn within(mut self, outer: &str) -> Self {
        let separator = match self.member.as_bytes().first() {
            None | Some(b'[') => "",
            Some(_) if outer.is_empty() => "",
            Some(_) => ".",
        };
        self.member = format!("{outer}{separator}{}", self.member);
        self
    }

    /// Within an element of the list with this name.
    #[must_use]
    pub(super) fn within_element(self, list: &str, at: usize) -> Self {
        self.within(&format!("{list}[{at}]"))
    }
}

impl From<Trouble> for Flaw {
    fn from(trouble: Trouble) -> Self {
        Self {
            is_cut: trouble.is_cut,
            is_alien: true,
            ..Self::new(trouble.reason).at(trouble.offset)
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.member.is_empty() {
            write!(f, "{}: ", self.member)?;
        }
        f.write_str(&self.reason)
    }
}
