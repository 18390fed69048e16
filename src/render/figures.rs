//! Tables of figures: names on the left, numbers to the right of them, perhaps
//! a bar at the end. Where the terminal is too narrow, columns give way one
//! after the other, and then the names are cut.

use std::io;

use super::cell::Cell;
use super::table::{Align, GAP, Table, TableColumn};
use super::text;
use super::{Layout, LeftOut};
use crate::analysis::By;
use crate::table::{Column, Columns, Rows};
use crate::text::Sheet;

/// Width of the bars in text to a pipe.
pub(super) const PIPED_BAR: usize = 24;
pub(super) const LEAST_BAR: usize = 10;
/// A wider bar tells no more.
pub(super) const MOST_BAR: usize = 40;
/// Names are cut to no less than this.
const LEAST_NAME: usize = 14;

/// A column of figures.
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) align: Align,
    /// Larger ones give way first; those with 0 never do.
    pub(super) gives_way: u8,
    pub(super) cells: Vec<Cell>,
    /// A name is not cut to less than this.
    pub(super) least: usize,
    /// How a name is cut to a width.
    pub(super) cut: fn(Cell, usize) -> Cell,
}

impl Figure {
    /// A column of numbers.
    pub(super) fn numbers(title: &str, gives_way: u8, cells: Vec<Cell>) -> Self {
        Self {
            title: title.to_owned(),
            align: Align::Right,
            gives_way,
            cells,
            least: LEAST_NAME,
            cut: Cell::fit,
        }
    }

    /// A column of words.
    pub(super) fn words(title: &str, gives_way: u8, cells: Vec<Cell>) -> Self {
        Self {
            align: Align::Left,
            ..Self::numbers(title, gives_way, cells)
        }
    }

    /// The column of a table; one of paths loses their beginnings first.
    pub(super) fn of<'r, R: Rows>(
        column: &Column<R>,
        gives_way: u8,
        rows: &'r [R::Row<'r>],
        layout: &Layout,
    ) -> Self {
        let cells = rows.iter().map(|row| column.cell(row, layout)).collect();
        let figure = if column.kind().is_number() {
            Self::numbers(column.title(), gives_way, cells)
        } else {
            Self::words(column.title(), gives_way, cells)
        };
        let is_path = column.title().eq_ignore_ascii_case(By::Path.as_str());
        Self {
            cut: if is_path { fit_path } else { Cell::fit },
            ..figure
        }
    }

    pub(super) fn width(&self) -> usize {
        let cells = self.cells.iter().map(Cell::width);
        cells.chain([self.title.len()]).max().unwrap_or(0)
    }
}

/// Columns of a table by their names, and how readily each gives way.
pub(super) fn figures<'r, R: Rows>(
    known: &Columns<R>,
    wanted: &[(&str, u8)],
    rows: &'r [R::Row<'r>],
    layout: &Layout,
) -> Vec<Figure> {
    let wanted = wanted.iter().flat_map(|(name, gives_way)| {
        let columns = known.some(&[*name]).into_iter();
        columns.map(|column| Figure::of(&column, *gives_way, rows, layout))
    });
    wanted.collect()
}

/// A path loses its first names, since the last one says most.
fn fit_path(full: Cell, width: usize) -> Cell {
    if full.width() <= width {
        return full;
    }
    let path = full.plain();
    let ends = path.rmatch_indices(" > ").map(|(at, _)| &path[at..]);
    let fitting = ends
        .map(|end| full.like(format!("…{end}")))
        .take_while(|cell| cell.width() <= width);
    match fitting.last() {
        Some(longest) => longest,
        None => full.fit(width),
    }
}

/// A column of bars, drawn in whatever width is left.
pub(super) struct Bars<'b> {
    pub(super) title: &'static str,
    /// The bar of a row in a width.
    pub(super) draw: &'b dyn Fn(usize, usize) -> Cell,
}

/// A table of figures.
pub(super) struct Figures<'b> {
    /// What rows are called, in one column or more.
    pub(super) names: Vec<Figure>,
    pub(super) numbers: Vec<Figure>,
    pub(super) bars: Option<Bars<'b>>,
}

/// What became of the columns of figures.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) titles: Vec<String>,
    pub(super) left_out: LeftOut,
}

impl Shown {
    /// Of columns that somebody chose, all of them.
    pub(super) fn all<R: Rows>(columns: &[Column<R>]) -> Self {
        Self {
            titles: columns
                .iter()
                .map(|column| column.title().to_owned())
                .collect(),
            left_out: LeftOut::new(),
        }
    }

    pub(super) fn has(&self, title: &str) -> bool {
        self.titles.iter().any(|shown| shown == title)
    }
}

