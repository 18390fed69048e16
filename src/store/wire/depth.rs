//! How much of a span is read from JSON. What is left out is skipped by the
//! parser and never built, so that large payloads cost no more than their bytes.

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
    /// Whether events are read.
    const EVENTS: bool;
    /// Whether links are read.
    const LINKS: bool;

    /// Whether an attribute is read.
    fn keeps(key: &str) -> bool;
}

/// All of it.
pub(in crate::store) enum Whole {}

impl Depth for Whole {
    const EVENTS: bool = true;
    const LINKS: bool = true;

    fn keeps(_key: &str) -> bool {
        true
    }
}

/// What is measured: no attributes but [`MEASURES`], no events, no links.
pub(in crate::store) enum Brief {}

impl Depth for Brief {
    const EVENTS: bool = false;
    const LINKS: bool = false;

    fn keeps(key: &str) -> bool {
        MEASURES.contains(&key)
    }
}

/// What is measured, and the events.
pub(in crate::store) enum Eventful {}

impl Depth for Eventful {
    const EVENTS: bool = true;
    const LINKS: bool = false;

    fn keeps(key: &str) -> bool {
        Brief::keeps(key)
    }
}

/// A list, where it is read at all.
pub(super) fn list_if<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    read: bool,
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    if read {
        return Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default);
    }
    IgnoredAny::deserialize(deserializer).map(|_| Vec::new())
}
