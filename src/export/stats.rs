//! Aggregates over many traces as JSON and as delimited text. Times are
//! nanoseconds, error rates lie between 0 and 1, and what has no sample is null.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Delimited;
use super::json::{JsonForm, write};
use super::many::{by_json, start_json};
use super::unreadable::add_to;
use crate::analysis::{AssessmentRow, Statistic, StatsQuestion, StatsReport, StatsRow};
use crate::filter::Number;
use crate::filter::aggregate::Unit;
use crate::model::Unreadable;
use crate::render::stats::kind;
use crate::table::json::RowsJson;
use crate::table::rows::stats::{self as sums, Sums};
use crate::table::{Column, delimited};

/// What is written besides the rows.
#[derive(Debug, Clone, Copy)]
pub struct StatsParts<'a> {
    /// What is said of each row, where that was chosen.
    pub columns: Option<&'a [Column<Sums>]>,
    /// `server` or `here`.
    pub via: &'static str,
    /// Whether durations of spans are cut to milliseconds.
    pub whole_milliseconds: bool,
    /// Whether traces or rows are missing.
    pub truncated: bool,
    /// Traces that cannot be read.
    pub unreadable: &'a [Unreadable],
}

/// Writes all of a report as JSON.
pub fn write_json(
    out: &mut dyn Write,
    report: &StatsReport,
    question: &StatsQuestion,
    parts: StatsParts<'_>,
    form: JsonForm,
) -> io::Result<()> {
    let keys = keys(question);
    let aggregates = question.aggregates.iter();
    let mut document = json!({
        "via": parts.via,
        "traces": report.traces,
        "without_spans": report.without_spans,
        "by": keys,
        "aggregates": aggregates
            .map(|a| json!({"aggregate": a.to_string(), "unit": unit(a.unit())}))
            .collect::<Vec<_>>(),
        "rows": match parts.columns {
            Some(columns) => json!(RowsJson { columns, rows: &sums::of(report, question) }),
            None => report
                .rows
                .iter()
                .map(|row| row_json(row, report, question, &keys))
                .collect(),
        },
    });
    if parts.whole_milliseconds {
        document["whole_milliseconds"] = true.into();
    }
    if question.assessments {
        document["assessments"] = report.assessments.iter().map(assessment_json).collect();
    }
    document["truncated"] = parts.truncated.into();
    add_to(&mut document, parts.unreadable, form);
    write(out, &document, form)
}

fn keys(question: &StatsQuestion) -> Vec<String> {
    question.keys.iter().map(ToString::to_string).collect()
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Time => "ns",
        Unit::Amount => "count",
        Unit::Dollars => "usd",
        Unit::Share => "ratio",
        Unit::Number => "number",
    }
}

fn row_json(
    row: &StatsRow,
    report: &StatsReport,
    question: &StatsQuestion,
    keys: &[String],
) -> Value {
    let mut document = json!({
        "by": by_json(keys, row.keys.iter()),
        "values": values_json(&row.values, question),
    });
    if question.every.is_some() {
        let intervals = report.starts.iter().zip(&row.intervals);
        document["over_time"] = intervals
            .map(|(start, values)| start_json(*start, "values", values_json(values, question)))
            .collect();
    }
    document
}

fn values_json(values: &[Statistic], question: &StatsQuestion) -> Value {
    let named = question.aggregates.iter().zip(values);
    let named = named.map(|(aggregate, value)| (aggregate.to_string(), statistic_json(value)));
    Value::Object(named.collect())
}

fn statistic_json(statistic: &Statistic) -> Value {
    let value = statistic.value.map(|value| match value {
        Number::Integer(whole) => json!(whole),
        Number::Float(fraction) => json!(fraction),
    });
    json!({"value": value, "n": statistic.n, "rough": statistic.rough})
}

fn assessment_json(row: &AssessmentRow) -> Value {
    let avg = row.avg.value.map(Number::as_f64);
    json!({
        "name": row.name,
        "kind": kind(row),
        "count": row.count,
        "n": row.avg.n,
        "avg": avg,
    })
}

/// Writes the groups, or their intervals: one line for each.
pub fn write_rows(
    out: &mut dyn Write,
    report: &StatsReport,
    question: &StatsQuestion,
    format: Delimited,
) -> io::Result<()> {
    let columns = sums::sums(question).plain().to_vec();
    delimited::write(out, format, columns, &sums::of(report, question))
}
