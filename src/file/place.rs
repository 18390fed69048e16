//! Where a path leads that is to be written to: to a file or to nothing yet, through
//! links or not, or to something that takes a stream of bytes.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::{cannot, refusal};
use crate::error::CommandError;

/// A place to write to.
#[derive(Debug)]
pub(crate) struct Place {
    /// As it was named.
    pub(super) named: PathBuf,
    /// Behind all links.
    pub(super) real: PathBuf,
    found: Found,
}

#[derive(Debug)]
enum Found {
    Nothing,
    File(Metadata),
    Stream,
}

/// What tells that a file is still the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    bytes: u64,
    modified_ns: Option<u64>,
}

impl Place {
    /// Looks where a path leads that somebody has named.
    ///
    /// # Errors
    /// Folders, links to nothing, files that may not be written to, and disks.
    pub(crate) fn find(path: &Path) -> Result<Self, CommandError> {
        let refuse = |error: &io::Error| cannot("write", path, error);
        if descriptor(path).is_some() {
            return Ok(Self::new(path, path.to_owned(), Found::Stream));
        }
        let link = match fs::symlink_metadata(path) {
            Ok(found) => found.is_symlink(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::new(path, path.to_owned(), Found::Nothing));
            }
            Err(error) => return Err(refuse(&error)),
        };
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if link && error.kind() == io::ErrorKind::NotFound => {
                return Err(to_nothing(path));
            }
            Err(error) => return Err(refuse(&error)),
        };
        let real = if link {
            fs::canonicalize(path).map_err(|error| refuse(&error))?
        } else {
            path.to_owned()
        };
        let found = look(path, &real, found)?;
        Ok(Self::new(path, real, found))
    }

    /// Looks at a path in a folder, the name of which nobody has named: what stands
    /// there must be a file.
    ///
    /// # Errors
    /// As for [`Place::find`], and links, devices and pipes.
    pub(crate) fn find_file(path: &Path) -> Result<Self, CommandError> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => Err(refusal("write", path, "it is a symbolic link")),
            Ok(found) if !found.is_file() && !found.is_dir() => {
                Err(refusal("write", path, "it is a device or pipe"))
            }
            _ => Self::find(path),
        }
    }

    fn new(path: &Path, real: PathBuf, found: Found) -> Self {
        Self {
            named: path.to_owned(),
            real,
            found,
        }
    }

    /// Whether it takes a stream, and is never replaced.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.found, Found::Stream)
    }

    /// Whether it is where standard output goes.
    pub(crate) fn is_stdout(&self) -> bool {
        descriptor(&self.named) == Some(1)
    }

    /// The file that is there.
    pub(super) fn file(&self) -> Option<&Metadata> {
        match &self.found {
            Found::File(found) => Some(found),
            Found::Nothing | Found::Stream => None,
        }
    }

    /// Whether a file is there.
    pub(crate) fn is_file(&self) -> bool {
        self.file().is_some()
    }

    /// The path as it was named.
    pub(crate) fn named(&self) -> &Path {
        &self.named
    }

    /// The path behind all links.
    pub(crate) fn real(&self) -> &Path {
        &self.real
    }

    /// What the file that is there is known again by.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.file().map(|file| Stamp {
            bytes: file.len(),
            modified_ns: file
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                .and_then(|time| u64::try_from(time.as_nanos()).ok()),
        })
    }

    /// Opens what takes a stream, at whose end writing begins.
    #[allow(
        clippy::disallowed_methods,
        reason = "a stream that was named as a file is written to as one"
    )]
    pub(super) fn open(&self) -> io::Result<File> {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd as _;
            // Opened anew, a file behind them would be written to from its beginning.
            let own = match descriptor(&self.named) {
                Some(1) => Some(io::stdout().as_fd().try_clone_to_owned()),
                Some(2) => Some(io::stderr().as_fd().try_clone_to_owned()),
                _ => None,
            };
            if let Some(own) = own {
                return own.map(File::from);
            }
        }
        let is_descriptor = descriptor(&self.named).is_some();
        OpenOptions::new()
            .write(true)
            .append(is_descriptor)
            .open(&self.real)
    }
}

