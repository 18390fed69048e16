//! The numbers behind an aggregate, and what they come to. Whole numbers stay
//! whole: sums have 128 bits, means and percentiles of nanoseconds are rounded to
//! nanoseconds, and other fractions are made by one division at the end. Sums of
//! fractions are sums of decimals, so that ten dimes are a dollar.

use crate::analysis::number::{narrow, quotient};
use crate::analysis::{Quantile, percentile};
use crate::filter::Number;
use crate::filter::aggregate::{Function, Unit};
use crate::model::DecimalSum;

/// What has to be kept of the samples.
#[derive(Debug, Clone)]
pub(super) enum Values {
    /// For means and sums of whole numbers.
    Whole { unit: Unit, n: usize, sum: i128 },
    /// For means and sums of fractions.
    Fractions { n: usize, sum: DecimalSum },
    /// For percentiles of whole numbers.
    WholeList { unit: Unit, all: Vec<i64> },
    /// For percentiles of fractions.
    FractionList(Vec<f64>),
    /// The smallest and the largest number.
    Ends(Option<(Number, Number)>),
}

impl Values {
    pub(super) fn new(function: Function, unit: Unit) -> Self {
        let is_whole = matches!(unit, Unit::Time | Unit::Amount);
        match function {
            Function::Avg | Function::Sum if is_whole => Self::Whole { unit, n: 0, sum: 0 },
            Function::Avg | Function::Sum => Self::Fractions {
                n: 0,
                sum: DecimalSum::default(),
            },
            Function::Percentile(_) if is_whole => Self::WholeList {
                unit,
                all: Vec::new(),
            },
            Function::Percentile(_) => Self::FractionList(Vec::new()),
            _ => Self::Ends(None),
        }
    }

    pub(super) fn add(&mut self, value: Number) {
        match (self, value) {
            (Self::Whole { n, sum, .. }, Number::Integer(value)) => {
                *n += 1;
                *sum += i128::from(value);
            }
            (Self::Fractions { n, sum }, value) => {
                sum.add(value.as_f64());
                *n += 1;
            }
            (Self::WholeList { all, .. }, Number::Integer(value)) => all.push(value),
            (Self::FractionList(all), value) => all.push(value.as_f64()),
            (Self::Ends(ends), value) => {
                *ends = Some(match *ends {
                    None => (value, value),
                    Some((low, high)) => (
                        if value.compare(low).is_lt() {
                            value
                        } else {
                            low
                        },
                        if value.compare(high).is_gt() {
                            value
                        } else {
                            high
                        },
                    ),
                });
            }
            // Whole measures have whole values.
            (Self::Whole { .. } | Self::WholeList { .. }, Number::Float(_)) => {}
        }
    }

    /// `None` without samples.
    pub(super) fn result(&self, function: Function) -> Option<Number> {
        match (self, function) {
            (Self::Whole { n: 0, .. } | Self::Fractions { n: 0, .. }, _) => None,
            (Self::Whole { sum, .. }, Function::Sum) => Some(sum_ns(*sum)),
            (Self::Whole { unit, n, sum }, _) => Some(divided(*sum, *n, *unit)),
            (Self::Fractions { sum, .. }, Function::Sum) => Some(Number::Float(sum.total())),
            (Self::Fractions { n, sum }, _) => Some(Number::Float(sum.mean(*n))),
            (Self::WholeList { unit, all }, Function::Percentile(parts)) => {
                let mut all = all.clone();
                all.sort_unstable();
                whole_percentile(&all, parts, *unit)
            }
            (Self::FractionList(all), Function::Percentile(parts)) => {
                let mut all = all.clone();
                all.sort_unstable_by(f64::total_cmp);
                fraction_percentile(&all, parts).map(Number::Float)
            }
            (Self::Ends(ends), Function::Min) => ends.map(|(low, _)| low),
            (Self::Ends(ends), _) => ends.map(|(_, high)| high),
            _ => None,
        }
    }
}

fn i128_of(n: usize) -> i128 {
    i128::try_from(n).unwrap_or(i128::MAX)
}

/// The mean of so many durations that come to a sum; `None` of none.
pub fn mean_ns(sum: i128, n: usize) -> Option<Number> {
    (n > 0).then(|| divided(sum, n, Unit::Time))
}

/// The sum of durations.
pub fn sum_ns(sum: i128) -> Number {
    Number::Integer(narrow(sum))
}

/// `hits / n`; `None` where `n` is 0.
pub fn share(hits: usize, n: usize) -> Option<f64> {
    (n > 0).then(|| quotient(i128_of(hits), n))
}

/// Nanoseconds are rounded half up; other numbers get a fraction where they need one.
fn divided(sum: i128, count: usize, unit: Unit) -> Number {
    let n = i128_of(count);
    match unit {
        Unit::Time => Number::Integer(narrow((sum + n / 2).div_euclid(n))),
        _ if sum % n == 0 => Number::Integer(narrow(sum / n)),
        _ => Number::Float(quotient(sum, count)),
    }
}

fn whole_percentile(sorted: &[i64], parts: u16, unit: Unit) -> Option<Number> {
    if unit == Unit::Time {
        return percentile(sorted, Quantile::new(parts)?).map(Number::Integer);
    }
    let (below, part) = position(sorted.len(), parts)?;
    let low = i128::from(sorted[below]);
    let high = i128::from(sorted[(below + 1).min(sorted.len() - 1)]);
    Some(divided(
        low * 10_000 + (high - low) * i128::from(part),
        10_000,
        unit,
    ))
}

/// As numpy interpolates, from the nearer end.
fn fraction_percentile(sorted: &[f64], parts: u16) -> Option<f64> {
    let (below, part) = position(sorted.len(), parts)?;
    let low = sorted[below];
    let high = sorted[(below + 1).min(sorted.len() - 1)];
    let part = f64::from(part) / 10_000.0;
    Some(if part < 0.5 {
        low + (high - low) * part
    } else {
        high - (high - low) * (1.0 - part)
    })
}

/// `h = (n − 1) p`: the index below it, and the rest in parts of ten thousand.
fn position(n: usize, parts: u16) -> Option<(usize, u16)> {
    let steps = n.checked_sub(1)?;
    let h = steps as u128 * u128::from(parts);
    let below = usize::try_from(h / 10_000).unwrap_or(steps);
    let part = u16::try_from(h % 10_000).unwrap_or(0);
    Some((below, part))
}
