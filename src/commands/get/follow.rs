//! Waiting until traces have finished, and drawing one meanwhile on the terminal, as far
//! as it goes.

use std::cell::Cell;
use std::time::Duration;

use anyhow::Result;

use super::printer::options_of;
use super::{Chosen, matching};
use crate::analysis::analyse;
use crate::cli::{GetArgs, OutputFormat};
use crate::commands::waiting::{self, LONGEST_PAUSE, Patience};
use crate::commands::{Context, resolve};
use crate::error::{CommandError, Exit};
use crate::model::{Detail, Trace, TraceState};
use crate::render::{self, Style};
use crate::store::{StoreError, TraceRefs, Want};
use crate::terminal;
use crate::text::Sheet;
use crate::text::width::width;
use crate::units::{self, Period};

/// Between two pictures of a trace.
const PICTURE: Duration = Duration::from_secs(1);

/// Waits until the traces are there and have finished, and gives them.
///
/// # Errors
/// That they have not in time, and those of finding them.
pub(super) fn until_finished(context: &Context, args: &GetArgs, searches: bool) -> Result<Chosen> {
    let words = resolve::words(context, &args.traces)?;
    let mut picture = Picture::asked_for(context, args);
    let time = args.wait.map_or(Duration::MAX, Period::duration);
    let patience = Patience {
        time,
        pause: if picture.is_some() {
            PICTURE
        } else {
            LONGEST_PAUSE
        },
    };
    // Once found, they stay the same.
    let mut found: Option<Chosen> = None;
    let has_looked = Cell::new(false);
    // Gives one that has not finished.
    let looked = waiting::until(
        context,
        patience,
        "traces to arrive and to finish",
        || {
            let known = found.take();
            let is_known = known.is_some();
            let chosen = match known {
                Some(chosen) => chosen,
                None if searches => matching(context, args)?,
                None => resolve::trace_ids(context, &words)?.into(),
            };
            let open = look(context, &chosen.ids, &mut picture);
            found = Some(chosen).filter(|_| is_known || open.is_ok());
            has_looked.set(is_known || open.is_ok());
            open
        },
        |looked| match looked {
            Ok(open) => open.is_none(),
            Err(error) => {
                !(resolve::is_missing(error) || has_looked.get() && waiting::may_pass(error))
            }
        },
    );
    if let Some(picture) = &mut picture {
        picture.erase()?;
    }
    match looked? {
        None => Ok(found.unwrap_or_default()),
        Some(id) => {
            let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
            let message = format!(
                "trace {id} is still in progress after {}",
                units::duration(nanos)
            );
            let hint = "without --wait it is shown as far as it goes";
            Err(CommandError::new(Exit::Condition, message)
                .hint(hint)
                .into())
        }
    }
}

/// Gives one that has not finished.
fn look(
    context: &Context,
    ids: &[String],
    picture: &mut Option<Picture<'_>>,
) -> Result<Option<String>> {
    let want = match picture {
        Some(_) => Want::spans(Detail::Events),
        None => Want::INFO,
    };
    let mut open = None;
    let named = TraceRefs::Ids(ids.to_vec());
    context.store()?.try_fetch_all(named, want, |id, trace| {
        let trace = match trace {
            Ok(trace) => trace,
            Err(error @ StoreError::UnknownTrace { .. }) => return Err(error.into()),
            // What is wrong with it is said when it is shown.
            Err(error) if error.is_about_one_trace() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if trace.info.state == TraceState::InProgress {
            open.get_or_insert_with(|| id.to_owned());
            if let Some(picture) = picture {
                picture.draw(&trace)?;
            }
        }
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(open)
}

/// A trace on the screen.
struct Picture<'a> {
    context: &'a Context<'a>,
    args: &'a GetArgs,
    /// What is there now, and how many lines of the screen it takes.
    text: Vec<u8>,
    rows: usize,
}

impl<'a> Picture<'a> {
    /// Where a trace is followed on a screen, and shown as its tree.
    fn asked_for(context: &'a Context<'a>, args: &'a GetArgs) -> Option<Self> {
        let is_tree = context.flags.output == OutputFormat::Table
            && args.columns.is_empty()
            && args.span.is_none()
            && !(args.chat || args.tools || args.link);
        (args.follow && is_tree && context.terminal.draws()).then(|| Self {
            context,
            args,
            text: Vec::new(),
            rows: 0,
        })
    }

    fn draw(&mut self, trace: &Trace) -> Result<()> {
        let report = analyse(trace);
        let layout = self.context.layout();
        let written = |style: Style| -> Result<Vec<u8>> {
            let mut text = Vec::new();
            let layout = render::Layout { style, ..layout };
            let options = options_of(self.args);
            render::trace::write(&mut Sheet::new(&mut text), &report, &options, &layout)?;
            Ok(text)
        };
        let (text, plain) = (written(layout.style)?, written(Style::new(false))?);
        if text == self.text {
            return Ok(());
        }
        // Only the end of what does not fit on the screen can be drawn anew.
        let columns = layout.width.unwrap_or(usize::MAX).max(1);
        let plain = String::from_utf8_lossy(&plain);
        let taken = |line: &str| width(line).div_ceil(columns).max(1);
        let mut rows = 0;
        let fitting = plain.lines().rev().map(taken).take_while(|taken| {
            rows += taken;
            rows < terminal::height()
        });
        let fitting: Vec<usize> = fitting.collect();
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let shown = lines[lines.len().saturating_sub(fitting.len())..].concat();
        self.erase()?;
        let mut out = self.context.terminal.streaming();
        out.data().write_all(&shown)?;
        out.finish()?;
        self.rows = fitting.iter().sum();
        self.text = text;
        Ok(())
    }

    /// Takes it away, and leaves the cursor where it began.
    fn erase(&mut self) -> Result<()> {
        if self.rows > 0 {
            let mut out = self.context.terminal.streaming();
            write!(out.data(), "\r\x1b[{}A\x1b[J", self.rows)?;
            out.finish()?;
        }
        self.rows = 0;
        self.text.clear();
        Ok(())
    }
}
