//! `mlt run`: a command as a trace, which is sent when the command has ended, or joins the trace
//! of the command that it runs in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json as object};
use tempfile::TempDir;

use super::selection::{experiment_ids, key_value};
use super::tag::check_tag;
use super::{Context, with_context};
use crate::capture::spool::{self, Record, Recorded, SPOOL};
use crate::capture::{Masks, Parent, TRACEPARENT, attributes, child, trace};
use crate::cli::{GlobalArgs, RunArgs};
use crate::error::{CommandError, Exit};
use crate::export::JsonForm;
use crate::export::json::{self, TraceParts};
use crate::file;
use crate::io_words::plain_io_reason;
use crate::model::{Timestamp, Trace};
use crate::settings::Env;
use crate::store::{self, Location, PutMode, StoreError};
use crate::terminal::Terminal;
use crate::units;

/// What a shell says of a command that is not there, and of one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;
/// The experiment that every store has.
const DEFAULT_EXPERIMENT: &str = "0";

/// The place of a command in a trace.
enum Place {
    /// Nobody keeps the trace.
    Unsampled(Parent),
    /// It runs within another, which gathers what belongs to the trace in this folder.
    Within {
        above: Parent,
        own: Parent,
        folder: String,
    },
    /// The trace is its own, but for the span of another program that it may run in.
    Outermost { above: Option<Parent>, own: Parent },
}

/// Runs the command. Where another one gathers what belongs to the trace, or nobody keeps it,
/// nothing has to say where traces are.
///
/// # Errors
/// A place that no trace can be written to, and tags that are none.
pub(super) fn run(
    flags: &GlobalArgs,
    env: &Env,
    terminal: &Terminal,
    args: &RunArgs,
) -> Result<Exit> {
    let place = place(args, env);
    if matches!(place, Place::Outermost { .. }) {
        return with_context(flags, env, terminal, |context| {
            check_place(context)?;
            run_at(context, args, env, place)
        });
    }
    let flags = GlobalArgs {
        tracking_uri: Some("demo:".into()),
        ..flags.clone()
    };
    with_context(&flags, env, terminal, |context| {
        run_at(context, args, env, place)
    })
}

fn run_at(context: &Context, args: &RunArgs, env: &Env, place: Place) -> Result<Exit> {
    let tags = tags(context, args)?;
    // The terminal is the command's from here on.
    context.terminal.end_progress();
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    match place {
        Place::Unsampled(own) => {
            command.env(TRACEPARENT, own.to_string()).env_remove(SPOOL);
            let outcome = outcome(&args.command[0], &mut command, false);
            Ok(end(&outcome))
        }
        Place::Within { above, own, folder } => {
            command.env(TRACEPARENT, own.to_string());
            let (outcome, recorded) = record(args, env, &own, Some(above.span), &mut command);
            if let Err(error) = spool::add(Path::new(&folder), &Record::Span(recorded)) {
                let reason = plain_io_reason(&error);
                context.warn(format!(
                    "this command is in no trace: cannot write to {folder}: {reason}"
                ));
            }
            Ok(end(&outcome))
        }
        Place::Outermost { above, own } => {
            // Its events and commands are lost without a folder, and the command runs all the same.
            let folder = TempDir::with_prefix("mlt-run-");
            command.env(TRACEPARENT, own.to_string());
            match &folder {
                Ok(folder) => command.env(SPOOL, folder.path()),
                Err(_) => command.env_remove(SPOOL),
            };
            tell_of_server(context, env, &mut command);
            let parent = above.map(|above| above.span);
            let (outcome, recorded) = record(args, env, &own, parent, &mut command);
            let gathered = folder
                .map(|folder| spool::gather(folder.path()))
                .unwrap_or_default();
            if gathered.left_out > 0 {
                let files = units::counted(gathered.left_out, "part");
                context.warn(format!(
                    "{files} of the trace cannot be read, and are left out"
                ));
            }
            let masks = masks(args, env);
            let mut records = gathered.records;
            for record in &mut records {
                record.hide(&masks);
            }
            let hidden = |(key, value): (String, String)| {
                let value = masks.value(&key, &value);
                (key, value)
            };
            let tags: Vec<(String, String)> = tags.into_iter().map(hidden).collect();
            keep(context, args, |experiment| {
                trace(&own.trace, recorded, records, experiment, &tags)
            });
            Ok(end(&outcome))
        }
    }
}

