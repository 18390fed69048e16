//! A list of rows with the columns that somebody chose. On a terminal every row takes one line, and every line
//! fits: where columns are few, ids are cut to what tells the rows apart, times
//! to the minute, states to a mark, texts to what is left. Where one line is too
//! short for the columns all the same, each row takes two, and on very narrow
//! terminals a small block. To a pipe goes one line for each row, as it comes.

use std::io;

use super::cell::Cell;
use super::column::state_mark;
use super::short_id::ShortIds;
use super::table::{GAP, Table, TableColumn, natural_widths};
use super::{Glyphs, Layout};
use crate::table::{Column, Kind, Room, Rows};
use crate::text::{Clean, Sheet};
use crate::units;

/// How many rows are looked at before the widths are decided.
const MEASURED: usize = 200;
/// To a pipe, text wider than this pushes the rest of its line instead of
/// widening the column for all.
const PIPED_TEXT: usize = 40;
/// What a name should have of a line, and a preview, or else something is shortened
/// for them; where even that does not do, what a name has before previews get more;
/// and what a name has at most before they do where there is room.
const FAIR_TEXT: usize = 16;
const LEAST_TEXT: usize = 12;
const FAIR_PREVIEW: usize = 24;
const ROOMY_TEXT: usize = 32;
const INDENT: usize = 2;
/// What names, previews, numbers and states usually need.
const USUAL_TEXT: usize = 20;
const USUAL_PREVIEW: usize = 80;
const USUAL_NUMBER: usize = 8;
const USUAL_STATE: usize = 5;

/// Prints rows as they come.
#[derive(Debug)]
pub struct List<R: Rows> {
    columns: Vec<Column<R>>,
    layout: Layout,
    waiting: Vec<Vec<Cell>>,
    arrangement: Option<Arrangement>,
    short_ids: ShortIds,
    streams: bool,
}

/// How the columns share the lines.
#[derive(Debug)]
enum Arrangement {
    /// All in one table.
    OneLine {
        table: Table,
        widths: Vec<Option<usize>>,
        form: Form,
    },
    /// What must not be cut above, texts below.
    TwoLines {
        above: Part,
        below: Part,
        form: Form,
    },
    /// Ids on lines of their own, everything else flowing.
    Block { first: bool },
}

/// What is shortened, where lines are.
#[derive(Debug, Clone, Copy, Default)]
struct Form {
    ids: bool,
    states: bool,
    times: bool,
}

impl Form {
    /// From the most telling to the shortest.
    const ALL: [Self; 4] = {
        let whole = Self {
            ids: false,
            states: false,
            times: false,
        };
        let ids = Self { ids: true, ..whole };
        let states = Self {
            states: true,
            ..ids
        };
        let times = Self {
            times: true,
            ..states
        };
        [whole, ids, states, times]
    };
}

/// Some of the columns as a table of their own.
#[derive(Debug)]
struct Part {
    /// Indexes into all columns, and the width to cut to.
    picked: Vec<(usize, Option<usize>)>,
    table: Table,
}

/// Widths of columns on a line.
struct Share {
    widths: Vec<usize>,
    /// Whether names and previews have what they should.
    fair: bool,
}

impl<R: Rows> List<R> {
    /// A list with these columns.
    pub fn new(columns: Vec<Column<R>>, layout: Layout) -> Self {
        Self {
            columns,
            layout,
            waiting: Vec::new(),
            arrangement: None,
            short_ids: ShortIds::default(),
            streams: false,
        }
    }

    /// Rows come one by one and wait for none: widths are decided by the first of them, and
    /// by what others usually need.
    pub fn stream(&mut self) {
        self.streams = true;
    }

