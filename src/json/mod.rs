//! JSON as programs write it, and not only as the standard has it: `NaN` and
//! `Infinity`, numbers of any size, halves of surrogate pairs, bytes that are no
//! UTF-8, and values nested to any depth. It is slower than `serde_json`, and meant
//! for what that refuses. Nothing here calls itself once for each level of a text.

mod number;
mod parse;
mod write;

use std::borrow::Cow;

use serde_json::Value;

pub(crate) use self::number::Decimal;
pub(crate) use self::parse::{Trouble, parse_at};

/// A text taken apart: every value with its place, in the order of the text.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    text: &'a [u8],
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    kind: Kind,
    /// The first byte, and the one after the last.
    start: usize,
    end: usize,
    /// The item after this one and all that is within it.
    next: usize,
}

/// What kind of value stands somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    Text,
    List,
    Object,
}

impl Kind {
    /// With its article, for errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::True | Self::False => "a boolean",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl Tape<'_> {
    /// The value of the whole text.
    pub(crate) fn root(&self) -> Node<'_> {
        Node { tape: self, at: 0 }
    }
}

/// A value of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'t> {
    tape: &'t Tape<'t>,
    at: usize,
}

impl<'t> Node<'t> {
    fn item(self) -> &'t Item {
        &self.tape.items[self.at]
    }

    pub(crate) fn kind(self) -> Kind {
        self.item().kind
    }

    /// Where in the text the value begins.
    pub(crate) fn start(self) -> usize {
        self.item().start
    }

    /// The value as it is written.
    pub(crate) fn raw(self) -> &'t [u8] {
        let item = self.item();
        &self.tape.text[item.start..item.end]
    }

    /// The text of a text.
    pub(crate) fn text(self) -> Option<Cow<'t, str>> {
        let raw = self.raw();
        (self.kind() == Kind::Text).then(|| parse::unescape(&raw[1..raw.len() - 1]))
    }

    /// The digits of a number, `NaN` and `Infinity` among them.
    pub(crate) fn number(self) -> Option<&'t str> {
        (self.kind() == Kind::Number).then(|| std::str::from_utf8(self.raw()).unwrap_or_default())
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(self) -> impl Iterator<Item = (Cow<'t, str>, Node<'t>)> {
        let is_object = self.kind() == Kind::Object;
        let mut keys = self.children(is_object);
        std::iter::from_fn(move || {
            let key = keys.next()?;
            let value = keys.next()?;
            Some((key.text().unwrap_or_default(), value))
        })
    }

    /// The elements of a list; none of anything else.
    pub(crate) fn elements(self) -> impl Iterator<Item = Node<'t>> {
        self.children(self.kind() == Kind::List)
    }

    /// The member with a name; of several the last, as in Python.
    pub(crate) fn get(self, name: &str) -> Option<Node<'t>> {
        self.members()
            .filter(|(key, _)| key == name)
            .last()
            .map(|(_, value)| value)
    }

    fn children(self, is_parent: bool) -> impl Iterator<Item = Node<'t>> {
        let end = if is_parent { self.item().next } else { 0 };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let node = (at < end).then_some(Node {
                tape: self.tape,
                at,
            })?;
            at = node.item().next;
            Some(node)
        })
    }

    /// The value on one line of JSON text. Numbers that JSON does not have stay as
    /// Python writes them.
    pub(crate) fn to_text(self) -> String {
        write::text(self)
    }

    /// A plain value. What it cannot hold becomes text: numbers that are no numbers or
    /// beyond 64 bits, and what is nested too deeply.
    pub(crate) fn to_value(self) -> Value {
        write::value(self, write::MAX_DEPTH)
    }
}

/// The value of a JSON text as Python may have written it; `None` where it is none.
pub(crate) fn parse_value(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    parse_bytes(text.as_bytes())
}

/// The same of bytes that `serde_json` refuses.
pub(crate) fn parse_bytes(text: &[u8]) -> Option<Value> {
    let (tape, end) = parse_at(text, 0).ok()?;
    text[end..]
        .trim_ascii()
        .is_empty()
        .then(|| tape.root().to_value())
}

#[cfg(test)]
mod tests;
