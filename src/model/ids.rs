//! Trace and span identifiers as text: lower-case hex, whatever the source used.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

/// A span id: lower-case hex, 16 digits for every well-formed OpenTelemetry span.
///
/// Sources that carry something else keep their text, so that nothing is lost
/// and two different ids never become equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(Box<str>);

impl SpanId {
    /// Wraps text that is already in its final form.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 16 digits of hex, not all of them zero, that nobody has drawn before.
pub(crate) fn random_digits() -> String {
    loop {
        let drawn = RandomState::new().hash_one(0_u8);
        if drawn != 0 {
            return format!("{drawn:016x}");
        }
    }
}

/// The beginning of the ids of traces in Unity Catalog, before the place and the hex.
pub const CATALOG_PREFIX: &str = "trace:/";

/// The hex digits of a trace id of any kind.
pub fn trace_id_digits(text: &str) -> Option<&str> {
    let digits = match text.strip_prefix(CATALOG_PREFIX) {
        Some(rest) => rest.rsplit_once('/')?.1,
        None => text.strip_prefix("tr-").unwrap_or(text),
    };
    (!digits.is_empty() && digits.len() <= 32 && is_hex(digits)).then_some(digits)
}

/// Whether `text` can only be meant as a trace id: `tr-` and hex, or 32 hex digits.
pub fn looks_like_trace_id(text: &str) -> bool {
    match text.strip_prefix("tr-") {
        Some(hex) => !hex.is_empty() && hex.len() <= 32 && is_hex(hex),
        None => text.len() == 32 && is_hex(text),
    }
}

/// A trace id in the form that stores use.
///
/// Upper-case hex becomes lower case; anything that is not a trace id in hex
/// (MLflow accepts any text of up to 50 characters) is left alone.
pub fn normalize_trace_id(text: &str) -> String {
    if looks_like_trace_id(text) {
        text.to_ascii_lowercase()
    } else {
        text.to_owned()
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_are_recognised_and_names_are_not() {
        assert!(looks_like_trace_id("tr-51a088e1d08df5c0638d48f2dcaad786"));
        assert!(looks_like_trace_id("51A088e1d08df5c0638d48f2dcaad786"));
        assert!(looks_like_trace_id("tr-51a0"));
        for name in ["tr-", "tr-checkout", "deadbeef", "status = 'OK'", ""] {
            assert!(!looks_like_trace_id(name), "{name}");
        }
    }
}
