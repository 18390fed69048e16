//! The traces that a command over many of them is about, handed over one by one:
//! named, or found by a filter, with as much of their spans as the command needs.
//! Spans are fetched concurrently and in batches, and nothing is kept of them, so
//! that memory grows with ids at most.

use std::ops::ControlFlow;

use anyhow::Result;

use super::completing::in_batches;
use super::resolve::Failures;
use super::selection::{check_experiments, explain, filter_of, name_experiments};
use super::usage::UsageLookup;
use super::{Context, resolve};
use crate::analysis::roll_up;
use crate::cli::SelectionArgs;
use crate::error::{CommandError, Exit};
use crate::model::{Trace, TraceInfo, Unreadable};
use crate::parallel;
use crate::progress::Progress;
use crate::render::sanitize;
use crate::store::{Detail, InfoParts, Query, Search, SearchEnd, Store, StoreError};
use crate::units;

/// Batches of spans that are fetched before more traces are asked for.
const BATCHES_AT_ONCE: usize = 16;

/// What a command needs of the traces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// Spans, and how much of them.
    pub(super) spans: Option<Detail>,
    /// Whether all is needed of what is known without the spans.
    pub(super) info: bool,
    /// Where it is not, what is needed besides ids, states and times.
    pub(super) parts: InfoParts,
    /// Whether tokens and cost are needed, from the spans where metadata has none.
    pub(super) usage: bool,
    /// Whether any order will do.
    pub(super) any_order: bool,
}

impl Need {
    /// All that is known without the spans.
    pub(super) const INFO: Self = Self {
        spans: None,
        info: true,
        parts: InfoParts::NONE,
        usage: false,
        any_order: false,
    };

    /// All that is known without the spans, and so much of these.
    pub(super) const fn with_spans(detail: Detail) -> Self {
        Self {
            spans: Some(detail),
            info: true,
            parts: InfoParts::NONE,
            usage: false,
            any_order: false,
        }
    }
}

/// How much of the spans is needed where tokens or cost of traces are, too: what else
/// is looked at for spans has them for nothing.
pub(super) fn with_usage(detail: Option<Detail>, usage: bool) -> Option<Detail> {
    match detail {
        Some(Detail::Times) if usage => Some(Detail::Measures),
        other => other,
    }
}

/// What became of a selection.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Traces that were handed over.
    pub(super) traces: usize,
    /// Traces that were passed over, being known already.
    pub(super) skipped: usize,
    /// Whether more match than were handed over, because of a limit.
    pub(super) limited: bool,
    /// Traces that were named and are not there.
    pub(super) failures: Failures,
    /// Traces that are there and cannot be read.
    pub(super) unreadable: Vec<Unreadable>,
    /// Traces without spans among those that were handed over.
    without_spans: usize,
    /// Traces that were deleted between their being found and fetched.
    deleted: usize,
    /// Of which tokens and cost were looked for in the spans.
    usage: UsageLookup,
}

impl Gathered {
    /// Whether something of the selection is missing.
    pub(super) fn truncated(&self) -> bool {
        self.limited || self.is_short()
    }

    /// Whether traces could not be had, for whatever reason.
    pub(super) fn is_short(&self) -> bool {
        !self.failures.is_empty() || !self.unreadable.is_empty()
    }

    /// What stands in the way where nothing could be had.
    pub(super) fn take_error(&mut self) -> Option<anyhow::Error> {
        let failure = self.failures.pop().map(|(_, error)| error);
        failure.or_else(|| Some(StoreError::from(self.unreadable.pop()?).into()))
    }

    /// Says what is missing, once the output is written, and how to exit.
    ///
    /// # Errors
    /// That of the last trace that could not be had.
    pub(super) fn finish(self, context: &Context) -> Result<Exit> {
        self.usage.note(context);
        self.remark(context);
        let exit = context.say_unreadable(self.traces + self.skipped, &self.unreadable);
        fail_with(context, self.failures)?;
        Ok(exit)
    }

    /// Says what is special about the traces.
    fn remark(&self, context: &Context) {
        if self.deleted > 0 {
            let traces = units::counted(self.deleted, "trace");
            context.note(&format!("{traces} deleted meanwhile"));
        }
        if self.without_spans > 0 {
            let traces = units::counted(self.without_spans, "trace");
            let verb = if self.without_spans == 1 {
                "has"
            } else {
                "have"
            };
            context.warn(&format!("{traces} {verb} no spans"));
        }
    }
}

