//! Identifiers as sources spell them: base64 of the bytes, hex, `0x` and hex,
//! `tr-` and hex, or `trace:/location/` and hex. All become lower-case hex.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::model::SpanId;

/// A span id of any spelling; `None` for an empty one.
pub(in crate::store) fn span_id(text: &str) -> Option<SpanId> {
    (!text.is_empty()).then(|| SpanId::new(to_hex(text, 8)))
}

/// The id of a parent; `None` for an empty one and for zeros, which mean that there is none.
pub(super) fn parent_id(text: &str) -> Option<SpanId> {
    span_id(text).filter(|id| id.as_str().bytes().any(|b| b != b'0'))
}

/// The trace that a link leads to: `tr-` and hex, or with a location as it is.
pub(super) fn link_trace_id(text: String) -> String {
    if text.starts_with("tr-") || text.starts_with("trace:/") {
        return text;
    }
    format!("tr-{}", otel_trace_id(&text))
}

/// An OpenTelemetry trace id of any spelling, as bare hex.
pub(in crate::store) fn otel_trace_id(text: &str) -> String {
    let text = text.rsplit_once('/').map_or(text, |(head, tail)| {
        if head.starts_with("trace:") {
            tail
        } else {
            text
        }
    });
    match text.strip_prefix("tr-") {
        Some(hex) => hex.to_ascii_lowercase(),
        None => to_hex(text, 16),
    }
}

/// Hex of `bytes` bytes. Text that is no spelling of so many bytes stays as it
/// is, so that ids from sources unknown to us still tell spans apart.
fn to_hex(text: &str, bytes: usize) -> String {
    let is_plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() == 2 * bytes && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex && (digits.len() == 2 * bytes || digits.len() < text.len()) {
        return format!(
            "{:0>width$}",
            digits.to_ascii_lowercase(),
            width = 2 * bytes
        );
    }
    let decoded = STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text));
    match decoded {
        Ok(raw) if raw.len() == bytes => hex(&raw),
        _ if is_hex && digits.len() < 2 * bytes => {
            format!(
                "{:0>width$}",
                digits.to_ascii_lowercase(),
                width = 2 * bytes
            )
        }
        _ => text.to_owned(),
    }
}

/// Lower-case hex.
pub(super) fn hex(raw: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    raw.iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_span_id_is_one_id() {
        let id = SpanId::new("e0dcb8da840decd0");
        for text in [
            "4Ny42oQN7NA=",
            "4Ny42oQN7NA",
            "e0dcb8da840decd0",
            "0xE0DCB8DA840DECD0",
        ] {
            assert_eq!(span_id(text).unwrap(), id, "{text}");
        }
        assert_eq!(span_id("0x1a").unwrap().as_str(), "000000000000001a");
        assert_eq!(span_id("call-7").unwrap().as_str(), "call-7");
        assert_eq!(span_id(""), None);
    }

    #[test]
    fn every_spelling_of_a_trace_id_is_bare_hex() {
        let hex = "51a088e1d08df5c0638d48f2dcaad786";
        for text in [
            "UaCI4dCN9cBjjUjy3KrXhg==",
            hex,
            &format!("tr-{hex}"),
            &format!("trace:/main.db/{hex}"),
        ] {
            assert_eq!(otel_trace_id(text), hex, "{text}");
        }
    }
}
