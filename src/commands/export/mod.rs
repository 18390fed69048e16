//! `mlt export`: traces for other tools, to standard output, into a file, or
//! into a folder with a file for each trace.

mod names;
mod parts;
mod resume;

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use self::names::Names;
use self::resume::Held;
use super::gather::{Gathered, Need, gather, gather_unknown};
use super::{Context, columns};
use crate::cli::{ExportArgs, OF_EXPORTS, OutputFormat};
use crate::error::{CommandError, Exit};
use crate::export::format::{Begin, Losses, Out};
use crate::export::{Chosen, Document, End, Format, Order, What, file_name, registry};
use crate::file::{Claim, Existing, Ledger, Part, Place, Target, Way, cannot};
use crate::model::Trace;
use crate::signals::AtEnd;
use crate::table::Column;
use crate::table::rows::spans::spans;
use crate::table::rows::traces::traces;
use crate::terminal::Output;
use crate::units;

const MESSAGE: &str = "exporting";
/// So many files of a folder wait for each other to be complete on the disk,
const MOST_WAITING: usize = 64;
/// and not longer than this, since an interrupt removes them.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

pub(super) fn run(context: &Context, args: &ExportArgs) -> Result<Exit> {
    let export = Export::of(context, args)?;
    match args.to.as_deref() {
        Some(path) if export.is_in_parts() => {
            if !is_folder(path) {
                let refused = format!(
                    "parts are files of a folder, and {} is none",
                    path.display()
                );
                let hint = format!(
                    "name the folder with a / behind it: --to {}/",
                    path.display()
                );
                return Err(CommandError::usage(refused).hint(hint).into());
            }
            let _told = export.note_folder_at_end(path);
            export.to_parts(path)
        }
        None => export.to_stdout(),
        Some(path) if path == Path::new("-") => export.to_stdout(),
        Some(path) if is_folder(path) => {
            let _told = export.note_folder_at_end(path);
            export.to_folder(path)
        }
        Some(path) => export.to_file(path),
    }
}

fn of_part(part: &Path) -> String {
    let part = part.display();
    format!("what was fetched is in {part}; --resume goes on with it")
}

/// Whether a path is meant as a folder.
fn is_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    text.ends_with(b"/")
        || text.ends_with(std::path::MAIN_SEPARATOR_STR.as_bytes())
        || path.is_dir()
}

/// An export in preparation.
struct Export<'a> {
    context: &'a Context<'a>,
    args: &'a ExportArgs,
    format: &'static Format,
    begin: Begin,
    what: What,
    columns: Chosen,
}

impl<'a> Export<'a> {
    fn of(context: &'a Context<'a>, args: &'a ExportArgs) -> Result<Self> {
        let format = wanted(context, args)?;
        let begin = format.begin.map_err(|lacks| not_built(format, lacks))?;
        let (name, what) = (format.name, args.what);
        if what == What::Traces && !format.has_traces_alone() {
            return Err(CommandError::usage(format!(
                "`-o {name}` is made of spans and has no `--what traces`"
            ))
            .hint(told(Format::has_traces_alone))
            .into());
        }
        let columns = chosen(args, what)?;
        if !args.columns.is_empty() && !format.has_columns {
            return Err(
                CommandError::usage(format!("`-o {name}` has no columns to choose from"))
                    .hint(format!(
                        "{}; of JSON, `mlt get -o jsonl --columns` writes rows",
                        told(|format| format.has_columns)
                    ))
                    .into(),
            );
        }
        Ok(Self {
            context,
            args,
            format,
            begin,
            what,
            columns,
        })
    }

    fn need(&self) -> Need {
        match self.what {
            What::Traces => Need {
                spans: self.columns.traces.iter().filter_map(Column::detail).max(),
                ..Need::INFO
            },
            What::Spans => Need::with_spans(self.format.spans),
        }
    }

