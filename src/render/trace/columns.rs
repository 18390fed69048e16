//! The columns beside the tree: what they show of a span, and how they share
//! the line with the names.

use crate::analysis::{LatencyReport, NodeId};
use crate::render::cell::Cell;
use crate::render::summary::at_least;
use crate::render::table::{Align, GAP, TableColumn};
use crate::render::{Layout, LeftOut, number, text};

/// Width of the bars in text to a pipe.
const PIPED_BAR: usize = 24;
/// A narrower bar says nothing.
const LEAST_BAR: usize = 10;
const LEAST_NAME: usize = 20;

/// A column beside the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    SpanId,
    Status,
    Start,
    Tokens,
    Type,
    Bar,
    Percent,
    Duration,
}

impl Figure {
    /// In the order of the table.
    const ALL: [Self; 8] = [
        Self::Type,
        Self::Status,
        Self::Start,
        Self::Duration,
        Self::Percent,
        Self::Tokens,
        Self::SpanId,
        Self::Bar,
    ];

    /// In the order in which they give way.
    const GIVING_WAY: [Self; 7] = [
        Self::SpanId,
        Self::Status,
        Self::Start,
        Self::Tokens,
        Self::Type,
        Self::Bar,
        Self::Percent,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::SpanId => "SPAN ID",
            Self::Status => "STATUS",
            Self::Start => "START",
            Self::Tokens => "TOKENS",
            Self::Type => "TYPE",
            Self::Bar => "TIMELINE",
            Self::Percent => "%",
            Self::Duration => "DURATION",
        }
    }

    const fn align(self) -> Align {
        match self {
            Self::Start | Self::Duration | Self::Percent | Self::Tokens => Align::Right,
            _ => Align::Left,
        }
    }

    fn cell(self, report: &LatencyReport<'_>, id: NodeId, layout: &Layout) -> Cell {
        let (node, span, style) = (report.tree.node(id), report.span(id), layout.style);
        match self {
            Self::SpanId => Cell::new(style.muted(), span.span_id.as_str()),
            Self::Type => Cell::new(style.span_type(&span.span_type()), span.span_type()),
            Self::Status => super::status(span, node, layout),
            Self::Start => Cell::new(
                style.muted(),
                number::duration(report.tree.start_offset_ns(id)),
            ),
            Self::Duration => {
                Cell::new(style.text(), at_least(node.duration_ns(), node.in_progress))
            }
            Self::Percent => Cell::new(
                style.muted(),
                number::percent(node.duration_ns(), report.total_ns()),
            ),
            Self::Tokens => match report.tokens(id).and_then(|t| t.total()) {
                Some(tokens) => Cell::new(style.text(), number::count(tokens)),
                None => Cell::new(style.muted(), number::NONE),
            },
            Self::Bar => Cell::default(),
        }
    }
}

/// A column with its cells, one for each shown span.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) figure: Figure,
    pub(super) width: usize,
    pub(super) cells: Vec<Cell>,
}

impl Column {
    fn new(figure: Figure, report: &LatencyReport<'_>, shown: &[NodeId], layout: &Layout) -> Self {
        let cells: Vec<Cell> = match figure {
            // Bars are drawn when their width is known.
            Figure::Bar => Vec::new(),
            _ => shown
                .iter()
                .map(|id| figure.cell(report, *id, layout))
                .collect(),
        };
        let least = match figure {
            Figure::Bar => LEAST_BAR,
            _ => text::width(figure.title()),
        };
        let width = cells.iter().map(Cell::width).max().unwrap_or(0).max(least);
        Self {
            figure,
            width,
            cells,
        }
    }

    pub(super) fn head(&self, layout: &Layout) -> TableColumn {
        TableColumn {
            head: Cell::new(layout.style.heading(), self.figure.title()),
            align: self.figure.align(),
            width: self.width,
        }
    }
}

/// The columns that there is room for.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) shown: Vec<Column>,
    /// The titles of the others.
    pub(super) left_out: LeftOut,
}

impl Columns {
    pub(super) fn new(report: &LatencyReport<'_>, shown: &[NodeId], layout: &Layout) -> Self {
        let all = Figure::ALL.into_iter();
        let mut columns: Vec<Column> = all.map(|f| Column::new(f, report, shown, layout)).collect();
        let Some(width) = layout.width else {
            return Self {
                shown: columns,
                left_out: LeftOut::new(),
            };
        };
        columns.retain(|column| {
            let says_something = || column.cells.iter().any(|cell| cell.plain() != number::NONE);
            column.figure != Figure::Tokens || says_something()
        });
        let mut columns = Self {
            shown: columns,
            left_out: LeftOut::new(),
        };
        for giving in Figure::GIVING_WAY {
            // A span id is worth its place only where the rest has plenty.
            let names = match giving {
                Figure::SpanId => 2 * LEAST_NAME,
                _ => LEAST_NAME,
            };
            if columns.taken() + names <= width {
                break;
            }
            let before = columns.shown.len();
            columns.shown.retain(|column| column.figure != giving);
            if columns.shown.len() < before && giving != Figure::Bar {
                columns.left_out.push(giving.title().to_owned());
            }
        }
        columns
    }

    /// What they take from the line, gaps included.
    pub(super) fn taken(&self) -> usize {
        self.shown.iter().map(|column| column.width + GAP).sum()
    }

    /// The width of the bars, where there are any.
    pub(super) fn bar(&self) -> Option<usize> {
        let bar = self
            .shown
            .last()
            .filter(|column| column.figure == Figure::Bar);
        bar.map(|column| column.width)
    }

    /// Divides what is left of the line between names of that width and the bars.
    /// The result is the width for the names.
    pub(super) fn share(&mut self, names: usize, layout: &Layout) -> usize {
        let taken = self.taken();
        let bar = self
            .shown
            .last_mut()
            .filter(|column| column.figure == Figure::Bar);
        let Some(width) = layout.width else {
            if let Some(bar) = bar {
                bar.width = PIPED_BAR;
            }
            return names;
        };
        let room = width.saturating_sub(taken).max(LEAST_NAME.min(width));
        let Some(bar) = bar else {
            return names.min(room);
        };
        let most = ((room + LEAST_BAR) * 2 / 3).max(LEAST_NAME);
        let names = names.min(most).min(room);
        bar.width += room - names;
        names
    }
}
