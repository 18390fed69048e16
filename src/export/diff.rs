//! A comparison as JSON. Times are nanoseconds; of sets, figures are means per
//! trace, while calls and errors are counts over all traces of a side.

use std::io::{self, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::delimited::Delimited;
use super::json::{self, JsonForm};
use super::unreadable::{self, UnreadableJson};
use crate::analysis::{
    Diff, DiffRow, FeedbackTotal, LogChange, Measure, Side, Sides, Test, Total, UNITS_PER_DOLLAR,
    UNITS_PER_WHOLE, Verdict,
};
use crate::model::Unreadable;
use crate::table::json::RowsJson;
use crate::table::rows::diff::{self as changes, ChangeRow, Changes};
use crate::table::{Column, delimited};

/// Writes a comparison with `rows`, which are all or the first of its rows, and the columns
/// of these that were chosen; beside them, whether something is missing, and the traces that cannot be read.
pub fn write_json(
    out: &mut dyn Write,
    diff: &Diff,
    rows: &[DiffRow],
    sources: &Sides<Option<String>>,
    (truncated, unreadable): (bool, &[Unreadable]),
    columns: Option<&[Column<Changes>]>,
    form: JsonForm,
) -> io::Result<()> {
    let side = |side| {
        let (intake, only) = (diff.intake.get(side), diff.only.get(side).as_ref());
        SideJson {
            source: sources.get(side).as_deref(),
            trace_id: only.map(|trace| trace.trace_id.as_str()),
            name: only.and_then(|trace| trace.name.as_deref()),
            traces: intake.traces,
            in_progress: intake.in_progress,
            without_spans: intake.without_spans,
            total_ns: *diff.total_ns.get(side),
        }
    };
    let sets = !diff.pair;
    let changes = changes::of(rows);
    let document = DiffJson {
        by: diff.by.as_str(),
        compared: if diff.pair { "traces" } else { "sets" },
        before: side(Side::Before),
        after: side(Side::After),
        change_ns: diff.change_ns(),
        is_empty: diff.is_empty(),
        totals: TotalsJson(&diff.totals, &diff.feedback),
        spans: diff.matching.map(|m| MatchingJson {
            matched: m.matched,
            new: m.new,
            gone: m.gone,
            matched_change_ns: m.matched_change_ns,
        }),
        rows: match columns {
            Some(columns) => RowsOf::Chosen(RowsJson {
                columns,
                rows: &changes,
            }),
            None => RowsOf::All(changes::changes(diff.by).plain().to_vec(), &changes),
        },
        rows_tested: sets.then_some(diff.found.tested),
        rows_beyond_noise: sets.then_some(diff.found.beyond_noise),
        rows_by_chance: sets.then(|| diff.found.by_chance()),
        unchanged_rows: diff.unchanged,
        truncated,
        unreadable: unreadable::list(unreadable, form),
    };
    json::write(out, &document, form)
}

/// Writes the rows of a comparison.
pub fn write_delimited(
    out: &mut dyn Write,
    diff: &Diff,
    rows: &[DiffRow],
    format: Delimited,
) -> io::Result<()> {
    let columns = changes::changes(diff.by).plain().to_vec();
    delimited::write(out, format, columns, &changes::of(rows))
}

#[derive(Serialize)]
struct DiffJson<'a> {
    by: &'static str,
    compared: &'static str,
    before: SideJson<'a>,
    after: SideJson<'a>,
    change_ns: i64,
    is_empty: bool,
    totals: TotalsJson<'a>,
    spans: Option<MatchingJson>,
    rows: RowsOf<'a>,
    rows_tested: Option<usize>,
    rows_beyond_noise: Option<usize>,
    rows_by_chance: Option<f64>,
    unchanged_rows: usize,
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<Vec<UnreadableJson<'a>>>,
}

#[derive(Serialize)]
struct SideJson<'a> {
    source: Option<&'a str>,
    trace_id: Option<&'a str>,
    name: Option<&'a str>,
    traces: usize,
    in_progress: usize,
    without_spans: usize,
    total_ns: i64,
}

/// How the spans of two single traces belong together.
#[derive(Serialize)]
struct MatchingJson {
    matched: usize,
    new: usize,
    gone: usize,
    matched_change_ns: i64,
}

/// By the measure's name with its unit, and feedback by its key.
struct TotalsJson<'a>(&'a [Total], &'a [FeedbackTotal]);

