//! Files that commands write. Each is there whole or not at all: it grows under
//! another name beside its own, reaches the disk, and only then takes the place of
//! what was there before, whose permissions it keeps. Devices and pipes are written
//! into and never replaced. Whatever ends the program, short of a kill that it cannot
//! see, leaves nothing behind but what can be gone on with.

mod claim;
mod ledger;
mod place;
mod target;
mod unfinished;

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::{CommandError, Exit};
use crate::io_words::plain_io_reason;

pub(crate) use claim::{Claim, Part, Way};
pub(crate) use ledger::{Ledger, PART};
pub(crate) use place::Place;
pub(crate) use target::{Existing, Target};
pub(crate) use unfinished::give_up_all;

/// What cannot be done with a file, and why in plain words.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> CommandError {
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
        _ => plain_io_reason(error),
    };
    refusal(what, path, &reason)
}

/// The same as an error of the operating system, which still tells what kind it is of.
pub(crate) fn told(what: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), cannot(what, path, error).message)
}

fn refusal(what: &str, path: &Path, reason: &str) -> CommandError {
    let message = format!("cannot {what} {}: {reason}", path.display());
    CommandError::new(Exit::Data, message)
}

/// Makes names last that files in a folder got. Where that cannot be asked for, they
/// are there all the same.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// Waits until what was written is on the disk, where the file system has a way to.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}
