//! `mlt instrument`: the lines that make a program leave traces, for the place and the
//! experiment that the settings name. They are data, and go to standard output alone.

use anyhow::Result;

use super::selection::{experiment_ids, only_experiment};
use super::{Context, with_context};
use crate::capture::{FRAMEWORKS, Framework, Login, Place};
use crate::cli::{GlobalArgs, InstrumentArgs};
use crate::error::{CommandError, Exit};
use crate::model::Experiment;
use crate::settings::{Env, SettingsError};
use crate::store::{Credentials, Location};
use crate::terminal::Terminal;
use crate::text::{Clean, Sheet};
use crate::units::Fraction;

/// Where MLflow's server is, unless it was told to be elsewhere.
const USUAL: &str = "http://localhost:5000";
/// Lists what there are lines for.
fn list(out: &mut Sheet<'_>) -> Result<()> {
    let widest = FRAMEWORKS
        .iter()
        .map(|one| one.name.len())
        .max()
        .unwrap_or(0);
    for Framework { name, about, .. } in &FRAMEWORKS {
        out.line(format!("{name:widest$}  {about}"))?;
    }
    Ok(())
}

/// Prints the lines for the framework that was named. Where nothing says where traces are, they
/// are for a server in its usual place.
///
/// # Errors
/// A place that no such program can write to, an experiment that is not there.
pub(super) fn run(
    flags: &GlobalArgs,
    env: &Env,
    terminal: &Terminal,
    args: &InstrumentArgs,
) -> Result<Exit> {
    match with_context(flags, env, terminal, |context| print(context, args)) {
        Err(error) if is_nowhere(&error) => {
            let flags = GlobalArgs {
                tracking_uri: Some("demo:".into()),
                ..flags.clone()
            };
            with_context(&flags, env, terminal, |context| print(context, args))
        }
        outcome => outcome,
    }
}

fn is_nowhere(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<SettingsError>();
    matches!(error, Some(SettingsError::NoTrackingUri))
}

fn print(context: &Context, args: &InstrumentArgs) -> Result<Exit> {
    let mut out = context.terminal.output();
    let Some(framework) = args.framework.as_deref().and_then(Framework::named) else {
        list(&mut out.text())?;
        out.finish()?;
        return Ok(Exit::Success);
    };
    let place = place(context, args, framework)?;
    let lines = framework.kind.lines(&place);
    out.text().put(Clean::block(lines))?;
    out.finish()?;
    Ok(Exit::Success)
}

/// Where the traces are to go.
fn place(context: &Context, args: &InstrumentArgs, framework: &Framework) -> Result<Place> {
    let location = &context.settings.location;
    let speaks_otlp = framework.kind.needs_id();
    let (uri, login) = match location {
        Location::Server(connection) => {
            let mut base = connection.base.clone();
            // A login in a URI is a secret; programs read theirs from the environment.
            let _ = base.set_username("");
            let _ = base.set_password(None);
            let login = match connection.credentials {
                Some(Credentials::Basic { .. }) => Some(Login::Basic),
                Some(Credentials::Token(_)) => Some(Login::Token),
                None => None,
            };
            (base.as_str().trim_end_matches('/').to_owned(), login)
        }
        Location::Sqlite { path, .. } if !speaks_otlp => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            (format!("sqlite:///{}", path.display()), None)
        }
        Location::Mlruns(path) if !speaks_otlp => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            (path.display().to_string(), None)
        }
        // What is looked at here tells nothing of where programs write to.
        Location::Demo => {
            context.note(&format!("for a server at {USUAL}; -u names another place"));
            (USUAL.to_owned(), None)
        }
        other => {
            let what = if speaks_otlp {
                "OpenTelemetry's clients write to a server"
            } else {
                "programs write to a server or a SQLite database"
            };
            let message = format!("{what}, found {}", other.kind());
            let hint = format!("`mlflow server` starts one, which `-u {USUAL}` names");
            return Err(CommandError::usage(message).hint(hint).into());
        }
    };
    let experiment = only_experiment(context, "write to")?;
    // MLflow makes an experiment that is not there by its name; only ids are looked up.
    let id = match experiment {
        None => Experiment::DEFAULT_ID.to_owned(),
        Some(name) if speaks_otlp && !Experiment::is_id(name) => {
            let ids = experiment_ids(context.store()?, &context.settings.experiments)?;
            ids.into_iter().next().unwrap_or_default()
        }
        Some(name) => name.to_owned(),
    };
    Ok(Place {
        uri,
        login,
        experiment: experiment.map(str::to_owned),
        experiment_id: id,
        sample: args.sample.map(Fraction::get),
    })
}
