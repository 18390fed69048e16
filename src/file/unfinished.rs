//! The files in the making, and what becomes of them when the program is ended by a
//! signal: the same as when it gives them up by itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::signals;

static ALL: Mutex<Vec<Leftover>> = Mutex::new(Vec::new());

/// A file that means nothing once the program has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leftover {
    pub(super) path: PathBuf,
    /// A file that can be gone on with as long as this one stays beside it.
    pub(super) part: Option<PathBuf>,
}

impl Leftover {
    fn leave(&self) {
        if let Some(part) = &self.part {
            let is_worth_it = fs::symlink_metadata(part).is_ok_and(|part| part.len() > 0);
            if is_worth_it {
                return;
            }
            let _ = fs::remove_file(part);
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// A file in the making, which is given up when this is dropped.
#[derive(Debug)]
pub(super) struct Unfinished(Leftover);

impl Unfinished {
    /// Makes a file, at no moment of which a signal finds it unknown.
    pub(super) fn make<T>(
        begin: impl FnOnce() -> io::Result<(T, Leftover)>,
    ) -> io::Result<(T, Self)> {
        signals::watch();
        let mut all = lock();
        let (made, leftover) = begin()?;
        all.push(leftover.clone());
        Ok((made, Self(leftover)))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Gives the file its place. If that fails, it is given up.
    pub(super) fn finish(self, place: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut all = lock();
        place()?;
        all.retain(|one| *one != self.0);
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut all = lock();
        if let Some(at) = all.iter().position(|one| *one == self.0) {
            all.swap_remove(at).leave();
        }
    }
}

/// Gives up what is not finished. While the answer is held, nothing else is begun and
/// nothing finished.
pub(crate) fn give_up_all() -> impl Sized {
    let mut all = lock();
    // The newest first: a claim outlives what it is laid to.
    while let Some(one) = all.pop() {
        one.leave();
    }
    all
}

fn lock() -> MutexGuard<'static, Vec<Leftover>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}
