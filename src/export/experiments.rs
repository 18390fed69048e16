//! Experiments with what is in them, as JSON and as delimited text.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Delimited;
use super::delimited::{RowWriter, maybe, number};
use super::json::{JsonForm, write};
use crate::model::ExperimentOverview;

const fn stage(one: &ExperimentOverview) -> &'static str {
    if one.experiment.active {
        "active"
    } else {
        "deleted"
    }
}

/// Writes all as JSON.
pub fn write_json(
    out: &mut dyn Write,
    all: &[ExperimentOverview],
    form: JsonForm,
) -> io::Result<()> {
    let one = |one: &ExperimentOverview| -> Value {
        json!({
            "experiment_id": one.experiment.id,
            "name": one.experiment.name,
            "lifecycle_stage": stage(one),
            "traces": one.traces,
            "first_time": one.first.map(|time| time.to_string()),
            "last_time": one.last.map(|time| time.to_string()),
        })
    };
    match form {
        JsonForm::Lines => all.iter().try_for_each(|row| write(out, &one(row), form)),
        JsonForm::Pretty => {
            let all: Vec<Value> = all.iter().map(one).collect();
            write(out, &json!({"experiments": all, "truncated": false}), form)
        }
    }
}

/// Writes a line for each.
pub fn write_rows(
    out: &mut dyn Write,
    all: &[ExperimentOverview],
    format: Delimited,
) -> io::Result<()> {
    let mut writer = RowWriter::new(out, format);
    let heads = [
        "experiment_id",
        "name",
        "lifecycle_stage",
        "traces",
        "first_time",
        "last_time",
    ];
    writer.row(heads.map(Cow::Borrowed))?;
    for one in all {
        writer.row([
            Cow::Borrowed(one.experiment.id.as_str()),
            Cow::Borrowed(one.experiment.name.as_str()),
            Cow::Borrowed(stage(one)),
            number(one.traces),
            maybe(one.first),
            maybe(one.last),
        ])?;
    }
    writer.finish()
}
