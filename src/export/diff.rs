//! A comparison as JSON. Times are nanoseconds; of sets, figures are means per
//! trace, while calls and errors are counts over all traces of a side.

use std::io::{self, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::delimited::Delimited;
use super::json::{self, JsonForm};
use super::unreadable::{self, UnreadableJson};
use crate::analysis::{Diff, DiffRow, Side, Sides};
use crate::model::Unreadable;
use crate::table::json::RowsJson;
use crate::table::rows::diff::{self as changes, ChangeRow, Changes};
use crate::table::rows::totals::{self, TotalRow, Totals};
use crate::table::{Column, Rows, delimited};

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
    let (figures, totals) = (totals::totals(), totals::of(diff));
    let document = DiffJson {
        by: diff.by.as_str(),
        compared: if diff.pair { "traces" } else { "sets" },
        before: side(Side::Before),
        after: side(Side::After),
        change_ns: diff.change_ns(),
        is_empty: diff.is_empty(),
        totals: TotalsJson(figures.plain(), &totals),
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

/// By the measure's name with its unit, and feedback by its key: the first column.
struct TotalsJson<'a>(&'a [Column<Totals>], &'a [TotalRow<'a>]);

impl Serialize for TotalsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some((name, columns)) = self.0.split_first() else {
            return serializer.serialize_none();
        };
        let totals = self.1.iter();
        serializer.collect_map(
            totals.map(|row| (name.value(row).to_string(), WithIntervals { columns, row })),
        )
    }
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
                serializer.collect_seq(rows.iter().map(|row| WithIntervals { columns, row }))
            }
        }
    }
}

/// A row in which bounds that stand side by side, `low` and `high`, are one list.
struct WithIntervals<'a, R: Rows> {
    columns: &'a [Column<R>],
    row: &'a R::Row<'a>,
}

impl<R: Rows> Serialize for WithIntervals<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut columns = self.columns.iter().peekable();
        while let Some(column) = columns.next() {
            let (name, value) = (column.name(), column.value(self.row));
            let is_low = name.split('_').any(|word| word == "low");
            let Some(high) = columns.next_if(|_| is_low) else {
                map.serialize_entry(name, &value)?;
                continue;
            };
            let both = (!value.is_missing()).then(|| [value, high.value(self.row)]);
            map.serialize_entry(&name.replace("low", "interval"), &both)?;
        }
        map.end()
    }
}
