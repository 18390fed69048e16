//! Files that have to be files. Pipes and devices, which may never begin or never
//! end, are told by what they are before anything waits for them, and nothing is
//! read that is larger than it can have been meant to be.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// What is done about a path that is a symbolic link itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// What it leads to is read.
    Follow,
    /// It is an error.
    Refuse,
}

/// Opens a regular file to read it.
///
/// # Errors
/// Those of the system; that it is something else.
pub(crate) fn open(path: &Path, links: Links) -> io::Result<File> {
    // Looking comes first, since opening alone makes some devices act.
    check(&match links {
        Links::Follow => fs::metadata(path)?,
        Links::Refuse => fs::symlink_metadata(path)?,
    })?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Should it have become a pipe or a link meanwhile.
        let refuse = match links {
            Links::Follow => 0,
            Links::Refuse => libc::O_NOFOLLOW,
        };
        options.custom_flags(libc::O_NONBLOCK | refuse);
    }
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// Those of [`open`], of reading, and that there is more.
pub(crate) fn read(path: &Path, links: Links, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path, links)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    read_into(file, limit, &mut bytes)?;
    Ok(bytes)
}

/// Reads a text of at most `limit` bytes, be it from a pipe.
///
/// # Errors
/// Those of the system, and that there is more.
pub(crate) fn read_any(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_up_to(File::open(path)?, limit)
}

/// Reads all of something that has at most `limit` bytes.
///
/// # Errors
/// Those of reading, and that there is more.
pub(crate) fn read_up_to(input: impl io::Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_into(input, limit, &mut bytes)?;
    Ok(bytes)
}

fn read_into(input: impl io::Read, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    input.take(limit.saturating_add(1)).read_to_end(bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(())
}

fn too_large(limit: u64) -> io::Error {
    io::Error::other(format!("it is larger than {} MiB", limit >> 20))
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = name(kind);
    Err(io::Error::other(format!(
        "it is not a regular file, but {what}"
    )))
}

/// What to call something that is no regular file.
pub(crate) fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a directory";
    }
    if kind.is_symlink() {
        return "a symbolic link";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "something else"
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_but_a_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "12345").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("link", at("loop-a")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(at("pipe"))
            .status();
        assert!(made.unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let told = |name: &str, links| {
            let read = read(&at(name), links, 1 << 20);
            read.map_or_else(|error| error.to_string(), |b| String::from_utf8(b).unwrap())
        };
        assert_eq!(told("file", Links::Refuse), "12345");
        assert_eq!(told("link", Links::Follow), "12345");
        for (name, links, what) in [
            ("link", Links::Refuse, "a symbolic link"),
            ("zero", Links::Follow, "a device"),
            ("pipe", Links::Follow, "a named pipe"),
            ("socket", Links::Follow, "a socket"),
            (".", Links::Refuse, "a directory"),
        ] {
            assert_eq!(
                told(name, links),
                format!("it is not a regular file, but {what}")
            );
        }
    }

    #[test]
    fn what_is_larger_than_the_limit_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, vec![b' '; 1 << 20]).unwrap();
        assert_eq!(read(&path, Links::Refuse, 1 << 20).unwrap().len(), 1 << 20);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(6 << 30)
            .unwrap();
        for error in [
            read(&path, Links::Refuse, 1 << 20).unwrap_err(),
            read_any(Path::new("/dev/zero"), 1 << 20).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "it is larger than 1 MiB");
        }
    }
}
