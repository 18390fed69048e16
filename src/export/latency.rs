//! The latency analysis of a trace as JSON. All times are nanoseconds; a ratio
//! is null where the total is 0.

use serde::{Serialize, Serializer};

use super::json::LatencyParts;
use crate::analysis::{By, Gap, LatencyReport, NodeId, Row};
use crate::table::Column;
use crate::table::json::RowsJson;
use crate::table::rows::latency::{self, Groups};
use crate::table::rows::stretches::{self, OF_SECTIONS, SectionRow, Sections};

pub(super) struct LatencyJson<'a> {
    pub(super) report: &'a LatencyReport<'a>,
    pub(super) rows: &'a [Row],
    /// What is said of each, where that was chosen.
    pub(super) columns: Option<&'a [Column<Groups>]>,
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
    rows: RowsJson<'a, Groups>,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical_path: Option<RowsJson<'a, Sections>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps: Option<Vec<GapJson<'a>>>,
    truncated: bool,
}

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
        let by = self.parts.by;
        let groups = latency::of_one(report, self.rows, by);
        let usual = self.columns.is_none().then(|| usual(by));
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
            rows: RowsJson {
                columns: self.columns.or(usual.as_deref()).unwrap_or_default(),
                rows: &groups,
            },
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

/// What is said of a row unless somebody chose.
fn usual(by: By) -> Vec<Column<Groups>> {
    let mut columns = latency::told_of_one(by);
    let types = latency::groups_of_one(by).some(&["types"]);
    let at = columns.iter().position(|column| column.name() == "count");
    columns.splice(at.unwrap_or(0)..at.unwrap_or(0), types);
    columns
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
