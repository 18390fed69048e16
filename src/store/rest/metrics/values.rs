//! From the server's points to values with sizes of samples. The server's numbers
//! are floating-point and its durations milliseconds; what they come from are
//! whole numbers, so that the exact value can be told from the rounded one.

use std::collections::BTreeMap;

use super::{Counts, Point, Reason, Relation, Series, dimension, fraction, value, whole};
use crate::field::Field;
use crate::filter::Number;
use crate::filter::aggregate::{Aggregate, Function, Measure};
use crate::model::Timestamp;
use crate::store::{MetricKey, MetricQuestion, MetricRow};

/// Percentiles have two decimals, so they lie at ten thousandths between samples.
const PARTS: i64 = 10_000;

/// A group in an interval.
type Place = (Option<i64>, Vec<String>);

/// All that came, by groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    keys: Vec<MetricKey>,
    intervals: bool,
    found: BTreeMap<Place, Group>,
    assessments: bool,
}

#[derive(Debug, Default)]
struct Group {
    traces: Tallied,
    spans: Tallied,
    series: Vec<(Series, BTreeMap<String, f64>)>,
}

/// How many there are.
#[derive(Debug, Default, Clone, Copy)]
struct Tallied {
    all: i64,
    errors: i64,
    in_progress: i64,
}

impl Groups {
    pub(super) fn new(question: &MetricQuestion<'_>) -> Self {
        let mut found = BTreeMap::new();
        if question.keys.is_empty() && question.every_s.is_none() {
            found.insert((None, Vec::new()), Group::default());
        }
        Self {
            keys: question.keys.to_vec(),
            intervals: question.every_s.is_some(),
            found,
            assessments: false,
        }
    }

    /// All traces.
    pub(super) fn traces(&self) -> usize {
        let all: i64 = self.found.values().map(|group| group.traces.all).sum();
        usize::try_from(all).unwrap_or(0)
    }

