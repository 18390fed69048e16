//! A calm table: no borders, two spaces between columns, muted heads. The
//! alignment is comfy-table's. What it is given are only the widths: a stand-in for
//! every cell, in the place of which the cell goes when the lines come out. So nothing
//! comes out of it but blanks between what was sanitised.

use std::collections::VecDeque;
use std::io;

use comfy_table::{CellAlignment, ColumnConstraint, TableStyle, Width};

use super::cell::Cell;
use super::{Layout, text};
use crate::table::{Column, Rows};
use crate::text::{Clean, Sheet};

/// Between two columns.
pub(crate) const GAP: usize = 2;

/// A column of a cell's stand-in; the cells themselves wait in a queue, in order.
const FILLER: char = 'x';
/// Begins it, and takes no room.
const START: char = '\u{fff0}';
const STYLE: TableStyle = TableStyle::new();
/// Longer tables are padded here: at 20,000 rows, arranging them would take
/// longer than everything else together.
pub(crate) const MOST_ARRANGED: usize = 500;
/// So are tables with a wider column, over which that takes the square of its width.
const WIDEST_ARRANGED: usize = 2_000;
/// Cells are filled up to here.
const WIDEST_PADDED: usize = 32_000;

/// Which side of a column is flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A column: its head, and how wide it is.
#[derive(Debug, Clone)]
pub(crate) struct TableColumn {
    pub(crate) head: Cell,
    pub(crate) align: Align,
    pub(crate) width: usize,
}

impl TableColumn {
    /// One of a column's cells.
    pub(crate) fn of<R: Rows>(column: &Column<R>, width: usize, layout: &Layout) -> Self {
        Self {
            head: Cell::new(layout.style.heading(), column.title()),
            align: if column.kind().is_number() {
                Align::Right
            } else {
                Align::Left
            },
            width,
        }
    }
}

/// Rows under a list of columns.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<TableColumn>,
    indent: usize,
}

impl Table {
    pub(crate) const fn new(columns: Vec<TableColumn>) -> Self {
        Self { columns, indent: 0 }
    }

    /// Starts every line with that many spaces.
    pub(crate) const fn indented(mut self, columns: usize) -> Self {
        self.indent = columns;
        self
    }

    /// Writes the heads.
    pub(crate) fn write_head(&self, out: &mut Sheet<'_>) -> io::Result<()> {
        let heads: Vec<Cell> = self.columns.iter().map(|c| c.head.clone()).collect();
        for line in self.lines(&[heads]) {
            out.line(line)?;
        }
        Ok(())
    }

    /// One line for each row, without the line feed. A cell that is wider than
    /// its column pushes the rest of its line to the right.
    pub(crate) fn lines(&self, rows: &[Vec<Cell>]) -> Vec<Clean> {
        if rows.is_empty() || self.columns.is_empty() {
            return vec![Clean::default(); rows.len()];
        }
        if self
            .columns
            .iter()
            .any(|column| column.width > WIDEST_ARRANGED)
        {
            return rows.iter().map(|row| self.line(row)).collect();
        }
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE);
        let mut cells = VecDeque::new();
        for row in rows {
            let stand_ins = row.iter().zip(&self.columns).map(|(cell, column)| {
                let mut content = String::new();
                if !cell.is_empty() {
                    // No wider than the column, which a wider cell is to push.
                    let width = cell.width().min(column.width);
                    content.push(START);
                    content.extend(std::iter::repeat_n(FILLER, width));
                    cells.push_back(cell);
                }
                comfy_table::Cell::new_owned(content)
            });
            table.add_row(stand_ins.collect::<Vec<_>>());
        }
        let last = self.columns.len() - 1;
        for (at, (column, spec)) in table.column_iter_mut().zip(&self.columns).enumerate() {
            let gap = if at == last { 0 } else { narrow(GAP) };
            column.set_padding((0, gap));
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(
                narrow(spec.width) + gap,
            )));
            column.set_cell_alignment(match spec.align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        table
            .lines()
            .map(|line| self.finish(&line, &mut cells))
            .collect()
    }

    /// One line for each row, however many there are.
    pub(crate) fn lines_of(&self, rows: &[Vec<Cell>]) -> Vec<Clean> {
        if rows.len() > MOST_ARRANGED {
            return rows.iter().map(|row| self.line(row)).collect();
        }
        self.lines(rows)
    }

    fn line(&self, row: &[Cell]) -> Clean {
        let mut text = Clean::default();
        let mut line = self.start_line(&mut text);
        for cell in row {
            line.cell(cell.width(), |text| cell.add_to(text));
        }
        line.end();
        text
    }

    /// Starts a line at the end of a text, as [`Table::lines`] makes it, for tables
    /// longer than [`MOST_ARRANGED`].
    pub(crate) fn start_line<'t>(&'t self, text: &'t mut Clean) -> TableLine<'t> {
        TableLine {
            columns: self.columns.iter(),
            start: text.as_str().len(),
            blank: self.indent,
            text,
        }
    }

    /// Puts the cells in and drops the spaces at the end.
    fn finish(&self, line: &str, cells: &mut VecDeque<&Cell>) -> Clean {
        let mut out = Clean::blank(self.indent);
        for c in line.chars() {
            match c {
                START => {
                    if let Some(cell) = cells.pop_front() {
                        cell.add_to(&mut out);
                    }
                }
                FILLER => {}
                _ => out.push_blank(1),
            }
        }
        out.trim_end()
    }
}