impl Figures<'_> {
    /// Writes heads and rows.
    pub(super) fn write(mut self, out: &mut Sheet<'_>, layout: &Layout) -> io::Result<Shown> {
        let rows = self.names.first().map_or(0, |names| names.cells.len());
        let mut bar = self.bars.as_ref().map(|_| PIPED_BAR);
        let wanted: Vec<String> = self.numbers.iter().map(|f| f.title.clone()).collect();
        if let Some(width) = layout.width {
            bar = self.share_line(width);
        }
        let heading = layout.style.heading();
        let mut columns: Vec<TableColumn> = self
            .names
            .iter()
            .chain(&self.numbers)
            .map(|figure| TableColumn {
                head: Cell::new(heading, &figure.title),
                align: figure.align,
                width: figure.width(),
            })
            .collect();
        if let (Some(bars), Some(width)) = (&self.bars, bar) {
            columns.push(TableColumn {
                head: Cell::new(heading, bars.title),
                align: Align::Left,
                width: width.max(bars.title.len()),
            });
        }
        let table = Table::new(columns);
        table.write_head(out)?;
        let mut sources: Vec<_> = self
            .names
            .iter_mut()
            .chain(&mut self.numbers)
            .map(|figure| std::mem::take(&mut figure.cells).into_iter())
            .collect();
        let cells: Vec<Vec<Cell>> = (0..rows)
            .map(|row| {
                let figures = sources
                    .iter_mut()
                    .map(|cells| cells.next().unwrap_or_default());
                let mut cells: Vec<Cell> = figures.collect();
                if let (Some(bars), Some(width)) = (&self.bars, bar) {
                    cells.push((bars.draw)(row, width));
                }
                cells
            })
            .collect();
        for line in table.lines_of(&cells) {
            out.line(line)?;
        }
        let mut shown = Shown::default();
        let mut numbers = self
            .numbers
            .into_iter()
            .map(|figure| figure.title)
            .peekable();
        for title in wanted {
            // What is left is in the same order.
            match numbers.next_if_eq(&title) {
                Some(title) => shown.titles.push(title),
                None => shown.left_out.push(title),
            }
        }
        Ok(shown)
    }

    /// What it takes in full, without bars.
    pub(super) fn width(&self) -> usize {
        let figures = self.names.iter().chain(&self.numbers);
        figures
            .map(|f| f.width() + GAP)
            .sum::<usize>()
            .saturating_sub(GAP)
    }

    /// Drops columns until the names have room, and cuts these. The result is the
    /// width for the bars.
    fn share_line(&mut self, width: usize) -> Option<usize> {
        let mut bar = self
            .bars
            .as_ref()
            .map(|bars| bars.title.len().max(LEAST_BAR));
        let least: usize = self
            .names
            .iter()
            .map(|names| names.width().min(names.least) + GAP)
            .sum::<usize>()
            - GAP;
        loop {
            let figures: usize = self.numbers.iter().map(|f| f.width() + GAP).sum();
            let taken = figures + bar.map_or(0, |bar| bar + GAP);
            if taken + least <= width {
                break;
            }
            if bar.take().is_some() {
                continue;
            }
            let first = self
                .numbers
                .iter()
                .enumerate()
                .filter(|(_, figure)| figure.gives_way > 0)
                .max_by_key(|(_, figure)| figure.gives_way);
            match first {
                Some((at, _)) => drop(self.numbers.remove(at)),
                None => break,
            }
        }
        let figures: usize = self.numbers.iter().map(|f| f.width() + GAP).sum();
        let taken = figures + bar.map_or(0, |bar| bar + GAP);
        let room = width.saturating_sub(taken).max(least);
        self.cut_names(room);
        let names: usize = self.names.iter().map(|n| n.width() + GAP).sum::<usize>() - GAP;
        bar.map(|bar| (bar + room.saturating_sub(names)).min(MOST_BAR))
    }

    /// Cuts the widest names until all fit.
    fn cut_names(&mut self, room: usize) {
        let gaps = GAP * self.names.len().saturating_sub(1);
        let widths = || self.names.iter().map(|names| (names.width(), names.least));
        let taken = |most: usize| -> usize {
            let fitted = widths().map(|(width, least)| width.min(most.max(least)));
            fitted.sum::<usize>() + gaps
        };
        let widest = widths().map(|(width, _)| width).max().unwrap_or(0);
        let least = widths().map(|(_, least)| least).min().unwrap_or(0);
        let most = (least..=widest)
            .rev()
            .find(|most| taken(*most) <= room)
            .unwrap_or(least);
        for names in &mut self.names {
            let most = most.max(names.least);
            if names.width() > most {
                let cells = std::mem::take(&mut names.cells).into_iter();
                names.cells = cells.map(|cell| (names.cut)(cell, most)).collect();
                names.title = text::fit(&names.title, most).into_owned();
            }
        }
    }
}
