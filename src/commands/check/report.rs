//! Writing what became of a check: to standard output, and to the files that were
//! asked for.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Result;

use super::super::Context;
use crate::analysis::Judgement;
use crate::cli::{CheckArgs, FILES_OF_CHECKS, OF_CHECKS, OutputFormat};
use crate::error::CommandError;
use crate::export::check;
use crate::file::{Target, cannot};
use crate::render;
use crate::units;
use crate::{signals, terminal};

/// Where the report goes.
pub(super) enum Report {
    /// To standard output, in the format that was asked for.
    Output,
    /// To a file, beside the table on standard output.
    Junit(Target),
    /// Likewise as JSON.
    Json(Target),
}

impl Report {
    /// # Errors
    /// A format that checks do not have, and a file that cannot be written to.
    pub(super) fn new(context: &Context) -> Result<Self> {
        if let OutputFormat::File(path) = &context.flags.output {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("xml") => return Ok(Self::Junit(Target::create(path)?)),
                Some("json") => return Ok(Self::Json(Target::create(path)?)),
                _ => {
                    let refused = format!("`mlt check` has no `-o {}`", path.display());
                    return Err(CommandError::usage(refused).hint(FILES_OF_CHECKS).into());
                }
            }
        }
        context.formats("check", OF_CHECKS)?;
        Ok(Self::Output)
    }

    /// The files are written whatever becomes of standard output.
    ///
    /// # Errors
    /// Those of writing.
    pub(super) fn write(
        self,
        context: &Context,
        args: &CheckArgs,
        verdict: &Judgement,
    ) -> Result<()> {
        let format = match &self {
            Self::Output => &context.flags.output,
            Self::Junit(_) | Self::Json(_) => &OutputFormat::Table,
        };
        let printed = print(context, format, verdict);
        match self {
            Self::Output => {}
            Self::Junit(file) => write_file(file, |file| check::write_junit(file, verdict))?,
            Self::Json(file) => write_file(file, |file| check::write_json(file, verdict))?,
        }
        if let Some(path) = &args.summary {
            append(path, verdict)?;
        }
        context.note_left_out(printed?, "`-o json` has all");
        explain(context, args, format, verdict);
        Ok(())
    }
}

fn print(
    context: &Context,
    format: &OutputFormat,
    verdict: &Judgement,
) -> io::Result<render::LeftOut> {
    let mut out = context.terminal.output();
    let mut left_out = render::LeftOut::new();
    match format {
        OutputFormat::Json => check::write_json(out.data(), verdict)?,
        OutputFormat::Jsonl => check::write_lines(out.data(), verdict)?,
        OutputFormat::Junit => check::write_junit(out.data(), verdict)?,
        OutputFormat::Github => check::write_github(out.data(), verdict)?,
        _ => left_out = render::verdict::write(&mut out.text(), verdict, &context.layout())?,
    }
    out.finish()?;
    Ok(left_out)
}

/// Says on standard error why the check fails, where standard output does not say
/// it to people.
fn explain(context: &Context, args: &CheckArgs, format: &OutputFormat, verdict: &Judgement) {
    if let Some(problem) = render::verdict::problem(verdict) {
        context.fail(&problem);
        if verdict.problem == Some(crate::analysis::Problem::NoTraces) {
            context.remember_no_match(&args.selection.filter);
        }
        let hint = match verdict.problem {
            Some(crate::analysis::Problem::Unreadable) => "leave them out with --ignore-unreadable",
            Some(crate::analysis::Problem::InProgress) => {
                "wait for them with --wait 60s, or leave them out with --ignore-in-progress"
            }
            _ => "wait for the first with --wait 60s, or pass all the same with --allow-empty",
        };
        context.hint(hint);
    }
    if !verdict.in_progress.is_empty() && verdict.problem.is_none() {
        context.note_loss(&format!(
            "left out {} in progress",
            units::counted(verdict.in_progress.len(), "trace")
        ));
    }
    if verdict.failed() > 0 && *format != OutputFormat::Table {
        context.note(&render::verdict::summary(verdict));
    }
}

fn write_file(mut file: Target, write: impl Fn(&mut Target) -> io::Result<()>) -> Result<()> {
    write(&mut file)?;
    Ok(file.finish()?)
}

/// Adds the summary to the end of a file, which may have those of other steps. What
/// cannot be added whole is not there at all.
fn append(path: &Path, verdict: &Judgement) -> Result<()> {
    let mut text = Vec::new();
    check::write_markdown(&mut text, verdict)?;
    if path == Path::new("-") {
        return Ok(terminal::print(&text)?);
    }
    signals::watch();
    let append = || {
        let mut file = File::options().append(true).create(true).open(path)?;
        let before = file.metadata()?;
        let added = file.write_all(&text);
        if added.is_err() && before.is_file() {
            let _ = file.set_len(before.len());
        }
        added
    };
    append().map_err(|error| cannot("write", path, &error).into())
}
