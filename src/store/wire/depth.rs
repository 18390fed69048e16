//! How much of a span is read from JSON. What is left out is skipped by the
//! parser and never built, so that large payloads cost no more than their bytes.

use std::sync::LazyLock;

use regex::bytes::Regex;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::model::attribute::{COST, MODELS, RESPONSE_ID, TOKEN_USAGE, TYPE};

/// Whether an attribute says which model a span called, or what that took.
fn is_measure(key: &str) -> bool {
    matches!(key, TOKEN_USAGE | COST) || MODELS.contains(&key)
}

/// Whether a span has measures; it may have none where their names are in a text.
pub(super) fn may_measure(json: &[u8]) -> bool {
    static NAMES: LazyLock<Regex> = LazyLock::new(|| {
        let names = MODELS.iter().chain(&[TOKEN_USAGE, COST]);
        let names: Vec<String> = names.map(|name| regex::escape(name)).collect();
        // Names that begin with the same quote would be looked for at every quote.
        Regex::new(&format!("(?:{})\"", names.join("|"))).expect("a good pattern")
    });
    // Within a text, quotes would have a backslash before them.
    let mut found = NAMES.find_iter(json);
    found.any(|name| json[..name.start()].ends_with(b"\""))
}

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

/// What is measured: no attributes but the type, the id of the response
/// and those of measures, no events, no links.
pub(in crate::store) enum Brief {}

impl Depth for Brief {
    const EVENTS: bool = false;
    const LINKS: bool = false;

    fn keeps(key: &str) -> bool {
        matches!(key, TYPE | RESPONSE_ID) || is_measure(key)
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