    /// # Errors
    /// That the points are not what was asked for.
    pub(super) fn add(
        &mut self,
        series: Series,
        points: Vec<Point>,
        question: &MetricQuestion<'_>,
    ) -> Result<(), Reason> {
        let odd = || "the server's answer has other groups than were asked for".to_owned();
        for point in points {
            if series == Series::AssessmentCount {
                self.assessments |= point.values.get("COUNT").is_some_and(|n| *n > 0.0);
                continue;
            }
            let named = |key: &MetricKey| point.dimensions.get(dimension(*key)).cloned();
            let keys: Option<Vec<String>> = self.keys.iter().map(named).collect();
            let start = point.dimensions.get("time_bucket");
            let start = start
                .and_then(|text| Timestamp::parse_rfc3339(text))
                .map(Timestamp::millis);
            if start.is_some() != self.intervals {
                return Err(odd());
            }
            let place = (start, keys.ok_or_else(odd)?);
            let group = self.found.entry(place).or_default();
            let tallied = match series {
                Series::TraceCount => &mut group.traces,
                Series::SpanCount => &mut group.spans,
                _ => {
                    group.series.push((series, point.values));
                    continue;
                }
            };
            let count = value(&point.values, Function::Count).and_then(whole);
            let count = count.ok_or_else(odd)?;
            tallied.all += count;
            let Some(state) = series.state(question.aggregates) else {
                continue;
            };
            match named(&state).ok_or_else(odd)?.as_str() {
                "ERROR" => tallied.errors += count,
                "IN_PROGRESS" => tallied.in_progress += count,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Group {
    fn series(&self, series: Series) -> Option<&BTreeMap<String, f64>> {
        let found = self.series.iter().find(|(own, _)| *own == series);
        found.map(|(_, values)| values)
    }

    /// How many samples of a series there are, by its sum and its mean.
    fn samples(&self, series: Series) -> Option<i64> {
        let Some(values) = self.series(series) else {
            return Some(0);
        };
        let sum = value(values, Function::Sum)?;
        let avg = value(values, Function::Avg)?;
        let n = sum / avg;
        let near = whole(n).filter(|whole| (Number::Integer(*whole).as_f64() - n).abs() < 1e-3);
        near.filter(|n| *n > 0)
    }
}

/// What came, and what it is checked against.
pub(super) struct Values {
    pub(super) groups: Groups,
    pub(super) relations: Vec<(Relation, Counts)>,
}

impl Values {
    /// # Errors
    /// Why the answer is not taken.
    pub(super) fn rows(&self, question: &MetricQuestion<'_>) -> Result<Vec<MetricRow>, Reason> {
        self.check(question)?;
        let found = self.groups.found.iter();
        found
            .map(|((start_ms, keys), group)| {
                let values = question.aggregates.iter().map(|aggregate| {
                    measured(aggregate, group).ok_or_else(|| {
                        format!("the server does not say what `{aggregate}` is computed from")
                    })
                });
                Ok(MetricRow {
                    keys: keys.clone(),
                    start_ms: *start_ms,
                    values: values.collect::<Result<_, Reason>>()?,
                })
            })
            .collect()
    }

    fn has_zeros(&self, series: Series) -> bool {
        let mut groups = self.groups.found.values();
        groups.any(|group| {
            let values = group.series(series);
            let least = values.and_then(|values| value(values, Function::Min));
            least.is_some_and(|least| least <= 0.0)
        })
    }

    /// Compares what the groups add up to with what there is.
    fn check(&self, question: &MetricQuestion<'_>) -> Result<(), Reason> {
        let sum = |pick: &dyn Fn(&Group) -> Option<i64>| -> Option<i64> {
            self.groups.found.values().map(pick).sum()
        };
        let same = |a: Option<i64>, b: usize| a == i64::try_from(b).ok();
        if question.no_assessments && self.groups.assessments {
            return Err("there are assessments".to_owned());
        }
        let measures =
            |measure: &Measure| question.aggregates.iter().any(|a| a.measure == *measure);
        for (relation, counts) in &self.relations {
            let all = sum(&|group| Some(group.traces.all));
            match relation {
                Relation::Durations => {
                    if !same(all, counts.all) {
                        return Err("the server leaves traces without a name out".to_owned());
                    }
                    if measures(&Measure::Of(Field::ExecutionTime)) {
                        if counts.both > 0 {
                            return Err("the server counts traces in progress".to_owned());
                        }
                        if counts.first + counts.second != counts.all {
                            return Err("there are traces without a duration".to_owned());
                        }
                    }
                }
                Relation::Usage => {
                    if measures(&Measure::Of(Field::Cost)) && counts.second > 0 {
                        return Err("the server does not know the costs of traces".to_owned());
                    }
                    for (measure, series) in [
                        (Measure::Of(Field::Tokens), Series::Tokens),
                        (Measure::Of(Field::InputTokens), Series::InputTokens),
                        (Measure::Of(Field::OutputTokens), Series::OutputTokens),
                    ] {
                        let samples = || sum(&|group| group.samples(series));
                        if !measures(&measure) {
                            continue;
                        }
                        if !same(samples(), counts.first) {
                            return Err("not every token usage is complete".to_owned());
                        }
                        if question.exact && self.has_zeros(series) {
                            return Err("the server counts traces that report no tokens".to_owned());
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The value and the number of its samples; `None` where the server does not say enough.
fn measured(aggregate: &Aggregate, group: &Group) -> Option<(Option<Number>, usize)> {
    let function = aggregate.function;
    let series = match aggregate.measure {
        Measure::Trace => return counted(function, group.traces),
        Measure::Span => return counted(function, group.spans),
        Measure::Of(Field::Cost) => return Some((None, 0)),
        ref measure => Series::of(measure)?,
    };
    let n = match series {
        Series::TraceDuration => group.traces.all - group.traces.in_progress,
        Series::SpanDuration => group.spans.all,
        _ => group.samples(series)?,
    };
    let size = usize::try_from(n).ok()?;
    if n == 0 {
        return Some((None, 0));
    }
    let values = group.series(series)?;
    let wanted = value(values, function);
    let value = match (series, function) {
        // The mean tells the sum, which is whole.
        (Series::TraceDuration, Function::Avg | Function::Sum) => {
            let sum_ms = sum(value(values, Function::Avg)?, n)?;
            match function {
                Function::Sum => Number::Integer(sum_ms.checked_mul(1_000_000)?),
                _ => Number::Integer(mean_ns(sum_ms, n)?),
            }
        }
        (Series::SpanDuration, Function::Avg) => Number::Integer(whole(wanted? * 1e6)?),
        (Series::TraceDuration | Series::SpanDuration, Function::Percentile(_)) => {
            Number::Integer(parts(wanted?)?.checked_mul(1_000_000 / PARTS)?)
        }
        (Series::TraceDuration | Series::SpanDuration, _) => {
            Number::Integer(whole(wanted?)?.checked_mul(1_000_000)?)
        }
        (Series::SpanCost, _) => Number::Float(wanted?),
        (_, Function::Avg) => fraction(whole(value(values, Function::Sum)?)?, n),
        (_, Function::Percentile(_)) => fraction(parts(wanted?)?, PARTS),
        _ => Number::Integer(whole(wanted?)?),
    };
    Some((Some(value), size))
}

fn counted(function: Function, tallied: Tallied) -> Option<(Option<Number>, usize)> {
    let n = usize::try_from(tallied.all).ok()?;
    let value = match function {
        Function::Count => Some(Number::Integer(tallied.all)),
        _ if n == 0 => None,
        _ => {
            let [errors, all] = [tallied.errors, tallied.all].map(|n| Number::Integer(n).as_f64());
            Some(Number::Float(errors / all))
        }
    };
    Some((value, n))
}

/// The sum of `n` whole numbers with this mean.
fn sum(avg: f64, n: i64) -> Option<i64> {
    let product = avg * Number::Integer(n).as_f64();
    let sum = whole(product)?;
    ((Number::Integer(sum).as_f64() - product).abs() < 0.01).then_some(sum)
}

/// The mean of milliseconds, rounded half up to nanoseconds.
fn mean_ns(sum_ms: i64, n: i64) -> Option<i64> {
    let (sum, n) = (i128::from(sum_ms) * 1_000_000, i128::from(n));
    i64::try_from((sum + n / 2).div_euclid(n)).ok()
}

/// In ten thousandths.
fn parts(percentile: f64) -> Option<i64> {
    whole(percentile * Number::Integer(PARTS).as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Moment, aggregate::parse_aggregates};
    use crate::store::FilterSource;

    fn answer(
        aggregates: &str,
        points: &[(Series, &[(&str, f64)])],
        counts: Counts,
    ) -> Result<Vec<(Option<Number>, usize)>, Reason> {
        let aggregates = parse_aggregates(aggregates, &Moment::utc()).unwrap();
        let question = MetricQuestion {
            experiments: &[],
            filter: &FilterSource::default(),
            aggregates: &aggregates,
            keys: &[],
            every_s: None,
            exact: true,
            no_assessments: false,
        };
        let mut groups = Groups::new(&question);
        for (series, values) in points {
            let values = values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value));
            let mut dimensions = BTreeMap::new();
            if *series == Series::TraceCount {
                dimensions.insert("trace_status".to_owned(), "OK".to_owned());
            }
            let point = Point {
                dimensions,
                values: values.collect(),
            };
            groups.add(*series, vec![point], &question)?;
        }
        let relations = vec![(Relation::Durations, counts), (Relation::Usage, counts)];
        let mut rows = Values { groups, relations }.rows(&question)?;
        Ok(rows.remove(0).values)
    }

    /// Three traces, each with a duration and token usage.
    const THREE: Counts = Counts {
        first: 3,
        second: 0,
        both: 0,
        all: 3,
    };

    #[test]
    fn the_exact_value_is_told_from_the_rounded_one() {
        let points: &[(Series, &[(&str, f64)])] = &[
            (Series::TraceCount, &[("COUNT", 3.0)]),
            (
                Series::TraceDuration,
                // 1, 2 and 7 ms.
                &[
                    ("AVG", 3.333_333_333_333_333_5),
                    ("P95.0", 6.499_999_999_999_999),
                    ("MAX", 7.0),
                ],
            ),
            (
                Series::Tokens,
                &[
                    ("SUM", 10.0),
                    ("AVG", 3.333_333_333_333_333_5),
                    ("P33.33", 1.666_600_000_000_000_2),
                ],
            ),
        ];
        let found = answer(
            "avg(duration), sum(duration), p95(duration), max(duration), avg(tokens), p33.33(tokens)",
            points,
            THREE,
        );
        let values: Vec<_> = found
            .unwrap()
            .into_iter()
            .map(|(value, n)| (value.unwrap(), n))
            .collect();
        assert_eq!(
            values,
            [
                (Number::Integer(3_333_333), 3),
                (Number::Integer(10_000_000), 3),
                (Number::Integer(6_500_000), 3),
                (Number::Integer(7_000_000), 3),
                (Number::Float(10.0 / 3.0), 3),
                (Number::Float(1.6666), 3),
            ]
        );
    }

    #[test]
    fn what_does_not_add_up_is_not_taken() {
        let points: &[(Series, &[(&str, f64)])] = &[
            (Series::TraceCount, &[("COUNT", 3.0)]),
            (Series::TraceDuration, &[("AVG", 2.0)]),
            (Series::Tokens, &[("SUM", 0.0), ("AVG", 0.0)]),
        ];
        let reason = |aggregates: &str, counts| answer(aggregates, points, counts).unwrap_err();
        let more = Counts { all: 4, ..THREE };
        assert!(reason("count()", more).contains("without a name"));
        let open = Counts {
            second: 1,
            both: 1,
            ..THREE
        };
        assert!(reason("avg(duration)", open).contains("in progress"));
        let lacking = Counts { first: 2, ..THREE };
        assert!(reason("avg(duration)", lacking).contains("without a duration"));
        assert!(reason("max(duration)", THREE).contains("does not say"));
        assert!(reason("sum(tokens)", THREE).contains("not every token usage"));
        assert!(reason("sum(cost)", Counts { second: 1, ..THREE }).contains("costs"));
        let zeros: &[(Series, &[(&str, f64)])] = &[
            (Series::TraceCount, &[("COUNT", 3.0)]),
            (Series::Tokens, &[("SUM", 6.0), ("AVG", 2.0), ("MIN", 0.0)]),
        ];
        let refused = answer("avg(tokens)", zeros, THREE).unwrap_err();
        assert!(refused.contains("report no tokens"), "{refused}");
    }
}
