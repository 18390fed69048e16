//! Images, sounds and files: by address, as data URLs, as base64, and as what
//! Python prints of bytes.

use std::borrow::Cow;

use serde_json::Value;

use super::value::{Object, first, first_text, object, text};
use crate::model::{ATTACHMENT, Media, MediaKind, Part};
use crate::uri;

/// From what text on a run of base64 is taken for data and not for a word.
pub const DATA_FROM: usize = 1024;

/// What an address or a data URL shows, of a kind such as `image` where the
/// address does not say more.
pub(super) fn of_address(address: &str, kind: &str, name: Option<&str>) -> Part {
    let mut media = Media {
        kind: MediaKind::Uri,
        mime_type: (!kind.is_empty()).then(|| kind.to_owned()),
        size: None,
        uri: Some(address.to_owned()),
        name: name.map(str::to_owned),
        data: None,
        path: None,
    };
    if let Some(rest) = address.strip_prefix("data:") {
        let (head, data) = rest.split_once(',').unwrap_or((rest, ""));
        if let Some(mime) = head.split(';').next().filter(|mime| !mime.is_empty()) {
            media.mime_type = Some(mime.to_owned());
        }
        media.kind = MediaKind::Blob;
        media.uri = None;
        let is_base64 = head.ends_with(";base64");
        media.size = Some(if is_base64 {
            bytes_of(data)
        } else {
            u64::try_from(uri::percent_decoded(data).len()).unwrap_or(u64::MAX)
        });
        media.data = Some(if is_base64 { data } else { address }.to_owned());
    } else if let Some(rest) = address.strip_prefix(ATTACHMENT)
        && let Some((_, query)) = rest.split_once('?')
    {
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "content_type" if !value.is_empty() => media.mime_type = Some(value.into_owned()),
                "size" => media.size = value.parse().ok(),
                _ => {}
            }
        }
    }
    Part::Media(media)
}

/// What base64, an attachment in its place, or the repr of bytes shows.
pub(super) fn of_data(data: &str, mime: &str, name: Option<&str>) -> Part {
    if data.starts_with(ATTACHMENT) || data.starts_with("data:") {
        return of_address(data, mime, name);
    }
    Part::Media(Media {
        kind: MediaKind::Blob,
        mime_type: (!mime.is_empty()).then(|| mime.to_owned()),
        size: Some(bytes_of(data)),
        uri: None,
        name: name.map(str::to_owned),
        data: Some(data.to_owned()),
        path: None,
    })
}

/// A file that the vendor keeps.
pub(super) fn of_file_id(id: &str, mime: &str, name: Option<&str>) -> Part {
    Part::Media(Media {
        kind: MediaKind::File,
        mime_type: (!mime.is_empty()).then(|| mime.to_owned()),
        size: None,
        uri: Some(id.to_owned()),
        name: name.map(str::to_owned),
        data: None,
        path: None,
    })
}

/// Media in an object with members called by the usual names, of a kind such as
/// `image` unless the object says more.
pub(super) fn of_object(from: &Object, kind: &str) -> Option<Part> {
    let inner = object(from, "source").unwrap_or(from);
    let mime = first_text(
        inner,
        &[
            "mime_type",
            "media_type",
            "mimeType",
            "mediaType",
            "image_mimetype",
        ],
    )
    .map_or_else(|| Cow::Borrowed(kind), |mime| widened(mime, kind));
    let name = first_text(
        from,
        &["filename", "file_name", "title", "name", "display_name"],
    );
    let data = [
        "data",
        "base64",
        "bytes",
        "file_data",
        "b64_json",
        "content",
        "image",
    ];
    if let Some(data) = data.iter().find_map(|key| text(inner, key)) {
        return Some(of_data(data, &mime, name));
    }
    if let Some(address) = first_text(inner, &["url", "uri", "file_uri", "fileUri"]) {
        return Some(of_address(address, &mime, name));
    }
    if let Some(id) = first_text(inner, &["file_id", "id"]) {
        return Some(of_file_id(id, &mime, name));
    }
    first(inner, &["path"])
        .and_then(Value::as_str)
        .map(|path| of_address(path, &mime, name))
}

/// `png` of an image is `image/png`.
pub(super) fn widened<'m>(mime: &'m str, kind: &str) -> Cow<'m, str> {
    if mime.contains('/') || kind.is_empty() {
        return Cow::Borrowed(mime);
    }
    match (kind, mime) {
        ("document" | "file", "pdf") => Cow::Borrowed("application/pdf"),
        ("document" | "file", "txt") => Cow::Borrowed("text/plain"),
        ("document" | "file", _) => Cow::Owned(format!("application/{mime}")),
        _ => Cow::Owned(format!("{kind}/{mime}")),
    }
}

/// Data that stands where text should; `None` for text.
pub(super) fn in_text(text: &str) -> Option<Part> {
    // Pillow's images come as what Python prints of them.
    if text.starts_with("<PIL.") && text.ends_with('>') {
        return Some(Part::Media(Media {
            kind: MediaKind::Blob,
            mime_type: Some("image".to_owned()),
            size: None,
            uri: None,
            name: None,
            data: None,
            path: None,
        }));
    }
    let is_data = text.starts_with("data:") && text.contains(";base64,")
        || text.starts_with(ATTACHMENT)
        || text.len() >= DATA_FROM && (is_bytes_repr(text) || is_base64(text));
    is_data.then(|| of_data(text, "", None))
}

