//! Aggregates over many traces, and rules about them, in the filter language's
//! own words: its keys, conditions, units and quotes.
//!
//! ```text
//! rule       = aggregate [ sign limit ]
//! aggregates = aggregate { "," aggregate }
//! aggregate  = function "(" [ measure ] [ "where" filter ] ")"
//! function   = "count" | "error_rate" | "min" | "max" | "avg" | "sum" | "median" | percentile
//! percentile = "p" digit { digit } [ "." digit { digit } ]
//! measure    = "duration" | "tokens" | "input_tokens" | "output_tokens" | "cost" | "spans"
//!            | "feedback" "." name | "expectation" "." name
//!            | "span" | "self" | "critical" | "span" "." ( "duration" | "tokens" | "cost" )
//!            | "span" "." "attributes" "." name
//! limit      = number | duration | number "%"
//! ```
//!
//! Functions are read in any case, measures only as they are. Without a measure,
//! traces are counted. In the filter after a measure of traces every condition
//! means what it means in a search; after one of spans, conditions on spans are
//! about the very span that is measured, and `NOT` is a plain complement.

mod limit;
mod mistakes;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod worse;

use super::ast::{Expr, Filter};
use super::terms::Number;
use crate::field::{self, Comparator, Field};
use crate::model::Detail;

pub use parse::{parse_aggregates, parse_rule, without_comment};
pub use print::exact;

/// All there is to know about rules, for people: at most 80 columns, with examples
/// that are indented by four spaces.
pub const REFERENCE: &str = include_str!("../rules.txt");

/// What is computed over many traces or spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// What becomes of the values.
    pub function: Function,
    /// Which values.
    pub measure: Measure,
    /// Of which traces or spans; an empty filter is all of them.
    pub filter: Filter,
}

/// What becomes of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// How many there are.
    Count,
    /// The share of those that ended in an error.
    ErrorRate,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The arithmetic mean.
    Avg,
    /// The sum.
    Sum,
    /// A percentile, in hundredths of a percent: 9 500 is `p95`, at most 10 000.
    Percentile(u16),
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Measure {
    /// The traces themselves; written as nothing.
    Trace,
    /// The spans themselves.
    Span,
    /// The time in a span that none of its children covers.
    SelfTime,
    /// The time of a span on the critical path of its trace.
    CriticalTime,
    /// The values of a field with [`Uses::MEASURE`](crate::field::Uses::MEASURE): numbers;
    /// true, false, yes and no of assessments, true and false of attributes are 1 and 0.
    Of(Field),
}

/// What the values of an aggregate are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    /// A number of things: traces, spans, tokens.
    Amount,
    /// US dollars.
    Dollars,
    /// A share from 0 to 1.
    Share,
    /// Any number.
    Number,
}

/// An aggregate, and what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What is computed.
    pub aggregate: Aggregate,
    /// What it has to be; `None` for an aggregate alone.
    pub bound: Option<Bound>,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// One of `=`, `!=`, `<`, `<=`, `>` and `>=`.
    pub comparator: Comparator,
    /// In the unit of the aggregate: nanoseconds, a share from 0 to 1, or a plain number.
    pub limit: Number,
}

impl Measure {
    /// Whether each span is a sample of its own.
    pub fn is_of_spans(&self) -> bool {
        match self {
            Self::Trace => false,
            Self::Span | Self::SelfTime | Self::CriticalTime => true,
            Self::Of(field) => field.is_span(),
        }
    }

    /// What its values are.
    pub fn unit(&self) -> Unit {
        match self {
            Self::Trace | Self::Span => Unit::Amount,
            Self::SelfTime | Self::CriticalTime => Unit::Time,
            Self::Of(field) => match field.def().unit {
                field::Unit::Duration => Unit::Time,
                field::Unit::Count => Unit::Amount,
                field::Unit::Money => Unit::Dollars,
                _ => Unit::Number,
            },
        }
    }

    /// Whether it is about tokens or cost of whole traces.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Of(field) if field.is_usage())
    }

    /// Whether it is about what was said of traces.
    pub fn is_assessment(&self) -> bool {
        matches!(self, Self::Of(field) if field.is_assessment())
    }

    fn detail(&self) -> Option<Detail> {
        match self {
            Self::Trace => None,
            Self::Span | Self::SelfTime | Self::CriticalTime | Self::Of(Field::SpanCount) => {
                Some(Detail::Times)
            }
            Self::Of(field) => field.detail(),
        }
    }
}

impl Aggregate {
    /// An aggregate of all traces or spans.
    pub fn new(function: Function, measure: Measure) -> Self {
        Self {
            function,
            measure,
            filter: Filter::default(),
        }
    }

    /// What its value is.
    pub fn unit(&self) -> Unit {
        match self.function {
            Function::ErrorRate => Unit::Share,
            _ => self.measure.unit(),
        }
    }

    /// How much of its spans a trace is needed with to compute it; `None` where it is
    /// computed without them.
    pub fn detail(&self) -> Option<Detail> {
        let conditions = self.filter.conditions().into_iter();
        let needs_spans = self.filter.conjuncts().iter().any(Expr::needs_spans);
        let of_filter = conditions.filter_map(|c| c.field.detail()).max();
        let spans = needs_spans.then_some(Detail::Times);
        self.measure.detail().max(of_filter).max(spans)
    }
}
