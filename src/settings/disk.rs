//! The few questions that settings ask the disk, behind a trait so that the
//! rules themselves need none.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::regular::{self, Links};

/// The first bytes of every SQLite database.
const SQLITE_HEADER: &[u8; 16] = b"SQLite format 3\0";

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing, as far as can be seen.
    Nothing,
    /// A folder.
    Folder,
    /// A file with SQLite's header.
    Sqlite,
    /// Any other file, pipe or device.
    Other,
}

/// What settings ask the disk.
pub trait Disk {
    /// What stands at `path`; links are followed.
    fn look(&self, path: &Path) -> Found;

    /// The names of a folder's subfolders; none where it cannot be read.
    fn folders(&self, path: &Path) -> Vec<String>;

    /// A text file; `None` where there is none.
    ///
    /// # Errors
    /// When there is a file and it cannot be read.
    fn read(&self, path: &Path) -> io::Result<Option<String>>;
}

/// The real disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn look(&self, path: &Path) -> Found {
        let Ok(metadata) = fs::metadata(path) else {
            return Found::Nothing;
        };
        if metadata.is_dir() {
            return Found::Folder;
        }
        // A look at a pipe would take its first bytes away.
        if metadata.is_file() && starts_as_sqlite(path).unwrap_or(false) {
            return Found::Sqlite;
        }
        Found::Other
    }

    fn folders(&self, path: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(path) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        match read_small(path) {
            // A key or password that is not UTF-8 could not be sent as it is anyway.
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A file of credentials, and nothing that would never come to an end.
fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    const LARGEST: u64 = 1 << 20;
    regular::read(path, Links::Follow, LARGEST)
}

fn starts_as_sqlite(path: &Path) -> io::Result<bool> {
    let mut start = [0; SQLITE_HEADER.len()];
    File::open(path)?.read_exact(&mut start)?;
    Ok(&start == SQLITE_HEADER)
}

/// Percent escapes decoded; anything that is not an escape stays.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = escape {
            decoded.push(byte);
            rest = &tail[2..];
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The path of a `file:` URI: `file:///a`, `file://localhost/a`, `file:/a` or
/// `file:a`. `None` for other schemes and for files of other hosts.
pub(crate) fn file_uri_path(uri: &str) -> Option<PathBuf> {
    let scheme = uri.get(..5)?;
    if !scheme.eq_ignore_ascii_case("file:") {
        return None;
    }
    let rest = uri[5..].split(['?', '#']).next().unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(with_host) => {
            let (host, path) = with_host.split_at(with_host.find('/').unwrap_or(with_host.len()));
            // MLflow takes `file://./a` for a file below the current directory.
            match host {
                "" | "localhost" | "127.0.0.1" => path,
                "." => path.trim_start_matches('/'),
                _ => return None,
            }
        }
    };
    let path = percent_decode(path);
    let drive = path
        .strip_prefix('/')
        .filter(|rest| cfg!(windows) && rest.as_bytes().get(1) == Some(&b':'));
    let path = drive.unwrap_or(&path);
    (!path.is_empty()).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_other_percent_signs_stay() {
        assert_eq!(percent_decode("a%20b%C3%A9"), "a bé");
        assert_eq!(percent_decode("100% %zz %+5 %4"), "100% %zz %+5 %4");
    }

    #[test]
    fn file_uris_become_paths() {
        for (uri, path) in [
            ("file:///a/b%20c", Some("/a/b c")),
            ("file://localhost/a", Some("/a")),
            ("file:/a", Some("/a")),
            ("FILE:rel/b", Some("rel/b")),
            ("file:./rel", Some("./rel")),
            ("file://./rel", Some("rel")),
            ("file://server/a", None),
            ("file://", None),
            ("files:a", None),
        ] {
            assert_eq!(file_uri_path(uri), path.map(PathBuf::from), "{uri}");
        }
    }

    #[test]
    fn what_stands_at_a_path_is_told_from_its_first_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            RealDisk.look(&path)
        };
        assert_eq!(write("a.json", b"SQLite format 3\0more"), Found::Sqlite);
        assert_eq!(write("b.db", b"SQLite format 3"), Found::Other);
        assert_eq!(write("c", b"{}"), Found::Other);
        assert_eq!(RealDisk.look(dir.path()), Found::Folder);
        assert_eq!(RealDisk.look(&dir.path().join("none")), Found::Nothing);
    }
}
