//! One trace: a summary, then its spans as a tree with their times. Text to a
//! pipe has every column and a bar of fixed width; on a terminal the columns
//! that matter least give way to the names and the bars.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;

use super::cell::Cell;
use super::cells::Cells;
use super::table::{Align, MOST_ARRANGED, Table, TableColumn};
use super::tree::{GuideLines, Selection};
use super::waterfall::Scale;
use super::{Layout, LeftOut, summary};
use crate::analysis::{LatencyReport, Node, NodeId, Place};
use crate::model::{Span, StatusCode, TraceInfo};
use crate::parallel;
use crate::text::Sheet;
use crate::units;

mod columns;
mod lines;
#[cfg(test)]
mod tests;

use columns::{Block, Columns};
use lines::Lines;

/// What to show of a trace.
#[derive(Debug, Clone, Default)]
pub struct TraceOptions {
    /// Inputs and outputs under each span.
    pub io: bool,
    /// Those as they are recorded, not as they are best read.
    pub raw: bool,
    /// Cut each input and output to so many characters, with a note; `None` for all of it.
    pub max_chars: Option<usize>,
    /// Only spans that failed, with their ancestors.
    pub errors_only: bool,
    /// Only spans of these types, with their ancestors; empty for all. Case does not matter.
    pub types: Vec<String>,
    /// Only so many levels; the rest is counted.
    pub max_depth: Option<usize>,
}

/// Columns that guides may take in text to a pipe.
const PIPED_GUIDES: usize = 90;

/// Writes everything that is known about a trace without its spans.
pub fn write_info(out: &mut Sheet<'_>, info: &TraceInfo, layout: &Layout) -> io::Result<()> {
    summary::write(out, info, None, None, layout)
}

/// Writes the summary and the spans of a trace; gives the columns left out.
pub fn write(
    out: &mut Sheet<'_>,
    report: &LatencyReport<'_>,
    options: &TraceOptions,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let info = &report.trace.info;
    summary::write(out, info, Some(report), options.max_chars, layout)?;
    out.blank()?;
    let style = layout.style;
    if report.tree.is_empty() {
        out.styled(style.muted(), "This trace has no spans.")?;
        return Ok(LeftOut::new());
    }
    let selection = Selection::new(&report.tree, options.max_depth, |id, _| {
        options.wants(report.span(id))
    });
    if selection.len() == 0 {
        let none = if options.errors_only {
            "No span failed"
        } else {
            "No span matches"
        };
        let all = units::counted(report.tree.len(), "span");
        let mut line = format!("{none} ({all} in the trace");
        if !options.types.is_empty() {
            let types = report.nodes().map(|(id, _)| report.span(id).span_type());
            let types: BTreeSet<Cow<'_, str>> = types.collect();
            let types: Vec<Cow<'_, str>> = types.into_iter().collect();
            line.push_str(": ");
            line.push_str(&types.join(", "));
        }
        out.styled(style.muted(), format!("{line})."))?;
        return Ok(LeftOut::new());
    }
    let page = Page {
        report,
        options,
        layout,
        selection,
    };
    page.write(out, BLOCK, MOST_ARRANGED)
}

impl TraceOptions {
    fn filters(&self) -> bool {
        self.errors_only || !self.types.is_empty()
    }

    fn wants(&self, span: &Span) -> bool {
        let of_type = |wanted: &String| wanted.eq_ignore_ascii_case(&span.span_type());
        (!self.errors_only || span.status == StatusCode::Error)
            && (self.types.is_empty() || self.types.iter().any(of_type))
    }
}

struct Page<'a> {
    report: &'a LatencyReport<'a>,
    options: &'a TraceOptions,
    layout: &'a Layout,
    selection: Selection,
}

/// Spans whose lines are made together.
const BLOCK: usize = 1024;

