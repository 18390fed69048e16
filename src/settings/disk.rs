//! The few questions that settings ask the disk, behind a trait so that the
//! rules themselves need none.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

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

    /// Whether nobody but its owner may do anything to a file.
    fn is_private(&self, path: &Path) -> bool;
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

    #[cfg(unix)]
    fn is_private(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        const OTHERS: u32 = 0o077;
        fs::metadata(path).is_ok_and(|it| it.permissions().mode() & OTHERS == 0)
    }

    #[cfg(not(unix))]
    fn is_private(&self, _path: &Path) -> bool {
        true
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

#[cfg(test)]
mod tests {
    use super::*;

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
