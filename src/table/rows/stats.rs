//! Traces summed up: a row for each group, or for each interval of one.

use super::latency::name_cell;
use crate::analysis::{RowKey, Start, Statistic, StatsQuestion, StatsReport, StatsRow};
use crate::filter::Number;
use crate::filter::aggregate::{Aggregate, Unit};
use crate::model::Timestamp;
use crate::render::Layout;
use crate::render::cell::Cell;
use crate::render::stats::{start_text, titles, value_cell};
use crate::table::{Column, Columns, Datum, Kind, Room, Rows};
use crate::units;

/// Groups, or their intervals.
#[derive(Debug)]
pub enum Sums {}

/// A group, or an interval of one.
#[derive(Debug)]
pub struct SumRow<'a> {
    /// The group.
    pub row: &'a StatsRow,
    /// When the interval begins.
    pub start: Option<Start>,
    /// A value for each aggregate.
    pub values: &'a [Statistic],
}

impl Rows for Sums {
    type Row<'a> = SumRow<'a>;
}

/// The groups as they are.
pub fn groups(rows: &[StatsRow]) -> Vec<SumRow<'_>> {
    rows.iter()
        .map(|row| SumRow {
            row,
            start: None,
            values: &row.values,
        })
        .collect()
}

/// The intervals of a group.
pub fn intervals<'a>(
    report: &'a StatsReport,
    row: &'a StatsRow,
) -> impl Iterator<Item = SumRow<'a>> {
    let intervals = report.starts.iter().zip(&row.intervals);
    intervals.map(move |(start, values)| SumRow {
        row,
        start: Some(*start),
        values,
    })
}

/// The groups, or where it is asked over time, the intervals of all.
pub fn of<'a>(report: &'a StatsReport, question: &StatsQuestion) -> Vec<SumRow<'a>> {
    if question.every.is_none() {
        return groups(&report.rows);
    }
    let rows = report.rows.iter();
    rows.flat_map(|row| intervals(report, row)).collect()
}

type C = Column<Sums>;

/// The columns of sums; all of them are told to machines, in this order.
pub fn sums(question: &StatsQuestion) -> Columns<Sums> {
    let start = question.every.map(|_| start());
    let values = values(question).into_iter();
    let values = values.flat_map(|(value, n)| [value, n]);
    Columns::new(
        keys(question)
            .into_iter()
            .chain(start)
            .chain(values)
            .collect(),
    )
}

/// Names of columns of what is computed unless somebody says otherwise.
pub fn names() -> Vec<String> {
    let names = [
        "count", "errors", "p50", "p95", "p99", "tokens", "cost", "start",
    ];
    names.map(str::to_owned).to_vec()
}

/// What the traces or spans of a group have in common.
pub fn keys(question: &StatsQuestion) -> Vec<C> {
    let keys = question.keys.iter().enumerate();
    keys.map(|(at, key)| {
        let name = key.to_string();
        let title = name.to_uppercase();
        C::new(name, Kind::Text, move |row: &SumRow<'_>| {
            Datum::maybe(row.row.keys.get(at).map(RowKey::as_str))
        })
        .titled(title)
        .in_room(Room::Text { at_least: 14 })
        .shown_as(move |row: &SumRow<'_>, layout| {
            let nothing = &RowKey::Missing(units::NONE);
            name_cell(row.row.keys.get(at).unwrap_or(nothing), 0, layout)
        })
    })
    .collect()
}

/// When an interval begins.
pub fn start() -> C {
    C::new("start", Kind::Text, |row| match row.start {
        Some(start) => Datum::Text(moment(start).into()),
        None => Datum::Missing,
    })
    .titled("FROM")
    .in_room(Room::Rigid)
    .also(["from", "time"])
    .shown_as(|row, layout| match row.start {
        Some(start) => start_cell(start, layout),
        None => Cell::default(),
    })
}

pub(super) fn start_cell(start: Start, layout: &Layout) -> Cell {
    Cell::new(layout.style.text(), start_text(start, layout))
}

/// When an interval begins: a day has no time of day.
pub(crate) fn moment(start: Start) -> String {
    start.day().map_or_else(
        || Timestamp::from_nanos(start.ns).to_string(),
        |day| day.to_string(),
    )
}

/// The value of each aggregate, with its unit where it is a time, and the number of samples.
pub fn values(question: &StatsQuestion) -> Vec<(C, C)> {
    let titles = titles(&question.aggregates);
    let named = question.aggregates.iter().zip(titles).enumerate();
    named
        .map(|(at, (aggregate, title))| {
            let name = aggregate.to_string();
            let n = C::new(format!("{name} n"), Kind::Count, move |row: &SumRow<'_>| {
                Datum::some(Datum::count, row.values.get(at).map(|value| value.n))
            });
            (value(at, aggregate, title), n.titled("N"))
        })
        .collect()
}

fn value(at: usize, aggregate: &Aggregate, title: String) -> C {
    let (unit, name) = (aggregate.unit(), aggregate.to_string());
    let kind = match unit {
        Unit::Time => Kind::Duration,
        Unit::Amount | Unit::Number => Kind::Number,
        Unit::Dollars => Kind::Money,
        Unit::Share => Kind::Share,
    };
    let full = match unit {
        Unit::Time => format!("{name} ns"),
        _ => name.clone(),
    };
    let shown = aggregate.clone();
    C::new(full, kind, move |row: &SumRow<'_>| {
        let value = row.values.get(at).and_then(|statistic| statistic.value);
        Datum::some(|value| datum(value, unit), value)
    })
    .also([name, title.to_lowercase()])
    .titled(title)
    .shown_as(move |row: &SumRow<'_>, layout| match row.values.get(at) {
        Some(statistic) => value_cell(&shown, statistic, layout),
        None => Cell::default(),
    })
}

fn datum(value: Number, unit: Unit) -> Datum<'static> {
    match (unit, value) {
        (Unit::Time, Number::Integer(ns)) => Datum::Duration(ns),
        (_, Number::Integer(whole)) => Datum::Integer(whole),
        (Unit::Dollars, Number::Float(dollars)) => Datum::Money(dollars),
        (Unit::Share, Number::Float(share)) => Datum::Share(share),
        (_, Number::Float(fraction)) => Datum::Float(fraction),
    }
}
