//! Tables for people: values rounded, with their units, and coloured by meaning.

use super::{Datum, Kind};
use crate::filter::Number;
use crate::filter::aggregate::Unit;
use crate::model::TraceState;
use crate::render::Layout;
use crate::render::cell::Cell;
use crate::render::quantity::quantity;
use crate::units;

/// A value as people read it, not yet cut to a width; `-` for none.
pub(crate) fn cell(datum: &Datum<'_>, kind: Kind, layout: &Layout) -> Cell {
    let style = layout.style;
    let plain = |text: String| Cell::new(style.text(), text);
    match datum {
        Datum::State(word) => Cell::new(style.state(&TraceState::parse(word)), word),
        Datum::Integer(n) => plain(units::count(*n)),
        Datum::Float(n) | Datum::Score(n) => plain(units::score(*n)),
        Datum::Time(time) => plain(units::time(*time, layout.zone)),
        Datum::Duration(ns) => plain(units::duration(*ns)),
        Datum::Money(dollars) => plain(units::cost(*dollars)),
        Datum::Share(share) => plain(quantity(Number::Float(*share), Unit::Share)),
        Datum::Part(part, whole) if *whole > 0 => plain(units::percent(*part, *whole)),
        Datum::Missing | Datum::Part(..) => Cell::new(style.muted(), units::NONE),
        Datum::Text(_)
        | Datum::Flag(_)
        | Datum::Map(_)
        | Datum::Pairs(_)
        | Datum::List(_)
        | Datum::Json(_) => match &*datum.raw() {
            "" => Cell::new(style.muted(), units::NONE),
            text if kind == Kind::Id => Cell::new(style.id(), text),
            text => Cell::new(style.text(), text),
        },
    }
}
