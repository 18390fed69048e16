//! Where the time of a trace went: the table by name, the gaps, and the sections
//! of the critical path.

use std::io;

use super::{Section, kind, short};
use crate::analysis::{By, Gap, LatencyReport, NodeId, Row, Sort, TotalBasis};
use crate::render::summary::at_least;
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
        self.html.raw("<div class=\"scroll\"><table class=\"sortable\">\n<caption class=\"unseen\">Latency by name</caption>\n<thead><tr>")?;
        self.html.raw("<th scope=\"col\">Name</th><th scope=\"col\">Type</th><th scope=\"col\" class=\"num\">Count</th><th scope=\"col\" class=\"num\">Errors</th>")?;
        self.html.raw("<th scope=\"col\" class=\"num\">Total</th><th scope=\"col\" class=\"num\">Total %</th><th scope=\"col\" class=\"num\">Self</th><th scope=\"col\" class=\"num\">Self %</th>")?;
        self.html.raw("<th scope=\"col\" class=\"num\">Critical</th><th scope=\"col\" class=\"num\">Crit %</th></tr></thead>\n<tbody>\n")?;
        // Spans that ran at the same time may come to more than the whole.
        let whole = rows
            .iter()
            .map(|row| row.self_ns.max(row.critical_ns))
            .fold(self.report.total_ns(), i64::max);
        for row in rows.iter().take(LISTED) {
            self.write_row(row, whole)?;
        }
        self.html
            .raw("</tbody>\n</table></div>\n<p class=\"note\">")?;
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

    fn write_row(&mut self, row: &Row, whole: i64) -> io::Result<()> {
        let total = self.report.total_ns();
        let name = match row.key.as_str() {
            "" => "(no name)",
            name => name,
        };
        self.html.raw(match row.errors {
            0 => "<tr>",
            _ => "<tr class=\"error\">",
        })?;
        self.html
            .element("td", &[("class", "name")], &short(name))?;
        let type_name = row.span_type();
        let class = format!("type {}", type_name.map_or("unknown", kind));
        let types = match type_name {
            Some(name) if row.types.len() > 1 => format!("{name}, …"),
            Some(name) => name.to_owned(),
            None => units::NONE.to_owned(),
        };
        self.html.raw("<td>")?;
        self.html.element("span", &[("class", &class)], &types)?;
        self.html.raw("</td>")?;
        let errors = match row.errors {
            0 => units::NONE.to_owned(),
            errors => format!("✗ {}", units::whole(errors)),
        };
        self.write_number(&row.count.to_string(), &units::whole(row.count))?;
        self.write_number(&row.errors.to_string(), &errors)?;
        for (ns, text, bar) in [
            (
                row.total_ns,
                at_least(row.total_ns, row.in_progress > 0),
                false,
            ),
            (row.self_ns, units::duration(row.self_ns), true),
            (row.critical_ns, units::duration(row.critical_ns), true),
        ] {
            self.write_number(&ns.to_string(), &text)?;
            let percent = units::percent(ns, total);
            if bar {
                self.html.raw("<td class=\"num share\"")?;
                self.html.attribute("data-value", &ns.to_string())?;
                self.html.raw(">")?;
                self.html.text(&percent)?;
                self.write_share(ns, whole, &class)?;
                self.html.raw("</td>")?;
            } else {
                self.write_number(&ns.to_string(), &percent)?;
            }
        }
        self.html.raw("</tr>\n")
    }

    fn write_number(&mut self, value: &str, text: &str) -> io::Result<()> {
        self.html
            .element("td", &[("class", "num"), ("data-value", value)], text)
    }

    fn write_share(&mut self, part: i64, whole: i64, class: &str) -> io::Result<()> {
        let width = super::waterfall::place(part, 0, whole);
        self.html.raw(
            "<svg viewBox=\"0 0 10000 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\"",
        )?;
        self.html.attribute("class", class)?;
        self.html.raw("><rect height=\"4\"")?;
        self.html.attribute("width", &width.to_string())?;
        self.html.raw("/></svg>")
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
        self.html.raw("<div class=\"scroll\"><table class=\"sortable\">\n<caption class=\"unseen\">Gaps</caption>\n<thead><tr>")?;
        self.html.raw("<th scope=\"col\" class=\"num\">Start</th><th scope=\"col\" class=\"num\">Duration</th><th scope=\"col\" class=\"num\">%</th>")?;
        self.html.raw(
            "<th scope=\"col\">After</th><th scope=\"col\">Before</th></tr></thead>\n<tbody>\n",
        )?;
        for gap in report.gaps.iter().take(LISTED) {
            self.write_gap(*gap)?;
        }
        self.html.raw("</tbody>\n</table></div>\n")?;
        self.write_rest(report.gaps.len(), "the largest", "--gaps")?;
        self.html.raw("</details>\n")
    }

    fn write_gap(&mut self, gap: Gap) -> io::Result<()> {
        self.html.raw("<tr>")?;
        self.write_stretch(gap.start_offset_ns, gap.duration_ns)?;
        for (edge, none) in [(gap.before, "(start)"), (gap.after, "(end)")] {
            self.html.raw("<td>")?;
            self.write_edge(edge, none)?;
            self.html.raw("</td>")?;
        }
        self.html.raw("</tr>\n")
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
        self.html.raw("<div class=\"scroll\"><table class=\"sortable\">\n<caption class=\"unseen\">Critical path</caption>\n<thead><tr>")?;
        self.html.raw("<th scope=\"col\" class=\"num\">Start</th><th scope=\"col\" class=\"num\">Duration</th><th scope=\"col\" class=\"num\">%</th>")?;
        self.html
            .raw("<th scope=\"col\">Span</th></tr></thead>\n<tbody>\n")?;
        for section in report.sections.iter().take(LISTED) {
            self.html.raw("<tr>")?;
            self.write_stretch(section.start_offset_ns, section.duration_ns)?;
            self.html.raw("<td>")?;
            self.write_edge(section.node, "(no span)")?;
            self.html.raw("</td></tr>\n")?;
        }
        self.html.raw("</tbody>\n</table></div>\n")?;
        self.write_rest(report.sections.len(), "the first", "--critical-path")?;
        self.html.raw("</details>\n")
    }

    fn write_stretch(&mut self, start_ns: i64, length_ns: i64) -> io::Result<()> {
        let length = length_ns.to_string();
        self.write_number(&start_ns.to_string(), &units::duration(start_ns))?;
        self.write_number(&length, &units::duration(length_ns))?;
        self.write_number(&length, &units::percent(length_ns, self.report.total_ns()))
    }

    fn write_edge(&mut self, id: Option<NodeId>, none: &str) -> io::Result<()> {
        match id {
            Some(id) => self.write_link(id),
            None => self.html.element("span", &[("class", "muted")], none),
        }
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
