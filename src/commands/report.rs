//! `mlt report`: traces as a page for a browser.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::Path;

use anyhow::Result;

use super::Context;
use super::gather::{Gathered, Need, gather};
use crate::analysis::analyse;
use crate::cli::{OutputFormat, ReportArgs};
use crate::error::{CommandError, Exit};
use crate::file::{self, Target};
use crate::render::NO_MATCH;
use crate::render::report::Page;
use crate::store::Detail;
use crate::units;

pub(super) fn run(context: &Context, args: &ReportArgs) -> Result<Exit> {
    match &context.flags.output {
        OutputFormat::File(path) if path == Path::new("-") => to_stdout(context, args),
        OutputFormat::File(path) if !is_page(path) => Err(refusal(&format!(
            "`mlt report` writes pages of HTML, and {} has another ending",
            path.display()
        ))),
        OutputFormat::File(path) => {
            let mut target = Target::create(path)?;
            let (page, gathered) = write(context, args, &mut target)?;
            target.finish()?;
            let traces = units::counted(page.traces(), "trace");
            context.note(&format!("wrote {traces} to {}", path.display()));
            finish(context, args, &page, gathered)
        }
        OutputFormat::Table if context.terminal.width.is_none() => to_stdout(context, args),
        OutputFormat::Table => Err(refusal("a page of HTML is not for a terminal")),
        other => Err(refusal(&format!("`mlt report` has no `-o {other}`"))),
    }
}

fn to_stdout(context: &Context, args: &ReportArgs) -> Result<Exit> {
    let mut out = context.terminal.output();
    let (page, gathered) = write(context, args, out.data())?;
    out.finish()?;
    finish(context, args, &page, gathered)
}

/// Whether a page is what people expect in a file of that name.
fn is_page(path: &Path) -> bool {
    path.extension().is_none_or(|extension| {
        ["html", "htm", "xhtml"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

fn refusal(message: &str) -> anyhow::Error {
    let error = CommandError::usage(message);
    error.hint("name a file, as in `-o report.html`").into()
}

/// Writes the page. The sections are kept in a file until what goes before them is known.
fn write(context: &Context, args: &ReportArgs, out: &mut dyn Write) -> Result<(Page, Gathered)> {
    let mut page = Page::new(args.max_chars);
    let mut sections =
        BufWriter::with_capacity(1 << 16, tempfile::tempfile().map_err(|error| kept(&error))?);
    let need = Need::with_spans(Detail::Whole);
    let mut gathered = gather(context, &args.selection, need, "fetching traces", |trace| {
        page.add(&mut sections, &analyse(&trace))
            .map_err(|error| kept(&error))?;
        Ok(())
    })?;
    if page.traces() == 0 {
        if let Some(error) = gathered.take_error() {
            return Err(error);
        }
        context.remember_no_match(&args.selection.filter);
        return Err(CommandError::new(Exit::NotFound, NO_MATCH)
            .hint("`mlt search` with the same filter shows what does")
            .into());
    }
    page.write_head(out, &missing(&gathered))?;
    let mut sections: File = sections
        .into_inner()
        .map_err(|error| kept(&error.into_error()))?;
    sections.rewind()?;
    io::copy(&mut sections, out)?;
    page.write_end(out)?;
    Ok((page, gathered))
}

/// An error of the file that sections are kept in.
fn kept(error: &io::Error) -> io::Error {
    file::told("keep the page in", &env::temp_dir(), error)
}

/// What the page lacks, for its readers.
fn missing(gathered: &Gathered) -> Vec<String> {
    let mut notes = Vec::new();
    if gathered.limited {
        let shown = units::counted(gathered.traces, "trace");
        notes.push(format!("more traces match than the {shown} shown here"));
    }
    let failures = gathered.failures.iter();
    notes.extend(failures.map(|(id, error)| format!("{id} is missing: {error}")));
    let unreadable = gathered.unreadable.iter();
    notes.extend(unreadable.map(|one| format!("could not be read: {one}")));
    notes
}

fn finish(context: &Context, args: &ReportArgs, page: &Page, gathered: Gathered) -> Result<Exit> {
    if page.cuts() > 0
        && let Some(max) = args.max_chars
    {
        context.note_loss(&format!(
            "{} cut to {} each",
            units::counted(page.cuts(), "text"),
            units::counted(max, "character")
        ));
    }
    gathered.finish(context)
}
