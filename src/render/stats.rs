//! Aggregates over many traces: a line for each where nothing is told apart, else
//! a row for each group or interval, and a mark for each interval of a group.

use std::collections::HashSet;
use std::io;

use super::cell::Cell;
use super::figures::{Bars, Figure, Figures, Shown};
use super::latency::write_note;
use super::plot::sparkline;
use super::quantity::quantity;
use super::waterfall::share_bar;
use super::{Layout, LeftOut, list};
use crate::analysis::{
    AssessmentRow, Buckets, Start, Statistic, StatsQuestion, StatsReport, StatsRow,
};
use crate::field::Field;
use crate::filter::aggregate::{Aggregate, Function, Measure, Unit};
use crate::model::Timestamp;
use crate::table::Column;
use crate::table::rows::latency::ROUGH;
use crate::table::rows::stats::{self as sums, SumRow, Sums};
use crate::text::Sheet;
use crate::units;

const ROUGH_NOTE: &str =
    "~: a p95 from fewer than 20 samples, a p99 from fewer than 100 and the like.";
/// Marks of a sparkline, on a terminal and in text to a pipe.
const MARKS: usize = 24;
const PIPED_MARKS: usize = 60;

/// What columns are called: shortly where that says it all.
pub fn titles(aggregates: &[Aggregate]) -> Vec<String> {
    let short: Vec<Option<String>> = aggregates.iter().map(short_title).collect();
    let distinct: HashSet<&Option<String>> = short.iter().collect();
    let clear = distinct.len() == short.len() && !distinct.contains(&None);
    aggregates
        .iter()
        .zip(short)
        .map(|(aggregate, short)| match short.filter(|_| clear) {
            Some(short) => short,
            None => aggregate.to_string(),
        })
        .collect()
}

fn short_title(aggregate: &Aggregate) -> Option<String> {
    if !aggregate.filter.is_empty() {
        return None;
    }
    Some(match (aggregate.function, &aggregate.measure) {
        (Function::Count, _) => "COUNT".to_owned(),
        (Function::ErrorRate, _) => "ERRORS".to_owned(),
        (Function::Sum, Measure::Of(Field::Tokens | Field::SpanTokens)) => "TOKENS".to_owned(),
        (Function::Sum, Measure::Of(Field::Cost | Field::SpanCost)) => "COST".to_owned(),
        (Function::Sum, _) => return None,
        (function, Measure::Of(Field::ExecutionTime | Field::SpanDuration)) => {
            function.to_string().to_uppercase()
        }
        _ => return None,
    })
}

/// Writes groups, or their intervals, with the columns that were chosen.
pub fn write_chosen(
    out: &mut Sheet<'_>,
    report: &StatsReport,
    question: &StatsQuestion,
    columns: Vec<Column<Sums>>,
    layout: &Layout,
) -> io::Result<()> {
    let rows = sums::of(report, question);
    let shown = Shown::all(&columns);
    if rows.is_empty() {
        return Ok(());
    }
    list::write(out, columns, &rows, layout)?;
    out.blank()?;
    write_errors_note(out, question, &shown, layout)?;
    write_days_note(out, question.every, layout)?;
    write_rough_note(out, &rows, question, &shown, layout)
}

/// Writes what was found; gives the columns left out.
pub fn write(
    out: &mut Sheet<'_>,
    report: &StatsReport,
    question: &StatsQuestion,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let over_time = question.every.is_some();
    let mut left_out = LeftOut::new();
    match report.rows.as_slice() {
        [all] if question.keys.is_empty() && over_time => {
            left_out = write_intervals(out, report, all, question, layout)?;
        }
        [all] if question.keys.is_empty() => write_list(out, all, question, layout)?,
        [] => {}
        rows => left_out = write_groups(out, report, rows, question, layout)?,
    }
    if !report.assessments.is_empty() {
        out.blank()?;
        write_assessments(out, &report.assessments, layout)?;
    }
    Ok(left_out)
}

fn write_list(
    out: &mut Sheet<'_>,
    row: &StatsRow,
    question: &StatsQuestion,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let words = question.aggregates.iter();
    let words = words.map(|aggregate| Cell::new(style.text(), aggregate.to_string()));
    let both = question.aggregates.iter().zip(&row.values);
    let values = both.map(|(aggregate, value)| value_cell(aggregate, value, layout));
    let ns = row
        .values
        .iter()
        .map(|value| plain(units::whole(value.n), layout));
    Figures {
        names: vec![Figure::words("AGGREGATE", 0, words.collect())],
        numbers: vec![
            Figure::numbers("VALUE", 0, values.collect()),
            Figure::numbers("N", 0, ns.collect()),
        ],
        bars: None,
    }
    .write(out, layout)?;
    if row.values.iter().any(is_marked) {
        out.blank()?;
        write_note(out, ROUGH_NOTE, layout)?;
    }
    Ok(())
}