fn look(path: &Path, real: &Path, found: Metadata) -> Result<Found, CommandError> {
    let refuse = |error: &io::Error| Err(cannot("write", path, error));
    if found.is_dir() {
        return refuse(&io::ErrorKind::IsADirectory.into());
    }
    if found.is_file() {
        if is_read_only(&found) {
            return Err(refusal("write", path, "it is read-only"));
        }
        // To take a file's place only needs a folder that can be written to.
        return match OpenOptions::new().write(true).open(real) {
            Ok(_) => Ok(Found::File(found)),
            Err(error) => refuse(&error),
        };
    }
    if is_disk(&found) {
        return Err(refusal("write", path, "it is a block device"));
    }
    Ok(Found::Stream)
}

fn to_nothing(path: &Path) -> CommandError {
    let to = fs::read_link(path).unwrap_or_default();
    let reason = format!("it is a link to {}, which is not there", to.display());
    refusal("write", path, &reason)
}

/// What its owner has marked so, which would not stop root.
#[cfg(unix)]
fn is_read_only(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.permissions().mode() & 0o200 == 0
}

#[cfg(not(unix))]
fn is_read_only(file: &Metadata) -> bool {
    file.permissions().readonly()
}

#[cfg(unix)]
fn is_disk(file: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&file.file_type())
}

#[cfg(not(unix))]
fn is_disk(_file: &Metadata) -> bool {
    false
}

/// The open file of this process that a path such as `/dev/stdout` stands for.
fn descriptor(path: &Path) -> Option<u32> {
    const FOLDERS: [&str; 3] = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];
    const LINKS: usize = 8;
    if !cfg!(unix) {
        return None;
    }
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if path == Path::new("/dev/stdout") {
            return Some(1);
        }
        if path == Path::new("/dev/stderr") {
            return Some(2);
        }
        let mut numbers = FOLDERS.iter().filter_map(|folder| {
            let rest = path.strip_prefix(folder).ok()?;
            rest.to_str()?.parse().ok()
        });
        if let Some(number) = numbers.next() {
            return Some(number);
        }
        path = folder_of(&path).join(fs::read_link(&path).ok()?);
    }
    None
}

/// The folder that a path lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        let said = Place::find(path).unwrap_err().to_string();
        let folder = format!("{}/", path.parent().unwrap().display());
        said.replace(&folder, "")
    }

    #[test]
    fn what_cannot_be_written_to_is_said_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refused(folder.path()).ends_with(": it is a folder"));
        let file = folder.path().join("file");
        fs::write(&file, "old").unwrap();
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions).unwrap();
        assert_eq!(refused(&file), "cannot write file: it is read-only");
    }

    #[cfg(unix)]
    #[test]
    fn links_that_nobody_named_are_not_followed_and_those_to_nothing_never() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "old").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("gone", at("dangling")).unwrap();
        let found = Place::find(&at("link")).unwrap();
        assert_eq!(found.real(), fs::canonicalize(at("file")).unwrap());
        assert_eq!(
            refused(&at("dangling")),
            "cannot write dangling: it is a link to gone, which is not there"
        );
        for name in ["link", "dangling"] {
            let said = Place::find_file(&at(name)).unwrap_err().to_string();
            assert!(said.ends_with(": it is a symbolic link"), "{said}");
        }
        assert!(Place::find_file(&at("file")).is_ok());
        assert!(Place::find_file(Path::new("/dev/null")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn open_files_are_known_by_their_names_and_links_to_these() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("out");
        std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
        for (path, number) in [
            (Path::new("/dev/stdout"), Some(1)),
            (Path::new("/dev/fd/1"), Some(1)),
            (&link, Some(1)),
            (Path::new("/dev/stderr"), Some(2)),
            (Path::new("/proc/self/fd/63"), Some(63)),
            (Path::new("/dev/null"), None),
            (Path::new("/dev/fd/x"), None),
            (folder.path(), None),
        ] {
            assert_eq!(descriptor(path), number, "{}", path.display());
        }
        assert!(Place::find(&link).unwrap().is_stdout());
    }
}
