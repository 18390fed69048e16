//! A check as JSON: the whole as one document, or a line for each rule.

use std::io::{self, Write};

use serde::Serialize;

use crate::analysis::{Change, Failure, Judgement, Noise, Ruling, Sample};
use crate::export::JsonForm;
use crate::export::json::write;
use crate::export::unreadable::{self, UnreadableJson};
use crate::filter::Number;
use crate::render::verdict::{problem, reasons};

#[derive(Serialize)]
struct Document<'a> {
    passed: bool,
    problem: Option<String>,
    traces: usize,
    in_progress: &'a [String],
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<Vec<UnreadableJson<'a>>>,
    rules: Vec<RuleJson<'a>>,
}

#[derive(Serialize)]
struct Trouble {
    passed: bool,
    problem: String,
}

#[derive(Serialize)]
struct RuleJson<'a> {
    rule: &'a str,
    passed: bool,
    failures: Vec<&'static str>,
    /// The failures in words.
    reason: Option<String>,
    aggregate: &'a str,
    unit: &'static str,
    value: Option<Json>,
    comparator: Option<&'static str>,
    limit: Option<Json>,
    n: usize,
    rough: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline>,
    samples: Vec<SampleJson<'a>>,
}

#[derive(Serialize)]
struct Baseline {
    value: Option<Json>,
    n: usize,
    change_ratio: Option<f64>,
    max_regression_ratio: f64,
    /// Which way is worse: `larger` or `smaller`.
    worse: &'static str,
    /// Whether it is worse by more than is allowed.
    exceeds: bool,
    /// Whether it is worse by more than chance explains; null where there are too
    /// few samples to tell, or nothing to compare.
    beyond_noise: Option<bool>,
    test: Option<&'static str>,
    /// Of the change, in the unit of the value.
    interval: Option<[f64; 2]>,
    /// Of the change of the typical value, as shares of it.
    interval_ratio: Option<[f64; 2]>,
    p: Option<f64>,
}

impl From<Change> for Baseline {
    fn from(change: Change) -> Self {
        let told = match change.noise {
            Some(Noise::Told(told)) => Some(told),
            _ => None,
        };
        let interval = |relative| {
            told.filter(|told| told.relative == relative)
                .and_then(|told| told.interval)
        };
        Self {
            value: change.before.map(Json::from),
            n: change.n,
            change_ratio: change.ratio,
            max_regression_ratio: change.allowed,
            worse: if change.larger_is_worse {
                "larger"
            } else {
                "smaller"
            },
            exceeds: change.exceeds,
            beyond_noise: change.is_beyond_noise(),
            test: told.map(|told| told.test.as_str()),
            interval: interval(false),
            interval_ratio: interval(true),
            p: told.and_then(|told| told.p),
        }
    }
}

#[derive(Serialize)]
struct SampleJson<'a> {
    trace_id: &'a str,
    span_id: Option<&'a str>,
    path: Option<&'a str>,
    value: Option<Json>,
}

/// A whole number without a point, or a fraction.
#[derive(Serialize)]
#[serde(untagged)]
enum Json {
    Whole(i64),
    Fraction(f64),
}

impl From<Number> for Json {
    fn from(number: Number) -> Self {
        match number {
            Number::Integer(value) => Self::Whole(value),
            Number::Float(value) => Self::Fraction(value),
        }
    }
}

/// Writes the whole as one document.
pub fn write_json(out: &mut dyn Write, verdict: &Judgement) -> io::Result<()> {
    let document = Document {
        passed: verdict.passed(),
        problem: problem(verdict),
        traces: verdict.traces,
        in_progress: &verdict.in_progress,
        truncated: verdict.truncated,
        unreadable: unreadable::list(&verdict.unreadable, JsonForm::Pretty),
        rules: verdict.rulings.iter().map(rule).collect(),
    };
    write(out, &document, JsonForm::Pretty)
}

/// Writes a line for each rule, and one for what is wrong besides.
pub fn write_lines(out: &mut dyn Write, verdict: &Judgement) -> io::Result<()> {
    for ruling in &verdict.rulings {
        write(out, &rule(ruling), JsonForm::Lines)?;
    }
    match problem(verdict) {
        Some(problem) => {
            let trouble = Trouble {
                passed: false,
                problem,
            };
            write(out, &trouble, JsonForm::Lines)
        }
        None => Ok(()),
    }
}

fn rule(ruling: &Ruling) -> RuleJson<'_> {
    RuleJson {
        rule: &ruling.rule,
        passed: ruling.passed(),
        failures: ruling.failures.iter().map(|f| failure(*f)).collect(),
        reason: Some(reasons(ruling).join(", ")).filter(|reason| !reason.is_empty()),
        aggregate: &ruling.aggregate,
        unit: ruling.unit.as_str(),
        value: ruling.measured.value.map(Json::from),
        comparator: ruling.bound.map(|bound| bound.comparator.as_str()),
        limit: ruling.bound.map(|bound| bound.limit.into()),
        n: ruling.measured.n,
        rough: ruling.measured.rough,
        baseline: ruling.change.map(Baseline::from),
        samples: ruling.blamed.iter().map(sample).collect(),
    }
}

fn failure(failure: Failure) -> &'static str {
    match failure {
        Failure::NoSamples => "no_samples",
        Failure::Bound => "limit",
        Failure::Regression => "regression",
        Failure::NoBaseline => "no_baseline",
    }
}

fn sample(sample: &Sample) -> SampleJson<'_> {
    SampleJson {
        trace_id: &sample.trace_id,
        span_id: sample.span.as_ref().map(|span| span.id.as_str()),
        path: sample.span.as_ref().map(|span| span.path.as_str()),
        value: sample.value.map(Json::from),
    }
}
