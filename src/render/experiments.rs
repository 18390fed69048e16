//! Experiments with what is in them, a line for each.

use std::io::{self, Write};

use super::cell::Cell;
use super::table::{Align, GAP, Table, TableColumn, natural_widths};
use super::{Layout, LeftOut};
use crate::model::{ExperimentOverview, Timestamp};
use crate::units;

/// Narrower than this, names tell nothing.
const LEAST_NAME: usize = 12;

/// Writes the experiments; gives the columns left out.
pub fn write(
    out: &mut dyn Write,
    all: &[ExperimentOverview],
    with_deleted: bool,
    layout: &Layout,
) -> io::Result<LeftOut> {
    if all.is_empty() {
        return Ok(LeftOut::new());
    }
    let style = layout.style;
    let time = |time: Option<Timestamp>| match time {
        Some(time) => Cell::new(style.text(), units::time(time, layout.zone)),
        None => Cell::new(style.muted(), units::NONE),
    };
    let mut heads = vec!["NAME", "ID", "TRACES", "FIRST", "LAST"];
    if with_deleted {
        heads.push("STATE");
    }
    let row = |one: &ExperimentOverview| {
        let traces = i64::try_from(one.traces).unwrap_or(i64::MAX);
        let mut row = vec![
            Cell::new(style.name(), &one.experiment.name),
            Cell::new(style.id(), &one.experiment.id),
            Cell::new(style.text(), units::count(traces)),
            time(one.first),
            time(one.last),
        ];
        if with_deleted {
            let state = if one.experiment.active {
                "active"
            } else {
                "deleted"
            };
            row.push(Cell::new(style.muted(), state));
        }
        row
    };
    let mut rows: Vec<Vec<Cell>> = all.iter().map(row).collect();
    let mut widths = natural_widths(&heads, &rows);
    let mut left_out = LeftOut::new();
    if let Some(width) = layout.width {
        let first = 3;
        let total = |widths: &[usize]| widths.iter().sum::<usize>() + (widths.len() - 1) * GAP;
        if total(&widths) - widths[0] + LEAST_NAME.min(widths[0]) > width {
            left_out.push(heads.remove(first).to_owned());
            widths.remove(first);
            for row in &mut rows {
                row.remove(first);
            }
        }
        let others = total(&widths) - widths[0];
        let room = width.saturating_sub(others).max(LEAST_NAME);
        if widths[0] > room {
            widths[0] = room;
            for row in &mut rows {
                row[0] = std::mem::take(&mut row[0]).fit(room);
            }
        }
    }
    let columns = heads.iter().zip(widths).map(|(head, width)| TableColumn {
        head: Cell::new(style.heading(), head),
        align: if *head == "TRACES" || *head == "ID" {
            Align::Right
        } else {
            Align::Left
        },
        width,
    });
    let table = Table::new(columns.collect());
    table.write_head(out)?;
    for line in table.lines_of(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(left_out)
}
