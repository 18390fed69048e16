//! Why a filter finds nothing: how many traces match without each of its
//! conditions, and which values and keys there are instead. It costs a second at
//! most, and whatever goes wrong with it is nobody's concern: the answer to what
//! was asked is out already.

mod values;

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use anyhow::Result;

use self::values::{Looked, tail};
use super::Context;
use super::selection::{Meaning, Part, experiment_ids, parts_of};
use crate::cli::FilterArgs;
use crate::error::{CommandError, Exit};
use crate::filter::{Expr, Filter, OrderBy};
use crate::model::TraceInfo;
use crate::render::NO_MATCH;
use crate::store::{FilterSource, Query, Scope, Search, SearchEnd, Store};
use crate::units;

/// How long it may take, in milliseconds, where MLT_PATIENCE says nothing else.
pub(super) const PATIENCE_MS: u64 = 900;
/// Traces that are counted of each answer, and looked at for their values.
const MOST_TRACES: usize = 100;
/// Conditions that are looked into.
const MOST_PARTS: usize = 6;

impl Context<'_> {
    /// Says that a filter finds nothing; why, is said when the command has ended.
    pub(super) fn note_no_match(&self, args: &FilterArgs) {
        if !self.names_none.get() {
            self.note(NO_MATCH);
        }
        self.remember_no_match(args);
    }

    /// Says nothing yet.
    pub(super) fn remember_no_match(&self, args: &FilterArgs) {
        if !self.names_none.get() {
            self.unmatched.replace(Some(args.clone()));
        }
    }
}

/// Says why nothing was found, where nothing was: behind the command's own words,
/// or in the place of the hints of its error.
///
/// # Errors
/// The command's own.
pub(super) fn explain(context: &Context, outcome: Result<Exit>) -> Result<Exit> {
    let Some(args) = context.unmatched.take() else {
        return outcome;
    };
    if context.flags.quiet || context.patience.is_zero() {
        return outcome;
    }
    let causes = causes(context, &args);
    match outcome {
        Ok(exit) => {
            for cause in causes {
                context.hint(&cause);
            }
            Ok(exit)
        }
        Err(mut error) => {
            if let Some(error) = error.downcast_mut::<CommandError>()
                && !causes.is_empty()
            {
                error.hints = causes;
            }
            Err(error)
        }
    }
}

fn causes(context: &Context, args: &FilterArgs) -> Vec<String> {
    let started = Instant::now();
    let (Ok(parts), Ok(_), Some(store)) = (
        parts_of(args, context),
        context.store(),
        context.store.get().map(Arc::clone),
    ) else {
        return Vec::new();
    };
    let (sender, receiver) = mpsc::channel();
    let end = started + context.patience;
    let named = context.settings.experiments.clone();
    // A server that does not answer is left alone with the question.
    thread::spawn(move || {
        let search = CauseSearch {
            store: store.as_ref(),
            named: &named,
            end,
            sender,
        };
        let _ = search.run(&parts);
    });
    let mut causes: Vec<String> = Vec::new();
    while let Ok(told) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
        match told {
            Told::Cause(cause) => causes.push(cause),
            Told::More(more) => causes
                .last_mut()
                .into_iter()
                .for_each(|last| last.push_str(&more)),
        }
    }
    causes
}

/// What was found out.
enum Told {
    Cause(String),
    /// More about the last one.
    More(String),
}

/// What stops the search: time is over, or something went wrong.
struct Stopped;

struct CauseSearch<'s> {
    store: &'s dyn Store,
    /// Experiments that were asked for.
    named: &'s [String],
    end: Instant,
    sender: Sender<Told>,
}

