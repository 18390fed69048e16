//! Prints traces that were found, page by page, in the format that was asked for.

use std::io::Write;

use anyhow::Result;

use crate::cli::SearchArgs;
use crate::commands::completing::{Lack, complete};
use crate::commands::form::Form;
use crate::commands::{Context, columns};
use crate::export::json::{RowList, TraceList, TraceParts};
use crate::model::{Trace, TraceInfo, Unreadable};
use crate::render::brief::search::Found;
use crate::render::search::SearchTable;
use crate::store::{Detail, Query, Store, StoreError, TraceRefs, Want};
use crate::table::delimited::DelimitedTable;
use crate::terminal::Output;
use crate::text::Sheet;

/// Prints traces in the format that was asked for.
pub(super) struct Printer<'a> {
    kind: Kind<'a>,
    /// What the columns need beyond what a search finds, but for tokens and cost.
    lack: Lack,
    /// Whether there is a column of tokens or cost.
    shows_usage: bool,
}

enum Kind<'a> {
    Table(Sheet<'a>, SearchTable),
    Json(&'a mut dyn Write, TraceList),
    Rows(&'a mut dyn Write, RowList<Trace>),
    Delimited(DelimitedTable<'a, Trace>),
    Ids(Sheet<'a>),
    Brief(Sheet<'a>, Found),
}

impl<'a> Printer<'a> {
    /// `text` is what was searched for, where it was a text.
    pub(super) fn new(
        context: &Context,
        args: &SearchArgs,
        query: &Query,
        text: Option<&str>,
        out: &'a mut Output,
    ) -> Result<Self> {
        let form = Form::of(&context.flags.output);
        let searched = match form {
            Some(Form::Text) if args.columns.is_empty() => Some((query, text)),
            None if context.is_brief() => Some((query, None)),
            _ => None,
        };
        let (columns, needed) = columns::of_search(&args.columns, searched);
        let needed = match form {
            Some(Form::Json(_)) if args.columns.is_empty() => Lack::default(),
            None if !context.is_brief() => Lack::default(),
            _ => needed,
        };
        let kind = match form {
            Some(Form::Text) => {
                Kind::Table(out.text(), SearchTable::new(columns, context.layout()))
            }
            Some(Form::Json(form)) if args.columns.is_empty() => {
                Kind::Json(out.data(), TraceList::new(form))
            }
            Some(Form::Json(form)) => Kind::Rows(out.data(), RowList::new(form, "traces", columns)),
            Some(Form::Delimited(format)) => {
                Kind::Delimited(DelimitedTable::new(out.data(), format, columns)?)
            }
            None if context.is_brief() => {
                let found = Found::new(context.tokens(), &context.again());
                Kind::Brief(out.text(), found)
            }
            None => Kind::Ids(out.text()),
        };
        Ok(Self {
            kind,
            // Those are looked up where that does not take too long, which is then said.
            lack: Lack {
                usage: needed.usage && needed.detail.is_some(),
                ..needed
            },
            shows_usage: needed.usage && needed.detail.is_none(),
        })
    }

    pub(super) fn shows_usage(&self) -> bool {
        self.shows_usage
    }

    /// Every line is printed at once.
    pub(super) fn streaming(mut self) -> Self {
        if let Kind::Table(_, table) = &mut self.kind {
            table.stream();
        }
        self
    }

    /// Whether traces are fetched with their spans.
    pub(super) fn needs_spans(&self, whole: bool) -> bool {
        whole || self.lack.detail.is_some() || self.lack.count
    }

    /// Prints what was pushed until now.
    pub(super) fn flush(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Table(out, table) => table.flush(out)?,
            Kind::Delimited(rows) => rows.flush()?,
            _ => {}
        }
        Ok(())
    }

    /// Prints the traces of a page with what they lack, and gives how many these are:
    /// some may have been deleted since they were found, and some are unreadable.
    pub(super) fn push_page(
        &mut self,
        store: &dyn Store,
        page: Vec<TraceInfo>,
        whole: bool,
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<usize> {
        let mut count = 0;
        each_completed(store, page, self.lack, whole, unreadable, |trace| {
            count += 1;
            self.push_completed(&trace, whole)
        })?;
        Ok(count)
    }

    /// The traces of a page with what they lack, likewise.
    pub(super) fn completed(
        &self,
        store: &dyn Store,
        page: Vec<TraceInfo>,
        whole: bool,
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<Vec<Trace>> {
        let mut traces = Vec::with_capacity(page.len());
        each_completed(store, page, self.lack, whole, unreadable, |trace| {
            traces.push(trace);
            Ok(())
        })?;
        Ok(traces)
    }

    /// Prints a trace that lacks nothing.
    pub(super) fn push_completed(&mut self, trace: &Trace, whole: bool) -> Result<()> {
        match &mut self.kind {
            Kind::Json(out, list) if whole => Ok(list.push(out, &TraceParts::whole(trace, None))?),
            _ => self.push(trace),
        }
    }

    fn push(&mut self, trace: &Trace) -> Result<()> {
        let info = &trace.info;
        match &mut self.kind {
            Kind::Table(out, table) => table.push(out, trace)?,
            Kind::Json(out, list) => list.push(out, &TraceParts::info_only(info))?,
            Kind::Rows(out, list) => list.push(out, trace)?,
            Kind::Delimited(rows) => rows.push(trace)?,
            Kind::Ids(out) => out.line(&info.trace_id)?,
            Kind::Brief(_, found) => found.push(trace),
        }
        Ok(())
    }

    pub(super) fn finish(
        self,
        truncated: bool,
        more_match: bool,
        unreadable: &[Unreadable],
    ) -> Result<()> {
        match self.kind {
            Kind::Table(mut out, mut table) => table.flush(&mut out)?,
            Kind::Json(out, list) => list.finish(out, None, truncated, unreadable)?,
            Kind::Rows(out, list) => list.finish(out, truncated, unreadable)?,
            Kind::Delimited(rows) => rows.finish()?,
            Kind::Brief(mut out, found) => out.put(found.finish(more_match))?,
            Kind::Ids(_) => {}
        }
        Ok(())
    }
}

/// Hands the traces of a page over with what they lack, or whole.
fn each_completed(
    store: &dyn Store,
    page: Vec<TraceInfo>,
    lack: Lack,
    whole: bool,
    unreadable: &mut Vec<Unreadable>,
    mut each: impl FnMut(Trace) -> Result<()>,
) -> Result<()> {
    if !whole {
        let lost = complete(store, page, lack, each)?;
        // The order may have come across them already.
        for one in lost {
            let is_known = |known: &Unreadable| known.trace_id == one.trace_id;
            if !unreadable.iter().any(is_known) {
                unreadable.push(one);
            }
        }
        return Ok(());
    }
    let want = Want::spans(Detail::Whole);
    store.try_fetch_all(TraceRefs::Known(page), want, |id, trace| -> Result<()> {
        match trace.map_err(|error| error.into_unreadable(id)) {
            Ok(trace) => each(trace),
            Err(Ok(one)) => {
                unreadable.push(one);
                Ok(())
            }
            // It was there when it was found.
            Err(Err(StoreError::UnknownTrace { .. })) => Ok(()),
            Err(Err(error)) => Err(error.into()),
        }
    })
}