/// A text of nothing but data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongData<'t> {
    /// As much as tells one from another.
    pub head: &'t str,
    /// In bytes: of what Python prints of bytes those that it stands for, of anything
    /// else the text itself.
    pub size: usize,
    /// `base64`, `bytes` or `data`.
    pub kind: &'static str,
}

/// Data of some length: base64, a data URL, or what Python prints of bytes; `None`
/// for text.
pub fn long_data(text: &str) -> Option<LongData<'_>> {
    const HEAD: usize = 11;
    if text.len() < DATA_FROM {
        return None;
    }
    let (before, data) = split_data_url(text).unwrap_or(("", text));
    let (size, kind) = if is_bytes_repr(data) {
        let inner = &data[2..data.len() - 1];
        if is_base64(inner) {
            (inner.len(), "base64")
        } else {
            (repr_len(inner), "bytes")
        }
    } else if before.ends_with(";base64,") || is_base64(data) {
        (data.len(), "base64")
    } else if !before.is_empty() {
        (data.len(), "data")
    } else {
        return None;
    };
    let ends = text.char_indices().map(|(at, _)| at);
    let end = ends.take_while(|at| *at <= before.len() + HEAD).last();
    let end = end.unwrap_or_default();
    let head = &text[..end];
    // Not half of an escape such as `\x89`.
    let head = match head.rfind('\\') {
        Some(at) if kind == "bytes" && end - at < 4 => &head[..at],
        _ => head,
    };
    Some(LongData { head, size, kind })
}

/// `data:image/png;base64,` and what follows.
fn split_data_url(text: &str) -> Option<(&str, &str)> {
    let comma = text.find(',').filter(|at| *at < 200)?;
    let head = text[..comma].strip_prefix("data:")?;
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b"/;=+-._".contains(&b);
    let is_url = head.bytes().all(is_part) && !text.contains(char::is_whitespace);
    is_url.then(|| text.split_at(comma + 1))
}

pub(super) fn is_bytes_repr(text: &str) -> bool {
    text.starts_with("b'") && text.ends_with('\'') || text.starts_with("b\"") && text.ends_with('"')
}

pub(super) fn is_base64(text: &str) -> bool {
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    let digits = text.trim_end_matches('=');
    text.len() - digits.len() <= 2
        && digits.bytes().all(is_digit)
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().any(|b| b.is_ascii_uppercase())
}

/// The number of bytes that a recorded text stands for: base64, or Python's repr of
/// bytes, which may be base64 in turn.
fn bytes_of(data: &str) -> u64 {
    let count = if is_bytes_repr(data) {
        let inner = &data[2..data.len() - 1];
        if inner.len() >= 16 && is_base64(inner) && !inner.contains('\\') {
            base64_len(inner)
        } else {
            repr_len(inner)
        }
    } else {
        base64_len(data)
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn base64_len(data: &str) -> usize {
    let digits = data
        .bytes()
        .filter(|b| !b.is_ascii_whitespace() && *b != b'=')
        .count();
    digits * 3 / 4
}

/// Each escape such as `\x89` or `\n` is a byte.
fn repr_len(inner: &str) -> usize {
    let mut bytes = inner.bytes();
    let mut count = 0;
    while let Some(byte) = bytes.next() {
        count += 1;
        if byte == b'\\' && bytes.next() == Some(b'x') {
            bytes.nth(1);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(part: Part) -> Media {
        match part {
            Part::Media(media) => media,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_tell_what_they_hold() {
        let inline = media(of_address(
            "data:image/png;base64,iVBORw0KGgo=",
            "image",
            None,
        ));
        assert_eq!(inline.kind, MediaKind::Blob);
        assert_eq!(
            (inline.mime_type.as_deref(), inline.size),
            (Some("image/png"), Some(8))
        );
        let attached = "mlflow-attachment://1-2?content_type=audio%2Fwav&trace_id=tr-1&size=75";
        let attached = media(of_data(attached, "audio", None));
        assert_eq!(attached.kind, MediaKind::Uri);
        assert_eq!(
            (attached.mime_type.as_deref(), attached.size),
            (Some("audio/wav"), Some(75))
        );
        assert_eq!(
            media(of_address("https://x/y", "image", None))
                .mime_type
                .as_deref(),
            Some("image")
        );
    }

    #[test]
    fn bytes_are_counted_however_they_are_written() {
        assert_eq!(bytes_of("b'\\x89PNG\\r\\n\\x1a\\n'"), 8);
        assert_eq!(bytes_of("iVBORw0KGgo="), 8);
        assert_eq!(bytes_of("b'iVBORw0KGgoAAAANSUhEUg=='"), 16);
    }

    #[test]
    fn long_base64_is_no_text() {
        assert!(in_text(&"aB3/".repeat(300)).is_some());
        assert!(in_text(&"word ".repeat(300)).is_none());
        assert!(in_text(&"a".repeat(2000)).is_none());
        assert!(in_text("aB3/").is_none());
    }
}