/// Says what went wrong with each trace, and ends as the last one.
///
/// # Errors
/// That of the last trace.
pub(super) fn fail_with(context: &Context, mut failures: Failures) -> Result<Exit> {
    let Some((_, last)) = failures.pop() else {
        return Ok(Exit::Success);
    };
    for (id, error) in failures {
        context.warn(&sanitize::line(&format!("{id}: {error}")));
    }
    Err(last)
}

/// Hands the chosen traces to `each`, in the order in which they were named or
/// the newest first, unless any order will do.
///
/// # Errors
/// Ids and a filter at once, or neither; a filter that does not parse; those of
/// the store, but for single traces; and those of `each`.
pub(super) fn gather(
    context: &Context,
    args: &SelectionArgs,
    need: Need,
    message: &str,
    each: impl FnMut(Trace) -> Result<()>,
) -> Result<Gathered> {
    gather_unknown(context, args, need, message, &|_| false, each)
}

/// The same, but passes over traces whose ids are `known`: these are not fetched.
///
/// # Errors
/// As for [`gather`].
pub(super) fn gather_unknown(
    context: &Context,
    args: &SelectionArgs,
    need: Need,
    message: &str,
    known: &dyn Fn(&str) -> bool,
    mut each: impl FnMut(Trace) -> Result<()>,
) -> Result<Gathered> {
    let searches = args.is_search() || !context.flags.experiments.is_empty();
    if !args.traces.is_empty() && args.is_search() {
        return Err(CommandError::usage("expected trace ids or a filter, found both").into());
    }
    if args.traces.is_empty() && !searches && !args.names_none {
        return Err(
            CommandError::usage("expected trace ids or a filter, found neither")
                .hint("`--since 1d` chooses the traces of a day, `--all` every one")
                .into(),
        );
    }
    let progress = context.terminal.progress(message);
    if args.traces.is_empty() && !args.names_none {
        let mut query = Query {
            filter: filter_of(&args.filter, context)?,
            ..Query::default()
        };
        name_experiments(context, context.store()?, &mut query)?;
        return find(
            context,
            query,
            args.limit.limit,
            need,
            progress,
            known,
            &mut each,
        );
    }
    let ids = resolve::trace_ids(context, &args.traces)?;
    let store = context.store()?;
    let mut run = Run::new(store, need, progress.of(ids.len()), known);
    let infos = ids.into_iter().map(TraceInfo::new).collect();
    run.fetch(infos, Known::Ids, &mut each)?;
    Ok(run.gathered)
}

/// Hands the traces that a query finds to `each`, in its order; the experiments
/// are ids by now.
///
/// # Errors
/// Those of the store, but for single traces; and those of `each`.
pub(super) fn gather_found(
    context: &Context,
    query: Query,
    limit: Option<u64>,
    need: Need,
    message: &str,
    mut each: impl FnMut(Trace) -> Result<()>,
) -> Result<Gathered> {
    let progress = context.terminal.progress(message);
    let known = |_: &str| false;
    find(context, query, limit, need, progress, &known, &mut each)
}

fn find(
    context: &Context,
    mut query: Query,
    limit: Option<u64>,
    need: Need,
    progress: Progress,
    known: &dyn Fn(&str) -> bool,
    each: &mut impl FnMut(Trace) -> Result<()>,
) -> Result<Gathered> {
    query.ids_only = !need.info && need.parts == InfoParts::NONE;
    query.parts = (!need.info).then_some(need.parts);
    query.any_order = need.any_order;
    let store = context.store()?;
    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut search = Search::new(store, query.clone(), limit);
    let mut run = Run::new(store, need, progress, known);
    // Several batches at a time keep all workers busy while the results are handed over.
    let at_once = need
        .spans
        .map_or(1, |detail| match store.batches(detail).traces {
            batch @ 2.. => batch * BATCHES_AT_ONCE,
            one => one,
        });
    let mut waiting = Vec::new();
    let mut sweep_from = None;
    while let Some(page) = search.next_page().map_err(|e| explain(e, &query))? {
        run.gathered.unreadable.extend(search.take_unreadable());
        run.scanned = search.scanned();
        waiting.extend(page);
        if waiting.len() >= at_once {
            if need.any_order && sweep_from.is_none() {
                sweep_from = need.spans.and_then(|detail| store.sweep_from(detail));
            }
            if sweep_from.is_none() {
                run.fetch(std::mem::take(&mut waiting), Known::Infos, each)?;
            }
        }
    }
    match (need.spans, sweep_from) {
        (Some(detail), Some(least)) if waiting.len() >= least => {
            run.sweep(waiting, detail, each)?;
        }
        _ => run.fetch(waiting, Known::Infos, each)?,
    }
    run.gathered.limited = search.end() == Some(SearchEnd::Limited);
    let nothing = run.gathered.traces + run.gathered.skipped + run.gathered.deleted == 0;
    if nothing && !run.gathered.is_short() {
        // An empty answer must not pass for that of an experiment that exists.
        check_experiments(store, &context.settings.experiments)?;
    }
    Ok(run.gathered)
}

