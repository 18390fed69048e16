//! Which way an aggregate becomes worse: less feedback is, and more of time, money,
//! tokens and errors. Counts are of good things or of bad ones, which their
//! conditions tell.

use super::super::ast::Expr;
use super::super::terms::{Condition, Value};
use super::{Aggregate, Function, Measure};
use crate::field::{Comparator, Field};

impl Aggregate {
    /// Whether a larger value is a worse one.
    pub fn larger_is_worse(&self) -> bool {
        let any = |is: &dyn Fn(&Expr) -> bool| self.filter.conjuncts().iter().any(is);
        match (self.function, &self.measure) {
            (Function::ErrorRate, _) => true,
            (Function::Count, Measure::Trace) => any(&|expr| asks_for(expr, is_bad, false)),
            // More spans are more work, unless it is asked for what went well.
            (Function::Count, _) => {
                any(&|expr| asks_for(expr, is_bad, false))
                    || !any(&|expr| asks_for(expr, is_good, false))
            }
            (_, measure) if measure.is_assessment() => false,
            _ => true,
        }
    }
}

/// Whether a condition of some kind is in the expression, taking `NOT` into account.
fn asks_for(expr: &Expr, is: fn(&Condition, bool) -> bool, negated: bool) -> bool {
    match expr {
        Expr::Condition(condition) => is(condition, negated),
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(|part| asks_for(part, is, negated)),
        Expr::Not(inner) => asks_for(inner, is, !negated),
        Expr::Spans(test) => asks_for(&test.expr, is, negated),
        Expr::Assessed(test) => asks_for(&test.expr, is, negated),
    }
}

const BAD: [&str; 3] = ["ERROR", "false", "no"];
const GOOD: [&str; 3] = ["OK", "true", "yes"];

fn is_bad(condition: &Condition, negated: bool) -> bool {
    is_of(condition, negated, (&BAD, &GOOD), true)
}

fn is_good(condition: &Condition, negated: bool) -> bool {
    is_of(condition, negated, (&GOOD, &BAD), false)
}

/// Whether a condition asks for one of the states or answers, or for much of what
/// costs time and money.
fn is_of(
    condition: &Condition,
    negated: bool,
    (words, opposites): (&[&str], &[&str]),
    much: bool,
) -> bool {
    let comparator = condition.comparator();
    // What is not OK is bad, and what is no error is good.
    let words = if comparator.is_negated() == negated {
        words
    } else {
        opposites
    };
    let is_word = |text: &str| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match condition.field() {
        Field::Status | Field::SpanStatus | Field::Feedback(_) => match condition.value() {
            Value::Text(text) => is_word(text),
            Value::List(texts) => texts.iter().any(|text| is_word(text)),
            Value::Bool(value) => is_word(if *value { "true" } else { "false" }),
            _ => false,
        },
        Field::SpanError => much == ((comparator == Comparator::IsNull) == negated),
        Field::ExecutionTime
        | Field::SpanDuration
        | Field::Tokens
        | Field::InputTokens
        | Field::OutputTokens
        | Field::Cost
        | Field::SpanCount => {
            let is_more = matches!(comparator, Comparator::Greater | Comparator::GreaterOrEqual);
            comparator.is_order() && (is_more != negated) == much
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_rule;
    use crate::filter::Moment;

    #[test]
    fn what_is_worse_is_told_by_what_is_measured() {
        for (aggregate, larger) in [
            ("p95(duration)", true),
            ("sum(cost)", true),
            ("max(spans)", true),
            ("error_rate()", true),
            ("avg(feedback.csat)", false),
            ("min(expectation.score)", false),
            ("count()", false),
            ("count(where name = 'checkout')", false),
            ("count(where status = 'OK')", false),
            ("count(where status = 'ERROR')", true),
            ("count(where status != 'OK')", true),
            ("count(where NOT status = 'OK')", true),
            ("count(where NOT status = 'ERROR')", false),
            ("count(where status != 'IN_PROGRESS')", false),
            ("count(where error IS NOT NULL)", true),
            ("count(where error IS NULL)", false),
            ("count(where duration > 5s)", true),
            ("count(where duration < 5s)", false),
            ("count(where feedback.correct = 'false')", true),
            ("count(where feedback.correct = 'true')", false),
            ("count(where any(span.status = 'ERROR'))", true),
            ("count(span)", true),
            ("count(span where span.type = 'TOOL')", true),
            ("count(span where span.status = 'OK')", false),
            ("count(span where span.status = 'ERROR')", true),
        ] {
            let rule = parse_rule(aggregate, &Moment::utc())
                .unwrap_or_else(|error| panic!("{aggregate}: {error}"));
            assert_eq!(rule.aggregate.larger_is_worse(), larger, "{aggregate}");
        }
    }
}
