//! What a file of JSON lines holds already, so that an export can go on with it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::Context;
use crate::cli::{ExportArgs, SelectionArgs};
use crate::error::{CommandError, Exit};
use crate::export::What;
use crate::file::cannot;
use crate::store::Location;

/// The traces of a file.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) ids: HashSet<String>,
    /// Where the last whole line ends.
    pub(super) bytes: u64,
}

/// Reads the traces that a file holds, up to the end of its last whole line.
///
/// # Errors
/// Files that cannot be read, and lines that this export would not have written.
pub(super) fn read(file: File, path: &Path, what: What) -> Result<Held, CommandError> {
    let mut held = Held::default();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut line, mut number) = (Vec::new(), 0_usize);
    loop {
        line.clear();
        let length = reader
            .read_until(b'\n', &mut line)
            .map_err(|error| cannot("read", path, &error))?;
        if line.last() != Some(&b'\n') {
            return Ok(held);
        }
        number += 1;
        let id = trace_of(&line, what).map_err(|reason| {
            let message = format!("line {number} of {} {reason}", path.display());
            CommandError::new(Exit::Data, message).hint(
                "--resume goes on with what the same `mlt export -o jsonl` wrote; --force writes anew",
            )
        })?;
        held.ids.insert(id);
        held.bytes += u64::try_from(length).unwrap_or(u64::MAX);
    }
}

/// The same of a file that is gone on with: half a line is cut off.
///
/// # Errors
/// As for [`read`], and those of writing.
pub(super) fn read_to_go_on(
    mut file: File,
    path: &Path,
    what: What,
) -> Result<(File, Held), CommandError> {
    let failed = |error| cannot("write", path, &error);
    let held = read(file.try_clone().map_err(failed)?, path, what)?;
    file.set_len(held.bytes).map_err(failed)?;
    file.seek(SeekFrom::Start(held.bytes)).map_err(failed)?;
    Ok((file, held))
}

/// The id of the trace that a line is, or why it is not one of this export's.
fn trace_of(line: &[u8], what: What) -> Result<String, &'static str> {
    #[derive(Deserialize)]
    struct Line {
        info: Info,
        spans_included: Option<bool>,
        #[serde(default)]
        truncated: bool,
    }
    #[derive(Deserialize)]
    struct Info {
        trace_id: String,
    }
    let line: Line = serde_json::from_slice(line).map_err(|_| "is no trace")?;
    match (line.spans_included, what) {
        _ if line.truncated => Err("is a trace with texts that were cut"),
        (Some(true), What::Spans) | (Some(false), What::Traces) => Ok(line.info.trace_id),
        (Some(false), What::Spans) => Err("is a trace without its spans"),
        (Some(true), What::Traces) => Err("is a trace with its spans"),
        (None, _) => Err("is a trace, but not of `mlt export`"),
    }
}

/// What is exported, in words of the command line and without secrets: who goes on
/// with it must want the same.
pub(super) fn description(
    context: &Context,
    args: &ExportArgs,
    format: &str,
) -> Map<String, Value> {
    let mut of = Map::new();
    let location = &context.settings.location;
    of.insert("store".to_owned(), store(location).into());
    let workspace = match location {
        Location::Server(connection) => connection.workspace.as_deref(),
        Location::Database(place) => place.workspace.as_deref(),
        Location::Sqlite { workspace, .. } => workspace.as_deref(),
        _ => None,
    };
    if let Some(workspace) = workspace {
        of.insert("workspace".to_owned(), workspace.into());
    }
    of.insert("format".to_owned(), format.into());
    of.insert("what".to_owned(), args.what.as_str().into());
    if !context.settings.experiments.is_empty() {
        let experiments = context.settings.experiments.clone();
        of.insert("experiments".to_owned(), experiments.into());
    }
    of.extend(words(&args.selection));
    of
}

/// What was typed to choose traces.
fn words(selection: &SelectionArgs) -> Map<String, Value> {
    let is_given = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    match serde_json::to_value(selection) {
        Ok(Value::Object(mut words)) => {
            words.retain(|_, value| is_given(value));
            words
        }
        _ => Map::new(),
    }
}

/// Where the traces are, whatever folder mlt was started in.
pub(super) fn store(location: &Location) -> String {
    let path = match location {
        Location::Database(place) => return place.name(),
        // A URL from the settings has no login in it.
        Location::Server(connection) => return connection.base.to_string(),
        Location::Demo => return "demo:".to_owned(),
        Location::Stdin => return "-".to_owned(),
        Location::Sqlite { path, .. } | Location::Mlruns(path) | Location::File(path) => path,
    };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    path.canonicalize().unwrap_or(path).display().to_string()
}
