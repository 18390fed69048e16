//! What changed between two traces, or two sets of them: a row for each group of spans.

use super::latency::name_cell;
use crate::analysis::{By, DiffRow, LogChange, Matching, Side, Sides, Test};
use crate::render::cell::Cell;
use crate::render::diff::{change_cell, duration_change, share_text, typical_text, verdict_cell};
use crate::table::{Column, Columns, Datum, Kind, Room, Rows};

/// Changes.
#[derive(Debug)]
pub enum Changes {}

/// What changed in a group of spans.
#[derive(Debug)]
pub struct ChangeRow<'a>(pub &'a DiffRow);

impl Rows for Changes {
    type Row<'a> = ChangeRow<'a>;
}

/// The rows of a comparison.
pub fn of(rows: &[DiffRow]) -> Vec<ChangeRow<'_>> {
    rows.iter().map(ChangeRow).collect()
}

/// The columns of changes; all of them are told to machines, in this order.
pub fn changes(by: By) -> Columns<Changes> {
    let by = by.as_str();
    let name = C::new("name", Kind::Text, |row| Datum::text(row.0.key.as_str()))
        .titled(by.to_uppercase())
        .in_room(Room::Text { at_least: 14 })
        .shown_as(|row, layout| name_cell(&row.0.key, 0, layout));
    let name = if by == "name" { name } else { name.also([by]) };
    let columns = std::iter::once(name).chain(counts()).chain(times());
    Columns::new(columns.chain(findings()).chain(matching()).collect())
}

/// All names of columns.
pub fn names() -> Vec<String> {
    let all = std::iter::once("name".to_owned());
    let rest = counts().into_iter().chain(times()).chain(findings());
    let rest = rest
        .chain(matching())
        .map(|column| column.name().to_owned());
    all.chain(rest).collect()
}

type C = Column<Changes>;

type Counts = fn(&DiffRow) -> &Sides<usize>;

fn counts() -> Vec<C> {
    let of: [(_, _, Counts); 3] = [
        ("traces_before", "traces_after", |row| &row.traces),
        ("calls_before", "calls_after", |row| &row.calls),
        ("errors_before", "errors_after", |row| &row.errors),
    ];
    of.into_iter()
        .flat_map(|(before, after, of)| {
            [(before, Side::Before), (after, Side::After)].map(|(name, side)| {
                C::new(name, Kind::Count, move |row: &ChangeRow<'_>| {
                    Datum::count(*of(row.0).get(side))
                })
            })
        })
        .collect()
}

fn times() -> Vec<C> {
    let time = |name: &'static str, title: &'static str, of: fn(&DiffRow) -> i64| {
        C::new(name, Kind::Duration, move |row: &ChangeRow<'_>| {
            Datum::Duration(of(row.0))
        })
        .titled(title)
        .also([name.trim_end_matches("_ns")])
    };
    vec![
        time("self_before_ns", "SELF BEFORE", |row| row.self_ns.before),
        time("self_after_ns", "SELF AFTER", |row| row.self_ns.after),
        time("self_change_ns", "SELF CHANGE", |row| row.self_ns.change()).shown_as(
            |row, layout| Cell::new(layout.style.text(), duration_change(row.0.self_ns.change())),
        ),
        time("critical_before_ns", "BEFORE", |row| row.critical_ns.before).also(["before"]),
        time("critical_after_ns", "AFTER", |row| row.critical_ns.after).also(["after"]),
        time("critical_change_ns", "CHANGE", |row| {
            row.critical_ns.change()
        })
        .also(["change"])
        .shown_as(|row, layout| change_cell(row.0, layout)),
    ]
}

fn findings() -> Vec<C> {
    let ratio = |name, of: fn([f64; 3]) -> f64| {
        C::new(name, Kind::Share, move |row: &ChangeRow<'_>| {
            Datum::some(
                Datum::Share,
                typical(row.0).map(|change| of(change.ratios())),
            )
        })
    };
    vec![
        C::new("share", Kind::Share, |row| {
            Datum::some(Datum::Share, row.0.share)
        })
        .titled("SHARE %")
        .shown_as(|row, layout| Cell::new(layout.style.text(), share_text(row.0.share))),
        C::new("verdict", Kind::Text, |row| {
            Datum::maybe(row.0.finding.map(|finding| finding.verdict.as_str()))
        })
        .in_room(Room::Rigid)
        .shown_as(|row, layout| verdict_cell(row.0, layout)),
        C::new("beyond_noise", Kind::Flag, |row| {
            Datum::some(Datum::Flag, row.0.is_beyond_noise())
        }),
        C::new("test", Kind::Text, |row| {
            let test = row.0.finding.and_then(|finding| finding.test);
            Datum::maybe(test.map(Test::as_str))
        }),
        ratio("typical_change_ratio", |[change, ..]| change)
            .titled("TYPICAL %")
            .also(["typical"])
            .shown_as(|row, layout| typical_text(typical(row.0), layout)),
        ratio("typical_low_ratio", |[_, low, _]| low),
        ratio("typical_high_ratio", |[.., high]| high),
        C::new("p", Kind::Number, |row| {
            Datum::some(Datum::Float, row.0.finding.and_then(|finding| finding.p))
        }),
        C::new("p_adjusted", Kind::Number, |row| {
            let p = row.0.finding.and_then(|finding| finding.p_adjusted);
            Datum::some(Datum::Float, p)
        }),
    ]
}

fn matching() -> Vec<C> {
    let count = |name, of: fn(&Matching) -> usize| {
        C::new(name, Kind::Count, move |row: &ChangeRow<'_>| {
            Datum::some(Datum::count, row.0.matching.as_ref().map(of))
        })
    };
    vec![
        count("matched", |matching| matching.matched),
        count("new", |matching| matching.new),
        count("gone", |matching| matching.gone),
        C::new("matched_change_ns", Kind::Duration, |row| {
            let change = row.0.matching.map(|matching| matching.matched_change_ns);
            Datum::some(Datum::Duration, change)
        }),
    ]
}

fn typical(row: &DiffRow) -> Option<LogChange> {
    row.finding.and_then(|finding| finding.typical)
}
