//! The list of traces. On a terminal every line fits: texts are cut, previews
//! first; ids never. Where one line is too short for the columns, each trace
//! takes two lines, and on very narrow terminals a small block. To a pipe goes
//! one complete line for each trace, as it comes.

use std::io::{self, Write};

use super::cell::Cell;
use super::column::{Column, Room};
use super::table::{Align, GAP, Table, TableColumn, natural_widths};
use super::{Layout, Painted, number};
use crate::model::TraceInfo;

/// How many traces are looked at before the widths are decided.
const MEASURED: usize = 200;
/// To a pipe, text wider than this pushes the rest of its line instead of
/// widening the column for all.
const PIPED_TEXT: usize = 40;
/// A column of text gets no more than this before previews get their share.
const ROOMY_TEXT: usize = 32;
const INDENT: usize = 2;

/// Prints traces as they come.
#[derive(Debug)]
pub struct SearchTable {
    columns: Vec<Column>,
    layout: Layout,
    waiting: Vec<Vec<Cell>>,
    arrangement: Option<Arrangement>,
}

/// How the columns share the lines.
#[derive(Debug)]
enum Arrangement {
    /// All in one table.
    OneLine {
        table: Table,
        widths: Vec<Option<usize>>,
        short_time: bool,
    },
    /// What must not be cut above, texts below.
    TwoLines {
        above: Part,
        below: Part,
        short_time: bool,
    },
    /// Ids on lines of their own, everything else flowing.
    Block { first: bool },
}

/// Some of the columns as a table of their own.
#[derive(Debug)]
struct Part {
    /// Indexes into all columns, and the width to cut to.
    picked: Vec<(usize, Option<usize>)>,
    table: Table,
}

impl SearchTable {
    /// A list with these columns.
    pub fn new(columns: Vec<Column>, layout: Layout) -> Self {
        Self {
            columns,
            layout,
            waiting: Vec::new(),
            arrangement: None,
        }
    }

    /// Takes one trace; prints it, or keeps it until enough were seen to decide the widths.
    pub fn push(&mut self, out: &mut dyn Write, info: &TraceInfo) -> io::Result<()> {
        self.waiting.push(
            self.columns
                .iter()
                .map(|c| c.cell(info, &self.layout))
                .collect(),
        );
        if self.waiting.len() >= MEASURED {
            self.flush(out)
        } else {
            Ok(())
        }
    }

