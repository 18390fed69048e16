//! The bytes of images, sounds and files that are recorded within messages.

use std::borrow::Cow;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};

use super::media::{is_base64, is_bytes_repr};
use crate::model::Media;
use crate::uri::percent_decoded;

/// From how many characters on bytes that look like base64 are taken for it.
const BASE64_FROM: usize = 16;

/// The bytes that are recorded within a message.
///
/// # Errors
/// Why they cannot be had: data that was never recorded, or was cut.
pub fn bytes(media: &Media) -> Result<Vec<u8>, &'static str> {
    let data = media.data.as_deref().ok_or("its bytes were not recorded")?;
    if data.is_empty() {
        return Err("its bytes were not recorded");
    }
    if let Some(rest) = data.strip_prefix("data:") {
        let (_, data) = rest.split_once(',').unwrap_or_default();
        return Ok(percent_decoded(data));
    }
    if !is_bytes_repr(data) {
        return of_base64(data);
    }
    let inner = &data[2..data.len() - 1];
    if inner.len() >= BASE64_FROM && is_base64(inner) {
        return of_base64(inner);
    }
    unescaped(inner).ok_or("what Python printed of its bytes is cut")
}

/// Base64 in either alphabet, with or without padding and line breaks.
fn of_base64(data: &str) -> Result<Vec<u8>, &'static str> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let mut digits: Cow<'_, [u8]> = if data.contains('%') {
        percent_decoded(data).into()
    } else {
        data.as_bytes().into()
    };
    if digits.iter().any(u8::is_ascii_whitespace) {
        digits.to_mut().retain(|b| !b.is_ascii_whitespace());
    }
    let is_of_urls = digits.iter().any(|b| matches!(b, b'-' | b'_'));
    let engine = if is_of_urls { &URL_SAFE } else { &STANDARD };
    engine
        .decode(&*digits)
        .map_err(|_| "its data is no whole base64")
}

/// What Python's repr of bytes stands for, without its quotes.
fn unescaped(inner: &str) -> Option<Vec<u8>> {
    let mut rest = inner.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let (&kind, tail) = rest.split_first()?;
        rest = tail;
        bytes.push(match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' | b'\'' | b'"' => kind,
            b'x' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::media::{of_address, of_data};
    use super::*;
    use crate::model::Part;

    fn of(part: Part) -> Result<Vec<u8>, &'static str> {
        match part {
            Part::Media(media) => {
                let bytes = bytes(&media);
                if let Ok(bytes) = &bytes {
                    assert_eq!(media.size, u64::try_from(bytes.len()).ok());
                }
                bytes
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bytes_are_had_however_they_are_written() {
        let data = |data| of(of_data(data, "image/png", None));
        let png = b"\x89PNG\r\n\x1a\n";
        for written in [
            "iVBORw0KGgo=",
            "iVBORw0KGgo",
            "iVBO\nRw0K\nGgo=",
            r"b'\x89PNG\r\n\x1a\n'",
            r#"b"\x89PNG\r\n\x1a\n""#,
            "data:image/png;base64,iVBORw0KGgo=",
            "data:image/png,%89PNG%0d%0a%1a%0a",
        ] {
            assert_eq!(data(written).unwrap(), png, "{written}");
        }
        assert_eq!(data("_-8=").unwrap(), data("/+8=").unwrap());
        assert_eq!(data("b'iVBORw0KGgoAAAANSUhEUg=='").unwrap().len(), 16);
        assert_eq!(data(r"b'a\\\'b'").unwrap(), br"a\'b");
        let url = of(of_address("data:text/plain,a%20b", "file", None));
        assert_eq!(url.unwrap(), b"a b");
    }

    #[test]
    fn what_is_cut_is_not_taken_for_whole() {
        for cut in ["", "iVBOR", "iVB[…]", "b'\\x8'", "b'\\'", "<PIL.Image>"] {
            assert!(of(of_data(cut, "image/png", None)).is_err(), "{cut}");
        }
    }
}