fn tags(context: &Context, args: &RunArgs) -> Result<Vec<(String, String)>> {
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for pair in &args.tags {
        let (key, value) = key_value("--tag", pair)?;
        check_tag(context, key, value)?;
        tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(tags.into_iter().collect())
}

/// What no trace can be written to is said before anything runs.
fn check_place(context: &Context) -> Result<()> {
    let found = match &context.settings.location {
        Location::Server(_) | Location::Sqlite { .. } => return one_experiment(context),
        Location::Mlruns(_) => "a folder",
        Location::File(_) => "a file",
        Location::Stdin => "standard input",
        Location::Demo => "the demo store",
    };
    let message =
        format!("expected a tracking server or a SQLite database to write to, found {found}");
    Err(CommandError::usage(message).into())
}

fn one_experiment(context: &Context) -> Result<()> {
    match context.settings.experiments.len() {
        0 | 1 => Ok(()),
        several => {
            let found = units::counted(several, "experiment");
            let message = format!("a trace goes to one experiment, found {found}");
            Err(CommandError::usage(message).into())
        }
    }
}

fn place(args: &RunArgs, env: &Env) -> Place {
    let above = env.get(TRACEPARENT).and_then(Parent::parse);
    let above = above.filter(|_| !args.root);
    match (above, env.get(SPOOL)) {
        (Some(above), _) if !above.sampled => Place::Unsampled(above.child()),
        (Some(above), Some(folder)) => Place::Within {
            own: above.child(),
            above,
            folder: folder.to_owned(),
        },
        (above, _) => {
            let mut own = above.as_ref().map_or_else(Parent::new, Parent::child);
            let share = args.sample.map_or(1.0, units::Fraction::get);
            own.sampled = above.is_some() || own.is_in(share);
            if own.sampled {
                Place::Outermost { above, own }
            } else {
                Place::Unsampled(own)
            }
        }
    }
}

/// Programs with OpenTelemetry send to the same server, where nobody told them otherwise. One that
/// wants a login is not named, since whoever prints the environment would print the login.
fn tell_of_server(context: &Context, env: &Env, command: &mut Command) {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const MLFLOW_BY_OTLP: &str = "MLFLOW_ENABLE_OTLP_EXPORTER";
    let elsewhere = [ENDPOINT, "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let Location::Server(server) = &context.settings.location else {
        return;
    };
    if elsewhere.iter().any(|name| env.get(name).is_some()) {
        return;
    }
    let experiment = match context.settings.experiments.first() {
        None => DEFAULT_EXPERIMENT,
        Some(id) if id.bytes().all(|byte| byte.is_ascii_digit()) => id,
        // Whoever asks for an id waits for the answer.
        Some(_) => return,
    };
    if server.credentials.is_some() {
        return;
    }
    let headers = format!("x-mlflow-experiment-id={experiment}");
    let base = server.base.as_str().trim_end_matches('/');
    command
        .env(ENDPOINT, format!("{base}/v1/traces"))
        .env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
        .env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", headers);
    // MLflow's own client has a better way to the server, and would leave it for this one.
    if env.get(MLFLOW_BY_OTLP).is_none() {
        command.env(MLFLOW_BY_OTLP, "false");
    }
}

fn masks(args: &RunArgs, env: &Env) -> Masks {
    Masks::new(args.mask.clone(), env.all())
}

/// Runs the command, and gives what there is to tell of it.
fn record(
    args: &RunArgs,
    env: &Env,
    own: &Parent,
    parent: Option<String>,
    command: &mut Command,
) -> (Outcome, Recorded) {
    let start = Timestamp::now();
    #[expect(
        clippy::disallowed_methods,
        reason = "it is asked what it is, and not written to"
    )]
    let watches = !std::io::stderr().is_terminal();
    let outcome = outcome(&args.command[0], command, watches);
    let end = Timestamp::now();
    let masks = masks(args, env);
    let words: Vec<String> = args
        .command
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words = masks.command(&words);
    let (failure, exit, tail) = match &outcome {
        Outcome::Ended(ended) => (
            failure(ended.status),
            exit(ended.status),
            ended.tail.as_deref(),
        ),
        Outcome::NotRun { code, reason } => {
            (Some(reason.clone()), object!({"exit_code": code}), None)
        }
    };
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| own_name(&args.command[0]));
    let mut all = attributes(&words, &args.span_type, &exit);
    if let Some(code) = exit.get("exit_code") {
        all.insert("process.exit.code".to_owned(), code.clone());
    }
    let recorded = Recorded {
        span_id: own.span.clone(),
        parent_id: parent,
        name: masks.text(&name),
        start_ns: start.nanos(),
        end_ns: end.nanos().max(start.nanos()),
        failure: failure.map(|failure| masks.text(&failure)),
        tail: tail.map(|tail| masks.text(tail)),
        attributes: all,
    };
    (outcome, recorded)
}