/// What is known of traces before they are fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Ids,
    Infos,
}

/// A selection under way.
struct Run<'a> {
    store: &'a dyn Store,
    need: Need,
    progress: Progress,
    known: &'a dyn Fn(&str) -> bool,
    scanned: usize,
    gathered: Gathered,
}

impl<'a> Run<'a> {
    fn new(
        store: &'a dyn Store,
        need: Need,
        progress: Progress,
        known: &'a dyn Fn(&str) -> bool,
    ) -> Self {
        Self {
            store,
            need,
            progress,
            known,
            scanned: 0,
            gathered: Gathered::default(),
        }
    }

    /// Fetches what is needed of these traces and hands them over.
    fn fetch(
        &mut self,
        mut infos: Vec<TraceInfo>,
        known: Known,
        each: &mut impl FnMut(Trace) -> Result<()>,
    ) -> Result<()> {
        let (store, need) = (self.store, self.need);
        self.pass_over_known(&mut infos);
        let without_spans = |info| Trace {
            info,
            spans: Vec::new(),
        };
        if known == Known::Ids {
            let ids: Vec<String> = infos.into_iter().map(|info| info.trace_id).collect();
            let ask = |id: &String| match need.spans {
                Some(detail) => store.trace(id, detail),
                None => store.info(id).map(without_spans),
            };
            return parallel::for_each_in_order(store.at_once(), &ids, ask, |id, trace| {
                self.hand_over(id, trace, known, each)
            });
        }
        let Some(detail) = need.spans else {
            if need.usage {
                self.gathered.usage.complete(store, &mut infos);
            }
            return infos
                .into_iter()
                .try_for_each(|info| self.hand_over("", Ok(without_spans(info)), known, each));
        };
        let whole = |trace| trace;
        in_batches(store, &infos, detail, whole, |info, trace| {
            self.hand_over(&info.trace_id, trace, known, each)
        })
    }

    /// The same in whatever order comes quickest.
    fn sweep(
        &mut self,
        mut infos: Vec<TraceInfo>,
        detail: Detail,
        each: &mut impl FnMut(Trace) -> Result<()>,
    ) -> Result<()> {
        self.pass_over_known(&mut infos);
        let mut outcome = Ok(());
        self.store.sweep(infos, detail, &mut |id, trace| {
            outcome = self.hand_over(id, trace, Known::Infos, each);
            match outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        outcome
    }

    fn pass_over_known(&mut self, infos: &mut Vec<TraceInfo>) {
        let all = infos.len();
        infos.retain(|info| !(self.known)(&info.trace_id));
        self.gathered.skipped += all - infos.len();
    }

    fn hand_over(
        &mut self,
        id: &str,
        trace: Result<Trace, StoreError>,
        known: Known,
        each: &mut impl FnMut(Trace) -> Result<()>,
    ) -> Result<()> {
        let gathered = &mut self.gathered;
        match trace {
            Ok(mut trace) => {
                let is_bare = self.need.spans.is_some() && trace.spans.is_empty();
                gathered.without_spans += usize::from(is_bare);
                if self.need.usage && !trace.spans.is_empty() {
                    trace.info.rolled_up = roll_up(&trace);
                }
                each(trace)?;
                gathered.traces += 1;
            }
            // It was there when it was found.
            Err(StoreError::UnknownTrace { .. }) if known == Known::Infos => gathered.deleted += 1,
            Err(error) => match error.into_unreadable(id) {
                Ok(unreadable) => gathered.unreadable.push(unreadable),
                Err(error) if error.is_about_one_trace() => {
                    gathered.failures.push((id.to_owned(), error.into()));
                }
                Err(error) => return Err(error.into()),
            },
        }
        let done = gathered.traces
            + gathered.skipped
            + gathered.deleted
            + gathered.failures.len()
            + gathered.unreadable.len();
        self.progress.found(self.scanned.max(done), done);
        Ok(())
    }
}