    /// Takes one row; prints it, or keeps it until enough were seen to decide the widths.
    pub fn push<'r>(&mut self, out: &mut Sheet<'_>, row: &'r R::Row<'r>) -> io::Result<()> {
        self.waiting.push(
            self.columns
                .iter()
                .map(|c| c.cell(row, &self.layout))
                .collect(),
        );
        if self.waiting.len() >= MEASURED {
            self.flush(out)
        } else {
            Ok(())
        }
    }

    /// Prints what was kept. To be called at the end; in between it decides the widths early.
    pub fn flush(&mut self, out: &mut Sheet<'_>) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        if self.arrangement.is_none() {
            let ids = self.ids(&rows);
            self.short_ids = ShortIds::among(ids.iter().map(AsRef::as_ref));
            let arrangement = self.arrange(&rows);
            match &arrangement {
                Arrangement::OneLine { table, .. } => table.write_head(out)?,
                Arrangement::TwoLines { above, below, .. } => {
                    above.table.write_head(out)?;
                    below.table.write_head(out)?;
                }
                Arrangement::Block { .. } => {}
            }
            self.arrangement = Some(arrangement);
        }
        self.write_rows(out, rows)
    }

    fn ids<'r>(&self, rows: &'r [Vec<Cell>]) -> Vec<std::borrow::Cow<'r, str>> {
        let at = self.columns.iter().position(|c| c.room() == Room::Id);
        at.map_or_else(Vec::new, |at| {
            rows.iter().map(|row| row[at].plain()).collect()
        })
    }

    fn write_rows(&mut self, out: &mut Sheet<'_>, mut rows: Vec<Vec<Cell>>) -> io::Result<()> {
        let glyphs = self.layout.glyphs;
        match &mut self.arrangement {
            None => Ok(()),
            Some(Arrangement::OneLine {
                table,
                widths,
                form,
            }) => {
                for row in &mut rows {
                    shorten(&self.columns, row, *form, &mut self.short_ids, glyphs);
                    for (cell, width) in row.iter_mut().zip(widths.iter()) {
                        cut(cell, *width);
                    }
                }
                table
                    .lines(&rows)
                    .into_iter()
                    .try_for_each(|line| out.line(line))
            }
            Some(Arrangement::TwoLines { above, below, form }) => {
                for row in &mut rows {
                    shorten(&self.columns, row, *form, &mut self.short_ids, glyphs);
                }
                let (above, below) = (above.lines(&rows), below.lines(&rows));
                above
                    .into_iter()
                    .zip(below)
                    .try_for_each(|(a, b)| out.line(a.end().then(b)))
            }
            Some(Arrangement::Block { first }) => {
                for row in rows {
                    if !std::mem::take(first) {
                        out.blank()?;
                    }
                    write_block(out, &self.columns, row, &self.layout)?;
                }
                Ok(())
            }
        }
    }

    fn arrange(&self, rows: &[Vec<Cell>]) -> Arrangement {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let Some(width) = self.layout.width else {
            let form = Form::default();
            let widths =
                self.columns
                    .iter()
                    .zip(self.natural(rows, form))
                    .map(|(column, natural)| match column.room() {
                        Room::Rigid | Room::Time | Room::Id | Room::State => natural,
                        Room::Text { .. } | Room::Preview { .. } => natural.min(PIPED_TEXT),
                    });
            let widths: Vec<usize> = widths.collect();
            let table = self.table(&all, &widths, form);
            return Arrangement::OneLine {
                table,
                widths: vec![None; all.len()],
                form,
            };
        };
        let shares = Form::ALL.map(|form| (form, self.natural(rows, form)));
        let mut best = None;
        for (form, natural) in &shares {
            if let Some(share) = self.share(&all, natural, width) {
                let fair = share.fair;
                best = Some((*form, share.widths));
                if fair {
                    break;
                }
            }
        }
        if let Some((form, widths)) = best {
            let table = self.table(&all, &widths, form);
            let cuts = all.iter().map(|at| self.cut_at(*at, &widths)).collect();
            return Arrangement::OneLine {
                table,
                widths: cuts,
                form,
            };
        }
        let (texts, rigid): (Vec<usize>, Vec<usize>) =
            all.into_iter().partition(|at| self.is_text(*at));
        for (form, natural) in &shares {
            let above = self.share(&rigid, natural, width);
            let below = self.share(&texts, natural, width.saturating_sub(INDENT));
            if let (Some(above), Some(below)) = (above, below)
                && !texts.is_empty()
            {
                return Arrangement::TwoLines {
                    above: self.part(&rigid, &above.widths, *form, 0),
                    below: self.part(&texts, &below.widths, *form, INDENT),
                    form: *form,
                };
            }
        }
        Arrangement::Block { first: true }
    }

    /// How wide the columns are where nothing is cut.
    fn natural(&self, rows: &[Vec<Cell>], form: Form) -> Vec<usize> {
        let heads: Vec<&str> = self.columns.iter().map(|c| title(c, form)).collect();
        let glyphs = self.layout.glyphs;
        // Nothing is printed yet, so that no id of it is remembered.
        let mut ids = self.short_ids.clone();
        let rows: Vec<Vec<Cell>> = rows
            .iter()
            .map(|row| {
                let mut row = row.clone();
                shorten(&self.columns, &mut row, form, &mut ids, glyphs);
                row
            })
            .collect();
        let mut widths = natural_widths(&heads, &rows);
        if self.streams {
            for (width, column) in widths.iter_mut().zip(&self.columns) {
                *width = (*width).max(usual_width(column, form));
            }
        }
        widths
    }

    fn is_text(&self, at: usize) -> bool {
        matches!(
            self.columns[at].room(),
            Room::Text { .. } | Room::Preview { .. }
        )
    }

    fn cut_at(&self, at: usize, widths: &[usize]) -> Option<usize> {
        (self.is_text(at) && self.layout.width.is_some()).then(|| widths[at])
    }

    /// Widths for the picked columns on one line, in the places of all columns; `None` if they do not fit.
    fn share(&self, picked: &[usize], natural: &[usize], width: usize) -> Option<Share> {
        let mut widths = vec![0; self.columns.len()];
        let mut free = width.checked_sub(picked.len().saturating_sub(1) * GAP)?;
        for &at in picked {
            let full = natural[at];
            widths[at] = match self.columns[at].room() {
                Room::Rigid | Room::Time | Room::Id | Room::State => full,
                Room::Text { at_least } | Room::Preview { at_least } => full.min(at_least),
            };
            free = free.checked_sub(widths[at])?;
        }
        let texts = |at: &&usize| matches!(self.columns[**at].room(), Room::Text { .. });
        let previews = |at: &&usize| matches!(self.columns[**at].room(), Room::Preview { .. });
        for texts_to in [LEAST_TEXT, FAIR_TEXT] {
            for &at in picked.iter().filter(texts) {
                free -= grow(&mut widths[at], natural[at].min(texts_to), free);
            }
            for &at in picked.iter().filter(previews) {
                free -= grow(&mut widths[at], natural[at].min(FAIR_PREVIEW), free);
            }
        }
        let has = |at: &usize, enough: usize| widths[*at] >= natural[*at].min(enough);
        let fair = picked.iter().filter(texts).all(|at| has(at, FAIR_TEXT))
            && picked
                .iter()
                .filter(previews)
                .all(|at| has(at, FAIR_PREVIEW));
        // Texts up to a comfortable width; previews share what is left.
        for &at in picked.iter().filter(texts) {
            free -= grow(&mut widths[at], natural[at].min(ROOMY_TEXT), free);
        }
        let mut open = picked.iter().filter(previews).count();
        for &at in picked.iter().filter(previews) {
            free -= grow(&mut widths[at], natural[at], free / open);
            open -= 1;
        }
        for &at in picked.iter().filter(|at| self.is_text(**at)) {
            free -= grow(&mut widths[at], natural[at], free);
        }
        Some(Share { widths, fair })
    }

    fn table(&self, picked: &[usize], widths: &[usize], form: Form) -> Table {
        let columns = picked.iter().map(|&at| {
            let column = &self.columns[at];
            TableColumn {
                head: Cell::new(self.layout.style.heading(), title(column, form))
                    .fit_if(self.cut_at(at, widths)),
                ..TableColumn::of(column, widths[at], &self.layout)
            }
        });
        Table::new(columns.collect())
    }

    fn part(&self, picked: &[usize], widths: &[usize], form: Form, indent: usize) -> Part {
        Part {
            picked: picked
                .iter()
                .map(|&at| (at, self.cut_at(at, widths)))
                .collect(),
            table: self.table(picked, widths, form).indented(indent),
        }
    }
}

