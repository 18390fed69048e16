//! The time of many traces as JSON and as delimited text. All times are
//! nanoseconds; a ratio is null where the total is 0, and statistics are null
//! where there was no sample.

use std::io::{self, Write};

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::Delimited;
use super::json::{JsonForm, write};
use super::unreadable::add_to;
use crate::analysis::{
    Bin, Histogram, Interval, ManyReport, Question, Row, RowKey, SlowTrace, Start, Summary, WhatIf,
};
use crate::model::{Timestamp, Unreadable};
use crate::table::Column;
use crate::table::delimited;
use crate::table::json::RowsJson;
use crate::table::rows::latency::{self, Groups};
use crate::table::rows::many::{self as rows, OF_BINS, of_bins};

/// What is written besides the rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct ManyParts<'a> {
    /// What is said of each row, where that was chosen.
    pub columns: Option<&'a [Column<Groups>]>,
    /// How durations are spread.
    pub histogram: Option<&'a Histogram>,
    /// How they moved over time.
    pub intervals: Option<&'a [Interval]>,
    /// The slowest traces.
    pub slowest: bool,
    /// Whether traces or rows are missing.
    pub truncated: bool,
    /// Traces that cannot be read.
    pub unreadable: &'a [Unreadable],
}

/// Writes all of a report as JSON.
pub fn write_json(
    out: &mut dyn Write,
    report: &ManyReport,
    question: &Question,
    parts: ManyParts<'_>,
    form: JsonForm,
) -> io::Result<()> {
    let keys: Vec<String> = keys(question);
    let mut document = json!({
        "traces": report.traces,
        "in_progress": report.in_progress,
        "without_spans": report.without_spans,
        "spans": report.spans,
        "total_ns": report.total_ns,
        "durations": summary(report.stats.as_ref()),
        "by": keys,
        "per": question.unit.as_str(),
        "rows": match parts.columns {
            Some(columns) => json!(RowsJson { columns, rows: &latency::of_many(report) }),
            None => report.rows.iter().map(|row| row_json(row, &keys)).collect(),
        },
    });
    if let Some(histogram) = parts.histogram {
        let (columns, rows) = (&rows::bins().some(&OF_BINS), &of_bins(&histogram.bins));
        document["histogram"] = json!(RowsJson { columns, rows });
    }
    if let Some(intervals) = parts.intervals {
        let intervals = intervals.iter().map(|interval| {
            start_json(
                interval.start,
                "durations",
                summary(interval.stats.as_ref()),
            )
        });
        document["over_time"] = intervals.collect();
    }
    if parts.slowest {
        document["slowest"] = report.slowest.iter().map(slow_json).collect();
    }
    if let Some(what_if) = &report.what_if {
        document["what_if"] = what_if_json(what_if);
    }
    document["truncated"] = parts.truncated.into();
    add_to(&mut document, parts.unreadable, form);
    write(out, &document, form)
}

fn keys(question: &Question) -> Vec<String> {
    let first = std::iter::once(question.key.to_string());
    first
        .chain(question.second.as_ref().map(ToString::to_string))
        .collect()
}

/// An interval, with its day where it is one, and what is in it.
pub(super) fn start_json(start: Start, name: &str, value: Value) -> Value {
    let mut document = match (start.midnight, start.day()) {
        (Some(midnight), Some(day)) => {
            let midnight = midnight.to_rfc3339_opts(SecondsFormat::Secs, true);
            json!({"start": midnight, "day": day.to_string()})
        }
        _ => json!({"start": Timestamp::from_nanos(start.ns).to_string()}),
    };
    document[name] = value;
    document
}

/// Statistics of durations.
pub(super) fn summary(stats: Option<&Summary>) -> Value {
    let Some(s) = stats else {
        return json!({"n": 0});
    };
    json!({
        "n": s.n,
        "avg_ns": s.avg_ns,
        "min_ns": s.min_ns,
        "p50_ns": s.p50_ns,
        "p95_ns": s.p95_ns,
        "p95_is_rough": s.p95_is_rough(),
        "p99_ns": s.p99_ns,
        "p99_is_rough": s.p99_is_rough(),
        "max_ns": s.max_ns,
    })
}

fn row_json(row: &Row, keys: &[String]) -> Value {
    let values = std::iter::once(&row.key).chain(&row.second);
    json!({
        "name": row.key.as_str(),
        "by": by_json(keys, values),
        "type": row.span_type(),
        "types": row.types,
        "count": row.count,
        "errors": row.errors,
        "in_progress": row.in_progress,
        "durations": summary(row.stats.as_ref()),
        "total_ns": row.total_ns,
        "total_ratio": row.total_ratio,
        "self_ns": row.self_ns,
        "self_ratio": row.self_ratio,
        "critical_ns": row.critical_ns,
        "critical_ratio": row.critical_ratio,
    })
}

/// What a row stands for; null where there is nothing of the kind.
pub(super) fn by_json<'k>(keys: &[String], values: impl Iterator<Item = &'k RowKey>) -> Value {
    let text = |value: &RowKey| match value {
        RowKey::Text(text) => json!(text),
        RowKey::Missing(_) | RowKey::NoSpan => Value::Null,
    };
    let by: Map<String, Value> = keys
        .iter()
        .zip(values)
        .map(|(key, value)| (key.clone(), text(value)))
        .collect();
    Value::Object(by)
}

fn slow_json(slow: &SlowTrace) -> Value {
    let columns = rows::slowest();
    let told = columns
        .plain()
        .iter()
        .map(|column| (column.name(), json!(column.value(slow))));
    let mut told: Map<String, Value> = told.map(|(name, value)| (name.to_owned(), value)).collect();
    // Both parts of it in one, or none.
    let critical = told.remove("mostly_critical_ns");
    if let Some(mostly) = told.get_mut("mostly").filter(|mostly| !mostly.is_null()) {
        *mostly = json!({"name": mostly.take(), "critical_ns": critical});
    }
    Value::Object(told)
}

fn what_if_json(what_if: &WhatIf) -> Value {
    json!({
        "name": what_if.supposed.name,
        "with_called": what_if.supposed.with_called,
        "factor": what_if.supposed.factor,
        "traces": what_if.traces,
        "saved_at_most_ns": what_if.saved_ns,
        "saved_at_most_ratio": what_if.saved_ratio,
        "left_at_least": summary(what_if.left.as_ref()),
    })
}

/// Writes the groups.
pub fn write_rows(
    out: &mut dyn Write,
    report: &ManyReport,
    question: &Question,
    format: Delimited,
) -> io::Result<()> {
    let columns = latency::told_of_many(question);
    delimited::write(out, format, columns, &latency::of_many(report))
}

/// Writes the ranges of a histogram.
pub fn write_histogram(out: &mut dyn Write, bins: &[Bin], format: Delimited) -> io::Result<()> {
    delimited::write(out, format, rows::bins().some(&OF_BINS), &of_bins(bins))
}

/// Writes the statistics of each interval.
pub fn write_over_time(
    out: &mut dyn Write,
    intervals: &[Interval],
    format: Delimited,
) -> io::Result<()> {
    delimited::write(out, format, rows::intervals().plain().to_vec(), intervals)
}

/// Writes the slowest traces.
pub fn write_slowest(
    out: &mut dyn Write,
    slowest: &[SlowTrace],
    format: Delimited,
) -> io::Result<()> {
    delimited::write(out, format, rows::slowest().plain().to_vec(), slowest)
}
