//! Assessments: a row for each that a trace has, those that were replaced among them.

use crate::model::{Assessment, AssessmentKind, SpanId};
use crate::render::cell::Cell;
use crate::render::column::assessment_value;
use crate::table::{Column, Columns, Datum, Kind, Room, Rows};

/// Assessments.
#[derive(Debug)]
pub enum Assessments {}

/// An assessment of a trace.
#[derive(Debug)]
pub struct AssessmentRow<'a> {
    /// The trace's id.
    pub trace_id: &'a str,
    /// What was judged.
    pub assessment: &'a Assessment,
}

impl Rows for Assessments {
    type Row<'a> = AssessmentRow<'a>;
}

/// What people are shown.
pub const SHOWN: [&str; 7] = [
    "trace_id",
    "name",
    "kind",
    "value",
    "source",
    "rationale",
    "note",
];

/// What machines are told.
pub const TOLD: [&str; 14] = [
    "trace_id",
    "assessment_id",
    "name",
    "kind",
    "value",
    "error",
    "source_type",
    "source_id",
    "span_id",
    "rationale",
    "time",
    "valid",
    "overrides",
    "metadata",
];

/// The columns of assessments.
pub fn assessments() -> Columns<Assessments> {
    type C = Column<Assessments>;
    Columns::new(vec![
        C::new("trace_id", Kind::Id, |row| Datum::text(row.trace_id)).in_room(Room::Id),
        C::new("assessment_id", Kind::Id, |row| {
            Datum::maybe(row.assessment.id.as_deref())
        }),
        C::new("name", Kind::Text, |row| Datum::text(&row.assessment.name))
            .shown_as(|row, layout| Cell::new(layout.style.name(), &row.assessment.name)),
        C::new("kind", Kind::Text, |row| {
            Datum::text(row.assessment.kind.as_str())
        }),
        C::new("value", Kind::Json, |row| {
            let value = row.assessment.value();
            let json = (!value.is_null()).then(|| value.to_string().into());
            Datum::some(Datum::Json, json)
        })
        .shown_as(|row, layout| Cell::new(layout.style.text(), assessment_value(row.assessment))),
        C::new("error", Kind::Text, |row| match &row.assessment.kind {
            AssessmentKind::Feedback {
                error: Some(error), ..
            } => Datum::maybe(error.message.as_deref().or(error.code.as_deref())),
            _ => Datum::Missing,
        }),
        C::new("source", Kind::Text, |row| {
            let source = &row.assessment.source;
            Datum::cow(Some(match source.id.as_deref() {
                Some(id) => format!("{} {id}", source.kind).into(),
                None => source.kind.as_str().into(),
            }))
        }),
        C::new("source_type", Kind::Text, |row| {
            Datum::text(&row.assessment.source.kind)
        }),
        C::new("source_id", Kind::Text, |row| {
            Datum::maybe(row.assessment.source.id.as_deref())
        }),
        C::new("span_id", Kind::Id, |row| {
            Datum::maybe(row.assessment.span_id.as_ref().map(SpanId::as_str))
        }),
        C::new("rationale", Kind::Text, |row| {
            Datum::maybe(row.assessment.rationale.as_deref())
        })
        .in_room(Room::Preview { at_least: 12 }),
        C::new("time", Kind::Time, |row| {
            let made = row.assessment.create_time;
            Datum::some(Datum::Time, row.assessment.last_update_time.or(made))
        }),
        C::new("valid", Kind::Text, |row| Datum::Flag(row.assessment.valid)),
        C::new("overrides", Kind::Id, |row| {
            Datum::maybe(row.assessment.overrides.as_deref())
        }),
        C::new("metadata", Kind::Map, |row| {
            Datum::Map(&row.assessment.metadata)
        }),
        C::new("note", Kind::Text, |row| {
            Datum::maybe((!row.assessment.valid).then_some("replaced"))
        }),
    ])
}
