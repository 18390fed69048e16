//! Failures: a row for each group of the same.

use crate::analysis::{FailureGroup, FailureReport};
use crate::render::cell::Cell;
use crate::table::{Column, Columns, Datum, Kind, Room, Rows};
use crate::units;

/// Groups of failures.
#[derive(Debug)]
pub enum Errors {}

/// A group of failures.
#[derive(Debug)]
pub struct ErrorRow<'a> {
    /// What is known of it.
    pub group: &'a FailureGroup,
    /// What the counts of all groups sum up to.
    pub all: usize,
}

impl Rows for Errors {
    type Row<'a> = ErrorRow<'a>;
}

/// The groups, at most so many.
pub fn of(report: &FailureReport, most: usize) -> Vec<ErrorRow<'_>> {
    let groups = report.groups.iter().take(most);
    groups
        .map(|group| ErrorRow {
            group,
            all: report.counted,
        })
        .collect()
}

/// What people are shown unless they say otherwise, behind the kind.
pub const SHOWN: [&str; 9] = [
    "count",
    "share",
    "type",
    "message",
    "span",
    "traces",
    "first_time",
    "last_time",
    "trace_id",
];

/// What machines are told, behind the kind.
pub const TOLD: [&str; 10] = [
    "count",
    "share",
    "type",
    "message",
    "span",
    "other_spans",
    "traces",
    "first_time",
    "last_time",
    "trace_id",
];

/// All names of columns.
pub fn names() -> Vec<String> {
    let all = errors();
    all.names().map(std::borrow::Cow::into_owned).collect()
}

/// The columns of failures.
pub fn errors() -> Columns<Errors> {
    type C = Column<Errors>;
    let integer = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    Columns::new(vec![
        C::new("kind", Kind::Text, |row| {
            Datum::text(row.group.kind.as_str())
        })
        .in_room(Room::Rigid),
        C::new("count", Kind::Count, |row| Datum::count(row.group.count)),
        C::new("share", Kind::Share, move |row| {
            Datum::Part(integer(row.group.count), integer(row.all))
        })
        .titled("%")
        .also(["ratio"]),
        C::new("type", Kind::Text, |row| {
            Datum::maybe(row.group.class.as_deref())
        })
        .in_room(Room::Text { at_least: 12 })
        .also(["class"])
        .shown_as(|row, layout| match &row.group.class {
            Some(class) => Cell::new(layout.style.error(), class),
            None => Cell::new(layout.style.muted(), units::NONE),
        }),
        C::new("message", Kind::Text, |row| {
            Datum::maybe(row.group.message.as_deref())
        })
        .in_room(Room::Preview { at_least: 16 })
        .also(["error"])
        .shown_as(|row, layout| match &row.group.message {
            Some(message) => Cell::new(layout.style.text(), message),
            None => Cell::new(layout.style.muted(), "(no message)"),
        }),
        C::new("span", Kind::Text, |row| {
            Datum::maybe(row.group.span.as_deref())
        })
        .also(["spans", "failed"])
        .shown_as(|row, layout| {
            let style = layout.style;
            match (&row.group.span, row.group.other_spans) {
                (None, _) => Cell::new(style.muted(), "(no span)"),
                (Some(name), 0) if name.is_empty() => Cell::new(style.muted(), "(no name)"),
                (Some(name), 0) => Cell::new(style.name(), name),
                (Some(name), others) => {
                    Cell::new(style.name(), format!("{name} +{}", units::whole(others)))
                }
            }
        }),
        C::new("other_spans", Kind::Count, |row| {
            Datum::count(row.group.other_spans)
        }),
        C::new("traces", Kind::Count, |row| Datum::count(row.group.traces)),
        C::new("first_time", Kind::Time, |row| {
            Datum::some(Datum::Time, row.group.first)
        })
        .titled("FIRST")
        .also(["first", "first_seen"]),
        C::new("last_time", Kind::Time, |row| {
            Datum::some(Datum::Time, row.group.last)
        })
        .titled("LAST")
        .also(["last", "last_seen"]),
        C::new("trace_id", Kind::Id, |row| Datum::text(&row.group.trace_id))
            .in_room(Room::Id)
            .titled("EXAMPLE")
            .also(["id", "trace", "example"]),
    ])
}
