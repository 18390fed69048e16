//! Sending the trace of a command that has ended, without keeping anybody waiting for long; what
//! cannot be sent is kept in a folder, where there is one for that.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cli::RunArgs;
use crate::commands::Context;
use crate::commands::selection::living_experiment;
use crate::error::{CommandError, Exit};
use crate::export::JsonForm;
use crate::export::json::{self, TraceParts};
use crate::file;
use crate::model::Trace;
use crate::render::Style;
use crate::store::{self, Location, Put, PutMode};
use crate::terminal;
use crate::text::Clean;
use crate::units;

/// Says while the command runs that its trace has nowhere to go, if that is known before it ends.
/// The command does not wait for it, and may yet make the experiment. Gives the place of its id,
/// which need not be asked for again once it is known.
pub(super) fn foresee(
    context: &Context,
    args: &RunArgs,
    runs: &Arc<AtomicBool>,
) -> Arc<OnceLock<String>> {
    let found = Arc::default();
    let Some(name) = context.settings.experiments.first().cloned() else {
        return found;
    };
    let finds = Arc::clone(&found);
    let location = patient(&context.settings.location, args.wait.duration());
    let artifacts = context.settings.artifacts.clone();
    let fate = match &args.spool {
        Some(folder) => format!("kept in {}", folder.display()),
        None => "lost".to_owned(),
    };
    let color = context.terminal.error_color;
    let runs = Arc::clone(runs);
    let look = move || {
        let store = store::open_with(&location, &artifacts, None).ok()?;
        let error = match living_experiment(store.as_ref(), &name) {
            Ok(experiment) => return finds.set(experiment.id).ok(),
            Err(error) => error,
        };
        // Whatever else is wrong may be right when there is something to send.
        let told = error.downcast_ref::<CommandError>()?;
        if told.exit == Exit::NotFound && runs.load(Ordering::Relaxed) {
            let text = format!(
                "{told}: the trace of this command will be {fate}, unless that changes before it ends"
            );
            let style = Style::new(color).warning();
            terminal::tell(&Clean::line(text).labelled(style, "warning:").end());
        }
        Some(())
    };
    // Nobody waits for it.
    let _ = thread::Builder::new()
        .name("experiment".to_owned())
        .spawn(look);
    found
}

/// Sends the trace; what cannot be sent is kept in a folder, where there is one for that, and
/// said. The command has ended as it has, whatever becomes of its trace.
/// The experiment is looked up by its name, unless its id is known.
pub(super) fn keep(
    context: &Context,
    args: &RunArgs,
    trace: &Trace,
    experiment: Option<&String>,
    joins: bool,
) {
    let mut sent = trace.clone();
    let named = match experiment {
        Some(_) => {
            sent.info.experiment_id = experiment.cloned();
            None
        }
        None => context.settings.experiments.first(),
    };
    let Err(error) = send(context, sent, named, joins, args.wait.duration()) else {
        return;
    };
    // A part would be imported as a whole.
    let Some(folder) = args.spool.as_ref().filter(|_| !joins) else {
        context.warn(format!("the trace of this command is lost: {error}"));
        if !joins {
            context.hint("--spool DIR keeps what cannot be sent, and `mlt import DIR` sends it");
        }
        return;
    };
    match kept(folder, trace) {
        Ok(()) => context.warn(format!(
            "the trace of this command is kept in {}: {error}",
            folder.display()
        )),
        Err(second) => context.warn(format!(
            "the trace of this command is lost: {error}; and {second}"
        )),
    }
}

fn kept(folder: &Path, trace: &Trace) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("there is no folder {}", folder.display()))?;
    let path = folder.join(format!("{}.jsonl", trace.info.trace_id));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
        let mut out = std::io::BufWriter::new(file.as_file_mut());
        json::write_trace(&mut out, &TraceParts::whole(trace, None), JsonForm::Lines)?;
        out.flush()?;
        drop(out);
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|error| file::cannot("write", &path, &error).into())
}

/// Sends a trace, or a part of one, and waits for that no longer than so.
fn send(
    context: &Context,
    mut trace: Trace,
    named: Option<&String>,
    joins: bool,
    wait: Duration,
) -> Result<()> {
    let location = patient(&context.settings.location, wait);
    let artifacts = context.settings.artifacts.clone();
    let named = named.cloned();
    let (tell, told) = mpsc::channel();
    let work = move || -> Result<()> {
        let store = store::open_with(&location, &artifacts, None)?;
        let store = store.as_ref();
        if let Some(name) = &named {
            trace.info.experiment_id = Some(living_experiment(store, name)?.id);
        }
        if joins {
            return Ok(store.join(&trace)?);
        }
        store.can_put()?;
        store.try_put(&[trace], PutMode::Write, |id, result| match result? {
            Put::Taken => Ok(()),
            // Whoever has it would pass for this command.
            Put::Known => {
                let message = format!("there is another trace `{id}` already");
                Err(anyhow::Error::from(CommandError::new(
                    Exit::Condition,
                    message,
                )))
            }
        })
    };
    thread::Builder::new()
        .name("sending".to_owned())
        .spawn(move || tell.send(work()))?;
    if let Ok(outcome) = told.recv_timeout(wait) {
        outcome
    } else {
        let wait = units::duration(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX));
        Err(CommandError::new(Exit::Server, format!("no answer within {wait}")).into())
    }
}

/// The same place, asked once and for so long.
fn patient(location: &Location, wait: Duration) -> Location {
    match location {
        Location::Server(server) => {
            let mut server = server.clone();
            server.timeout = server.timeout.min(wait);
            server.max_time = server.max_time.min(wait);
            server.connect_timeout = server.connect_timeout.min(wait);
            server.retry.max_retries = 0;
            Location::Server(server)
        }
        other => other.clone(),
    }
}
