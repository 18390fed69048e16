//! Rules judged by what their aggregates came to, alone and beside an earlier
//! value. A value regressed when it is worse by more than is allowed and by more
//! than chance explains. Which way is worse is the aggregate's own, whatever a
//! rule asks of it.

use super::diff::Verdict;
use super::{Measured, Noise, Sample, Spread};
use crate::filter::aggregate::{Aggregate, Bound, Function, Rule, Unit};
use crate::filter::{Comparator, Number};
use crate::model::Unreadable;

/// Rounding must not turn a change that is just allowed into one that is not.
const SLACK: f64 = 1e-9;

/// What became of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Traces that were looked at.
    pub traces: usize,
    /// Traces that are in progress and were not looked at.
    pub in_progress: Vec<String>,
    /// Why the check fails, whatever its rules say.
    pub problem: Option<Problem>,
    /// Traces that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Whether more traces match than were looked at.
    pub truncated: bool,
    /// The rules in their order.
    pub rulings: Vec<Ruling>,
}

/// Why a check fails, whatever its rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// There is no trace to look at.
    NoTraces,
    /// There are traces that may yet change.
    InProgress,
    /// There are traces that cannot be read.
    Unreadable,
}

/// A rule, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    /// The rule, as it is printed.
    pub rule: String,
    /// Its aggregate, likewise.
    pub aggregate: String,
    /// What its values are.
    pub unit: Unit,
    /// What was asked of it.
    pub bound: Option<Bound>,
    /// What it came to.
    pub measured: Measured,
    /// The comparison with an earlier value.
    pub change: Option<Change>,
    /// Why it fails; empty where it passed.
    pub failures: Vec<Failure>,
    /// The samples that made it what it is, the worst first.
    pub blamed: Vec<Sample>,
}

/// Why a rule fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There was nothing to measure.
    NoSamples,
    /// The value is not what it has to be.
    Bound,
    /// The value is too much worse than before.
    Regression,
    /// There is nothing to compare with, and nothing else is asked.
    NoBaseline,
}

/// The comparison with an earlier value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Whether the baseline has the aggregate at all.
    pub known: bool,
    /// The earlier value; `None` where there is none, or nothing was measured.
    pub before: Option<Number>,
    /// How many samples were behind it.
    pub n: usize,
    /// Whether a larger value is a worse one.
    pub larger_is_worse: bool,
    /// Whether it is worse by more than is allowed, chance being left aside.
    pub exceeds: bool,
    /// Whether chance explains the change; `None` where there is none.
    pub noise: Option<Noise>,
    /// By what share of the earlier value it may become worse.
    pub allowed: f64,
    /// By what share of the earlier value it changed; `None` where that was 0 or is missing.
    pub ratio: Option<f64>,
}

/// How rules are judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// Whether a rule passes for which there is nothing to measure.
    pub allow_empty: bool,
    /// By what share a value may become worse, where it is compared with an earlier one.
    pub max_regression: Option<f64>,
    /// Whether chance is no excuse.
    pub strict: bool,
}

/// What an aggregate came to earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// Its value; `None` where there was nothing to measure.
    pub value: Option<Number>,
    /// How many samples were behind it.
    pub n: usize,
    /// How far they were spread, where that was kept.
    pub spread: Option<Spread>,
}

impl Change {
    fn new(
        aggregate: &Aggregate,
        measured: &Measured,
        earlier: Option<&Earlier>,
        allowed: f64,
    ) -> Self {
        let before = earlier.and_then(|earlier| earlier.value);
        let both = before.zip(measured.value);
        let larger_is_worse = aggregate.larger_is_worse();
        Self {
            known: earlier.is_some(),
            before,
            n: earlier.map_or(0, |earlier| earlier.n),
            larger_is_worse,
            exceeds: both
                .is_some_and(|(before, now)| exceeds(before, now, allowed, larger_is_worse)),
            noise: both.zip(earlier).map(|((before, _), earlier)| {
                let (a, b) = (earlier.spread.as_ref(), measured.spread.as_ref());
                Noise::compare(aggregate, before.as_f64(), a, b)
            }),
            allowed,
            ratio: both.and_then(ratio),
        }
    }

    /// Whether chance alone does not explain that the value is worse.
    pub fn is_beyond_noise(&self) -> Option<bool> {
        match self.noise? {
            Noise::TooFew { .. } => None,
            Noise::Exact | Noise::Unknown => Some(true),
            Noise::Told(told) => Some(match told.verdict {
                Verdict::Higher => self.larger_is_worse,
                Verdict::Lower => !self.larger_is_worse,
                Verdict::Noise | Verdict::TooFew => false,
            }),
        }
    }
}

impl Judgement {
    /// How many rules failed.
    pub fn failed(&self) -> usize {
        self.rulings.iter().filter(|r| !r.passed()).count()
    }

    /// Whether everything is as it has to be.
    pub fn passed(&self) -> bool {
        self.problem.is_none() && self.failed() == 0
    }
}

