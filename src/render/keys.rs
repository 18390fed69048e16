//! Keys with their commonest values, a line for each key.

use std::io;

use super::cell::Cell;
use super::table::{Align, GAP, Table, TableColumn, natural_widths};
use super::{Layout, LeftOut, text};
use crate::analysis::KeyCount;
use crate::table::Column;
use crate::table::rows::keys::{self as rows, OF_KEYS};
use crate::text::Sheet;

const VALUES: &str = "VALUES";
/// The widest column of keys on a terminal.
const KEY_WIDTH: usize = 44;
/// Columns of one value.
const VALUE_WIDTH: usize = 40;

/// Writes the keys, each with at most so many values.
pub fn write(
    out: &mut Sheet<'_>,
    keys: &[KeyCount],
    most: usize,
    layout: &Layout,
) -> io::Result<LeftOut> {
    if keys.is_empty() {
        return Ok(LeftOut::new());
    }
    let columns = rows::keys().some(&OF_KEYS);
    let firsts = rows::of(keys);
    let firsts = firsts.iter().map(|row| -> Vec<Cell> {
        let cells = columns.iter().map(|column| column.cell(row, layout));
        let mut cells: Vec<Cell> = cells.collect();
        let most = layout.width.map(|width| KEY_WIDTH.min(width / 2));
        cells[0] = std::mem::take(&mut cells[0]).fit_if(most);
        cells
    });
    let mut rows: Vec<Vec<Cell>> = firsts.collect();
    let mut heads: Vec<&str> = columns.iter().map(Column::title).collect();
    let widths = natural_widths(&heads, &rows);
    let room = layout
        .width
        .map(|width| width.saturating_sub(widths.iter().map(|taken| taken + GAP).sum()));
    for (row, key) in rows.iter_mut().zip(keys) {
        row.push(values(key, most, room, layout));
    }
    heads.push(VALUES);
    let widths = natural_widths(&heads, &rows);
    let firsts = columns.iter().zip(&widths);
    let firsts = firsts.map(|(column, width)| TableColumn::of(column, *width, layout));
    let values = TableColumn {
        head: Cell::new(layout.style.heading(), VALUES),
        align: Align::Left,
        width: widths[columns.len()],
    };
    let table = Table::new(firsts.chain([values]).collect());
    table.write_head(out)?;
    for line in table.lines_of(&rows) {
        out.line(line)?;
    }
    Ok(LeftOut::new())
}

/// As many values as there is room for, and how many there are besides.
fn values(key: &KeyCount, most: usize, room: Option<usize>, layout: &Layout) -> Cell {
    let (text, muted) = (layout.style.text(), layout.style.muted());
    let mut cell = Cell::default();
    let mut told = 0;
    for (value, traces) in key.values.iter().take(most) {
        let value = if value.is_empty() {
            Cell::new(muted, "(empty)")
        } else {
            Cell::new(text, value)
        };
        let value = value.fit(VALUE_WIDTH).and(muted, format!(" ({traces})"));
        let comma = if told > 0 { ", " } else { "" };
        let rest = rest(key, told + 1);
        let width = cell.width() + comma.len() + value.width() + text::width(&rest);
        if told > 0 && room.is_some_and(|room| width > room) {
            break;
        }
        cell = cell.and(text, comma);
        cell = cell.then(&value);
        told += 1;
    }
    cell.and(muted, rest(key, told)).fit_if(room)
}

fn rest(key: &KeyCount, told: usize) -> String {
    let more = key.values.len().saturating_sub(told);
    match (told, more, key.more_values && more == 0) {
        (0, _, _) => "(long texts or records)".to_owned(),
        (_, 0, true) => ", …".to_owned(),
        (_, 0, false) => String::new(),
        (_, more, _) => format!(", {more} more"),
    }
}
