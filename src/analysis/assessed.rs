//! What was said of traces, by name: how many assessments there are, and the mean
//! of those that are numbers, true or false, yes or no.

use std::collections::BTreeMap;

use super::measure::{Measured, Tally};
use crate::field::Field;
use crate::filter::aggregate::{Aggregate, Function, Measure};
use crate::model::{AssessmentKind, Trace};

/// What valid assessments have in common. Feedback goes before expectations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) is_expectation: bool,
    pub(super) name: String,
}

impl Subject {
    /// Their mean, as a rule would ask for it.
    pub(super) fn mean(&self) -> Aggregate {
        let name = self.name.clone();
        let measure = if self.is_expectation {
            Measure::Of(Field::Expectation(name))
        } else {
            Measure::Of(Field::Feedback(name))
        };
        Aggregate::new(Function::Avg, measure)
    }
}

/// Assessments as their traces come.
#[derive(Debug, Clone, Default)]
pub(super) struct Assessed(BTreeMap<Subject, Entry>);

#[derive(Debug, Clone)]
struct Entry {
    count: usize,
    /// Whether some are numbers, and not true or false.
    has_numbers: bool,
    tally: Tally,
}

impl Assessed {
    pub(super) fn add(&mut self, trace: &Trace) {
        let mut counts: BTreeMap<(bool, &str), (usize, bool)> = BTreeMap::new();
        for assessment in trace.info.assessments.iter().filter(|a| a.valid) {
            let is_expectation = match assessment.kind {
                AssessmentKind::Feedback { .. } => false,
                AssessmentKind::Expectation { .. } => true,
                AssessmentKind::Issue { .. } | AssessmentKind::Other => continue,
            };
            let (count, has_numbers) = counts
                .entry((is_expectation, &assessment.name))
                .or_default();
            *count += 1;
            *has_numbers |= assessment.value().is_number();
        }
        for ((is_expectation, name), (count, has_numbers)) in counts {
            let subject = Subject {
                is_expectation,
                name: name.to_owned(),
            };
            let new = || Entry {
                count: 0,
                has_numbers: false,
                tally: Tally::new(&[subject.mean()]).with_spread(),
            };
            let entry = match self.0.get_mut(&subject) {
                Some(known) => known,
                None => self.0.entry(subject.clone()).or_insert_with(new),
            };
            entry.count += count;
            entry.has_numbers |= has_numbers;
            entry.tally.add(trace);
        }
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.0.keys()
    }

    /// How many there are of each, and what those come to that count.
    pub(super) fn results(&self) -> impl Iterator<Item = (&Subject, usize, Measured)> {
        self.0.iter().filter_map(|(subject, entry)| {
            Some((subject, entry.count, entry.tally.results().pop()?))
        })
    }

    /// What those of one kind come to.
    pub(super) fn measured(&self, subject: &Subject) -> Option<Measured> {
        self.0.get(subject)?.tally.results().pop()
    }

    /// Whether some of a kind are numbers.
    pub(super) fn has_numbers(&self, subject: &Subject) -> bool {
        self.0.get(subject).is_some_and(|entry| entry.has_numbers)
    }
}
