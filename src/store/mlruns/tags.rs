//! Tags written as MLflow writes them: one file for each, named by its key. A
//! file is replaced in one step, so that readers see the old value or the new.

use std::fs;
use std::io;
use std::path::Path;

use super::folder::{TAGS, is_link};
use super::write::{replace, unwritable};
use crate::model::tag;
use crate::store::StoreError;

/// Sets a tag of the trace in `folder`.
///
/// # Errors
/// A key that MLflow refuses, and what the file system says.
pub(super) fn set(folder: &Path, key: &str, value: &str) -> Result<(), StoreError> {
    check_key(key)?;
    check_links(folder, key)?;
    let path = folder.join(TAGS).join(key);
    // Beside the folder of tags: whatever is in there is a tag to readers.
    replace(folder, &path, value)
}

/// Deletes a tag; one that is not there is as good as deleted.
///
/// # Errors
/// A key that MLflow refuses, and what the file system says.
pub(super) fn delete(folder: &Path, key: &str) -> Result<(), StoreError> {
    check_key(key)?;
    check_links(folder, key)?;
    let path = folder.join(TAGS).join(key);
    if !path.is_file() {
        return Ok(());
    }
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unwritable(&path, &error)),
    }
}

/// No folder on the way to a tag may be a link, which could lead out of the store. A
/// link in the place of the tag itself is replaced.
fn check_links(folder: &Path, key: &str) -> Result<(), StoreError> {
    let tag = folder.join(TAGS).join(key);
    let inside = tag
        .ancestors()
        .skip(1)
        .take_while(|path| path.starts_with(folder));
    match inside.into_iter().find(|path| is_link(path)) {
        Some(link) => Err(StoreError::NotWritten {
            path: tag.display().to_string(),
            reason: format!("{} is a symbolic link", link.display()),
        }),
        None => Ok(()),
    }
}

/// MLflow's rule: letters, digits, `_ - . : /` and spaces, and no name that
/// would be another one as a path.
fn check_key(key: &str) -> Result<(), StoreError> {
    let refused = |reason: &'static str| {
        Err(StoreError::TagKey {
            key: key.to_owned(),
            reason,
        })
    };
    if key.is_empty() {
        return refused("it is empty");
    }
    if !key.chars().all(tag::allows) {
        return refused("this store allows letters, digits, spaces and the characters _ - . : /");
    }
    if tag::leads_elsewhere(key) {
        return refused("as the name of a file it would lead elsewhere");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_files_and_nothing_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), "team", "search\n").unwrap();
        set(dir.path(), "team", "ключ").unwrap();
        set(dir.path(), "a/b", "").unwrap();
        let read = |key: &str| fs::read_to_string(dir.path().join(TAGS).join(key)).unwrap();
        assert_eq!(
            (read("team"), read("a/b")),
            ("ключ".to_owned(), String::new())
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        delete(dir.path(), "team").unwrap();
        assert!(!dir.path().join(TAGS).join("team").exists());
        delete(dir.path(), "team").unwrap();
        delete(dir.path(), "a").unwrap();
        assert_eq!(read("a/b"), "", "a folder is no tag");
        let blocked = set(dir.path(), "a", "x").unwrap_err();
        assert!(
            matches!(blocked, StoreError::NotWritten { .. }),
            "{blocked}"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_a_tag_as_any_new_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), "team", "x").unwrap();
        let plain = dir.path().join("plain");
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&dir.path().join(TAGS).join("team")), mode(&plain));
    }

    #[test]
    fn keys_that_would_leave_the_folder_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for key in [
            "", ".", "..", "../x", "/x", "a//b", "a/", "a/./b", "a/../b", "a\0b", "a\\b", "k%",
        ] {
            assert!(
                matches!(set(dir.path(), key, "v"), Err(StoreError::TagKey { .. })),
                "{key:?}"
            );
            assert!(
                matches!(delete(dir.path(), key), Err(StoreError::TagKey { .. })),
                "{key:?}"
            );
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
