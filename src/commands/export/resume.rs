//! What a file of JSON lines holds already, so that an export can go on with it.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::super::target::cannot;
use super::part::part_of;
use crate::error::{CommandError, Exit};

/// A file to go on with, and the ids of the traces that are in it.
pub(super) struct Begun {
    pub(super) file: File,
    pub(super) ids: HashSet<String>,
}

/// Opens the unfinished file, or a copy of the finished one, at the end of its
/// last whole line; what was written of another line is cut off. `None` when
/// there is neither.
///
/// # Errors
/// Files that cannot be read or written, and lines that are no traces.
pub(super) fn begun(target: &Path) -> Result<Option<Begun>, CommandError> {
    let part = part_of(target);
    let mut is_copy = false;
    match fs::symlink_metadata(&part) {
        Ok(found) if !found.is_file() => {
            let message = format!("{} is not a file", part.display());
            return Err(CommandError::new(Exit::Data, message));
        }
        Ok(_) => {}
        Err(_) if target.exists() => {
            let copied = fs::copy(target, &part);
            copied.map_err(|error| cannot("copy", target, &error))?;
            is_copy = true;
        }
        Err(_) => return Ok(None),
    }
    let opened = OpenOptions::new().read(true).write(true).open(&part);
    let file = opened.map_err(|error| cannot("open", &part, &error))?;
    let begun = read(file, &part);
    if begun.is_err() && is_copy {
        let _ = fs::remove_file(&part);
    }
    begun.map(Some)
}

fn read(file: File, path: &Path) -> Result<Begun, CommandError> {
    #[derive(Deserialize)]
    struct Line {
        info: Info,
    }
    #[derive(Deserialize)]
    struct Info {
        trace_id: String,
    }
    let unreadable = |error| cannot("read", path, &error);
    let mut ids = HashSet::new();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut line, mut end, mut number) = (Vec::new(), 0, 0_usize);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(unreadable)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        number += 1;
        let trace = serde_json::from_slice::<Line>(&line).map_err(|_| {
            let message = format!("line {number} of {} is no trace", path.display());
            CommandError::new(Exit::Data, message)
                .hint("--resume goes on with what `mlt export -o jsonl` wrote; --force writes anew")
        })?;
        ids.insert(trace.info.trace_id);
        end += u64::try_from(length).unwrap_or(u64::MAX);
    }
    let mut file = reader.into_inner();
    let cut = file
        .set_len(end)
        .and_then(|()| file.seek(SeekFrom::Start(end)));
    cut.map_err(|error| cannot("write", path, &error))?;
    Ok(Begun { file, ids })
}