/// The head of a column; marks speak for themselves.
fn title<R: Rows>(column: &Column<R>, form: Form) -> &str {
    if form.states && column.room() == Room::State {
        return "";
    }
    column.title()
}

/// How wide the values of a column usually are, where most of them are not known yet.
fn usual_width<R: Rows>(column: &Column<R>, form: Form) -> usize {
    match column.room() {
        Room::Text { .. } => USUAL_TEXT,
        Room::Preview { .. } => USUAL_PREVIEW,
        Room::Rigid if column.kind().is_number() => USUAL_NUMBER,
        Room::State if !form.states => USUAL_STATE,
        Room::State | Room::Rigid | Room::Time | Room::Id => 0,
    }
}

fn grow(width: &mut usize, wanted: usize, free: usize) -> usize {
    let more = wanted.saturating_sub(*width).min(free);
    *width += more;
    more
}

/// Brings a row to its shorter form.
fn shorten<R: Rows>(
    columns: &[Column<R>],
    row: &mut [Cell],
    form: Form,
    ids: &mut ShortIds,
    glyphs: Glyphs,
) {
    for (cell, column) in row.iter_mut().zip(columns) {
        let short = match column.room() {
            Room::Id if form.ids => ids.short(&cell.plain()).to_owned(),
            Room::Time if form.times => units::without_seconds(&cell.plain()),
            Room::State if form.states => state_mark(&cell.plain(), glyphs).to_owned(),
            _ => continue,
        };
        *cell = cell.like(short);
    }
}

