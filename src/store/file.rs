//! Trace files: JSON or JSON lines, from a path or standard input.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::memory::MemoryStore;
use super::wire::read_documents;
use super::{StoreError, plain_io_reason};

const READ_ONLY: &str = "tag the traces on the server that they came from";

/// Reads every trace of a file.
pub(super) fn open(path: &Path) -> Result<MemoryStore, StoreError> {
    let shown = path.display().to_string();
    let json = fs::read(path).map_err(|e| unreadable(&shown, &e))?;
    parse(&shown, &json)
}

/// Reads every trace from standard input.
pub(super) fn read_stdin() -> Result<MemoryStore, StoreError> {
    let mut json = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut json)
        .map_err(|e| unreadable("standard input", &e))?;
    parse("standard input", &json)
}

fn parse(name: &str, json: &[u8]) -> Result<MemoryStore, StoreError> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let data = |reason: String| StoreError::Data {
        path: name.to_owned(),
        reason,
    };
    let documents = read_documents(json).map_err(|e| data(e.to_string()))?;
    if documents.is_empty() && json.iter().all(u8::is_ascii_whitespace) {
        return Err(data("it is empty; expected traces as JSON".to_owned()));
    }
    Ok(MemoryStore::new(
        name.to_owned(),
        READ_ONLY,
        Vec::new(),
        documents,
    ))
}

fn unreadable(path: &str, error: &io::Error) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        reason: plain_io_reason(error),
    }
}
