//! The page of a trace in MLflow's UI.

use anyhow::Result;

use super::Context;
use super::gather::fail_with;
use super::resolve::Failures;
use crate::error::{CommandError, Exit};
use crate::model::TraceInfo;
use crate::store::Location;

/// The address, where the traces are on a server of MLflow.
pub(super) fn of(context: &Context, info: &TraceInfo) -> Option<String> {
    let Location::Server(connection) = &context.settings.location else {
        return None;
    };
    let experiment = info.experiment_id.as_deref()?;
    let mut url = connection.base.clone();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("selectedEvaluationId", &info.trace_id);
    if let Some(workspace) = &connection.workspace {
        query.append_pair("workspace", workspace);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !experiment.chars().all(plain) {
        return None;
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url.set_fragment(Some(&format!(
        "/experiments/{experiment}/traces?{}",
        query.finish()
    )));
    Some(url.into())
}

/// Prints the address of each trace.
///
/// # Errors
/// Traces that are not there, and stores without pages.
pub(super) fn print(context: &Context, ids: &[String], mut failures: Failures) -> Result<Exit> {
    let store = context.store()?;
    if !matches!(context.settings.location, Location::Server(_)) {
        return Err(CommandError::usage(format!(
            "there are no pages for the traces in {}",
            store.describe()
        ))
        .hint("MLflow's UI is served by a tracking server: name it with `-u http://HOST:PORT`")
        .into());
    }
    let mut out = context.terminal.output();
    for id in ids {
        match store.info(id) {
            Ok(info) => match of(context, &info) {
                Some(link) => out.text().line(link)?,
                None => failures.push((
                    id.clone(),
                    CommandError::new(
                        Exit::NotFound,
                        format!("trace {id} is in no experiment that has a page"),
                    )
                    .into(),
                )),
            },
            Err(error) if error.is_about_one_trace() => failures.push((id.clone(), error.into())),
            Err(error) => return Err(error.into()),
        }
    }
    out.finish()?;
    fail_with(context, failures)
}
