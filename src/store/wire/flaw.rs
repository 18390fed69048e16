//! Why a trace cannot be read: the member that is at fault, and what is wrong with it. It
//! never quotes what stands there, which may be anything, and large or secret.

use std::fmt;

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
}

impl Flaw {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            member: String::new(),
            reason: reason.into(),
            offset: None,
            is_cut: false,
        }
    }

    pub(super) fn at(self, offset: usize) -> Self {
        Self {
            offset: self.offset.or(Some(offset)),
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

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.member.is_empty() {
            write!(f, "{}: ", self.member)?;
        }
        f.write_str(&self.reason)
    }
}
