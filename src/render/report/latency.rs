//! Where the time of a trace went: the table by name, the gaps, and the sections
//! of the critical path.

use std::io;

use super::{Section, kind, short};
use crate::analysis::{By, LatencyReport, NodeId, Sort, TotalBasis};
use crate::render::html::Html;
use crate::table::html::{self, Entry};
use crate::table::rows::latency::{GroupRow, Groups, of_one, told_of_one};
use crate::table::rows::stretches::{
    GapRow, SHOWN_OF_GAPS, SHOWN_OF_SECTIONS, SectionRow, gaps, sections,
};
use crate::table::{Column, Rows};
use crate::units;

/// Lists longer than this are cut, with a note; mlt prints them in full.
const LISTED: usize = 200;

/// What there is to say about the time of a trace in a line.
pub(super) fn facts(report: &LatencyReport<'_>) -> String {
    let mut parts = vec![
        match report.tree.total_basis {
            TotalBasis::Root => "total of the root span",
            TotalBasis::Extent => "total from first start to last end of all spans",
        }
        .to_owned(),
    ];
    if let Some(factor) = report.concurrency.filter(|c| *c >= 1.05) {
        parts.push(format!("concurrency {factor:.1}×"));
    }
    if report.unaccounted_ns > 0 {
        let share = units::percent(report.unaccounted_ns, report.total_ns());
        let unaccounted = units::duration(report.unaccounted_ns);
        parts.push(format!("unaccounted {unaccounted} ({share} %)"));
    }
    parts.join(", ")
}

impl Section<'_, '_> {
    /// Writes the table and the lists.
    pub(super) fn write_latency(&mut self) -> io::Result<()> {
        self.html
            .raw("<section class=\"latency\">\n<h3>Latency by name</h3>\n")?;
        self.write_table()?;
        self.write_gaps()?;
        self.write_path()?;
        self.html.raw("</section>\n")
    }

    fn write_table(&mut self) -> io::Result<()> {
        let rows = self.report.rows(By::Name, Sort::SelfTime);
        // Spans that ran at the same time may come to more than the whole.
        let whole = rows
            .iter()
            .map(|row| row.self_ns.max(row.critical_ns))
            .fold(self.report.total_ns(), i64::max);
        let told = told_of_one(By::Name).into_iter();
        // Totals that can still grow say so.
        let columns: Vec<_> = told.filter(|c| c.name() != "in_progress").collect();
        html::begin(&mut self.html, "Latency by name", false, &columns)?;
        let rows = of_one(self.report, &rows, By::Name);
        for row in rows.iter().take(LISTED) {
            self.html.raw(match row.row.errors {
                0 => "<tr>",
                _ => "<tr class=\"error\">",
            })?;
            for column in &columns {
                self.write_entry(column, row, whole)?;
            }
            self.html.raw("</tr>\n")?;
        }
        html::end(&mut self.html)?;
        self.html.raw("<p class=\"note\">")?;
        self.html.raw("Total: recorded durations; nested spans repeat, so their shares do not add up to 100. ")?;
        self.html.raw(match self.report.concurrency {
            Some(factor) if factor >= 1.0005 => {
                "Self: time in the span but not in its children; more than 100 % in all, since spans ran at the same time. "
            }
            _ => "Self: time in the span but not in its children. ",
        })?;
        self.html
            .raw("Critical: time on the critical path; adds up to 100 %.</p>\n")
    }

    fn write_entry(
        &mut self,
        column: &Column<Groups>,
        row: &GroupRow<'_>,
        whole: i64,
    ) -> io::Result<()> {
        let entry = Entry::new(column, row);
        let class = format!("type {}", row.row.span_type().map_or("unknown", kind));
        let html = &mut self.html;
        let bar = match column.name() {
            "name" => {
                return entry.write_with(html, "name", |html| html.text(&short(entry.text())));
            }
            "type" => {
                let class = [("class", class.as_str())];
                return entry
                    .write_with(html, "", |html| html.element("span", &class, entry.text()));
            }
            "self_ratio" => row.row.self_ns,
            "critical_ratio" => row.row.critical_ns,
            _ => return entry.write(html, ""),
        };
        entry.write_with(html, "share", |html| {
            html.text(entry.text())?;
            write_share(html, bar, whole, &class)
        })
    }

