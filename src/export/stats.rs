//! Aggregates over many traces as JSON and as delimited text. Times are
//! nanoseconds, error rates lie between 0 and 1, and what has no sample is null.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Delimited;
use super::delimited::{RowWriter, number};
use super::json::{JsonForm, write};
use super::many::{by_json, start_json, start_text};
use super::unreadable::add_to;
use crate::analysis::{AssessmentRow, Start, Statistic, StatsQuestion, StatsReport, StatsRow};
use crate::filter::Number;
use crate::filter::aggregate::{Aggregate, Unit};
use crate::model::Unreadable;
use crate::render::stats::kind;

/// What is written besides the rows.
#[derive(Debug, Clone, Copy)]
pub struct StatsParts<'a> {
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
        "rows": report
            .rows
            .iter()
            .map(|row| row_json(row, report, question, &keys))
            .collect::<Vec<_>>(),
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
    let mut writer = RowWriter::new(out, format);
    let over_time = question.every.is_some();
    let start = over_time.then(|| "start".to_owned());
    let figures = question.aggregates.iter().flat_map(heads);
    let heads = keys(question).into_iter().chain(start).chain(figures);
    writer.row(heads.map(Cow::Owned))?;
    for row in &report.rows {
        if !over_time {
            writer.row(cells(row, None, &row.values))?;
            continue;
        }
        for (start, values) in report.starts.iter().zip(&row.intervals) {
            writer.row(cells(row, Some(*start), values))?;
        }
    }
    writer.finish()
}

/// The value's, with its unit where it is a time, and that of the number of samples.
fn heads(aggregate: &Aggregate) -> [String; 2] {
    let unit = match aggregate.unit() {
        Unit::Time => " ns",
        _ => "",
    };
    [format!("{aggregate}{unit}"), format!("{aggregate} n")]
}

fn cells<'r>(
    row: &'r StatsRow,
    start: Option<Start>,
    values: &'r [Statistic],
) -> impl Iterator<Item = Cow<'r, str>> {
    let names = row.keys.iter().map(|key| Cow::Borrowed(key.as_str()));
    let start = start.map(|start| Cow::Owned(start_text(start)));
    let figures = values.iter().flat_map(|statistic| {
        let value = match statistic.value {
            None => Cow::Borrowed(""),
            Some(Number::Integer(whole)) => number(whole),
            Some(Number::Float(fraction)) => number(fraction),
        };
        [value, number(statistic.n)]
    });
    names.chain(start).chain(figures)
}
