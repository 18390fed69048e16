//! The values and tests that pieces of SQL under construction share.

use super::Dialect;
use crate::filter::{AssessmentMatcher, AssessmentTest, Condition, Number, Test};

/// A value in the place of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Value {
    Integer(i64),
    Real(f64),
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Text with numbered parameters, the values bound to them, and the tests that only this
/// program can make, which SQL calls as functions.
pub(in crate::store) struct Parameters {
    pub(in crate::store) dialect: &'static dyn Dialect,
    values: Vec<Value>,
    tests: Vec<Test>,
    judges: Vec<AssessmentMatcher>,
}

impl Parameters {
    pub(in crate::store) fn new(dialect: &'static dyn Dialect) -> Self {
        Self {
            dialect,
            values: Vec::new(),
            tests: Vec::new(),
            judges: Vec::new(),
        }
    }

    /// Binds a value; gives its placeholder.
    pub(in crate::store) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        self.dialect.placeholder(self.values.len())
    }

    /// Binds a number; gives its placeholder.
    pub(super) fn number(&mut self, number: Number) -> String {
        self.bind(match number {
            Number::Integer(value) => Value::Integer(value),
            Number::Float(value) => Value::Real(value),
        })
    }

    /// Keeps a condition for a function to test; gives its number.
    pub(super) fn test(&mut self, condition: &Condition) -> String {
        self.tests.push(Test::new(condition));
        (self.tests.len() - 1).to_string()
    }

    /// Keeps a test of assessments likewise.
    pub(super) fn judge(&mut self, test: &AssessmentTest) -> String {
        self.judges.push(AssessmentMatcher::new(test));
        (self.judges.len() - 1).to_string()
    }

    /// The values, in the order of their numbers. The last ones may be of a part that did
    /// not come into the statement.
    pub(in crate::store) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The tests, in the order of their numbers.
    pub(in crate::store) fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// The tests of assessments, likewise.
    pub(in crate::store) fn judges(&self) -> &[AssessmentMatcher] {
        &self.judges
    }

    /// The statement with its values in place, for people to read.
    pub(in crate::store) fn filled_in(&self, sql: &str) -> String {
        let mut text = sql.to_owned();
        for (at, value) in self.values.iter().enumerate().rev() {
            let literal = match value {
                Value::Integer(number) => number.to_string(),
                Value::Real(number) => number.to_string(),
                Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            };
            text = text.replace(&self.dialect.placeholder(at + 1), &literal);
        }
        text
    }
}
