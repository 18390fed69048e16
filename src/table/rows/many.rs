//! Durations of many traces besides their groups: how they are spread, how they moved
//! over time, and the slowest traces.

use super::latency::statistics;
use super::stats::{moment, start_cell};
use crate::analysis::{Bin, Interval, SlowTrace};
use crate::model::Timestamp;
use crate::render::cell::Cell;
use crate::table::{Column, Columns, Datum, Kind, Rows};
use crate::units;

/// The ranges of histograms.
#[derive(Debug)]
pub enum Bins {}

/// A range, and how many durations there are in all.
#[derive(Debug)]
pub struct BinRow<'a> {
    bin: &'a Bin,
    all: i64,
}

impl Rows for Bins {
    type Row<'a> = BinRow<'a>;
}

/// The ranges of a histogram.
pub fn of_bins(bins: &[Bin]) -> Vec<BinRow<'_>> {
    let all = bins.iter().map(|bin| bin.count).sum::<usize>();
    let all = i64::try_from(all).unwrap_or(i64::MAX);
    bins.iter().map(|bin| BinRow { bin, all }).collect()
}

/// What machines are told of ranges.
pub const OF_BINS: [&str; 3] = ["from_ns", "to_ns", "count"];

/// The columns of ranges.
pub fn bins() -> Columns<Bins> {
    type C = Column<Bins>;
    let part = |row: &BinRow<'_>| i64::try_from(row.bin.count).unwrap_or(i64::MAX);
    Columns::new(vec![
        C::new("from_ns", Kind::Duration, |row| {
            Datum::Duration(row.bin.from_ns)
        })
        .titled("FROM"),
        C::new("to_ns", Kind::Duration, |row| {
            Datum::Duration(row.bin.to_ns)
        })
        .titled("BELOW"),
        C::new("count", Kind::Count, |row| Datum::count(row.bin.count)),
        C::new("ratio", Kind::Share, move |row| match part(row) {
            0 => Datum::Missing,
            part => Datum::Part(part, row.all),
        })
        .titled("%"),
    ])
}

impl Rows for Interval {
    type Row<'a> = Self;
}

/// The columns of intervals; all of them are told to machines, in this order.
pub fn intervals() -> Columns<Interval> {
    type C = Column<Interval>;
    let start = C::new("start", Kind::Text, |row| {
        Datum::Text(moment(row.start).into())
    })
    .titled("FROM")
    .shown_as(|row, layout| start_cell(row.start, layout));
    let n = C::new("n", Kind::Count, |row| {
        Datum::count(row.stats.map_or(0, |stats| stats.n))
    });
    let statistics = statistics(|row: &Interval| row.stats);
    Columns::new([start, n].into_iter().chain(statistics).collect())
}

impl Rows for SlowTrace {
    type Row<'a> = Self;
}

/// The columns of the slowest traces; all of them are told to machines, in this order.
pub fn slowest() -> Columns<SlowTrace> {
    type C = Column<SlowTrace>;
    Columns::new(vec![
        C::new("trace_id", Kind::Id, |slow| Datum::text(&slow.trace_id)),
        C::new("start", Kind::Time, |slow| {
            Datum::Time(Timestamp::from_nanos(slow.start_ns))
        })
        .titled("STARTED"),
        C::new("total_ns", Kind::Duration, |slow| {
            Datum::Duration(slow.total_ns)
        })
        .titled("TOTAL"),
        C::new("spans", Kind::Count, |slow| Datum::count(slow.spans)),
        C::new("errors", Kind::Count, |slow| Datum::count(slow.errors)).shown_as(|slow, layout| {
            match slow.errors {
                0 => Cell::new(layout.style.muted(), units::NONE),
                errors => Cell::new(layout.style.error(), units::whole(errors)),
            }
        }),
        C::new("mostly", Kind::Text, |slow| {
            Datum::maybe(slow.mostly.as_ref().map(|(name, _)| name.as_str()))
        })
        .titled("MOSTLY WAITED FOR")
        .shown_as(|slow, layout| {
            let style = layout.style;
            let Some((name, ns)) = &slow.mostly else {
                return Cell::new(style.muted(), units::NONE);
            };
            let (time, share) = (units::duration(*ns), units::percent(*ns, slow.total_ns));
            Cell::new(style.text(), name).and(style.muted(), format!(" {time} ({share} %)"))
        }),
        C::new("mostly_critical_ns", Kind::Duration, |slow| {
            let mostly = slow.mostly.as_ref();
            Datum::some(Datum::Duration, mostly.map(|(_, ns)| *ns))
        }),
    ])
}