fn write_intervals(
    out: &mut Sheet<'_>,
    report: &StatsReport,
    all: &StatsRow,
    question: &StatsQuestion,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    let rows: Vec<SumRow<'_>> = sums::intervals(report, all).collect();
    if rows.is_empty() {
        return Ok(LeftOut::new());
    }
    let most = rows
        .iter()
        .filter_map(|row| height(row.values))
        .fold(0.0, f64::max);
    let drawn = std::cell::Cell::new(false);
    let bar = |at: usize, width: usize| {
        drawn.set(true);
        let (part, whole) = (height(rows[at].values).unwrap_or(0.0), most);
        let [part, whole] = [part, whole].map(|value| proportion(value, most));
        Cell::new(style.text(), share_bar(part, whole, width, layout.glyphs))
    };
    let first = question.aggregates.first().map(ToString::to_string);
    let numbers = columns(&rows, question, layout);
    let shown = Figures {
        names: vec![Figure {
            least: usize::MAX,
            ..Figure::of(&sums::start(), 0, &rows, layout)
        }],
        numbers,
        bars: Some(Bars {
            title: "",
            draw: &bar,
        }),
    }
    .write(out, layout)?;
    out.blank()?;
    write_sample_note(out, &shown, layout)?;
    write_errors_note(out, question, &shown, layout)?;
    write_days_note(out, question.every, layout)?;
    if let Some(first) = first.filter(|_| drawn.get()) {
        write_note(out, &format!("Bars: {first}."), layout)?;
    }
    write_rough_note(out, &rows, question, &shown, layout)?;
    Ok(left_out(shown))
}

fn write_groups(
    out: &mut Sheet<'_>,
    report: &StatsReport,
    rows: &[StatsRow],
    question: &StatsQuestion,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let sums = sums::groups(rows);
    let keys = sums::keys(question);
    let keys = keys.iter().map(|key| Figure::of(key, 0, &sums, layout));
    let mut numbers = columns(&sums, question, layout);
    let over_time = !report.starts.is_empty();
    if over_time {
        let marks = layout.width.map_or(PIPED_MARKS, |_| MARKS);
        let lines = rows.iter().map(|row| {
            let heights: Vec<Option<f64>> = row.intervals.iter().map(|v| height(v)).collect();
            plain(sparkline(&heights, marks, layout.glyphs), layout)
        });
        numbers.push(Figure::words("OVER TIME", 0, lines.collect()));
    }
    let shown = Figures {
        names: keys.collect(),
        numbers,
        bars: None,
    }
    .write(out, layout)?;
    out.blank()?;
    write_sample_note(out, &shown, layout)?;
    write_errors_note(out, question, &shown, layout)?;
    if let (true, [first, .., last] | [first @ last], Some(aggregate)) = (
        over_time,
        report.starts.as_slice(),
        question.aggregates.first(),
    ) {
        let [first, last] = [first, last].map(|start| start_text(*start, layout));
        let note = format!(
            "OVER TIME: {aggregate} next to the largest of its row, from {first} to the interval that begins {last}."
        );
        write_note(out, &note, layout)?;
        write_days_note(out, question.every, layout)?;
    }
    write_rough_note(out, &sums, question, &shown, layout)?;
    Ok(left_out(shown))
}

/// A column for each aggregate, and one with the number of samples before those
/// of which it is not said yet.
fn columns<'r>(rows: &'r [SumRow<'r>], question: &StatsQuestion, layout: &Layout) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut said: Option<Vec<usize>> = None;
    let values = question.aggregates.iter().zip(sums::values(question));
    for (at, (aggregate, (value, n))) in values.enumerate() {
        let gives_way = u8::try_from(at).unwrap_or(u8::MAX);
        let ns: Vec<usize> = rows
            .iter()
            .filter_map(|row| row.values.get(at))
            .map(|s| s.n)
            .collect();
        let says_itself = aggregate.function == Function::Count && aggregate.filter.is_empty();
        if !says_itself && said.as_ref() != Some(&ns) {
            figures.push(Figure::of(&n, gives_way, rows, layout));
        }
        said = Some(ns);
        figures.push(Figure::of(&value, gives_way, rows, layout));
    }
    figures
}

