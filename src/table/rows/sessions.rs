//! Sessions: a row for each conversation.

use crate::analysis::SessionSummary;
use crate::render::cell::Cell;
use crate::render::column::assessment_value;
use crate::table::{Column, Columns, Datum, Kind, Room, Rows};
use crate::units;

impl Rows for SessionSummary {
    type Row<'a> = Self;
}

/// What people are shown unless they say otherwise.
pub const SHOWN: [&str; 9] = [
    "session",
    "user",
    "turns",
    "last_time",
    "total_tokens",
    "cost_usd",
    "errors",
    "state",
    "worst_feedback",
];

/// All names of columns.
pub fn names() -> Vec<String> {
    let all = sessions();
    all.names().map(std::borrow::Cow::into_owned).collect()
}

/// The columns of sessions; all of them are told to machines, in this order.
pub fn sessions() -> Columns<SessionSummary> {
    type C = Column<SessionSummary>;
    Columns::new(vec![
        C::new("session", Kind::Id, |one| Datum::text(&one.id))
            .also(["session_id", "id"])
            .shown_as(|one, layout| Cell::new(layout.style.id(), &one.id)),
        C::new("user", Kind::Text, |one| Datum::maybe(one.user.as_deref())).also(["user_id"]),
        C::new("turns", Kind::Count, |one| Datum::count(one.turns)).also(["traces", "count"]),
        C::new("first_time", Kind::Time, |one| {
            Datum::some(Datum::Time, one.first)
        })
        .titled("FIRST")
        .also(["first"]),
        C::new("last_time", Kind::Time, |one| {
            Datum::some(Datum::Time, one.last)
        })
        .titled("LAST")
        .also(["last"]),
        C::new("duration_ns", Kind::Duration, |one| {
            Datum::some(Datum::Duration, one.duration_ns)
        })
        .titled("DURATION")
        .also(["duration"]),
        C::new("total_tokens", Kind::Count, |one| {
            Datum::some(Datum::Integer, one.tokens)
        })
        .titled("TOKENS")
        .also(["tokens"]),
        C::new("cost_usd", Kind::Money, |one| {
            Datum::some(Datum::Money, one.cost)
        })
        .titled("COST")
        .also(["cost", "total_cost"]),
        C::new("errors", Kind::Count, |one| Datum::count(one.errors)),
        C::new("state", Kind::State, |one| Datum::State(one.state.as_str()))
            .also(["status", "last_state"]),
        C::new("worst_feedback", Kind::Text, |one| {
            let worst = one.worst.as_ref();
            Datum::cow(worst.map(|worst| worst.name.as_str().into()))
        })
        .titled("WORST FEEDBACK")
        .also(["worst"])
        .shown_as(|one, layout| match &one.worst {
            Some(worst) => Cell::new(
                layout.style.text(),
                format!("{}={}", worst.name, assessment_value(worst)),
            ),
            None => Cell::new(layout.style.muted(), units::NONE),
        }),
        C::new("worst_value", Kind::Score, |one| {
            Datum::some(Datum::Score, one.worst_score())
        }),
        C::new("last_trace_id", Kind::Id, |one| Datum::text(&one.trace_id))
            .in_room(Room::Id)
            .titled("LAST TRACE")
            .also(["trace_id"]),
    ])
}