/// A line of a table, cell by cell.
pub(crate) struct TableLine<'t> {
    columns: std::slice::Iter<'t, TableColumn>,
    start: usize,
    /// Spaces that nothing follows yet.
    blank: usize,
    text: &'t mut Clean,
}

impl TableLine<'_> {
    /// The next cell, which takes so many columns.
    pub(crate) fn cell(&mut self, width: usize, add: impl FnOnce(&mut Clean)) {
        let Some(column) = self.columns.next() else {
            return;
        };
        // Other rows are not drawn out for one that no terminal has room for.
        let room = column.width.min(WIDEST_PADDED).saturating_sub(width);
        let (before, after) = match column.align {
            Align::Left => (0, room),
            Align::Right => (room, 0),
        };
        self.blank += before;
        if width > 0 {
            self.text.push_blank(self.blank);
            add(self.text);
            self.blank = 0;
        }
        self.blank += after + GAP;
    }

    /// Drops the spaces at its end.
    pub(crate) fn end(self) {
        self.text.trim_end_from(self.start);
    }
}

fn narrow(columns: usize) -> u16 {
    u16::try_from(columns).unwrap_or(u16::MAX / 2)
}

/// The width of the widest cell in each column, heads included.
pub(crate) fn natural_widths(heads: &[&str], rows: &[Vec<Cell>]) -> Vec<usize> {
    let mut widths: Vec<usize> = heads.iter().map(|h| text::width(h)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Style;

    #[test]
    fn a_very_long_cell_draws_out_no_others() {
        let long = "x".repeat(1_000_000);
        let column = |text: &str, width| TableColumn {
            head: Cell::new(Style::plain().heading(), text),
            align: Align::Left,
            width,
        };
        let table = Table::new(vec![column("ID", long.len()), column("N", 1)]);
        let cell = |text: &str| Cell::new(Style::plain().heading(), text);
        let lines = table.lines(&[vec![cell(&long), cell("1")], vec![cell("short"), cell("2")]]);
        assert_eq!(lines[0].as_str(), format!("{long}  1"));
        assert_eq!(lines[1].as_str().len(), WIDEST_PADDED + GAP + 1);
    }

    fn table() -> Table {
        let head = |text: &str| Cell::new(Style::plain().heading(), text);
        Table::new(vec![
            TableColumn {
                head: head("NAME"),
                align: Align::Left,
                width: 6,
            },
            TableColumn {
                head: head("N"),
                align: Align::Right,
                width: 4,
            },
            TableColumn {
                head: head("REST"),
                align: Align::Left,
                width: 4,
            },
        ])
    }

    fn row(style: anstyle::Style, cells: [&str; 3]) -> Vec<Cell> {
        cells.iter().map(|c| Cell::new(style, c)).collect()
    }

    #[test]
    fn columns_line_up_and_wide_cells_push() {
        let plain = anstyle::Style::new();
        let lines = table().lines(&[
            row(plain, ["日本", "7", "x"]),
            row(plain, ["e\u{301}e\u{301}", "1234", ""]),
            row(plain, ["much too long", "12", "overflows"]),
            row(plain, ["", "12345", "x y"]),
        ]);
        let lines: Vec<&str> = lines.iter().map(Clean::as_str).collect();
        assert_eq!(
            lines,
            [
                "日本       7  x",
                "e\u{301}e\u{301}      1234",
                "much too long    12  overflows",
                "        12345  x y",
            ]
        );
    }

    #[test]
    fn long_tables_look_like_short_ones() {
        let mut cells = [
            ["日本", "7", "x"],
            ["e\u{301}e\u{301}", "1234", ""],
            ["much too long", "12", "overflows"],
            ["", "12345", "x y"],
            ["", "", ""],
            ["a", "", "  "],
        ];
        for style in [Style::plain().error(), Style::coloured().error()] {
            let short: Vec<_> = cells.iter().map(|c| row(style, *c)).collect();
            let long: Vec<_> = short.iter().map(|row| table().line(row)).collect();
            assert_eq!(long, table().lines(&short));
            cells.reverse();
        }
    }

    #[test]
    fn colour_does_not_move_anything() {
        let style = Style::coloured().error();
        let rows = [
            row(style, ["日本", "7", "x"]),
            row(style, ["much too long", "12", "overflows"]),
        ];
        let coloured = table().lines(&rows);
        assert_eq!(
            coloured[0].as_str(),
            "\x1b[31m日本\x1b[0m       \x1b[31m7\x1b[0m  \x1b[31mx\x1b[0m"
        );
        let plain = anstyle::Style::new();
        let plain = table().lines(&[
            row(plain, ["日本", "7", "x"]),
            row(plain, ["much too long", "12", "overflows"]),
        ]);
        let stripped: Vec<String> = coloured
            .iter()
            .map(|l| anstream::adapter::strip_str(l.as_str()).to_string())
            .collect();
        let plain: Vec<&str> = plain.iter().map(Clean::as_str).collect();
        assert_eq!(stripped, plain);
    }
}