/// The aggregates for which there was no room; an N goes with its aggregate.
fn left_out(shown: Shown) -> LeftOut {
    let mut left_out = shown.left_out;
    left_out.retain(|title| title != "N");
    left_out
}

/// A value in the unit of its aggregate, marked where it is from too few samples.
pub(crate) fn value_cell(aggregate: &Aggregate, statistic: &Statistic, layout: &Layout) -> Cell {
    let style = layout.style;
    let Some(value) = statistic.value else {
        return Cell::new(style.muted(), units::NONE);
    };
    let mark = if statistic.rough { ROUGH } else { "" };
    let look = match aggregate.function {
        Function::ErrorRate if value.as_f64() > 0.0 => style.error(),
        _ => style.text(),
    };
    Cell::new(look, format!("{mark}{}", quantity(value, aggregate.unit())))
}

/// The first aggregate's value.
fn height(row: &[Statistic]) -> Option<f64> {
    Some(row.first()?.value?.as_f64())
}

/// In millionths of the largest.
fn proportion(value: f64, most: f64) -> i64 {
    if most <= 0.0 {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most a million, and a bar has fewer columns"
    )]
    ((value.max(0.0) / most * 1e6).round() as i64)
}

fn plain(text: String, layout: &Layout) -> Cell {
    Cell::new(layout.style.text(), text)
}

/// When an interval begins: a day has no time of day.
pub(crate) fn start_text(start: Start, layout: &Layout) -> String {
    start.day().map_or_else(
        || units::time(Timestamp::from_nanos(start.ns), layout.zone),
        |day| day.to_string(),
    )
}

/// Says where days begin, where intervals are days.
pub(super) fn write_days_note(
    out: &mut Sheet<'_>,
    every: Option<Buckets>,
    layout: &Layout,
) -> io::Result<()> {
    let Some((days, every)) = every.and_then(|every| Some((every.days()?, every))) else {
        return Ok(());
    };
    let whose = if every.is_utc() { "UTC" } else { "local time" };
    let note = match days % 7 {
        0 => format!("Weeks begin on Monday at midnight, {whose}."),
        _ => format!("Days begin at midnight, {whose}."),
    };
    write_note(out, &note, layout)
}

fn write_sample_note(out: &mut Sheet<'_>, shown: &Shown, layout: &Layout) -> io::Result<()> {
    if !shown.has("N") {
        return Ok(());
    }
    write_note(out, "N: samples of the columns to its right.", layout)
}

/// Whose errors are counted.
fn write_errors_note(
    out: &mut Sheet<'_>,
    question: &StatsQuestion,
    shown: &Shown,
    layout: &Layout,
) -> io::Result<()> {
    let rate = |aggregate: &&Aggregate| aggregate.function == Function::ErrorRate;
    let Some(rate) = question.aggregates.iter().find(rate) else {
        return Ok(());
    };
    if !shown.has("ERRORS") {
        return Ok(());
    }
    let note = if rate.measure.is_of_spans() {
        "ERRORS: the share of spans with the status ERROR."
    } else {
        "ERRORS: the share of traces in the state ERROR."
    };
    write_note(out, note, layout)
}

/// Whether there is a mark before the value.
fn is_marked(statistic: &Statistic) -> bool {
    statistic.rough && statistic.value.is_some()
}

fn write_rough_note(
    out: &mut Sheet<'_>,
    rows: &[SumRow<'_>],
    question: &StatsQuestion,
    shown: &Shown,
    layout: &Layout,
) -> io::Result<()> {
    let titles = titles(&question.aggregates);
    let in_sight = |row: &SumRow<'_>| {
        let mut both = titles.iter().zip(row.values);
        both.any(|(title, statistic)| shown.has(title) && is_marked(statistic))
    };
    if !rows.iter().any(in_sight) {
        return Ok(());
    }
    write_note(out, ROUGH_NOTE, layout)
}

fn write_assessments(
    out: &mut Sheet<'_>,
    rows: &[AssessmentRow],
    layout: &Layout,
) -> io::Result<()> {
    let column = |cell: &dyn Fn(&AssessmentRow) -> Cell| rows.iter().map(cell).collect();
    let kind = |row: &AssessmentRow| kind(row).to_owned();
    let avg = |row: &AssessmentRow| match row.avg.value {
        Some(value) => plain(quantity(value, Unit::Number), layout),
        None => Cell::new(layout.style.muted(), units::NONE),
    };
    Figures {
        names: vec![Figure::words(
            "ASSESSMENT",
            0,
            column(&|row| plain(row.name.clone(), layout)),
        )],
        numbers: vec![
            Figure::words("KIND", 1, column(&|row| plain(kind(row), layout))),
            Figure::numbers(
                "COUNT",
                0,
                column(&|row| plain(units::whole(row.count), layout)),
            ),
            Figure::numbers(
                "N",
                0,
                column(&|row| plain(units::whole(row.avg.n), layout)),
            ),
            Figure::numbers("AVG", 0, column(&avg)),
        ],
        bars: None,
    }
    .write(out, layout)?;
    out.blank()?;
    write_note(
        out,
        "AVG: of the N that are numbers; true and yes are 1, false and no are 0.",
        layout,
    )
}