/// What became of the command.
enum Outcome {
    Ended(child::Ended),
    /// With an exit status all the same, as in a shell.
    NotRun {
        code: u8,
        reason: String,
    },
}

/// Ends as the command did.
fn end(outcome: &Outcome) -> Exit {
    Exit::OfCommand(match outcome {
        Outcome::Ended(ended) => child::end_like(ended.status),
        Outcome::NotRun { code, .. } => *code,
    })
}

fn outcome(program: &OsString, command: &mut Command, watches: bool) -> Outcome {
    match child::run(command, watches) {
        Ok(ended) => Outcome::Ended(ended),
        Err(error) => {
            let (code, reason) = match error.kind() {
                std::io::ErrorKind::NotFound => (NOT_FOUND, "there is no such command".to_owned()),
                _ => (NOT_RUN, plain_io_reason(&error)),
            };
            let said = format!("cannot run {}: {reason}", program.to_string_lossy());
            crate::terminal::tell(&crate::text::Clean::line(format!("error: {said}")).end());
            Outcome::NotRun { code, reason: said }
        }
    }
}

fn own_name(program: &OsString) -> String {
    let path = Path::new(program);
    let name = path.file_name().unwrap_or(program);
    name.to_string_lossy().into_owned()
}

fn failure(status: ExitStatus) -> Option<String> {
    match (status.success(), child::signal(status)) {
        (true, _) => None,
        (false, Some(signal)) => Some(signal),
        (false, None) => Some(format!("exit status {}", status.code().unwrap_or_default())),
    }
}

fn exit(status: ExitStatus) -> Value {
    match child::signal(status) {
        Some(signal) => object!({"signal": signal}),
        None => object!({"exit_code": status.code()}),
    }
}

/// Sends the trace; what cannot be sent is kept in a folder, where there is one for that, and
/// said. The command has ended as it has, whatever becomes of its trace.
fn keep(context: &Context, args: &RunArgs, trace: impl FnOnce(&str) -> Trace) {
    let experiment = context
        .settings
        .experiments
        .first()
        .map_or(DEFAULT_EXPERIMENT, String::as_str)
        .to_owned();
    let trace = trace(&experiment);
    let Err(error) = send(context, &experiment, trace.clone(), args.wait.duration()) else {
        return;
    };
    let Some(folder) = &args.spool else {
        context.warn(format!("the trace of this command is lost: {error}"));
        context.hint("--spool DIR keeps what cannot be sent, and `mlt import DIR` sends it");
        return;
    };
    match kept(folder, &trace) {
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

/// Sends a trace, and waits for that no longer than so.
fn send(context: &Context, experiment: &str, mut trace: Trace, wait: Duration) -> Result<()> {
    let location = patient(&context.settings.location, wait);
    let artifacts = context.settings.artifacts.clone();
    let named = vec![experiment.to_owned()];
    let (tell, told) = mpsc::channel();
    let work = move || -> Result<()> {
        let store = store::open_with(&location, &artifacts, None)?;
        let store = store.as_ref();
        trace.info.experiment_id = experiment_ids(store, &named)?.pop();
        store.can_put()?;
        store.try_put(
            &[trace],
            PutMode::Write,
            |_, result| -> Result<(), StoreError> { result.map(drop) },
        )?;
        Ok(())
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
