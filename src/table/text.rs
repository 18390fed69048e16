//! Tables for people: values rounded, with their units, and coloured by meaning.

use super::{Datum, Kind};
use crate::filter::Number;
use crate::filter::aggregate::Unit;
use crate::model::TraceState;
use crate::render::cell::Cell;
use crate::render::quantity::quantity;
use crate::render::{Layout, number};

/// A value as people read it, not yet cut to a width; `-` for none.
pub(crate) fn cell(datum: &Datum<'_>, kind: Kind, layout: &Layout) -> Cell {
    let style = layout.style;
    let plain = |text: String| Cell::new(style.text(), text);
    match datum {
        Datum::State(word) => Cell::new(style.state(&TraceState::parse(word)), word),
        Datum::Integer(n) => plain(number::count(*n)),
        Datum::Float(n) | Datum::Score(n) => plain(number::score(*n)),
        Datum::Time(time) => plain(number::time(*time, layout.zone)),
        Datum::Duration(ns) => plain(number::duration(*ns)),
        Datum::Money(dollars) => plain(number::cost(*dollars)),
        Datum::Share(share) => plain(quantity(Number::Float(*share), Unit::Share)),
        Datum::Part(part, whole) if *whole > 0 => plain(number::percent(*part, *whole)),
        Datum::Missing | Datum::Part(..) => Cell::new(style.muted(), number::NONE),
        Datum::Text(_)
        | Datum::Flag(_)
        | Datum::Map(_)
        | Datum::Pairs(_)
        | Datum::List(_)
        | Datum::Json(_) => match &*datum.raw() {
            "" => Cell::new(style.muted(), number::NONE),
            text if kind == Kind::Id => Cell::new(style.id(), text),
            text => Cell::new(style.text(), text),
        },
    }
}