    fn write_gaps(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.gaps.is_empty() {
            return Ok(());
        }
        self.html
            .raw("<details class=\"fold\"><summary>Gaps <small>")?;
        let share = units::percent(report.unaccounted_ns, report.total_ns());
        self.html.text(&format!(
            "{} in {}, {share} %",
            units::duration(report.unaccounted_ns),
            units::counted(report.gaps.len(), "gap")
        ))?;
        self.html.raw("</small></summary>\n<p class=\"note\">A gap is time in which no span but the root was running.</p>\n")?;
        let rows = report.gaps.iter().map(|gap| GapRow { report, gap });
        let rows: Vec<_> = rows.collect();
        let edge = |column: &str, row: &GapRow<'_>| match column {
            "before" => row.gap.before,
            "after" => row.gap.after,
            _ => None,
        };
        self.write_stretches("Gaps", &gaps().some(&SHOWN_OF_GAPS), &rows, edge)?;
        self.write_rest(report.gaps.len(), "the largest", "--gaps")?;
        self.html.raw("</details>\n")
    }

    fn write_path(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.sections.is_empty() {
            return Ok(());
        }
        self.html
            .raw("<details class=\"fold\"><summary>Critical path <small>")?;
        self.html
            .text(&units::counted(report.sections.len(), "section"))?;
        self.html.raw("</small></summary>\n<p class=\"note\">At each moment, the span that ended last is the one waited for.</p>\n")?;
        let rows = report.sections.iter();
        let rows: Vec<_> = rows.map(|section| SectionRow { report, section }).collect();
        let columns: Vec<_> = sections().some(&SHOWN_OF_SECTIONS);
        let columns: Vec<_> = columns
            .into_iter()
            .filter(|c| c.name() != "span_id")
            .collect();
        let node = |column: &str, row: &SectionRow<'_>| match column {
            "name" => row.section.node,
            _ => None,
        };
        self.write_stretches("Critical path", &columns, &rows, node)?;
        self.write_rest(report.sections.len(), "the first", "--critical-path")?;
        self.html.raw("</details>\n")
    }

    /// Writes stretches of the trace, each column of spans with links to them.
    fn write_stretches<'r, R: Rows>(
        &mut self,
        caption: &str,
        columns: &[Column<R>],
        rows: &'r [R::Row<'r>],
        span: impl Fn(&str, &R::Row<'r>) -> Option<NodeId>,
    ) -> io::Result<()> {
        html::begin(&mut self.html, caption, false, columns)?;
        for row in rows.iter().take(LISTED) {
            self.html.raw("<tr>")?;
            for column in columns {
                let entry = Entry::new(column, row);
                match span(column.name(), row) {
                    Some(id) => {
                        let href = format!("#{}", self.row_id(id));
                        entry.write_with(&mut self.html, "", |html| {
                            html.element("a", &[("href", &href)], &short(entry.text()))
                        })?;
                    }
                    None if entry.is_missing() => {
                        entry.write_with(&mut self.html, "", |html| {
                            html.element("span", &[("class", "muted")], entry.text())
                        })?;
                    }
                    None => entry.write(&mut self.html, "")?,
                }
            }
            self.html.raw("</tr>\n")?;
        }
        html::end(&mut self.html)
    }

    /// Says what a list leaves out, and how to see it.
    fn write_rest(&mut self, all: usize, which: &str, flag: &str) -> io::Result<()> {
        if all <= LISTED {
            return Ok(());
        }
        let (listed, all) = (units::whole(LISTED), units::whole(all));
        let id = &self.report.trace.info.trace_id;
        let note =
            format!("These are {which} {listed} of {all}; `mlt latency {id} {flag}` has all.");
        self.html.element("p", &[("class", "note")], &note)
    }
}

fn write_share(html: &mut Html<'_>, part: i64, whole: i64, class: &str) -> io::Result<()> {
    let width = super::waterfall::place(part, 0, whole);
    html.raw("<svg viewBox=\"0 0 10000 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\"")?;
    html.attribute("class", class)?;
    html.raw("><rect height=\"4\"")?;
    html.attribute("width", &width.to_string())?;
    html.raw("/></svg>")
}
