//! Changing traces, whatever it is about them that is changed. The traces are looked up
//! first, so that what is so already is told apart and left alone; where a filter finds
//! several and there is a terminal to ask on, nothing is done before the answer. Each
//! trace stands for itself: a failure is reported and the rest goes on, and repeating the
//! command finishes what is left. What cannot be taken back is never done unasked.

mod overview;
mod printer;

use std::io::BufRead;

use anyhow::Result;
use serde_json::{Map, Value};

use self::overview::Overview;
pub(super) use self::printer::{Counts, Printer};
use super::form::Form;
use super::gather::{Need, gather_found};
use super::resolve::Failures;
use super::selection::{filter_of, name_experiments};
use super::{Context, resolve};
use crate::cli::FilterArgs;
use crate::error::{CommandError, Exit};
use crate::model::{Detail, Trace, TraceInfo, Unreadable};
use crate::store::{Change, FilterSource, Query, Store, StoreError, TraceRef, TraceRefs, Want};
use crate::terminal;
use crate::text::Clean;
use crate::units::{self, Zone};

/// What a command does to traces, and its words for that.
pub(super) trait Task {
    /// The change.
    fn change(&self) -> Change;

    /// What it comes to for the trace with this id; nothing is known of one that is there
    /// and cannot be read.
    fn plan(&self, id: &str, info: Option<&TraceInfo>) -> Plan;

    /// The same where its spans are needed.
    fn plan_trace(&self, trace: &Trace) -> Plan {
        self.plan(&trace.info.trace_id, Some(&trace.info))
    }

    /// How much of the spans is needed to plan it.
    fn detail(&self) -> Option<Detail> {
        None
    }

    /// The change in the JSON of the result for a trace.
    fn fields(&self, id: &str) -> Map<String, Value>;

    /// What it is called.
    fn words(&self) -> Words;

    /// Whether it cannot be taken back: it is told what traces these are, and somebody has
    /// to say yes, however they were chosen.
    fn is_final(&self) -> bool {
        false
    }
}

/// How a change is spoken of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// `tag`
    pub(super) verb: &'static str,
    /// `tagging`
    pub(super) doing: &'static str,
    /// `tagged`
    pub(super) done: &'static str,
    /// What was done to traces: `changed`.
    pub(super) changed: &'static str,
    /// `would change`
    pub(super) would: &'static str,
    /// `nothing to change`
    pub(super) nothing: &'static str,
    /// What traces that need no change are: `had it already`.
    pub(super) already: &'static str,
}

/// What a change comes to for one trace.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// Whether anything is not so already.
    pub(super) changes: bool,
    /// What would be done, and what would be replaced by it.
    pub(super) planned: String,
    /// What is done.
    pub(super) done: String,
    /// What there is now of what is changed; `None` where it could not be read.
    pub(super) before: Option<Value>,
    /// What the JSON of its result has besides.
    pub(super) more: Map<String, Value>,
}

/// Which traces, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    /// What was typed for traces.
    pub(super) words: &'a [String],
    /// The filter that finds them otherwise.
    pub(super) filter: &'a FilterArgs,
    /// Whether nothing is changed.
    pub(super) dry_run: bool,
    /// Whether nobody is asked.
    pub(super) yes: bool,
    /// The most traces that may be changed.
    pub(super) most: Option<u64>,
}

