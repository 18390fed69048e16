//! `mlt run`: a command as a trace, which is sent when the command has ended, or joins the trace
//! of the command that it runs in.

mod handed;
mod sending;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use serde_json::{Value, json as object};
use tempfile::TempDir;

use self::handed::Handed;
use self::sending::{foresee, keep};
use super::selection::{key_value, only_experiment};
use super::tag::check_tag;
use super::{Context, with_context};
use crate::capture::spool::{self, Record, Recorded, SPOOL};
use crate::capture::{Masks, Parent, TRACEPARENT, attributes, child, trace};
use crate::cli::{GlobalArgs, RunArgs};
use crate::error::{CommandError, Exit};
use crate::io_words::plain_io_reason;
use crate::model::{Experiment, Timestamp};
use crate::settings::{Env, RealDisk, Settings};
use crate::store::Location;
use crate::terminal::{self, Terminal};
use crate::text::Clean;
use crate::units;

/// What a shell says of a command that is not there, and of one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;
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
    let names_experiment = !flags.experiments.is_empty();
    let flags = &handed::taken_over(flags, env);
    if matches!(place, Place::Outermost { .. }) {
        return with_context(flags, env, terminal, |context| {
            check_place(context)?;
            let handed = Handed::of(flags, &context.settings);
            run_at(context, args, env, place, &handed)
        });
    }
    let settings = Settings::resolve(&flags.settings(), env, &RealDisk);
    let handed = settings.map_or_else(|_| Handed::default(), |known| Handed::of(flags, &known));
    let flags = GlobalArgs {
        tracking_uri: Some("demo:".into()),
        ..flags.clone()
    };
    with_context(&flags, env, terminal, |context| {
        if names_experiment && matches!(place, Place::Within { .. }) {
            leave_out(context, "-x");
        }
        run_at(context, args, env, place, &handed)
    })
}

fn run_at(
    context: &Context,
    args: &RunArgs,
    env: &Env,
    place: Place,
    handed: &Handed,
) -> Result<Exit> {
    let tags = tags(context, args)?;
    // The terminal is the command's from here on.
    context.terminal.end_progress();
    let masks = || Masks::new(args.mask.clone(), env.all());
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    handed.tell(&mut command);
    let outcome = match place {
        Place::Unsampled(own) => {
            command.env(TRACEPARENT, own.to_string()).env_remove(SPOOL);
            outcome(&args.command[0], &mut command, false)
        }
        Place::Within { above, own, folder } => {
            if !tags.is_empty() {
                leave_out(context, "--tag");
            }
            command.env(TRACEPARENT, own.to_string());
            let ran = run_timed(args, &mut command);
            let recorded = ran.recorded(args, &masks(), own, Some(above));
            if let Err(error) = spool::add(Path::new(&folder), &Record::Span(recorded)) {
                let reason = plain_io_reason(&error);
                context.warn(format!(
                    "this command is in no trace: cannot write to {folder}: {reason}"
                ));
            }
            ran.outcome
        }
        Place::Outermost { above, own } => {
            let (above, own) = begin(context, above, own);
            let joins = above.is_some();
            if joins && !tags.is_empty() {
                leave_out(context, "--tag");
            }
            let folder = TempDir::with_prefix("mlt-run-");
            command.env(TRACEPARENT, own.to_string());
            match &folder {
                Ok(folder) => command.env(SPOOL, folder.path()),
                Err(error) => {
                    let reason = plain_io_reason(error);
                    context.warn(format!(
                        "what runs within this command is not in its trace: there is no folder for it: {reason}"
                    ));
                    command.env_remove(SPOOL).env_remove(TRACEPARENT)
                }
            };
            tell_of_server(context, env, &mut command);
            let runs = Arc::new(AtomicBool::new(true));
            let found = foresee(context, args, &runs);
            let ran = run_timed(args, &mut command);
            runs.store(false, Ordering::Relaxed);
            let mut gathered = folder
                .map(|folder| spool::gather(folder.path()))
                .unwrap_or_default();
            if gathered.left_out > 0 {
                let files = units::counted(gathered.left_out, "part");
                context.warn(format!(
                    "{files} of the trace cannot be read, and are left out"
                ));
            }
            let masks = masks();
            for record in &mut gathered.records {
                record.hide(&masks);
            }
            let hidden = |(key, value): (String, String)| {
                let value = masks.value(&key, &value);
                (key, value)
            };
            let tags: Vec<(String, String)> = tags.into_iter().map(hidden).collect();
            let id = own.trace.clone();
            let recorded = ran.recorded(args, &masks, own, above);
            let experiment = context.settings.experiments.first();
            let experiment = experiment.map_or(Experiment::DEFAULT_ID, String::as_str);
            let trace = trace(&id, recorded, gathered.records, experiment, &tags);
            keep(context, args, &trace, found.get(), joins);
            ran.outcome
        }
    };
    Ok(end(&outcome))
}

