//! `mlt sessions`: which conversations there are, and how they stand.

use std::cmp::Reverse;

use anyhow::Result;

use super::form::Form;
use super::gather::{Gathered, Need, gather_found};
use super::selection::{filter_of, name_experiments};
use super::session_levels::Levels;
use super::{Context, columns};
use crate::analysis::{SessionSummary, Sessions};
use crate::cli::{FilterArgs, OF_LISTS, OutputFormat, SessionSort, SessionsArgs};
use crate::error::{CommandError, Exit};
use crate::export::json::RowList;
use crate::render::list;
use crate::store::{InfoParts, Query};
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
    // Traces without a session belong to none; not every server lets them be asked away.
    if filter.raw_filter.is_none() {
        filter.filters.push("session IS NOT NULL".to_owned());
    }
    let (gathered, found) = found(context, &filter, args.level.as_deref())?;
    let mut all = found.newest_first();
    sort(&mut all, args.sort);
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

fn found(
    context: &Context,
    filter: &FilterArgs,
    level: Option<&str>,
) -> Result<(Gathered, Sessions)> {
    let mut query = Query {
        filter: filter_of(filter, context)?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let need = Need {
        spans: None,
        info: false,
        parts: InfoParts {
            usage: true,
            assessments: true,
            session: true,
            ..InfoParts::NONE
        },
        usage: true,
        any_order: false,
    };
    let levels = level.map(|level| Levels::new(context, level)).transpose()?;
    let mut found = Sessions::default();
    let gathered = gather_found(context, query, None, need, "finding sessions", |trace| {
        let info = &trace.info;
        match (&levels, info.session()) {
            (Some(levels), Some(session)) => found.add_to(&levels.outer(session, info), info),
            _ => found.add(info),
        }
        Ok(())
    })?;
    if let Some(missing) = levels.as_ref().and_then(Levels::missing) {
        context.warn(missing);
    }
    Ok((gathered, found))
}

/// What lacks the value comes last; ties stay as they are.
fn sort(all: &mut [SessionSummary], by: SessionSort) {
    match by {
        SessionSort::Last => {}
        SessionSort::First => all.sort_by_key(|one| Reverse(one.first)),
        SessionSort::Turns => all.sort_by_key(|one| Reverse(one.turns)),
        SessionSort::Duration => all.sort_by_key(|one| Reverse(one.duration_ns)),
        SessionSort::Tokens => all.sort_by_key(|one| Reverse(one.tokens)),
        SessionSort::Cost => all.sort_by(|a, b| {
            let [a, b] = [a, b].map(|one| one.cost.unwrap_or(f64::NEG_INFINITY));
            b.total_cmp(&a)
        }),
        SessionSort::Errors => all.sort_by_key(|one| Reverse(one.errors)),
        SessionSort::Worst => all.sort_by(|a, b| {
            let [a, b] = [a, b].map(|one| one.worst_score().unwrap_or(f64::INFINITY));
            a.total_cmp(&b)
        }),
        SessionSort::User => all.sort_by(|a, b| {
            let [a, b] = [a, b].map(|one| (one.user.is_none(), one.user.as_deref()));
            a.cmp(&b)
        }),
        SessionSort::Id => all.sort_by(|a, b| a.id.cmp(&b.id)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Assessment, Timestamp, TraceInfo, TraceState, metadata};

    fn turn(session: &str, at: i64) -> TraceInfo {
        let mut info = TraceInfo::new("tr-1");
        let session = (metadata::SESSION.to_owned(), session.to_owned());
        info.metadata.extend([session]);
        info.request_time = Some(Timestamp::from_nanos(at));
        info
    }

    #[test]
    fn what_lacks_a_value_comes_last() {
        let mut told = turn("a", 5);
        let usage = json!({"input_tokens": 3, "output_tokens": 4}).to_string();
        told.metadata.extend([
            (metadata::TOKEN_USAGE.to_owned(), usage),
            (metadata::USER.to_owned(), "u".to_owned()),
        ]);
        let cost = json!({"total_cost": 0.5}).to_string();
        told.metadata.insert(metadata::COST.to_owned(), cost);
        told.execution_duration_ns = Some(10);
        told.state = TraceState::Error;
        told.assessments = vec![Assessment::sample_feedback("good", json!(0.25))];
        let order = |by| {
            let mut sessions = Sessions::default();
            for info in [&turn("b", 7), &told, &turn("a", 4)] {
                sessions.add(info);
            }
            let mut all = sessions.newest_first();
            sort(&mut all, by);
            all.into_iter().map(|one| one.id).collect::<String>()
        };
        for by in [
            SessionSort::Tokens,
            SessionSort::Cost,
            SessionSort::Worst,
            SessionSort::User,
            SessionSort::Errors,
            SessionSort::Turns,
            SessionSort::Id,
            SessionSort::Duration,
        ] {
            assert_eq!(order(by), "ab", "{by:?}");
        }
        for by in [SessionSort::Last, SessionSort::First] {
            assert_eq!(order(by), "ba", "{by:?}");
        }
    }
}
