//! The latency analysis of a trace as JSON. All times are nanoseconds; a ratio
//! is null where the total is 0.

use serde::{Serialize, Serializer};

use super::json::LatencyParts;
use crate::analysis::{By, Gap, LatencyReport, NodeId, Row};
use crate::table::json::RowsJson;
use crate::table::rows::stretches::{self, OF_SECTIONS, SectionRow, Sections};

pub(super) struct LatencyJson<'a> {
    pub(super) report: &'a LatencyReport<'a>,
    pub(super) rows: &'a [Row],
    pub(super) parts: LatencyParts,
}

#[derive(Serialize)]
struct Report<'a> {
    trace_id: &'a str,
    total_ns: i64,
    total_basis: &'static str,
    in_progress: bool,
    concurrency: Option<f64>,
    unaccounted_ns: i64,
    warnings: Vec<String>,
    rows: Vec<RowJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical_path: Option<RowsJson<'a, Sections>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps: Option<Vec<GapJson<'a>>>,
    truncated: bool,
}

#[derive(Serialize)]
struct RowJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<SpanIdJson<'a>>,
    name: &'a str,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    types: &'a [String],
    count: usize,
    errors: usize,
    in_progress: usize,
    total_ns: i64,
    total_ratio: Option<f64>,
    self_ns: i64,
    self_ratio: Option<f64>,
    critical_ns: i64,
    critical_ratio: Option<f64>,
}

/// Null for time without a span.
#[derive(Serialize)]
struct SpanIdJson<'a>(Option<&'a str>);

#[derive(Serialize)]
struct GapJson<'a> {
    start_offset_ns: i64,
    duration_ns: i64,
    before: Option<SpanRef<'a>>,
    after: Option<SpanRef<'a>>,
}

#[derive(Serialize)]
struct SpanRef<'a> {
    span_id: &'a str,
    name: &'a str,
}

impl Serialize for LatencyJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.report;
        let row = |row| row_json(report, row, self.parts.by);
        let columns = stretches::sections().some(&OF_SECTIONS);
        let sections = report.sections.iter();
        let sections: Vec<SectionRow<'_>> = sections
            .map(|section| SectionRow { report, section })
            .collect();
        let gaps = || report.gaps.iter().map(|g| gap(report, g)).collect();
        Report {
            trace_id: &report.trace.info.trace_id,
            total_ns: report.total_ns(),
            total_basis: report.tree.total_basis.as_str(),
            in_progress: report.tree.total_in_progress,
            concurrency: report.concurrency,
            unaccounted_ns: report.unaccounted_ns,
            warnings: report.warnings().iter().map(ToString::to_string).collect(),
            rows: self.rows.iter().map(row).collect(),
            critical_path: self.parts.critical_path.then_some(RowsJson {
                columns: &columns,
                rows: &sections,
            }),
            gaps: self.parts.gaps.then(gaps),
            truncated: self.parts.truncated,
        }
        .serialize(serializer)
    }
}

fn row_json<'a>(report: &LatencyReport<'a>, row: &'a Row, by: By) -> RowJson<'a> {
    let span_id = || SpanIdJson(report.longest(row).map(|span| span.span_id.as_str()));
    RowJson {
        span_id: (by == By::Span).then(span_id),
        name: row.key.as_str(),
        kind: row.span_type(),
        types: &row.types,
        count: row.count,
        errors: row.errors,
        in_progress: row.in_progress,
        total_ns: row.total_ns,
        total_ratio: row.total_ratio,
        self_ns: row.self_ns,
        self_ratio: row.self_ratio,
        critical_ns: row.critical_ns,
        critical_ratio: row.critical_ratio,
    }
}

fn gap<'a>(report: &LatencyReport<'a>, gap: &Gap) -> GapJson<'a> {
    let span_ref = |id: NodeId| {
        let span = report.span(id);
        SpanRef {
            span_id: span.span_id.as_str(),
            name: &span.name,
        }
    };
    GapJson {
        start_offset_ns: gap.start_offset_ns,
        duration_ns: gap.duration_ns,
        before: gap.before.map(span_ref),
        after: gap.after.map(span_ref),
    }
}