impl Serialize for TotalsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len() + self.1.len()))?;
        for total in self.0 {
            let key = match total.measure {
                Measure::Typical => "duration_typical_ns",
                Measure::Duration => "duration_ns",
                Measure::P50 => "duration_p50_ns",
                Measure::P95 => "duration_p95_ns",
                Measure::Spans => "spans",
                Measure::FailedSpans => "failed_spans",
                Measure::ErrorRate => "error_rate",
                Measure::Tokens => "tokens",
                Measure::InputTokens => "input_tokens",
                Measure::OutputTokens => "output_tokens",
                Measure::Cost => "cost_usd",
            };
            map.serialize_entry(key, &TotalJson::from(total))?;
        }
        for total in self.1 {
            let key = format!("feedback.{}", total.name);
            map.serialize_entry(&key, &TotalJson::from(total))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct TotalJson {
    before: Option<Value>,
    after: Option<Value>,
    change: Option<Value>,
    n_before: usize,
    n_after: usize,
    interval: Option<[Value; 2]>,
    typical_change_ratio: Option<f64>,
    typical_interval_ratio: Option<[f64; 2]>,
    test: Option<&'static str>,
    p: Option<f64>,
    verdict: Option<&'static str>,
}

/// Time and counts are whole numbers, money and rates are not.
#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Whole(i64),
    Part(f64),
}

impl Value {
    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are such floats")]
    fn of(measure: Measure, value: i64) -> Self {
        match measure {
            Measure::Cost => Self::Part(value as f64 / UNITS_PER_DOLLAR as f64),
            Measure::ErrorRate => Self::Part(value as f64 / UNITS_PER_WHOLE as f64),
            _ => Self::Whole(value),
        }
    }
}

impl From<&Total> for TotalJson {
    fn from(total: &Total) -> Self {
        let value = |value| Value::of(total.measure, value);
        Self {
            before: total.value.before.map(value),
            after: total.value.after.map(value),
            change: total.change().map(value),
            n_before: total.n.before,
            n_after: total.n.after,
            interval: total.interval.map(|i| [value(i.low), value(i.high)]),
            typical_change_ratio: total.typical.map(change_ratio),
            typical_interval_ratio: total.typical.map(interval_ratio),
            test: total.test.map(Test::as_str),
            p: total.p,
            verdict: total.verdict.map(Verdict::as_str),
        }
    }
}

impl From<&FeedbackTotal> for TotalJson {
    fn from(total: &FeedbackTotal) -> Self {
        let told = total.told();
        let interval = told.and_then(|told| told.interval);
        Self {
            before: total.value.before.map(Value::Part),
            after: total.value.after.map(Value::Part),
            change: total.change().map(Value::Part),
            n_before: total.n.before,
            n_after: total.n.after,
            interval: interval.map(|interval| interval.map(Value::Part)),
            typical_change_ratio: None,
            typical_interval_ratio: None,
            test: told.map(|told| told.test.as_str()),
            p: told.and_then(|told| told.p),
            verdict: total.verdict().map(Verdict::as_str),
        }
    }
}

fn change_ratio(typical: LogChange) -> f64 {
    typical.ratios()[0]
}

fn interval_ratio(typical: LogChange) -> [f64; 2] {
    let [_, low, high] = typical.ratios();
    [low, high]
}

/// Rows with the columns that were chosen, or else with all, where intervals are lists.
enum RowsOf<'a> {
    Chosen(RowsJson<'a, Changes>),
    All(Vec<Column<Changes>>, &'a [ChangeRow<'a>]),
}

impl Serialize for RowsOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Chosen(rows) => rows.serialize(serializer),
            Self::All(columns, rows) => {
                serializer.collect_seq(rows.iter().map(|row| RowWithInterval { columns, row }))
            }
        }
    }
}

struct RowWithInterval<'a> {
    columns: &'a [Column<Changes>],
    row: &'a ChangeRow<'a>,
}

impl Serialize for RowWithInterval<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for column in self.columns {
            match column.name() {
                "typical_low_ratio" => {
                    let typical = self.row.0.finding.and_then(|finding| finding.typical);
                    let interval = typical.map(interval_ratio);
                    map.serialize_entry("typical_interval_ratio", &interval)?;
                }
                "typical_high_ratio" => {}
                name => map.serialize_entry(name, &column.value(self.row))?,
            }
        }
        map.end()
    }
}
