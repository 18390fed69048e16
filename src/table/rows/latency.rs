//! Where time went: a row for each group of spans or of traces, of one trace or of many.

use crate::analysis::{By, LatencyReport, ManyReport, Question, Row, RowKey, Summary};
use crate::render::Layout;
use crate::render::cell::Cell;
use crate::render::summary::at_least;
use crate::table::{Column, Columns, Datum, Kind, Room, Rows};
use crate::units;

/// Put before percentiles of too few samples.
pub(crate) const ROUGH: &str = "~";

/// Groups of spans or of traces.
#[derive(Debug)]
pub enum Groups {}

/// A group.
#[derive(Debug)]
pub struct GroupRow<'a> {
    /// Its figures.
    pub row: &'a Row,
    /// The total that its times are parts of.
    pub total_ns: i64,
    /// The id of its span, where it stands for one.
    pub span_id: Option<&'a str>,
}

impl Rows for Groups {
    type Row<'a> = GroupRow<'a>;
}

/// The groups of one trace.
pub fn of_one<'a>(report: &'a LatencyReport<'a>, rows: &'a [Row], by: By) -> Vec<GroupRow<'a>> {
    let id = |row| report.longest(row).filter(|_| by == By::Span);
    rows.iter()
        .map(|row| GroupRow {
            row,
            total_ns: report.total_ns(),
            span_id: id(row).map(|span| span.span_id.as_str()),
        })
        .collect()
}

/// The groups of many traces.
pub fn of_many(report: &ManyReport) -> Vec<GroupRow<'_>> {
    let rows = report.rows.iter();
    rows.map(|row| GroupRow {
        row,
        total_ns: report.total_ns,
        span_id: None,
    })
    .collect()
}

/// What machines are told of the groups of one trace, behind their names.
pub const OF_ONE: [&str; 10] = [
    "type",
    "count",
    "errors",
    "in_progress",
    "total_ns",
    "total_ratio",
    "self_ns",
    "self_ratio",
    "critical_ns",
    "critical_ratio",
];
/// The same of many traces.
pub const OF_MANY: [&str; 17] = [
    "type",
    "count",
    "errors",
    "in_progress",
    "n",
    "avg_ns",
    "min_ns",
    "p50_ns",
    "p95_ns",
    "p99_ns",
    "max_ns",
    "total_ns",
    "total_ratio",
    "self_ns",
    "self_ratio",
    "critical_ns",
    "critical_ratio",
];

/// Of one trace with what machines are told.
pub fn told_of_one(by: By) -> Vec<Column<Groups>> {
    let all = groups_of_one(by);
    let names = all
        .plain()
        .iter()
        .take_while(|column| column.name() != "type");
    names
        .cloned()
        .chain(Columns::new(figures()).some(&OF_ONE))
        .collect()
}

/// Of many traces with what machines are told.
pub fn told_of_many(question: &Question) -> Vec<Column<Groups>> {
    let mut columns = keys_of_many(question);
    columns.extend(Columns::new(figures()).some(&OF_MANY));
    columns
}

/// All names of columns that there are for some key.
pub fn names() -> Vec<String> {
    let all = groups_of_one(By::Span);
    all.names().map(std::borrow::Cow::into_owned).collect()
}

/// The columns of groups of one trace.
pub fn groups_of_one(by: By) -> Columns<Groups> {
    let name = key("name".to_owned(), by.as_str(), |row| Some(&row.key));
    let id = (by == By::Span).then(|| {
        Column::new("span_id", Kind::Id, |row: &GroupRow<'_>| {
            Datum::maybe(row.span_id)
        })
    });
    let name = match by {
        // The type and so on are columns of their own.
        By::Path | By::Model | By::Status => name.also([by.as_str()]),
        By::Name | By::Type | By::Span => name,
    };
    let names = id.into_iter().chain([name]);
    Columns::new(names.chain(figures()).collect())
}

/// The columns of groups of many traces.
pub fn groups_of_many(question: &Question) -> Columns<Groups> {
    let mut columns = keys_of_many(question);
    columns.extend(figures());
    Columns::new(columns)
}

/// Those that say what the spans or traces of a group have in common.
pub fn keys_of_many(question: &Question) -> Vec<Column<Groups>> {
    let first = question.key.to_string();
    let first = key(first.clone(), &first, |row| Some(&row.key));
    let second = question.second.as_ref().map(ToString::to_string);
    let second = second.map(|name| key(name.clone(), &name, |row| row.second.as_ref()));
    std::iter::once(first).chain(second).collect()
}

fn key(name: String, title: &str, of: fn(&Row) -> Option<&RowKey>) -> Column<Groups> {
    Column::new(name, Kind::Text, move |row: &GroupRow<'_>| {
        Datum::maybe(of(row.row).map(RowKey::as_str))
    })
    .titled(title.to_uppercase())
    .in_room(Room::Text { at_least: 14 })
    .shown_as(move |row: &GroupRow<'_>, layout| {
        let key = of(row.row).unwrap_or(&RowKey::Missing(units::NONE));
        name_cell(key, row.row.errors, layout)
    })
}

