//! Names of files for images, sounds and files of messages: the span's id, a number,
//! and an extension, or as much of the attachment's own name as is harmless.

use super::file_name;
use crate::model::Media;

/// Characters of an attachment's own name that are kept.
const OWN_NAME: usize = 60;

/// Types with the extensions that their files mostly have.
const EXTENSIONS: [(&str, &str); 33] = [
    ("application/gzip", "gz"),
    ("application/json", "json"),
    ("application/msword", "doc"),
    ("application/pdf", "pdf"),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "pptx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    ("application/xml", "xml"),
    ("application/zip", "zip"),
    ("audio/aac", "aac"),
    ("audio/flac", "flac"),
    ("audio/mp3", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/wav", "wav"),
    ("audio/webm", "webm"),
    ("audio/x-wav", "wav"),
    ("image/bmp", "bmp"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpg"),
    ("image/jpg", "jpg"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/tiff", "tiff"),
    ("image/webp", "webp"),
    ("text/csv", "csv"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
];

/// A name that stays within its folder on every system.
pub fn attachment_name(span_id: &str, number: usize, media: &Media, bytes: &[u8]) -> String {
    let own = media.name.as_deref().and_then(clean);
    let extension = || {
        let mime = media.mime_type.as_deref().unwrap_or_default();
        let mime = mime.split(';').next().unwrap_or_default().trim();
        let known = EXTENSIONS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(mime));
        known.map(|(_, extension)| *extension).or(kind_of(bytes))
    };
    let rest = match (own, extension()) {
        (Some(own), Some(extension)) if !own.contains('.') => format!("{own}.{extension}"),
        (Some(own), _) => own,
        (None, extension) => extension.unwrap_or("bin").to_owned(),
    };
    file_name(span_id, &format!("{number}.{rest}"))
}

/// As much of a name as stays a name: what stands behind the last slash, of letters,
/// digits and `-_.`, of a long one the end with its extension.
fn clean(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let safe: String = last
        .chars()
        .map(|c| if kept(c) { c } else { '_' })
        .collect();
    let safe = safe.trim_matches('.');
    let from = safe.len().saturating_sub(OWN_NAME);
    let safe = safe[from..].trim_start_matches('.');
    safe.bytes()
        .any(|b| b.is_ascii_alphanumeric())
        .then(|| safe.to_owned())
}

/// What the first bytes of a file tell of it.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 8] = [
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff", "jpg"),
        (b"GIF8", "gif"),
        (b"%PDF-", "pdf"),
        (b"OggS", "ogg"),
        (b"fLaC", "flac"),
        (b"ID3", "mp3"),
        (b"PK\x03\x04", "zip"),
    ];
    let is_riff = |kind: &[u8]| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(kind);
    match () {
        () if is_riff(b"WEBP") => Some("webp"),
        () if is_riff(b"WAVE") => Some("wav"),
        () => STARTS
            .iter()
            .find(|(start, _)| bytes.starts_with(start))
            .map(|(_, extension)| *extension),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MediaKind;

    fn named(mime: &str, name: Option<&str>, bytes: &[u8]) -> String {
        let media = Media {
            kind: MediaKind::Blob,
            mime_type: Some(mime.to_owned()),
            size: None,
            uri: None,
            name: name.map(str::to_owned),
            data: None,
            path: None,
        };
        attachment_name("a1b2", 2, &media, bytes)
    }

    #[test]
    fn names_follow_from_the_type_and_the_bytes() {
        for (mime, bytes, expected) in [
            ("image/png", &b""[..], "a1b2.2.png"),
            ("IMAGE/JPEG; q=1", b"", "a1b2.2.jpg"),
            ("image", b"\x89PNG\r\n\x1a\n", "a1b2.2.png"),
            ("audio", b"RIFF....WAVE", "a1b2.2.wav"),
            ("image/../../x", b"?", "a1b2.2.bin"),
        ] {
            assert_eq!(named(mime, None, bytes), expected, "{mime}");
        }
    }

    #[test]
    fn own_names_lead_nowhere_else() {
        for (name, expected) in [
            ("bill.pdf", "a1b2.2.bill.pdf"),
            ("bill", "a1b2.2.bill.pdf"),
            ("../../etc/passwd", "a1b2.2.passwd.pdf"),
            ("C:\\x\\my bill.pdf", "a1b2.2.my_bill.pdf"),
            ("..", "a1b2.2.pdf"),
            (".bashrc", "a1b2.2.bashrc.pdf"),
            ("é\u{202e}fdp.exe", "a1b2.2.__fdp.exe"),
            ("a\0b\n.pdf", "a1b2.2.a_b_.pdf"),
            ("", "a1b2.2.pdf"),
        ] {
            assert_eq!(
                named("application/pdf", Some(name), b""),
                expected,
                "{name}"
            );
        }
        let long = named(
            "application/pdf",
            Some(&format!("{}.pdf", "x".repeat(500))),
            b"",
        );
        assert!(long.len() < 100 && long.ends_with("x.pdf"), "{long}");
    }
}
