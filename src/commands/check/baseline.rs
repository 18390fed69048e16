//! Values of aggregates in a file, for a later check to compare with, and how far
//! the samples behind them were spread. Aggregates are known by what they say and
//! not by how that was written, and times that count from the present go on
//! counting from it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::super::Context;
use crate::analysis::{Earlier, Judgement, Spread};
use crate::cli::CheckArgs;
use crate::error::{CommandError, Exit};
use crate::export::JsonForm;
use crate::export::json::write;
use crate::file::Target;
use crate::filter::aggregate::{Aggregate, Function, parse_rule};
use crate::filter::{Moment, Number};
use crate::regular;

/// With the spread of traces.
const VERSION: u32 = 3;
/// With the spread of samples, each span being one.
const OF_SAMPLES: u32 = 2;
/// With values alone.
const OLDEST: u32 = 1;

/// The values of an earlier check, by the keys of aggregates.
pub(super) struct Baseline {
    values: BTreeMap<String, Earlier>,
    /// What it lacks, being written by an older mlt.
    pub(super) lacks: Option<Lack>,
}

/// What the baselines of older versions lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// All that tells a change from chance.
    Spreads,
    /// The same of spans, which were taken for samples of their own.
    SpreadsOfSpans,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    traces: usize,
    values: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    aggregate: String,
    unit: String,
    value: Option<serde_json::Number>,
    n: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spread: Option<Spread>,
}

/// The largest baseline, in bytes.
const LARGEST: u64 = 64 << 20;

impl Baseline {
    /// Reads a file that [`save`] wrote.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub(super) fn read(path: &Path, moment: &Moment) -> Result<Self> {
        let refuse = |what: String| {
            CommandError::new(
                Exit::Data,
                format!("cannot read the baseline {}: {what}", path.display()),
            )
        };
        let text = regular::read_any(path, LARGEST).map_err(|error| refuse(error.to_string()))?;
        let document: Document = serde_json::from_slice(&text).map_err(|error| {
            refuse(error.to_string()).hint("`mlt check --save FILE` writes one")
        })?;
        if !(OLDEST..=VERSION).contains(&document.version) {
            return Err(refuse(format!("it has version {}", document.version))
                .hint("write it anew with --save")
                .into());
        }
        let values = document.values.into_iter();
        Ok(Self {
            values: values
                .map(|entry| entry.read(moment, document.version))
                .collect(),
            lacks: match document.version {
                OLDEST => Some(Lack::Spreads),
                OF_SAMPLES => Some(Lack::SpreadsOfSpans),
                _ => None,
            },
        })
    }

    /// What an aggregate came to, by its key.
    pub(super) fn value(&self, key: &str) -> Option<&Earlier> {
        self.values.get(key)
    }
}

impl Entry {
    fn read(self, moment: &Moment, version: u32) -> (String, Earlier) {
        let value = self.value.as_ref().and_then(number);
        let aggregate = parse_rule(&self.aggregate, moment).map(|rule| rule.aggregate);
        let is_of_spans = |aggregate: &Aggregate| aggregate.measure.is_of_spans();
        let spread = if aggregate.as_ref().is_ok_and(is_of_spans) {
            self.spread.filter(|_| version > OF_SAMPLES)
        } else {
            let shares = |aggregate: &Aggregate| share(aggregate, value?, self.n);
            self.spread
                .or_else(|| aggregate.as_ref().ok().and_then(shares))
        };
        let key = aggregate.map_or(self.aggregate, |aggregate| aggregate.key());
        let earlier = Earlier {
            value,
            n: self.n,
            spread,
        };
        (key, earlier)
    }
}

/// A share of so many traces says how far it is spread by itself.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count, clamped"
)]
fn share(aggregate: &Aggregate, value: Number, n: usize) -> Option<Spread> {
    let hits = match aggregate.function {
        Function::Count if !aggregate.filter.is_empty() => value.as_f64(),
        Function::ErrorRate => value.as_f64() * n as f64,
        _ => return None,
    };
    let hits = (hits.round() as usize).min(n);
    Some(Spread::Share {
        hits,
        n,
        bundled: None,
    })
}

fn number(value: &serde_json::Number) -> Option<Number> {
    match value.as_i64() {
        Some(whole) => Some(Number::Integer(whole)),
        None => value.as_f64().map(Number::Float),
    }
}

/// Writes the values of a check to what was begun at the path. A check that failed leaves the baseline that it
/// failed by as it is, lest the next one pass by that alone.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn save(
    context: &Context,
    path: &Path,
    mut target: Target,
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
            .map(|ruling| Entry {
                aggregate: ruling.aggregate.clone(),
                unit: ruling.unit.as_str().to_owned(),
                value: ruling.measured.value.and_then(|value| match value {
                    Number::Integer(whole) => Some(whole.into()),
                    Number::Float(fraction) => serde_json::Number::from_f64(fraction),
                }),
                n: ruling.measured.n,
                spread: ruling.measured.spread.clone(),
            })
            .collect(),
    };
    let mut text = Vec::new();
    write(&mut text, &document, JsonForm::Pretty)?;
    target.write_all(&text)?;
    Ok(target.finish()?)
}