impl Ruling {
    /// Judges what a rule's aggregate came to; `earlier` is what it was, where that
    /// is known.
    pub fn new(rule: &Rule, measured: Measured, earlier: Option<&Earlier>, terms: Terms) -> Self {
        let change = terms
            .max_regression
            .map(|allowed| Change::new(&rule.aggregate, &measured, earlier, allowed));
        let mut failures = Vec::new();
        match measured.value {
            None if terms.allow_empty => {}
            None => failures.push(Failure::NoSamples),
            Some(value) => {
                if rule.bound.is_some_and(|bound| !bound.holds(value)) {
                    failures.push(Failure::Bound);
                }
                match change {
                    Some(Change { before: None, .. }) if rule.bound.is_none() => {
                        failures.push(Failure::NoBaseline);
                    }
                    Some(change)
                        if change.exceeds
                            && (terms.strict || change.is_beyond_noise() == Some(true)) =>
                    {
                        failures.push(Failure::Regression);
                    }
                    _ => {}
                }
            }
        }
        let function = rule.aggregate.function;
        let larger_is_to_blame = match (rule.bound, failures.as_slice()) {
            (Some(_), [Failure::Regression]) | (None, _) => rule.aggregate.larger_is_worse(),
            (Some(bound), _) => !matches!(
                bound.comparator,
                Comparator::Greater | Comparator::GreaterOrEqual
            ),
        };
        let mut blamed = blamed(function, &measured, larger_is_to_blame).to_vec();
        // Each of these alone is beyond the limit, or is not; in a sum, every one counts.
        let is_of_each = matches!(
            function,
            Function::Max | Function::Min | Function::Avg | Function::Percentile(_)
        );
        if let (true, Some(bound), [Failure::Bound]) = (is_of_each, rule.bound, failures.as_slice())
        {
            blamed.retain(|sample| sample.value.is_none_or(|value| !bound.holds(value)));
        }
        Self {
            rule: rule.to_string(),
            aggregate: rule.aggregate.to_string(),
            unit: rule.aggregate.unit(),
            bound: rule.bound,
            blamed,
            measured,
            change,
            failures,
        }
    }

    /// Whether the rule holds.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// Whether it holds for want of anything to measure.
    pub fn skipped(&self) -> bool {
        self.passed() && self.measured.value.is_none()
    }

    /// Whether the rule fails and more traces could make it hold: a count that
    /// has to be larger.
    pub fn wants_more(&self, rule: &Rule) -> bool {
        let asks = rule.bound.is_some_and(|bound| {
            matches!(
                bound.comparator,
                Comparator::Greater | Comparator::GreaterOrEqual
            )
        });
        asks && rule.aggregate.function == Function::Count && !self.passed()
    }
}

fn exceeds(before: Number, now: Number, allowed: f64, larger_is_worse: bool) -> bool {
    let (before, now) = (before.as_f64(), now.as_f64());
    let worse = if larger_is_worse {
        now - before
    } else {
        before - now
    };
    worse > before.abs() * allowed * (1.0 + SLACK)
}

fn ratio((before, now): (Number, Number)) -> Option<f64> {
    let (before, now) = (before.as_f64(), now.as_f64());
    (before != 0.0).then(|| (now - before) / before.abs())
}