    /// Prints what was kept. To be called at the end; in between it decides the widths early.
    pub fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        if self.arrangement.is_none() {
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

    fn write_rows(&mut self, out: &mut dyn Write, mut rows: Vec<Vec<Cell>>) -> io::Result<()> {
        match &mut self.arrangement {
            None => Ok(()),
            Some(Arrangement::OneLine {
                table,
                widths,
                short_time,
            }) => {
                for row in &mut rows {
                    prepare(&self.columns, row, *short_time);
                    for (cell, width) in row.iter_mut().zip(widths.iter()) {
                        cut(cell, *width);
                    }
                }
                table
                    .lines(&rows)
                    .iter()
                    .try_for_each(|line| writeln!(out, "{line}"))
            }
            Some(Arrangement::TwoLines {
                above,
                below,
                short_time,
            }) => {
                for row in &mut rows {
                    prepare(&self.columns, row, *short_time);
                }
                let (above, below) = (above.lines(&rows), below.lines(&rows));
                above
                    .iter()
                    .zip(&below)
                    .try_for_each(|(a, b)| writeln!(out, "{a}\n{b}"))
            }
            Some(Arrangement::Block { first }) => {
                for row in rows {
                    if !std::mem::take(first) {
                        writeln!(out)?;
                    }
                    write_block(out, &self.columns, row, &self.layout)?;
                }
                Ok(())
            }
        }
    }

    fn arrange(&self, rows: &[Vec<Cell>]) -> Arrangement {
        let titles: Vec<String> = self.columns.iter().map(Column::title).collect();
        let heads: Vec<&str> = titles.iter().map(String::as_str).collect();
        let natural = natural_widths(&heads, rows);
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let Some(width) = self.layout.width else {
            let widths =
                self.columns
                    .iter()
                    .zip(&natural)
                    .map(|(column, natural)| match column.room() {
                        Room::Rigid | Room::Time | Room::Word { .. } => *natural,
                        Room::Text { .. } | Room::Preview { .. } => (*natural).min(PIPED_TEXT),
                    });
            let widths: Vec<usize> = widths.collect();
            let table = self.table(&all, &widths);
            return Arrangement::OneLine {
                table,
                widths: vec![None; all.len()],
                short_time: false,
            };
        };
        for short_time in [false, true] {
            if let Some(widths) = self.share(&all, &natural, width, short_time) {
                let table = self.table(&all, &widths);
                let cuts = all.iter().map(|at| self.cut_at(*at, &widths)).collect();
                return Arrangement::OneLine {
                    table,
                    widths: cuts,
                    short_time,
                };
            }
        }
        let (texts, rigid): (Vec<usize>, Vec<usize>) =
            all.into_iter().partition(|at| self.is_text(*at));
        for short_time in [false, true] {
            let above = self.share(&rigid, &natural, width, short_time);
            let below = self.share(&texts, &natural, width.saturating_sub(INDENT), short_time);
            if let (Some(above), Some(below)) = (above, below)
                && !texts.is_empty()
            {
                return Arrangement::TwoLines {
                    above: self.part(&rigid, &above, 0),
                    below: self.part(&texts, &below, INDENT),
                    short_time,
                };
            }
        }
        Arrangement::Block { first: true }
    }

    fn is_text(&self, at: usize) -> bool {
        matches!(
            self.columns[at].room(),
            Room::Text { .. } | Room::Preview { .. }
        )
    }

    fn cut_at(&self, at: usize, widths: &[usize]) -> Option<usize> {
        let cut = self.is_text(at) || matches!(self.columns[at].room(), Room::Word { .. });
        (cut && self.layout.width.is_some()).then(|| widths[at])
    }

    /// Widths for the picked columns on one line, in the places of all columns; `None` if they do not fit.
    fn share(
        &self,
        picked: &[usize],
        natural: &[usize],
        width: usize,
        short_time: bool,
    ) -> Option<Vec<usize>> {
        let mut widths = vec![0; self.columns.len()];
        let mut free = width.checked_sub(picked.len().saturating_sub(1) * GAP)?;
        for &at in picked {
            let full = natural[at];
            widths[at] = match self.columns[at].room() {
                Room::Time if short_time => full.min(SHORT_TIME),
                Room::Rigid | Room::Time => full,
                Room::Word { at_least } | Room::Text { at_least } | Room::Preview { at_least } => {
                    full.min(at_least)
                }
            };
            free = free.checked_sub(widths[at])?;
        }
        for &at in picked {
            if let Room::Word { .. } = self.columns[at].room() {
                free -= grow(&mut widths[at], natural[at], free);
            }
        }
        // Texts first, up to a comfortable width; previews share what is left; then texts again.
        let texts = |at: &&usize| matches!(self.columns[**at].room(), Room::Text { .. });
        let previews = |at: &&usize| matches!(self.columns[**at].room(), Room::Preview { .. });
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
        Some(widths)
    }

    fn table(&self, picked: &[usize], widths: &[usize]) -> Table {
        let columns = picked.iter().map(|&at| {
            let column = &self.columns[at];
            TableColumn {
                head: Cell::new(self.layout.style.heading(), column.title())
                    .fit_if(self.cut_at(at, widths)),
                align: if column.is_number() {
                    Align::Right
                } else {
                    Align::Left
                },
                width: widths[at],
            }
        });
        Table::new(columns.collect())
    }

    fn part(&self, picked: &[usize], widths: &[usize], indent: usize) -> Part {
        Part {
            picked: picked
                .iter()
                .map(|&at| (at, self.cut_at(at, widths)))
                .collect(),
            table: self.table(picked, widths).indented(indent),
        }
    }
}

const SHORT_TIME: usize = "2026-11-22 20:56".len();

fn grow(width: &mut usize, wanted: usize, free: usize) -> usize {
    let more = wanted.saturating_sub(*width).min(free);
    *width += more;
    more
}

/// Brings the time to its short form.
fn prepare(columns: &[Column], row: &mut [Cell], short_time: bool) {
    if !short_time {
        return;
    }
    for (cell, column) in row.iter_mut().zip(columns) {
        if column.room() == Room::Time {
            *cell = std::mem::take(cell).start(SHORT_TIME);
        }
    }
}

fn cut(cell: &mut Cell, width: Option<usize>) {
    *cell = std::mem::take(cell).fit_if(width);
}

impl Part {
    fn lines(&self, rows: &[Vec<Cell>]) -> Vec<String> {
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

/// One trace on a very narrow terminal.
fn write_block(
    out: &mut dyn Write,
    columns: &[Column],
    row: Vec<Cell>,
    layout: &Layout,
) -> io::Result<()> {
    let width = layout.width.unwrap_or(usize::MAX);
    let inner = width.saturating_sub(INDENT);
    let (mut flowing, mut long) = (Vec::new(), Vec::new());
    for (column, cell) in columns.iter().zip(row) {
        match column {
            Column::TraceId => writeln!(out, "{cell}")?,
            _ if cell.plain() == number::NONE => {}
            _ if matches!(column.room(), Room::Preview { .. }) => long.push(cell.fit(inner)),
            Column::Time | Column::State | Column::Name | Column::Duration => flowing.push(cell),
            labelled => {
                let label = Cell::new(layout.style.muted(), labelled.title().to_lowercase() + " ");
                flowing.push(cell.after(label));
            }
        }
    }
    let mut used = 0;
    for cell in flowing {
        let cell = cell.fit(inner.max(1));
        let columns = cell.width();
        if used > 0 && used + GAP + columns > width {
            writeln!(out)?;
            used = 0;
        }
        let gap = if used == 0 { INDENT } else { GAP };
        write!(out, "{:gap$}{cell}", "")?;
        used += gap + columns;
    }
    if used > 0 {
        writeln!(out)?;
    }
    long.iter().try_for_each(|cell| {
        writeln!(
            out,
            "{:INDENT$}{}",
            "",
            Painted(anstyle::Style::new(), cell)
        )
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::model::TraceState;
    use crate::render::sample::{coloured, hostile, info, printed, terminal, widest};

    fn infos() -> Vec<TraceInfo> {
        let mut ok = info();
        ok.state = TraceState::Ok;
        ok.execution_duration_ns = Some(53_300_000);
        ok.metadata.clear();
        let mut running = info();
        running.state = TraceState::InProgress;
        running.execution_duration_ns = None;
        running.request_preview = None;
        running.tags.clear();
        vec![info(), hostile().info, ok, running]
    }

    fn list(columns: &[Column], infos: &[TraceInfo], layout: Layout) -> String {
        printed(|out| {
            let mut table = SearchTable::new(columns.to_vec(), layout);
            infos.iter().try_for_each(|info| table.push(out, info))?;
            table.flush(out)
        })
    }

    #[test]
    fn a_pipe_gets_one_complete_line_for_each() {
        assert_snapshot!(list(&Column::DEFAULT, &infos(), Layout::piped()), @r#"
        TIME                 TRACE ID                             NAME                              STATE        DURATION  TOKENS  REQUEST
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                             ERROR          1.64 s   1,234  {"question": "How do I get my money back?"}
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  \x1b]0;owned\x07ag\u{202e}tne\nx  ERROR          1.64 s   1,234  日本語の質問です。とても長いので切れます。👩‍👩‍👧‍👦 é\t\u{9b}31m
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                             OK            53.3 ms       -  {"question": "How do I get my money back?"}
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  -                                 IN_PROGRESS         -   1,234  -
        "#);
    }

    #[test]
    fn forty_columns_get_blocks() {
        assert_snapshot!(list(&Column::DEFAULT, &infos(), terminal(40)), @r#"
        tr-b6df45fdeeac3d7f64f3de29e167bcbd
          2026-11-22 20:56:36  agent  ERROR
          1.64 s  tokens 1,234
          {"question": "How do I get my money b…

        tr-b6df45fdeeac3d7f64f3de29e167bcbd
          2026-11-22 20:56:36
          \x1b]0;owned\x07ag\u{202e}tne\nx
          ERROR  1.64 s  tokens 1,234
          日本語の質問です。とても長いので切れ…

        tr-b6df45fdeeac3d7f64f3de29e167bcbd
          2026-11-22 20:56:36  agent  OK
          53.3 ms
          {"question": "How do I get my money b…

        tr-b6df45fdeeac3d7f64f3de29e167bcbd
          2026-11-22 20:56:36  IN_PROGRESS
          tokens 1,234
        "#);
    }

    #[test]
    fn eighty_columns_get_two_lines_for_each() {
        assert_snapshot!(list(&Column::DEFAULT, &infos(), terminal(80)), @r#"
        TIME              TRACE ID                             STATE    DURATION  TOKENS
          NAME                              REQUEST
        2026-11-22 20:56  tr-b6df45fdeeac3d7f64f3de29e167bcbd  ERROR      1.64 s   1,234
          agent                             {"question": "How do I get my money back?"}
        2026-11-22 20:56  tr-b6df45fdeeac3d7f64f3de29e167bcbd  ERROR      1.64 s   1,234
          \x1b]0;owned\x07ag\u{202e}tne\nx  日本語の質問です。とても長いので切れます。…
        2026-11-22 20:56  tr-b6df45fdeeac3d7f64f3de29e167bcbd  OK        53.3 ms       -
          agent                             {"question": "How do I get my money back?"}
        2026-11-22 20:56  tr-b6df45fdeeac3d7f64f3de29e167bcbd  IN_PRO…         -   1,234
          -                                 -
        "#);
    }

    #[test]
    fn previews_shrink_first() {
        assert_snapshot!(list(&Column::DEFAULT, &infos(), terminal(130)), @r#"
        TIME                 TRACE ID                             NAME                 STATE        DURATION  TOKENS  REQUEST
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                ERROR          1.64 s   1,234  {"question": "How d…
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  \x1b]0;owned\x07ag…  ERROR          1.64 s   1,234  日本語の質問です。…
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                OK            53.3 ms       -  {"question": "How d…
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  -                    IN_PROGRESS         -   1,234  -
        "#);
        assert_snapshot!(list(&Column::DEFAULT, &infos(), terminal(200)), @r#"
        TIME                 TRACE ID                             NAME                              STATE        DURATION  TOKENS  REQUEST
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                             ERROR          1.64 s   1,234  {"question": "How do I get my money back?"}
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  \x1b]0;owned\x07ag\u{202e}tne\nx  ERROR          1.64 s   1,234  日本語の質問です。とても長いので切れます。👩‍👩‍👧‍👦 é\t\u{9b}31m
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  agent                             OK            53.3 ms       -  {"question": "How do I get my money back?"}
        2026-11-22 20:56:36  tr-b6df45fdeeac3d7f64f3de29e167bcbd  -                                 IN_PROGRESS         -   1,234  -
        "#);
    }

    #[test]
    fn colour_tells_states_apart() {
        assert_snapshot!(list(&[Column::State, Column::Name], &infos(), coloured(terminal(80))), @r#"
        ␛[2mSTATE␛[0m        ␛[2mNAME␛[0m
        ␛[31mERROR␛[0m        agent
        ␛[31mERROR␛[0m        \x1b]0;owned\x07ag\u{202e}tne\nx
        ␛[32mOK␛[0m           agent
        ␛[33mIN_PROGRESS␛[0m  ␛[2m-␛[0m
        "#);
    }

    #[test]
    fn the_duration_of_a_trace_in_progress_is_a_lower_bound() {
        let mut running = info();
        running.state = TraceState::InProgress;
        running.execution_duration_ns = Some(1_000_000);
        let columns = [Column::TraceId, Column::State, Column::Duration];
        let listed = |layout| list(&columns, std::slice::from_ref(&running), layout);
        assert_snapshot!(listed(Layout::piped()), @"
        TRACE ID                             STATE        DURATION
        tr-b6df45fdeeac3d7f64f3de29e167bcbd  IN_PROGRESS   >= 1 ms
        ");
        assert_snapshot!(listed(terminal(40)), @"
        tr-b6df45fdeeac3d7f64f3de29e167bcbd
          IN_PROGRESS  >= 1 ms
        ");
        assert_eq!(Column::Duration.raw(&running), "1000000");
    }

    #[test]
    fn any_column_can_be_shown() {
        let columns: Vec<Column> = [
            "name",
            "tags.env",
            "metadata.mlflow.trace.user",
            "assessments",
            "cost",
            "spans",
        ]
        .map(|name| name.parse().unwrap())
        .to_vec();
        assert_snapshot!(list(&columns, &infos()[..2], Layout::piped()), @r#"
        NAME                              ENV   MLFLOW.TRACE.USER  ASSESSMENTS         COST  SPANS
        agent                             prod  anna               correctness=0.8  $0.0123      -
        \x1b]0;owned\x07ag\u{202e}tne\nx  prod  anna               correctness=0.8  $0.0123      -
        "#);
    }

    #[test]
    fn lines_fit_and_ids_are_whole() {
        let id = &info().trace_id;
        for width in (38..220).step_by(3) {
            let text = list(&Column::DEFAULT, &infos(), terminal(width));
            assert!(widest(&text) <= width, "{width}:\n{text}");
            assert_eq!(text.matches(id.as_str()).count(), 4);
        }
    }

    #[test]
    fn pages_do_not_show() {
        let many: Vec<TraceInfo> = infos().into_iter().cycle().take(1000).collect();
        let text = list(&Column::DEFAULT, &many, Layout::piped());
        assert_eq!(text.lines().count(), 1001);
        let starts: Vec<usize> = text
            .lines()
            .map(|l| l.find("ERROR").or(l.find("STATE")).unwrap_or(58))
            .collect();
        assert!(starts[1..].chunks(4).all(|chunk| chunk == &starts[1..5]));
    }

    #[test]
    fn nothing_found_prints_nothing() {
        assert_eq!(list(&Column::DEFAULT, &[], terminal(80)), "");
    }
}
