//! A calm table: no borders, two spaces between columns, muted heads. The
//! alignment is comfy-table's. As that measures whatever it is given, colours
//! are kept out of it: every styled piece goes in between two characters of no
//! width, which are replaced when the lines come out. No text can contain those
//! characters, since sanitising escapes them.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, TableStyle, Width};

use super::cell::Cell;
use super::style::Painted;
use super::{Layout, text};
use crate::table::{Column, Rows};

/// Between two columns.
pub(crate) const GAP: usize = 2;

/// Starts a piece; the pieces themselves wait in a queue, in order.
const PIECE: char = '\u{fff0}';
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
    pub(crate) fn write_head(&self, out: &mut dyn Write) -> io::Result<()> {
        let heads: Vec<Cell> = self.columns.iter().map(|c| c.head.clone()).collect();
        for line in self.lines(&[heads]) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// One line for each row, without the line feed. A cell that is wider than
    /// its column pushes the rest of its line to the right.
    pub(crate) fn lines(&self, rows: &[Vec<Cell>]) -> Vec<String> {
        if rows.is_empty() || self.columns.is_empty() {
            return vec![String::new(); rows.len()];
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
        // What a placeholder stands for: the painted text, and the filler to drop.
        let mut pieces = VecDeque::new();
        for row in rows {
            let cells = row.iter().zip(&self.columns).map(|(cell, column)| {
                let mut content = String::new();
                if cell.width() > column.width {
                    // One placeholder as wide as the column takes the place of the whole cell.
                    content.push(PIECE);
                    content.extend(std::iter::repeat_n('x', column.width));
                    pieces.push_back((cell.to_string(), column.width));
                } else {
                    for (style, piece) in cell.pieces() {
                        if !style.is_plain() {
                            content.push(PIECE);
                            let painted = Painted(style, piece).to_string();
                            pieces.push_back((painted, piece.chars().count()));
                        }
                        content.push_str(piece);
                    }
                }
                comfy_table::Cell::new_owned(content)
            });
            table.add_row(cells.collect::<Vec<_>>());
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
            .map(|line| self.finish(&line, &mut pieces))
            .collect()
    }

    /// One line for each row, however many there are.
    pub(crate) fn lines_of(&self, rows: &[Vec<Cell>]) -> Vec<String> {
        if rows.len() > MOST_ARRANGED {
            return rows.iter().map(|row| self.line(row)).collect();
        }
        self.lines(rows)
    }

    fn line(&self, row: &[Cell]) -> String {
        let mut text = String::new();
        let mut line = self.start_line(&mut text);
        for cell in row {
            line.cell(cell.width(), cell);
        }
        line.end();
        text
    }

    /// Starts a line at the end of a text, as [`Table::lines`] makes it, for tables
    /// longer than [`MOST_ARRANGED`].
    pub(crate) fn start_line<'t>(&'t self, text: &'t mut String) -> TableLine<'t> {
        TableLine {
            columns: self.columns.iter(),
            start: text.len(),
            blank: self.indent,
            text,
        }
    }

    /// Puts the pieces in and drops the spaces at the end.
    fn finish(&self, line: &str, pieces: &mut VecDeque<(String, usize)>) -> String {
        let mut out = " ".repeat(self.indent);
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            if c != PIECE {
                out.push(c);
            } else if let Some((painted, dropped)) = pieces.pop_front() {
                out.push_str(&painted);
                chars.by_ref().take(dropped).for_each(drop);
            }
        }
        out.truncate(out.trim_end().len());
        out
    }
}

/// A line of a table, cell by cell.
pub(crate) struct TableLine<'t> {
    columns: std::slice::Iter<'t, TableColumn>,
    start: usize,
    /// Spaces that nothing follows yet.
    blank: usize,
    text: &'t mut String,
}

impl TableLine<'_> {
    /// The next cell, which takes so many columns.
    pub(crate) fn cell(&mut self, width: usize, content: impl fmt::Display) {
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
            self.text.extend(std::iter::repeat_n(' ', self.blank));
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{content}");
            self.blank = 0;
        }
        self.blank += after + GAP;
    }

    /// Drops the spaces at its end.
    pub(crate) fn end(self) {
        let line = self.text[self.start..].trim_end().len();
        self.text.truncate(self.start + line);
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
        assert_eq!(lines[0], format!("{long}  1"));
        assert_eq!(lines[1].len(), WIDEST_PADDED + GAP + 1);
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
            coloured[0],
            "\x1b[31m日本\x1b[0m       \x1b[31m7\x1b[0m  \x1b[31mx\x1b[0m"
        );
        let plain = anstyle::Style::new();
        let plain = table().lines(&[
            row(plain, ["日本", "7", "x"]),
            row(plain, ["much too long", "12", "overflows"]),
        ]);
        let stripped: Vec<String> = coloured
            .iter()
            .map(|l| anstream::adapter::strip_str(l).to_string())
            .collect();
        assert_eq!(stripped, plain);
    }
}