fn cut(cell: &mut Cell, width: Option<usize>) {
    *cell = std::mem::take(cell).fit_if(width);
}

impl Part {
    fn lines(&self, rows: &[Vec<Cell>]) -> Vec<Clean> {
        let rows: Vec<Vec<Cell>> = rows
            .iter()
            .map(|row| {
                self.picked
                    .iter()
                    .map(|&(at, width)| row[at].clone().fit_if(width))
                    .collect()
            })
            .collect();
        self.table.lines(&rows)
    }
}

/// Whether values tell by themselves what they are.
fn needs_no_label<R: Rows>(column: &Column<R>) -> bool {
    matches!(column.room(), Room::Time | Room::State)
        || matches!(
            (column.name(), column.kind()),
            ("name", _) | ("duration_ns", Kind::Duration)
        )
}

/// One row on a very narrow terminal.
fn write_block<R: Rows>(
    out: &mut Sheet<'_>,
    columns: &[Column<R>],
    row: Vec<Cell>,
    layout: &Layout,
) -> io::Result<()> {
    let width = layout.width.unwrap_or(usize::MAX);
    let inner = width.saturating_sub(INDENT);
    let (mut flowing, mut long) = (Vec::new(), Vec::new());
    for (column, cell) in columns.iter().zip(row) {
        match column.room() {
            Room::Id => out.line(cell)?,
            _ if cell.plain() == units::NONE => {}
            Room::Preview { .. } => long.push(cell.fit(inner)),
            _ if needs_no_label(column) => flowing.push(cell),
            _ => {
                let label = Cell::new(layout.style.muted(), column.title().to_lowercase() + " ");
                flowing.push(cell.after(label));
            }
        }
    }
    let mut used = 0;
    for cell in flowing {
        let cell = cell.fit(inner.max(1));
        let columns = cell.width();
        if used > 0 && used + GAP + columns > width {
            out.blank()?;
            used = 0;
        }
        let gap = if used == 0 { INDENT } else { GAP };
        out.put(Clean::blank(gap).then(cell))?;
        used += gap + columns;
    }
    if used > 0 {
        out.blank()?;
    }
    long.iter()
        .try_for_each(|cell| out.line(Clean::from(cell).indented(INDENT)))
}

/// Writes all rows of a list.
pub fn write<'r, R: Rows>(
    out: &mut Sheet<'_>,
    columns: Vec<Column<R>>,
    rows: &'r [R::Row<'r>],
    layout: &Layout,
) -> io::Result<()> {
    let mut list = List::new(columns, *layout);
    rows.iter().try_for_each(|row| list.push(out, row))?;
    list.flush(out)
}
