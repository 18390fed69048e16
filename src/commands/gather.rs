//! The traces that a command over many of them is about, handed over one by one:
//! named, or found by a filter, with as much of their spans as the command needs.
//! Spans are fetched concurrently and in batches, and nothing is kept of them, so
//! that memory grows with ids at most.

use std::cell::RefCell;

use anyhow::Result;

use super::resolve::Failures;
use super::selection::{check_experiments, filter_of, name_experiments};
use super::usage::UsageLookup;
use super::{Context, resolve};
use crate::analysis::{GroupKey, roll_up};
use crate::cli::SelectionArgs;
use crate::error::{CommandError, Exit};
use crate::field::Field;
use crate::model::{Trace, TraceInfo, Unreadable, metadata};
use crate::progress::Progress;
use crate::store::{
    Detail, InfoParts, Query, Search, SearchEnd, Store, StoreError, TraceRefs, Want, going_on,
};
use crate::units;

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

/// The parts of traces that these keys tell them apart by; `None` for what is in no part.
pub(super) fn parts_of<'k>(keys: impl IntoIterator<Item = &'k GroupKey>) -> Option<InfoParts> {
    let mut parts = InfoParts::NONE;
    for key in keys {
        match key {
            GroupKey::Trace(Field::Status) => {}
            GroupKey::Trace(Field::Name) => parts.name = true,
            GroupKey::Trace(Field::Metadata(of))
                if [metadata::SESSION, metadata::USER].contains(&of.as_str()) =>
            {
                parts.session = true;
            }
            GroupKey::Assessment | GroupKey::AssessmentValue => parts.assessments = true,
            other if other.is_of_infos() => return None,
            _ => {}
        }
    }
    Some(parts)
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

    /// Whether tokens or cost of some traces are not known for want of their spans.
    pub(super) const fn lacks_usage(&self) -> bool {
        self.usage.lacks_some()
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
        let exit = exit.but_incomplete(self.lacks_usage());
        fail_with(context, self.failures)?;
        Ok(exit)
    }

    /// Says what is special about the traces.
    pub(super) fn remark(&self, context: &Context) {
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
            context.warn(format!("{traces} {verb} no spans"));
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
        context.warn(format!("{id}: {error}"));
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
            Before::of(known),
            &mut each,
        );
    }
    let mut ids = resolve::trace_ids(context, &args.traces)?;
    let before = Before::of(known);
    let run = Run::new(context, need, progress.of(ids.len()), before)?;
    run.pass_over_known(&mut ids, String::as_str);
    let want = Want {
        spans: need.spans,
        any_order: false,
    };
    run.store
        .try_fetch_all(TraceRefs::Ids(ids), want, |id, trace| {
            run.hand_over(id, trace, Known::Ids, &mut each)
        })?;
    Ok(run.finish())
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
    each: impl FnMut(Trace) -> Result<()>,
) -> Result<Gathered> {
    gather_told(context, query, limit, need, message, &|_| (), each)
}

/// The same, and tells of each trace that was found before its spans are fetched, which
/// may not be had.
///
/// # Errors
/// As for [`gather_found`].
pub(super) fn gather_told(
    context: &Context,
    query: Query,
    limit: Option<u64>,
    need: Need,
    message: &str,
    found: &dyn Fn(&TraceInfo),
    mut each: impl FnMut(Trace) -> Result<()>,
) -> Result<Gathered> {
    let progress = context.terminal.progress(message);
    let known = |_: &str| false;
    let before = Before {
        known: &known,
        found,
    };
    find(context, query, limit, need, progress, before, &mut each)
}

/// What happens before traces are fetched.
#[derive(Clone, Copy)]
struct Before<'a> {
    /// Which are known already, and passed over.
    known: &'a dyn Fn(&str) -> bool,
    /// Is told of each that is found.
    found: &'a dyn Fn(&TraceInfo),
}

impl<'a> Before<'a> {
    fn of(known: &'a dyn Fn(&str) -> bool) -> Self {
        Self {
            known,
            found: &|_| (),
        }
    }
}

