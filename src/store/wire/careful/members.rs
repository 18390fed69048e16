//! The members of an object, looked up by any of the names that they have had.

use std::borrow::Cow;

use super::super::flaw::Flaw;
use crate::json::{Kind, Node};

/// An object's members, in the order of the text.
pub(super) struct Members<'t> {
    /// Where to say that one is missing.
    start: usize,
    list: Vec<(Cow<'t, str>, Node<'t>)>,
}

impl<'t> Members<'t> {
    /// # Errors
    /// What is no object.
    pub(super) fn of(node: Node<'t>) -> Result<Self, Flaw> {
        if node.kind() != Kind::Object {
            return Err(unexpected(node, "an object"));
        }
        Ok(Self::new(node.start(), node.members().collect()))
    }

    pub(super) fn new(start: usize, list: Vec<(Cow<'t, str>, Node<'t>)>) -> Self {
        Self { start, list }
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The first of these names that has a value, with it; of members with equal
    /// names the last counts, as in Python.
    pub(super) fn find(&self, names: &[&'static str]) -> Option<(&'static str, Node<'t>)> {
        names.iter().find_map(|name| {
            let (_, node) = self.list.iter().rfind(|(key, _)| key == name)?;
            (node.kind() != Kind::Null).then_some((*name, *node))
        })
    }

    pub(super) fn get(&self, name: &'static str) -> Option<Node<'t>> {
        self.find(&[name]).map(|(_, node)| node)
    }

    /// Whether any of these is there, be it null.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.list.iter().any(|(key, _)| names.contains(&&**key))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Node<'t>)> {
        self.list.iter().map(|(key, node)| (&**key, *node))
    }

    /// A member that may be missing.
    pub(super) fn read<T>(
        &self,
        names: &[&'static str],
        read: impl FnOnce(Node<'t>) -> Result<T, Flaw>,
    ) -> Result<Option<T>, Flaw> {
        self.find(names)
            .map(|(name, node)| read(node).map_err(|flaw| flaw.at(node.start()).within(name)))
            .transpose()
    }

    /// A member that has to be there.
    pub(super) fn need<T>(
        &self,
        names: &[&'static str],
        read: impl FnOnce(Node<'t>) -> Result<T, Flaw>,
    ) -> Result<T, Flaw> {
        self.read(names, read)?.ok_or_else(|| {
            Flaw::new("is missing")
                .at(self.start)
                .within(names.first().copied().unwrap_or_default())
        })
    }
}

/// The elements of a list, read one after the other.
pub(super) fn list<'t, T>(
    node: Node<'t>,
    expected: &str,
    mut read: impl FnMut(Node<'t>) -> Result<T, Flaw>,
) -> Result<Vec<T>, Flaw> {
    match node.kind() {
        Kind::Null => Ok(Vec::new()),
        Kind::List => node
            .elements()
            .enumerate()
            .map(|(at, node)| {
                read(node).map_err(|flaw| flaw.at(node.start()).within(&format!("[{at}]")))
            })
            .collect(),
        _ => Err(unexpected(node, expected)),
    }
}

/// Something of another kind than it should be.
pub(super) fn unexpected(node: Node<'_>, expected: &str) -> Flaw {
    Flaw::new(format!("expected {expected}, found {}", node.kind().name())).at(node.start())
}

/// Something of the right kind that says nothing.
pub(super) fn senseless(node: Node<'_>, expected: &str) -> Flaw {
    Flaw::new(format!(
        "expected {expected}, found another {}",
        node.kind()
            .name()
            .split_once(' ')
            .map_or("value", |(_, kind)| kind)
    ))
    .at(node.start())
}
