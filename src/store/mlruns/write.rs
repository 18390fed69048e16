//! Files of MLflow's folders, each replaced in one step.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use super::folder::unreadable;
use crate::store::StoreError;

/// Puts a text into the place of a file, which may not be there; it grows in `folder` until
/// it is whole.
///
/// # Errors
/// What the file system says.
pub(super) fn replace(folder: &Path, path: &Path, text: &str) -> Result<(), StoreError> {
    let write = || -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = builder().tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| unwritable(path, &error))
}

/// With the permissions that any new file would have: a server that runs as
/// somebody else must be able to read it.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mlt-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// A failure of the operating system to change a path.
pub(super) fn unwritable(path: &Path, error: &io::Error) -> StoreError {
    match unreadable(path, error) {
        StoreError::File { path, reason } => StoreError::NotWritten { path, reason },
        other => other,
    }
}