impl Page<'_> {
    /// In blocks of so many lines; lines are arranged unless there are more than `most_arranged`.
    fn write(
        &self,
        out: &mut Sheet<'_>,
        block: usize,
        most_arranged: usize,
    ) -> io::Result<LeftOut> {
        let ids = self.report.nodes().map(|(id, _)| id);
        let shown: Vec<NodeId> = ids.filter(|id| self.selection.shows(*id)).collect();
        let parts: Vec<&[NodeId]> = shown.chunks(block).collect();
        let blocks = parallel::map(&parts, |ids| {
            Block::new(ids, self.report, self.layout, |id, to| {
                self.push_name(id, to);
            })
        });
        let mut columns = Columns::new(&blocks, self.layout);
        let guide_columns = match self.layout.width {
            Some(width) => width.saturating_sub(columns.taken()) / 2,
            None => PIPED_GUIDES,
        };
        let guides = GuideLines::new(&self.selection, self.layout.glyphs, guide_columns);
        let names = blocks.iter().flat_map(|block| {
            let width_of = |(at, id): (usize, &NodeId)| {
                let node = self.report.tree.node(*id);
                guides.width(node.depth) + block.names.width_of(at) + self.mark(node).width()
            };
            block.ids.iter().enumerate().map(width_of)
        });
        let names = names.max().unwrap_or(0).max("SPAN".len());
        let name_width = columns.share(names, self.layout);
        let mut heads = vec![TableColumn {
            head: Cell::new(self.layout.style.heading(), "SPAN"),
            align: Align::Left,
            width: name_width,
        }];
        heads.extend(columns.shown.iter().map(|column| column.head(self.layout)));
        let table = Table::new(heads);
        table.write_head(out)?;
        let lines = Lines {
            page: self,
            table: &table,
            columns: &columns,
            name_width,
            scale: self.scale(columns.bar().unwrap_or(0)),
        };
        if shown.len() > most_arranged {
            parallel::map_in_order(
                &blocks,
                |block| lines.long(block, guides.before(block.ids, &self.report.tree)),
                |text| out.put(text),
            )?;
        } else {
            blocks.iter().try_for_each(|block| {
                lines.short(block, guides.before(block.ids, &self.report.tree), out)
            })?;
        }
        self.write_footer(out)?;
        Ok(columns.left_out)
    }

    fn scale(&self, columns: usize) -> Scale {
        let (start, end) = self.report.tree.extent_ns;
        Scale::new(start, end, columns, self.layout.glyphs)
    }

    fn push_name(&self, id: NodeId, to: &mut Cells) {
        let (span, style) = (self.report.span(id), self.layout.style);
        let failed = span.status == StatusCode::Error;
        let wanted = !self.options.filters() || self.options.wants(span);
        let look = match (failed, wanted) {
            (true, _) => style.error(),
            (false, true) => style.text(),
            (false, false) => style.muted(),
        };
        let name = crate::text::named(&span.name);
        if failed {
            let mark = self.layout.glyphs.pick("✗ ", "x ");
            to.push(look, format!("{mark}{name}"));
        } else {
            to.push(look, name);
        }
    }

    /// What is odd about a span's place; goes after the name and is never cut.
    fn mark(&self, node: &Node) -> Cell {
        match place_mark(node) {
            Some(mark) => Cell::new(self.layout.style.warning(), format!(" ({mark})")),
            None => Cell::default(),
        }
    }

    fn write_footer(&self, out: &mut Sheet<'_>) -> io::Result<()> {
        let (shown, all) = (self.selection.len(), self.report.tree.len());
        if shown == all {
            return Ok(());
        }
        let why = if self.options.filters() {
            ": the matching ones and what they are part of"
        } else {
            ""
        };
        let note = format!(
            "{} of {} shown{why}.",
            units::count(count(shown)),
            units::counted(all, "span")
        );
        out.blank()?;
        out.styled(self.layout.style.muted(), note)
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `OK`, `ERROR` and so on, and how it looks.
pub(crate) const fn status(
    span: &Span,
    node: &Node,
    layout: &Layout,
) -> (anstyle::Style, &'static str) {
    let style = layout.style;
    match span.status {
        StatusCode::Unset if node.in_progress => (style.in_progress(), "IN_PROGRESS"),
        StatusCode::Unset => (style.muted(), units::NONE),
        known => (style.status(known), known.as_str()),
    }
}

/// What is odd about a span's place in the tree.
pub(crate) const fn place_mark(node: &Node) -> Option<&'static str> {
    match node.place {
        Place::Orphan => Some("orphan"),
        Place::CycleCut => Some("cycle"),
        Place::Child | Place::Root if node.detached => Some("detached"),
        Place::Child | Place::Root => None,
    }
}
