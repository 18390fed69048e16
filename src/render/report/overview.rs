//! All traces of a page in one table, above their sections.

use std::io;

use super::head::state_class;
use super::short;
use crate::analysis::LatencyReport;
use crate::model::TraceState;
use crate::render::html::Html;
use crate::table::html::{self, Entry};
use crate::table::rows::reports::{ReportRow, Reports, reports};
use crate::table::{Column, Columns};

/// What the table says of the traces, which are gone when it is written.
#[derive(Debug)]
pub(super) struct Overview {
    columns: Columns<Reports>,
    rows: Vec<Vec<Entry>>,
}

/// The columns of words, which are there where a trace has some.
const WORDS: [&str; 3] = ["request", "user", "error"];
/// Characters of a cell of words.
const WORDS_CHARS: usize = 120;

impl Overview {
    /// Of no trace yet.
    pub(super) fn new() -> Self {
        Self {
            columns: reports(),
            rows: Vec::new(),
        }
    }

    /// With one more trace.
    pub(super) fn add(&mut self, report: &LatencyReport<'_>) {
        let columns = self.columns.plain().iter();
        let row = ReportRow::new(report);
        let row = columns.map(|column| {
            let entry = Entry::new(column, &row);
            match column.name() {
                name if WORDS.contains(&name) => entry.told(cut),
                _ => entry,
            }
        });
        self.rows.push(row.collect());
    }

    /// How many traces there are.
    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// The name and the id of the only trace.
    pub(super) fn only(&self) -> Option<String> {
        let [row] = self.rows.as_slice() else {
            return None;
        };
        let [name, .., id] = row.as_slice() else {
            return None;
        };
        Some(format!("{} · {}", name_of(name), id.text()))
    }

    /// Writes the table.
    pub(super) fn write(&self, html: &mut Html<'_>) -> io::Result<()> {
        html.raw("<section class=\"overview\">\n")?;
        let is_said = |at: usize| self.rows.iter().any(|row| !row[at].is_missing());
        let all = self.columns.plain().iter().enumerate();
        let columns: Vec<(usize, &Column<Reports>)> = all
            .filter(|(at, column)| !WORDS.contains(&column.name()) || is_said(*at))
            .collect();
        html::begin(html, "Traces", true, columns.iter().map(|(_, c)| *c))?;
        for (at, row) in self.rows.iter().enumerate() {
            html.raw("<tr>")?;
            for (column, entry) in columns.iter().map(|(at, c)| (c.name(), &row[*at])) {
                write(html, at + 1, column, entry)?;
            }
            html.raw("</tr>\n")?;
        }
        html::end(html)?;
        html.raw("</section>\n")
    }
}

fn write(html: &mut Html<'_>, number: usize, column: &str, entry: &Entry) -> io::Result<()> {
    match column {
        "name" => entry.write_with(html, "", |html| {
            let href = format!("#t{number}");
            html.element("a", &[("href", &href)], &name_of(entry))
        }),
        "state" => entry.write_with(html, "", |html| {
            let class = state_class(&TraceState::parse(entry.figure()));
            html.element("span", &[("class", class)], entry.text())
        }),
        "trace_id" => entry.write_with(html, "", |html| html.element("code", &[], entry.text())),
        "error" if !entry.is_missing() => entry.write(html, "words failure"),
        "request" | "error" => entry.write(html, "words"),
        "user" => entry.write(html, "who"),
        _ => entry.write(html, ""),
    }
}

fn name_of(name: &Entry) -> String {
    short(crate::text::named(name.figure()))
}

/// As much of a text as a cell holds, on one line.
fn cut(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        if line.len() > 4 * WORDS_CHARS {
            break;
        }
        line.push(' ');
        line.push_str(word);
    }
    match line.char_indices().nth(WORDS_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
