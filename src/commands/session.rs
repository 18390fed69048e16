//! `mlt session`: the turns of one conversation, the oldest first, each message once.

use std::collections::VecDeque;

use anyhow::Result;
use serde_json::Value;

use super::Context;
use super::attachments::Attachments;
use super::form::Form;
use super::gather::{Need, gather_found};
use super::selection::{filter_of, name_experiments};
use super::session_levels::described;
use crate::analysis::{LatencyReport, Session, Turn, analyse};
use crate::cli::{FilterArgs, OF_SESSIONS, OutputFormat, SessionArgs};
use crate::error::{CommandError, Exit};
use crate::export::json;
use crate::export::transcript;
use crate::filter::parse_order_by;
use crate::model::{Trace, is_within_session, session_path};
use crate::render::brief::{self, session::KeptTurn};
use crate::render::transcript::{TranscriptOptions, markdown};
use crate::render::{self, Layout};
use crate::store::{Detail, Query};
use crate::text::{Clean, Sheet};

pub(super) fn run(context: &Context, args: &SessionArgs) -> Result<Exit> {
    context.formats("session", OF_SESSIONS)?;
    context.only_brief(&[(args.reasoning, "--reasoning")])?;
    let is_markdown = context.flags.output == OutputFormat::Markdown;
    let form = if is_markdown || context.is_brief() {
        Form::Text
    } else {
        context.form("session")?
    };
    let id = match &args.id {
        Some(id) => id.clone(),
        None => latest(context, args)?,
    };
    let mut session = Session::default();
    let mut turns = Turns::new(args);
    let filter = of_session(&id, args);
    let mut query = Query {
        filter: filter_of(&filter, context)?,
        // The oldest first.
        order_by: parse_order_by("timestamp_ms ASC")?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let mut attachments = Attachments::asked_for(context, args.attachments.as_deref())?;
    let need = Need::with_spans(Detail::Whole);
    let mut experiment = None;
    let mut gathered = gather_found(context, query, None, need, "fetching turns", |trace| {
        // The pattern may have found more.
        let its = trace.info.session();
        if !its.is_some_and(|its| is_within_session(its, &id)) {
            return Ok(());
        }
        if experiment.is_none() {
            experiment.clone_from(&trace.info.experiment_id);
        }
        let report = analyse(&trace);
        let mut turn = session.turn(&trace, &report.tree);
        if !turns.want(turn.number) {
            return Ok(());
        }
        // Which turns are the last is known at the end.
        if attachments.is_some() && args.last.is_some() {
            drop(report);
            turns.keep(Kept::Waiting(Box::new((trace, turn))));
            return Ok(());
        }
        if let Some(attachments) = &mut attachments {
            attachments.save(&trace, &mut turn.conversation);
        }
        turns.keep(Kept::Shown(shown(context, args, form, &report, &turn)?));
        Ok(())
    })?;
    if session.turns == 0 {
        return Err(match gathered.take_error() {
            Some(error) => error,
            None => not_found(context, &id, &filter)?.into(),
        });
    }
    let kept = turns.finish(session.turns)?;
    let mut out = context.terminal.output();
    match form {
        Form::Text if is_markdown => {
            let levels = described(context, &id, experiment.as_deref());
            write_markdown_head(&mut out.text(), &id, levels.as_deref(), &session)?;
        }
        Form::Text if context.is_brief() => {}
        Form::Text => {
            let layout = context.layout();
            let levels = described(context, &id, experiment.as_deref());
            let levels = levels.as_deref();
            render::session::write_head(&mut out.text(), &id, levels, &session, &layout)?;
        }
        _ => {}
    }
    let (mut documents, mut briefs) = (Vec::new(), Vec::new());
    for turn in kept {
        let turn = match turn {
            Kept::Shown(shown) => shown,
            Kept::Waiting(waiting) => {
                let (trace, mut turn) = *waiting;
                if let Some(attachments) = &mut attachments {
                    attachments.save(&trace, &mut turn.conversation);
                }
                shown(context, args, form, &analyse(&trace), &turn)?
            }
        };
        match turn {
            Shown::Text(text) => out.text().put(text)?,
            Shown::Json(value) => documents.push(value),
            Shown::Brief(turn) => briefs.push(turn),
        }
    }
    if context.is_brief() {
        let again = context.again();
        let text = brief::session::brief(context.tokens(), &id, &session, briefs, &again);
        out.text().put(text)?;
    }
    if let Form::Json(form) = form {
        let document = transcript::session(&id, &session, documents, gathered.truncated());
        json::write(out.data(), &document, form)?;
    }
    out.finish()?;
    let exit = gathered.finish(context)?;
    Ok(attachments.map_or(exit, |attachments| attachments.finish(exit)))
}

fn not_found(context: &Context, id: &str, filter: &FilterArgs) -> Result<CommandError> {
    context.remember_no_match(filter);
    let store = context.store()?.describe();
    let message = format!("no traces of session `{id}` in {store}");
    Ok(CommandError::new(Exit::NotFound, message).hint("`mlt sessions` lists them"))
}

fn write_markdown_head(
    out: &mut Sheet<'_>,
    id: &str,
    levels: Option<&str>,
    session: &Session,
) -> Result<()> {
    out.line(format!("# {}", markdown::plain(id)))?;
    out.blank()?;
    let plain = Layout::piped();
    let head = Sheet::kept(|head| render::session::write_head(head, id, levels, session, &plain))?;
    // The first line begins with the id.
    for line in head.as_str().lines() {
        out.line(markdown::plain(line))?;
    }
    Ok(())
}

/// A turn in the format that was asked for.
fn shown(
    context: &Context,
    args: &SessionArgs,
    form: Form,
    report: &LatencyReport<'_>,
    turn: &Turn,
) -> Result<Shown> {
    Ok(match form {
        Form::Text if context.flags.output == OutputFormat::Markdown => {
            Shown::Text(Sheet::kept(|text| {
                text.blank()?;
                markdown::write(text, report, &turn.conversation, Some(turn.number))?;
                markdown::write_assessments(text, &turn.assessments)
            })?)
        }
        Form::Text if context.is_brief() => {
            Shown::Brief(KeptTurn::new(report, turn, context.tokens()))
        }
        Form::Text => {
            let options = TranscriptOptions {
                reasoning: args.reasoning,
            };
            let layout = context.layout();
            Shown::Text(Sheet::kept(|text| {
                render::session::write_turn(text, report, turn, options, &layout)
            })?)
        }
        _ => Shown::Json(transcript::turn(report.trace, turn)),
    })
}

/// What of a session is wanted, as flags of other commands say it: of one that others are
/// within, these too.
fn of_session(id: &str, args: &SessionArgs) -> FilterArgs {
    let mut filter = FilterArgs {
        user: args.user.clone(),
        ..FilterArgs::default()
    };
    match id.strip_suffix(']') {
        Some(start) if session_path(id).is_some() => {
            // A quote cannot stand within quotes; `_` is any character.
            let start = start.replace('\'', "_");
            filter.filters.push(format!("session LIKE '{start}%'"));
        }
        _ => filter.session = Some(id.to_owned()),
    }
    filter
}

/// The session of the newest trace that has one.
fn latest(context: &Context, args: &SessionArgs) -> Result<String> {
    let filter = FilterArgs {
        filters: vec!["session IS NOT NULL".to_owned()],
        user: args.user.clone(),
        ..FilterArgs::default()
    };
    let mut query = Query {
        filter: filter_of(&filter, context)?,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let mut found = None;
    let message = "finding sessions";
    let gathered = gather_found(context, query, Some(1), Need::INFO, message, |trace| {
        found = trace.info.session().map(str::to_owned);
        Ok(())
    })?;
    if !gathered.unreadable.is_empty() {
        context.name_unreadable(&gathered.unreadable);
        context.warn("the latest session is that of those traces that can be read");
    }
    let store = context.store()?.describe();
    found.ok_or_else(|| {
        CommandError::new(Exit::NotFound, format!("no trace in {store} has a session")).into()
    })
}

/// A turn as it will be printed.
enum Shown {
    Text(Clean),
    Json(Value),
    Brief(KeptTurn),
}

/// A turn that is kept.
enum Kept {
    Shown(Shown),
    /// Whose attachments are saved when it is known to be among the last.
    Waiting(Box<(Trace, Turn)>),
}

/// The turns that were asked for. All are read, for what was said before.
struct Turns {
    only: Option<usize>,
    last: Option<usize>,
    kept: VecDeque<Kept>,
}

impl Turns {
    fn new(args: &SessionArgs) -> Self {
        let number = |number: Option<u64>| number.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        Self {
            only: number(args.turn),
            last: number(args.last),
            kept: VecDeque::new(),
        }
    }

    fn want(&self, number: usize) -> bool {
        self.only.is_none_or(|only| only == number)
    }

    fn keep(&mut self, turn: Kept) {
        self.kept.push_back(turn);
        if self.last.is_some_and(|last| self.kept.len() > last) {
            self.kept.pop_front();
        }
    }

    /// # Errors
    /// A turn that there is not.
    fn finish(self, turns: usize) -> Result<VecDeque<Kept>> {
        match self.only {
            Some(only) if self.kept.is_empty() => {
                let turns = crate::units::counted(turns, "turn");
                let message = format!("there is no turn {only}: the session has {turns}");
                Err(CommandError::new(Exit::NotFound, message).into())
            }
            _ => Ok(self.kept),
        }
    }
}
