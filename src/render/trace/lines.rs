//! The lines of the table of spans, and what stands below a span's line: what
//! went wrong, inputs and outputs, how much is hidden.

use std::io;

use super::columns::{Block, Columns, Figure};
use super::{Page, place_mark};
use crate::analysis::NodeId;
use crate::model::StatusCode;
use crate::render::cell::Cell;
use crate::render::table::Table;
use crate::render::tree::GuideLines;
use crate::render::waterfall::{BarKind, Scale};
use crate::render::{payload, text};
use crate::text::{Clean, Sheet};
use crate::units;

/// How the lines of the table are made.
pub(super) struct Lines<'a> {
    pub(super) page: &'a Page<'a>,
    pub(super) table: &'a Table,
    pub(super) columns: &'a Columns,
    pub(super) name_width: usize,
    pub(super) scale: Scale,
}

impl Lines<'_> {
    /// Writes lines of a table that may be arranged.
    pub(super) fn short(
        &self,
        block: &Block<'_>,
        mut guides: GuideLines<'_>,
        out: &mut Sheet<'_>,
    ) -> io::Result<()> {
        let tree = &self.page.report.tree;
        let mut rows = Vec::with_capacity(block.ids.len());
        let mut below = Vec::with_capacity(block.ids.len());
        for (at, id) in block.ids.iter().enumerate() {
            let guide = guides.enter(*id, tree.node(*id));
            let mut row = vec![self.name(block, at, &guide)];
            row.extend(self.columns.shown.iter().map(|column| match column.figure {
                Figure::Bar => {
                    let (blank, look, bar) = self.bar(*id);
                    Cell::new(anstyle::Style::new(), " ".repeat(blank)).and(look, bar)
                }
                figure => block.cells(figure).cell(at),
            }));
            rows.push(row);
            let mut text = Clean::default();
            self.add_below(&mut text, *id, &guides);
            below.push(text);
        }
        for (line, below) in self.table.lines(&rows).into_iter().zip(below) {
            out.put(line.end().then(below))?;
        }
        Ok(())
    }

    /// The same lines, of a table that is too long for that.
    pub(super) fn long(&self, block: &Block<'_>, mut guides: GuideLines<'_>) -> Clean {
        let (tree, style) = (&self.page.report.tree, self.page.layout.style);
        let mut text = Clean::default();
        for (at, id) in block.ids.iter().enumerate() {
            let node = tree.node(*id);
            let guide = Clean::line(guides.enter(*id, node));
            let mut line = self.table.start_line(&mut text);
            let width = guides.width(node.depth) + block.names.width_of(at);
            if place_mark(node).is_none() && width <= self.name_width {
                let look = if guide.as_str().is_empty() {
                    style.text()
                } else {
                    style.muted()
                };
                line.cell(width, |text| {
                    text.push(look, &guide);
                    block.names.add_to(text, at);
                });
            } else {
                let name = self.name(block, at, guide.as_str());
                line.cell(name.width(), |text| name.add_to(text));
            }
            for column in &self.columns.shown {
                if column.figure == Figure::Bar {
                    let (blank, look, bar) = self.bar(*id);
                    let bar = Clean::line(bar);
                    line.cell(blank + bar.width(), |text| {
                        text.push_blank(blank);
                        text.push(look, &bar);
                    });
                } else {
                    let cells = block.cells(column.figure);
                    line.cell(cells.width_of(at), |text| cells.add_to(text, at));
                }
            }
            line.end();
            text.push_end();
            self.add_below(&mut text, *id, &guides);
        }
        text
    }

    fn name(&self, block: &Block<'_>, at: usize, guide: &str) -> Cell {
        let mark = self.page.mark(self.page.report.tree.node(block.ids[at]));
        let cut = self
            .page
            .layout
            .width
            .map(|_| self.name_width.saturating_sub(mark.width()));
        let guide = Cell::new(self.page.layout.style.muted(), guide);
        mark.after(block.names.cell(at).after(guide).fit_if(cut))
    }

    /// The blank before the bar in columns, how the bar looks, and the bar.
    fn bar(&self, id: NodeId) -> (usize, anstyle::Style, String) {
        let (node, span, style) = (
            self.page.report.tree.node(id),
            self.page.report.span(id),
            self.page.layout.style,
        );
        let (kind, look) = match (span.status, node.in_progress) {
            (StatusCode::Error, _) => (BarKind::Failed, style.error()),
            (_, true) => (BarKind::InProgress, style.in_progress()),
            _ => (BarKind::Done, style.bar(&span.span_type())),
        };
        let (blank, bar) = self.scale.bar(node.start_ns, node.end_ns, kind);
        (blank, look, bar)
    }

    /// What belongs to a span but does not fit into columns.
    fn add_below(&self, text: &mut Clean, id: NodeId, guides: &GuideLines<'_>) {
        let Page {
            report,
            options,
            layout,
            selection,
        } = self.page;
        let (span, style) = (report.span(id), layout.style);
        if span.status == StatusCode::Error
            && let Some(error) = span.error_text()
        {
            let cell =
                Cell::new(style.muted(), guides.below(id)).and(style.error(), error.trim_end());
            text.push_line(cell.fit_if(layout.width));
        }
        if options.io {
            let prefix = guides.below(id);
            for (label, value) in [("inputs", span.inputs()), ("outputs", span.outputs())] {
                if let Some(value) = value {
                    self.add_payload(text, &prefix, label, value);
                }
            }
        }
        match selection.cut_below(id) {
            0 => {}
            hidden => {
                let note = format!(
                    "{}… {} below",
                    guides.note(),
                    units::counted(hidden, "span")
                );
                text.push_line(Clean::styled(style.muted(), note));
            }
        }
    }

    /// A labelled value: on the label's line where it has one line, below it otherwise.
    fn add_payload(&self, to: &mut Clean, prefix: &str, label: &str, value: &str) {
        let (layout, options) = (self.page.layout, self.page.options);
        let muted = layout.style.muted();
        let form = payload::Form::of(options.raw);
        let (shown, note) = payload::limited_lines(value, options.max_chars, form);
        let beside = layout
            .width
            .map(|width| width.saturating_sub(text::width(prefix)));
        let guide = Clean::styled(muted, prefix);
        if let ([only], None) = (shown.as_slice(), &note) {
            let label = text::pad_end(label, "outputs".len());
            let fits = |room| text::width(&label) + 2 + only.width() <= room;
            if beside.is_none_or(fits) {
                to.push_line(guide.and(muted, label).then(only.clone().indented(2)));
                return;
            }
        }
        to.push_line(guide.clone().and(muted, label));
        let room = beside.map(|room| room.saturating_sub(2));
        let begun = guide.then(Clean::blank(2));
        for line in shown.iter().flat_map(|line| payload::wrapped(line, room)) {
            to.push_line(begun.clone().then(line).trim_end());
        }
        if let Some(note) = note {
            to.push_line(begun.and(muted, note));
        }
    }
}
