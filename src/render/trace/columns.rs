//! The columns beside the tree: what they show of a span, and how they share
//! the line with the names.

use crate::analysis::{LatencyReport, NodeId};
use crate::render::cell::Cell;
use crate::render::cells::Cells;
use crate::render::summary::at_least;
use crate::render::table::{Align, GAP, TableColumn};
use crate::render::{Layout, LeftOut, text};
use crate::units;

/// Width of the bars in text to a pipe.
const PIPED_BAR: usize = 24;
/// A narrower bar says nothing.
const LEAST_BAR: usize = 10;
const LEAST_NAME: usize = 20;

/// What a column beside the tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    Type,
    Status,
    Start,
    Duration,
    Percent,
    Tokens,
    SpanId,
    Bar,
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

    /// Adds what it says of a span.
    fn push(self, to: &mut Cells, report: &LatencyReport<'_>, id: NodeId, layout: &Layout) {
        let (node, span, style) = (report.tree.node(id), report.span(id), layout.style);
        match self {
            Self::SpanId => to.push(style.id(), span.span_id.as_str()),
            Self::Type => {
                let kind = span.span_type();
                to.push(style.span_type(&kind), kind);
            }
            Self::Status => {
                let (look, word) = super::status(span, node, layout);
                to.push(look, word);
            }
            Self::Start => to.push(
                style.text(),
                units::duration(report.tree.start_offset_ns(id)),
            ),
            Self::Duration => to.push(style.text(), at_least(node.duration_ns(), node.in_progress)),
            Self::Percent => to.push(
                style.text(),
                units::percent(node.duration_ns(), report.total_ns()),
            ),
            Self::Tokens => match report.tokens(id).and_then(|t| t.total()) {
                Some(tokens) => to.push(style.text(), units::count(tokens)),
                None => to.push(style.muted(), units::NONE),
            },
            // Drawn when its width is known.
            Self::Bar => {}
        }
    }
}

/// What there is to say of some spans that are shown one after the other.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) ids: &'a [NodeId],
    /// Without the guides before them.
    pub(super) names: Cells,
    figures: [Cells; Figure::ALL.len()],
}

impl<'a> Block<'a> {
    pub(super) fn new(
        ids: &'a [NodeId],
        report: &LatencyReport<'_>,
        layout: &Layout,
        name: impl Fn(NodeId, &mut Cells),
    ) -> Self {
        let mut names = Cells::with_capacity(ids.len());
        let mut figures = Figure::ALL.map(|_| Cells::with_capacity(ids.len()));
        // Span by span, since there are more spans than a processor's cache has room for.
        for id in ids {
            name(*id, &mut names);
            for (figure, cells) in Figure::ALL.iter().zip(&mut figures) {
                figure.push(cells, report, *id, layout);
            }
        }
        Self {
            ids,
            names,
            figures,
        }
    }

    /// What a column says of the spans; nothing where it is the bars.
    pub(super) const fn cells(&self, figure: Figure) -> &Cells {
        &self.figures[figure as usize]
    }
}

/// A column beside the tree.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) figure: Figure,
    pub(super) width: usize,
}

impl Column {
    fn new(figure: Figure, blocks: &[Block<'_>]) -> Self {
        let least = match figure {
            Figure::Bar => LEAST_BAR,
            _ => text::width(figure.title()),
        };
        let widths = blocks.iter().map(|block| block.cells(figure).width());
        Self {
            figure,
            width: widths.fold(least, usize::max),
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
    pub(super) fn new(blocks: &[Block<'_>], layout: &Layout) -> Self {
        let mut columns = Figure::ALL
            .map(|f| Column::new(f, blocks))
            .into_iter()
            .collect::<Vec<_>>();
        let Some(width) = layout.width else {
            return Self {
                shown: columns,
                left_out: LeftOut::new(),
            };
        };
        columns.retain(|column| {
            let mut texts = blocks.iter().flat_map(|b| b.cells(column.figure).texts());
            column.figure != Figure::Tokens || texts.any(|text| text != units::NONE)
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