/// What a row is called; one in which something failed stands out.
pub(crate) fn name_cell(key: &RowKey, errors: usize, layout: &Layout) -> Cell {
    let look = match errors {
        0 => layout.style.text(),
        _ => layout.style.error(),
    };
    Cell::new(look, crate::text::named(key.as_str()))
}

/// What is said of every group.
pub(crate) fn figures() -> Vec<Column<Groups>> {
    type C = Column<Groups>;
    let counts = [
        C::new("type", Kind::Text, |row| Datum::maybe(row.row.span_type()))
            .in_room(Room::Rigid)
            .shown_as(type_cell),
        C::new("types", Kind::Text, |row| Datum::List(&row.row.types)),
        C::new("count", Kind::Count, |row| Datum::count(row.row.count)),
        C::new("errors", Kind::Count, |row| Datum::count(row.row.errors))
            .shown_as(|row, layout| errors_cell(row.row.errors, layout)),
        C::new("in_progress", Kind::Count, |row| {
            Datum::count(row.row.in_progress)
        }),
        C::new("n", Kind::Count, |row| {
            Datum::count(row.row.stats.map_or(0, |stats| stats.n))
        })
        .shown_as(|row, layout| match row.row.stats {
            Some(stats) => Cell::new(layout.style.text(), units::whole(stats.n)),
            None => Cell::new(layout.style.muted(), units::NONE),
        }),
    ];
    let times = [
        time("total_ns", |row| row.total_ns).shown_as(|row, layout| {
            let total = at_least(row.row.total_ns, row.row.in_progress > 0);
            Cell::new(layout.style.text(), total)
        }),
        part("total_ratio", "TOTAL %", |row| row.total_ns),
        time("self_ns", |row| row.self_ns),
        part("self_ratio", "SELF %", |row| row.self_ns),
        time("critical_ns", |row| row.critical_ns),
        part("critical_ratio", "CRIT %", |row| row.critical_ns),
    ];
    let statistics = statistics(|row: &GroupRow<'_>| row.row.stats);
    counts.into_iter().chain(statistics).chain(times).collect()
}

fn type_cell(row: &GroupRow<'_>, layout: &Layout) -> Cell {
    let style = layout.style;
    match row.row.span_type() {
        Some(kind) if row.row.types.len() > 1 => Cell::new(style.text(), format!("{kind}, …")),
        Some(kind) => Cell::new(style.span_type(kind), kind),
        None => Cell::new(style.muted(), units::NONE),
    }
}

fn errors_cell(errors: usize, layout: &Layout) -> Cell {
    if errors == 0 {
        return Cell::new(layout.style.muted(), units::NONE);
    }
    let mark = layout.glyphs.pick("✗ ", "x ");
    Cell::new(
        layout.style.error(),
        format!("{mark}{}", units::whole(errors)),
    )
}

/// A duration, called what it is without its unit.
fn time(name: &'static str, of: fn(&Row) -> i64) -> Column<Groups> {
    let plain = name.trim_end_matches("_ns");
    Column::new(name, Kind::Duration, move |row: &GroupRow<'_>| {
        Datum::Duration(of(row.row))
    })
    .titled(plain.to_uppercase())
    .also([plain])
}

fn part(name: &'static str, title: &'static str, of: fn(&Row) -> i64) -> Column<Groups> {
    Column::new(name, Kind::Share, move |row: &GroupRow<'_>| {
        Datum::Part(of(row.row), row.total_ns)
    })
    .titled(title)
}

/// The statistics of a row, where it has some.
type Statistics<R> = for<'a> fn(&'a <R as Rows>::Row<'a>) -> Option<Summary>;

/// A column for each of the statistics.
pub(super) fn statistics<R: Rows + 'static>(of: Statistics<R>) -> [Column<R>; 6] {
    [
        statistic("avg_ns", of, |stats| (stats.avg_ns, false)),
        statistic("min_ns", of, |stats| (stats.min_ns, false)),
        statistic("p50_ns", of, |stats| (stats.p50_ns, false)),
        statistic("p95_ns", of, |stats| (stats.p95_ns, stats.p95_is_rough())),
        statistic("p99_ns", of, |stats| (stats.p99_ns, stats.p99_is_rough())),
        statistic("max_ns", of, |stats| (stats.max_ns, false)),
    ]
}

/// One of them, and whether it is of too few samples.
fn statistic<R: Rows + 'static>(
    name: &'static str,
    of: Statistics<R>,
    one: fn(&Summary) -> (i64, bool),
) -> Column<R> {
    let plain = name.trim_end_matches("_ns");
    Column::new(name, Kind::Duration, move |row| {
        Datum::some(Datum::Duration, of(row).map(|stats| one(&stats).0))
    })
    .titled(plain.to_uppercase())
    .also([plain])
    .shown_as(move |row, layout| match of(row).map(|stats| one(&stats)) {
        Some((ns, rough)) => Cell::new(layout.style.text(), percentile(ns, rough)),
        None => Cell::new(layout.style.muted(), units::NONE),
    })
}

/// A percentile, marked where it is from too few samples.
pub(crate) fn percentile(ns: i64, rough: bool) -> String {
    let mark = if rough { ROUGH } else { "" };
    format!("{mark}{}", units::duration(ns))
}
