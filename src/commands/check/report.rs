//! Writing what became of a check: to standard output, and to the files that were
//! asked for.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::super::Context;
use super::super::target::cannot;
use crate::analysis::Judgement;
use crate::cli::{CheckArgs, FILES_OF_CHECKS, OF_CHECKS, OutputFormat};
use crate::error::CommandError;
use crate::export::check;
use crate::render;

/// Where the report goes.
pub(super) enum Report {
    /// To standard output, in the format that was asked for.
    Output,
    /// To a file, beside the table on standard output.
    Junit(PathBuf),
    /// Likewise as JSON.
    Json(PathBuf),
}

impl Report {
    /// # Errors
    /// A format that checks do not have.
    pub(super) fn new(context: &Context) -> Result<Self> {
        if let OutputFormat::File(path) = &context.flags.output {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("xml") => return Ok(Self::Junit(path.clone())),
                Some("json") => return Ok(Self::Json(path.clone())),
                _ => {
                    let refused = format!("`mlt check` has no `-o {}`", path.display());
                    return Err(CommandError::usage(refused).hint(FILES_OF_CHECKS).into());
                }
            }
        }
        context.formats("check", OF_CHECKS)?;
        Ok(Self::Output)
    }

    /// # Errors
    /// Those of writing.
    pub(super) fn write(
        &self,
        context: &Context,
        args: &CheckArgs,
        verdict: &Judgement,
    ) -> Result<()> {
        let mut out = context.terminal.output();
        let mut left_out = render::LeftOut::new();
        let format = match self {
            Self::Output => &context.flags.output,
            Self::Junit(_) | Self::Json(_) => &OutputFormat::Table,
        };
        match format {
            OutputFormat::Json => check::write_json(&mut out, verdict)?,
            OutputFormat::Jsonl => check::write_lines(&mut out, verdict)?,
            OutputFormat::Junit => check::write_junit(&mut out, verdict)?,
            OutputFormat::Github => check::write_github(&mut out, verdict)?,
            _ => left_out = render::verdict::write(&mut out, verdict, &context.layout())?,
        }
        out.finish()?;
        match self {
            Self::Output => {}
            Self::Junit(path) => write_file(path, |text| check::write_junit(text, verdict))?,
            Self::Json(path) => write_file(path, |text| check::write_json(text, verdict))?,
        }
        if let Some(path) = &args.summary {
            append(path, verdict)?;
        }
        context.note_left_out(left_out, "`-o json` has all");
        explain(context, args, format, verdict);
        Ok(())
    }
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
            render::number::counted(verdict.in_progress.len(), "trace")
        ));
    }
    if verdict.failed() > 0 && *format != OutputFormat::Table {
        context.note(&render::verdict::summary(verdict));
    }
}

fn write_file(path: &Path, write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> Result<()> {
    let mut text = Vec::new();
    write(&mut text)?;
    fs::write(path, text).map_err(|error| cannot("write", path, &error).into())
}

/// Adds the summary to the end of a file, which may have those of other steps.
fn append(path: &Path, verdict: &Judgement) -> Result<()> {
    let mut text = Vec::new();
    check::write_markdown(&mut text, verdict)?;
    File::options()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(&text))
        .map_err(|error| cannot("write", path, &error).into())
}
