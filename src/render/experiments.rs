//! Experiments with what is in them, a line for each.

use std::io;

use super::figures::{Figure, Figures};
use super::table::Align;
use super::{Layout, LeftOut};
use crate::model::ExperimentOverview;
use crate::table::Kind;
use crate::table::rows::experiments::{SHOWN, experiments};
use crate::text::Sheet;

/// Narrower than this, names tell nothing.
const LEAST_NAME: usize = 12;

/// Writes the experiments; gives the columns left out.
pub fn write(
    out: &mut Sheet<'_>,
    all: &[ExperimentOverview],
    with_deleted: bool,
    layout: &Layout,
) -> io::Result<LeftOut> {
    if all.is_empty() {
        return Ok(LeftOut::new());
    }
    let known = experiments();
    let figures = |names: &[&str]| {
        let columns = known.some(names).into_iter();
        columns.map(|column| {
            let gives_way = u8::from(column.name() == "first_time");
            let figure = Figure::of(&column, gives_way, all, layout);
            let is_right = column.kind().is_number() || column.kind() == Kind::Id;
            Figure {
                align: if is_right { Align::Right } else { Align::Left },
                least: LEAST_NAME,
                ..figure
            }
        })
    };
    let stage: &[&str] = if with_deleted {
        &["lifecycle_stage"]
    } else {
        &[]
    };
    let table = Figures {
        names: figures(&["name"]).collect(),
        numbers: figures(&SHOWN).chain(figures(stage)).collect(),
        bars: None,
    };
    Ok(table.write(out, layout)?.left_out)
}