impl CauseSearch<'_> {
    fn run(&self, parts: &[Part]) -> Result<(), Stopped> {
        let inside = experiment_ids(self.store, self.named).map_err(|_| Stopped)?;
        if parts.is_empty() {
            return self.nothing_at_all(&inside);
        }
        let mut found_any = false;
        for at in 0..parts.len().min(MOST_PARTS) {
            let others = parts.iter().enumerate().filter(|(other, _)| *other != at);
            let others: Vec<&Part> = others.map(|(_, part)| part).collect();
            let looked = self.look(&others, &inside)?;
            if looked.infos.is_empty() {
                continue;
            }
            found_any = true;
            let label = label(&parts[at]);
            self.say(if others.is_empty() {
                format!("`{label}` finds none of {}", looked.count())
            } else {
                let match_ = if looked.is_one() { "matches" } else { "match" };
                format!("without `{label}`, {} {match_}", looked.count())
            })?;
            self.say_more(&parts[at], &looked)?;
        }
        if !inside.is_empty() {
            let all: Vec<&Part> = parts.iter().collect();
            found_any |= self.elsewhere(&all, "match")?;
        }
        if !found_any {
            self.each_alone(parts, &inside)?;
        }
        Ok(())
    }

    /// What is to be found outside the experiments that were asked for.
    fn elsewhere(&self, parts: &[&Part], verb: &str) -> Result<bool, Stopped> {
        let looked = self.look(parts, &[])?;
        if looked.infos.is_empty() {
            return Ok(false);
        }
        let names = self.experiment_names(&looked);
        let verb = if looked.is_one() && verb == "match" {
            "matches"
        } else {
            verb
        };
        self.say(format!(
            "outside the experiment `{}`, {} {verb}: {names}",
            self.named.join("`, `"),
            looked.count()
        ))?;
        Ok(true)
    }

    fn experiment_names(&self, looked: &Looked) -> String {
        let known = self.store.experiments(Scope::Active).unwrap_or_default();
        let mut counts: Vec<(String, usize)> = Vec::new();
        for info in &looked.infos {
            let id = info.experiment_id.as_deref().unwrap_or_default();
            let name = known.iter().find(|e| e.id == id);
            let name = name.map_or(id, |experiment| experiment.name.as_str());
            match counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name.to_owned(), 1)),
            }
        }
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values::listed(&counts, false)
    }

    /// No condition is to blame alone: which of them find nothing by themselves.
    fn each_alone(&self, parts: &[Part], inside: &[String]) -> Result<(), Stopped> {
        let all = self.look(&[], inside)?;
        if all.infos.is_empty() {
            return self.nothing_at_all(inside);
        }
        let mut found_any = false;
        for part in parts.iter().take(MOST_PARTS) {
            if parts.len() > 1 && !self.look(&[part], inside)?.infos.is_empty() {
                continue;
            }
            found_any = true;
            self.say(format!("`{}` finds none of {}", label(part), all.count()))?;
            self.say_more(part, &all)?;
        }
        if !found_any {
            self.say(
                "each condition finds traces, but there are none that fail just one of them"
                    .to_owned(),
            )?;
        }
        Ok(())
    }

    fn nothing_at_all(&self, inside: &[String]) -> Result<(), Stopped> {
        if inside.is_empty() {
            return self.say(format!("there are no traces in {}", self.store.describe()));
        }
        self.say(format!(
            "there are no traces in the experiment `{}`",
            self.named.join("`, `")
        ))?;
        self.elsewhere(&[], "are there").map(drop)
    }

    /// What there is instead.
    fn say_more(&self, part: &Part, looked: &Looked) -> Result<(), Stopped> {
        let conditions = part.expr().map(Expr::conditions);
        match conditions.and_then(|all| tail(self, &all, looked)) {
            Some(tail) => self.tell(Told::More(format!("; {tail}"))),
            None => Ok(()),
        }
    }

    /// The newest traces that these conditions find.
    fn look(&self, parts: &[&Part], experiments: &[String]) -> Result<Looked, Stopped> {
        self.look_in_order(parts, experiments, OrderBy::default(), MOST_TRACES)
    }

    fn look_in_order(
        &self,
        parts: &[&Part],
        experiments: &[String],
        order_by: OrderBy,
        limit: usize,
    ) -> Result<Looked, Stopped> {
        let exprs = parts.iter().filter_map(|part| part.expr().cloned());
        let mut filter: Filter = exprs.collect();
        if filter.names_experiments() {
            let known = self.store.experiments(Scope::Active).map_err(|_| Stopped)?;
            let known: Vec<_> = known.into_iter().map(|e| (e.id, e.name)).collect();
            filter.resolve_experiments(&known);
        }
        let raw = parts.iter().find_map(|part| match &part.meaning {
            Meaning::Servers(raw) => Some(raw),
            Meaning::Known(_) => None,
        });
        let query = Query {
            experiments: experiments.to_vec(),
            filter: match raw {
                Some(raw) if filter.is_empty() => FilterSource::Raw(raw.clone()),
                Some(raw) => FilterSource::Raw(format!("{raw} AND {filter}")),
                None => FilterSource::Parsed(filter),
            },
            order_by,
            ..Query::default()
        };
        let mut search = Search::new(self.store, query, Some(limit));
        let mut infos: Vec<TraceInfo> = Vec::new();
        loop {
            if Instant::now() >= self.end {
                return Err(Stopped);
            }
            match search.next_page() {
                Ok(Some(page)) => infos.extend(page),
                Ok(None) => break,
                Err(_) => return Err(Stopped),
            }
        }
        Ok(Looked {
            parts: parts.iter().map(|part| (*part).clone()).collect(),
            experiments: experiments.to_vec(),
            more: search.end() == Some(SearchEnd::Limited),
            infos,
        })
    }

    fn say(&self, cause: String) -> Result<(), Stopped> {
        self.tell(Told::Cause(cause))
    }

    fn tell(&self, told: Told) -> Result<(), Stopped> {
        self.sender.send(told).map_err(|_| Stopped)
    }
}

impl Looked {
    /// `38 traces`, `over 100 traces`.
    fn count(&self) -> String {
        let counted = units::counted(self.infos.len(), "trace");
        if self.more {
            format!("over {counted}")
        } else {
            counted
        }
    }

    fn is_one(&self) -> bool {
        self.infos.len() == 1 && !self.more
    }
}

/// A condition short enough to stand in a line.
fn label(part: &Part) -> String {
    crate::render::text::fit(&part.label, 100).into_owned()
}
