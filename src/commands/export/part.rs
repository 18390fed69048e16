//! Files that get their name when they are complete: until then they end in
//! `.part`, and whatever stops the program leaves nothing that looks finished.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::target::cannot;
use crate::error::CommandError;

/// The file that is being written, for when the program is interrupted.
#[derive(Clone, Default)]
pub(super) struct Interrupts {
    current: Arc<Mutex<Option<Unfinished>>>,
}

struct Unfinished {
    part: PathBuf,
    /// Whether the export can go on with it.
    is_kept: bool,
}

impl Interrupts {
    /// From now on an interrupt removes what is not finished, and ends the program.
    pub(super) fn handle() -> Self {
        let interrupts = Self::default();
        let current = interrupts.clone();
        // Where there can be no handler, an interrupt ends the program at once.
        let _ = ctrlc::set_handler(move || {
            if let Some(unfinished) = current.replace(None) {
                unfinished.leave();
            }
            std::process::exit(130);
        });
        interrupts
    }

    fn replace(&self, with: Option<Unfinished>) -> Option<Unfinished> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, with)
    }
}

impl Unfinished {
    fn leave(self) {
        if !self.is_kept || fs::metadata(&self.part).is_ok_and(|file| file.len() == 0) {
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// A file on its way to its name.
pub(super) struct PartFile {
    interrupts: Interrupts,
    out: BufWriter<File>,
    part: PathBuf,
    target: PathBuf,
    finished: bool,
}

/// The name of a file until it is finished.
pub(super) fn part_of(target: &Path) -> PathBuf {
    let mut name = target
        .file_name()
        .map_or_else(OsString::new, OsString::from);
    name.push(".part");
    target.with_file_name(name)
}

impl PartFile {
    /// An empty file. What an earlier run may have left of it is removed.
    pub(super) fn create(
        target: &Path,
        is_kept: bool,
        interrupts: &Interrupts,
    ) -> Result<Self, CommandError> {
        let part = part_of(target);
        let create = || {
            match fs::remove_file(&part) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // Never through a link that somebody else has laid there.
            OpenOptions::new().write(true).create_new(true).open(&part)
        };
        let file = create().map_err(|error| cannot("write", target, &error))?;
        Ok(Self::of(file, part, target, is_kept, interrupts))
    }

    /// A file that has something in it already, at whose end writing goes on.
    pub(super) fn go_on(file: File, target: &Path, interrupts: &Interrupts) -> Self {
        Self::of(file, part_of(target), target, true, interrupts)
    }

    fn of(
        file: File,
        part: PathBuf,
        target: &Path,
        is_kept: bool,
        interrupts: &Interrupts,
    ) -> Self {
        interrupts.replace(Some(Unfinished {
            part: part.clone(),
            is_kept,
        }));
        Self {
            interrupts: interrupts.clone(),
            out: BufWriter::with_capacity(1 << 16, file),
            part,
            target: target.to_owned(),
            finished: false,
        }
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> Result<(), CommandError> {
        let flushed = self.out.flush();
        flushed.map_err(|error| cannot("write", &self.target, &error))?;
        let renamed = fs::rename(&self.part, &self.target);
        renamed.map_err(|error| cannot("write", &self.target, &error))?;
        self.finished = true;
        self.interrupts.replace(None);
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.out.flush();
            if let Some(unfinished) = self.interrupts.replace(None) {
                unfinished.leave();
            }
        }
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