    fn names(&self) -> Names<'a> {
        Names::new(self.context, self.format.name)
    }

    fn begin<'o>(&self, out: Out<'o>, of_one: bool) -> io::Result<Box<dyn Document + 'o>> {
        let order = Order {
            what: self.what,
            columns: &self.columns,
            of_one,
        };
        (self.begin)(out, &order)
    }

    fn to_stdout(&self) -> Result<Exit> {
        if self.args.resume || self.args.force {
            return Err(CommandError::usage("--resume and --force need a file or folder").into());
        }
        if self.format.is_binary && self.context.terminal.width.is_some() {
            let name = self.format.name;
            return Err(CommandError::usage(format!(
                "`-o {name}` is binary and not for a terminal"
            ))
            .hint("write it into a file with --to FILE")
            .into());
        }
        let mut out = self.context.terminal.output();
        let (gathered, losses) = self.write_into(&mut out)?;
        out.finish()?;
        self.note_losses(&losses);
        self.note_no_match(&gathered);
        gathered.finish(self.context)
    }

    fn note_no_match(&self, gathered: &Gathered) {
        if gathered.traces + gathered.skipped == 0 && !gathered.is_short() {
            self.context.note_no_match(&self.args.selection.filter);
        }
    }

    fn write_into(&self, out: &mut Output) -> Result<(Gathered, Losses)> {
        // Nothing is written before the first trace is there.
        let mut document = Lazy::Out(out);
        let mut names = self.names();
        let gathered = gather(
            self.context,
            &self.args.selection,
            self.need(),
            MESSAGE,
            |mut trace| {
                names.tell(&mut trace.info)?;
                Ok(document.get(self)?.push(&trace)?)
            },
        )?;
        if !gathered.is_short() {
            document.get(self)?;
        }
        let losses = match document {
            Lazy::Document(document) => document.finish(&end(&gathered))?,
            Lazy::Out(_) | Lazy::Broken => Losses::default(),
        };
        Ok((gathered, losses))
    }

    fn to_file(&self, target: &Path) -> Result<Exit> {
        let place = Place::find(target)?;
        if place.is_stdout() {
            return self.to_stdout();
        }
        if place.is_stream() {
            return self.to_stream(target, place);
        }
        let is_kept = self.format.resumes;
        if self.args.resume && !is_kept {
            let name = self.format.name;
            return Err(CommandError::usage(format!(
                "a file of `-o {name}` cannot be gone on with"
            ))
            .hint("use `-o jsonl`, or a file for each trace with --to FOLDER/")
            .into());
        }
        self.check_free(&place, is_kept)?;
        let way = if self.args.resume {
            Way::GoOn
        } else if self.args.force {
            Way::Anew
        } else {
            Way::New
        };
        let of = resume::description(self.context, self.args, self.format.name);
        let (claim, part) = Claim::lay(&place, &of, way, is_kept)?;
        // Another export may have come to its end in between.
        let place = Place::find(target)?;
        self.check_free(&place, is_kept)?;
        let (mut file, held) = self.open(&claim, part, place, is_kept)?;
        let kept = claim.part().to_owned();
        let _told = self
            .context
            .note_at_end(of_part(&kept), move || kept.exists());

        let written = self.write_file(&mut file, &held);
        let (gathered, losses) = match written {
            Ok(written) => written,
            Err(error) => {
                // Only now is it known whether anything is left of it.
                drop(file);
                self.note_part(claim);
                return Err(error);
            }
        };
        if gathered.traces + gathered.skipped == 0 && gathered.is_short() {
            return gathered.finish(self.context);
        }
        file.finish_claimed(claim)?;
        self.note_losses(&losses);
        self.note_written(&gathered, gathered.traces, target, "");
        gathered.finish(self.context)
    }

    /// A device or a pipe.
    fn to_stream(&self, target: &Path, place: Place) -> Result<Exit> {
        if self.args.resume {
            let target = target.display();
            let message = format!("{target} is a device or pipe, which cannot be gone on with");
            return Err(CommandError::usage(message).into());
        }
        let mut file = Target::at(place, Existing::Kept)?;
        let (gathered, losses) = self.write_file(&mut file, &Held::default())?;
        file.finish()?;
        self.note_losses(&losses);
        self.note_written(&gathered, gathered.traces, target, "");
        gathered.finish(self.context)
    }

    /// The file to write, with what it holds already.
    fn open(
        &self,
        claim: &Claim,
        part: Part,
        place: Place,
        is_kept: bool,
    ) -> Result<(Target, Held)> {
        if !is_kept {
            return Ok((Target::at(place, claim.existing())?, Held::default()));
        }
        if part == Part::Begun {
            let file = claim.open_part()?;
            let (file, held) = resume::read_to_go_on(file, claim.part(), self.what)?;
            return Ok((claim.go_on(place, file), held));
        }
        let held = if self.args.resume && place.is_file() {
            let file = fs::File::open(place.real());
            let file = file.map_err(|error| cannot("read", place.real(), &error))?;
            resume::read(file, place.real(), self.what)?
        } else {
            Held::default()
        };
        Ok((claim.begin(place, held.bytes)?, held))
    }

    fn write_file(&self, file: &mut Target, held: &Held) -> Result<(Gathered, Losses)> {
        let mut document = self.begin(Box::new(file), false)?;
        let mut names = self.names();
        let gathered = gather_unknown(
            self.context,
            &self.args.selection,
            self.need(),
            MESSAGE,
            &|id| held.ids.contains(id),
            |mut trace| {
                names.tell(&mut trace.info)?;
                Ok(document.push(&trace)?)
            },
        )?;
        let losses = document.finish(&end(&gathered))?;
        Ok((gathered, losses))
    }

    fn write_one(&self, file: &mut Target, trace: &Trace) -> io::Result<Losses> {
        let mut document = self.begin(Box::new(file), true)?;
        document.push(trace)?;
        document.finish(&End::default())
    }

    fn to_folder(&self, folder: &Path) -> Result<Exit> {
        if Ledger::is_in(folder) {
            let refused = format!("{} holds an export in parts", folder.display());
            return Err(CommandError::usage(refused)
                .hint(
                    "go on with it with --rows-per-file or --partition-by, or name another folder",
                )
                .into());
        }
        let extension = self.format.extension();
        let target = |id: &str| folder.join(file_name(id, extension));
        let existing = if self.args.force {
            Existing::Replaced
        } else {
            Existing::Kept
        };
        let mut losses = Losses::default();
        let mut waiting = Waiting::default();
        let mut is_there = false;
        let mut names = self.names();
        let write = |mut trace: Trace| -> Result<()> {
            names.tell(&mut trace.info)?;
            if !is_there {
                let made = fs::create_dir_all(folder);
                made.map_err(|error| cannot("make", folder, &error))?;
                is_there = true;
            }
            let place = Place::find_file(&target(&trace.info.trace_id))?;
            let mut file = Target::at(place, existing)?;
            losses += self.write_one(&mut file, &trace)?;
            Ok(waiting.add(file)?)
        };
        let gathered = gather_unknown(
            self.context,
            &self.args.selection,
            self.need(),
            MESSAGE,
            &|id| !self.args.force && fs::symlink_metadata(target(id)).is_ok(),
            write,
        );
        // What was written before an error stays.
        Target::finish_all(waiting.files)?;
        let gathered = gathered?;
        self.note_losses(&losses);
        self.note_written(&gathered, gathered.traces, folder, "");
        gathered.finish(self.context)
    }

    /// Nothing is overwritten that may still be wanted.
    fn check_free(&self, place: &Place, is_kept: bool) -> Result<()> {
        if !place.is_file() || self.args.force || self.args.resume {
            return Ok(());
        }
        let named = place.named().display();
        let error = CommandError::usage(format!("{named} exists already"));
        let hint = if is_kept {
            "go on with it with --resume, or write anew with --force"
        } else {
            "overwrite it with --force"
        };
        Err(error.hint(hint).into())
    }

    /// An error of the store does not undo what was written before.
    fn note_part(&self, claim: Claim) {
        let part = claim.part().to_owned();
        drop(claim);
        if part.exists() {
            self.context.note(&of_part(&part));
        }
    }

    /// Says of a folder that was being written what the same command does about it.
    fn note_folder_at_end(&self, folder: &Path) -> Option<AtEnd> {
        let text = format!(
            "what is complete is in {}; the same command adds what is missing",
            folder.display()
        );
        let folder = folder.to_owned();
        let is_there = move || fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some());
        let is_added_to = !self.args.force;
        let text = is_added_to.then_some(text);
        text.and_then(|text| self.context.note_at_end(text, is_there))
    }

    fn note_losses(&self, losses: &Losses) {
        for sentence in losses.sentences() {
            self.context.note_loss(&sentence);
        }
    }

    fn note_written(&self, gathered: &Gathered, written: usize, target: &Path, files: &str) {
        self.note_no_match(gathered);
        let there = match gathered.skipped {
            0 => String::new(),
            1 => "; 1 trace was there already".to_owned(),
            n => format!("; {} were there already", units::counted(n, "trace")),
        };
        self.context.note(&format!(
            "wrote {} to {}{files}{there}",
            units::counted(written, "trace"),
            target.display()
        ));
    }
}

