//! Which conditions a database decides as this program does, and for which it finds more,
//! so that what it finds is checked here again. What only a function of this program can
//! decide stands in its statement as something that always holds.

use super::link::Facts;
use crate::filter::{Capability, Comparator, Condition, Field, Support, Value};
use crate::store::sql::Schema;

/// A database with these tables.
pub(super) struct Decides<'s> {
    pub(super) schema: &'s Schema,
    pub(super) facts: Facts,
    /// Whether the case of ASCII letters, and no other, makes no difference to `ILIKE`.
    pub(super) ilike_is_exact: bool,
}

impl Capability for Decides<'_> {
    fn support(&self, condition: &Condition) -> Support {
        if holds_nul(condition.value()) || !self.has_numbers(condition.field()) {
            return Support::Unsupported;
        }
        let field = condition.field();
        // No statement tests a single assessment.
        if matches!(field, Field::OfAssessment(_)) {
            return Support::Unsupported;
        }
        let spans_are_known = !field.needs_spans() || self.facts.all_in_table;
        if spans_are_known && self.is_exact(condition) {
            return Support::Exact;
        }
        match field {
            // Hardly a span has its model in the column.
            Field::SpanModel
                if !matches!(
                    condition.comparator(),
                    Comparator::Equal | Comparator::In | Comparator::IsNotNull
                ) =>
            {
                Support::Unsupported
            }
            _ => Support::Inexact(condition.clone()),
        }
    }
}

impl Decides<'_> {
    /// Whether the numbers of a field are in columns, and not in JSON.
    fn has_numbers(&self, field: &Field) -> bool {
        match field {
            Field::Tokens | Field::InputTokens | Field::OutputTokens => {
                self.schema.has_trace_column("total_tokens")
            }
            Field::Cost => self.schema.has_trace_column("total_cost"),
            _ => true,
        }
    }

    fn is_exact(&self, condition: &Condition) -> bool {
        use Comparator::{Ilike, IsNotNull, IsNull, NotIlike, NotLike, NotRlike, Rlike};
        let comparator = condition.comparator();
        let is_said = !matches!(comparator, NotIlike | NotLike | NotRlike | Rlike)
            && (comparator != Ilike || self.ilike_is_exact);
        match condition.field() {
            Field::Feedback(_) | Field::Expectation(_) => matches!(comparator, IsNull | IsNotNull),
            Field::SpanType => is_said && self.facts.has_types,
            Field::SpanModel
            | Field::SpanAttribute(_)
            | Field::SpanTokens
            | Field::SpanCost
            | Field::SpanError => false,
            _ => is_said,
        }
    }
}

/// Texts in a database hold no such character.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::List(texts) => texts.iter().any(|text| text.contains('\0')),
        _ => false,
    }
}
