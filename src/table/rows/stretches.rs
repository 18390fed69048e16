//! Stretches of a trace: the sections of the critical path, and gaps.

use crate::analysis::{Gap, LatencyReport, NodeId, Section};
use crate::model::{Span, StatusCode};
use crate::render::Layout;
use crate::render::cell::Cell;
use crate::table::{Column, Columns, Datum, Kind, Room, Rows};

/// Sections of critical paths.
#[derive(Debug)]
pub enum Sections {}

/// A section of the critical path of a trace.
#[derive(Debug)]
pub struct SectionRow<'a> {
    /// The trace.
    pub report: &'a LatencyReport<'a>,
    /// The section.
    pub section: &'a Section,
}

impl Rows for Sections {
    type Row<'a> = SectionRow<'a>;
}

/// What machines are told of sections.
pub const OF_SECTIONS: [&str; 4] = ["span_id", "name", "start_offset_ns", "duration_ns"];
/// What people are.
pub const SHOWN_OF_SECTIONS: [&str; 5] = [
    "start_offset_ns",
    "duration_ns",
    "total_ratio",
    "name",
    "span_id",
];

/// The columns of sections.
pub fn sections() -> Columns<Sections> {
    type C = Column<Sections>;
    Columns::new(vec![
        C::new("span_id", Kind::Id, |row| {
            span_id(row.report, row.section.node)
        })
        .in_room(Room::Rigid),
        C::new("name", Kind::Text, |row| name(row.report, row.section.node))
            .titled("SPAN")
            .shown_as(name_below_parent),
        C::new("start_offset_ns", Kind::Duration, |row| {
            Datum::Duration(row.section.start_offset_ns)
        })
        .titled("START"),
        C::new("duration_ns", Kind::Duration, |row| {
            Datum::Duration(row.section.duration_ns)
        })
        .titled("DURATION"),
        C::new("total_ratio", Kind::Share, |row| {
            Datum::Part(row.section.duration_ns, row.report.total_ns())
        })
        .titled("%"),
    ])
}

fn name_below_parent(row: &SectionRow<'_>, layout: &Layout) -> Cell {
    let style = layout.style;
    let Some(id) = row.section.node else {
        return Cell::new(style.muted(), "(no span)");
    };
    let span = row.report.span(id);
    let look = match span.status {
        StatusCode::Error => style.error(),
        _ => style.text(),
    };
    let mut cell = Cell::default();
    if let Some(parent) = row.report.tree.node(id).parent {
        let parent = &row.report.span(parent).name;
        let below = layout.glyphs.pick("›", ">");
        cell = cell.and(style.muted(), format!("{parent} {below} "));
    }
    cell.and(look, &span.name)
}

/// Gaps of traces.
#[derive(Debug)]
pub enum Gaps {}

/// A gap of a trace.
#[derive(Debug)]
pub struct GapRow<'a> {
    /// The trace.
    pub report: &'a LatencyReport<'a>,
    /// The gap.
    pub gap: &'a Gap,
}

impl Rows for Gaps {
    type Row<'a> = GapRow<'a>;
}

/// What machines are told of gaps.
pub const OF_GAPS: [&str; 6] = [
    "start_offset_ns",
    "duration_ns",
    "before_span_id",
    "before",
    "after_span_id",
    "after",
];
/// What people are.
pub const SHOWN_OF_GAPS: [&str; 5] = [
    "start_offset_ns",
    "duration_ns",
    "total_ratio",
    "before",
    "after",
];

/// The columns of gaps.
pub fn gaps() -> Columns<Gaps> {
    type C = Column<Gaps>;
    Columns::new(vec![
        C::new("start_offset_ns", Kind::Duration, |row| {
            Datum::Duration(row.gap.start_offset_ns)
        })
        .titled("START"),
        C::new("duration_ns", Kind::Duration, |row| {
            Datum::Duration(row.gap.duration_ns)
        })
        .titled("DURATION"),
        C::new("total_ratio", Kind::Share, |row| {
            Datum::Part(row.gap.duration_ns, row.report.total_ns())
        })
        .titled("%"),
        C::new("before_span_id", Kind::Id, |row| {
            span_id(row.report, row.gap.before)
        }),
        C::new("before", Kind::Text, |row| name(row.report, row.gap.before))
            .titled("AFTER")
            .shown_as(|row, layout| edge(row.report, row.gap.before, "(start)", layout)),
        C::new("after_span_id", Kind::Id, |row| {
            span_id(row.report, row.gap.after)
        }),
        C::new("after", Kind::Text, |row| name(row.report, row.gap.after))
            .titled("BEFORE")
            .shown_as(|row, layout| edge(row.report, row.gap.after, "(end)", layout)),
    ])
}

fn edge(report: &LatencyReport<'_>, id: Option<NodeId>, none: &str, layout: &Layout) -> Cell {
    match id {
        Some(id) => Cell::new(layout.style.text(), &report.span(id).name),
        None => Cell::new(layout.style.muted(), none),
    }
}

fn span<'a>(report: &LatencyReport<'a>, id: Option<NodeId>) -> Option<&'a Span> {
    id.map(|id| report.span(id))
}

fn span_id<'a>(report: &LatencyReport<'a>, id: Option<NodeId>) -> Datum<'a> {
    Datum::maybe(span(report, id).map(|span| span.span_id.as_str()))
}

fn name<'a>(report: &LatencyReport<'a>, id: Option<NodeId>) -> Datum<'a> {
    Datum::maybe(span(report, id).map(|span| span.name.as_str()))
}