/// `feedback` or `expectation`.
pub fn kind(row: &AssessmentRow) -> &'static str {
    if row.is_feedback {
        "feedback"
    } else {
        "expectation"
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::analysis::GroupKey;
    use crate::analysis::RowKey;
    use crate::field::Field;
    use crate::filter::{Moment, Number, Zone, aggregate::parse_aggregates};
    use crate::render::sample::{printed, terminal};

    fn of(value: Option<Number>, n: usize) -> Statistic {
        Statistic {
            value,
            n,
            rough: false,
        }
    }

    fn page(
        aggregates: &str,
        keys: Vec<GroupKey>,
        report: &StatsReport,
        layout: &Layout,
    ) -> String {
        let question = StatsQuestion {
            aggregates: parse_aggregates(aggregates, &Moment::utc()).unwrap(),
            keys,
            every: (!report.starts.is_empty()).then_some(hourly()),
            assessments: true,
        };
        printed(|out| write(out, report, &question, layout).map(drop))
    }

    fn hourly() -> Buckets {
        Buckets::new(3_600_000_000_000, Zone::Utc)
    }

    fn row(name: &str, ns: i64, n: usize) -> StatsRow {
        let values = vec![
            Statistic {
                rough: n < 20,
                ..of(Some(Number::Integer(ns)), n)
            },
            of(Some(Number::Float(0.0004)), n),
            of(Some(Number::Float(12.345)), 3),
            of(None, 0),
        ];
        StatsRow {
            keys: vec![RowKey::Text(name.to_owned())],
            intervals: vec![values.clone(), Vec::new(), values.clone()],
            values,
        }
    }

    const WANTED: &str = "p95(duration), error_rate(), avg(tokens), sum(cost)";

    #[test]
    fn names_are_harmless_and_numbers_in_their_units() {
        let report = StatsReport {
            rows: vec![
                row("a\u{1b}[31m\u{202e}b\nc", 1_640_000_000, 7),
                row("", 12, 1_234),
            ],
            starts: (0..3).map(|number| hourly().start(number)).collect(),
            ..StatsReport::default()
        };
        let by = || vec![GroupKey::Trace(Field::Name)];
        assert_snapshot!(page(WANTED, by(), &report, &Layout::piped()), @r"
        TRACE                      N  p95(duration)  error_rate()  N  avg(tokens)  N  sum(cost)  OVER TIME
        a\x1b[31m\u{202e}b\nc      7        ~1.64 s        <0.1 %  3         12.3  0          -  █·█
        (no name)              1,234          12 ns        <0.1 %  3         12.3  0          -  █·█

        N: samples of the columns to its right.
        OVER TIME: p95(duration) next to the largest of its row, from 1970-01-01 00:00:00Z to the interval that begins 1970-01-01 02:00:00Z.
        ~: a p95 from fewer than 20 samples, a p99 from fewer than 100 and the like.
        ");
        assert_snapshot!(page(WANTED, by(), &report, &terminal(44)), @r"
        TRACE               N  p95(duration)  OVER TIME
        a\x1b[31m\u{2…      7        ~1.64 s  █·█
        (no name)       1,234          12 ns  █·█

        N: samples of the columns to its right.
        OVER TIME: p95(duration) next to the largest
        of its row, from 1970-01-01 00:00:00Z to the
        interval that begins 1970-01-01 02:00:00Z.
        ~: a p95 from fewer than 20 samples, a p99
        from fewer than 100 and the like.
        ");
    }

    #[test]
    fn titles_are_short_where_that_says_it_all() {
        let titles_of = |text: &str| titles(&parse_aggregates(text, &Moment::utc()).unwrap());
        assert_eq!(
            titles_of("count(), p50(duration), max(duration), sum(tokens)"),
            ["COUNT", "P50", "MAX", "TOKENS"]
        );
        assert_eq!(
            titles_of("count(), count(span)"),
            ["count()", "count(span)"]
        );
        assert_eq!(
            titles_of("p95(duration), avg(tokens)"),
            ["p95(duration)", "avg(tokens)"]
        );
    }
}
