//! An export in parts: files of so many rows in a folder, or in a folder of it for each
//! day, so that engines read them side by side. A trace is in one part as a whole, a part
//! has its name once it is complete, and the folder's [`Ledger`] knows what is in which.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use serde_json::{Map, Value};

use super::{Export, MESSAGE, resume, told};
use crate::commands::gather::gather_unknown;
use crate::error::{CommandError, Exit};
use crate::export::format::Losses;
use crate::export::{Document, End, Format, What};
use crate::file::{Existing, Ledger, PART, Place, Target, cannot};
use crate::model::{Trace, TraceState};
use crate::table::Column;
use crate::units;

/// Days that are written to at the same time; traces come by and large in their order.
const MOST_OPEN: usize = 8;
/// The folder of what has no day, as Hive calls it.
const NO_DAY: &str = "date=__HIVE_DEFAULT_PARTITION__";

impl Export<'_> {
    /// Whether parts are wanted.
    pub(super) fn is_in_parts(&self) -> bool {
        self.args.rows_per_file.is_some() || self.args.partition_by.is_some()
    }

    /// Writes parts into a folder, of what is in none of its parts yet.
    pub(super) fn to_parts(&self, folder: &Path) -> Result<Exit> {
        if !self.format.goes_in_parts() {
            let name = self.format.name;
            let refused = format!("`-o {name}` is not written in parts");
            let error = CommandError::usage(refused);
            return Err(error.hint(told(Format::goes_in_parts)).into());
        }
        if self.args.force {
            return Err(CommandError::usage("--force is not for parts")
                .hint("what is in no part yet is added; remove the folder to begin anew")
                .into());
        }
        let (ledger, held) = Ledger::open(folder, self.kind_of_parts())?;
        let mut parts = Parts {
            export: self,
            folder,
            ledger,
            open: Vec::new(),
            numbers: HashMap::new(),
            written: 0,
            unfinished: 0,
            losses: Losses::default(),
        };
        let mut names = self.names();
        let gathered = gather_unknown(
            self.context,
            &self.args.selection,
            self.need(),
            MESSAGE,
            &|id| held.contains(id),
            |mut trace| {
                names.tell(&mut trace.info)?;
                parts.push(&trace)
            },
        );
        // What was written before an error stays.
        while !parts.open.is_empty() {
            parts.finish_first()?;
        }
        let (written, unfinished, losses) = (parts.written, parts.unfinished, parts.losses);
        let gathered = gathered?;
        self.note_losses(&losses);
        if unfinished > 0 {
            let traces = units::counted(unfinished, "trace");
            self.context.note(&format!(
                "left out {traces} in progress: parts are not written again, the same command adds them once they have finished"
            ));
        }
        let files = match written {
            0 => String::new(),
            n => format!(", in {}", units::counted(n, "file")),
        };
        self.note_written(&gathered, gathered.traces - unfinished, folder, &files);
        gathered.finish(self.context)
    }

    /// What all parts of a folder have in common.
    fn kind_of_parts(&self) -> Map<String, Value> {
        let names = match self.what {
            What::Spans => names(&self.columns.spans),
            What::Traces => names(&self.columns.traces),
        };
        let mut of = Map::new();
        let location = &self.context.settings.location;
        of.insert("store".to_owned(), resume::store(location).into());
        of.insert("format".to_owned(), self.format.name.into());
        of.insert("content".to_owned(), self.what.as_str().into());
        if self.format.has_columns {
            of.insert("columns".to_owned(), names.into());
        }
        if let Some(by) = self.args.partition_by {
            of.insert("partition".to_owned(), by.as_str().into());
        }
        of
    }
}

fn names<R: crate::table::Rows>(columns: &[Column<R>]) -> Vec<String> {
    columns
        .iter()
        .map(|column| column.name().to_owned())
        .collect()
}

/// The parts of a folder.
struct Parts<'a> {
    export: &'a Export<'a>,
    folder: &'a Path,
    ledger: Ledger,
    open: Vec<OpenPart>,
    /// The number of the last part within each folder.
    numbers: HashMap<String, u64>,
    written: usize,
    /// Traces that will change.
    unfinished: usize,
    losses: Losses,
}

