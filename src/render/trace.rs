//! One trace: a summary, then its spans as a tree with their times. Text to a
//! pipe has every column and a bar of fixed width; on a terminal the columns
//! that matter least give way to the names and the bars.

use std::io::{self, Write};

use super::cell::Cell;
use super::style::Painted;
use super::table::{Align, MOST_ARRANGED, Table, TableColumn};
use super::tree::{GuideLines, Selection};
use super::waterfall::{BarKind, Scale};
use super::{Layout, LeftOut, number, payload, summary, text};
use crate::analysis::{LatencyReport, Node, NodeId, Place};
use crate::model::{Span, StatusCode, TraceInfo};

mod columns;
#[cfg(test)]
mod tests;

use columns::{Columns, Figure};

/// What to show of a trace.
#[derive(Debug, Clone, Default)]
pub struct TraceOptions {
    /// Inputs and outputs under each span.
    pub io: bool,
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
pub fn write_info(out: &mut dyn Write, info: &TraceInfo, layout: &Layout) -> io::Result<()> {
    summary::write(out, info, None, None, layout)
}

/// Writes the summary and the spans of a trace; gives the columns left out.
pub fn write(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    options: &TraceOptions,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let info = &report.trace.info;
    summary::write(out, info, Some(report), options.max_chars, layout)?;
    writeln!(out)?;
    let style = layout.style;
    if report.tree.is_empty() {
        writeln!(
            out,
            "{}",
            Painted(style.muted(), "This trace has no spans.")
        )?;
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
        let all = number::counted(report.tree.len(), "span");
        writeln!(
            out,
            "{}",
            Painted(style.muted(), format!("{none} ({all} in the trace)."))
        )?;
        return Ok(LeftOut::new());
    }
    let page = Page {
        report,
        options,
        layout,
        selection,
    };
    page.write(out)
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

/// A shown span.
struct Line {
    id: NodeId,
    name: Cell,
    /// What is odd about its place; goes after the name and is never cut.
    mark: Cell,
    /// The guides of what stands below it, and of a note in the place of its children.
    below: String,
    note: String,
}

impl Page<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<LeftOut> {
        let ids = self.report.nodes().map(|(id, _)| id);
        let shown: Vec<NodeId> = ids.filter(|id| self.selection.shows(*id)).collect();
        let mut columns = Columns::new(self.report, &shown, self.layout);
        let guides = match self.layout.width {
            Some(width) => width.saturating_sub(columns.taken()) / 2,
            None => PIPED_GUIDES,
        };
        let lines = self.lines(shown, guides);
        let names = lines
            .iter()
            .map(|line| line.name.width() + line.mark.width());
        let names = names.max().unwrap_or(0).max("SPAN".len());
        let names = columns.share(names, self.layout);
        self.write_table(out, &lines, &columns, names)?;
        self.write_footer(out)?;
        Ok(columns.left_out)
    }

    fn lines(&self, shown: Vec<NodeId>, guide_columns: usize) -> Vec<Line> {
        let mut guides = GuideLines::new(&self.selection, self.layout.glyphs, guide_columns);
        let line = |id: NodeId| {
            let node = self.report.tree.node(id);
            let guide = guides.enter(id, node);
            let mark = place_mark(node).map(|mark| format!(" ({mark})"));
            Line {
                id,
                name: self.name(id, &guide),
                mark: Cell::new(self.layout.style.warning(), mark.unwrap_or_default()),
                below: guides.below(id),
                note: guides.note(),
            }
        };
        shown.into_iter().map(line).collect()
    }

    fn name(&self, id: NodeId, guide: &str) -> Cell {
        let (span, style) = (self.report.span(id), self.layout.style);
        let failed = span.status == StatusCode::Error;
        let wanted = !self.options.filters() || self.options.wants(span);
        let look = match (failed, wanted) {
            (true, _) => style.error(),
            (false, true) => style.text(),
            (false, false) => style.muted(),
        };
        let mark = if failed {
            self.layout.glyphs.pick("✗ ", "x ")
        } else {
            ""
        };
        let name = if span.name.is_empty() {
            "(no name)"
        } else {
            &span.name
        };
        Cell::new(style.muted(), guide).and(look, format!("{mark}{name}"))
    }

    fn write_table(
        &self,
        out: &mut dyn Write,
        lines: &[Line],
        columns: &Columns,
        name_width: usize,
    ) -> io::Result<()> {
        let mut heads = vec![TableColumn {
            head: Cell::new(self.layout.style.heading(), "SPAN"),
            align: Align::Left,
            width: name_width,
        }];
        heads.extend(columns.shown.iter().map(|column| column.head(self.layout)));
        let table = Table::new(heads);
        table.write_head(out)?;
        let (start, end) = self.report.tree.extent_ns;
        let scale = Scale::new(start, end, columns.bar().unwrap_or(0), self.layout.glyphs);
        let cut = self.layout.width.map(|_| name_width);
        let name_of = |line: &Line| {
            let name_cut = cut.map(|width| width.saturating_sub(line.mark.width()));
            line.mark.clone().after(line.name.clone().fit_if(name_cut))
        };
        if lines.len() > MOST_ARRANGED {
            for (at, line) in lines.iter().enumerate() {
                let (name, bar) = (name_of(line), self.bar(line.id, scale));
                let cells = columns.shown.iter().map(|column| match column.figure {
                    Figure::Bar => &bar,
                    _ => &column.cells[at],
                });
                let text = table.line(std::iter::once(&name).chain(cells));
                writeln!(out, "{text}")?;
                self.write_below(out, line)?;
            }
            return Ok(());
        }
        let rows = lines.iter().enumerate().map(|(at, line)| {
            let cells = columns.shown.iter().map(|column| match column.figure {
                Figure::Bar => self.bar(line.id, scale),
                _ => column.cells[at].clone(),
            });
            std::iter::once(name_of(line)).chain(cells).collect()
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        for (text, line) in table.lines(&rows).iter().zip(lines) {
            writeln!(out, "{text}")?;
            self.write_below(out, line)?;
        }
        Ok(())
    }

    /// What belongs to a span but does not fit into columns.
    fn write_below(&self, out: &mut dyn Write, line: &Line) -> io::Result<()> {
        let (span, style) = (self.report.span(line.id), self.layout.style);
        if span.status == StatusCode::Error
            && let Some(error) = span.error_text()
        {
            let cell = Cell::new(style.muted(), &line.below).and(style.error(), error.trim_end());
            writeln!(out, "{}", cell.fit_if(self.layout.width))?;
        }
        if self.options.io {
            let prefix = Painted(style.muted(), &line.below).to_string();
            for (label, value) in [("inputs", span.inputs()), ("outputs", span.outputs())] {
                if let Some(value) = value {
                    write_payload(
                        out,
                        &prefix,
                        label,
                        value,
                        self.options.max_chars,
                        self.layout,
                    )?;
                }
            }
        }
        match self.selection.cut_below(line.id) {
            0 => Ok(()),
            hidden => {
                let note = format!("{}… {} below", line.note, number::counted(hidden, "span"));
                writeln!(out, "{}", Painted(style.muted(), note))
            }
        }
    }

    fn bar(&self, id: NodeId, scale: Scale) -> Cell {
        let (node, span, style) = (
            self.report.tree.node(id),
            self.report.span(id),
            self.layout.style,
        );
        let (kind, look) = match (span.status, node.in_progress) {
            (StatusCode::Error, _) => (BarKind::Failed, style.error()),
            (_, true) => (BarKind::InProgress, style.in_progress()),
            _ => (BarKind::Done, style.span_type(&span.span_type())),
        };
        let (blank, bar) = scale.bar(node.start_ns, node.end_ns, kind);
        Cell::new(style.text(), " ".repeat(blank)).and(look, bar)
    }

    fn write_footer(&self, out: &mut dyn Write) -> io::Result<()> {
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
            number::count(count(shown)),
            number::counted(all, "span")
        );
        writeln!(out, "\n{}", Painted(self.layout.style.muted(), note))
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `OK`, `✗ ERROR` and so on as a cell.
pub(crate) fn status(span: &Span, node: &Node, layout: &Layout) -> Cell {
    let style = layout.style;
    match span.status {
        StatusCode::Unset if node.in_progress => Cell::new(style.in_progress(), "IN_PROGRESS"),
        StatusCode::Unset => Cell::new(style.muted(), number::NONE),
        known => Cell::new(style.status(known), known.as_str()),
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

/// A labelled value: on the label's line where it has one line, below it otherwise.
fn write_payload(
    out: &mut dyn Write,
    prefix: &str,
    label: &str,
    value: &str,
    max_chars: Option<usize>,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let (shown, note) = payload::limited_lines(value, max_chars);
    if let ([only], None) = (shown.as_slice(), &note) {
        let label = Painted(style.muted(), text::pad_end(label, "outputs".len()));
        return writeln!(out, "{prefix}{label}  {only}");
    }
    writeln!(out, "{prefix}{}", Painted(style.muted(), label))?;
    for line in shown {
        writeln!(out, "{}", format!("{prefix}  {line}").trim_end())?;
    }
    match note {
        Some(note) => writeln!(out, "{prefix}  {}", Painted(style.muted(), note)),
        None => Ok(()),
    }
}
