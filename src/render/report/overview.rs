//! All traces of a page in one table, above their sections.

use std::fmt::Display;
use std::io;

use super::html::Html;
use super::{head, short};
use crate::analysis::LatencyReport;
use crate::model::{StatusCode, TraceInfo};
use crate::render::summary;
use crate::units::{self, Zone};

/// What the table says of a trace.
#[derive(Debug)]
pub(super) struct Entry {
    trace_id: String,
    name: String,
    state: (&'static str, String),
    started: Option<(i64, String)>,
    total: Option<(i64, String)>,
    spans: usize,
    failed: usize,
    tokens: Option<i64>,
    cost: Option<f64>,
}

impl Entry {
    pub(super) fn new(report: &LatencyReport<'_>) -> Self {
        let info: &TraceInfo = &report.trace.info;
        let usage = report.usage();
        let failed = report
            .nodes()
            .filter(|(id, _)| report.span(*id).status == StatusCode::Error);
        let own_total = || (report.total_ns(), summary::total_text(report));
        let server_total = info.duration_ns().map(|ns| (ns, units::duration(ns)));
        Self {
            trace_id: info.trace_id.clone(),
            name: short(
                info.name()
                    .filter(|name| !name.is_empty())
                    .unwrap_or("(no name)"),
            ),
            state: head::state(info),
            started: info
                .request_time
                .map(|time| (time.millis(), units::time(time, Zone::Utc))),
            total: if report.tree.is_empty() {
                server_total
            } else {
                Some(own_total())
            },
            spans: report.tree.len(),
            failed: failed.count(),
            tokens: usage
                .tokens
                .value()
                .and_then(crate::model::TokenUsage::total),
            cost: usage.cost.value().and_then(crate::model::Cost::total),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn trace_id(&self) -> &str {
        &self.trace_id
    }
}

/// Writes the table.
pub(super) fn write(html: &mut Html<'_>, entries: &[Entry]) -> io::Result<()> {
    html.raw("<section class=\"overview\">\n<div class=\"scroll\"><table class=\"sortable\">\n<caption>Traces</caption>\n<thead><tr>")?;
    html.raw("<th scope=\"col\">Name</th><th scope=\"col\">State</th><th scope=\"col\">Started (UTC)</th>")?;
    html.raw("<th scope=\"col\" class=\"num\">Duration</th><th scope=\"col\" class=\"num\">Spans</th><th scope=\"col\" class=\"num\">Failed</th>")?;
    html.raw("<th scope=\"col\" class=\"num\">Tokens</th><th scope=\"col\" class=\"num\">Cost</th><th scope=\"col\">Trace id</th></tr></thead>\n<tbody>\n")?;
    for (at, entry) in entries.iter().enumerate() {
        html.raw("<tr><td>")?;
        html.element("a", &[("href", &format!("#t{}", at + 1))], &entry.name)?;
        html.raw("</td><td>")?;
        let (class, word) = &entry.state;
        html.element("span", &[("class", class)], word)?;
        html.raw("</td>")?;
        let failed = match entry.failed {
            0 => units::NONE.to_owned(),
            failed => format!("✗ {}", units::whole(failed)),
        };
        cell(html, "time", entry.started.clone())?;
        cell(html, "num", entry.total.clone())?;
        let spans = units::whole(entry.spans);
        cell(html, "num", Some((entry.spans, spans)))?;
        cell(html, "num", Some((entry.failed, failed)))?;
        cell(html, "num", entry.tokens.map(|n| (n, units::count(n))))?;
        cell(html, "num", entry.cost.map(|usd| (usd, units::cost(usd))))?;
        html.raw("<td>")?;
        html.element("code", &[], &entry.trace_id)?;
        html.raw("</td></tr>\n")?;
    }
    html.raw("</tbody>\n</table></div>\n</section>\n")
}

/// A cell, with the number that its column is sorted by.
fn cell(
    html: &mut Html<'_>,
    class: &'static str,
    figure: Option<(impl Display, String)>,
) -> io::Result<()> {
    let (value, text) = match figure {
        Some((value, text)) => (value.to_string(), text),
        None => (String::new(), units::NONE.to_owned()),
    };
    html.element("td", &[("class", class), ("data-value", &value)], &text)
}
