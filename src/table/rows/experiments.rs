//! Experiments and what is in them.

use crate::model::ExperimentOverview;
use crate::render::cell::Cell;
use crate::table::{Column, Columns, Datum, Kind, Rows};

impl Rows for ExperimentOverview {
    type Row<'a> = Self;
}

/// What people are shown besides the name, in this order.
pub const SHOWN: [&str; 4] = ["experiment_id", "traces", "first_time", "last_time"];

/// The columns of experiments; all of them are told to machines, in this order.
pub fn experiments() -> Columns<ExperimentOverview> {
    type C = Column<ExperimentOverview>;
    Columns::new(vec![
        C::new("experiment_id", Kind::Id, |one| {
            Datum::text(&one.experiment.id)
        })
        .titled("ID"),
        C::new("name", Kind::Text, |one| Datum::text(&one.experiment.name))
            .shown_as(|one, layout| Cell::new(layout.style.name(), &one.experiment.name)),
        C::new("lifecycle_stage", Kind::Text, |one| Datum::text(stage(one)))
            .titled("STATE")
            .shown_as(|one, layout| Cell::new(layout.style.muted(), stage(one))),
        C::new("traces", Kind::Count, |one| Datum::count(one.traces)),
        C::new("first_time", Kind::Time, |one| {
            Datum::some(Datum::Time, one.first)
        })
        .titled("FIRST"),
        C::new("last_time", Kind::Time, |one| {
            Datum::some(Datum::Time, one.last)
        })
        .titled("LAST"),
    ])
}

const fn stage(one: &ExperimentOverview) -> &'static str {
    if one.experiment.active {
        "active"
    } else {
        "deleted"
    }
}
