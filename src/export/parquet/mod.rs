//! Parquet, for DuckDB, Spark and pandas: a table of traces or one of spans.
//! Times are there as timestamps to the microsecond and as integer nanoseconds.

mod table;

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use self::table::{Cell, Column, Kind, Table};
use super::assessment::AssessmentJson;
use super::trace::{EventJson, LinkJson};
use crate::analysis::LatencyReport;
use crate::model::{SpanId, TraceInfo};

/// A table of traces.
pub struct TraceTable<'a>(Table<'a>);

/// A table of spans, parents before children.
pub struct SpanTable<'a>(Table<'a>);

impl<'a> TraceTable<'a> {
    const COLUMNS: &'static [Column] = &[
        ("trace_id", Kind::Text),
        ("experiment_id", Kind::Text),
        ("name", Kind::Text),
        ("state", Kind::Text),
        ("request_time", Kind::Time),
        ("duration_ns", Kind::Integer),
        ("session", Kind::Text),
        ("user", Kind::Text),
        ("run_id", Kind::Text),
        ("model_id", Kind::Text),
        ("client_request_id", Kind::Text),
        ("input_tokens", Kind::Integer),
        ("output_tokens", Kind::Integer),
        ("total_tokens", Kind::Integer),
        ("total_cost", Kind::Number),
        ("request", Kind::Text),
        ("response", Kind::Text),
        ("tags", Kind::Map),
        ("metadata", Kind::Map),
        ("assessments", Kind::Text),
    ];

    /// Writes the head.
    pub fn new(out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        Table::new(out, "traces", Self::COLUMNS).map(Self)
    }

    /// Writes one trace.
    pub fn push(&mut self, info: &TraceInfo) -> io::Result<()> {
        let usage = info.usage();
        let (request, response) = info.previews();
        let assessments: Vec<AssessmentJson<'_>> = info
            .assessments
            .iter()
            .map(|a| AssessmentJson::new(a, &info.trace_id))
            .collect();
        self.0.row([
            Cell::Text(Some(&info.trace_id)),
            Cell::Text(info.place().as_deref()),
            Cell::Text(info.name()),
            Cell::Text(Some(info.state.as_str())),
            Cell::Integer(info.request_time.map(|t| t.nanos().div_euclid(1000))),
            Cell::Integer(info.duration_ns()),
            Cell::Text(info.session()),
            Cell::Text(info.user()),
            Cell::Text(info.run_id()),
            Cell::Text(info.model_id()),
            Cell::Text(info.client_request_id.as_deref()),
            Cell::Integer(usage.and_then(|u| u.input_tokens)),
            Cell::Integer(usage.and_then(|u| u.output_tokens)),
            Cell::Integer(usage.and_then(|u| u.total())),
            Cell::Number(info.cost().and_then(|cost| cost.total())),
            Cell::Text(request),
            Cell::Text(response),
            Cell::of_map(&info.tags),
            Cell::of_map(&info.metadata),
            Cell::Owned(json_list(&assessments)?),
        ])
    }

    /// Writes what is held back, and the end.
    pub fn finish(self) -> io::Result<()> {
        self.0.finish()
    }
}

impl<'a> SpanTable<'a> {
    const COLUMNS: &'static [Column] = &[
        ("trace_id", Kind::Text),
        ("trace_name", Kind::Text),
        ("experiment_id", Kind::Text),
        ("span_id", Kind::Text),
        ("parent_span_id", Kind::Text),
        ("depth", Kind::Integer),
        ("name", Kind::Text),
        ("type", Kind::Text),
        ("status", Kind::Text),
        ("error", Kind::Text),
        ("start_time", Kind::Time),
        ("start_time_unix_nano", Kind::Integer),
        ("end_time_unix_nano", Kind::Integer),
        ("duration_ns", Kind::Integer),
        ("self_ns", Kind::Integer),
        ("critical_ns", Kind::Integer),
        ("model", Kind::Text),
        ("input_tokens", Kind::Integer),
        ("output_tokens", Kind::Integer),
        ("total_tokens", Kind::Integer),
        ("total_cost", Kind::Number),
        ("inputs", Kind::Text),
        ("outputs", Kind::Text),
        ("attributes", Kind::Map),
        ("events", Kind::Text),
        ("links", Kind::Text),
    ];

    /// Writes the head.
    pub fn new(out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        Table::new(out, "spans", Self::COLUMNS).map(Self)
    }

    /// Writes the spans of one trace.
    pub fn push(&mut self, report: &LatencyReport<'_>) -> io::Result<()> {
        let info = &report.trace.info;
        for (id, node) in report.nodes() {
            let span = report.span(id);
            let tokens = report.tokens(id);
            let error = (span.status == crate::model::StatusCode::Error)
                .then(|| span.error_text())
                .flatten();
            // A lower bound is no duration: a span in progress has none.
            let ended = (!node.in_progress).then_some(());
            let attributes = span.attributes.iter();
            let events: Vec<EventJson<'_>> = span.events.iter().map(EventJson::from).collect();
            let links: Vec<LinkJson<'_>> = span.links.iter().map(LinkJson::from).collect();
            self.0.row([
                Cell::Text(Some(&info.trace_id)),
                Cell::Text(info.name()),
                Cell::Text(info.place().as_deref()),
                Cell::Text(Some(span.span_id.as_str())),
                Cell::Text(span.parent_id.as_ref().map(SpanId::as_str)),
                Cell::count(node.depth),
                Cell::Text(Some(&span.name)),
                Cell::Owned(Some(span.span_type().into_owned())),
                Cell::Text(Some(span.status.as_str())),
                Cell::Owned(error),
                Cell::Integer(Some(span.start_ns.div_euclid(1000))),
                Cell::Integer(Some(span.start_ns)),
                Cell::Integer(ended.and(span.end_ns)),
                Cell::Integer(ended.map(|()| node.duration_ns())),
                Cell::Integer(Some(report.self_ns(id))),
                Cell::Integer(Some(report.critical_ns(id))),
                Cell::Owned(span.model().map(std::borrow::Cow::into_owned)),
                Cell::Integer(tokens.and_then(|t| t.input_tokens)),
                Cell::Integer(tokens.and_then(|t| t.output_tokens)),
                Cell::Integer(tokens.and_then(|t| t.total())),
                Cell::Number(report.cost(id).and_then(|cost| cost.total())),
                Cell::Text(span.inputs()),
                Cell::Text(span.outputs()),
                Cell::Map(attributes.map(|(k, v)| (k.as_str(), v.as_str())).collect()),
                Cell::Owned(json_list(&events)?),
                Cell::Owned(json_list(&links)?),
            ])?;
        }
        Ok(())
    }

    /// Writes what is held back, and the end.
    pub fn finish(self) -> io::Result<()> {
        self.0.finish()
    }
}

/// A list as JSON text; nothing for one without elements.
fn json_list(list: &[impl Serialize]) -> io::Result<Option<String>> {
    if list.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::to_string(list)?))
}

impl fmt::Debug for TraceTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceTable").finish_non_exhaustive()
    }
}

impl fmt::Debug for SpanTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanTable").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