fn leave_out(context: &Context, flag: &str) {
    context.warn(format!(
        "{flag} is left out: it is about a trace, and this command is a part of one that is \
         begun elsewhere; --root begins one here"
    ));
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
    match &context.settings.location {
        Location::Server(_) | Location::Sqlite { .. } => {
            only_experiment(context, "write to").map(drop)
        }
        other => {
            let expected = "expected a tracking server or a SQLite database to write to";
            let message = format!("{expected}, found {}", other.kind());
            Err(CommandError::usage(message).into())
        }
    }
}

/// A part of a trace that another program begins can join it on a server alone.
fn begin(context: &Context, above: Option<Parent>, own: Parent) -> (Option<Parent>, Parent) {
    if above.is_none() || context.settings.location.is_far() {
        return (above, own);
    }
    let place = context.settings.location.kind();
    context.note(&format!(
        "{place} takes in no parts of traces that are begun elsewhere: this command begins its own"
    ));
    (None, Parent::new())
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
        None => Experiment::DEFAULT_ID,
        Some(id) if Experiment::is_id(id) => id,
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

/// A command that ran.
struct Ran {
    outcome: Outcome,
    start: Timestamp,
    end: Timestamp,
}

fn run_timed(args: &RunArgs, command: &mut Command) -> Ran {
    let start = Timestamp::now();
    #[expect(
        clippy::disallowed_methods,
        reason = "it is asked what it is, and not written to"
    )]
    let watches = !std::io::stderr().is_terminal();
    let outcome = outcome(&args.command[0], command, watches);
    let end = Timestamp::now();
    Ran {
        outcome,
        start,
        end,
    }
}

impl Ran {
    /// What there is to tell of it.
    fn recorded(
        &self,
        args: &RunArgs,
        masks: &Masks,
        own: Parent,
        above: Option<Parent>,
    ) -> Recorded {
        let words = args.command.iter();
        let words: Vec<String> = words
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let words = masks.command(&words);
        let (failure, exit, tail) = match &self.outcome {
            Outcome::Ended(ended) => (
                failure(ended.status),
                exit(ended.status),
                ended.tail.as_deref(),
            ),
            Outcome::NotRun { code, reason } => {
                (Some(reason.clone()), object!({"exit_code": code}), None)
            }
        };
        let name = args.name.clone();
        let name = name.unwrap_or_else(|| own_name(&args.command[0]));
        let start_ns = self.start.nanos();
        Recorded {
            span_id: own.span,
            parent_id: above.map(|above| above.span),
            name: masks.text(&name),
            start_ns,
            end_ns: self.end.nanos().max(start_ns),
            failure: failure.map(|failure| masks.text(&failure)),
            tail: tail.map(|tail| masks.text(tail)),
            attributes: attributes(&words, &args.span_type, &exit),
        }
    }
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
            terminal::tell(&Clean::line(format!("error: {said}")).end());
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