fn blamed(function: Function, measured: &Measured, larger_is_worse: bool) -> &[Sample] {
    match function {
        // Those that are missing cannot be named.
        Function::Count | Function::ErrorRate if !larger_is_worse => &[],
        Function::Count | Function::ErrorRate => &measured.first,
        Function::Max => &measured.largest,
        Function::Min => &measured.smallest,
        _ if larger_is_worse => &measured.largest,
        _ => &measured.smallest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Moment;
    use crate::filter::aggregate::parse_rule;

    fn sample(id: &str) -> Vec<Sample> {
        vec![Sample {
            trace_id: id.to_owned(),
            span: None,
            value: None,
        }]
    }

    fn judge(rule: &str, value: Option<f64>, before: Option<f64>, terms: Terms) -> Ruling {
        let measured = Measured {
            value: value.map(Number::Float),
            n: 7,
            rough: false,
            first: sample("first"),
            largest: sample("largest"),
            smallest: sample("smallest"),
            spread: None,
        };
        let rule = parse_rule(rule, &Moment::utc()).unwrap();
        Ruling::new(&rule, measured, before.map(earlier).as_ref(), terms)
    }

    fn earlier(value: f64) -> Earlier {
        Earlier {
            value: Some(Number::Float(value)),
            n: 7,
            spread: None,
        }
    }

    fn failures(rule: &str, value: f64) -> Vec<Failure> {
        judge(rule, Some(value), None, Terms::default()).failures
    }

    /// Whether a value fails beside an earlier one, a tenth being allowed.
    fn regresses(rule: &str, before: f64, now: f64) -> bool {
        let terms = Terms {
            max_regression: Some(0.1),
            ..Terms::default()
        };
        let ruling = judge(rule, Some(now), Some(before), terms);
        ruling.failures.contains(&Failure::Regression)
    }

    #[test]
    fn a_bound_decides() {
        assert_eq!(failures("sum(tokens) <= 5", 5.0), []);
        assert_eq!(failures("sum(tokens) <= 5", 6.0), [Failure::Bound]);
        assert_eq!(failures("sum(tokens)", 6.0), []);
    }

    #[test]
    fn nothing_to_measure_fails_unless_it_may() {
        let none = judge("sum(tokens) <= 5", None, None, Terms::default());
        assert_eq!(none.failures, [Failure::NoSamples]);
        let terms = Terms {
            allow_empty: true,
            ..Terms::default()
        };
        let none = judge("sum(tokens) <= 5", None, None, terms);
        assert!(none.passed() && none.skipped());
    }

    #[test]
    fn becoming_worse_is_allowed_up_to_a_share() {
        assert!(!regresses("sum(tokens)", 100.0, 110.0));
        assert!(regresses("sum(tokens)", 100.0, 111.0));
        assert!(!regresses("sum(tokens)", 100.0, 1.0));
        assert!(!regresses("sum(tokens)", 3.0, 3.3));
        assert!(regresses("avg(feedback.q)", 1.0, 0.8));
        assert!(!regresses("avg(feedback.q)", 1.0, 2.0));
        // Whatever a rule asks for besides.
        assert!(!regresses("sum(tokens) >= 5", 100.0, 80.0));
        assert!(regresses("sum(tokens) >= 5", 100.0, 900.0));
        assert!(!regresses("avg(feedback.q) <= 5", 1.0, 2.0));
        assert!(regresses("count() <= 500", 100.0, 80.0));
        assert!(regresses("count(where status = 'ERROR') >= 1", 10.0, 20.0));
        assert!(regresses("error_rate()", 0.0, 0.001));
        assert!(!regresses("error_rate()", 0.0, 0.0));
        assert!(regresses("avg(feedback.q)", -1.0, -1.2));
    }

    #[test]
    fn without_an_earlier_value_the_bound_decides_alone() {
        let terms = Terms {
            max_regression: Some(0.1),
            ..Terms::default()
        };
        let bare = judge("sum(tokens)", Some(1.0), None, terms);
        assert_eq!(bare.failures, [Failure::NoBaseline]);
        let bound = judge("sum(tokens) <= 5", Some(1.0), None, terms);
        assert_eq!(
            (bound.failures, bound.change.unwrap().ratio),
            (vec![], None)
        );
        let both = judge("sum(tokens) <= 5", Some(6.0), Some(3.0), terms);
        assert_eq!(both.failures, [Failure::Bound, Failure::Regression]);
        assert_eq!(both.change.unwrap().ratio, Some(1.0));
    }

    #[test]
    fn the_samples_on_the_bad_side_are_to_blame() {
        for (rule, id) in [
            ("p95(duration) <= 1s", Some("largest")),
            ("p5(duration) >= 1s", Some("smallest")),
            ("min(cost) <= 1", Some("smallest")),
            ("max(cost) >= 1", Some("largest")),
            ("avg(feedback.q)", Some("smallest")),
            ("avg(cost)", Some("largest")),
            ("error_rate() <= 1%", Some("first")),
            ("count(where status = 'ERROR') <= 1", Some("first")),
            ("count() >= 20", None),
        ] {
            let ruling = judge(rule, Some(1.0), None, Terms::default());
            let blamed = ruling.blamed.first().map(|s| s.trace_id.as_str());
            assert_eq!(blamed, id, "{rule}");
        }
    }

    #[test]
    fn a_figure_is_blamed_on_what_is_beyond_the_limit() {
        let samples = |values: [f64; 3]| {
            let with = |value| Sample {
                value: Some(Number::Float(value)),
                ..sample("tr").remove(0)
            };
            values.map(with).to_vec()
        };
        for (rule, value, before, blamed) in [
            ("max(cost) <= 5", 9.0, None, 2),
            ("max(cost) <= 10", 9.0, Some(1.0), 3),
            ("min(cost) > 7", 6.0, None, 2),
            ("p95(cost) <= 5", 9.0, None, 2),
            ("avg(cost) >= 7", 6.5, None, 1),
            ("sum(cost) <= 5", 20.0, None, 3),
        ] {
            let measured = Measured {
                value: Some(Number::Float(value)),
                n: 7,
                rough: false,
                first: Vec::new(),
                largest: samples([9.0, 6.0, 5.0]),
                smallest: samples([6.0, 7.0, 8.0]),
                spread: None,
            };
            let terms = Terms {
                max_regression: before.map(|_| 0.1),
                ..Terms::default()
            };
            let parsed = parse_rule(rule, &Moment::utc()).unwrap();
            let ruling = Ruling::new(&parsed, measured, before.map(earlier).as_ref(), terms);
            assert_eq!(ruling.blamed.len(), blamed, "{rule}");
        }
    }

    #[test]
    fn more_traces_help_a_count_that_is_too_small() {
        let wants = |text: &str| {
            let rule = parse_rule(text, &Moment::utc()).unwrap();
            judge(text, Some(1.0), None, Terms::default()).wants_more(&rule)
        };
        assert!(wants("count() >= 2") && wants("count(span) > 1"));
        assert!(!wants("count() >= 1") && !wants("count() <= 0") && !wants("sum(tokens) >= 2"));
    }
}
