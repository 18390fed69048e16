//! A file that a command writes: it is there whole or not at all, and what was
//! there before stays until then.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::NamedTempFile;

use crate::error::{CommandError, Exit};

/// A file in the making.
pub(super) struct Target {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    /// Takes the path's place at the end.
    Replacing(BufWriter<NamedTempFile>),
    /// A device or pipe, which nothing can take the place of.
    Direct(BufWriter<File>),
}

impl Target {
    /// Begins to write, so that a path that cannot be written to is found out
    /// before the work is done.
    ///
    /// # Errors
    /// When the path is a folder, or cannot be written to.
    pub(super) fn create(path: &Path) -> Result<Self> {
        // A link stays a link: what it leads to is replaced.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let made = match fs::metadata(&real) {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if found.is_file() => begin(&real, Some(&found)),
            Ok(_) => {
                let opened = fs::OpenOptions::new().write(true).open(&real);
                opened.map(|file| Kind::Direct(BufWriter::new(file)))
            }
            Err(_) => begin(&real, None),
        };
        match made {
            Ok(kind) => Ok(Self { path: real, kind }),
            Err(error) => Err(cannot_write(path, &error)),
        }
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    /// Those of writing; what was there before then stays.
    pub(super) fn finish(self) -> Result<()> {
        let Self { path, kind } = self;
        let placed = match kind {
            Kind::Direct(mut out) => out.flush(),
            Kind::Replacing(out) => out
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(|file| file.persist(&path).map(drop).map_err(|error| error.error)),
        };
        placed.map_err(|error| cannot_write(&path, &error))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.kind {
            Kind::Replacing(out) => out.write(bytes),
            Kind::Direct(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::Replacing(out) => out.flush(),
            Kind::Direct(out) => out.flush(),
        }
    }
}

/// A file beside the one to replace, since only within a folder one can take
/// another's place at once.
fn begin(path: &Path, replaced: Option<&Metadata>) -> io::Result<Kind> {
    if replaced.is_some_and(|file| file.permissions().readonly()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mlt-");
    if let Some(permissions) = permissions(replaced) {
        builder.permissions(permissions);
    }
    let file = builder.tempfile_in(folder)?;
    if let Some(replaced) = replaced {
        fs::set_permissions(file.path(), replaced.permissions())?;
    }
    Ok(Kind::Replacing(BufWriter::with_capacity(1 << 16, file)))
}

/// What a new file gets, less what the user's mask takes away.
#[cfg(unix)]
fn permissions(replaced: Option<&Metadata>) -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    replaced
        .is_none()
        .then(|| fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn permissions(_replaced: Option<&Metadata>) -> Option<fs::Permissions> {
    None
}

fn cannot_write(path: &Path, error: &io::Error) -> anyhow::Error {
    cannot("write", path, error).into()
}

/// What cannot be done with a file, and why in plain words.
pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> CommandError {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let reason = match (error.kind(), folder) {
        (io::ErrorKind::IsADirectory, _) => "it is a folder".to_owned(),
        (io::ErrorKind::NotFound, Some(folder)) => {
            format!("there is no folder {}", folder.display())
        }
        (io::ErrorKind::NotFound, None) => "there is no such file or folder".to_owned(),
        (io::ErrorKind::PermissionDenied, _) => "permission denied".to_owned(),
        (io::ErrorKind::StorageFull, _) => "the disk is full".to_owned(),
        _ => error.to_string(),
    };
    CommandError::new(
        Exit::Data,
        format!("cannot {what} {}: {reason}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_at_the_end_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        fs::write(&path, "old").unwrap();
        let mut target = Target::create(&path).unwrap();
        target.write_all(b"new").unwrap();
        target.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        target.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_given_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut target = Target::create(&folder.path().join("page.html")).unwrap();
        target.write_all(b"half").unwrap();
        drop(target);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        let mut target = Target::create(&link).unwrap();
        target.write_all(b"new").unwrap();
        target.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        Target::create(Path::new("/dev/null"))
            .unwrap()
            .finish()
            .unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_written_to_is_said_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let fails = |path: &Path| Target::create(path).err().unwrap().to_string();
        assert!(fails(folder.path()).ends_with(": it is a folder"));
        let missing = folder.path().join("no");
        assert!(
            fails(&missing.join("page.html"))
                .ends_with(&format!(": there is no folder {}", missing.display()))
        );
    }
}
