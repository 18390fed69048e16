//! How much of a span is read from JSON. What is left out is skipped by the
//! parser and never built, so that large payloads cost no more than their bytes.

use std::sync::LazyLock;

use regex::bytes::Regex;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::model::Span;
use crate::model::attribute::{COST, MODELS, OUTPUTS, RESPONSE_ID, TOKEN_USAGE, TYPE};

/// Whether an attribute says which model a span called, or what that took.
fn is_measure(key: &str) -> bool {
    matches!(key, TOKEN_USAGE | COST) || MODELS.contains(&key)
}

/// Whether an attribute may tell of tokens in the words of a vendor.
fn is_hint(key: &str) -> bool {
    key == OUTPUTS || key.contains("usage") || key.starts_with("llm.token_count.")
}

/// Whether JSON text may tell of tokens in the words of a vendor.
pub(super) fn may_hint(json: &[u8]) -> bool {
    static WORDS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("_token|Token|token_count").expect("a good pattern"));
    WORDS.is_match(json)
}

/// Takes out what was read in case that it tells of tokens, where something better does
/// or where it cannot.
pub(super) fn drop_hints(span: &mut Span, events: Events) {
    if span.reported_usage().is_some() || !span.may_tell_usage() {
        span.attributes.retain(|(key, _)| !is_hint(key));
        if events == Events::OfTokens {
            span.events.clear();
        }
    }
    span.attributes
        .retain(|(key, value)| key != OUTPUTS || may_hint(value.as_bytes()));
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
    found.any(|name| json[..name.start()].ends_with(b"\"")) || may_hint(json)
}

/// Which events are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Events {
    /// All.
    All,
    /// Chunks of streams that may tell of tokens.
    OfTokens,
    /// None.
    None,
}

/// How much of a span is read.
pub(in crate::store) trait Depth {
    /// Whether it is everything.
    const WHOLE: bool;
    /// Which events are read.
    const EVENTS: Events;

    /// Whether an attribute is read.
    fn keeps(key: &str) -> bool;
}

/// All of it.
pub(in crate::store) enum Whole {}

impl Depth for Whole {
    const WHOLE: bool = true;
    const EVENTS: Events = Events::All;

    fn keeps(_key: &str) -> bool {
        true
    }
}

/// When it was: no attributes but the type, no events, no links.
pub(in crate::store) enum Timed {}

impl Depth for Timed {
    const WHOLE: bool = false;
    const EVENTS: Events = Events::None;

    fn keeps(key: &str) -> bool {
        key == TYPE
    }
}

/// What is measured: no attributes but the type, the id of the response
/// and those of measures, no events, no links; of what may call a model and has no
/// tokens in MLflow's words, what may have them in those of a vendor.
pub(in crate::store) enum Brief {}

impl Depth for Brief {
    const WHOLE: bool = false;
    const EVENTS: Events = Events::OfTokens;

    fn keeps(key: &str) -> bool {
        matches!(key, TYPE | RESPONSE_ID) || is_measure(key) || is_hint(key)
    }
}

/// What is measured, and the events.
pub(in crate::store) enum Eventful {}

impl Depth for Eventful {
    const WHOLE: bool = false;
    const EVENTS: Events = Events::All;

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
