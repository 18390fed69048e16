//! `mlt sessions`: which conversations there are, and how they stand.

use anyhow::Result;

use super::form::Form;
use super::gather::{Gathered, Need, gather_found};
use super::selection::{filter_of, name_experiments};
use super::{Context, columns};
use crate::analysis::Sessions;
use crate::cli::{FilterArgs, OF_LISTS, OutputFormat, SessionsArgs};
use crate::error::{CommandError, Exit};
use crate::export::json::RowList;
use crate::render::list;
use crate::store::Query;
use crate::table::delimited;
use crate::table::rows::sessions::{SHOWN, sessions};
use crate::units;

/// Sessions that are listed where nobody says how many.
const MOST: usize = 100;

pub(super) fn run(context: &Context, args: &SessionsArgs) -> Result<Exit> {
    context.formats("sessions", OF_LISTS)?;
    let form = Form::of(&context.flags.output);
    let known = sessions();
    let chosen = columns::chosen(&args.columns, &known)?;
    if chosen.is_some() && form.is_none() {
        return Err(CommandError::usage("ids have no columns").into());
    }
    let chosen = chosen.unwrap_or_else(|| match form {
        Some(Form::Text) => known.some(&SHOWN),
        _ => known.plain().to_vec(),
    });
    let mut filter = args.filter.clone();
    filter.filters.push("session IS NOT NULL".to_owned());
    let (gathered, found) = found(context, &filter)?;
    let mut all = found.sorted(args.sort.into());
    let count = all.len();
    let most = match args.limit {
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        None if args.all => usize::MAX,
        None => MOST,
    };
    all.truncate(most);
    let is_cut = all.len() < count;
    let mut out = context.terminal.output();
    match form {
        Some(Form::Text) => {
            list::write(&mut out.text(), chosen, &all, &context.layout())?;
        }
        Some(Form::Json(form)) => {
            let mut rows = RowList::new(form, "sessions", chosen);
            for one in &all {
                rows.push(out.data(), one)?;
            }
            let truncated = is_cut || gathered.truncated();
            rows.finish(out.data(), truncated, &gathered.unreadable)?;
        }
        Some(Form::Delimited(format)) => delimited::write(out.data(), format, chosen, &all)?,
        None => {
            debug_assert_eq!(context.flags.output, OutputFormat::Ids);
            for one in &all {
                out.text().line(&one.id)?;
            }
        }
    }
    out.finish()?;
    if count == 0 && !gathered.is_short() {
        context.note("no traces with a session match");
        if args.filter != FilterArgs::default() {
            context.remember_no_match(&args.filter);
        }
    }
    if is_cut {
        context.note(&format!(
            "showing {} of {}; --all shows every one",
            units::whole(all.len()),
            units::counted(count, "session"),
        ));
    }
    gathered.finish(context)
}

fn found(context: &Context, filter: &FilterArgs) -> Result<(Gathered, Sessions)> {
    let mut query = Query {
        filter: filter_of(filter, context)?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let need = Need {
        usage: true,
        ..Need::INFO
    };
    let mut found = Sessions::default();
    let gathered = gather_found(context, query, None, need, "finding sessions", |trace| {
        found.add(&trace.info);
        Ok(())
    })?;
    Ok((gathered, found))
}
