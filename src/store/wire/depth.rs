//! How much of a span is read from JSON. What is left out is skipped by the
//! parser and never built, so that large payloads cost no more than their bytes.

use std::marker::PhantomData;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::model::attribute::{COST, MODEL, OTEL_MODELS, TOKEN_USAGE, TYPE};

/// Attributes that say what a span is, which model it called, and what that took.
const MEASURES: [&str; 6] = [
    TYPE,
    MODEL,
    OTEL_MODELS[0],
    OTEL_MODELS[1],
    TOKEN_USAGE,
    COST,
];

/// How much of a span is read.
pub(in crate::store) trait Depth {
    /// Whether events and links are read.
    const BODIES: bool;

    /// Whether an attribute is read.
    fn keeps(key: &str) -> bool;
}

/// All of it.
pub(in crate::store) enum Whole {}

impl Depth for Whole {
    const BODIES: bool = true;

    fn keeps(_key: &str) -> bool {
        true
    }
}

/// What is measured: no attributes but [`MEASURES`], no events, no links.
pub(in crate::store) enum Brief {}

impl Depth for Brief {
    const BODIES: bool = false;

    fn keeps(key: &str) -> bool {
        MEASURES.contains(&key)
    }
}

/// A list that a depth may leave out.
pub(super) struct Bodies<D, T>(Vec<T>, PhantomData<D>);

impl<D, T> Default for Bodies<D, T> {
    fn default() -> Self {
        Self(Vec::new(), PhantomData)
    }
}

impl<D, T> IntoIterator for Bodies<D, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'de, P: Depth, T: Deserialize<'de>> Deserialize<'de> for Bodies<P, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if P::BODIES {
            let list = Option::<Vec<T>>::deserialize(deserializer)?;
            return Ok(Self(list.unwrap_or_default(), PhantomData));
        }
        IgnoredAny::deserialize(deserializer).map(|_| Self::default())
    }
}
