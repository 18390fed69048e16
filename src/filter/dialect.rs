//! What MLflow's server makes of a condition: whether it is of the server's own
//! dialect, what it costs there, and what the server has other words for.

use super::compiled::Test;
use super::python::write_float;
use super::terms::{Condition, Number, Value};
use super::value::parse_number;
use crate::field::{Comparator, Field};

impl Condition {
    /// Whether MLflow's server takes the condition as it is printed and means the same by it.
    pub fn is_server_dialect(&self) -> bool {
        if !self.field.server_comparators().contains(&self.comparator) {
            return false;
        }
        match &self.value {
            Value::Text(text) if self.field.is_assessment() => match parse_number(text.trim()) {
                // The server compares JSON texts. Python writes fractions in one way only,
                // but whole numbers in two.
                Some(Number::Float(number)) if number.fract() != 0.0 => {
                    let mut written = String::new();
                    write_float(&mut written, number);
                    written == *text
                }
                Some(_) => !matches!(self.comparator, Comparator::Equal | Comparator::NotEqual),
                None => true,
            },
            Value::Number(_) => !self.field.is_assessment() || self.comparator.is_order(),
            Value::Text(_) | Value::List(_) | Value::None => true,
            Value::Range(..) | Value::Bool(_) => false,
        }
    }

    /// Whether the server looks for text beyond ASCII in the JSON of spans.
    pub(super) fn looks_into_spans_beyond_ascii(&self) -> bool {
        let is_json = matches!(self.field, Field::SpanContent | Field::SpanAttribute(_));
        is_json && matches!(&self.value, Value::Text(text) if !text.is_ascii())
    }

    /// Whether the server joins another table for the condition.
    pub(super) fn is_joined(&self) -> bool {
        matches!(
            self.field,
            Field::Tag(_)
                | Field::Metadata(_)
                | Field::RunId
                | Field::Prompt
                | Field::Feedback(_)
                | Field::Expectation(_)
                | Field::IssueId
        )
    }

    /// About how many tokens the server reads for the condition.
    pub(super) fn server_tokens(&self) -> usize {
        match &self.value {
            Value::List(texts) => 4 + 2 * texts.len(),
            _ => 4,
        }
    }

    /// See [`Filter::resolve_experiments`](super::Filter::resolve_experiments).
    pub(super) fn resolve_experiments(&mut self, experiments: &[(String, String)]) {
        let negated = self.comparator.is_negated();
        let mut asked = self.clone();
        if negated {
            asked.comparator = self.comparator.opposite();
        }
        let test = Test::new(&asked);
        let mut ids: Vec<String> = experiments
            .iter()
            .filter(|(id, name)| test.matches_text(Some(id)) || test.matches_text(Some(name)))
            .map(|(id, _)| id.clone())
            .collect();
        if ids.is_empty() {
            // A list is never empty; an id always is something.
            ids.push(String::new());
        }
        self.comparator = if negated {
            Comparator::NotIn
        } else {
            Comparator::In
        };
        self.value = Value::List(ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comparator::{Between, Equal, Greater, In, Like, NotEqual};

    #[test]
    fn only_what_means_the_same_there_is_the_servers_dialect() {
        let score = || Field::Feedback("x".into());
        let text =
            |field, comparator, text: &str| Condition::text(field, comparator, text).unwrap();
        for ours in [
            text(score(), Equal, "3"),
            text(score(), NotEqual, "3.0"),
            text(score(), Equal, "0.80"),
            Condition::number(score(), Equal, 3).unwrap(),
            Condition::list(Field::Name, In, ["a"]).unwrap(),
            text(Field::SpanAttribute("k".into()), Equal, "v"),
            text(Field::Name, Comparator::NotLike, "v"),
            text(Field::SpanModel, Equal, "v"),
            Condition::range(Field::ExecutionTime, Between, 1, 2).unwrap(),
        ] {
            assert!(!ours.is_server_dialect(), "{ours}");
        }
        for theirs in [
            text(score(), Equal, "good"),
            text(score(), Equal, "0.8"),
            text(score(), Like, "3"),
            text(score(), Greater, "3"),
            text(Field::SpanAttribute("k".into()), Like, "%v%"),
            Condition::list(Field::Status, In, ["OK"]).unwrap(),
        ] {
            assert!(theirs.is_server_dialect(), "{theirs}");
        }
    }

    #[test]
    fn an_experiment_is_meant_by_its_id_or_its_name() {
        let known = [("1", "shop"), ("2", "shop-test"), ("3", "2")]
            .map(|(id, name)| (id.to_owned(), name.to_owned()));
        for (condition, printed) in [
            (
                Condition::text(Field::Experiment, Equal, "shop"),
                "experiment IN ('1')",
            ),
            (
                Condition::text(Field::Experiment, Equal, "2"),
                "experiment IN ('2', '3')",
            ),
            (
                Condition::text(Field::Experiment, NotEqual, "2"),
                "experiment NOT IN ('2', '3')",
            ),
            (
                Condition::text(Field::Experiment, Like, "shop%"),
                "experiment IN ('1', '2')",
            ),
            (
                Condition::text(Field::Experiment, Equal, "nope"),
                "experiment IN ('')",
            ),
        ] {
            let mut condition = condition.unwrap();
            condition.resolve_experiments(&known);
            assert_eq!(condition.to_string(), printed);
        }
    }
}