/// Files of a folder that get their names together, before long.
#[derive(Default)]
struct Waiting {
    files: Vec<Target>,
    since: Option<Instant>,
}

impl Waiting {
    fn add(&mut self, file: Target) -> io::Result<()> {
        self.files.push(file);
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.files.len() < MOST_WAITING && since.elapsed() < LONGEST_WAIT {
            return Ok(());
        }
        self.since = None;
        Target::finish_all(std::mem::take(&mut self.files))
    }
}

/// A document that is begun when it is first needed.
enum Lazy<'a> {
    Out(&'a mut Output),
    Document(Box<dyn Document + 'a>),
    /// It could not be begun.
    Broken,
}

impl<'a> Lazy<'a> {
    fn get(&mut self, export: &Export<'_>) -> io::Result<&mut (dyn Document + 'a)> {
        *self = match std::mem::replace(self, Self::Broken) {
            Self::Out(out) => Self::Document(export.begin(Box::new(out.data()), false)?),
            begun => begun,
        };
        match self {
            Self::Document(document) => Ok(document.as_mut()),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

fn end(gathered: &Gathered) -> End<'_> {
    End {
        truncated: gathered.truncated(),
        unreadable: &gathered.unreadable,
    }
}

/// The columns that were asked for.
fn chosen(args: &ExportArgs, what: What) -> Result<Chosen> {
    let mut columns = Chosen::default();
    match what {
        What::Spans => {
            if let Some(chosen) = columns::chosen(&args.columns, &spans())? {
                columns.spans = chosen;
            }
        }
        What::Traces => {
            if let Some(chosen) = columns::chosen(&args.columns, &traces())? {
                columns.traces = chosen;
            }
        }
    }
    Ok(columns)
}

/// The format that `-o` names, else that of the file's ending.
fn wanted(context: &Context, args: &ExportArgs) -> Result<&'static Format> {
    if context.flags.output != OutputFormat::Table {
        context.formats("export", &OF_EXPORTS)?;
        let format = context.flags.output.export();
        return format.ok_or_else(|| context.no_such_format("export", &OF_EXPORTS));
    }
    let path = args.to.as_deref().filter(|path| !is_folder(path));
    let name = path.and_then(|path| path.file_name()?.to_str());
    let name = name.unwrap_or_default();
    if let Some(format) = registry::by_ending(name) {
        return Ok(format);
    }
    let error = CommandError::usage("expected a format with -o, found none");
    let ending = name.rsplit('.').next().unwrap_or_default();
    if ["html", "htm"].contains(&ending.to_ascii_lowercase().as_str()) {
        let error = error.hint("`mlt report` writes pages: mlt report --all -o report.html");
        return Err(error.into());
    }
    let names = quoted(|_| true);
    Err(error.hint(format!("there are {}", names.join(", "))).into())
}

/// The names of the formats that have something, to be told.
fn quoted(has: fn(&Format) -> bool) -> Vec<String> {
    let names = registry::names(has).into_iter();
    names.map(|name| format!("`{name}`")).collect()
}

/// The same in words.
fn told(has: fn(&Format) -> bool) -> String {
    let mut names = quoted(has);
    match names.pop() {
        Some(last) if names.is_empty() => format!("{last} has it"),
        Some(last) => format!("{} and {last} have it", names.join(", ")),
        None => "no format has it".to_owned(),
    }
}

fn not_built(format: &Format, lacks: &str) -> CommandError {
    let feature = format.name;
    CommandError::usage(format!("this mlt was built without {lacks}")).hint(format!(
        "build it with `cargo install mlt-cli --features {feature}`"
    ))
}
