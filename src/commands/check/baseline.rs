//! Values of aggregates in a file, for a later check to compare with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::super::Context;
use super::super::target::cannot;
use crate::analysis::Judgement;
use crate::cli::CheckArgs;
use crate::error::{CommandError, Exit};
use crate::export::JsonForm;
use crate::export::json::write;
use crate::filter::Number;

const VERSION: u32 = 1;

/// The values of an earlier check.
pub(super) struct Baseline(BTreeMap<String, Option<Number>>);

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    traces: usize,
    values: Vec<Earlier>,
}

#[derive(Serialize, Deserialize)]
struct Earlier {
    aggregate: String,
    unit: String,
    value: Option<serde_json::Number>,
    n: usize,
}

impl Baseline {
    /// Reads a file that [`save`] wrote.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let refuse = |what: String| {
            CommandError::new(
                Exit::Data,
                format!("cannot read the baseline {}: {what}", path.display()),
            )
        };
        let text = fs::read(path).map_err(|error| refuse(error.to_string()))?;
        let document: Document = serde_json::from_slice(&text).map_err(|error| {
            refuse(error.to_string()).hint("`mlt check --save FILE` writes one")
        })?;
        if document.version != VERSION {
            return Err(refuse(format!("it has version {}", document.version))
                .hint("write it anew with --save")
                .into());
        }
        let values = document.values.into_iter();
        Ok(Self(
            values
                .map(|value| (value.aggregate, value.value.as_ref().and_then(number)))
                .collect(),
        ))
    }

    /// The value of an aggregate, by how it is printed.
    pub(super) fn value(&self, aggregate: &str) -> Option<Number> {
        *self.0.get(aggregate)?
    }
}

fn number(value: &serde_json::Number) -> Option<Number> {
    match value.as_i64() {
        Some(whole) => Some(Number::Integer(whole)),
        None => value.as_f64().map(Number::Float),
    }
}

/// Writes the values of a check. A check that failed leaves the baseline that it
/// failed by as it is, lest the next one pass by that alone.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn save(
    context: &Context,
    path: &Path,
    args: &CheckArgs,
    verdict: &Judgement,
) -> Result<()> {
    let is_baseline = args.baseline.as_deref().is_some_and(|baseline| {
        let same = |path: &Path| fs::canonicalize(path).ok();
        baseline == path || (same(baseline).is_some() && same(baseline) == same(path))
    });
    if is_baseline && !verdict.passed() {
        context.note("the check failed, so the baseline stays as it is");
        return Ok(());
    }
    let document = Document {
        version: VERSION,
        traces: verdict.traces,
        values: verdict
            .rulings
            .iter()
            .map(|ruling| Earlier {
                aggregate: ruling.aggregate.clone(),
                unit: ruling.unit.as_str().to_owned(),
                value: ruling.measured.value.and_then(|value| match value {
                    Number::Integer(whole) => Some(whole.into()),
                    Number::Float(fraction) => serde_json::Number::from_f64(fraction),
                }),
                n: ruling.measured.n,
            })
            .collect(),
    };
    let mut text = Vec::new();
    write(&mut text, &document, JsonForm::Pretty)?;
    fs::write(path, text).map_err(|error| cannot("write", path, &error).into())
}