/// Traces that were found already.
pub(super) struct Found {
    pub(super) traces: Vec<TraceInfo>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// The traces that are meant.
#[derive(Default)]
struct Targets {
    all: Vec<Target>,
    unreadable: Vec<Unreadable>,
    overview: Overview,
}

/// A trace that is meant: what is to be done to it, or why that cannot be.
struct Target {
    id: String,
    experiment_id: Option<String>,
    plan: Result<Plan>,
}

/// Changes the traces, or says what would be changed.
///
/// # Errors
/// Ids and a filter at once, or neither; a store that cannot change anything; those of
/// the store, but for single traces; and at last, that some traces were not changed.
pub(super) fn run(context: &Context, form: Form, order: Order, task: &dyn Task) -> Result<Exit> {
    let by_filter = by_filter(order);
    check_which(order, by_filter, task.words())?;
    let store = context.store()?;
    check_can(context, store, order, task)?;
    let targets = if by_filter {
        found(context, order.filter, task)?
    } else {
        named(context, store, order, task)?
    };
    if targets.all.is_empty() && targets.unreadable.is_empty() {
        context.note_no_match(order.filter);
    }
    carry_out(context, form, order, task, targets)
}

/// The same with traces that were found already.
///
/// # Errors
/// Those of [`run`].
pub(super) fn run_on(
    context: &Context,
    form: Form,
    order: Order,
    task: &dyn Task,
    found: Found,
) -> Result<Exit> {
    check_can(context, context.store()?, order, task)?;
    let mut targets = Targets {
        unreadable: found.unreadable,
        ..Targets::default()
    };
    for info in found.traces {
        let spans = Vec::new();
        targets.add(task, Trace { info, spans });
    }
    carry_out(context, form, order, task, targets)
}

fn check_can(context: &Context, store: &dyn Store, order: Order, task: &dyn Task) -> Result<()> {
    match store.can(&task.change()) {
        Err(refusal) if order.dry_run => {
            context.note(&format!("without --dry-run this fails: {refusal}"));
            Ok(())
        }
        checked => Ok(checked?),
    }
}

fn carry_out(
    context: &Context,
    form: Form,
    order: Order,
    task: &dyn Task,
    targets: Targets,
) -> Result<Exit> {
    let store = context.store()?;
    let pending: Vec<TraceRef> = targets.all.iter().filter_map(Target::pending).collect();
    approve(context, order, task, &targets.overview, pending.len())?;
    let Targets {
        all, unreadable, ..
    } = targets;
    let mut out = context.terminal.output();
    let mut results = Results {
        printer: Printer::new(
            context,
            form,
            (task.words(), Box::new(|id| task.fields(id))),
            order.dry_run,
            &mut out,
        )?,
        is_final: task.is_final(),
        left: all.into_iter(),
        counts: Counts::default(),
        failures: Vec::new(),
    };
    let broken = if order.dry_run {
        None
    } else {
        apply(context, store, task, &pending, &mut results).err()
    };
    if results.counts.changed == 0
        && let Some(error) = broken
    {
        return Err(error);
    }
    let (counts, failures) = results.finish(&unreadable)?;
    out.finish()?;
    if let Some(error) = broken {
        let left = units::counted(counts.left, "trace");
        context.warn(format!("{left} left; the same command again goes on"));
        return Err(error);
    }
    end(context, form, task.words(), counts, failures, &unreadable)
}

/// Sees to it that so many traces may be changed.
///
/// # Errors
/// That they may not.
fn approve(
    context: &Context,
    order: Order,
    task: &dyn Task,
    overview: &Overview,
    pending: usize,
) -> Result<()> {
    let words = task.words();
    let asks = !order.yes && !order.dry_run && context.terminal.interactive;
    if task.is_final() && pending > 0 {
        overview.tell(context, words, asks);
    }
    let traces = units::counted(pending, "trace");
    if let Some(most) = order.most
        && pending as u64 > most
    {
        let message = format!(
            "--max allows {}, found {traces}; nothing was {}",
            units::whole(usize::try_from(most).unwrap_or(usize::MAX)),
            words.changed
        );
        return Err(CommandError::new(Exit::Condition, message).into());
    }
    if task.is_final() && pending > 0 && !order.yes && !order.dry_run && !asks {
        let message = format!(
            "expected --yes to {} {traces}, since nobody can be asked here; nothing was {}",
            words.verb, words.changed
        );
        let hint = "--dry-run lists them";
        return Err(CommandError::usage(message).hint(hint).into());
    }
    if asks && (task.is_final() && pending > 0 || by_filter(order) && pending > 1) {
        confirm(context, words, &traces)?;
    }
    Ok(())
}

/// What trace it is, in a few words.
pub(super) fn described(info: &TraceInfo, zone: Zone) -> String {
    let time = info.request_time.map(|time| units::time(time, zone));
    let state = info.state.to_string();
    let name = info.name().map(crate::text::named);
    let known = name.into_iter().chain([state.as_str()]);
    let known: Vec<&str> = known.chain(time.as_deref()).collect();
    known.join("  ")
}

fn by_filter(order: Order) -> bool {
    *order.filter != FilterArgs::default()
}

fn check_which(order: Order, by_filter: bool, words: Words) -> Result<()> {
    let Words { verb, .. } = words;
    let wrong =
        |found: &str| CommandError::usage(format!("expected trace ids or a filter, found {found}"));
    match (by_filter, order.words.is_empty()) {
        (true, false) => Err(wrong("both").into()),
        (false, true) => Err(wrong("neither")
            .hint(match verb {
                "close" => "`mlt close latest` is for one trace, `mlt close --older-than 1d` for all that are stuck".to_owned(),
                verb => format!("`mlt {verb} latest …` is for one trace, `mlt {verb} --status ERROR …` for those that match"),
            })
            .into()),
        _ => Ok(()),
    }
}

/// The traces that a filter finds.
fn found(context: &Context, args: &FilterArgs, task: &dyn Task) -> Result<Targets> {
    let filter = filter_of(args, context)?;
    if let FilterSource::Parsed(filter) = &filter
        && filter.is_empty()
    {
        return Err(CommandError::usage("the filter is empty and would match every trace").into());
    }
    let mut query = Query {
        filter,
        ..Query::default()
    };
    name_experiments(context, context.store()?, &mut query)?;
    let mut targets = Targets::default();
    let gathered = gather_found(
        context,
        query,
        None,
        task.detail().map_or(Need::INFO, Need::with_spans),
        "finding traces",
        |trace| {
            targets.add(task, trace);
            Ok(())
        },
    )?;
    targets.unreadable = gathered.unreadable;
    Ok(targets)
}

/// The traces that words name, those that are not there first.
fn named(context: &Context, store: &dyn Store, order: Order, task: &dyn Task) -> Result<Targets> {
    let (ids, missing) = resolve::known_and_missing(context, order.words)?;
    let missing = missing.into_iter().map(|(id, error)| Target {
        id,
        experiment_id: None,
        plan: Err(error),
    });
    let mut targets = Targets {
        all: missing.collect(),
        ..Targets::default()
    };
    let mut progress = context.terminal.progress("looking traces up").of(ids.len());
    let want = task.detail().map_or(Want::INFO, Want::spans);
    store.try_fetch_all(TraceRefs::Ids(ids), want, |id, trace| -> Result<()> {
        let plan = match trace {
            Ok(mut trace) => {
                id.clone_into(&mut trace.info.trace_id);
                targets.add(task, trace);
                progress.at(targets.all.len());
                return Ok(());
            }
            Err(error) if error.is_about_one_trace() => match error.into_unreadable(id) {
                Ok(_) if !order.dry_run => Ok(task.plan(id, None)),
                Ok(unreadable) => {
                    targets.unreadable.push(unreadable);
                    return Ok(());
                }
                Err(error) => Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        };
        if plan.is_ok() {
            targets.overview.add_unknown();
        }
        targets.all.push(Target {
            id: id.to_owned(),
            experiment_id: None,
            plan,
        });
        progress.at(targets.all.len());
        Ok(())
    })?;
    progress.clear();
    Ok(targets)
}

fn confirm(context: &Context, words: Words, traces: &str) -> Result<()> {
    let verb = format!("{}{}", words.verb[..1].to_uppercase(), &words.verb[1..]);
    context.terminal.leave_to_dialogue(true);
    let question = format!("{verb} {traces}? [y/N] ");
    terminal::tell(&Clean::line(question));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    context.terminal.leave_to_dialogue(false);
    read?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(CommandError::new(Exit::Condition, format!("nothing was {}", words.changed)).into())
    }
}

fn apply(
    context: &Context,
    store: &dyn Store,
    task: &dyn Task,
    traces: &[TraceRef],
    results: &mut Results<'_>,
) -> Result<()> {
    let words = task.words();
    let mut progress = context.terminal.progress(words.doing).of(traces.len());
    let mut tried = 0;
    store.try_change(traces, &task.change(), |id, result| -> Result<()> {
        // Nobody is let in by asking again.
        if let Err(error @ (StoreError::Unauthorized { .. } | StoreError::Forbidden { .. })) =
            result
        {
            return Err(error.into());
        }
        results.tried(id, result)?;
        tried += 1;
        progress.at(tried);
        Ok(())
    })?;
    progress.clear();
    Ok(())
}

impl Targets {
    fn add(&mut self, task: &dyn Task, trace: Trace) {
        let plan = task.plan_trace(&trace);
        let info = trace.info;
        if plan.changes && task.is_final() {
            self.overview.add(&info);
        }
        self.all.push(Target {
            plan: Ok(plan),
            id: info.trace_id,
            experiment_id: info.experiment_id,
        });
    }
}

impl Target {
    fn pending(&self) -> Option<TraceRef> {
        let changes = self.plan.as_ref().is_ok_and(|plan| plan.changes);
        changes.then(|| TraceRef {
            id: self.id.clone(),
            experiment_id: self.experiment_id.clone(),
        })
    }
}

/// What became of the traces, in the order of the targets.
struct Results<'a> {
    printer: Printer<'a>,
    is_final: bool,
    left: std::vec::IntoIter<Target>,
    counts: Counts,
    failures: Failures,
}