/// A part on its way.
struct OpenPart {
    /// The folder within the folder, with `/` behind it, or nothing.
    within: String,
    /// Its path within the folder.
    name: String,
    document: Box<dyn Document>,
    file: Shared,
    rows: usize,
    traces: Vec<String>,
}

impl Parts<'_> {
    fn push(&mut self, trace: &Trace) -> Result<()> {
        if trace.info.state == TraceState::InProgress {
            self.unfinished += 1;
            return Ok(());
        }
        let within = self.within(trace);
        let known = self.open.iter().position(|part| part.within == within);
        let at = if let Some(at) = known {
            at
        } else {
            while self.open.len() >= MOST_OPEN {
                self.finish_first()?;
            }
            let part = self.begin(within)?;
            self.open.push(part);
            self.open.len() - 1
        };
        let part = &mut self.open[at];
        if let Err(error) = part.document.push(trace) {
            // Nobody knows how much of the trace is in it.
            self.open.remove(at);
            return Err(error.into());
        }
        part.traces.push(trace.info.trace_id.clone());
        part.rows += match self.export.what {
            What::Spans if self.export.format.has_columns => trace.spans.len(),
            _ => 1,
        };
        let most = self.export.args.rows_per_file;
        if most.is_some_and(|most| part.rows >= most.get()) {
            let part = self.open.remove(at);
            self.finish(part)?;
        }
        Ok(())
    }

    fn within(&self, trace: &Trace) -> String {
        if self.export.args.partition_by.is_none() {
            return String::new();
        }
        let time = trace.info.request_time.map(|time| time.to_string());
        let date = time.as_deref().and_then(|time| time.split_once('T'));
        match date {
            Some((date, _)) => format!("date={date}/"),
            None => format!("{NO_DAY}/"),
        }
    }

    fn begin(&mut self, within: String) -> Result<OpenPart> {
        let folder = self.folder.join(&within);
        fs::create_dir_all(&folder).map_err(|error| cannot("make", &folder, &error))?;
        self.ledger.begin()?;
        let extension = self.export.format.extension();
        let number = match self.numbers.entry(within.clone()) {
            Entry::Occupied(last) => last.into_mut(),
            Entry::Vacant(none) => none.insert(last_number(&folder)?),
        };
        *number += 1;
        let name = format!("{within}{PART}{number:05}.{extension}");
        let place = Place::find_file(&self.folder.join(&name))?;
        let file = Target::at(place, Existing::Kept)?;
        let file = Shared(Arc::new(Mutex::new(Counted { file, bytes: 0 })));
        Ok(OpenPart {
            within,
            name,
            document: self.export.begin(Box::new(file.clone()), false)?,
            file,
            rows: 0,
            traces: Vec::new(),
        })
    }

    /// Finishes the part that was begun first.
    fn finish_first(&mut self) -> Result<()> {
        let part = self.open.remove(0);
        self.finish(part)
    }

    fn finish(&mut self, part: OpenPart) -> Result<()> {
        self.losses += part.document.finish(&End::default())?;
        let file = part.file.take();
        let Counted { file, bytes } =
            file.ok_or_else(|| io::Error::other("a part is still being written"))?;
        self.ledger.add(part.name, bytes, part.traces)?;
        file.finish()?;
        self.written += 1;
        Ok(())
    }
}

/// The greatest number of the parts in a folder.
fn last_number(folder: &Path) -> Result<u64> {
    let failed = |error| cannot("read", folder, &error);
    let mut last = 0;
    for found in fs::read_dir(folder).map_err(failed)? {
        let name = found.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| {
            let (number, _) = name.strip_prefix(PART)?.split_once('.')?;
            number.parse().ok()
        });
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

/// A file that is written by its document, and then finished by its part.
#[derive(Clone)]
struct Shared(Arc<Mutex<Counted>>);

/// A file, and how many bytes were written to it.
struct Counted {
    file: Target,
    bytes: u64,
}

impl Shared {
    /// The file, once nobody else has it.
    fn take(self) -> Option<Counted> {
        let file = Arc::into_inner(self.0)?;
        Some(file.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Counted) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|counted| {
            let written = counted.file.write(bytes)?;
            counted.bytes += written as u64;
            Ok(written)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(|counted| counted.file.flush())
    }
}
