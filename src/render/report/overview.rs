//! All traces of a page in one table, above their sections.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;

use super::html::Html;
use super::{head, short};
use crate::analysis::LatencyReport;
use crate::model::{StatusCode, TraceInfo};
use crate::render::{preview, summary};
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
    /// What was asked, who asked it, and what went wrong, as far as a cell holds it.
    words: [Option<String>; 3],
}

/// The columns of words, which are there where a trace has some.
const WORDS: [&str; 3] = ["Request", "User", "Error"];
/// Characters of a cell of words.
const WORDS_CHARS: usize = 120;

impl Entry {
    pub(super) fn new(report: &LatencyReport<'_>) -> Self {
        let info: &TraceInfo = &report.trace.info;
        let usage = report.usage();
        let [request, _] = preview::of(info, Some(report));
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
            words: [
                request.map(Cow::into_owned),
                info.user().map(str::to_owned),
                error(report),
            ]
            .map(|words| {
                words
                    .filter(|words| !words.is_empty())
                    .map(|words| cut(&words))
            }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn trace_id(&self) -> &str {
        &self.trace_id
    }
}

/// The failure that came first, with the span in which it began.
fn error(report: &LatencyReport<'_>) -> Option<String> {
    let id = report
        .tree
        .failure_origins(report.trace)
        .into_iter()
        .next()?;
    let span = report.span(id);
    Some(match span.failure() {
        Some(text) => format!("{}: {text}", super::name(span)),
        None => super::name(span).to_owned(),
    })
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

/// Writes the table.
pub(super) fn write(html: &mut Html<'_>, entries: &[Entry]) -> io::Result<()> {
    html.raw("<section class=\"overview\">\n<div class=\"scroll\"><table class=\"sortable\">\n<caption>Traces</caption>\n<thead><tr>")?;
    html.raw("<th scope=\"col\">Name</th><th scope=\"col\">State</th><th scope=\"col\">Started (UTC)</th>")?;
    html.raw("<th scope=\"col\" class=\"num\">Duration</th><th scope=\"col\" class=\"num\">Spans</th><th scope=\"col\" class=\"num\">Failed</th>")?;
    html.raw(
        "<th scope=\"col\" class=\"num\">Tokens</th><th scope=\"col\" class=\"num\">Cost</th>",
    )?;
    let has = |at: usize| entries.iter().any(|entry| entry.words[at].is_some());
    let columns: Vec<usize> = (0..WORDS.len()).filter(|at| has(*at)).collect();
    for at in &columns {
        html.element("th", &[("scope", "col")], WORDS[*at])?;
    }
    html.raw("<th scope=\"col\">Trace id</th></tr></thead>\n<tbody>\n")?;
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
        for at in &columns {
            let class = match WORDS[*at] {
                "Error" if entry.words[*at].is_some() => "words failure",
                "User" => "who",
                _ => "words",
            };
            let words = entry.words[*at].as_deref().unwrap_or(units::NONE);
            html.element("td", &[("class", class)], words)?;
        }
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