impl Results<'_> {
    /// The change was tried on a trace. Those before it had no need of that.
    fn tried(&mut self, id: &str, result: Result<(), StoreError>) -> Result<()> {
        while let Some(target) = self.left.next() {
            if target.id != id {
                self.untried(target)?;
                continue;
            }
            return match (target.plan, result) {
                (Ok(plan), Ok(())) => {
                    self.counts.changed += 1;
                    self.printer.changed(id, &plan)
                }
                // Somebody else was quicker.
                (Ok(_), Err(StoreError::UnknownTrace { .. })) if self.is_final => {
                    self.counts.unchanged += 1;
                    self.printer.unchanged(id, "it is gone already")
                }
                (Ok(_), Err(StoreError::NotClosed { reason, .. })) => {
                    self.counts.unchanged += 1;
                    self.printer.unchanged(id, &format!("it {reason}"))
                }
                (Err(error), _) => self.failed(target.id, error),
                (_, Err(error)) => self.failed(target.id, error.into()),
            };
        }
        Ok(())
    }

    /// No more is tried.
    fn finish(mut self, unreadable: &[Unreadable]) -> Result<(Counts, Failures)> {
        while let Some(target) = self.left.next() {
            self.untried(target)?;
        }
        self.printer
            .finish(self.counts, self.failures.len(), unreadable)?;
        Ok((self.counts, self.failures))
    }

    fn untried(&mut self, target: Target) -> Result<()> {
        match target.plan {
            Ok(plan) if plan.changes && !self.printer.dry_run => {
                self.counts.left += 1;
                self.printer.left(&target.id)
            }
            Ok(plan) => {
                self.counts.planned += usize::from(plan.changes);
                self.counts.unchanged += usize::from(!plan.changes);
                self.printer.planned(&target.id, &plan)
            }
            Err(error) => self.failed(target.id, error),
        }
    }

    fn failed(&mut self, id: String, error: anyhow::Error) -> Result<()> {
        self.printer.failed(&id, &error.to_string())?;
        self.failures.push((id, error));
        Ok(())
    }
}

/// Says once of each failure what it is, and how to exit.
///
/// # Errors
/// That there were failures.
pub(super) fn end(
    context: &Context,
    form: Form,
    words: Words,
    counts: Counts,
    mut failures: Failures,
    unreadable: &[Unreadable],
) -> Result<Exit> {
    let (done, failed) = (counts.all(), failures.len());
    let exit = context.say_unreadable(done, unreadable);
    if done == 0 && failed <= 1 {
        return match failures.pop() {
            None => Ok(exit),
            Some((_, only)) => Err(only),
        };
    }
    if failed == 0 {
        return Ok(exit);
    }
    if form == Form::Text {
        // The other formats have them among the results.
        for (id, error) in &failures {
            context.warn(format!("{id}: {error}"));
        }
    }
    let (exit, hint) = if failures.iter().all(|(_, error)| resolve::is_missing(error)) {
        (Exit::NotFound, "`mlt search` lists traces")
    } else {
        let hint = "the same command again finishes the rest";
        (Exit::Condition, hint)
    };
    let traces = units::counted(done + failed, "trace");
    let error = CommandError::new(
        exit,
        format!("{failed} of {traces} cannot be {}", words.done),
    );
    Err(error.hint(hint).into())
}