fn find(
    context: &Context,
    mut query: Query,
    limit: Option<u64>,
    need: Need,
    progress: Progress,
    before: Before<'_>,
    each: &mut impl FnMut(Trace) -> Result<()>,
) -> Result<Gathered> {
    let is_bare = [InfoParts::NONE, InfoParts::SPAN_COUNT].contains(&need.parts);
    query.ids_only = !need.info && is_bare;
    query.parts = (!need.info).then_some(need.parts);
    query.any_order = need.any_order;
    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let run = Run::new(context, need, progress, before)?;
    let mut search = Search::new(run.store, query.clone(), limit);
    let mut pages = std::iter::from_fn(|| run.next_page(&mut search).transpose());
    let mut outcome = Ok(());
    let mut fetched = Ok(());
    if let Some(detail) = need.spans {
        let want = Want {
            spans: Some(detail),
            any_order: need.any_order,
        };
        let mut pages = pages.map(|page| Ok(TraceRefs::Known(page?)));
        fetched = run.store.fetch(&mut pages, want, &mut |id, trace| {
            outcome = run.hand_over(id, trace, Known::Infos, each);
            going_on(&outcome)
        });
    } else {
        while let (Ok(()), Some(page)) = (&outcome, pages.next()) {
            match page {
                Ok(page) => outcome = run.hand_over_all(page, each),
                Err(error) => fetched = Err(error),
            }
            if fetched.is_err() {
                break;
            }
        }
    }
    outcome?;
    fetched?;
    let store = run.store;
    let mut gathered = run.finish();
    gathered.limited = search.end() == Some(SearchEnd::Limited);
    let nothing = gathered.traces + gathered.skipped + gathered.deleted == 0;
    if nothing && !gathered.is_short() {
        // An empty answer must not pass for that of an experiment that exists.
        check_experiments(store, &context.settings.experiments)?;
    }
    Ok(gathered)
}

/// What is known of traces before they are fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Ids,
    Infos,
}

/// A selection under way: traces are found and handed over by turns.
struct Run<'a> {
    store: &'a dyn Store,
    need: Need,
    before: Before<'a>,
    so_far: RefCell<SoFar>,
}

struct SoFar {
    progress: Progress,
    scanned: usize,
    gathered: Gathered,
}

impl<'a> Run<'a> {
    fn new(
        context: &'a Context,
        need: Need,
        progress: Progress,
        before: Before<'a>,
    ) -> Result<Self> {
        let gathered = Gathered {
            usage: UsageLookup::new(context),
            ..Gathered::default()
        };
        Ok(Self {
            store: context.store()?,
            need,
            before,
            so_far: RefCell::new(SoFar {
                progress,
                scanned: 0,
                gathered,
            }),
        })
    }

    fn finish(self) -> Gathered {
        self.so_far.into_inner().gathered
    }

    /// The next traces of a search that are not known; `None` at its end.
    fn next_page(&self, search: &mut Search<'_>) -> Result<Option<Vec<TraceInfo>>, StoreError> {
        let Some(mut page) = search.next_page()? else {
            return Ok(None);
        };
        let mut so_far = self.so_far.borrow_mut();
        so_far.gathered.unreadable.extend(search.take_unreadable());
        so_far.scanned = search.scanned();
        drop(so_far);
        self.pass_over_known(&mut page, |info| &info.trace_id);
        page.iter().for_each(self.before.found);
        Ok(Some(page))
    }

    fn pass_over_known<T>(&self, traces: &mut Vec<T>, id: impl Fn(&T) -> &str) {
        let all = traces.len();
        traces.retain(|trace| !(self.before.known)(id(trace)));
        self.so_far.borrow_mut().gathered.skipped += all - traces.len();
    }

    /// Hands traces over of which no spans are needed, but for tokens and cost.
    fn hand_over_all(
        &self,
        mut infos: Vec<TraceInfo>,
        each: &mut impl FnMut(Trace) -> Result<()>,
    ) -> Result<()> {
        if self.need.usage {
            let gathered = &mut self.so_far.borrow_mut().gathered;
            gathered.usage.complete(self.store, &mut infos);
        }
        infos.into_iter().try_for_each(|info| {
            let spans = Vec::new();
            self.hand_over("", Ok(Trace { info, spans }), Known::Infos, each)
        })
    }

    fn hand_over(
        &self,
        id: &str,
        trace: Result<Trace, StoreError>,
        known: Known,
        each: &mut impl FnMut(Trace) -> Result<()>,
    ) -> Result<()> {
        let so_far = &mut *self.so_far.borrow_mut();
        let gathered = &mut so_far.gathered;
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
        so_far.progress.found(so_far.scanned.max(done), done);
        Ok(())
    }
}
