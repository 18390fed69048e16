//! `mlt experiments`: which experiments there are, and what is in them.

use std::cmp::Reverse;

use anyhow::Result;

use super::form::Form;
use super::selection::experiment_ids;
use super::{Context, IN_TABLES};
use crate::cli::{ExperimentSort, ExperimentsArgs};
use crate::error::Exit;
use crate::export::json::RowList;
use crate::model::ExperimentOverview;
use crate::render;
use crate::store::Scope;
use crate::table::delimited;
use crate::table::rows::experiments::experiments;

pub(super) fn run(context: &Context, args: &ExperimentsArgs) -> Result<Exit> {
    let form = context.form("experiments")?;
    let store = context.store()?;
    let mut progress = context.terminal.progress("counting traces");
    progress.at(0);
    let mut wanted = store.experiments(Scope::Active)?;
    if args.deleted {
        wanted.extend(store.experiments(Scope::Deleted)?);
    }
    if !context.settings.experiments.is_empty() {
        let ids = experiment_ids(store, &context.settings.experiments)?;
        super::selection::check_experiments(store, &context.settings.experiments)?;
        wanted.retain(|experiment| ids.contains(&experiment.id));
    }
    let mut all = store.overview(wanted)?;
    progress.clear();
    sort(&mut all, args.sort);
    let mut out = context.terminal.output();
    let mut left_out = render::LeftOut::new();
    let columns = experiments().plain().to_vec();
    match form {
        Form::Text => {
            left_out =
                render::experiments::write(&mut out.text(), &all, args.deleted, &context.layout())?;
        }
        Form::Json(form) => {
            let mut list = RowList::new(form, "experiments", columns);
            for one in &all {
                list.push(out.data(), one)?;
            }
            list.finish(out.data(), false, &[])?;
        }
        Form::Delimited(format) => delimited::write(out.data(), format, columns, &all)?,
    }
    out.finish()?;
    if all.is_empty() {
        context.note("there are no experiments");
    }
    context.note_left_out(left_out, IN_TABLES);
    Ok(Exit::Success)
}

fn sort(all: &mut [ExperimentOverview], by: ExperimentSort) {
    // Ids are numbers, but for the longest ones.
    let id = |one: &ExperimentOverview| {
        let id = &one.experiment.id;
        (id.len(), id.clone())
    };
    all.sort_by_key(id);
    match by {
        ExperimentSort::Last => all.sort_by_key(|one| Reverse(one.last)),
        ExperimentSort::First => all.sort_by_key(|one| (one.first.is_none(), one.first)),
        ExperimentSort::Traces => all.sort_by_key(|one| Reverse(one.traces)),
        ExperimentSort::Name => all.sort_by(|a, b| a.experiment.name.cmp(&b.experiment.name)),
        ExperimentSort::Id => {}
    }
}
