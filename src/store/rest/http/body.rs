//! Bodies of answers: read up to a limit and within a time, and put into words
//! where they are not what was expected.

use std::io::{self, Read};
use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use crate::store::Found;

/// Larger bodies are read all the same, but are not trusted to be announced truthfully.
const MAX_PREALLOCATION: u64 = 64 << 20;
/// So much of the body of an error is read; nobody reads more.
pub(super) const ERROR_BODY: u64 = 64 << 10;
/// Characters of a server's message that are shown.
pub(super) const MESSAGE: usize = 1000;

/// How reading a body ended that was not read to its end.
pub(super) enum Stopped {
    /// There is more of it than the limit.
    TooLarge,
    /// The deadline came first.
    TooLate,
    /// After so many bytes.
    Broken(io::Error, usize),
}

/// Reads at most `limit` bytes, of a length that the sender may have announced.
pub(super) fn read(
    body: &mut impl Read,
    announced: Option<u64>,
    limit: u64,
    deadline: Instant,
) -> Result<Vec<u8>, Stopped> {
    if announced.is_some_and(|length| length > limit) {
        return Err(Stopped::TooLarge);
    }
    let room = announced.unwrap_or(0).min(MAX_PREALLOCATION);
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
    let mut timed = Timed {
        body,
        deadline,
        late: false,
    };
    let outcome = (&mut timed)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes);
    match outcome {
        Err(_) if timed.late => Err(Stopped::TooLate),
        Err(error) => Err(Stopped::Broken(error, bytes.len())),
        Ok(read) if u64::try_from(read).unwrap_or(u64::MAX) > limit => Err(Stopped::TooLarge),
        Ok(_) => Ok(bytes),
    }
}

/// The first bytes of the body of an error, whatever its length.
pub(super) fn read_start(body: &mut impl Read, deadline: Instant) -> Result<Vec<u8>, Stopped> {
    read(&mut body.take(ERROR_BODY), None, ERROR_BODY, deadline)
}

/// A body that comes to its end in time, or is late.
struct Timed<'r, R> {
    body: &'r mut R,
    deadline: Instant,
    late: bool,
}

impl<R: Read> Read for Timed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.deadline {
            self.late = true;
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.body.read(buffer)
    }
}

/// MLflow's error body, or FastAPI's.
#[derive(Deserialize, Default)]
pub(super) struct ServerError {
    pub(super) error_code: Option<String>,
    message: Option<String>,
    detail: Option<Value>,
}

impl ServerError {
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    pub(super) fn text(self) -> Option<String> {
        self.message
            .or(self.detail.map(|detail| match detail {
                Value::String(text) => text,
                other => other.to_string(),
            }))
            .map(|text| text.trim().trim_end_matches('.').to_owned())
            .filter(|text| !text.is_empty())
    }
}

/// Whether a body begins as JSON of MLflow does.
pub(super) fn starts_as_json(body: &[u8]) -> bool {
    let first = body.iter().find(|b| !b.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

/// What a body is that is not JSON.
pub(super) fn describe(body: &[u8], hide: impl Fn(&str) -> String) -> Found {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let text = text.trim();
    let start = text.get(..15).unwrap_or(text).to_ascii_lowercase();
    if text.is_empty() {
        Found::Nothing
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
        Found::Html
    } else if start.starts_with('<') {
        Found::Xml
    } else {
        let first = text.lines().next().unwrap_or_default();
        let line = hide(first);
        let cut: String = line.chars().take(SHOWN).collect();
        if cut.len() < line.len() || first.len() < text.len() {
            Found::Text(cut + "…")
        } else {
            Found::Text(cut)
        }
    }
}

/// A text of at most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_body_is_read_up_to_its_limit() {
        let read = |length: usize, announced, limit| {
            let bytes = vec![b'x'; length];
            super::read(&mut bytes.as_slice(), announced, limit, soon())
        };
        assert_eq!(read(10, None, 10).ok().map(|b| b.len()), Some(10));
        assert!(matches!(read(11, None, 10), Err(Stopped::TooLarge)));
        assert!(matches!(read(1, Some(11), 10), Err(Stopped::TooLarge)));
        let endless = read_start(&mut io::repeat(b'x'), soon());
        assert_eq!(endless.ok().map(|b| b.len()), Some(64 << 10));
    }

    #[test]
    fn a_body_that_never_ends_is_late() {
        let late = read(&mut io::repeat(b'x'), None, u64::MAX, Instant::now());
        assert!(matches!(late, Err(Stopped::TooLate)));
    }

    #[test]
    fn long_texts_are_cut_at_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöü", 2), "äö…");
    }
}
