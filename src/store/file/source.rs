//! Bytes that can be read again from any place: a file as it was when it was
//! opened, or what came through a pipe, kept in memory or, when it is more than
//! a little, in a temporary file without a name.

use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use tempfile::SpooledTempFile;

use crate::store::local::lock;

/// A pipe's bytes up to here stay in memory.
const IN_MEMORY: usize = 8 * 1024 * 1024;

/// Readable in any order, by several threads.
pub(super) struct Source {
    input: Mutex<Box<dyn Input>>,
    len: u64,
    /// To see whether somebody writes to it.
    watched: Option<Watched>,
}

/// A file, and when it was written last before it was read.
struct Watched {
    file: File,
    modified: Option<SystemTime>,
}

trait Input: Read + Seek + Send {}
impl<T: Read + Seek + Send> Input for T {}

/// What went wrong with a source, before there is one.
pub(super) enum Trouble {
    /// It cannot be read.
    Read(io::Error),
    /// It cannot be kept.
    Keep(io::Error),
    /// It is of a kind that is not read.
    Refused(String),
}

impl Source {
    /// A regular file, as long as it is now.
    pub(super) fn file(path: &Path) -> Result<Self, Trouble> {
        let file = File::open(path).map_err(Trouble::Read)?;
        let metadata = file.metadata().map_err(Trouble::Read)?;
        Ok(Self {
            watched: file.try_clone().ok().map(|file| Watched {
                file,
                modified: metadata.modified().ok(),
            }),
            input: Mutex::new(Box::new(file)),
            len: metadata.len(),
        })
    }

    /// Everything that comes out of a pipe.
    pub(super) fn pipe(mut from: impl Read) -> Result<Self, Trouble> {
        let mut kept = temporary();
        let mut buffer = vec![0; 256 * 1024];
        let mut len = 0;
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Trouble::Read(error)),
            };
            kept.write_all(&buffer[..read]).map_err(Trouble::Keep)?;
            len += read as u64;
        }
        Ok(Self {
            input: Mutex::new(Box::new(kept)),
            len,
            watched: None,
        })
    }

    /// What was written into a temporary place.
    pub(super) fn kept(mut kept: SpooledTempFile) -> io::Result<Self> {
        let len = kept.seek(SeekFrom::End(0))?;
        Ok(Self {
            input: Mutex::new(Box::new(kept)),
            len,
            watched: None,
        })
    }

    /// Bytes that are part of the program.
    pub(super) fn bytes(bytes: &'static [u8]) -> Self {
        Self {
            input: Mutex::new(Box::new(Cursor::new(bytes))),
            len: bytes.len() as u64,
            watched: None,
        }
    }

    /// The bytes from `start` on, so many of them as there are up to `len`.
    pub(super) fn reader(&self, start: u64, len: u64) -> Reader<'_> {
        Reader {
            source: self,
            at: start,
            end: start.saturating_add(len).min(self.len),
        }
    }

    /// Whether the file has become longer since it was opened.
    pub(super) fn has_grown(&self) -> bool {
        self.now().is_some_and(|(_, now)| now.len() > self.len)
    }

    /// Whether the file was written to or cut off since it was opened.
    pub(super) fn has_changed(&self) -> bool {
        self.now().is_some_and(|(watched, now)| {
            now.len() != self.len || now.modified().ok() != watched.modified
        })
    }

    fn now(&self) -> Option<(&Watched, Metadata)> {
        let watched = self.watched.as_ref()?;
        Some((watched, watched.file.metadata().ok()?))
    }
}

/// So many bytes of a pipe or of what was packed, and an error where there are more.
pub(super) struct Limited<R> {
    input: R,
    left: u64,
}

impl<R> Limited<R> {
    /// The limit in bytes.
    const MOST: u64 = 64 << 30;

    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            left: Self::MOST,
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other(format!("there is more of it than {} GiB", Self::MOST >> 30))
        })?;
        Ok(read)
    }
}

/// A place in memory for a little, and in a temporary file for more.
pub(super) fn temporary() -> SpooledTempFile {
    tempfile::spooled_tempfile_in(IN_MEMORY, folder())
}

/// `/tmp` is often kept in memory, which a large input would fill.
fn folder() -> PathBuf {
    let large = Path::new("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && large.is_dir() {
        large.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// A part of a source.
pub(super) struct Reader<'a> {
    source: &'a Source,
    at: u64,
    end: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let room = room.min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let mut input = lock(&self.source.input);
        input.seek(SeekFrom::Start(self.at))?;
        let read = input.read(&mut buffer[..room])?;
        if read == 0 {
            return Err(io::Error::other("it is shorter than when it was opened"));
        }
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &Source, start: u64, len: u64) -> String {
        let mut text = String::new();
        source.reader(start, len).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn any_part_can_be_read_any_time() {
        for source in [
            Source::bytes(b"0123456789"),
            Source::pipe(&b"0123456789"[..]).ok().unwrap(),
        ] {
            assert_eq!(text(&source, 3, 4), "3456");
            assert_eq!(text(&source, 0, u64::MAX), "0123456789");
            assert_eq!(text(&source, 9, 5), "9");
            assert!(!source.has_grown());
        }
    }

    #[test]
    fn more_than_a_little_is_kept_in_a_file() {
        let long = io::repeat(b'x').take(IN_MEMORY as u64 + 5);
        let source = Source::pipe(long).ok().unwrap();
        assert_eq!(text(&source, IN_MEMORY as u64, 100), "xxxxx");
    }

    #[test]
    fn more_than_the_limit_is_not_kept() {
        let endless = Limited {
            input: io::repeat(b'x'),
            left: 1 << 20,
        };
        let Err(Trouble::Read(error)) = Source::pipe(endless) else {
            panic!("it has an end");
        };
        assert_eq!(error.to_string(), "there is more of it than 64 GiB");
    }

    #[test]
    fn a_file_that_was_cut_off_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let source = Source::file(&path).ok().unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(4).unwrap();
        let mut text = String::new();
        let error = source.reader(0, 8).read_to_string(&mut text).unwrap_err();
        assert_eq!(text, "one\n");
        assert_eq!(error.to_string(), "it is shorter than when it was opened");
        assert!(source.has_changed());
    }

    #[test]
    fn a_file_is_read_as_long_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one\n").unwrap();
        let source = Source::file(&path).ok().unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(text(&source, 0, u64::MAX), "one\n");
        assert!(source.has_grown());
    }
}
