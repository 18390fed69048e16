//! Figures of the whole in a comparison: a row for each measure, and one for the
//! feedback of each name.

use std::borrow::Cow;

use crate::analysis::{
    Diff, FeedbackTotal, Measure, Side, Test, Total, UNITS_PER_DOLLAR, UNITS_PER_WHOLE, Verdict,
};
use crate::render::diff::totals::{change_cell, label, value_cell, verdict_cell};
use crate::table::{Column, Columns, Datum, Kind, Rows};

/// Figures of the whole.
#[derive(Debug)]
pub enum Totals {}

/// One of them.
#[derive(Debug)]
pub struct TotalRow<'a> {
    /// What it is of.
    pub of: TotalOf<'a>,
    /// Whether single traces are compared.
    pub pair: bool,
}

/// What a figure is of.
#[derive(Debug)]
pub enum TotalOf<'a> {
    /// What traces took, and how many failed.
    Measure(&'a Total),
    /// What was said of them.
    Feedback(&'a FeedbackTotal),
}

impl Rows for Totals {
    type Row<'a> = TotalRow<'a>;
}

/// The figures of a comparison.
pub fn of(diff: &Diff) -> Vec<TotalRow<'_>> {
    let pair = diff.pair;
    let measures = diff.totals.iter().map(TotalOf::Measure);
    let feedback = diff.feedback.iter().map(TotalOf::Feedback);
    let all = measures.chain(feedback);
    all.map(|of| TotalRow { of, pair }).collect()
}

type C = Column<Totals>;

/// The columns of figures; all of them are told to machines, in this order.
pub fn totals() -> Columns<Totals> {
    let n = |name, side| {
        C::new(name, Kind::Count, move |row: &TotalRow<'_>| {
            Datum::count(*match row.of {
                TotalOf::Measure(total) => total.n.get(side),
                TotalOf::Feedback(total) => total.n.get(side),
            })
        })
    };
    Columns::new(vec![
        C::new("name", Kind::Text, |row| Datum::Text(name(row))).shown_as(label),
        figure("before", |row| value(row, Side::Before))
            .shown_as(|row, layout| value_cell(row, Side::Before, layout)),
        figure("after", |row| value(row, Side::After))
            .shown_as(|row, layout| value_cell(row, Side::After, layout)),
        figure("change", change).shown_as(change_cell),
        n("n_before", Side::Before),
        n("n_after", Side::After),
        figure("low", |row| bound(row, false)),
        figure("high", |row| bound(row, true)),
        ratio("typical_change_ratio", |[change, ..]| change),
        ratio("typical_low_ratio", |[_, low, _]| low),
        ratio("typical_high_ratio", |[.., high]| high),
        C::new("test", Kind::Text, |row| {
            Datum::maybe(match row.of {
                TotalOf::Measure(total) => total.test.map(Test::as_str),
                TotalOf::Feedback(total) => total.told().map(|told| told.test.as_str()),
            })
        }),
        C::new("p", Kind::Number, |row| {
            let p = match row.of {
                TotalOf::Measure(total) => total.p,
                TotalOf::Feedback(total) => total.told().and_then(|told| told.p),
            };
            Datum::some(Datum::Float, p)
        }),
        C::new("verdict", Kind::Text, |row| {
            let verdict = match row.of {
                TotalOf::Measure(total) => total.verdict,
                TotalOf::Feedback(total) => total.verdict(),
            };
            Datum::maybe(verdict.map(Verdict::as_str))
        })
        .shown_as(verdict_cell),
    ])
}

fn figure(name: &'static str, of: fn(&TotalRow<'_>) -> Datum<'static>) -> C {
    C::new(name, Kind::Number, move |row: &TotalRow<'_>| of(row))
}

fn ratio(name: &'static str, of: fn([f64; 3]) -> f64) -> C {
    C::new(name, Kind::Share, move |row: &TotalRow<'_>| match row.of {
        TotalOf::Measure(total) => Datum::some(
            Datum::Share,
            total.typical.map(|change| of(change.ratios())),
        ),
        TotalOf::Feedback(_) => Datum::Missing,
    })
}

/// The measure with its unit, or the key of the feedback.
fn name<'a>(row: &TotalRow<'a>) -> Cow<'a, str> {
    Cow::Borrowed(match row.of {
        TotalOf::Feedback(total) => return Cow::Owned(format!("feedback.{}", total.name)),
        TotalOf::Measure(total) => match total.measure {
            Measure::Typical => "duration_typical_ns",
            Measure::Duration => "duration_ns",
            Measure::P50 => "duration_p50_ns",
            Measure::P95 => "duration_p95_ns",
            Measure::Spans => "spans",
            Measure::FailedSpans => "failed_spans",
            Measure::ErrorRate => "error_rate",
            Measure::Tokens => "tokens",
            Measure::InputTokens => "input_tokens",
            Measure::OutputTokens => "output_tokens",
            Measure::Cost => "cost_usd",
        },
    })
}

fn value(row: &TotalRow<'_>, side: Side) -> Datum<'static> {
    match row.of {
        TotalOf::Measure(total) => of_measure(total, *total.value.get(side)),
        TotalOf::Feedback(total) => Datum::some(Datum::Score, *total.value.get(side)),
    }
}

fn change(row: &TotalRow<'_>) -> Datum<'static> {
    match row.of {
        TotalOf::Measure(total) => of_measure(total, total.change()),
        TotalOf::Feedback(total) => Datum::some(Datum::Score, total.change()),
    }
}

/// A bound of the interval of the change.
fn bound(row: &TotalRow<'_>, upper: bool) -> Datum<'static> {
    match row.of {
        TotalOf::Measure(total) => {
            let bound = total.interval.map(|i| if upper { i.high } else { i.low });
            of_measure(total, bound)
        }
        TotalOf::Feedback(total) => {
            let interval = total.told().and_then(|told| told.interval);
            Datum::some(Datum::Score, interval.map(|both| both[usize::from(upper)]))
        }
    }
}

/// Time and counts are whole numbers, money and rates are not.
fn of_measure(total: &Total, value: Option<i64>) -> Datum<'static> {
    let Some(value) = value else {
        return Datum::Missing;
    };
    match total.measure {
        Measure::Cost => dollars(value),
        Measure::ErrorRate => Datum::Part(value, UNITS_PER_WHOLE),
        Measure::Typical | Measure::Duration | Measure::P50 | Measure::P95 => {
            Datum::Duration(value)
        }
        Measure::Spans
        | Measure::FailedSpans
        | Measure::Tokens
        | Measure::InputTokens
        | Measure::OutputTokens => Datum::Integer(value),
    }
}

#[expect(clippy::cast_precision_loss, reason = "money is such floats elsewhere")]
fn dollars(units: i64) -> Datum<'static> {
    Datum::Money(units as f64 / UNITS_PER_DOLLAR as f64)
}
